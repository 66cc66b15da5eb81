"""Feeds that are connected and silent: noticed, probed, subscribed and connected anew, said, and over again. The broker
is the embedded one, the patience a small one.

usage: liveness_test.py LIVECORE [unittest options]
"""

import sys
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import livecore  # noqa: E402

FOLLOWED = ["AAPL", "IBM", "KO"]
IMPATIENT = {
    "liveness.patience": "5",
    "liveness.min_silence": "1s",
    "liveness.grace": "500ms",
    "liveness.probe_wait": "1s",
    "liveness.resubscribe_wait": "500ms",
    "liveness.reconnect_wait": "500ms",
}


class Liveness(livecore.Case):
    def start(self, **settings):
        more = IMPATIENT | {key.replace("__", "."): value for key, value in settings.items()}
        self.live = self.run_livecore(livecore.alpaca(self.server) | more, env=livecore.ALPACA_KEY)
        self.events, self.alerts = self.read("events"), self.read("notifications")

    def liveness(self):
        return self.live.feeder("alpaca")["liveness"]

    def wait_learned(self, count):
        livecore.wait_for(
            lambda: self.liveness()["symbols_learned"] == count, lambda: f"{count} learned: {self.liveness()}"
        )

    def stages(self, after=0):
        """The stages said, in their order."""
        found = [r.value["data"]["stage"] for r in self.events.records[after:] if r.value["type"] == "feed_mute"]
        return [stage for n, stage in enumerate(found) if n == 0 or stage != found[n - 1]]

    def alert(self, kind, after=0, **data):
        def fits(record):
            there = record.value["data"]
            return there.get("alert_type") == kind and all(there.get(k) == v for k, v in data.items())

        return self.alerts.wait(fits, f"alert {kind} {data}", after=after)[0].value

    def check_mute(self):
        """The connection stays and pings are answered; only data stops."""
        self.server.fault("mute:600")
        probe = self.events.event("feed_mute", stage="probe")
        self.assertEqual(probe["verdict"], "mute")
        self.assertGreaterEqual(probe["actual_seconds"], 1)
        self.assertGreaterEqual(probe["actual_seconds"], probe["expected_seconds"])
        self.events.event("feed_mute", stage="resubscribe", socket="answers")
        self.events.event("feed_mute", stage="reconnect", socket="answers")
        alert = self.alert("feed_mute", feeder="alpaca")
        self.assertEqual((alert["type"], alert["severity"]), ("data_collection_alert", "ERROR"))
        self.assertFalse(self.events.event("feed_mute", stage="fail_over")["moved"], "there is no other source")
        self.assertEqual(self.stages()[:4], ["probe", "resubscribe", "reconnect", "fail_over"])
        code, ready = self.live.ready()
        self.assertEqual((code, ready["status"]), (200, "degraded"))
        self.assertFalse(ready["checks"]["feeders"]["alpaca"]["ok"])
        self.assertIn("mute", ready["checks"]["feeders"]["alpaca"]["reason"])
        self.assertEqual(self.liveness()["stage"], "fail_over")
        metrics = self.live.metrics()
        for stage in ("probe", "resubscribe", "reconnect", "fail_over"):
            self.assertGreaterEqual(metrics[f'livecore_feed_mute_total{{feeder="alpaca",stage="{stage}"}}'], 1)
        self.assertEqual(metrics['livecore_feed_liveness{feeder="alpaca"}'], 5)
        self.server.wait_stats(
            lambda stats: any(entry["remove"] for entry in stats["subscribe_log"]), "it was subscribed anew"
        )

    def check_over(self):
        self.server.fault("clear")
        self.events.event("feed_mute", stage="over")
        self.assertEqual(self.alert("resolved", feeder="alpaca", resolves="feed_mute")["severity"], "INFO")
        livecore.wait_for(lambda: self.live.ready()[1]["status"] == "ready", lambda: self.live.ready())
        self.assertGreaterEqual(self.live.feeder("alpaca")["connects"], 2)
        livecore.wait_for(lambda: self.liveness()["subscription"] == "flows", self.liveness)

    def check_half_open(self):
        """The vendor's host is gone, and TCP does not know: there is no sense in asking for symbols."""
        after = len(self.events.records)
        self.server.fault("half-open:600")
        reconnect = self.events.event("feed_mute", after=after, stage="reconnect")
        self.assertEqual(reconnect["socket"], "dead")
        self.assertEqual(self.stages(after)[:2], ["probe", "reconnect"])
        self.server.fault("clear")
        self.events.event("feed_mute", after=after, stage="over")

    def test_mute_half_open_and_restart(self):
        self.server = self.sim("alpaca", "--rate", "100")
        self.start()
        self.follow("p", FOLLOWED)
        self.wait_learned(3)
        self.assertEqual(self.stages(), [])
        self.check_mute()
        self.check_over()
        self.check_half_open()
        self.assertEqual(self.live.stop(), 0, self.live.text)
        # What was learned is known at once: a vendor that is mute from the beginning is noticed.
        self.server.fault("mute:600")
        self.start()
        probe = self.events.event("feed_mute", stage="probe")
        self.assertEqual(probe["verdict"], "mute")
        self.assertEqual(self.liveness()["symbols_learned"], 3)
        self.assertEqual(self.live.feeder("alpaca")["ticks"], 0)

    def test_polls_that_never_change(self):
        """The source of a polled feed stands still: it is answered, and what it answers is frozen."""
        symbols = [f"{number:05d}.HK" for number in (700, 5, 1, 2, 3, 11, 16, 27, 66, 388)]
        self.server = self.sim("fushu", "--rate", "200")
        self.live = self.run_livecore(livecore.fushu(self.server) | IMPATIENT)
        self.events = self.read("events")
        self.follow("p", symbols)
        livecore.wait_for(
            lambda: self.live.feeder("fushu")["liveness"]["subscription"] == "flows",
            lambda: self.live.feeder("fushu"),
        )
        self.server.fault("quiet:600")
        probe = self.events.event("feed_mute", stage="probe", feeder="fushu")
        self.assertEqual((probe["verdict"], probe["socket"]), ("frozen", "answers"))
        self.assertIn("answered", probe["evidence"])
        self.events.event("feed_mute", stage="reconnect")
        self.server.fault("clear")
        self.events.event("feed_mute", stage="over")

    def cut(self):
        """The session breaks off and is back."""
        self.server.fault("drop")
        livecore.wait_for(lambda: self.live.feeder("alpaca")["connects"] >= 2, "another session")
        self.live.wait_subscribed("alpaca", len(FOLLOWED))
        self.events.wait(lambda r: r.value["data"].get("from") == "CONNECTED", "that it was lost")
        self.events.wait(lambda r: r.value["data"].get("to") == "CONNECTED", "that it is back", count=2)

    def said(self):
        return [r.text for r in self.events.records if r.value["type"] in ("feed_mute", "gap_opened", "failover")]

    def test_a_holiday_misses_nothing(self):
        """Neither silence nor a cut means anything while the calendar says that there is no session."""
        folder = Path(self.state) / "calendars"
        folder.mkdir()
        days = [(date.today() + timedelta(days=n)).isoformat() for n in (-2, -1, 0, 1, 2)]
        (folder / "us.csv").write_text("".join(f"close,{day}\n" for day in days))
        self.server = self.sim("alpaca", "--rate", "100")
        self.start(calendar__always_open="false", calendar__dir=str(folder))
        self.follow("p", FOLLOWED)
        self.live.wait_subscribed("alpaca", 3)
        self.cut()
        livecore.wait_for(lambda: self.liveness()["subscription"] == "idle", self.liveness)
        self.assertEqual(self.said(), [])
        self.assertEqual(self.live.metrics()['livecore_gaps_total{feeder="alpaca"}'], 0)

    def test_halted_symbols_are_not_missed(self):
        self.server = self.sim("alpaca", "--rate", "100")
        self.start()
        self.follow("p", FOLLOWED)
        self.wait_learned(3)
        self.server.fault("halt:0")
        self.events.wait(lambda r: r.value["type"] == "halt", "halts", count=3)
        self.server.fault("mute:600")
        livecore.wait_for(lambda: self.liveness()["subscription"] == "idle", self.liveness)
        self.cut()
        self.assertEqual(self.said(), [])
        self.assertEqual(self.live.metrics()['livecore_gaps_total{feeder="alpaca"}'], 0)

    def test_switched_off(self):
        self.server = self.sim("alpaca", "--rate", "100")
        self.start(liveness__enabled="false")
        self.follow("p", FOLLOWED)
        self.live.wait_subscribed("alpaca", 3)
        self.assertEqual(self.liveness(), {"enabled": False})


if __name__ == "__main__":
    livecore.main()
