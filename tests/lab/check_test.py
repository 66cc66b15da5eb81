"""The check is checked: synthetic sent files and records, each with one thing wrong.

usage: check_test.py [unittest options]
"""

import copy
import sys
import tempfile
import unittest
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import check  # noqa: E402

BEGIN_NS = 1_700_000_000_000_000_000
STEP_NS = 1_000_000


def when(ns):
    return check.datetime.fromtimestamp(ns // 10**9, check.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S") + (
        f".{ns // 1000 % 10**6:06d}Z"
    )


class Trade:
    """A trade as a simulator writes it down, and as livecore should publish it."""

    def __init__(self, number, symbol="AAPL", mark="-"):
        self.number, self.symbol, self.mark = number, symbol, mark
        self.ident, self.time = 52983525000000000 + number, BEGIN_NS + number * STEP_NS
        self.price, self.size = Decimal("10.5") + Decimal(number % 7) / 100, 100 + number

    def line(self):
        amount = self.price * self.size
        return (
            f"{self.time} {self.symbol} trade {self.ident} {self.price:f} {self.size} {amount:f} "
            f"{self.number} alpaca - - 0 0 {self.mark}\n"
        )

    def value(self, seq, **more):
        return {
            "symbol": self.symbol,
            "kind": "trade",
            "stream": "s1",
            "seq": seq,
            "conflated": 0,
            "timestamp": when(self.time),
            "price": self.price,
            "volume": self.size,
            "amount": self.price * self.size,
            "trade_id": str(self.ident),
        } | more


class Snapshot:
    def __init__(self, number, volume, price=10):
        self.number, self.volume, self.time = number, volume, (BEGIN_NS // 10**9 + number) * 10**9
        self.price = price

    def line(self):
        amount = self.volume * 10
        return f"{self.time} 600000.SH snapshot {self.volume} {self.price} {self.volume} {amount} {self.number} eastmoney - - 0 0 -\n"

    def value(self, seq, **more):
        return {
            "symbol": "600000.SH",
            "kind": "snapshot",
            "stream": "s1",
            "seq": seq,
            "conflated": 0,
            "timestamp": when(self.time),
            "price": self.price,
            "volume": self.volume,
            "amount": self.volume * 10,
        } | more


def record(value, replayed=False):
    made = check.Record.__new__(check.Record)
    made.where, made.value, made.replayed = "t[0@0]", copy.deepcopy(value), replayed
    return made


def interval(begin_ns, end_ns):
    return {"from": when(begin_ns)} | ({"until": when(end_ns)} if end_ns else {})


def gap(symbols, begin_ns, end_ns, cause="restart", **more):
    data = {"cause": cause, "symbols": symbols} | interval(begin_ns, end_ns) | more
    return {"type": "gap_opened", "timestamp": when(begin_ns), "stream": "s1", "data": data}


class Check(unittest.TestCase):
    def setUp(self):
        self.trades = [Trade(n) for n in range(1, 21)]
        self.good = [trade.value(seq) for seq, trade in enumerate(self.trades, 1)]

    def judge(self, values, sent=None, events=(), drops=None):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "sent"
            path.write_text("".join(tick.line() for tick in sent or self.trades))
            market, said = [record(value) for value in values], [record(event) for event in events]
            return check.check([path], market, said, drops)

    def wrong(self, values, category, count=1, **more):
        judge = self.judge(values, **more)
        found = [kind for kind, _ in judge.violations]
        self.assertEqual(found, [category] * count, judge.report())
        self.assertIn(category, judge.report())

    def right(self, values, counts, **more):
        judge = self.judge(values, **more)
        self.assertTrue(judge.ok, judge.report())
        self.assertEqual({name: judge.counts[name] for name in counts}, counts)
        return judge

    def test_all_there(self):
        self.right(self.good, {"sent": 20, "on kafka": 20, "repeats": 0})

    def test_lost(self):
        for place in (0, 7, 19):
            self.wrong(self.good[:place] + self.good[place + 1 :], "lost silently")
        # Also when the numbering hides it.
        kept = [trade for trade in self.trades if trade.number != 8]
        self.wrong([trade.value(seq) for seq, trade in enumerate(kept, 1)], "lost silently")
        self.wrong([], "lost silently", count=10)

    def test_swapped(self):
        order = self.trades[:5] + [self.trades[6], self.trades[5]] + self.trades[7:]
        self.wrong([trade.value(seq) for seq, trade in enumerate(order, 1)], "out of order")
        numbered = self.good[:5] + [self.good[6], self.good[5]] + self.good[7:]
        judge = self.judge(numbered)
        self.assertIn("out of order", judge.counts)

    def test_order_is_per_symbol(self):
        other = [Trade(n, "KO") for n in range(21, 31)]
        values = [trade.value(seq) for seq, trade in enumerate(other, 1)] + self.good
        self.right(values, {"on kafka": 30}, sent=self.trades + other)

    def test_repeats(self):
        self.right(self.good + self.good[10:], {"repeats": 10, "on kafka": 20})
        again = self.trades[4].value(21)
        self.wrong(self.good + [again], "repeat")
        self.wrong(self.good + [self.trades[19].value(1, stream="s2")], "repeat")
        self.wrong(self.good + [self.trades[3].value(5)], "wrong number")

    def test_numbers(self):
        for name, number in (
            ("price", Decimal("10.50001")),
            ("price", 11),
            ("volume", 7),
            ("amount", Decimal("0.1")),
            ("timestamp", when(BEGIN_NS)),
        ):
            values = copy.deepcopy(self.good)
            values[3][name] = number
            self.wrong(values, "wrong number")
        values = self.good[:19] + [self.trades[19].value(20, trade_id="1")]
        self.assertIn("unknown", self.judge(values).counts)

    def conflate(self, first, last, **more):
        merged = self.trades[first : last + 1]
        return self.trades[last].value(
            last + 1,
            **{
                "conflated": last - first,
                "conflated_volume": sum(trade.size for trade in merged),
                "conflated_amount": sum(trade.price * trade.size for trade in merged),
                "conflated_high": max(trade.price for trade in merged),
                "conflated_low": min(trade.price for trade in merged),
            }
            | more,
        )

    def test_conflated(self):
        self.right(self.good[:5] + [self.conflate(5, 9)] + self.good[10:], {"on kafka": 16, "conflated": 4})
        self.wrong(self.good[:5] + [self.conflate(5, 9, conflated=3)] + self.good[10:], "lost silently")
        self.wrong(self.good[:5] + [self.conflate(5, 9, conflated_volume=1)] + self.good[10:], "wrong number")
        self.wrong(self.good[:5] + [self.conflate(5, 9, conflated_low=1)] + self.good[10:], "wrong number")
        # More than were sent: the next message's seq does not fit either.
        judge = self.judge(self.good[:9] + [self.good[9] | {"conflated": 2}] + self.good[10:])
        self.assertFalse(judge.ok)

    def test_gaps(self):
        first, last = self.trades[5], self.trades[9]
        left = self.good[:5] + self.good[10:]
        inside = gap(["KO", "AAPL"], first.time, last.time)
        judge = self.right(left, {"in gaps": 5}, events=[inside])
        self.assertEqual(judge.gap_causes, {"restart": 5})
        self.right(left, {"in gaps": 5}, events=[gap(["AAPL"], first.time, None)])
        self.wrong(left, "lost silently", count=5, events=[gap(["KO"], first.time, last.time)])
        self.wrong(left, "lost silently", events=[gap(["AAPL"], first.time + STEP_NS, last.time)])
        self.wrong(left, "lost silently", count=2, events=[gap(["AAPL"], first.time, last.time - 2 * STEP_NS)])

        # A symbol may have its own interval, and a gap its feeder.
        own = [{"symbol": "AAPL"} | interval(first.time, last.time)]
        self.right(left, {"in gaps": 5}, events=[gap(["AAPL"], BEGIN_NS, BEGIN_NS, ranges=own)])
        self.wrong(left, "lost silently", count=5, events=[gap(["AAPL"], first.time, last.time, feeder="fushu")])

    def test_what_was_filled_is_missing_no_more(self):
        first, last = self.trades[5], self.trades[9]
        left = self.good[:5] + self.good[10:]
        opened = gap(["AAPL"], first.time, None, gap="g1")
        ended = gap(["AAPL"], first.time, last.time - 2 * STEP_NS, gap="g1")
        self.right(left, {"in gaps": 5}, events=[opened])
        self.wrong(left, "lost silently", count=2, events=[opened, ended])
        # What was said to be filled must be there.
        filled = gap(["AAPL"], first.time, last.time, gap="g1") | {"type": "gap_filled"}
        self.wrong(left, "lost silently", count=5, events=[opened, filled])
        # What is filled of a gap may be less than the gap.
        filled = gap(["AAPL"], first.time + 3 * STEP_NS, last.time, gap="g1") | {"type": "gap_filled"}
        self.wrong(left, "lost silently", count=2, events=[opened, filled])
        # A gap without an end ends with its process.
        started = {"type": "started", "timestamp": when(self.trades[7].time), "stream": "s2", "data": {}}
        self.wrong(left, "lost silently", count=2, events=[opened, started])

    def test_drops(self):
        left = self.good[:5] + self.good[8:]
        judge = self.right(left, {"dropped": 3}, drops={"alpaca": {"queue_oldest": 2, "memory": 1}})
        self.assertEqual(judge.dropped, {"queue_oldest": 2, "memory": 1})
        self.wrong(left, "lost silently", drops={"alpaca": {"queue_oldest": 2}})
        # Duplicates are no excuse for others, nor another feeder's drops.
        self.wrong(left, "lost silently", count=3, drops={"alpaca": {"duplicate": 9}, "fushu": {"memory": 3}})

    def test_history_of_a_vendor_of_snapshots(self):
        sent = [Snapshot(n, 100 * n) for n in range(1, 6)]
        values = [snapshot.value(seq) for seq, snapshot in enumerate(sent, 1)]
        trade = Trade(1, "600000.SH").value(1)
        self.right(values + [trade | {"flags": ["backfilled"]}], {"of history": 1}, sent=sent)
        self.wrong(values + [trade], "unknown", sent=sent)

    def test_a_clock_that_jumped(self):
        """What comes after it is found, and what was ahead of its time is no excuse for others."""
        sent = [Snapshot(n, 100 * n) for n in range(1, 41)]
        for snapshot in sent[10:20]:
            snapshot.time += 3600 * 10**9
        values = [snapshot.value(seq) for seq, snapshot in enumerate(sent[:10] + sent[20:], 1)]
        self.right(values, {"on kafka": 30, "dropped": 10}, sent=sent, drops={"eastmoney": {"future": 10}})

    def test_what_excuses_nothing(self):
        left = self.good[:5] + self.good[6:]
        # No simulator sends what these reasons are about; and this tick was neither old nor ahead of its time.
        for reason in ("inconsistent", "malformed", "stale", "future", "no_price"):
            self.wrong(left, "lost silently", drops={"alpaca": {reason: 5}})
        self.trades[5].time += 3600 * 10**9
        self.right(left, {"dropped": 1}, drops={"alpaca": {"future": 1}})
        self.trades[5].time -= 7200 * 10**9
        self.right(left, {"dropped": 1}, drops={"alpaca": {"stale": 1}})

    def test_ticks_that_may_have_been_dropped_for_more_than_one_reason(self):
        left = [value for number, value in enumerate(self.good) if number not in (5, 6, 8)]
        self.trades[5].time += 3600 * 10**9
        self.trades[6].time += 3600 * 10**9 - 2 * STEP_NS  # ahead, and behind the one before
        self.trades[8].time -= 3600 * 10**9
        self.right(left, {"dropped": 3}, drops={"alpaca": {"future": 2, "stale": 1}})
        self.right(left, {"dropped": 3}, drops={"alpaca": {"future": 1, "stale": 2}})
        self.wrong(left, "lost silently", drops={"alpaca": {"future": 2}})

    def test_numbers_that_nobody_got(self):
        """A consumer sees the hole in the numbers, and nothing says why."""
        values = self.good[:10] + [trade.value(trade.number + 1) for trade in self.trades[10:]]
        self.wrong(values, "lost silently")
        sent = [Snapshot(n, 100 * n) for n in range(1, 6)]
        values = [sent[0].value(1), sent[1].value(2), sent[4].value(5)]
        self.wrong(values, "lost silently", sent=sent)
        self.right(values, {"superseded": 2}, sent=sent, drops={"eastmoney": {"queue_oldest": 2}})
        self.right(values, {"in gaps": 2}, sent=sent, events=[gap(["600000.SH"], sent[2].time, sent[3].time)])

    def test_a_gap_says_what_was_missing_and_no_more(self):
        sent = [Trade(n) for n in range(1, 21)]
        for trade in sent:
            trade.time = BEGIN_NS + trade.number * 10**9
        values = [trade.value(trade.number) for trade in sent[:8]] + [t.value(t.number - 4) for t in sent[12:]]
        first, last = sent[8].time, sent[11].time
        for begin, end, wrong in ((-1, 1, 0), (-5, 0, 1), (0, 5, 1), (-5, 5, 2)):
            said = [gap(["AAPL"], first + begin * 10**9, last + end * 10**9)]
            self.wrong(values, "gap", wrong, sent=sent, events=said)
        # One in which nothing was missing.
        values = [trade.value(trade.number) for trade in sent]
        self.wrong(values, "gap", 0, sent=sent, events=[gap(["AAPL"], first, first + 10**9)])
        self.wrong(values, "gap", 1, sent=sent, events=[gap(["AAPL"], first, last + 2 * 10**9)])

    def test_a_gap_has_two_ends(self):
        left = self.good[:5] + self.good[10:]
        said = gap(["AAPL"], self.trades[5].time, None)
        del said["data"]["from"]
        judge = self.judge(left, events=[said])
        self.assertEqual((judge.counts["gap"], judge.counts["lost silently"]), (1, 5), judge.report())
        late = Trade(21)
        late.time += 60 * 10**9
        said = gap(["AAPL"], self.trades[5].time, None)
        self.wrong(left + [late.value(21)], "gap", sent=[*self.trades, late], events=[said])

    def test_a_total_stands_for_seconds_of_totals(self):
        sent = [Snapshot(n, 100 * n) for n in range(1, 22)]
        self.right([sent[0].value(1), sent[8].value(2), sent[17].value(3), sent[20].value(4)], {"superseded": 17}, sent=sent)
        self.wrong([sent[0].value(1), sent[15].value(2), sent[20].value(3)], "lost silently", 10, sent=sent)

    def test_marks(self):
        sent = self.trades + [Trade(21, mark="mute"), Trade(22, mark="half-open"), Trade(23, mark="zero")]
        self.wrong(self.good, "lost silently", sent=sent)
        counts = {"kept back by a fault": 2, "dropped": 1}
        self.right(self.good, counts, sent=sent, drops={"alpaca": {"bad_price": 1}})

    def test_restart(self):
        """What was not confirmed comes again first; the new stream counts anew."""
        values = self.good[:10] + self.good[6:10] + [t.value(t.number - 12, stream="s2") for t in self.trades[12:]]
        lost = gap(["AAPL"], self.trades[9].time, self.trades[12].time)
        self.right(values, {"on kafka": 18, "repeats": 4, "in gaps": 2}, events=[lost])

    def test_backfilled(self):
        """Behind the live ones, in order among themselves."""
        live = self.good[:5] + [t.value(t.number - 5) for t in self.trades[10:]]
        filled = [t.value(10 + t.number, flags=["backfilled"]) for t in self.trades[5:10]]
        self.right(live + filled, {"on kafka": 20, "backfilled": 5})
        turned = copy.deepcopy(filled)
        turned[0]["trade_id"], turned[1]["trade_id"] = turned[1]["trade_id"], turned[0]["trade_id"]
        self.assertFalse(self.judge(live + turned).ok)
        order = [self.trades[6], self.trades[5], *self.trades[7:10]]
        numbered = [t.value(16 + n, flags=["backfilled"]) for n, t in enumerate(order)]
        self.wrong(live + numbered, "out of order")

    def test_snapshots(self):
        sent = [Snapshot(n, volume) for n, volume in enumerate((100, 200, 200, 300, 400), 1)]
        values = [sent[0].value(1), sent[1].value(2), sent[4].value(3)]
        # Said again with another time it is another one; what a later total stands for is not missing.
        self.right(values, {"sent": 5, "on kafka": 3, "superseded": 2}, sent=sent)
        self.wrong(values[:2], "final value", count=3, sent=sent)
        self.wrong(values + [sent[4].value(4, volume=401)], "wrong number", sent=sent)
        judge = self.judge([sent[4].value(1), sent[0].value(2)], sent=sent)
        self.assertIn("volume falls", judge.counts)

    def test_a_snapshot_without_a_price_has_the_last_one(self):
        sent = [Snapshot(1, 100, 9), Snapshot(2, 200, 8), Snapshot(3, 300, 0), Snapshot(4, 400, 0), Snapshot(5, 500, 7)]
        values = [snapshot.value(seq) for seq, snapshot in enumerate(sent, 1)]
        values[2]["price"] = values[3]["price"] = 8
        self.right(values, {"on kafka": 5}, sent=sent)
        for price in (9, 7, 0):
            values[3]["price"] = price
            self.wrong(values, "wrong number", sent=sent)

    def test_a_last_line_cut_off_is_passed_over(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "sent"
            path.write_text("".join(trade.line() for trade in self.trades) + Trade(21).line()[:-3])
            judge = check.check([path], [record(value) for value in self.good], [])
            self.assertTrue(judge.ok, judge.report())


if __name__ == "__main__":
    unittest.main(verbosity=2)
