#!/usr/bin/env python3
"""What a role does when its surroundings change: a calendar that is read again, and a twin under the same node.id.

usage: roles_test.py LIVECORE [unittest options]"""

import signal
import sys
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import livecore  # noqa: E402


class Calendar(livecore.Case):
    """`livecore calendar` writes the overlay, `reload` takes it into a running manager."""

    def setUp(self):
        super().setUp()
        self.folder = Path(self.state) / "calendars"
        self.folder.mkdir()

    def write(self, *args):
        done = livecore.tool("calendar", "us", *args, "--set", f"calendar.dir={self.folder}")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def session(self, live):
        return live.ready()[1]["checks"]["markets"]["us"]["session"]

    @staticmethod
    def early_session():
        """That of this moment, on a day that closes at 09:31: four hours of late trading follow."""
        at = datetime.now(ZoneInfo("America/New_York")).strftime("%H:%M")
        ends = (("04:00", "closed"), ("09:30", "pre"), ("09:31", "open"), ("13:31", "post"), ("24:00", "closed"))
        return next(session for end, session in ends if at < end)

    def test_close_and_early_apply_on_reload(self):
        server = self.sim("alpaca", "--rate", "100")
        settings = livecore.alpaca(server) | {"calendar.always_open": "false", "calendar.dir": str(self.folder)}
        live = self.run_livecore(settings, env=livecore.ALPACA_KEY)
        self.follow("p", ["AAPL"])
        live.wait_subscribed("alpaca", 1)
        events = self.read("events")

        # Nothing changes until it is read; an early close a minute after the open makes any day, at most times, another one.
        now = datetime.now(ZoneInfo("America/New_York"))
        before = self.session(live)
        self.write("--early", f"{now:%Y-%m-%d}=09:31")
        self.assertEqual(self.session(live), before)
        answer = self.command("reload")
        self.assertTrue(answer["ok"], answer)
        livecore.wait_for(lambda: self.session(live) == self.early_session(), lambda: live.ready())

        # A typhoon, by signal.
        self.write("--close", f"{now:%Y-%m-%d}", "--why", "typhoon")
        live.send(signal.SIGHUP)
        livecore.wait_for(lambda: self.session(live) == "closed", lambda: live.ready())
        events.event("config_reloaded", ok=True)
        self.assertEqual(live.feeder("alpaca")["connects"], 1, "no connection was touched")

        # What cannot be read changes nothing, and the mistake is named.
        overlay = self.folder / "us.csv"
        good = overlay.read_text()
        overlay.write_text(good + "close,soon\n")
        answer = self.command("reload", ok=False)
        self.assertRegex(answer["error"], r"calendar.dir: .*us.csv:\d+: .*soon")
        self.assertEqual(self.session(live), "closed")

        # Days to come: the warning of a calendar that ends is over.
        last = now.year + 5
        overlay.write_text(good + f"covers,{now.year}-01-01,{last}-12-31\n")
        where = livecore.words({"kafka.brokers": self.broker, "kafka.fetch_wait": "20ms"})
        done = livecore.tool("command", "reload", "--wait", *where)
        self.assertRegex(done.stdout, r"(?m)^manager on under-test: ok$")
        self.assertRegex(done.stdout, r"(?m)^  changes: none$")
        there = live.status()["calendars"]["us"]
        self.assertEqual(there["last_day"], f"{last}-12-31")
        self.assertGreater(there["days_left"], 4 * 365)
        self.assertEqual(live.metrics()['livecore_calendar_days_left{market="us"}'], there["days_left"])
        self.assertNotIn("reason", live.ready()[1]["checks"]["markets"]["us"])
        self.assertEqual(live.feeder("alpaca")["connects"], 1)

    def test_another_folder_needs_no_restart(self):
        server = self.sim("alpaca", "--rate", "100")
        path = Path(self.state) / "livecore.yaml"
        path.write_text("calendar: {always_open: false}\n")
        settings = livecore.alpaca(server)
        there = livecore.SETTINGS | {"state.dir": self.state} | settings
        del there["calendar.always_open"]
        live = livecore.Process(
            [livecore.LIVECORE, "run", "--config", str(path), "--embedded", *livecore.words(there)],
            env=livecore.ALPACA_KEY, cwd="/")
        self.addCleanup(lambda: live.process.poll() is None and live.stop())
        url = "http://127.0.0.1:" + live.expect(r"http listening .*port=(\d+)")[1]
        day = f"{datetime.now(ZoneInfo('America/New_York')).year + 3}-07-04"
        self.write("--open", day)
        (self.folder / "us.csv").write_text(f"covers,{day[:4]}-01-01,{day[:4]}-12-31\n")
        path.write_text(f"calendar: {{always_open: false, dir: '{self.folder}'}}\n")
        live.send(signal.SIGHUP)
        live.expect(r"config changed section=calendar key=dir .*effect=applied")
        self.assertIn(f'"last_day":"{day[:4]}-12-31"', livecore.get(url + "/api/v1/status")[1])
        self.assertEqual(live.stop(), 0, live.text)


class Twins(livecore.Case):
    """Two processes with one node.id, without Redis: each hears the other's `started` and says so."""

    def twin(self, *command):
        made = livecore.Process([livecore.LIVECORE, *command], env=livecore.ALPACA_KEY, cwd="/")
        self.addCleanup(lambda: made.process.poll() is None and made.stop())
        return made

    def test_managers(self):
        server = self.sim("alpaca", "--rate", "1")
        first = self.run_livecore(livecore.alpaca(server), env=livecore.ALPACA_KEY)
        events = self.read("events")
        mine = first.status()["stream"]
        self.assertNotIn("kafka twin", first.text, "it is alone")
        settings = {"kafka.brokers": self.broker, "state.dir": self.state + "/other"} | livecore.alpaca(server)
        second = self.twin("run", *livecore.words(livecore.SETTINGS | settings))
        theirs = first.expect(r"kafka twin node=under-test role=manager stream=(\w+)")[1]
        self.assertNotEqual(theirs, mine)
        self.assertEqual(second.expect(r"kafka twin node=under-test role=manager stream=(\w+)")[1], mine)
        for stream, says in ((mine, theirs), (theirs, mine)):
            said = events.wait(lambda r, at=stream: r.value["type"] == "twin" and r.value["stream"] == at, "twin")[0]
            self.assertEqual((said.value["data"]["role"], said.value["data"]["stream"]), ("manager", says))
        self.assertEqual(second.stop(), 0, second.text)
        # A restart is no twin, whatever the life before it said.
        for life in range(2):
            alone = self.twin("run", *livecore.words(livecore.SETTINGS | settings | {"node.id": "alone"}))
            alone.expect(r"manager started")
            livecore.wait_for(lambda: len([r for r in events.records if r.key == "alone" and r.value["type"] == "started"]) > life, "started")
            self.assertEqual(alone.stop(), 0)
            self.assertNotIn("kafka twin", alone.text)

    def test_timers(self):
        rules = Path(self.state) / "rules.yaml"
        rules.write_text("rules:\n- {name: a, cron: '0 0 1 1 *', command: heartbeat_test}\n")
        run = self.run_livecore({"timer.rules": str(rules), "routing.feeders": "alpaca"})
        events = self.read("events")
        started = events.event("started", role="timer")
        self.assertEqual(started["pid"], run.pid)
        settings = {"kafka.brokers": self.broker, "state.dir": self.state + "/other", "timer.rules": str(rules)}
        alone = self.twin("timer", *livecore.words(livecore.SETTINGS | settings))
        run.expect(r"kafka twin node=under-test role=timer")
        alone.expect(r"kafka twin node=under-test role=timer")

        def said():
            return {(r.value["stream"], r.value["data"]["role"]) for r in events.records if r.value["type"] == "twin"}

        livecore.wait_for(lambda: len(said()) == 2, said)
        self.assertEqual({role for _, role in said()}, {"timer"})
        self.assertEqual(alone.stop(), 0, alone.text)
        events.event("stopping", role="timer")
        self.assertNotIn("role=manager stream", run.text, "a timer is no manager's twin")


if __name__ == "__main__":
    livecore.main()
