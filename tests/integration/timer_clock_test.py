#!/usr/bin/env python3
"""The timer while its wall clock is set, forward, back and over both changes of summer time: what is missed is passed over as the rules say,
and no time is fired twice.

usage: timer_clock_test.py LIVECORE [unittest options]"""

import os
import re
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "lib"), str(TESTS / "lab")]
import livecore  # noqa: E402
from livecore import SETTINGS, Case, Process, main, wait_for, words  # noqa: E402
from stage import Clock  # noqa: E402

# The witness: when it fires, all that was due by then is decided. The log gives a few of many lines, so it has
# no place where lines are counted.
WITNESS = "- {name: witness, cron: '* * * * * *', command: heartbeat_test}\n"
SENT = re.compile(r"timer sent rule=(\S+) request_id=\1@(\S+)")
PASSED = re.compile(r"timer passed_over reason=(\S+) rule=(\S+) request_id=\2@(\S+)")


def instant(text):
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


class Clocks(Case):
    def setUp(self):
        super().setUp()
        self.clock = Clock()
        self.addCleanup(self.clock.remove)

    def set_clock(self, text):
        """The timer's clock says this from now on, in UTC."""
        self.off = int(instant(text) - time.time())
        self.clock.set(self.off)

    def now(self):
        return time.time() + self.off

    def passes(self, seconds):
        """The witness fires at a time that lies so far ahead, by the timer's own clock."""
        mark, until = len(self.timer.text), self.now() + seconds

        def seen():
            times = [instant(at[:19]) for rule, at in SENT.findall(self.timer.text, mark) if rule == "witness"]
            return any(until <= at <= until + 60 for at in times)

        wait_for(seen, lambda: f"the witness at {datetime.fromtimestamp(until, timezone.utc)}: {self.timer.text[mark:]}")

    def start(self, rules, zone="UTC", **scheduler):
        path = Path(self.state) / "rules.yaml"
        options = "".join(f", {key}: {value}" for key, value in scheduler.items())
        path.write_text(f"scheduler: {{timezone: {zone}{options}}}\nrules:\n{rules}")
        # The sanitizers' library is not the first one then.
        sanitizer = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0"]))
        settings = SETTINGS | {"timer.rules": str(path), "state.dir": self.state}
        self.timer = Process([livecore.LIVECORE, "timer", "--embedded", *words(settings)],
                             env=self.clock.env | {"ASAN_OPTIONS": sanitizer}, cwd="/")
        self.addCleanup(lambda: self.timer.process.poll() is None and self.timer.stop())
        self.timer.expect("timer hears_commands")

    def sent(self, rule="a"):
        return [at[11:16] for name, at in SENT.findall(self.timer.text) if name == rule]

    def passed_over(self, rule="a"):
        return [(reason, at[11:16]) for reason, name, at in PASSED.findall(self.timer.text) if name == rule]

    def stop(self):
        self.assertEqual(self.timer.stop(), 0, self.timer.text)
        ids = SENT.findall(self.timer.text)
        self.assertEqual(len(ids), len(set(ids)), "a time is fired once")

    def hour_forward(self, coalesce):
        self.set_clock("2026-11-18T10:05:00")
        self.start("- {name: a, cron: '*/10 * * * *', command: heartbeat_test}\n", misfire_grace="30m", coalesce=coalesce)
        self.assertEqual(self.sent(), [])
        self.set_clock("2026-11-18T11:05:00")
        self.timer.expect(r"timer sent rule=a request_id=a@2026-11-18T11:00:00Z")

    def test_an_hour_forward_is_coalesced(self):
        self.hour_forward("true")
        self.assertEqual(self.sent(), ["11:00"])
        self.assertEqual(self.passed_over(), [("missed", "10:10"), ("missed", "10:20"), ("missed", "10:30"), ("coalesced", "10:40"),
                                              ("coalesced", "10:50")])
        self.stop()

    def test_an_hour_forward_is_fired_in_order(self):
        self.hour_forward("false")
        wait_for(lambda: len(self.sent()) == 3, lambda: self.timer.text)
        self.assertEqual(sorted(self.sent()), ["10:40", "10:50", "11:00"])
        self.assertEqual(self.passed_over(), [("missed", "10:10"), ("missed", "10:20"), ("missed", "10:30")])
        self.stop()

    def test_back_fires_nothing_twice(self):
        self.set_clock("2026-11-18T10:09:58")
        self.start("- {name: a, cron: '*/10 * * * *', command: heartbeat_test}\n", misfire_grace="30m")
        self.timer.expect(r"timer sent rule=a request_id=a@2026-11-18T10:10:00Z")
        for back in ("2026-11-18T09:49:58", "2026-11-18T10:09:58"):
            self.set_clock(back)
            time.sleep(4)  # nothing says that nothing is due: it passes 09:50 and 10:10 again
            self.assertEqual(self.sent(), ["10:10"])
        self.set_clock("2026-11-18T10:19:58")
        self.timer.expect(r"timer sent rule=a request_id=a@2026-11-18T10:20:00Z")
        self.assertEqual(self.passed_over(), [])
        self.stop()

    def test_a_day_back_begins_anew(self):
        """A clock that was a day ahead was wrong: the rules go on from the present time."""
        self.set_clock("2026-11-19T10:05:00")
        self.start("- {name: a, cron: '*/10 * * * *', command: heartbeat_test}\n")
        self.set_clock("2026-11-18T10:09:58")
        self.timer.expect("timer clock_set_back")
        self.timer.expect(r"timer sent rule=a request_id=a@2026-11-18T10:10:00Z")
        self.stop()

    RULES = WITNESS + "- {name: a, cron: '30 2 * * *', command: heartbeat_test}\n"

    def test_a_local_time_that_is_skipped(self):
        """Berlin has no 02:30 on 29 March: it is 03:00 at 01:00 UTC."""
        self.set_clock("2026-03-29T00:59:58")
        self.start(self.RULES, zone="Europe/Berlin", misfire_grace="30s")
        self.timer.expect(r"timer sent rule=a request_id=a@2026-03-29T01:00:00Z")
        for passing in ("2026-03-29T01:29:58", "2026-03-29T02:29:58"):  # 03:30 and 04:30
            self.set_clock(passing)
            self.passes(4)
        self.assertEqual(self.sent(), ["01:00"])
        self.set_clock("2026-03-30T00:29:58")  # 02:30 in summer
        self.timer.expect(r"timer sent rule=a request_id=a@2026-03-30T00:30:00Z")
        self.stop()

    def test_a_local_time_that_comes_twice(self):
        """Berlin has 02:30 at 00:30 and at 01:30 UTC on 25 October."""
        self.set_clock("2026-10-25T00:29:58")
        self.start(self.RULES, zone="Europe/Berlin", misfire_grace="30s")
        self.timer.expect(r"timer sent rule=a request_id=a@2026-10-25T00:30:00Z")
        self.set_clock("2026-10-25T01:29:58")
        time.sleep(4)  # the witness is silent too: its times have been
        self.set_clock("2026-10-25T02:00:10")
        self.passes(2)
        self.assertEqual(self.sent(), ["00:30"])
        self.assertNotRegex(self.timer.text, "witness@2026-10-25T01:")
        self.set_clock("2026-10-26T01:29:58")
        self.timer.expect(r"timer sent rule=a request_id=a@2026-10-26T01:30:00Z")
        self.stop()


if __name__ == "__main__":
    main()
