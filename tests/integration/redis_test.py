"""Heartbeats in a real Redis: they come with their TTL, Redis killed, hung and back, twins, and who is missing.

usage: redis_test.py LIVECORE [unittest options]
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import livecore  # noqa: E402


class Redis:
    def __init__(self, *options):
        if not shutil.which("redis-server") or not shutil.which("redis-cli"):
            raise unittest.SkipTest("redis-server is missing: tools/packages test installs it")
        self.directory = tempfile.mkdtemp(prefix="livecore-redis-")
        self.password = options[1] if options else None
        self.address = self.run("start", *options)

    def run(self, verb, *options):
        command = [livecore.ROOT / "tools" / "redis", verb, self.directory, *options]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()

    def cli(self, *words):
        host, port = self.address.split(":")
        # Not as an argument: the password would be seen in the list of processes.
        env = os.environ | ({"REDISCLI_AUTH": self.password} if self.password else {})
        command = ["redis-cli", "-h", host, "-p", port, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=env).stdout.strip()

    def beat(self, key):
        text = self.cli("GET", key)
        return json.loads(text) if text else None

    def send(self, number):
        os.kill(int(self.run("pid")), number)

    def stop(self):
        self.run("kill")
        shutil.rmtree(self.directory, ignore_errors=True)


class Heartbeats(livecore.Case):
    KEY = "heartbeat:data_manager:under-test"

    def redis(self, *options):
        made = Redis(*options)
        self.addCleanup(made.stop)
        return made

    def start(self, redis, settings=None, **more):
        server = self.sim("alpaca", "--rate", "200")
        where = {"redis.address": redis.address, "redis.timeout": "500ms"}
        env = livecore.ALPACA_KEY | more.pop("env", {})
        return self.run_livecore(livecore.alpaca(server) | where | (settings or {}), env=env, **more)

    def wait_beat(self, redis, condition, what):
        return livecore.wait_for(
            lambda: (lambda beat: beat and condition(beat) and beat)(redis.beat(self.KEY)),
            lambda: f"{what}: {redis.beat(self.KEY)}",
        )

    def all(self, redis, code):
        done = livecore.tool("status", "--all", "--json", "--set", f"redis.address={redis.address}")
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return {c["component"]: c for c in json.loads(done.stdout)["components"]}

    def test_beats(self):
        redis = self.redis("--password", "not-a-secret")
        live = self.start(redis, {"redis.db": "2"}, env={"LIVECORE_REDIS_PASSWORD": "not-a-secret"})
        redis.cli("PING")
        cli = redis.cli
        redis.cli = lambda *words: cli("-n", "2", *words)
        beat = self.wait_beat(redis, lambda beat: beat["status"]["name"] == "RUNNING", "running")
        self.assertEqual(beat["status"]["code"], 2)
        self.assertEqual((beat["component_type"], beat["component_id"]), ("data_manager", "under-test"))
        self.assertEqual((beat["pid"], beat["stream"]), (live.pid, live.status()["stream"]))
        self.assertGreater(len(beat["stats"]), 5)
        self.assertEqual(beat["stats"], {k: beat[k] for k in beat["stats"]})
        self.assertIn(int(redis.cli("TTL", self.KEY)), range(15, 31))
        self.wait_beat(redis, lambda later: later["timestamp"] > beat["timestamp"], "a second beat")
        for password, code, said in (("not-a-secret", "ok", "answered"), ("wrong", "FAILED", "refuses redis.username")):
            env = {"LIVECORE_REDIS_PASSWORD": password}
            settings = {"redis.address": redis.address, "routing.feeders": ""}
            done = livecore.tool("check", "--connect", *livecore.words(settings), env=env)
            self.assertRegex(done.stdout, rf"redis +{code} .*{said}", done.stderr)
        self.assertEqual(live.stop(), 0)
        beat = redis.beat(self.KEY)
        self.assertEqual(beat["status"], {"code": 0, "name": "STOPPED"})
        self.assertLessEqual(int(redis.cli("TTL", self.KEY)), 10)
        self.assertNotIn("not-a-secret", live.text)

    def test_another_user(self):
        redis = self.redis("--password", "not-a-secret")
        redis.cli("ACL", "SETUSER", "live", "on", ">not-a-secret-either", "~*", "+@all")
        for user, password, code, said in (
            ("live", "not-a-secret-either", "ok", "Redis [0-9.]+ answered"),
            ("nobody", "not-a-secret-either", "FAILED", "refuses redis.username"),
        ):
            env = {"LIVECORE_REDIS_PASSWORD": password, "LIVECORE_REDIS_USERNAME": user}
            done = livecore.tool(
                "check", "--connect", *livecore.words({"redis.address": redis.address, "routing.feeders": ""}), env=env
            )
            self.assertRegex(done.stdout, rf"redis +{code} .*{said}", done.stderr)

    def ticks_go_on(self, live, more=200):
        before = live.feeder("alpaca")["ticks"]
        livecore.wait_for(lambda: live.feeder("alpaca")["ticks"] > before + more, "ticks")

    def test_killed_and_hung(self):
        """Whatever Redis does, ticks go on; when it is back, so are the beats."""
        redis = self.redis()
        live = self.start(redis)
        self.follow("p", ["AAPL"])
        live.wait_subscribed("alpaca", 1)
        first = self.wait_beat(redis, lambda beat: True, "a beat")
        redis.run("kill")
        live.expect(r"redis away")
        self.ticks_go_on(live)
        redis.run("restart")
        self.wait_beat(redis, lambda beat: beat["timestamp"] > first["timestamp"], "after the restart")

        at = len(live.text)
        redis.send(signal.SIGSTOP)
        live.expect(r"redis away .*no answer within", after=at)
        self.ticks_go_on(live, 1000)
        self.assertEqual(live.ready()[0], 200)
        code, body = livecore.get(live.url + "/livez")
        self.assertEqual(code, 200, body)
        redis.send(signal.SIGCONT)
        live.expect(r"redis connected", after=at)
        hung = redis.beat(self.KEY)["timestamp"]
        self.wait_beat(redis, lambda beat: beat["timestamp"] >= hung, "after the pause")
        # Stopping does not wait for a Redis that hangs.
        redis.send(signal.SIGSTOP)
        self.assertEqual(live.stop(), 0)

    def test_absent(self):
        server = self.sim("alpaca", "--rate", "200")
        settings = livecore.alpaca(server) | {"redis.address": "127.0.0.1:1"}
        live = self.run_livecore(settings, env=livecore.ALPACA_KEY)
        live.expect(r"redis away .*Connection refused")
        self.follow("p", ["AAPL"])
        self.ticks_go_on(live)
        done = livecore.tool("status", "--all", "--set", "redis.address=127.0.0.1:1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("refused", done.stderr)
        self.assertEqual(livecore.tool("status", "--all").returncode, 2)

    def test_who_is_there(self):
        redis = self.redis()
        live = self.start(redis)
        self.wait_beat(redis, lambda beat: beat["status"]["name"] == "RUNNING", "running")
        redis.cli("SADD", "livecore:components", "data_manager:lost", "task_timer:ended")
        redis.cli("SADD", "livecore:stopped", "task_timer:ended")
        redis.cli("SETEX", "heartbeat:data_worker:old", "30", '{"status":"running","timestamp":"2026-01-09T01:30:00"}')
        redis.cli("SETEX", "heartbeat:node:plain", "30", "2026-01-09T01:30:00")
        redis.cli("LPUSH", "heartbeat:strange:kind", "x")
        found = self.all(redis, 1)  # one is missing
        states = {name: c["state"] for name, c in found.items()}
        expected = {"data_manager:under-test": "alive", "data_manager:lost": "missing", "task_timer:ended": "stopped"}
        expected |= {"data_worker:old": "alive", "node:plain": "alive"}
        self.assertEqual(states, expected)
        mine = found["data_manager:under-test"]
        self.assertEqual((mine["status"], mine["pid"]), ("RUNNING", live.pid))
        self.assertLess(mine["age_seconds"], 30)  # then its beat would be gone
        redis.cli("SREM", "livecore:components", "data_manager:lost")
        self.assertEqual(live.stop(), 0)
        self.assertEqual(self.all(redis, 0)["data_manager:under-test"]["state"], "stopped")
        redis.cli("DEL", self.KEY)  # its last beat has run out
        self.assertEqual(self.all(redis, 0)["data_manager:under-test"]["state"], "stopped")

        # Killed without a word: missing once its beat has run out. Started again: alive.
        again = self.start(redis)
        self.wait_beat(redis, lambda beat: beat["status"]["name"] == "RUNNING", "running")
        again.stop(signal.SIGKILL)
        redis.cli("DEL", self.KEY)
        self.assertEqual(self.all(redis, 1)["data_manager:under-test"]["state"], "missing")
        table = livecore.tool("status", "--all", "--set", f"redis.address={redis.address}")
        self.assertRegex(table.stdout, r"data_manager:under-test +missing")

    def test_both_roles(self):
        """The manager and the timer in one process beat each for itself, and both say that they stop."""
        redis = self.redis()
        rules = Path(self.state) / "rules.yaml"
        rules.write_text("scheduler: {timezone: UTC}\nrules:\n- {name: a, cron: '0 0 1 1 *', command: heartbeat_test}\n")
        live = self.start(redis, {"timer.rules": str(rules)})
        livecore.wait_for(lambda: redis.beat("heartbeat:task_timer:under-test"), "the timer's beat")
        self.wait_beat(redis, lambda beat: beat["status"]["name"] == "RUNNING", "the manager's beat")
        beat = redis.beat("heartbeat:task_timer:under-test")
        self.assertEqual((beat["component_type"], beat["jobs_count"], beat["pid"]), ("task_timer", 1, live.pid))
        self.assertEqual(live.stop(), 0)
        states = {name: c["state"] for name, c in self.all(redis, 0).items()}
        self.assertEqual(states, {"data_manager:under-test": "stopped", "task_timer:under-test": "stopped"})

    SETS = "livecore:interest:under-test"

    def test_followed_sets(self):
        """interest.store: redis. They survive a restart without the disk, and Redis killed, empty and back."""
        redis = self.redis()
        kept = {"interest.store": "redis"}
        live = self.start(redis, kept)
        self.follow("p", ["AAPL", "IBM"])
        self.follow("q", ["IBM", "KO"])
        live.wait_subscribed("alpaca", 3)
        livecore.wait_for(lambda: redis.cli("ZCARD", self.SETS + ":portfolios") == "2", "both sets in Redis")
        livecore.wait_for(lambda: "KO" in redis.cli("GET", self.SETS + ":set:q"), "the second set")
        self.assertEqual(live.stop(), 0)
        self.assertFalse((Path(self.state) / "interest.db").exists())
        shutil.rmtree(self.state)
        again = self.start(redis, kept)  # the embedded broker is a new one: its topic is empty
        again.expect(r"interest ready followed=3 portfolios=2")
        again.wait_subscribed("alpaca", 3)
        redis.run("kill")
        again.expect(r"redis away")
        self.follow("q", ["MSFT"])
        again.expect(r"interest not_stored .*refused")
        self.assertIn("refused", again.ready()[1]["checks"]["store"]["reason"])
        self.assertEqual(again.ready()[0], 200)
        self.ticks_go_on(again)
        redis.run("restart")
        livecore.wait_for(lambda: redis.cli("ZCARD", self.SETS + ":portfolios") == "2", "both sets again")
        livecore.wait_for(lambda: "store" not in again.ready()[1]["checks"], "no complaint is left")
        settings = livecore.words({"redis.address": redis.address, "routing.feeders": "", "state.dir": self.state})
        checked = livecore.tool("check", "--connect", *settings, "--set", "interest.store=redis", "--set", "node.id=under-test")
        self.assertRegex(checked.stdout, r"store +ok .*Redis.*2 portfolio", checked.stderr)
        self.assertEqual(again.stop(), 0)
        # Away at the start: what is followed comes from the topic, and goes to Redis when it is there.
        redis.run("kill")
        third = self.start(redis, kept)
        self.follow("r", ["NVDA"])
        third.wait_subscribed("alpaca", 1)
        redis.run("restart")
        livecore.wait_for(lambda: redis.cli("ZCARD", self.SETS + ":portfolios") == "1", "the set is stored")

    def test_no_address(self):
        settings = livecore.words({"interest.store": "redis", "state.dir": self.state, "http.enabled": "false"})
        done = livecore.tool("run", "--embedded", *settings)
        self.assertEqual(done.returncode, 2)
        self.assertIn("set redis.address", done.stderr)
        done = livecore.tool("check", "--set", "interest.store=redis")
        self.assertEqual(done.returncode, 2)
        self.assertIn("set redis.address", done.stderr)

    def test_twins(self):
        """Two processes with one node.id are said, in the log and as an event; a restart is no twin."""
        redis = self.redis()
        left = {"stream": "earlier-life", "status": {"code": 2, "name": "RUNNING"}, "host": "h", "pid": 1}
        redis.cli("SETEX", self.KEY, "30", json.dumps(left))
        live = self.start(redis)
        events = self.read("events")
        self.wait_beat(redis, lambda beat: beat["pid"] == live.pid, "the first beat")
        self.assertNotIn("redis twin", live.text)
        other = left | {"stream": "a-twin", "host": "other-host", "pid": 77}
        redis.cli("SETEX", self.KEY, "30", json.dumps(other))
        live.expect(r"redis twin node=under-test stream=a-twin host=other-host pid=77")
        data = events.event("twin", stream="a-twin")
        self.assertEqual((data["role"], data["host"], data["pid"]), ("manager", "other-host", 77))
        self.wait_beat(redis, lambda beat: beat["pid"] == live.pid, "it goes on beating")
        # The key of a live twin is left to it at the end.
        redis.cli("SETEX", self.KEY, "30", json.dumps(other))
        self.assertEqual(live.stop(), 0)
        self.assertEqual(redis.beat(self.KEY)["stream"], "a-twin")


if __name__ == "__main__":
    livecore.main()
