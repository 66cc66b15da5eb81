#!/usr/bin/env python3
"""Everything that could hold the loop, at 10,000 ticks/s: 5,000 symbols are followed and followed again, /metrics is read, settings are
reloaded, three clients read slowly, bar_snapshot publishes them all within a second. No turn of the loop may take 5 ms of CPU time, and
memory stays bounded and flat.

Run with a build without sanitizers, whose CPU time is not livecore's: tools/test load."""
import itertools
import os
import re
import signal
import socket
import string
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import livecore
import machine

SYMBOLS = ["".join(letters) for letters in itertools.islice(itertools.product(string.ascii_uppercase, repeat=4), 5000)]
RATE = 10000
SECONDS = 20
TURN_MAX_S = 0.005
WIDE_TURN_MAX_S = 0.015  # of one message of 600 KB, which is read and parsed in one turn
CORE_MAX = 0.5  # of one, at this rate
MEMORY_MAX_KB = 100 * 1024
GROWTH_MAX_KB = 8 * 1024
TOOK_MAX_MS = 1000  # bar_snapshot of all symbols
QUIET_S = 0.1  # of both processors: when the host took more, one turn says nothing
TRIES = 3
WIDE_TRIES = 6
GAP_RATE = 2000  # ticks/s: what comes is little, so that a turn is long by what a gap adds
CUTS = 10
COMMANDS = 10


def anonymous_kb(pid):
    """Memory that is no file's; the log's memory is shared with the next process, and counts as well."""
    status = Path(f"/proc/{pid}/status").read_text()
    return sum(int(re.search(rf"{kind}:\s+(\d+) kB", status)[1]) for kind in ("RssAnon", "RssShmem"))


def cpu_s(pid):
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def host_s():
    """What a machine below this one took of its processors: the kernel counts it as CPU time of whoever was running."""
    return int(Path("/proc/stat").read_text().split()[8]) / os.sysconf("SC_CLK_TCK")


def long_turns(manager, over_s=TURN_MAX_S):
    metrics, name = manager.metrics(), "livecore_loop_turn_cpu_seconds"
    return metrics[f"{name}_count"] - metrics[f'{name}_bucket{{le="{over_s}"}}']


def slow_client(port, request):
    """A client that asks and hardly reads."""
    client = socket.create_connection(("127.0.0.1", port))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client.sendall(request)
    return client


class Load(livecore.Case):
    KAFKA = ()

    def start(self):
        self.settings = Path(self.state) / "livecore.yaml"
        self.settings.write_text("queue: {policy: conflate}\n")
        self.server = self.sim("alpaca", "--rate", str(RATE), "--per-frame", "10")
        return self.run_livecore(livecore.alpaca(self.server), "--config", str(self.settings), env=livecore.ALPACA_KEY)

    def disturb(self, manager, round_number):
        """What a second of a busy day asks of the loop besides ticks."""
        for _ in range(2):
            livecore.get(manager.url + "/metrics")
        self.settings.write_text(f"queue: {{policy: {['conflate', 'drop_oldest'][round_number % 2]}}}\n")
        manager.send(signal.SIGHUP)
        if round_number % 2 == 0:
            self.follow("second", SYMBOLS if round_number % 4 == 0 else SYMBOLS[::2])

    def test_nothing_holds_the_loop(self):
        """A machine whose time others take counts that as ours, now and then: then it is tried again."""
        machine.one_of(TRIES, self.busy_day)

    def busy_day(self):
        manager = self.start()
        port = int(manager.url.rsplit(":", 1)[1])
        slow = [
            slow_client(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50),
            slow_client(port, b"GET /api/v1/status HTTP/1.1\r\nHost: x\r\n\r\n" * 50),
            slow_client(port, b"GET /metrics HTTP/1.1\r\nHost:"),
        ]
        self.follow("first", SYMBOLS)
        manager.wait_subscribed("alpaca", len(SYMBOLS))
        first, sent, used_s = manager.feeder("alpaca")["ticks"], self.server.stats()["ticks"], cpu_s(manager.pid)
        started, middle_kb, taken_s = time.monotonic(), 0, host_s()
        long = {"with a set of symbols": [], "without": []}  # how many turns took too long, in each second
        for number in range(SECONDS):
            before = long_turns(manager)
            self.disturb(manager, number)
            livecore.wait_for(lambda: time.monotonic() - started >= number + 1, "time")
            long["without" if number % 2 else "with a set of symbols"].append(long_turns(manager) - before)
            if number == SECONDS // 2:
                middle_kb = anonymous_kb(manager.pid)
        memory_kb, seconds = anonymous_kb(manager.pid), time.monotonic() - started
        sent, used_s = self.server.stats()["ticks"] - sent, cpu_s(manager.pid) - used_s
        feeder, metrics = manager.feeder("alpaca"), manager.metrics()
        turn_s = metrics["livecore_loop_longest_turn_cpu_seconds"]
        ticks = feeder["ticks"] - first
        print(f"longest turn {turn_s * 1000:.2f} ms, slice {metrics['livecore_loop_longest_slice_cpu_seconds'] * 1000:.2f} ms of CPU; "
              f"RssAnon and RssShmem {memory_kb / 1024:.0f} MB, {(memory_kb - middle_kb) / 1024:+.1f} MB in the second half; "
              f"{ticks / seconds:.0f} ticks/s of {sent / seconds:.0f} with {used_s / seconds:.2f} of a core; "
              f"the host took {host_s() - taken_s:.1f} s")
        for client in slow:
            client.close()
        self.assertEqual(manager.stop(), 0, manager.text)
        self.server.stop()
        if host_s() - taken_s < QUIET_S:
            self.assertLess(turn_s, TURN_MAX_S)
        for kind, counts in long.items():  # what is ours comes each time
            self.assertEqual(min(counts), 0, f"turns over {TURN_MAX_S} s in seconds {kind}: {counts}")
        self.assertLess(memory_kb, MEMORY_MAX_KB)
        self.assertLess(memory_kb - middle_kb, GROWTH_MAX_KB)
        self.assertGreater(ticks, 0.9 * sent, "it keeps up")
        self.assertLess(used_s / ticks * RATE, CORE_MAX)
        # Quotes before the first price; what the answer about a newly followed symbol repeats of its stream.
        self.assertLessEqual(set(feeder["dropped"]), {"no_price", "stale", "duplicate"})
        self.assertLessEqual(sum(feeder["dropped"].values()), len(SYMBOLS))


def waited_ms(pid):
    """How long the loop's thread was ready to run and others had the processors."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e6


def stolen_s():
    """The longest piece of CPU time that this machine puts on a thread that did nothing in it: what a host takes from its guests is counted so."""
    end, last, longest = time.monotonic() + 1, time.thread_time(), 0
    while time.monotonic() < end:
        now = time.thread_time()
        last, longest = now, max(longest, now - last)
    return longest


class Snapshot(livecore.Case):
    """bar_snapshot of 5,000 symbols while 10,000 ticks/s come."""

    KAFKA = ()

    def answer(self, number):
        body = {"command": "bar_snapshot", "request_id": f"s{number}", "params": {"frequency": "1d"}, "timestamp": livecore.now()}
        self.writer("control").send(body["request_id"], body)
        return self.events.event("command_result", request_id=body["request_id"], repeated=False)

    def one_command(self):
        """What the command took but for waiting for a processor, ticks meanwhile, and no turn that takes long."""
        manager = self.manager
        self.commands += 1
        long, waited = long_turns(manager), waited_ms(manager.pid)
        first, started = manager.feeder("alpaca")["ticks"], time.monotonic()
        answer = self.answer(self.commands)
        waited = waited_ms(manager.pid) - waited
        rate = (manager.feeder("alpaca")["ticks"] - first) / (time.monotonic() - started)
        result, long = answer["result"], long_turns(manager) - long
        print(f"bar_snapshot of {len(SYMBOLS)} symbols: {result['took_ms']} ms ({waited:.0f} ms without a processor), {rate:.0f} ticks/s "
              f"meanwhile; {long:.0f} turns over {TURN_MAX_S * 1000:.0f} ms of CPU")
        self.assertTrue(answer["ok"], answer)
        self.assertEqual((result["symbols"], result["published"]), (len(SYMBOLS), len(SYMBOLS)), result["missing_symbols"][:9])
        self.assertLess(result["took_ms"] - waited, TOOK_MAX_MS)
        self.assertGreater(rate, 0.5 * RATE, "ticks go on")
        self.assertEqual(long, 0)

    def test_five_thousand_symbols_in_a_second(self):
        """What is ours comes with each command; what others do to this machine does not."""
        self.commands = 0
        server = self.sim("alpaca", "--rate", str(RATE), "--per-frame", "10")
        self.manager = self.run_livecore(livecore.alpaca(server), env=livecore.ALPACA_KEY)
        self.events = self.read("events")
        self.follow("all", SYMBOLS)
        self.manager.wait_subscribed("alpaca", len(SYMBOLS))
        livecore.wait_for(lambda: self.manager.status()["bars"]["unseen"] == 0, lambda: self.manager.status()["bars"])
        machine.one_of(COMMANDS, self.one_command)


class Wide(livecore.Case):
    """One message that names 60,000 symbols, about as many as fit into a record, then half of them, then none."""

    NAMES = [f"{n:06d}.{venue}" for venue in ("SH", "SZ") for n in range(24000)]
    NAMES += ["".join(letters) for letters in itertools.islice(itertools.product(string.ascii_uppercase, repeat=4), 12000)]

    def test_sixty_thousand_symbols(self):
        machine.one_of(WIDE_TRIES, self.one_life)

    def one_life(self):
        server = self.sim("alpaca", "--rate", "100")
        manager = self.run_livecore(livecore.alpaca(server), env=livecore.ALPACA_KEY)
        manager.wait_state("alpaca", "CONNECTED")
        for names in (self.NAMES, self.NAMES[::2], []):
            self.follow("all", names)
            manager.wait_followed(len(names))
            count = sum(name[0].isalpha() for name in names)
            manager.wait_subscribed("alpaca", count)
        metrics, stolen = manager.metrics(), stolen_s()
        turn_s = metrics["livecore_loop_longest_turn_cpu_seconds"]
        print(f"60,000 symbols in a message: longest turn {turn_s * 1000:.2f} ms, slice "
              f"{metrics['livecore_loop_longest_slice_cpu_seconds'] * 1000:.2f} ms of CPU (the machine adds up to {stolen * 1000:.2f} ms)")
        self.assertEqual(manager.stop(), 0, manager.text)
        server.stop()
        self.assertLess(turn_s - stolen, WIDE_TURN_MAX_S)


class Gap(livecore.Case):
    """A session with 5,000 symbols breaks off while ticks flow: one gap is opened, ended, told to the bars and filled, piece by piece."""

    KAFKA = ()

    def gaps(self):
        return self.manager.feeder("alpaca")["gaps"]

    def cut(self):
        """Breaks the session off for a second, and waits until what it missed is there. No turn may take long meanwhile."""
        before, started, taken_s = self.gaps(), time.monotonic(), host_s()
        long = long_turns(self.manager, TURN_MAX_S)
        self.server.fault("drop,hold:1")
        livecore.wait_for(lambda: self.gaps()["filled"] == before["filled"] + len(SYMBOLS) and self.gaps()["filling"] == 0, self.gaps)
        long, gaps = long_turns(self.manager, TURN_MAX_S) - long, self.gaps()
        print(f"a gap of {len(SYMBOLS)} symbols: {long:.0f} turns over {TURN_MAX_S * 1000:.0f} ms of CPU; {gaps['ticks'] - before['ticks']} "
              f"ticks fetched, in {time.monotonic() - started:.1f} s; the host took {host_s() - taken_s:.1f} s")
        self.assertEqual((gaps["opened"], gaps["left"]), (before["opened"] + 1, 0))
        self.assertEqual(long, 0)

    def test_one_gap_of_five_thousand_symbols(self):
        """What is ours comes with each cut; what others do to this machine does not."""
        self.server = self.sim("alpaca", "--rate", str(GAP_RATE), "--per-frame", "10", "--linger", "60")
        self.manager = self.run_livecore(livecore.alpaca(self.server) | {"alpaca.rest_rate": "20"}, env=livecore.ALPACA_KEY)
        self.follow("all", SYMBOLS)
        self.manager.wait_subscribed("alpaca", len(SYMBOLS))
        livecore.wait_for(lambda: self.manager.status()["bars"]["unseen"] == 0, lambda: self.manager.status()["bars"])
        machine.one_of(CUTS, self.cut)


if __name__ == "__main__":
    livecore.main()
