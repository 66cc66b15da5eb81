#!/usr/bin/env python3
"""The timer on a real Kafka and on an embedded broker: punctual commands, an outage within and beyond the grace, restarts, reloads.

usage: timer_test.py LIVECORE [unittest options]"""

import re
import signal
import statistics
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import livecore  # noqa: E402
import machine  # noqa: E402
from livecore import SETTINGS, Case, Process, get, main, tool, wait_for, words  # noqa: E402

EVERY_SECOND = "- {name: tick, cron: '* * * * * *', command: heartbeat_test, params: {n: 1}}\n"
PUNCTUAL_MS = 50  # as long as the machine lets it
DELAYED_MS = 1000  # by a busy machine, now and then


def scheduled(record):
    """The time that a request id names, in seconds since 1970."""
    return time_of(record.value["request_id"])


def time_of(request_id):
    text = request_id.rpartition("@")[2]
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp()


class Timer(Case):
    KAFKA = ()

    def setUp(self):
        super().setUp()
        self.broker = self.kafka.brokers
        self.rules_path = Path(self.state) / "rules.yaml"
        done = tool("topics", "create", *words({"kafka.brokers": self.broker} | self.topics()))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def rules(self, text, grace="30s", more=""):
        self.rules_path.write_text(f"scheduler: {{timezone: UTC, misfire_grace: {grace}{more}}}\nrules:\n{text}")

    def settings(self):
        where = {"kafka.brokers": self.broker, "timer.rules": str(self.rules_path), "state.dir": self.state}
        return SETTINGS | where | self.topics()

    def start(self, *args):
        made = Process([livecore.LIVECORE, "timer", *words(self.settings()), *args], cwd="/")
        self.addCleanup(lambda: made.process.poll() is None and made.stop())
        made.expect("timer rules")
        return made

    def commands(self, *names):
        topic = self.read("control")
        return topic, lambda record: not names or record.value["request_id"].partition("@")[0] in names

    def test_commands_leave_on_time_and_look_as_agreed(self):
        self.rules(EVERY_SECOND + "- {name: off, cron: '* * * * * *', command: heartbeat_test, enabled: false}\n")
        waker = machine.Waker()
        self.addCleanup(waker.stop)
        self.start()
        topic, mine = self.commands()
        records = sorted(topic.wait(mine, "commands", count=8), key=scheduled)
        excess = []
        for record in records[1:]:  # before the first, the connection is made
            late_ms = datetime.fromisoformat(record.value["timestamp"]).timestamp() * 1000 - scheduled(record) * 1000
            self.assertGreaterEqual(late_ms, 0, record)
            excess.append(late_ms - waker.late_ms(scheduled(record)))
        self.assertLess(statistics.median(excess), PUNCTUAL_MS, (excess, records))
        self.assertLess(max(excess), DELAYED_MS, (excess, records))
        record = records[0]
        self.assertEqual(record.key, record.value["request_id"])
        self.assertEqual(record.value["command"], "heartbeat_test")
        self.assertEqual(record.value["params"], {"n": 1})
        self.assertEqual(record.value["source"], "task_timer")
        self.assertEqual(record.headers["schema"], "control_command/1")
        ids = [record.value["request_id"] for record in records]
        self.assertEqual(len(set(ids)), len(ids))
        self.assertFalse([i for i in ids if i.startswith("off@")])

    def test_an_outage_within_the_grace_loses_nothing(self):
        self.rules(EVERY_SECOND, grace="120s", more=", coalesce: false")
        timer = self.start()
        topic, mine = self.commands("tick")
        before = topic.wait(mine, "commands", count=2)
        self.kafka.kill()
        timer.expect("waits_for_kafka .*error=")
        self.kafka.restart()
        timer.expect("kafka_back")
        self.assertEqual(timer.stop(), 0, timer.text)
        end = int(scheduled(before[0])) + 5
        first = int(scheduled(before[0]))

        def missing():  # partitions are read one after another: the newest may come first
            times = {int(scheduled(record)) for record in topic.records}
            return set(range(first, max(end, *times) + 1)) - times

        wait_for(lambda: not missing(), missing)

    def test_what_outlives_its_grace_is_not_sent(self):
        self.rules(EVERY_SECOND, grace="6s")
        timer = self.start()
        topic, mine = self.commands("tick")
        first = topic.wait(mine, "commands")[0]
        self.kafka.kill()
        killed = time.time()  # what was on its way until then may be in Kafka, unacknowledged

        def given_up():
            ids = re.findall(r"timer expired rule=tick request_id=(\S+) ", timer.text)
            return next((each for each in ids if time_of(each) > killed), None)

        expired = wait_for(given_up, lambda: timer.text)
        self.kafka.restart()
        after = len(timer.text)
        sent = timer.expect(r"timer sent rule=tick request_id=(\S+) ", after=after)[1]
        last = topic.wait(lambda record: record.value["request_id"] == sent, "the command after the outage")[0]
        self.assertNotIn(expired, [record.value["request_id"] for record in topic.records])
        self.assertLess(scheduled(first), scheduled(last))
        self.assertEqual(timer.stop(), 0, timer.text)

    def killed_before(self, seconds):
        """A timer that is killed before its only time of this minute, which is so many seconds away; that time."""
        (Path(self.state) / "timer.json").unlink(missing_ok=True)
        due = int(time.time()) + seconds
        self.rules(f"- {{name: minute, cron: '{due % 60} * * * * *', command: heartbeat_test}}\n", grace="50s")
        timer = self.start()
        wait_for((Path(self.state) / "timer.json").exists, "the state")
        timer.process.kill()
        timer.process.wait()
        return due if time.time() < due else self.killed_before(seconds * 2)

    def test_a_restart_sends_what_it_missed_within_the_grace_once(self):
        due = self.killed_before(4)
        wait_for(lambda: time.time() > due + 1, "the missed time")
        timer = self.start()
        topic, mine = self.commands("minute")
        topic.wait(lambda record: mine(record) and scheduled(record) == due, "the missed command")
        timer.expect("timer sent rule=minute")
        wait_for(lambda: '"done":"' + datetime.fromtimestamp(due, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
                 in (Path(self.state) / "timer.json").read_text(), "the state")
        timer.process.kill()
        timer.process.wait()
        timer = self.start()
        timer.expect("http listening")
        self.assertEqual(timer.stop(), 0, timer.text)
        self.assertEqual(len([r for r in topic.records if scheduled(r) == due]), 1)

    def test_reload_by_signal_and_by_command(self):
        self.rules(EVERY_SECOND)
        timer = self.start()
        topic, mine = self.commands("tick")
        topic.wait(mine, "commands")
        timer.expect("timer hears_commands")
        self.rules(EVERY_SECOND.replace("cron", "crom"))
        timer.send(signal.SIGHUP)
        timer.expect(r"reload_failed .*rules.yaml:3:16: unknown key .*did you mean cron")
        count = len(topic.records)
        topic.wait(mine, "the old rules go on", after=count)
        answer = self.command("reload", ok=False)
        self.assertEqual((answer["role"], answer["ok"]), ("timer", False))
        self.assertIn("did you mean cron?", answer["error"])
        self.rules(EVERY_SECOND.replace("tick", "tock"))
        answer = self.command("reload")
        self.assertEqual((answer["role"], answer["ok"]), ("timer", True))
        topic.wait(lambda record: record.value["request_id"].startswith("tock@"), "the new rule")
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        self.writer("control").send("k", {"command": "reload", "request_id": "traced"}, traceparent=trace)
        events = self.read("events")
        events.event("command_result", request_id="traced")
        answers = {r.value["data"]["request_id"]: r for r in events.records if r.value["type"] == "command_result"}
        self.assertEqual(answers.pop("traced").headers.get("traceparent"), trace)
        self.assertEqual([r.headers.get("traceparent") for r in answers.values()], [None, None])
        self.assertEqual(timer.stop(), 0, timer.text)

    def test_health_and_metrics(self):
        self.rules(EVERY_SECOND)
        timer = self.start()
        url = "http://127.0.0.1:" + timer.expect(r"http listening .*port=(\d+)")[1]
        timer.expect("timer sent")
        self.assertEqual(get(url + "/livez")[0], 200)
        self.assertEqual(get(url + "/readyz")[0], 200)
        page = get(url + "/metrics")[1]
        self.assertRegex(page, r'livecore_timer_commands_total\{rule="tick",outcome="sent"\} [1-9]')
        self.assertRegex(page, r"livecore_timer_lateness_seconds_count [1-9]")
        self.assertRegex(page, r"livecore_timer_rules 1\b")
        self.assertEqual(timer.stop(), 0, timer.text)

    def test_run_sends_one_now_and_list_shows_the_next(self):
        self.rules("- {name: yearly, cron: '@yearly', command: update_data, params: {days: 3}, description: all of it}\n")
        done = tool("timer", "--run", "yearly", *words(self.settings()))
        self.assertEqual(done.returncode, 0, done.stderr)
        sent = re.match(r"sent update_data: request_id=(yearly@\S+) topic=(\S+) partition=(\d+) offset=(\d+)", done.stdout)
        record = self.commands()[0].wait(lambda record: True, "the command")[0]
        self.assertEqual((record.key, record.topic, str(record.partition), str(record.offset)), sent.groups())
        self.assertEqual(record.value["params"], {"days": 3})
        done = tool("timer", "--run", "yearli", *words(self.settings()))
        self.assertEqual(done.returncode, 2)
        done = tool("timer", "--list", "--rules", str(self.rules_path))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("0 and 7 = Sunday", done.stdout)
        self.assertIn("all of it", done.stdout)
        year = datetime.now(timezone.utc).year
        times = re.findall(r"(\d{4})-01-01T00:00:00\+00:00   \1-01-01T00:00:00Z", done.stdout)
        self.assertEqual(times, [str(year + n) for n in range(1, 6)])

    def test_the_old_shape_and_its_mistakes(self):
        self.rules_path.write_text("scheduled_tasks:\n- {name: a, cron: '0 21 * * 0', command: bar_snapshot, enabled: true}\n")
        done = tool("timer", "--list", "--rules", str(self.rules_path))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("0 = Monday", done.stdout)
        self.assertEqual(len(re.findall(r"Mon .*T21:00:00\+08:00", done.stdout)), 5)
        self.rules_path.write_text("scheduled_tasks:\n- {name: a, cron: '0 21 * * 7', command: bar_snapshott}\n")
        for command in ("timer", "--list"), ("check",):
            done = tool(*command, "--set", f"timer.rules={self.rules_path}")
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn(":2:19: cron: weekday \"7\"", done.stderr)
            self.assertIn("did you mean bar_snapshot?", done.stderr)


class InsideRun(Case):
    """With an embedded broker: the manager hears what its own timer sends."""

    def test_run_has_a_timer_when_there_are_rules(self):
        rules = Path(self.state) / "rules.yaml"
        rules.write_text("rules:\n" + EVERY_SECOND)
        run = self.run_livecore({"timer.rules": str(rules), "routing.feeders": "alpaca"}, ready=False)
        run.expect(r"control command command=heartbeat_test request_id=tick@\S+ ok=true")
        events = self.read("events")
        done = events.event("command_result", command="heartbeat_test")
        self.assertRegex(done["request_id"], r"^tick@")
        rules.write_text("rules: 1\n")
        answer = self.command("reload", ok=False)
        self.assertIn("rules is a list", answer["error"])
        rules.write_text("rules:\n" + EVERY_SECOND.replace("tick", "tock"))
        self.command("reload")
        events.wait(lambda r: str(r.value["data"].get("request_id")).startswith("tock@"), "the new rule")
        self.assertEqual(run.stop(), 0, run.text)


if __name__ == "__main__":
    main()
