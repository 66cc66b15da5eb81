"""What the simulators say they sent, kept small: whole numbers in arrays, one row a tick.

The columns are those of `livecore sim --sent` (docs/testing.md). Prices and amounts are kept in 1/10,000, in which
they are whole. Shares no code with livecore.
"""

from array import array
from bisect import bisect_left
from decimal import Decimal
from itertools import accumulate

SCALE = 10_000
NOT_SAID = -(1 << 62)  # a column that the vendor does not give

# What became of a tick. Zero is what must not be left in the end.
MISSING, SEEN, CONFLATED, IN_GAP, DROPPED, KEPT_BACK, AGAIN, SUPERSEDED = range(8)


def scaled(number):
    """A number of a message as a whole number of 1/10,000; None when it is finer than that."""
    if isinstance(number, int):
        return number * SCALE
    if number is None:
        return NOT_SAID
    whole = Decimal(number) * SCALE
    return int(whole) if whole == whole.to_integral_value() else None


def unscaled(whole):
    return "-" if whole == NOT_SAID else format((Decimal(whole) / SCALE).normalize(), "f")


class Line:
    """The ticks of one symbol and kind, in the order in which they were sent."""

    COLUMNS = "time ident price volume amount number bid ask bid_size ask_size".split()

    def __init__(self, vendor, symbol, kind):
        self.vendor, self.symbol, self.kind = vendor, symbol, kind
        for name in self.COLUMNS:
            setattr(self, name, array("q"))
        self.state = bytearray()
        self.marks = {}  # row -> mark
        self.newest, self.oldest = (), ()  # of all rows up to one, and from one on; once they are needed

    def __len__(self):
        return len(self.state)

    def add(self, words):
        time, _, kind, ident, price, volume, amount, number, _, bid, ask, bid_size, ask_size, mark = words
        # A poll says the same snapshot again and again: that is one tick.
        values = [int(time), int(ident), _said(price), int(volume), _said(amount), int(number)]
        values += [_said(bid), _said(ask), int(bid_size), int(ask_size)]
        if kind == "snapshot" and len(self) > 0 and mark == self.marks.get(len(self) - 1, "-"):
            last = [getattr(self, name)[-1] for name in self.COLUMNS]
            if last[:5] + last[6:] == values[:5] + values[6:]:
                return
        for name, value in zip(self.COLUMNS, values):
            getattr(self, name).append(value)
        if mark != "-":
            self.marks[len(self)] = mark
        self.state.append({"mute": KEPT_BACK, "half-open": KEPT_BACK, "unsent": KEPT_BACK, "again": AGAIN}.get(mark, MISSING))

    def text(self, row):
        mark = self.marks.get(row, "-")
        return (
            f"{self.vendor} {self.symbol} {self.kind} number={self.number[row]} time_us={self.time[row] // 1000} "
            f"id={self.ident[row]} price={unscaled(self.price[row])} volume={self.volume[row]} "
            f"amount={unscaled(self.amount[row])} mark={mark}"
        )

    def said_price(self, row):
        """A snapshot's price of 0 says none: what the vendor said last stands."""
        if self.kind != "snapshot" or self.price[row] != 0:
            return self.price[row]
        said = (before for before in range(row - 1, -1, -1) if self.state[before] != KEPT_BACK)
        return next((self.price[before] for before in said if self.price[before] != 0), 0)

    def between(self, begin_us, end_us):
        """The rows of that time; both ends are in. Times rise, but where a fault lets them fall."""
        begin, end = bisect_left(self.time, begin_us * 1000), bisect_left(self.time, (end_us + 1) * 1000)
        return range(begin, end)

    def is_odd(self, row, how, ahead_ns):
        """Whether its time was behind one that was sent before it (stale), or ahead of one sent after it (future)."""
        if not self.newest:
            self.newest = array("q", accumulate(self.time, max))
            self.oldest = array("q", accumulate(reversed(self.time), min))
        if how == "stale":
            return self.time[row] < self.newest[row]
        return self.time[row] > self.oldest[len(self) - 1 - row] + ahead_ns

    def with_id(self, ident):
        """The row of a trade; None when there is none such. Ids rise."""
        row = bisect_left(self.ident, ident)
        return row if row < len(self) and self.ident[row] == ident else None

    def near(self, start, fits, time_us, slack_us=10_000_000, far=2000):
        """The first row from start on, else the last one before, near that time, for which fits(row) holds. A vendor's
        clock may have jumped, so the search ends behind so many rows that are far from it."""
        for way, begin in ((1, start), (-1, min(start, len(self)) - 1)):
            row, left = begin, far
            while 0 <= row < len(self) and left > 0:
                beyond = (self.time[row] // 1000 - time_us) * way > slack_us
                left -= beyond
                if not beyond and fits(row):
                    return row
                row += way
        return None


def _said(text):
    if text == "-":
        return NOT_SAID
    whole = Decimal(text) * SCALE
    assert whole == whole.to_integral_value(), text
    return int(whole)


def read(paths):
    """Lines by (symbol, kind). A last line that was cut off by the end of a simulator is passed over."""
    lines = {}
    for path in paths:
        with open(path, encoding="ascii") as file:
            for text in file:
                words = text.split()
                if len(words) != 14 or not text.endswith("\n"):
                    continue
                key = (words[1], words[2])
                if key not in lines:
                    lines[key] = Line(words[8], *key)
                lines[key].add(words)
    return lines
