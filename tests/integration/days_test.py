#!/usr/bin/env python3
"""Recorded days over the wire: a vendor's simulator plays them, the vendor's feeder reads them, and the bars on Kafka and in the store are
compared field by field with what the vendor says of the day, and every minute with what the recording itself adds up to.

usage: days_test.py LIVECORE [unittest options]"""

import csv
import io
import shutil
import signal
import sys
from datetime import datetime, timezone
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import livecore  # noqa: E402

DATA = livecore.ROOT / "tests" / "data"
PRICES = ("open", "high", "low", "close")
FIELDS = (*PRICES, "volume", "amount")
LONGER = {"5m": 5, "15m": 15, "30m": 30, "60m": 60}
# The names under which the demo looks for recordings.
SNAPSHOTS, TRADES = "day-cn-sh688293-20230323-snapshots.csv", "day-us-ibm-20131011-tick-trades.csv"


def new_bar(price):
    return dict.fromkeys(PRICES, price) | {"volume": 0, "amount": Decimal(0)}


def take_price(bar, price):
    bar["high"], bar["low"], bar["close"] = max(bar["high"], price), min(bar["low"], price), price


def longer(minutes, length, segments, odd):
    """Bars of so many minutes, which begin anew in each segment (first minute of the day, one behind the last). The money of minutes in
    which no whole lot was traded is theirs."""
    bars = {}
    for minute, bar in sorted(minutes.items()):
        begin = next(first for first, end in segments if first <= minute < end)
        at = begin + (minute - begin) // length * length
        if at not in bars:
            bars[at] = dict(bar)
            continue
        sum_ = bars[at]
        sum_["high"], sum_["low"] = max(sum_["high"], bar["high"]), min(sum_["low"], bar["low"])
        sum_["close"] = bar["close"]
        sum_["volume"] += bar["volume"]
        sum_["amount"] += bar["amount"]
    for minute, bar in odd.items():
        begin = next(first for first, end in segments if first <= minute < end)
        at = begin + (minute - begin) // length * length
        if at in bars:
            bars[at]["amount"] += bar["amount"]
    return bars


class Played:
    """A recorded day through its feeder; what is compared is the same for all."""

    KAFKA = ()
    SEGMENTS = ((9 * 60 + 30, 11 * 60 + 30), (13 * 60, 15 * 60))
    ZONE = ZoneInfo("Asia/Shanghai")

    def play(self):
        # Nothing else is followed: each simulator plays one recording, and other symbols would walk in today's time.
        self.settings = {"state.dir": self.state, "routing.feeders": self.FEEDER, "queue.policy": "block"} | self.topics()
        self.settings |= {"routing.routes": f"{self.SYMBOL}={self.FEEDER},*=none", "bars.partial_ms": "100", "shutdown.timeout": "60s"}
        self.broker = self.kafka.brokers
        kept = {"kafka.brokers": self.broker, "kafka.retention": "200000h"}  # the records bear the recording's times
        made = livecore.tool("topics", "create", *livecore.words(kept | self.topics()))
        self.assertEqual(made.returncode, 0, made.stderr)
        tapes = Path(self.state) / "tapes"
        tapes.mkdir()
        for name in (SNAPSHOTS, TRADES):  # the demo starts all simulators
            shutil.copy(DATA / name, tapes)
        shutil.copy(DATA / self.RECORDING, tapes / (SNAPSHOTS if self.FEEDER == "eastmoney" else TRADES))
        return livecore.Process(
            [livecore.LIVECORE, "demo", "--tape", "--speed", "max", "--json", "--brokers", self.broker, "--tape-dir", str(tapes),
             *livecore.words(self.settings)], cwd="/")

    def bars_of(self, topic):
        """The last word on each bar, by period and minute of the market's day; the last may be open."""
        said = {}
        for record in list(topic.records):
            bar = record.value
            if record.key == self.SYMBOL:
                at = datetime.fromisoformat(bar["timestamp"]).astimezone(self.ZONE)
                key = (bar["period"], at.hour * 60 + at.minute)
                before = said.get(key)
                if not before or (bar["final"], bar["revision"]) >= (before["final"], before["revision"]):
                    said[key] = bar
        return {period: {minute: bar for (p, minute), bar in sorted(said.items()) if p == period} for period in ("1m", *LONGER, "1d")}

    def assert_bars(self, ours, expected, what):
        self.assertEqual(sorted(ours), sorted(expected), what)
        for minute, bar in expected.items():
            for field in FIELDS:
                self.assertEqual(ours[minute][field], bar[field], f"{what} {minute // 60:02}:{minute % 60:02} {field}")

    def assert_stored(self, period, ours):
        """What is final, and only that."""
        if not any(bar["final"] for bar in ours.values()):
            return
        done = livecore.tool("bars", self.SYMBOL, "--period", period, "--limit", "1000", "--csv", "--set", f"state.dir={self.state}")
        self.assertEqual(done.returncode, 0, done.stderr)
        kept = {}
        for row in csv.DictReader(io.StringIO(done.stdout)):
            at = datetime.fromisoformat(row["start"]).replace(tzinfo=None)
            kept[at.hour * 60 + at.minute] = {field: Decimal(row[field]) for field in FIELDS}
        final = {minute: {field: Decimal(bar[field]) for field in FIELDS} for minute, bar in ours.items() if bar["final"]}
        self.assertEqual(kept, final, period)

    def test_the_day(self):
        self.odd = {}
        minutes, day = self.recorded()
        demo = self.play()
        if self.FEEDER == "eastmoney":
            self.follow("days", [self.SYMBOL])
        topic = self.read("bars")
        total = sum(bar["volume"] for bar in minutes.values())

        def done():
            ours = self.bars_of(topic)
            last = max(minutes)
            return sum(bar["volume"] for bar in ours["1m"].values()) == total and last in ours["1m"] and self.is_whole(ours) and ours

        ours = livecore.wait_for(done, lambda: f"{total}: {sum(b['volume'] for b in self.bars_of(topic)['1m'].values())}", 120)
        self.assertEqual(demo.stop(signal.SIGINT, within_s=90), 0, demo.text)
        self.assert_bars(ours["1m"], minutes, "1m")
        for period, length in LONGER.items():
            expected = longer(minutes, length, self.SEGMENTS, self.odd)
            self.assert_bars({m: b for m, b in ours[period].items() if m in expected}, expected, period)
            self.assert_stored(period, ours[period])
        self.assert_stored("1m", ours["1m"])
        self.assertTrue(all(bar["complete"] for bar in ours["1m"].values()), "nothing was missed")
        self.assertEqual({field: ours["1d"][0][field] for field in FIELDS}, day)
        self.assertEqual(ours["1d"][0]["gap_volume"], 0)
        self.assertEqual(ours["1d"][0]["final"], self.FINAL)


class Snapshots(Played):
    """The vendor's own day stands in each snapshot; its close is the last price. Over this vendor's wire volumes are lots of 100 shares, and money has one decimal."""

    FEEDER = "eastmoney"
    # A recorded market's time is that of its newest tick, which is before 15:31: until then fixed-price trades may come. It does not close at
    # the stop, because a recording may be stopped anywhere; tests/unit/bars_cn_test.c closes such a day by the clock.
    FINAL = False

    @staticmethod
    def rows(name):
        with open(DATA / name, newline="") as file:
            for row in csv.DictReader(file):
                time = row.get("MDTime") or row["DateTime"].partition("T")[2]
                if time >= "09:30":  # where the demo begins its tapes
                    hour, minute, _ = time.split(":")
                    number = {k: Decimal(row[k]) for k in ("LastPx", "OpenPx", "HighPx", "LowPx")}
                    value = (Decimal(row["TotalValueTrade"]) * 1000).to_integral_value() / 1000
                    yield (int(hour) * 60 + int(minute), int(row["TotalVolumeTrade"]) // 100 * 100,
                           value.quantize(Decimal("0.1"), ROUND_DOWN), {k: v.quantize(Decimal("0.001")) for k, v in number.items()})

    @staticmethod
    def slot(minute):
        """What is stamped after a session's end was traded in its last minute."""
        return 11 * 60 + 29 if 11 * 60 + 30 <= minute < 13 * 60 else min(minute, 15 * 60 - 1)

    def recorded(self):
        """By the rules: volume and money are differences of totals, prices count where volume rose, and a high or low of the session
        that no sample showed enters the minute in which it appeared."""
        minutes, total, money, high, low, opened = {}, 0, Decimal(0), None, None, False
        for minute, volume, value, px in self.rows(self.RECORDING):
            if volume > total:
                first = not minutes
                bar = minutes.setdefault(self.slot(minute), new_bar(px["LastPx"]))
                bar["amount"] += self.odd.pop(self.slot(minute), {"amount": 0})["amount"]
                take_price(bar, px["LastPx"])
                if first and px["OpenPx"] > 0:
                    bar["open"] = px["OpenPx"]
                opened = opened or px["OpenPx"] > 0
                if px["HighPx"] > 0 and (high is None or px["HighPx"] > high):
                    high = px["HighPx"]
                    bar["high"] = max(bar["high"], high)
                if px["LowPx"] > 0 and (low is None or px["LowPx"] < low):
                    low = px["LowPx"]
                    bar["low"] = min(bar["low"], low)
                bar["volume"] += volume - total
                total = volume
            if value > money:  # odd shares move the money and no lot
                slot = self.slot(minute)
                bar = minutes.get(slot) or self.odd.setdefault(slot, new_bar(None))  # of a minute without a lot there is no bar
                bar["amount"] += value - money
                money = value
            last = px
        day = {"open": last["OpenPx"], "high": last["HighPx"], "low": last["LowPx"], "close": last["LastPx"]}
        return minutes, day | {"volume": total, "amount": money}

    def is_whole(self, ours):
        return ours["1d"] and ours["1d"][0]["volume"] == sum(b["volume"] for b in ours["1m"].values())


class Star(Snapshots, livecore.Case):
    """688293 on 2023-03-23: 189,104 shares, 20,981,577 in money."""

    SYMBOL, RECORDING = "688293.SH", SNAPSHOTS

    def recorded(self):
        minutes, day = super().recorded()
        vendors = {"open": "112.3", "high": "113.68", "low": "109.45", "close": "110.17", "volume": "189100", "amount": "20981577"}
        self.assertEqual(day, {k: Decimal(v) for k, v in vendors.items()}, "but for four odd shares it is the vendor's own day")
        return minutes, day


class MainBoard(Snapshots, livecore.Case):
    """600103 in the morning of 2021-12-01: limit up at 09:41 and down from it."""

    SYMBOL, RECORDING = "600103.SH", "day-cn-sh600103-20211201-morning-snapshots.csv"

    def recorded(self):
        minutes, day = super().recorded()
        vendors = {"open": "2.74", "high": "2.99", "low": "2.74", "close": "2.92", "volume": "104006200", "amount": "302124899.7"}
        self.assertEqual(day, {k: Decimal(v) for k, v in vendors.items()}, "but for five odd shares and a cent it is the vendor's own")
        return minutes, day


class Trades(Played, livecore.Case):
    """IBM on 2013-10-11, 19,264 trades with their conditions."""

    FEEDER, SYMBOL, RECORDING, FINAL = "alpaca", "IBM", TRADES, True
    SEGMENTS = ((9 * 60 + 30, 16 * 60),)
    ZONE = ZoneInfo("America/New_York")
    # Codes 4 and P: no last price of their own; 6: the closing print; O: the listing exchange's opening print; C, V and W: volume alone;
    # Q and M: a market's official open and close, which are no trades; T: out of hours.
    LATE, CLOSING, OPENING, ALONE, OFFICIAL, EXTENDED = 0x200 | 0x2000000, 0x80, 0x40, 0x2 | 0x40000 | 0x100000, 0x5000000, 0x2000

    def recorded(self):
        minutes, print_, opening, behind = {}, None, None, []
        with open(DATA / self.RECORDING, newline="") as file:
            for ms, price, size, _, conditions, _ in csv.reader(file):
                minute, price, size, codes = int(ms) // 60000, Decimal(price) / 10000, int(size), int(conditions, 16)
                if codes & self.CLOSING:
                    print_ = price, size
                if codes & self.OPENING:
                    opening = price
                if 16 * 60 <= minute < 16 * 60 + 5 and codes & self.EXTENDED:
                    behind.append((int(ms), size))
                if not 9 * 60 + 30 <= minute < 16 * 60 or codes & self.OFFICIAL:
                    continue
                first = minute not in minutes
                bar = minutes.setdefault(minute, new_bar(price))
                if codes & self.ALONE:
                    self.assertFalse(first, "the rule for a bar without a price is not needed here")
                elif codes & self.LATE:
                    self.assertFalse(first, "the rule for a bar without a last price is not needed here")
                    bar["high"], bar["low"] = max(bar["high"], price), min(bar["low"], price)
                else:
                    take_price(bar, price)
                bar["volume"] += size
                bar["amount"] += price * size
        volume = sum(bar["volume"] for bar in minutes.values())
        first, price, size = minutes[min(minutes)], *print_
        day = {"open": first["open"], "high": max(b["high"] for b in minutes.values()), "low": min(b["low"] for b in minutes.values())}
        day |= {"close": price, "volume": volume + size, "amount": sum(b["amount"] for b in minutes.values()) + price * size}
        with open(DATA / "day-us-daybars.csv", newline="") as file:
            row = next(row for row in csv.reader(file) if row[:2] == ["ibm", "20131011 00:00"])
        vendors = dict(zip(PRICES, (Decimal(text) / 10000 for text in row[2:6]))) | {"volume": int(row[6])}
        for field in ("high", "low", "close"):
            self.assertEqual(day[field], vendors[field], field)
        # The vendor's open is NYSE's opening print of 09:30:48, ours the first trade that may make a price, as in Alpaca's bars.
        self.assertEqual((day["open"], opening), (Decimal("185.25"), vendors["open"]))
        # The vendor's volume ends at 16:05: it has three trades that were reported behind the close, out of hours (code T, at 16:01:14.095,
        # 16:01:14.103 and 16:03:14.130), which are in no bar of the session.
        self.assertEqual(behind, [(57674095, 4300), (57674103, 1633), (57794130, 140)])
        self.assertEqual(vendors["volume"] - day["volume"], 4300 + 1633 + 140)
        return minutes, day

    def is_whole(self, ours):
        return ours["1d"] and ours["1d"][0]["final"]


if __name__ == "__main__":
    livecore.main()
