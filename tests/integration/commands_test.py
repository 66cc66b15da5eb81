"""Commands over a real Kafka, and settings that are read again.

usage: commands_test.py LIVECORE [unittest options]
"""

import json
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import livecore  # noqa: E402


class Commands(livecore.Case):
    KAFKA = ()

    def setUp(self):
        super().setUp()
        self.server = self.sim("fushu", "--rate", "100")
        self.file = Path(self.state) / "livecore.yaml"

    def start(self, text="", settings=None, **more):
        """A livecore with a settings file of this text, and FuShu's simulator."""
        self.file.write_text(text)
        base = livecore.fushu(self.server)
        base = {k: v for k, v in base.items() if k.split(".")[1] not in text}
        self.live = self.run_livecore(base | (settings or {}), "--config", str(self.file), **more)
        return self.live

    def raw(self, name, id, params=None, at=None):
        body = {"command": name, "request_id": id, "params": params or {}, "timestamp": at or livecore.now()}
        self.writer("control").send(id, body)

    def test_heartbeat(self):
        self.start()
        answer = self.command("heartbeat_test")
        self.assertEqual((answer["role"], answer["ok"], answer["repeated"]), ("manager", True, False))
        self.assertIsInstance(answer["result"], dict)

    def test_expired_repeated_and_unreadable(self):
        self.start(settings={"control.max_age": "1m"})
        events = self.read("events")
        self.raw("feeder_stop", "late-1", {"feeder": "fushu"}, at=livecore.now(-120))
        late = events.event("command_result", request_id="late-1")
        self.assertFalse(late["ok"])
        self.assertIn("expired", late["error"])
        self.assertEqual(self.live.feeder("fushu")["state"], "CONNECTED")

        self.raw("feeder_stop", "twice", {"feeder": "nope"})
        first = events.event("command_result", request_id="twice", repeated=False)
        self.raw("feeder_stop", "twice", {"feeder": "fushu"})
        again = events.event("command_result", request_id="twice", repeated=True)
        self.assertEqual((again["ok"], again["error"]), (first["ok"], first["error"]))
        self.assertEqual(self.live.feeder("fushu")["state"], "CONNECTED", "it was not done again")

        control = self.writer("control")
        control.send("k", "{")
        control.send("k", "[1]")
        self.raw("no_such_command", "other-1")
        self.raw("update_selector", "other-2")
        self.raw("heartbeat_test", "after")
        self.assertTrue(events.event("command_result", request_id="after")["ok"])
        answered = [r.value["data"]["request_id"] for r in events.records if r.value["type"] == "command_result"]
        self.assertNotIn("other-1", answered)
        self.assertNotIn("other-2", answered)
        self.assertEqual(self.live.metrics()['livecore_commands_total{outcome="unreadable"}'], 2)

    def test_a_restart_does_not_repeat(self):
        # The first commit ever makes Kafka create its topic of offsets, for which stopping does not wait: so one life for that.
        self.start()
        events = self.read("events")
        self.raw("heartbeat_test", "first")
        events.event("command_result", request_id="first")
        self.assertEqual(self.live.stop(), 0)
        self.start()
        self.raw("heartbeat_test", "before")
        events.event("command_result", request_id="before")
        self.assertEqual(self.live.stop(), 0)
        count = len(events.records)
        self.start()
        self.raw("heartbeat_test", "now")
        events.event("command_result", request_id="now")
        answers = [r.value["data"]["request_id"] for r in events.records[count:] if r.value["type"] == "command_result"]
        self.assertEqual(answers, ["now"])

    def test_feeder_stop_and_start(self):
        self.start()
        events = self.read("events")
        prices = self.read("market_data")
        self.follow("p", ["00700.HK"])
        prices.wait(lambda record: True, "a price")
        self.assertTrue(self.command("feeder_stop", "feeder=fushu")["ok"])
        self.live.wait_state("fushu", "STOPPED")
        events.event("feeder_state", feeder="fushu", to="STOPPED")
        self.assertEqual(self.live.ready()[1]["status"], "degraded")
        self.assertEqual(self.live.ready()[0], 200, "a vendor is no reason to be restarted")
        self.command("heartbeat_test")  # what was under way has come
        requests = self.server.stats()["requests"]
        self.command("heartbeat_test")  # time passes: ten polls
        self.assertEqual(self.server.stats()["requests"], requests)
        self.assertTrue(self.command("feeder_start", "feeder=fushu")["ok"])
        self.live.wait_state("fushu", "CONNECTED")
        count = len(prices.records)
        prices.wait(lambda record: True, "prices again", after=count)
        self.assertIn("nope", self.command("feeder_stop", "feeder=nope", ok=False)["error"])
        self.assertIn("feeder", self.command("feeder_start", ok=False)["error"])
        self.assertEqual(livecore.holes(prices.records), [])

    def test_reload(self):
        """What changed is applied, what did not keeps its connection, what must wait is said."""
        alpaca = self.sim("alpaca", "--rate", "20")
        base = f"alpaca:\n  url: {alpaca.url}\n  data_url: {alpaca.origin}\nfushu:\n  url: {self.server.url}\n"
        text = base + "  poll_interval: 50ms\nrouting:\n  feeders: [alpaca, fushu]\n"
        self.start(text, env=livecore.ALPACA_KEY)
        self.follow("p", ["AAPL", "00700.HK"])
        self.live.wait_subscribed("alpaca", 1)
        alpaca.wait_stats(lambda stats: stats["ticks"] > 5, "ticks")

        changed = base + "  poll_interval: 100ms\nrouting:\n  feeders: [alpaca, fushu]\nlog:\n  level: debug\nqueue:\n  size: 99\n"
        self.file.write_text(changed)
        result = self.command("reload")["result"]
        effects = {change["setting"]: change["effect"] for change in result["changes"]}
        self.assertEqual(
            effects, {"fushu.poll_interval": "applied", "log.level": "applied", "queue.size": "waits_for_restart"}
        )
        change = next(change for change in result["changes"] if change["setting"] == "queue.size")
        self.assertEqual((change["before"], change["after"]), ("10000", "99"))
        self.assertEqual(self.live.feeder("alpaca")["queue"]["capacity"], 10000)
        self.assertEqual(alpaca.stats()["auths"], 1, "nothing of Alpaca's changed: its connection stays")
        self.assertEqual(self.live.feeder("alpaca")["connects"], 1)

        # A connection's own setting: that one alone is opened again, with everything it followed.
        events = self.read("events")
        self.file.write_text(changed.replace("alpaca:\n", "alpaca:\n  encoding: msgpack\n"))
        self.live.send(signal.SIGHUP)
        alpaca.wait_stats(lambda stats: stats["auths"] == 2, "a second session")
        self.live.wait_state("alpaca", "CONNECTED")
        self.live.wait_subscribed("alpaca", 1)
        count = alpaca.stats()["ticks"]
        alpaca.wait_stats(lambda stats: stats["ticks"] > count + 5, "ticks again")
        self.assertEqual(self.live.feeder("fushu")["connects"], 1)
        events.wait(lambda r: "alpaca.encoding" in r.text and r.value["type"] == "config_reloaded", "reported")

    def test_broken_file_changes_nothing(self):
        good = f"fushu:\n  url: {self.server.url}\n  poll_interval: 50ms\n"
        self.start(good)
        self.follow("p", ["00700.HK"])
        self.live.wait_subscribed("fushu", 1)
        self.file.write_text(good.replace("poll_interval", "poll_intervall") + "queue:\n  size: many\n")
        error = self.command("reload", ok=False)["error"]
        self.assertIn("poll_interval", error)
        self.assertIn("livecore.yaml:3", error)
        self.assertIn("queue.size", error.replace("size: ", "queue.size"))
        events = self.read("events")
        events.event("config_reloaded", ok=False)
        before = len(self.live.text)
        self.live.send(signal.SIGHUP)
        self.live.expect("reload_refused", after=before)
        prices = self.read("market_data")
        prices.wait(lambda record: True, "prices still", count=5)
        self.assertEqual(self.live.feeder("fushu")["connects"], 1)
        self.file.write_text(good)
        self.assertEqual(self.command("reload")["result"]["changes"], [])

    def test_routing_follows_a_reload(self):
        eastmoney = self.sim("eastmoney", "--rate", "50")
        base = f"fushu:\n  url: {self.server.url}\n  poll_interval: 50ms\neastmoney:\n  url: {eastmoney.url}\n  mode: poll\n"
        text = base + "routing:\n  feeders: [eastmoney, fushu]\n"
        self.start(text)
        self.follow("p", ["00700.HK", "09988.HK"])
        self.live.wait_subscribed("fushu", 2)
        self.file.write_text(text + '  routes: ["00700.HK=eastmoney", "*.HK=fushu"]\n')
        self.command("reload")
        self.live.wait_subscribed("fushu", 1)
        self.live.wait_subscribed("eastmoney", 1)
        self.file.write_text(base + 'routing:\n  feeders: [fushu]\n  routes: ["00700.HK=none", "*.HK=fushu"]\n')
        self.command("reload")
        self.live.wait_state("eastmoney", "STOPPED")
        self.live.wait_subscribed("fushu", 1)

    def test_results_fit_the_schemas(self):
        """Every event and alert of a run holds against its documented schema."""
        try:
            import jsonschema
        except ImportError:
            self.skipTest("jsonschema is missing")
        self.start()
        events = self.read("events")
        self.command("heartbeat_test")
        self.command("feeder_stop", "feeder=fushu")
        self.follow("p", ["00700.HK", "bad"])
        events.event("interest_rejected")
        path = livecore.ROOT / "docs" / "messages" / "system_event.schema.json"
        schema = jsonschema.Draft202012Validator(json.loads(path.read_text()) | {"additionalProperties": False})
        for record in events.records:
            self.assertEqual([e.message for e in schema.iter_errors(json.loads(record.text))], [], record)
            self.assertEqual(record.key, "under-test")
            self.assertEqual(record.headers["schema"], "system_event/1")
        ids = [record.value["id"] for record in events.records]
        self.assertEqual(len(set(ids)), len(ids))


if __name__ == "__main__":
    livecore.need_venv()
    livecore.main()
