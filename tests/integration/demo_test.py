"""livecore demo, as a person and as a script runs it.

usage: demo_test.py LIVECORE [unittest options]
"""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import tempfile
import termios
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import livecore  # noqa: E402
import machine  # noqa: E402

END_S = 5.0  # what Ctrl-C may take, with sanitizers
PATIENT = ("--set", "shutdown.timeout=1m")  # a busy machine may need longer than the 2 s of a demo to deliver everything


class Demo(unittest.TestCase):
    def demo(self, *args, env=None):
        made = livecore.Process([livecore.LIVECORE, "demo", *args], env=env, cwd="/")
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

    def test_terminated_twice(self):
        """timeout(1) signals the process and then its group: that is one stop, and it loses nothing."""
        demo = self.demo(*PATIENT)
        demo.expect(r"published=[1-9]")
        demo.send(signal.SIGTERM)
        time.sleep(0.01)
        demo.send(signal.SIGTERM)
        self.assertEqual(demo.wait(), 0, demo.text)
        self.assertRegex(demo.text, r"ended: published=\d+ acknowledged=\d+ unacknowledged=0 ")

    def test_interrupted_without_a_kafka(self):
        """Kafka's client may go on for seconds with a broker that does not answer: it is not waited for."""
        machine.soonest(3.0, self.interrupted_without_a_kafka_s)  # 2 s, on a machine that does nothing else

    def interrupted_without_a_kafka_s(self):
        demo = self.demo("--brokers", "127.0.0.1:1")
        demo.expect(r"published=[1-9]")
        time.sleep(3)  # it asks again then
        started = time.monotonic()
        self.assertEqual(demo.stop(signal.SIGINT), 1, demo.text)
        self.assertRegex(demo.text, r"ended: published=\d+ acknowledged=0 unacknowledged=[1-9]")
        return time.monotonic() - started

    def test_interrupted_while_it_starts(self):
        """Nothing of it stays, neither a simulator nor a directory."""
        tapes = Path(self.directory())
        os.mkfifo(tapes / "day-us-ibm-20131011-tick-trades.csv")  # who opens it waits for ever
        state = Path(self.directory())
        demo = self.demo("--tape", "--tape-dir", tapes, env={"TMPDIR": str(state)})
        children = Path(f"/proc/{demo.pid}/task/{demo.pid}/children")
        livecore.wait_for(children.read_text, "a simulator")
        self.assertEqual(len(list(state.iterdir())), 1)
        self.assertEqual(demo.stop(signal.SIGINT), 128 + signal.SIGINT, demo.text)
        self.assertEqual(list(state.iterdir()), [])

    def test_for_no_time(self):
        done = livecore.tool("demo", "--for", "0s", "--json", *PATIENT, within_s=livecore.LONG_S)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["unacknowledged"], 0)

    def test_tape(self):
        tapes = livecore.ROOT / "tests" / "data"
        done = livecore.tool(
            "demo", "--tape", "--tape-dir", tapes, "--speed", "max", "--for", "4s", "--json", *PATIENT, within_s=livecore.LONG_S * 2
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        figures = json.loads(done.stdout)
        self.assertGreater(figures["published"], 100)
        self.assertEqual(figures["unacknowledged"], 0)

    def test_tape_says_what_is_on_it(self):
        """Nothing of the present: no price of today as yesterday's close of a day in 2013."""
        tapes = livecore.ROOT / "tests" / "data"
        demo = self.demo("--tape", "--tape-dir", tapes, *PATIENT)
        topic = livecore.Topic(demo.expect(r"broker=(\S+)")[1], "ginkgo.live.market.data")
        self.addCleanup(topic.stop)
        record = topic.wait(lambda r: r.value["symbol"] == "IBM" and r.value["kind"] == "trade", "a trade of IBM")[0].value
        self.assertTrue(record["timestamp"].startswith("2013-10-11"), record)
        self.assertEqual(record["received_at"], record["timestamp"])
        self.assertNotIn("prev_close", record)
        self.assertEqual(demo.stop(signal.SIGINT), 0, demo.text)

    def test_tape_on_a_terminal(self):
        """A tick is as old as it is here, whatever year the tape is of."""
        seen, status = self.on_terminal("--tape", "--tape-dir", str(livecore.ROOT / "tests" / "data"), "--for", "4s")
        self.assertEqual(status, 0, seen[-3000:])
        self.assertIn(b"IBM", seen)
        self.assertNotRegex(seen, rb"\d{5}\.\ds")

    def on_terminal(self, *args, term="xterm", env=None, rows=24, columns=80, hang_up_at=None, no_input=False):
        """What the demo wrote on a terminal of its own, and how it ended. It is hung up on when it wrote hang_up_at."""
        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        environment = {k: v for k, v in livecore.environment({"TERM": term} | (env or {})).items() if k not in ("LINES", "COLUMNS")}
        pid = os.fork()
        if pid == 0:
            os.setsid()
            fcntl.ioctl(follower, termios.TIOCSCTTY, 0)
            for descriptor in range(3):
                os.dup2(follower, descriptor)
            if no_input:
                os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
            os.close(leader)
            os.close(follower)
            os.execve(livecore.LIVECORE, [livecore.LIVECORE, "demo", *args, *PATIENT], environment)
        os.close(follower)
        seen, end = b"", time.monotonic() + livecore.LONG_S * 2
        while time.monotonic() < end and (hang_up_at is None or hang_up_at not in seen):
            if not select.select([leader], [], [], 1)[0]:
                continue
            try:
                data = os.read(leader, 65536)
            except OSError:
                break
            if not data:
                break
            seen += data
        os.close(leader)
        ended, status = os.waitpid(pid, os.WNOHANG)
        while not ended and time.monotonic() < end:
            time.sleep(0.05)
            ended, status = os.waitpid(pid, os.WNOHANG)
        if not ended:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        self.assertTrue(ended, f"it did not end: {seen[-3000:]}")
        return seen, status

    def test_terminal(self):
        """On a terminal: a live table of symbols, drawn in place."""
        seen, status = self.on_terminal("--for", "4s", rows=40, columns=140)
        self.assertEqual(status, 0, seen[-3000:])
        for text in (b"\x1b[", b"AAPL", b"600000.SH", b"00700.HK", b"alpaca", b"unacknowledged=0"):
            self.assertIn(text, seen)

    def test_colours(self):
        """Up and down have colours, unless NO_COLOR asks for none."""
        seen, status = self.on_terminal("--for", "3s")
        self.assertEqual(status, 0, seen[-3000:])
        self.assertRegex(seen, rb"\x1b\[3[12]m")
        seen, status = self.on_terminal("--for", "3s", env={"NO_COLOR": "1"})
        self.assertEqual(status, 0, seen[-3000:])
        self.assertNotRegex(seen, rb"\x1b\[3[12]m")

    def test_terminal_without_input(self):
        """What is shown follows where it goes to, not where keys come from."""
        seen, status = self.on_terminal("--for", "3s", no_input=True)
        self.assertEqual(status, 0, seen[-3000:])
        self.assertIn(b"Ctrl-C ends it", seen)

    def test_ordinary_terminal(self):
        """80 columns show every column of the table; what 24 lines leave out is said."""
        seen, status = self.on_terminal("--for", "3s")
        self.assertEqual(status, 0, seen[-3000:])
        for text in (b"change", b"age", b"bid", b"ask", b"more symbols in a taller window"):
            self.assertIn(text, seen)

    def test_narrow_terminal(self):
        """What does not fit is left out and never goes on in the next line."""
        seen, status = self.on_terminal("--for", "3s", columns=40)
        self.assertEqual(status, 0, seen[-3000:])
        for text in (b"price", b"change", b"age"):
            self.assertIn(text, seen)
        table = seen[: seen.rindex(b"ended:")]
        self.assertNotIn(b"ask", table)
        self.assertNotIn(b"reconnects", table)

    def test_dumb_terminal(self):
        """One that cannot be drawn on gets a line a second."""
        seen, status = self.on_terminal("--for", "3s", term="dumb")
        self.assertEqual(status, 0, seen[-3000:])
        self.assertRegex(seen, rb"followed=\d+ ticks=\d+ published=")
        self.assertNotIn(b"Ctrl-C ends it", seen)

    def test_terminal_that_is_closed(self):
        """Its window was closed: nobody looks any more, and nothing of it may stay."""
        self.on_terminal(hang_up_at=b"AAPL")

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
