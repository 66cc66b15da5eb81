#!/usr/bin/env python3
"""The independent check: what simulators say they sent against what stands in Kafka.

usage: check.py --sent FILE… --brokers HOST:PORT --market TOPIC --events TOPIC [--drops FILE]

Every tick sent is in Kafka, or inside a message's `conflated` range, or inside a gap event's interval for its symbol,
or counted as a drop with its reason (FILE: {"feeder": {"reason": count}}); anything else is lost silently. Snapshots
stand for all before them: their volume never falls, and the last one must be there. It fails also on a tick out of
order within its symbol and kind, a number that is not what was sent, and a repeat that its seq does not mark.
Ends with 0 when nothing is wrong, 1 when something is. Shares no code with livecore.
"""

import argparse
import collections
import functools
import json
import subprocess
import sys
from bisect import bisect_left
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import sent as sent_files  # noqa: E402
from sent import AGAIN, CONFLATED, DROPPED, IN_GAP, KEPT_BACK, MISSING, NOT_SAID, SCALE, SEEN, SUPERSEDED  # noqa: E402
from sent import scaled, unscaled  # noqa: E402

SHOWN = 10
FOREVER = 1 << 62
# What the duplicates and zero prices that a simulator was told to send are counted as.
EXPECTED = {"again": "duplicate", "zero": "bad_price"}
# Any tick may be dropped for these reasons; quotes alone as no_price. That a tick was stale or ahead of its time
# shows in what was sent. All other reasons are of data that no simulator sends, so they excuse nothing.
ANY = {"not_followed", "standby", "memory", "queue_oldest", "queue_newest", "queue_full", "shutdown"}
AHEAD_NS = 2_000_000_000  # of what was sent after it: by so much a tick is of the future
SNAPSHOT_STAMP_US = 1_000_000  # their times are whole seconds
# A gap may say so much more than was missing, at its begin and at its end; and so long it may stay open when ticks
# come again. Snapshots may stand for others so long without a gap.
GAP_MORE_US = 2_000_000
GAP_OPEN_US = 20_000_000
SUPERSEDED_US = 10_000_000


@functools.lru_cache(maxsize=4096)
def _minute_us(text):
    return int(datetime.fromisoformat(text + ":00").replace(tzinfo=timezone.utc).timestamp()) * 1_000_000


def time_us(text):
    """Microseconds since 1970 of a time as messages have it."""
    if text.endswith("Z"):
        seconds, _, rest = text[17:-1].partition(".")
        return _minute_us(text[:16]) + int(seconds) * 1_000_000 + int((rest + "000000")[:6])
    at = datetime.fromisoformat(text)
    at = at if at.tzinfo else at.replace(tzinfo=timezone.utc)
    whole = at.replace(microsecond=0)
    return int(whole.timestamp()) * 1_000_000 + at.microsecond


class Record:
    """A message and where it stands."""

    __slots__ = ("where", "value", "replayed")

    def __init__(self, where, headers, text):
        self.where = where
        self.replayed = "replayed=1" in headers
        self.value = json.loads(text, parse_float=Decimal)

    def __str__(self):
        v = self.value
        names = "symbol kind stream seq conflated timestamp price volume amount trade_id flags".split()
        values = " ".join(f"{name}={v[name]}" for name in names if name in v)
        return f"{self.where} {values}{' replayed' if self.replayed else ''}"


def read_topic(brokers, topic, options=()):
    """The records of a topic as they stand, each partition in its order."""
    command = ["kcat", "-C", "-q", "-e", "-b", brokers, "-t", topic, "-o", "beginning"]
    command += ["-f", "%p@%o\t%h\t%s\n", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as kcat:
        for line in kcat.stdout:
            where, headers, text = line.rstrip(b"\n").split(b"\t", 2)
            yield Record(f"{topic}[{where.decode()}]", headers.decode(), text)
        if kcat.wait() != 0:
            raise RuntimeError(f"{topic} could not be read to its end")


class Gap:
    """What one event says of one symbol in a gap: from when until when, and why."""

    def __init__(self, value, span):
        data = value["data"]
        self.cause, self.feeder = data.get("cause", "?"), data.get("feeder")
        self.filled = []  # the intervals of it whose trades were fetched
        self.stream, self.said = value.get("stream"), time_us(value["timestamp"])
        # Both ends are in; a gap that is still open has no end. One without a begin holds nothing.
        self.begin = time_us(span["from"]) if span.get("from") else FOREVER
        self.end = time_us(span["until"]) if span.get("until") else FOREVER

    @staticmethod
    def symbols(data):
        """The interval of each symbol: its own, or the event's."""
        spans = {symbol: data for symbol in data.get("symbols") or []}
        return spans | {own["symbol"]: own for own in data.get("ranges") or []}

    def holds(self, at_us):
        return self.begin <= at_us <= self.end

    def covers(self, line, row):
        at_us = line.time[row] // 1000
        # Of what was filled the trades are there; quotes and snapshots are gone.
        fetched = line.kind == "trade" and any(part.holds(at_us) for part in self.filled)
        return self.holds(at_us) and self.feeder in (None, line.vendor) and not fetched


class Stream:
    """One symbol and kind in one stream: the seqs seen and the rows they stand for."""

    def __init__(self):
        self.last, self.seqs, self.rows = 0, [], []

    def row_of(self, seq):
        at = bisect_left(self.seqs, seq)
        return self.rows[at] if at < len(self.seqs) and self.seqs[at] == seq else None

    def add(self, seq, row):
        self.last = seq
        self.seqs.append(seq)
        self.rows.append(row)


class Judge:
    """Takes the records of Kafka one by one, then says what is missing."""

    def __init__(self, lines):
        self.lines = lines
        self.violations = []  # (category, text)
        self.counts = collections.Counter()
        self.dropped = collections.Counter()
        self.gap_causes = collections.Counter()
        self.streams = {}
        self.live = {}  # (symbol, kind) -> the last row that was published live
        self.filled = {}  # (symbol, kind, stream) -> the last row that was published by a backfill
        self.volumes = {}
        self.gaps = collections.defaultdict(list)  # (id of the gap, symbol) -> what was said to be missing
        self.starts = []  # (when, stream)
        self.holes = collections.Counter()  # (symbol, kind) -> numbered, but not published
        self.late = collections.defaultdict(set)  # (symbol, kind) -> the rows that a backfill brought

    def fail(self, category, text):
        self.counts[category] += 1
        if sum(1 for kind, _ in self.violations if kind == category) < SHOWN:
            self.violations.append((category, text))

    # What comes from Kafka.

    def event(self, record):
        kind, data = record.value["type"], record.value.get("data", {})
        self.counts["event " + kind] += 1
        if kind == "started":
            self.starts.append((time_us(record.value["timestamp"]), record.value.get("stream")))
        if kind in ("gap_opened", "gap_filled"):
            for symbol, span in Gap.symbols(data).items():
                if not span.get("from"):
                    self.fail("gap", f"{symbol} is missing, and it is not said from when on: {record.where} {record.value}")
                self._gap(kind, self.gaps[(data.get("gap", record.where), symbol)], Gap(record.value, span))

    @staticmethod
    def _gap(kind, said, gap):
        """An interval without an end is over when the next one comes; what was filled is missing no more."""
        if kind == "gap_filled":
            for before in said:
                before.filled.append(gap)
        else:
            if said and said[-1].end == FOREVER:
                said.pop()
            said.append(gap)

    def market(self, record):
        value = record.value
        self.counts["records"] += 1
        self.counts["unprotected"] += "unprotected" in value.get("flags", ())
        if value["seq"] == 0:
            return  # bars and refreshes stand outside the count
        key = (value["symbol"], value["kind"])
        stream = self.streams.setdefault((*key, value["stream"]), Stream())
        line = self.lines.get(key)
        if line is None and "backfilled" in value.get("flags", ()) and (value["symbol"], "snapshot") in self.lines:
            self.counts["of history"] += 1  # a vendor of snapshots has trades in its history alone, which nobody listed
            return
        if line is None:
            self.fail("unknown", f"nothing of {key} was sent: {record}")
            return
        if value["seq"] <= stream.last:
            self._again(record, stream, line)
            return
        hole = value["seq"] - stream.last - 1 - value["conflated"]
        if hole < 0:
            self.fail("out of order", f"stands for ticks that were published already: {record}")
        self.holes[key] += max(hole, 0)
        row = self._find(record, line, self.live.get(key, -1) + 1)
        stream.add(value["seq"], row)
        if row is not None:
            self._place(record, line, row, key)

    def _again(self, record, stream, line):
        """A seq at or below the last one is a repeat, if it came before and says the same."""
        row = stream.row_of(record.value["seq"])
        if row is None and record.value["seq"] not in stream.seqs:
            self.fail("out of order", f"seq {stream.last} came before: {record}")
        elif row is not None and self._differs(record, line, row):
            self.fail("wrong number", f"two ticks under one seq: {record}; sent: {line.text(row)}")
        else:
            self.counts["repeats"] += 1

    def _find(self, record, line, start):
        """The row that was sent as this; what is not as it was sent is said."""
        value = record.value
        if line.kind == "trade":
            row = line.with_id(int(value["trade_id"]))
            if row is None:
                self.fail("unknown", f"no such trade was sent: {record}")
            elif differs := self._differs(record, line, row):
                self.fail("wrong number", f"{differs}: {record}; sent: {line.text(row)}")
            return row
        at = time_us(value["timestamp"])
        row = line.near(start, lambda row: not self._differs(record, line, row), at)
        if row is None:
            near = line.near(start, lambda row: line.time[row] // 1000 == at, at)
            seen = f"sent at that time: {line.text(near)}" if near is not None else "nothing was sent at that time"
            self.fail("wrong number", f"nothing like this was sent: {record}; {seen}")
        return row

    @staticmethod
    def _differs(record, line, row):
        """Which number is not what was sent; empty when all are."""
        value = record.value
        if line.time[row] != 0 and time_us(value["timestamp"]) != line.time[row] // 1000:
            return "timestamp"
        if line.kind != "quote":
            if scaled(value["price"]) != line.said_price(row):
                return "price"
            if scaled(value["volume"]) != line.volume[row] * SCALE:
                return "volume"
            if line.amount[row] != NOT_SAID and scaled(value["amount"]) != line.amount[row]:
                return "amount"
        if line.kind == "trade":
            return ""
        for side in ("bid", "ask"):
            price = getattr(line, side)[row]
            # A message without a book is of a request that does not ask for it.
            if price == NOT_SAID or (line.kind == "snapshot" and value.get(side + "_price") is None):
                continue
            if scaled(value[side + "_price"]) != price:
                return side + "_price"
            size = getattr(line, side + "_size")[row]
            if line.kind == "quote" and scaled(value[side + "_volume"]) != size * SCALE:
                return side + "_volume"
        return ""

    def _place(self, record, line, row, key):
        """The row in its order; it was not published before; and what the message stands for besides."""
        value = record.value
        if line.state[row] == SEEN:
            self.fail("repeat", f"published before under another seq: {record}; sent: {line.text(row)}")
            return
        if "backfilled" in value.get("flags", ()):
            after, order = (*key, value["stream"]), self.filled
            self.counts["backfilled"] += 1
            self.late[key].add(row)
        else:
            after, order = key, self.live
        last = order.get(after, -1)
        # A vendor's history is sorted by time, which is not always the order of sending.
        late = line.time[row] < line.time[last] if order is self.filled else row < last
        if last >= 0 and late:
            self.fail("out of order", f"{record}; sent: {line.text(row)}; before it came: {line.text(last)}")
        if line.kind == "snapshot":
            self._volume(record, line, row, key)
        elif value["conflated"] > 0:
            self._conflated(record, line, last + 1, row)
        line.state[row] = SEEN
        order[after] = row if order is self.filled else max(row, last)

    def _volume(self, record, line, row, key):
        volume = scaled(record.value["volume"])
        if volume is not None and volume < self.volumes.get(key, volume):
            self.fail("volume falls", f"{record}; sent: {line.text(row)}")
        self.volumes[key] = volume

    def _conflated(self, record, line, start, row):
        """The nearest ticks before it that were not published, as many as it says."""
        value, wanted = record.value, record.value["conflated"]
        free = [at for at in range(start, row) if line.state[at] == MISSING and at not in line.marks]
        if len(free) < wanted:
            self.fail("wrong number", f"stands for {wanted} ticks, {len(free)} were sent unpublished: {record}")
        taken = free[-wanted:]
        for at in taken:
            line.state[at] = CONFLATED
        if len(free) != wanted or line.kind != "trade":
            return
        taken.append(row)
        expected = {
            "conflated_volume": sum(line.volume[at] for at in taken) * SCALE,
            "conflated_amount": sum(line.amount[at] for at in taken),
            "conflated_high": max(line.price[at] for at in taken),
            "conflated_low": min(line.price[at] for at in taken),
        }
        for name, number in expected.items():
            if scaled(value.get(name)) != number:
                self.fail("wrong number", f"{name}, sent were {unscaled(number)}: {record}; last: {line.text(row)}")

    # What is left when all has been read.

    def finish(self, drops):
        """drops: {feeder: {reason: count}}, over all lives of the process."""
        pools = {feeder: collections.Counter(reasons) for feeder, reasons in drops.items()}
        by_symbol = collections.defaultdict(list)
        for symbol, gap in ((symbol, gap) for (_, symbol), said in self.gaps.items() for gap in said):
            self._end(gap, symbol)
            by_symbol[symbol].append(gap)
        for line in self.lines.values():
            self.counts["sent"] += len(line)
            self._gaps(line, by_symbol[line.symbol])
            if line.kind == "snapshot":
                self._superseded(line)
        for vendor in {line.vendor for line in self.lines.values()}:
            lines = [line for line in self.lines.values() if line.vendor == vendor]
            pool = pools.get(vendor, collections.Counter())
            self._drops(lines, pool)
            for line in lines:
                self._holes(line, pool)
                self._tally(line)
        for symbol, gaps in by_symbol.items():
            for gap in gaps:
                self._excess(gap, symbol)

    def _of(self, symbol, gap):
        """The lines that a gap of the symbol is about."""
        return [line for line in self.lines.values() if line.symbol == symbol and gap.feeder in (None, line.vendor)]

    def _end(self, gap, symbol):
        """A gap without an end goes on in that of the next process's restart; else nothing may have come since."""
        if gap.end != FOREVER:
            return
        later = [at for at, stream in self.starts if stream != gap.stream and at > gap.said]
        gap.end = min(later, default=FOREVER)
        for line in self._of(symbol, gap) if gap.end == FOREVER else ():
            last = line.state.rfind(SEEN)
            if last >= 0 and line.time[last] // 1000 > max(gap.begin, gap.said) + GAP_OPEN_US:
                self.fail("gap", f"{symbol} is said to be missing since {gap.said}, and has come: {line.text(last)}")

    def _gaps(self, line, gaps):
        for gap in gaps:
            for state, covered in ((MISSING, IN_GAP), (KEPT_BACK, KEPT_BACK)):
                row = -1
                while (row := line.state.find(state, row + 1)) >= 0:
                    if gap.covers(line, row):
                        line.state[row] = covered
                        self.gap_causes[gap.cause] += state == MISSING
                        self.counts["kept back, in gaps"] += state == KEPT_BACK

    def _excess(self, gap, symbol):
        """A gap that says much more than was missing takes good data from those who believe it."""
        seen, gone, stamp_us = [gap.begin], [], 0
        for line in self._of(symbol, gap) if gap.end != FOREVER else ():
            late = self.late[line.symbol, line.kind]
            stamp_us = SNAPSHOT_STAMP_US if line.kind == "snapshot" else stamp_us
            for row in line.between(gap.begin, gap.end):
                live = line.state[row] == SEEN and row not in late
                if live:
                    seen.append(line.time[row] // 1000)
                elif line.state[row] in (SEEN, IN_GAP, KEPT_BACK):
                    gone.append(line.time[row] // 1000)
        seen.sort()
        seen.append(gap.end)
        if gone:
            parts = [at for at in seen if at <= min(gone)], [at for at in seen if at >= max(gone)]
        else:  # nothing happened in its longest silence
            most = max(range(len(seen) - 1), key=lambda n: seen[n + 1] - seen[n])
            parts = seen[: most + 1], seen[most + 1 :]
        for points, side in zip(parts, ("begins", "ends")):
            more = self._steady(points)
            if gap.end != FOREVER and more > GAP_MORE_US + stamp_us:
                text = f"{symbol}, cause {gap.cause}, said at {gap.said}, from {gap.begin} until {gap.end}"
                self.fail("gap", f"{side} {more / 1e6:.1f} s beside what was missing: {text}")

    @staticmethod
    def _steady(points):
        """How long ticks came that were seen: the longest silence between them does not count."""
        return points[-1] - points[0] - max((b - a for a, b in zip(points, points[1:])), default=0) if points else 0

    @staticmethod
    def _superseded(line):
        """A total stands for all totals of the seconds before it."""
        seen = None
        for row in (row for row, state in enumerate(line.state) if state == SEEN):
            since = line.time[row if seen is None else seen]
            if line.time[row] - since <= SUPERSEDED_US * 1000:
                for at in range(0 if seen is None else seen + 1, row):
                    line.state[at] = SUPERSEDED if line.state[at] == MISSING else line.state[at]
            seen = row

    @staticmethod
    def _reasons(line, row):
        """Why this tick may have been dropped."""
        if row in line.marks and line.marks[row] in EXPECTED:
            return [EXPECTED[line.marks[row]]]
        reasons = [reason for reason in ("stale", "future") if line.is_odd(row, reason, AHEAD_NS)]
        reasons += ["no_price"] if line.kind == "quote" else []
        return reasons + sorted(ANY)

    def _missing(self, lines):
        for line in lines:
            row = -1
            while (row := line.state.find(MISSING, row + 1)) >= 0:
                yield self._reasons(line, row), line, row

    def _drops(self, lines, pool):
        """Those that have the fewest reasons take theirs first, so that nobody takes the only one of another."""
        for reasons, line, row in sorted(self._missing(lines), key=lambda one: len(one[0])):
            reason = next((reason for reason in reasons if pool[reason] > 0), None)
            if reason:
                pool[reason] -= 1
                self.dropped[reason] += 1
                line.state[row] = DROPPED
            elif line.kind == "snapshot" and line.state.find(SEEN, row) < 0:
                self.fail("final value", f"the last total is not there: {line.text(row)}")
            else:
                self.fail("lost silently", f"{line.text(row)}; after it came {self._next(line, row)}")

    def _holes(self, line, pool):
        """What has a number must be there, or in a gap, or dropped: what the pool still has is of superseded totals."""
        known = sum(line.state.count(state) for state in (IN_GAP, DROPPED, MISSING))
        known += sum(pool.values()) if line.kind == "snapshot" else 0
        hole = self.holes[line.symbol, line.kind]
        if hole > known:
            text = f"{hole} numbers of {line.symbol} {line.kind} were not published, {known} are in gaps or dropped"
            self.fail("lost silently", text)

    @staticmethod
    def _next(line, row):
        after = line.state.find(SEEN, row)
        return f"number={line.number[after]} id={line.ident[after]}" if after >= 0 else "nothing"

    def _tally(self, line):
        names = {
            SEEN: "on kafka",
            CONFLATED: "conflated",
            SUPERSEDED: "superseded",
            IN_GAP: "in gaps",
            DROPPED: "dropped",
            KEPT_BACK: "kept back by a fault",
            AGAIN: "sent twice",
        }
        for state, name in names.items():
            self.counts[name] += line.state.count(state)

    def _shown(self):
        """The first ones, of every category at least one."""
        firsts = {kind: (kind, text) for kind, text in reversed(self.violations)}
        others = [found for found in self.violations if found not in firsts.values()]
        return [*reversed(firsts.values()), *others][:SHOWN]

    @property
    def ok(self):
        return not self.violations

    def report(self):
        shown = "sent,on kafka,conflated,superseded,dropped,in gaps,kept back by a fault,sent twice,repeats,"
        shown += "backfilled,unprotected,records"
        out = [", ".join(f"{name} {self.counts[name]}" for name in shown.split(","))]
        for name, counter in (("dropped", self.dropped), ("in gaps", self.gap_causes)):
            if counter:
                out.append(f"{name}: " + ", ".join(f"{why} {count}" for why, count in sorted(counter.items())))
        failed = collections.Counter({kind: self.counts[kind] for kind, _ in self.violations})
        out.append("wrong: " + (", ".join(f"{kind} {count}" for kind, count in failed.items()) or "nothing"))
        out += [f"  {kind}: {text}" for kind, text in self._shown()]
        return "\n".join(out)


def check(sent_paths, market, events, drops=None, symbols=None):
    """market and events are records; a Judge who has judged. What was sent of others than `symbols`, unasked, is passed over."""
    lines = sent_files.read(sent_paths)
    judge = Judge({key: line for key, line in lines.items() if symbols is None or key[0] in symbols})
    for record in events:
        judge.event(record)
    for record in market:
        judge.market(record)
    judge.finish(drops or {})
    return judge


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sent", nargs="+", required=True)
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--market", default="ginkgo.live.market.data")
    parser.add_argument("--events", default="ginkgo.live.system.events")
    parser.add_argument("--drops")
    args = parser.parse_args()
    drops = json.loads(Path(args.drops).read_text()) if args.drops else {}
    market, events = read_topic(args.brokers, args.market), read_topic(args.brokers, args.events)
    judge = check(args.sent, market, events, drops)
    print(judge.report())
    sys.exit(0 if judge.ok else 1)


if __name__ == "__main__":
    main()
