"""The log on disk against a real Kafka: kill -9 of livecore, outages longer than memory, a full and a hung disk.

usage: journal_test.py LIVECORE [unittest options]
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

SYMBOLS = ["AAPL", "IBM", "KO", "MSFT", "NVDA", "TSLA", "AMZN", "BRK.B"]
MB = 1 << 20
HANG_SOURCE = Path(__file__).resolve().parent.parent / "lab" / "hang.c"


class Journal(livecore.Case):
    KAFKA = ()

    def setUp(self):
        super().setUp()
        self.dir = Path(self.state) / "journal"

    def start(self, server, settings=(), **options):
        wanted = livecore.alpaca(server) | {"bars.enabled": "false"} | dict(settings)
        return self.run_livecore(wanted, env=livecore.ALPACA_KEY | options.pop("env", {}), **options)

    def without_kafka(self, rate, published):
        """A simulator, and a livecore that goes on while Kafka is gone, until it has published so many."""
        server = self.sim("alpaca", "--rate", str(rate))
        live = self.start(server)
        self.follow("p", SYMBOLS)
        self.wait_published(live, 500)
        self.kafka.kill()
        self.addCleanup(self.kafka.restart)
        self.wait_published(live, published)
        return server, live

    def wait_published(self, live, count):
        livecore.wait_for(
            lambda: live.status()["published"] >= count, lambda: f"{count} published: {live.status()}\n{live.text}"
        )

    def accepted(self, live):
        """How many PriceUpdates stand in the log, on disk or not yet: a kill must take none of them."""
        return int(live.metrics()["livecore_published_total"])

    def kill(self, live):
        live.send(signal.SIGKILL)
        live.wait()

    def journal(self, *options):
        return livecore.tool("journal", str(self.dir), *options)

    def shown(self, *options):
        done = self.journal("--json", *options)
        return json.loads(done.stdout)

    def all_arrive(self, live):
        """When no more comes: else there is always one on its way."""
        livecore.wait_for(
            lambda: live.status()["unacknowledged"] == 0 and live.status()["kafka"]["acknowledged"] > 0,
            lambda: f"all acknowledged: {live.status()}\n{live.text[-3000:]}",
            livecore.LONG_S * 2,
        )

    def check_market(self, at_least):
        """No hole within any life, order kept, and of each life at least what its log held."""
        records = livecore.read_all(self.broker, self.name("market_data"))
        self.assertEqual(livecore.holes(records), [])
        lives = {}
        for record in records:
            if record.value["seq"] > 0:
                key = (record.value["symbol"], record.value["kind"], record.value["seq"])
                lives.setdefault(record.value["stream"], set()).add(key)
        for stream, count in at_least.items():
            conflated = sum(r.value["conflated"] for r in records if r.value["stream"] == stream)
            self.assertGreaterEqual(len(lives.get(stream, ())) + conflated, count, stream)
        return records

    def test_killed_at_any_moment(self):
        server = self.sim("alpaca", "--rate", "1000")
        at_least = {}
        for number in range(6):
            live = self.start(server, ready=number == 0)
            if number == 0:
                self.follow("p", SYMBOLS)
            stream = live.status()["stream"]
            self.wait_published(live, 300 * (number + 1))
            if number == 3:
                self.kafka.kill()
                self.wait_published(live, live.status()["published"] + 1500)
            at_least[stream] = self.accepted(live)
            self.kill(live)
            if number == 4:
                self.kafka.restart()
        live = self.start(server)
        server.kill()
        self.all_arrive(live)
        self.assertEqual(live.stop(), 0, live.text)
        self.assertIn("unacknowledged=0", live.text)
        records = self.check_market(at_least)
        self.assertTrue(any(r.headers.get("replayed") == "1" for r in records))
        self.assertEqual((self.shown()["records"], self.shown()["clean"]), (0, True), "an empty log")

    def test_killed_while_it_finds_its_log(self):
        server, live = self.without_kafka(2000, 10000)
        at_least = {live.status()["stream"]: self.accepted(live)}
        self.kill(live)
        before = self.shown()["unmarked"]
        for _ in range(5):
            again = livecore.Process(
                [livecore.LIVECORE, "run", *livecore.words(livecore.SETTINGS | self.topics())]
                + livecore.words({"kafka.brokers": self.broker, "state.dir": self.state, "routing.feeders": "fushu"}),
                cwd="/",
            )
            again.expect("journal found|reading")
            self.kill(again)
        self.assertGreaterEqual(self.shown()["unmarked"], before)
        self.kafka.restart()
        live = self.start(server)
        server.kill()
        self.all_arrive(live)
        self.check_market(at_least)

    def test_longer_than_memory(self):
        server = self.sim("alpaca", "--rate", "6000")
        live = self.start(server, {"kafka.buffer": "2MB", "kafka.in_flight": "1MB"})
        self.follow("p", SYMBOLS)
        self.wait_published(live, 500)
        self.kafka.kill()

        def beyond():
            journal = live.status()["journal"]
            self.assertLessEqual(journal["memory_bytes"], 6 * MB)
            return journal["segments_on_disk_only"] >= 8

        livecore.wait_for(beyond, lambda: f"more than memory holds: {live.status()}", livecore.LONG_S * 2)
        self.kafka.restart()
        stream, count = live.status()["stream"], self.accepted(live)
        server.kill()
        self.all_arrive(live)
        for_room = {"memory", "queue_full", "queue_oldest", "queue_newest"} & set(live.feeder("alpaca")["dropped"])
        self.assertEqual(for_room, set())
        self.check_market({stream: count})

    def test_too_old_for_a_restart(self):
        server, live = self.without_kafka(1000, 5000)
        self.accepted(live)
        self.kill(live)
        server.kill()
        shown = self.shown()
        self.kafka.restart()
        live = self.start(server, {"journal.restart_max_age": "1ms"}, ready=False)
        self.all_arrive(live)
        live.stop()
        events = livecore.read_all(self.broker, self.name("events"))
        gaps = [e.value["data"] for e in events if e.value["type"] == "gap_opened" and e.value["data"]["cause"] == "too_old"]
        told, in_files = sum(gap["records"] for gap in gaps), shown["topics"]["market_data"]["unmarked"]
        self.assertGreaterEqual(told, in_files)
        self.assertLessEqual(told, in_files + shown["memory"]["records"])  # events among them
        self.assertEqual({name for gap in gaps for name in gap["symbols"]}, set(SYMBOLS))

    def test_at_its_size_limit(self):
        server = self.sim("alpaca", "--rate", "8000")
        settings = {"kafka.buffer": "2MB", "kafka.in_flight": "1MB", "journal.max_bytes": "16MB"}
        live = self.start(server, settings)
        self.follow("p", SYMBOLS)
        self.wait_published(live, 500)
        self.kafka.kill()
        livecore.wait_for(
            lambda: live.status()["journal"]["lost"] > 0, lambda: f"given up: {live.status()}", livecore.LONG_S * 2
        )
        self.assertLessEqual(live.status()["journal"]["disk_bytes"], 16 * MB)
        server.kill()
        self.kafka.restart()
        self.all_arrive(live)
        live.stop()
        records = livecore.read_all(self.broker, self.name("market_data"))
        events = livecore.read_all(self.broker, self.name("events"))
        gaps = [e.value["data"] for e in events if e.value["type"] == "gap_opened" and e.value["data"]["cause"] == "journal_full"]
        missing = {}
        last = {}
        for record in records:
            key = (record.value["symbol"], record.value["kind"])
            hole = record.value["seq"] - last.get(key, 0) - 1 - record.value["conflated"]
            missing[key[0]] = missing.get(key[0], 0) + max(hole, 0)
            last[key] = max(record.value["seq"], last.get(key, 0))
        self.assertEqual(sum(gap["records"] for gap in gaps), sum(missing.values()))
        self.assertEqual({s for gap in gaps for s in gap["symbols"]}, {s for s, n in missing.items() if n})

    def test_a_second_process(self):
        server = self.sim("alpaca")
        live = self.start(server)
        other = tempfile.mkdtemp(prefix="livecore-state-")
        self.addCleanup(shutil.rmtree, other, ignore_errors=True)
        where = {"kafka.brokers": self.broker, "state.dir": other, "journal.dir": str(self.dir)}
        done = livecore.tool("run", *livecore.words(livecore.SETTINGS | where))
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn(f"process {live.pid}", done.stderr)
        self.assertIn(str(self.dir), done.stderr)
        self.assertEqual(self.shown()["held_by"], str(live.pid))

    def test_shown_and_damaged(self):
        server, live = self.without_kafka(1000, 1500)
        self.assertEqual(self.journal("--verify").returncode, 0, "beside the process that has it")
        accepted, stream = self.accepted(live), live.status()["stream"]
        self.assertEqual(self.shown()["memory"]["state"], "in_use")
        self.kill(live)
        self.assertEqual(self.journal("--verify").returncode, 0)
        shown = self.shown()
        waiting = shown["topics"]["market_data"]["records"] + shown["memory"]["records"]
        self.assertGreaterEqual(waiting, accepted, "on disk, or in the memory that outlived it")
        self.assertIn(f"in memory alone: {shown['memory']['records']} records", self.journal().stdout)
        self.assertEqual(self.shown("--memory-dir", self.state)["memory"], {"state": "none", "records": 0, "bytes": 0})
        self.assertIn("its process did not end in order", self.journal().stdout)
        name = next(file["file"] for file in self.shown()["files"] if file["records"])
        before = self.shown()["records"]
        with open(self.dir / name, "r+b") as file:
            file.seek(8192 + 20000)
            file.write(b"XXXXXXXX")
        done = self.journal("--verify")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("damaged", done.stdout)
        self.assertLess(self.shown()["records"], before)
        done = livecore.tool("journal", str(self.dir / "not-there"))
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        done = livecore.tool("journal", "/")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("there is no log in this folder", done.stderr)
        self.kafka.restart()
        live = self.start(server, {"journal.memory_dir": ""})  # where all of it still stands
        server.kill()
        self.all_arrive(live)
        self.assertEqual(live.stop(), 0, live.text)
        arrived = livecore.read_all(self.broker, self.name("market_data"))
        self.assertLess(sum(record.value["stream"] == stream for record in arrived), accepted)
        self.damage_is_said()

    def damage_is_said(self):
        """Records behind a torn one, when nobody knows whose: a gap of all of that time, and an alert."""
        events = [e.value["data"] for e in livecore.read_all(self.broker, self.name("events")) if e.value["type"] == "gap_opened"]
        gaps = [gap for gap in events if gap["cause"] == "journal_damaged"]
        self.assertEqual([(gap["symbols"], gap["count"]) for gap in gaps], [([], 0)])
        found = [e.value["data"] for e in livecore.read_all(self.broker, self.name("notifications"))]
        self.assertEqual([d["alert_type"] for d in found if d.get("cause") == "journal_damaged"], ["gap"])

    def test_stopped_without_kafka(self):
        server = self.sim("alpaca", "--rate", "500")
        live = self.start(server, {"shutdown.timeout": "1s"})
        self.follow("p", SYMBOLS)
        self.wait_published(live, 300)
        self.kafka.kill()
        self.wait_published(live, 2000)
        self.assertEqual(live.stop(), 1, live.text)
        kept = int(live.expect(r"kept_for_next_start=(\d+)")[1])
        self.assertGreater(kept, 1000)
        shown = self.shown()
        self.assertEqual((shown["unmarked"], shown["clean"]), (kept, True))
        self.kafka.restart()
        live = self.start(server)
        self.assertEqual(live.status()["journal"]["found"], kept)
        server.kill()
        self.all_arrive(live)
        self.assertEqual(livecore.holes(livecore.read_all(self.broker, self.name("market_data"))), [])


class Disks(Journal):
    def small_disk(self, size):
        where = tempfile.mkdtemp(prefix="livecore-disk-")
        self.addCleanup(shutil.rmtree, where, ignore_errors=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", where], capture_output=True)
        if done.returncode != 0:
            raise unittest.SkipTest("a file system of fixed size needs the right to mount one")
        self.addCleanup(subprocess.run, ["umount", "-l", where])
        return Path(where)

    def unprotected_events(self):
        events = livecore.read_all(self.broker, self.name("notifications"))
        data = [event.value["data"] for event in events]
        return [d["alert_type"] for d in data if "unprotected" in (d["alert_type"], d.get("resolves"))]

    def test_full(self):
        disk = self.small_disk("12m")
        server = self.sim("alpaca", "--rate", "2000")
        filler = disk / "filler"
        live = self.start(server, {"journal.dir": str(disk / "journal"), "kafka.buffer": "16MB", "kafka.in_flight": "8MB"})
        self.follow("p", SYMBOLS)
        self.wait_published(live, 500)
        with open(filler, "wb") as file:
            try:
                while True:
                    file.write(b"x" * 65536)
                    file.flush()
            except OSError:
                pass
        self.kafka.kill()  # the files that are there would do for ever
        livecore.wait_for(
            lambda: not live.status()["journal"]["protected"], lambda: f"unprotected: {live.status()}", livecore.LONG_S * 2
        )
        self.kafka.restart()
        count = live.status()["published"]
        self.wait_published(live, count + 3000)
        filler.unlink()
        livecore.wait_for(lambda: live.status()["journal"]["protected"], lambda: f"protected again: {live.status()}")
        server.kill()
        self.all_arrive(live)
        self.assertEqual(live.stop(), 0, live.text)
        records = livecore.read_all(self.broker, self.name("market_data"))
        self.assertEqual(livecore.holes(records), [])
        marked = [r for r in records if "unprotected" in r.value.get("flags", [])]
        self.assertGreater(len(marked), 0)
        self.assertLess(len(marked), len(records))
        self.assertEqual(self.unprotected_events()[:2], ["unprotected", "resolved"])

    def hanging(self, files=""):
        """The environment in which files of its log (those whose names begin so) hang, and the file that makes them."""
        layer, flag = Path(self.state) / "hang.so", Path(self.state) / "hang"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", layer, HANG_SOURCE, "-ldl"], check=True)
        env = {"LD_PRELOAD": str(layer), "HANG_DIR": str(self.dir) + files, "HANG_WHILE": str(flag)}
        env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        return env, flag

    def start_that_hangs(self, env):
        """A process that cannot read the log it finds, and the address at which it says so."""
        where = {"kafka.brokers": self.broker, "state.dir": self.state, "routing.feeders": "fushu"}
        settings = livecore.SETTINGS | self.topics() | where
        live = livecore.Process([livecore.LIVECORE, "run", *livecore.words(settings)], env=env, cwd="/")
        self.addCleanup(live.stop, signal.SIGKILL)
        url = "http://127.0.0.1:" + live.expect(r"http listening .*port=(\d+)")[1]
        self.assertEqual(livecore.get(url + "/livez")[0], 200)
        return live, url

    def test_hung_at_the_start(self):
        env, flag = self.hanging("/0")
        _, live = self.without_kafka(1000, 2000)
        self.kill(live)
        flag.touch()
        live, url = self.start_that_hangs(env)
        live.process.send_signal(signal.SIGHUP)
        live.process.send_signal(signal.SIGTERM)
        self.assertEqual(live.process.wait(livecore.LONG_S), 128 + signal.SIGTERM, "it never began")
        live, url = self.start_that_hangs(env)
        live.process.send_signal(signal.SIGHUP)
        code, body = livecore.get(url + "/readyz")
        self.assertEqual(code, 503)
        self.assertRegex(json.loads(body)["checks"]["journal"]["reason"], r"reading .*: 0 of [1-9]\d* files")
        self.assertEqual(livecore.get(url + "/api/v1/status")[0], 503)
        done = livecore.tool("status", "--url", url)
        self.assertEqual(done.returncode, 1)
        self.assertIn("0 of", done.stdout)
        self.assertNotIn("manager started", live.text)
        flag.unlink()
        live.expect("manager started")
        found = livecore.wait_for(lambda: livecore.get(url + "/api/v1/status"), "an answer")
        self.assertEqual(found[0], 200)
        self.assertGreater(json.loads(found[1])["journal"]["found"], 0)

    def test_hung(self):
        env, flag = self.hanging()
        server = self.sim("alpaca", "--rate", "1000")
        live = self.start(server, env=env)
        self.follow("p", SYMBOLS)
        self.wait_published(live, 500)
        flag.touch()
        livecore.wait_for(lambda: not live.status()["journal"]["protected"], lambda: f"unprotected: {live.status()}")
        sent = live.status()["kafka"]["acknowledged"]
        livecore.wait_for(
            lambda: live.status()["kafka"]["acknowledged"] >= sent + 4000, lambda: f"ticks go on: {live.status()}"
        )
        flag.unlink()
        livecore.wait_for(lambda: live.status()["journal"]["protected"], lambda: f"protected again: {live.status()}")
        server.kill()
        self.all_arrive(live)
        self.assertEqual(live.stop(), 0, live.text)
        self.assertEqual(livecore.holes(livecore.read_all(self.broker, self.name("market_data"))), [])
        self.assertEqual(self.unprotected_events(), ["unprotected", "resolved"])


def load_tests(loader, _tests, _pattern):
    """Disks inherits what tests need, and not the tests."""
    suite = unittest.TestSuite(loader.loadTestsFromTestCase(Journal))
    suite.addTests(Disks(name) for name in ("test_full", "test_hung", "test_hung_at_the_start"))
    return suite


if __name__ == "__main__":
    livecore.main()
