"""livecore demo, as a person and as a script runs it.

usage: demo_test.py LIVECORE [unittest options]
"""

import json
import os
import pty
import signal
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import livecore  # noqa: E402
import machine  # noqa: E402

END_S = 5.0  # what Ctrl-C may take, with sanitizers
PATIENT = ("--set", "shutdown.timeout=1m")  # a busy machine may need longer than the 2 s of a demo to deliver everything


class Demo(unittest.TestCase):
    def demo(self, *args):
        made = livecore.Process([livecore.LIVECORE, "demo", *args], cwd="/")
        self.addCleanup(lambda: made.process.poll() is None and made.stop(signal.SIGKILL))
        return made

    def test_ends_by_itself(self):
        done = livecore.tool("demo", "--for", "4s", "--json", *PATIENT, within_s=livecore.LONG_S * 2)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 1, done.stdout)
        figures = json.loads(lines[0])
        self.assertLessEqual({"published", "acknowledged", "unacknowledged", "reconnects", "dropped"}, figures.keys())
        self.assertGreater(figures["published"], 20)
        self.assertEqual(figures["published"], figures["acknowledged"])
        self.assertEqual((figures["unacknowledged"], figures["reconnects"]), (0, 0))
        self.assertIsInstance(figures["dropped"], dict)
        self.assertEqual(set(figures["dropped"]) - {"duplicate", "stale", "no_price"}, set())

    def test_interrupted(self):
        demo = self.demo(*PATIENT)
        broker = demo.expect(r"broker=(\S+)")[1]
        demo.expect(r"kcat -C -b \S+ -t ginkgo.live.market.data")
        line = demo.expect(r"(?m)^(?=.*published=)\S+=.*\n")[0]
        for word in line.split():
            self.assertIn("=", word)
        topic = livecore.Topic(broker, "ginkgo.live.market.data")
        self.addCleanup(topic.stop)
        markets = ("us", "cn", "hk")
        for market in markets:
            topic.wait(lambda record, m=market: record.value["market"] == m, f"prices of {market}")
        machine.soonest(END_S, lambda: self.interrupted_s(demo if demo.process.poll() is None else self.demo(*PATIENT)))

    def interrupted_s(self, demo):
        """How long it takes to end."""
        demo.expect(r"published=")
        started = time.monotonic()
        self.assertEqual(demo.stop(signal.SIGINT), 0, demo.text)
        took_s = time.monotonic() - started
        self.assertRegex(demo.text, r"ended: published=\d+ acknowledged=\d+ unacknowledged=0 ")
        return took_s

    def test_interrupted_twice(self):
        """A second Ctrl-C does not wait for anything."""
        demo = self.demo("--set", "shutdown.timeout=5m")
        demo.expect(r"published=")
        demo.send(signal.SIGINT)
        demo.send(signal.SIGINT)
        demo.wait()
        self.assertNotIn("Sanitizer", demo.text)

    def test_tape(self):
        tapes = livecore.ROOT / "tests" / "data"
        done = livecore.tool(
            "demo", "--tape", "--tape-dir", tapes, "--speed", "max", "--for", "4s", "--json", *PATIENT, within_s=livecore.LONG_S * 2
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        figures = json.loads(done.stdout)
        self.assertGreater(figures["published"], 100)
        self.assertEqual(figures["unacknowledged"], 0)

    def test_terminal(self):
        """On a terminal: a live table of symbols, drawn in place."""
        leader, follower = pty.openpty()
        environment = livecore.environment({"TERM": "xterm", "LINES": "40", "COLUMNS": "140"})
        pid = os.fork()
        if pid == 0:
            os.setsid()
            for descriptor in range(3):
                os.dup2(follower, descriptor)
            os.close(leader)
            os.execve(livecore.LIVECORE, [livecore.LIVECORE, "demo", "--for", "4s", *PATIENT], environment)
        os.close(follower)
        seen, end = b"", time.monotonic() + livecore.LONG_S * 2
        while time.monotonic() < end:
            try:
                data = os.read(leader, 65536)
            except OSError:
                break
            if not data:
                break
            seen += data
        os.close(leader)
        self.assertEqual(os.waitpid(pid, 0)[1], 0, seen[-3000:])
        for text in (b"\x1b[", b"AAPL", b"600000.SH", b"00700.HK", b"alpaca", b"unacknowledged=0"):
            self.assertIn(text, seen)

    def test_a_simulator_that_does_not_start(self):
        """Said, with its name, within the time that it has; one that ends at once is said at once."""
        tapes = Path(self.directory())
        day = tapes / "day-us-ibm-20131011-tick-trades.csv"
        os.mkfifo(day)  # who opens it waits for ever
        (tapes / "day-cn-sh688293-20230323-snapshots.csv").write_text("no tape\n")
        command = ["demo", "--tape", "--tape-dir", tapes, "--for", "1s"]
        done = livecore.tool(*command, within_s=livecore.LONG_S)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"a simulator ended before it listened .*: .*eastmoney")
        os.unlink(tapes / "day-cn-sh688293-20230323-snapshots.csv")
        os.mkfifo(tapes / "day-cn-sh688293-20230323-snapshots.csv")
        done = livecore.tool(*command, "--start-timeout", "3s", within_s=livecore.LONG_S)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"did not listen in time:.* alpaca eastmoney(?: fushu)?(?: tencent)?; --start-timeout gives them longer")

    def directory(self):
        made = tempfile.TemporaryDirectory(prefix="livecore-demo-test-")
        self.addCleanup(made.cleanup)
        return made.name


if __name__ == "__main__":
    livecore.main()
