"""What a feed did not bring: it is said, fetched from the vendor, and published once. The broker is the embedded one.

usage: gaps_test.py LIVECORE [unittest options]
"""

import signal
import sys
from collections import Counter
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import livecore  # noqa: E402

FOLLOWED = ["AAPL", "IBM", "KO"]
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def time_us(text):
    return (datetime.fromisoformat(text.replace("Z", "+00:00")) - EPOCH) // timedelta(microseconds=1)


class Trade:
    """A line of what a simulator says it made."""

    def __init__(self, line):
        words = line.split()
        self.time_us, self.symbol, self.kind, self.id = int(words[0]) // 1000, words[1], words[2], words[3]
        self.price, self.volume, self.mark = Decimal(words[4]), int(words[5]), words[-1]


class Gaps(livecore.Case):
    def alpaca(self, *options, **settings):
        self.sent = Path(self.state) / "sent"
        self.server = self.sim("alpaca", "--rate", "300", "--linger", "60", "--sent", str(self.sent), *options)
        more = {"calendar.always_open": "true", "bars.grace": "0s", "alpaca.rest_rate": "100"}
        more |= {key.replace("__", "."): value for key, value in settings.items()}
        self.settings = livecore.alpaca(self.server) | more
        self.live = self.run_livecore(self.settings, env=livecore.ALPACA_KEY)
        self.open_topics()
        self.follow("p", FOLLOWED)
        self.flows()

    def open_topics(self):
        self.prices, self.events = self.read("market_data"), self.read("events")

    def flows(self):
        self.prices.wait_trades(FOLLOWED)

    def gap(self, kind="gap_opened", **data):
        return self.events.event(kind, **data)

    def made(self):
        """Every trade the simulator made, once it has ended."""
        self.server.stop()
        return [t for t in map(Trade, self.sent.read_text().splitlines()) if t.kind == "trade"]

    def trades(self):
        return [r for r in self.prices.records if r.value["kind"] == "trade"]

    def interval(self, data, symbol):
        own = next((r for r in data.get("ranges", ()) if r["symbol"] == symbol), data)
        return time_us(own["from"]), time_us(own["until"])

    def cut(self, hold="hold:3"):
        """The session breaks off, and nobody answers for some seconds, in which trades go on."""
        self.server.fault(f"drop,{hold}")
        opened = self.gap(cause="disconnect", until=None)
        closed = self.events.wait(
            lambda r: r.value["type"] == "gap_opened" and r.value["data"]["gap"] == opened["gap"] and r.value["data"]["until"],
            "the gap's end",
        )[0].value["data"]
        return opened, closed

    def all_there_once(self):
        """What the simulator made until the last trade that is on the topic is there once; returns the made and the missed."""
        self.server.fault("mute:1000")
        livecore.wait_for(lambda: self.live.feeder("alpaca")["queue"]["length"] == 0, "an empty queue")
        livecore.wait_for(lambda: len(self.prices.records) == self.live.metrics()["livecore_published_total"], "all that was published")
        records = self.trades()
        last = {r.key: r.value["trade_id"] for r in records if not r.value.get("flags")}
        self.assertEqual(self.live.stop(), 0, self.live.text)
        made = self.made()
        counts = Counter(r.value["trade_id"] for r in records)
        wanted = [t for t in made if t.symbol in last and int(t.id) <= int(last[t.symbol])]
        missing = [t.id for t in wanted if counts[t.id] == 0]
        twice = [t.id for t in wanted if counts[t.id] > 1]
        self.assertEqual((missing, twice), ([], []))
        return wanted, {r.value["trade_id"]: r for r in records if "backfilled" in r.value.get("flags", ())}

    def test_a_cut_is_filled(self):
        self.alpaca()
        opened, closed = self.cut()
        self.assertEqual((opened["feeder"], opened["count"], sorted(opened["symbols"])), ("alpaca", 3, FOLLOWED))
        self.assertTrue(opened["evidence"])
        filled = self.gap("gap_filled", gap=opened["gap"])
        self.assertEqual(sorted(filled["symbols"]), FOLLOWED)
        self.assertEqual((filled["cause"], filled["left_open"]), ("disconnect", 0))
        self.flows()
        made, fetched = self.all_there_once()
        unsent = {t.id for t in made if t.mark == "unsent"}
        self.assertGreater(len(unsent), 20, "trades went on")
        self.assertLessEqual(unsent, set(fetched))
        self.assertEqual(filled["ticks"], len(fetched))
        for trade in made:
            record = fetched.get(trade.id)
            if record:
                begin, end = self.interval(closed, trade.symbol)
                self.assertTrue(begin <= trade.time_us <= end, f"{record} is not in {begin} to {end}")
                self.assertEqual(record.value["flags"], ["backfilled"])
                self.assertEqual((record.value["price"], record.value["volume"]), (trade.price, trade.volume))
        self.assertEqual(livecore.holes(self.prices.records), [])
        for symbol in FOLLOWED:  # in order among themselves
            times = [r.value["timestamp"] for r in fetched.values() if r.key == symbol]
            self.assertEqual(times, sorted(times))

    def test_bars_are_whole_again(self):
        """A minute that a cut and a cancelled price touched is, in the end, what the vendor made of it."""
        self.alpaca()
        bars = self.read("bars")
        self.next_minute()  # in the first one it began in the middle
        opened, closed = self.cut("hold:1")
        self.gap("gap_filled", gap=opened["gap"])
        minute = self.interval(closed, "AAPL")[1] // 60_000_000
        self.server.fault("correct:2")  # a cancel, then a correction
        for kind in ("trade_cancelled", "trade_corrected"):
            self.events.wait(lambda r, k=kind: r.value["type"] == k, kind)
        touched = {r.value["data"]["symbol"] for r in self.events.records if r.value["type"].startswith("trade_")}

        def whole(symbol):
            for record in reversed(bars.records):
                bar = record.value
                start = time_us(bar["timestamp"]) // 60_000_000
                if record.key == symbol and bar["period"] == "1m" and start == minute and bar["final"]:
                    return bar if bar["complete"] else None
            return None

        found = {s: livecore.wait_for(lambda s=s: whole(s), f"the whole bar of {s}", within_s=100) for s in FOLLOWED}
        if touched:
            livecore.wait_for(lambda: self.live.feeder("alpaca")["gaps"]["minutes"] > 0, "the vendor's minutes", within_s=100)
            found = {s: livecore.wait_for(lambda s=s: whole(s), f"the whole bar of {s}") for s in FOLLOWED}
        self.server.fault("mute:1000")
        made = [t for t in self.made() if t.time_us // 60_000_000 == minute]
        for symbol in set(FOLLOWED) - touched:
            self.assertEqual(found[symbol]["volume"], sum(t.volume for t in made if t.symbol == symbol), symbol)
        cancelled = [r.value["data"] for r in self.events.records if r.value["type"] == "trade_cancelled"][0]
        own = [t for t in made if t.symbol == cancelled["symbol"] and t.id != cancelled["trade"]["trade_id"]]
        self.assertEqual(found[cancelled["symbol"]]["volume"], sum(t.volume for t in own))

    def next_minute(self):
        started = self.prices.records[0].time_ms // 60_000
        self.prices.wait(lambda r: r.time_ms // 60_000 > started, "the next minute", within_s=70)

    def test_a_small_budget_leaves_it_open(self):
        self.alpaca(backfill__max_requests="1", alpaca__rest_page="20")
        opened, _ = self.cut()
        left = self.gap(cause="budget", gap=opened["gap"])
        self.assertLessEqual(set(left["symbols"]), set(FOLLOWED))
        self.assertEqual(left["requests"], 1)
        self.assertIn("max_requests", left["evidence"])
        self.assertEqual(left["left_open"], left["count"])

    def test_it_can_be_off(self):
        self.alpaca(backfill__enabled="false")
        self.cut("hold:1")
        self.flows()
        self.assertFalse([r for r in self.trades() if "backfilled" in r.value.get("flags", ())])
        self.assertEqual(self.live.feeder("alpaca")["gaps"]["requests"], 0)
        self.assertFalse([r for r in self.events.records if r.value["type"] == "gap_filled"])

    def test_a_killed_process(self):
        """From the last event in the log to the first new tick, whatever was saved; nothing is fetched twice from before."""
        self.alpaca()
        livecore.wait_for(lambda: self.live.status()["bars"]["saves"] > 0, "the state to be saved")
        self.live.process.send_signal(signal.SIGKILL)
        self.live.wait()
        self.live = self.run_livecore(self.settings, env=livecore.ALPACA_KEY)
        self.open_topics()
        opened = self.gap(cause="restart", feeder="alpaca", until=None)
        self.assertEqual(sorted(opened["symbols"]), FOLLOWED)
        self.assertIn("logged", opened["evidence"])
        filled = self.gap("gap_filled", gap=opened["gap"])
        self.assertGreater(filled["ticks"], 0)

    def test_a_killed_process_without_a_log(self):
        self.alpaca(journal__enabled="false")
        livecore.wait_for(lambda: self.live.status()["bars"]["saves"] > 0, "the state to be saved")
        self.live.process.send_signal(signal.SIGKILL)
        self.live.wait()
        self.live = self.run_livecore(self.settings, env=livecore.ALPACA_KEY)
        self.open_topics()
        opened = self.gap(cause="restart", feeder="alpaca", until=None)
        self.assertIn("saved state", opened["evidence"])
        self.gap("gap_filled", gap=opened["gap"])

    def test_eastmoney(self):
        """Snapshots between the last and the next were not seen; the rows of trades of the hole are fetched."""
        symbols = ["600000.SH", "000001.SZ"]
        self.server = self.sim("eastmoney", "--rate", "60")
        settings = {"routing.feeders": "eastmoney", "eastmoney.url": self.server.origin, "eastmoney.mode": "poll"}
        settings |= {"eastmoney.poll_interval": "200ms", "calendar.always_open": "true", "bars.grace": "0s"}
        self.live = self.run_livecore(settings)
        self.open_topics()
        self.follow("p", symbols)
        self.snapshots(symbols, 3)
        self.server.fault("refuse:429/1")  # it asks us to wait for 2 s
        opened = self.gap(feeder="eastmoney", until=None)
        self.assertEqual(sorted(opened["symbols"]), sorted(symbols))
        filled = [self.events.wait(lambda r, s=s: r.value["type"] == "gap_filled" and s in r.value["data"]["symbols"], s)[0] for s in symbols]
        for record in filled:
            self.assertEqual(record.value["data"]["gap"], opened["gap"])
            self.assertGreater(record.value["data"]["ticks"], 10)
        seen = len(self.prices.records)
        self.snapshots(symbols, 1, after=seen)
        for symbol in symbols:
            rows = [r.value for r in self.prices.records if r.key == symbol and r.value["kind"] == "trade"]
            self.assertTrue(all(row["flags"] == ["backfilled"] for row in rows))
            live = [r for r in self.prices.records if r.key == symbol and r.value["kind"] == "snapshot"]
            pairs = [(a.value, b.value) for a, b in zip(live, live[1:])]
            before, behind = max(pairs, key=lambda pair: time_us(pair[1]["received_at"]) - time_us(pair[0]["received_at"]))
            missed = behind["volume"] - before["volume"]
            # Rows have whole seconds: those of the first and the last are on one side or the other.
            self.assertLess(abs(sum(row["volume"] for row in rows) - missed), missed / 2)

    def snapshots(self, symbols, count, after=0):
        for symbol in symbols:
            self.prices.wait(lambda r, s=symbol: r.key == s, f"snapshots of {symbol}", count=count, after=after)


if __name__ == "__main__":
    livecore.main()
