#!/usr/bin/env python3
"""Days that end by the clock: no tick comes behind the close, and the day's bar is closed, published and stored all the same.

usage: bars_clock_test.py LIVECORE [unittest options]"""

import csv
import io
import os
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "lib"), str(TESTS / "lab")]
import livecore  # noqa: E402
from stage import Clock  # noqa: E402


class Days(livecore.Case):
    """Of a mainland share by EastMoney, and of one of Hong Kong by FuShu, in one process."""

    SYMBOLS = ("600000.SH", "00700.HK")

    def setUp(self):
        super().setUp()
        self.clock = Clock()
        self.addCleanup(self.clock.remove)
        # The sanitizers' library is not the first one then.
        sanitizer = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0"]))
        for name, value in (self.clock.env | {"ASAN_OPTIONS": sanitizer}).items():
            self.addCleanup(self.restore, name, os.environ.get(name))
            os.environ[name] = value

    @staticmethod
    def restore(name, value):
        os.environ.pop(name)
        if value is not None:
            os.environ[name] = value

    def set_clock(self, text):
        self.clock.set(int(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp() - time.time()))

    def stored(self, symbol):
        done = livecore.tool("bars", symbol, "--csv", "--set", f"state.dir={self.state}")
        return list(csv.DictReader(io.StringIO(done.stdout)))

    def day(self, topic, symbol):
        bars = [r.value for r in topic.records if r.key == symbol and r.value["period"] == "1d"]
        return max(bars, key=lambda bar: (bar["revision"], bar["final"]), default=None)

    def test_a_day_ends_without_a_tick(self):
        self.set_clock("2026-11-18T06:58:50")  # 14:58:50 there
        eastmoney, fushu = self.sim("eastmoney", "--rate", "20"), self.sim("fushu", "--rate", "20")
        settings = {"calendar.always_open": "false", "routing.feeders": "eastmoney,fushu", "bars.grace": "1s", "bars.partial_ms": "200"}
        settings |= {"eastmoney.url": eastmoney.url, "eastmoney.mode": "poll", "eastmoney.poll_interval": "100ms"}
        settings |= {"fushu.url": fushu.url, "fushu.poll_interval": "100ms"}
        self.run_livecore(settings)
        self.follow("p", self.SYMBOLS)
        bars = self.read("bars")
        for symbol in self.SYMBOLS:
            bars.wait(lambda r: r.key == symbol and r.value["period"] == "1d" and r.value["tick_count"] > 3, f"an open day of {symbol}")
        eastmoney.kill()
        self.set_clock("2026-11-18T07:30:50")  # 15:30:50: fixed-price trades are over in a moment
        bars.wait(lambda r: r.key == "600000.SH" and r.value["period"] == "60m" and r.value["final"], "the last hour")
        self.assertFalse(self.day(bars, "600000.SH")["final"], "until 15:31 it may grow")
        cn = bars.wait(lambda r: r.key == "600000.SH" and r.value["period"] == "1d" and r.value["final"], "the mainland's day")[0].value
        self.assertFalse(self.day(bars, "00700.HK")["final"], "Hong Kong trades until 16:10")
        fushu.kill()
        self.set_clock("2026-11-18T08:10:02")
        hk = bars.wait(lambda r: r.key == "00700.HK" and r.value["period"] == "1d" and r.value["final"], "Hong Kong's day")[0].value
        for symbol, bar in zip(self.SYMBOLS, (cn, hk)):
            rows = livecore.wait_for(lambda: self.stored(symbol), f"{symbol} in the store")
            self.assertEqual([row["start"][:10] for row in rows], ["2026-11-18"])
            self.assertEqual(float(rows[0]["close"]), float(bar["close"]))
            self.assertEqual(float(rows[0]["volume"]), float(bar["volume"]))


if __name__ == "__main__":
    livecore.main()
