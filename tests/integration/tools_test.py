"""The command-line tools against a running livecore with its embedded broker and FuShu's simulator.

usage: tools_test.py LIVECORE [unittest options]
"""

import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

LIVECORE = ""
STARTED_S = 120  # sanitizers on a busy machine
SYMBOLS = ("00700.HK", "09988.HK")


class Program:
    """A livecore that runs until stopped; its output is read line by line."""

    def __init__(self, *args, env=None):
        self.process = subprocess.Popen(
            [LIVECORE, *args], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.PIPE
        )
        self.seen = ""

    def expect(self, pattern, within_s=STARTED_S):
        """The match of pattern in what was printed so far or comes in time."""
        end = time.monotonic() + within_s
        while True:
            match = re.search(pattern, self.seen)
            if match:
                return match
            left = end - time.monotonic()
            ready, _, _ = select.select([self.process.stdout], [], [], max(left, 0))
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not data:
                raise AssertionError(f"{pattern!r} did not come; printed was:\n{self.seen}")
            self.seen += data.decode(errors="replace")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        rest, _ = self.process.communicate(timeout=STARTED_S)
        self.seen += rest.decode(errors="replace")
        return self.process.returncode


def handles(pid, number):
    """Has the process a handler for this signal? Before, a signal would simply end it."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        caught = re.search(r"^SigCgt:\s*(\w+)", status.read(), re.MULTILINE)
    return bool(int(caught[1], 16) >> (number - 1) & 1)


def clean_environment():
    return {k: v for k, v in os.environ.items() if not k.startswith("LIVECORE_")}


def tool(*args, env=None, timeout=STARTED_S):
    return subprocess.run(
        [LIVECORE, *args], env=env or clean_environment(), capture_output=True, text=True, timeout=timeout, cwd="/"
    )


class WrongUsage(unittest.TestCase):
    """What is wrong is said, with what to do, and nothing is connected to."""

    def wrong(self, said, *args):
        done = tool(*args)
        self.assertEqual(done.returncode, 2, f"{args}: {done.stdout}{done.stderr}")
        self.assertIn(said, done.stderr)
        self.assertEqual(done.stdout, "")

    def test_arguments(self):
        self.wrong('there is no command "wach": did you mean watch?', "wach")
        self.wrong("there is no command", "frobnicate")
        self.wrong("version takes no arguments", "version", "now")
        for speed in ("fast", "0", "-1", "1x", "", "1000000"):
            self.wrong("--speed takes 1 to 100000, or max", "demo", "--speed", speed)
        self.wrong("--speed goes with --tape", "demo", "--speed", "5")
        self.wrong("--tape-dir goes with --tape", "demo", "--tape-dir", "tests/data")
        self.wrong("--role takes manager or worker", "command", "reload", "--wait", "--role", "nobody")
        self.wrong("--symbols takes a number", "check", "--symbols", "many")
        self.wrong("topics takes nothing or", "topics", "delete")
        self.wrong("--portfolio is missing", "subscribe", "AAPL")
        self.wrong("which symbols?", "subscribe", "--portfolio", "p")
        self.wrong("takes no symbols", "subscribe", "--portfolio", "p", "--clear", "AAPL")
        self.wrong("exclude each other", "subscribe", "--portfolio", "p", "--add", "--remove", "AAPL")
        self.wrong("1 to 128 bytes", "subscribe", "--portfolio", "p" * 129, "AAPL")
        self.wrong("write AAPL", "subscribe", "--portfolio", "p", "aapl")
        self.wrong("write 00700.HK", "subscribe", "--portfolio", "p", "AAPL", "700.HK")
        self.wrong("write 600000.SH", "watch", "SH600000")
        self.wrong("--count takes a number", "watch", "--count", "-1")
        self.wrong("--for takes a time", "watch", "--for", "10")
        self.wrong("which command?", "command")
        self.wrong("heartbeat_test", "command", "hartbeat_test")
        self.wrong("is no parameter", "command", "feeder_stop", "alpaca")
        self.wrong("go with --wait", "command", "reload", "--role", "manager")
        self.wrong("status takes no arguments", "status", "now")
        self.wrong("probe takes live or ready", "probe", "healthy")

    def test_closed_descriptors(self):
        """A parent may have closed all three: nothing of ours may be opened in their place and be written to by the log."""
        program = ("run", "--embedded", "--set", "http.enabled=false", "--set", "node.id=closed")
        with tempfile.TemporaryDirectory() as state:
            shell = 'exec "$@" <&- >&- 2>&-'
            process = subprocess.Popen(
                ["/bin/sh", "-c", shell, "sh", LIVECORE, *program, "--set", f"state.dir={state}"], env=clean_environment()
            )
            end = time.monotonic() + STARTED_S
            self.addCleanup(process.kill)
            while process.poll() is None and time.monotonic() < end and not handles(process.pid, signal.SIGTERM):
                time.sleep(0.02)
            self.assertIsNone(process.poll())
            for descriptor in range(3):
                self.assertEqual(os.readlink(f"/proc/{process.pid}/fd/{descriptor}"), "/dev/null")
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(STARTED_S), 0)

    def test_version(self):
        """The libraries it runs with, for whoever reports a fault."""
        done = tool("version")
        self.assertEqual(done.returncode, 0)
        for library in ("livecore", "librdkafka", "libuv", "libwebsockets", "SQLite"):
            self.assertRegex(done.stdout, rf"(?m)^{library} \d[\d.]*$")
        self.assertRegex(done.stdout, r"(?m)^libcurl/\d")

    def test_full_disk(self):
        for args in (["version"], ["--help"], ["config"], ["check", "--help"]):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([LIVECORE, *args], env=clean_environment(), stdout=full, stderr=subprocess.PIPE, timeout=STARTED_S)
            self.assertEqual(done.returncode, 1, args)
            self.assertIn(b"could not be written", done.stderr)

    def test_no_kafka_set(self):
        for args in (["topics"], ["watch"], ["subscribe", "--portfolio", "p", "AAPL"], ["command", "reload"]):
            self.wrong("kafka.brokers is not set", *args)

    def test_help(self):
        for name in ("topics", "watch", "subscribe", "command", "status", "probe"):
            done = tool(name, "--help")
            self.assertEqual(done.returncode, 0)
            self.assertIn(f"usage: livecore {name}", done.stdout)
            self.assertEqual(done.stderr, "")


class Check(unittest.TestCase):
    """Every mistake is named at its place, of whatever kind it is."""

    def test_every_mistake(self):
        folder = tempfile.TemporaryDirectory(prefix="livecore-check-")
        self.addCleanup(folder.cleanup)
        path, days = f"{folder.name}/livecore.yaml", f"{folder.name}/hk.csv"
        lines = (
            "kafka:",
            "  buffer: 8MB",
            "  properties:",
            "    ssl.ca.location: /nonexistent/ca.pem",
            "    acks: 1",
            "queue: {polcy: block}",
            "interest: {store: redis}",
            "timer: {rules: none.yaml}",
            f"calendar: {{dir: {folder.name}}}",
            "log: {format: jsn}",
        )
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        with open(days, "w", encoding="utf-8") as file:
            file.write("close,2026-13-01\n")
        done = tool("check", path)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        for mistake in (
            f"{path}:4:22: kafka.properties: ssl.ca.location: there is no file /nonexistent/ca.pem",
            f"{path}:5:11: kafka.properties: acks cannot be set here",
            f'{path}:6:9: unknown key "polcy" in queue: did you mean policy?',
            f'{path}:10:15: log.format: "jsn" is not a choice: did you mean json?',
            f"{path}:2:11: kafka.buffer: is smaller than kafka.in_flight",
            f"{path}:7:19: interest.store: is redis: set redis.address",
            f"{path}:8:16: timer.rules: there is no file ",
            f"{days}:1: ",
        ):
            self.assertIn(mistake, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 8, done.stderr)
        done = tool("run", "--config", path)
        self.assertEqual((done.returncode, done.stdout), (2, ""), "and run does not start on it")
        done = tool("run", "--embedded", "--set", "calendar.dir=/nonexistent", "--set", f"state.dir={folder.name}")
        self.assertEqual(done.returncode, 2, "starting again would not help")
        done = tool("check", "--set", "calendar.dir=/nonexistent")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--set: calendar.dir: ", done.stderr)


    def test_which_file(self):
        """One file is checked, and how old a quote can get is said of feeders that can run."""
        done = tool("check", "a.yaml", "--config", "b.yaml")
        self.assertEqual(done.returncode, 2)
        self.assertIn("name one file: a.yaml, or --config b.yaml", done.stderr)
        fushu = "fushu.url=http://127.0.0.1:1"
        self.assertNotIn("\nfushu: ", tool("check").stdout)
        self.assertIn("\nfushu: ", tool("check", "--set", fushu).stdout)


class NothingThere(unittest.TestCase):
    """Nobody listens on the address: said with what to do, exit code 1, in time."""

    def test_http(self):
        dead = "http.address=127.0.0.1:1"
        done = tool("status", "--set", dead)
        self.assertEqual(done.returncode, 1)
        self.assertIn("is livecore running?", done.stderr)
        done = tool("probe", "live", "--url", "127.0.0.1:1")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"^no answer: .*\n$")
        done = tool("status", "--set", "http.address=127.0.0.1:0")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--url", done.stderr)

    def test_kafka(self):
        dead = ["--set", "kafka.brokers=127.0.0.1:1"]
        for args in (
            ["topics", "--timeout", "1s"],
            ["subscribe", "--portfolio", "p", "AAPL", "--timeout", "1s"],
            ["command", "heartbeat_test", "--wait", "--timeout", "1s"],
            ["watch", "--for", "2s"],
        ):
            done = tool(*args, *dead)
            self.assertEqual(done.returncode, 1, f"{args}: {done.stderr}")
            self.assertIn("127.0.0.1:1", done.stderr)
            self.assertIn("may this machine reach it? (kafka.brokers", done.stderr, "what to do")

    def test_check(self):
        """Whatever does not answer: what happened, and what to do."""
        state = tempfile.TemporaryDirectory(prefix="livecore-check-")
        self.addCleanup(state.cleanup)
        dead = {
            "kafka.brokers": "127.0.0.1:1",
            "redis.address": "127.0.0.1:1",
            "interest.store": "redis",
            "store.backend": "clickhouse",
            "store.clickhouse_url": "http://127.0.0.1:1",
            "routing.feeders": "fushu",
            "fushu.url": "http://127.0.0.1:1/v1",
            "state.dir": state.name,
        }
        done = tool("check", "--connect", *(word for key, value in dead.items() for word in ("--set", f"{key}={value}")))
        self.assertEqual(done.returncode, 1, done.stderr)
        for row, what_to_do in (
            ("kafka", "(kafka.brokers"),
            ("redis", "(redis.address)"),
            ("store", "(redis.address)"),
            ("bars", "is ClickHouse running?"),
            ("fushu", "(fushu.url is http://127.0.0.1:1/v1: is it right"),
        ):
            self.assertRegex(done.stdout, rf"(?m)^{row} +FAILED +[\d.]+ ms  .*{re.escape(what_to_do)}")


class WithLivecore(unittest.TestCase):
    """One livecore for all tests of a class: embedded broker, FuShu's simulator as its only vendor."""

    SETS = ()

    @classmethod
    def setUpClass(cls):
        if cls is WithLivecore:
            raise unittest.SkipTest("what the others share")
        cls.state = tempfile.TemporaryDirectory(prefix="livecore-tools-")
        cls.sim = Program("sim", "fushu", "--port", "0", env=clean_environment())
        url = cls.sim.expect(r"listening vendor=fushu url=(\S+)").group(1)
        sets = [
            f"state.dir={cls.state.name}",
            "http.address=127.0.0.1:0",
            "routing.feeders=fushu",
            f"fushu.url={url}",
            "fushu.poll_interval=100ms",
            "calendar.always_open=true",
            "kafka.fetch_wait=20ms",
            "node.id=under-test",
            *cls.SETS,
        ]
        args = [word for text in sets for word in ("--set", text)]
        cls.run_ = Program("run", "--embedded", *args, env=clean_environment())
        cls.brokers = cls.run_.expect(r"embedded_broker address=(\S+)").group(1)
        cls.url = "http://127.0.0.1:" + cls.run_.expect(r"http listening .*port=(\d+)").group(1)
        cls.run_.expect(r"interest ready")
        cls.kafka = ["--brokers", cls.brokers, "--set", "kafka.fetch_wait=20ms"]

    @classmethod
    def tearDownClass(cls):
        code = cls.run_.stop()
        cls.sim.stop()
        cls.state.cleanup()
        assert code == 0, f"livecore run ended with {code}:\n{cls.run_.seen}"

    def ok(self, *args):
        done = tool(*args)
        self.assertEqual(done.returncode, 0, f"{args}: {done.stdout}{done.stderr}")
        return done

    def follow(self, portfolio, *rest):
        done = self.ok("subscribe", "--portfolio", portfolio, *rest, *self.kafka)
        self.assertRegex(done.stdout, r"topic=ginkgo.live.interest.updates partition=\d+ offset=\d+\n$")
        return done.stdout

    def followed(self):
        """What the running livecore follows, by its status."""
        page = json.loads(self.ok("status", "--json", "--url", self.url).stdout)
        return page["status"]["followed"]

    def wait_followed(self, count):
        end = time.monotonic() + STARTED_S
        while self.followed() != count:
            self.assertLess(time.monotonic(), end, f"never followed {count}")


class Running(WithLivecore):
    def test_topics(self):
        done = self.ok("topics", *self.kafka)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0].split(), ["topic", "wanted", "existing", "state"])
        self.assertIn(["ginkgo.live.market.data", "24", "24", "ok"], [line.split() for line in lines])
        self.assertIn(["ginkgo.live.interest.updates", "12", "12", "ok"], [line.split() for line in lines])
        # A topic under another name is missing; without create it stays so.
        other = [*self.kafka, "--set", "topics.bars=other.bars"]
        for _ in range(2):
            done = tool("topics", *other)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stdout, r"other\.bars +24 +- +missing")
            self.assertIn("livecore topics create", done.stdout)

    def test_subscribe_then_watch(self):
        self.assertIn("p follows 2 symbols", self.follow("p", *SYMBOLS))
        self.wait_followed(2)
        done = self.ok("watch", "00700.HK", "--count", "3", "--for", "60s", *self.kafka)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 3)
        for line in lines:
            fields = dict(word.split("=", 1) for word in line.split())
            self.assertEqual(fields["symbol"], "00700.HK")
            self.assertEqual(fields["kind"], "snapshot")
            self.assertEqual(fields["source"], "fushu")
            self.assertGreater(float(fields["price"]), 0)
            self.assertGreaterEqual(float(fields["latency_ms"]), 0)
        self.assertIn("updates=3 lost=0", done.stderr)

        done = self.ok("watch", "*.HK", "--json", "--count", "4", "--for", "60s", *self.kafka)
        for line in done.stdout.splitlines():
            self.assertIn(json.loads(line)["symbol"], SYMBOLS)

        self.follow("p", "00005.HK", "--add")
        self.wait_followed(3)
        self.follow("q", "00700.HK", "AAPL")
        self.wait_followed(4)
        self.follow("p", "00700.HK", "00005.HK", "--remove")
        self.wait_followed(3)  # 09988.HK of p; q's two, one of which p has left
        self.assertIn("p follows nothing", self.follow("p", "--clear"))
        self.wait_followed(2)
        self.follow("q", "--clear")
        self.wait_followed(0)

    def test_watch_that_misses_its_count_fails(self):
        self.assertEqual(tool("watch", "--for", "0s", *self.kafka).returncode, 1, "it ended, and saw nothing")
        done = tool("watch", "ZZZZ", "--count", "1", "--for", "2s", *self.kafka)
        self.assertEqual(done.returncode, 1)
        self.assertIn("only 0 of 1 updates came", done.stderr)

    def test_watch_ends(self):
        """By Ctrl-C, and when whoever reads its output goes away; both are ordinary."""
        self.follow("w", "00700.HK")
        watch = Program("watch", *self.kafka, env=clean_environment())
        watch.expect(r"symbol=00700.HK")
        watch.process.send_signal(signal.SIGINT)
        watch.expect(r"updates=\d+ lost=0")
        self.assertEqual(watch.process.wait(STARTED_S), 0)
        watch.stop()
        with subprocess.Popen(
            [LIVECORE, "watch", *self.kafka], env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as watch:
            self.assertIn(b"symbol=00700.HK", watch.stdout.readline())
            watch.stdout.close()
            self.assertEqual(watch.wait(STARTED_S), 0)
        self.follow("w", "--clear")
        self.wait_followed(0)

    def test_command(self):
        done = self.ok("command", "heartbeat_test", "--wait", *self.kafka)
        self.assertRegex(done.stdout, r"sent heartbeat_test: request_id=cli-\w{32} topic=\S+ partition=\d+ offset=\d+\n")
        self.assertIn("manager on under-test: ok\n", done.stdout)
        done = self.ok("command", "heartbeat_test", "--wait", "--role", "manager", "--json", *self.kafka)
        event = json.loads(done.stdout)
        self.assertEqual(event["type"], "command_result")
        self.assertIs(event["data"]["ok"], True)
        done = self.ok("command", "update_selector", *self.kafka)
        self.assertNotIn("ok", done.stdout)

    def test_command_that_fails(self):
        done = tool("command", "feeder_stop", "feeder=nope", "--wait", *self.kafka)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r'manager on under-test: failed: .*"nope"')
        done = tool("command", "heartbeat_test", "--wait", "--role", "worker", "--timeout", "3s", *self.kafka)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no answer of a worker in time", done.stderr)

    def test_status(self):
        done = self.ok("status", "--url", self.url)
        self.assertRegex(done.stdout, r"^livecore \S+, manager on under-test: running for \d\d:\d\d:\d\d, stream \S+\n")
        self.assertRegex(done.stdout, r"\nfushu +\w+ +\d+/\d+ ")
        self.assertIn(f"Kafka {self.brokers}: reachable", done.stdout)
        self.assertEqual(done.stderr, "")
        both = json.loads(self.ok("status", "--json", "--url", self.url + "/").stdout)
        self.assertEqual(both["status"]["node_id"], "under-test")
        self.assertIn(both["ready"]["status"], ("ready", "degraded"))
        # An HTTP server that is no livecore, asked by a wrong path.
        done = tool("status", "--url", self.url + "/metrics")
        self.assertEqual(done.returncode, 1)
        self.assertIn("is that a livecore?", done.stderr)

    def test_probe(self):
        self.assertEqual(self.ok("probe", "live", "--url", self.url).stdout, "live\n")
        self.assertRegex(self.ok("probe", "--url", self.url).stdout, r"^(ready|degraded.*)\n$")
        self.assertRegex(self.ok("probe", "ready", "--url", self.url).stdout, r"^(ready|degraded.*)\n$")
        # A file with a mistake leaves a running livecore as it is: it must not look dead to its container.
        done = tool("probe", "--url", self.url, "--set", "queue.size=few")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("queue.size", done.stderr)


    def test_metrics_are_as_prometheus_wants_them(self):
        """What promtool check metrics looks at: names, types, units, one family at a time, histograms that add up."""
        with urllib.request.urlopen(self.url + "/metrics", timeout=STARTED_S) as answer:
            self.assertIn("version=0.0.4", answer.headers["Content-Type"])
            text = answer.read().decode()
        self.assertTrue(text.endswith("\n"))
        types, helps, series, family = {}, {}, {}, None
        for line in text.splitlines():
            if line.startswith("# "):
                _, what, family, rest = line.split(" ", 3)
                self.assertNotIn(family, types if what == "TYPE" else helps, f"twice: {line}")
                (types if what == "TYPE" else helps)[family] = rest
                continue
            match = re.fullmatch(r'([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+\})? (\S+)', line)
            self.assertTrue(match, line)
            name, labels, value = match.groups()
            self.assertIn(name, {family, family + "_bucket", family + "_sum", family + "_count"}, "outside its family")
            self.assertNotIn((name, labels), series, f"twice: {line}")
            series[name, labels] = float(value)
        for name, kind in types.items():
            self.assertTrue(helps.get(name), f"{name} has no help")
            self.assertEqual(name.endswith("_total"), kind == "counter", f"{name} is a {kind}")
            self.assertTrue(name.startswith(("livecore_", "process_")), name)
            self.assertNotRegex(name, r"_(ms|us|ns|milliseconds|kb|mb|percent)(_|$)", "base units")
        for (name, labels), value in series.items():
            if name.endswith("_count"):
                inner = labels[1:-1] + "," if labels else ""
                whole = name.removesuffix("_count") + "_bucket"
                self.assertEqual(series[whole, "{" + inner + 'le="+Inf"}'], value, name)
        self.assertGreater(series["process_open_fds", None], 5)
        self.assertLess(series["process_open_fds", None], series["process_max_fds", None])
        self.assertGreater(series["process_cpu_seconds_total", None], 0)

    def test_other_methods(self):
        for method in ("DELETE", "OPTIONS"):
            request = urllib.request.Request(self.url + "/livez", method=method)
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request, timeout=STARTED_S)
            self.assertEqual(refused.exception.code, 405)
            self.assertEqual(refused.exception.headers["Allow"], "GET, HEAD")
            refused.exception.close()


class PerMarket(WithLivecore):
    SETS = ("kafka.per_market=true", "time.format=naive")

    def test_watch_reads_every_market(self):
        sets = [word for text in self.SETS for word in ("--set", text)]
        self.follow("p", "00700.HK")
        done = self.ok("watch", "--count", "2", "--for", "60s", *self.kafka, *sets)
        for line in done.stdout.splitlines():
            self.assertRegex(line, r"^time=\d\d:\d\d:\d\d\.\d{3} symbol=00700.HK ")  # no Z: the naive zone
        table = self.ok("topics", *self.kafka, *sets).stdout
        for market in ("cn", "hk", "us"):
            self.assertRegex(table, rf"ginkgo\.live\.market\.data\.{market} +24 +24 +ok")


if __name__ == "__main__":
    LIVECORE = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
