"""What the scenarios of the fault lab play on: a real Kafka behind a proxy, simulators that write down what they send,
livecore in as many lives as it takes, a namespace of its own where the machine allows, and disks that fill up or hang.
"""

import contextlib
import http.client
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib")]
import check  # noqa: E402
import livecore  # noqa: E402
from proxy import Proxy  # noqa: E402

SAMPLE_S = 0.25
MEMORY = ("RssAnon", "RssShmem")
QUIET = "quiet:86400"
DROPPED = "livecore_feeder_dropped_total"


def us_symbols(count):
    """Symbols that are valid and not in any table: AAA, AAB …"""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return [letters[n // 676 % 26] + letters[n // 26 % 26] + letters[n % 26] for n in range(count)]


class Namespace:
    """A network namespace with one link to ours, which can be cut without a word to either side."""

    def __init__(self):
        number = os.getpid()
        self.name, self.link = f"lc{number}", f"lc{number % 100000}"
        base = f"10.{64 + number % 64}.{number // 64 % 256}"
        self.outside, self.inside = f"{base}.1", f"{base}.2"
        self._ip("netns", "add", self.name)
        try:
            self._ip("link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", self.name)
            self._ip("addr", "add", f"{self.outside}/30", "dev", self.link)
            self._ip("link", "set", self.link, "up")
            for words in (["addr", "add", f"{self.inside}/30", "dev", "eth0"], ["link", "set", "eth0", "up"]):
                self._ip("-n", self.name, *words)
            self._ip("-n", self.name, "link", "set", "lo", "up")
        except subprocess.CalledProcessError:
            self.remove()
            raise

    @staticmethod
    def _ip(*words):
        subprocess.run(["ip", *words], check=True, capture_output=True)

    @staticmethod
    def make():
        """None where the machine does not allow it."""
        try:
            return Namespace()
        except (OSError, subprocess.CalledProcessError):
            return None

    def cut(self, down=True):
        self._ip("link", "set", self.link, "down" if down else "up")

    def remove(self):
        with contextlib.suppress(subprocess.CalledProcessError):
            self._ip("netns", "del", self.name)


class SmallDisk:
    """A tmpfs of fixed size; fill() leaves no byte free."""

    def __init__(self, megabytes):
        self.path = Path(tempfile.mkdtemp(prefix="livecore-disk-"))
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "livecore", self.path], capture_output=True
        )
        self.mounted = done.returncode == 0

    def fill(self):
        with open(self.path / "filler", "wb", buffering=0) as file:
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))

    def free(self):
        (self.path / "filler").unlink()

    def remove(self):
        if self.mounted:
            subprocess.run(["umount", "-l", self.path], check=False)
        shutil.rmtree(self.path, ignore_errors=True)


def _layer(directory, source):
    """A library for LD_PRELOAD."""
    made = directory / source.replace(".c", ".so")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", made, HERE / source, "-ldl"], check=True)
    return str(made)


class Clock:
    """The wall clock of a process under env, which can be set."""

    def __init__(self):
        self.base = Path(tempfile.mkdtemp(prefix="livecore-clock-"))
        self.file = self.base / "off"
        self.set(0)
        self.env = {"LD_PRELOAD": _layer(self.base, "jump.c"), "JUMP_FILE": str(self.file)}

    def set(self, seconds):
        """So far off the right time."""
        with open(self.file, "r+b" if self.file.exists() else "wb") as file:  # not truncated: it is mapped
            file.write(struct.pack("q", seconds))

    def remove(self):
        shutil.rmtree(self.base, ignore_errors=True)


class HungDisk:
    """A folder in which nothing that a process under env writes comes back while it hangs."""

    def __init__(self):
        self.base = Path(tempfile.mkdtemp(prefix="livecore-hung-"))
        self.path = self.base / "disk"
        self.path.mkdir()
        self.flag = self.base / "hung"
        self.env = {"LD_PRELOAD": _layer(self.base, "hang.c"), "HANG_DIR": str(self.path), "HANG_WHILE": str(self.flag)}

    def hang(self):
        self.flag.touch()

    def free(self):
        self.flag.unlink(missing_ok=True)

    def remove(self):
        self.free()
        shutil.rmtree(self.base, ignore_errors=True)


class Life(livecore.Manager):
    """One livecore process. What it holds is looked at all the time, what it dropped is remembered."""

    def __init__(self, settings, prefix=(), host="127.0.0.1", env=None):
        command = [*prefix, livecore.LIVECORE, "run", *livecore.words(livecore.SETTINGS | settings)]
        livecore.Process.__init__(self, command, env=env, cwd="/")
        self.host, self.url = host, None
        self.peak_kb, self.samples, self.drops = 0, [], {}
        self.sampler = threading.Thread(target=self._sample, daemon=True)
        self.sampler.start()

    def listening(self):
        self.url = f"http://{self.host}:" + self.expect(r"http listening .*port=(\d+)")[1]
        self.expect("manager started ")

    def _sample(self):
        while self.process.poll() is None:
            with contextlib.suppress(OSError, IndexError, StopIteration):
                status = Path(f"/proc/{self.pid}/status").read_text().splitlines()
                held = sum(int(line.split()[1]) for line in status if line.startswith(MEMORY))
                fds = len(os.listdir(f"/proc/{self.pid}/fd"))
                self.peak_kb = max(self.peak_kb, held)
                self.samples.append((time.monotonic(), held, fds))
            self.look_at_drops()
            time.sleep(SAMPLE_S)

    def look_at_drops(self):
        if self.url is None:
            return
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):  # killed in mid-answer
            for name, value in self.metrics().items():
                if name.startswith(DROPPED) and value > 0:
                    words = name.split('"')
                    self.drops[(words[1], words[3])] = int(value)

    def kill(self):
        self.process.kill()
        self.wait()
        self.sampler.join()


class Stage:
    """A Kafka for all scenarios of a run; each has topics of its own."""

    def __init__(self, out):
        self.out = out  # where logs go that somebody may want to read
        self.number = 0
        self.namespace = Namespace.make()
        self.host = self.namespace.outside if self.namespace else "127.0.0.1"
        self.proxy = Proxy("127.0.0.1", 0, self.host)
        self.kafka = livecore.Kafka("--through", self.proxy.address)
        behind = self.kafka._run("address", "--through").strip()
        self.proxy.target = ("127.0.0.1", int(behind.rpartition(":")[2]))

    def close(self):
        self.kafka.stop()
        self.proxy.stop()
        if self.namespace:
            self.namespace.remove()

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.close()


class Scene:
    """One scenario's livecore, simulators and topics."""

    def __init__(self, stage, name, vendors, rate, symbols, settings=None, where="direct", quotes=False, env=None):
        """where: livecore meets Kafka "direct", through the "proxy", or from a "namespace" of its own."""
        stage.number += 1
        self.stage, self.name, self.where, self.rate = stage, name, where, rate
        self.prefix = f"lab{os.getpid()}-{stage.number}."
        self.state = Path(tempfile.mkdtemp(prefix="livecore-lab-"))
        self.lives, self.sims, self.proxies, self.symbols = [], {}, {}, symbols
        self.recovery_s, self.env = None, env or {}
        self.said, self.notes = [], []  # for people; what went wrong
        self.wanted = {}  # what the judge must have counted, at least
        self.bind = stage.host if where == "namespace" else "127.0.0.1"
        for vendor in vendors:
            self._simulator(vendor)
        self.settings = self._settings(vendors, quotes) | (settings or {})

    def _simulator(self, vendor):
        options = ["--bind", self.bind, "--rate", str(self.rate), "--sent", str(self.state / f"sent-{vendor}")]
        sim = self.sims[vendor] = livecore.Sim(vendor, *options)
        self.proxies[vendor] = Proxy(self.bind, int(sim.origin.rpartition(":")[2]), self.bind)

    def _settings(self, vendors, quotes):
        topics = {f"topics.{name}": f"{self.prefix}{name}" for name in livecore.TOPICS.split()}
        brokers = self.stage.kafka.brokers if self.where == "direct" else self.stage.proxy.address
        made = topics | {"state.dir": str(self.state / "state"), "kafka.brokers": brokers, "bars.enabled": "false"}
        made |= {"routing.feeders": ",".join(vendors), "alpaca.quotes": str(quotes).lower()}
        made["routing.routes"] = ",".join(
            f"{pattern}={vendor}"
            for vendor, pattern in (("eastmoney", "*.SH"), ("tencent", "*.SZ"), ("fushu", "*.HK"), ("alpaca", "*"))
            if vendor in vendors
        )
        for vendor, proxy in self.proxies.items():
            address = f"http://{proxy.address}"
            made |= {
                "alpaca": {
                    "alpaca.url": f"ws://{proxy.address}/v2/iex",
                    "alpaca.data_url": address,
                    "alpaca.allow_insecure": "true",
                },
                "eastmoney": {"eastmoney.url": address, "eastmoney.mpi": "100ms", "eastmoney.ban_wait": "2s"},
                "tencent": {"tencent.url": address, "tencent.poll_interval": "100ms", "tencent.ban_wait": "2s"},
                "fushu": {"fushu.url": address + "/v1", "fushu.poll_interval": "100ms"},
            }[vendor]
        if self.where == "namespace":
            made["http.address"] = f"{self.stage.namespace.inside}:0"
        return made

    # Livecore.

    @property
    def live(self):
        return self.lives[-1]

    def begin(self, wait=True):
        """A new life of livecore; it follows what it followed before."""
        space = self.stage.namespace if self.where == "namespace" else None
        prefix = ("ip", "netns", "exec", space.name) if space else ()
        host = space.inside if space else "127.0.0.1"
        self.lives.append(Life(self.settings, prefix, host, livecore.ALPACA_KEY | self.env))
        if wait:
            self.live.listening()
            livecore.wait_for(lambda: self.feeders_up(), lambda: f"feeders up:\n{self.live.text}")

    def feeders_up(self):
        feeders = self.live.status()["feeders"]
        return all(f["state"] == "CONNECTED" for f in feeders if f["name"] in self.sims)

    def start(self):
        (self.state / "state").mkdir(exist_ok=True)
        self.begin()
        self.live.wait_ready()
        writer = livecore.Writer(self.stage.kafka.brokers, self.prefix + "interest")
        update = {"portfolio_id": "lab", "node_id": "lab", "symbols": self.symbols, "update_type": "replace"}
        writer.send("lab", update | {"timestamp": livecore.now()})
        self.live.wait_followed(len(self.symbols))
        self.run_on(ticks=min(self.rate, 500))

    def ticks(self):
        return sum(feeder["ticks"] for feeder in self.live.status()["feeders"])

    def run_on(self, ticks=None, seconds=None):
        """Until so many more ticks came in, or for so long."""
        if seconds is not None:
            time.sleep(seconds)
            return
        wanted = self.ticks() + ticks
        livecore.wait_for(lambda: self.ticks() >= wanted, lambda: f"{wanted} ticks: {self.live.status()}")

    def without_kafka(self, seconds):
        """So long nothing may be confirmed, but what was on its way: else the fault was none."""
        before = self.live.status()["acknowledged"]
        self.run_on(seconds=seconds)
        more = self.live.status()["acknowledged"] - before
        if more > self.rate * max(0.5, seconds / 2):
            self.notes.append(f"{more} ticks were confirmed while Kafka should have been away")

    def answers(self):
        try:
            return bool(livecore.get(self.live.url + "/api/v1/status", within_s=1))
        except OSError:
            return False

    def kill(self):
        """kill -9. What it dropped until now is looked at just before."""
        self.live.look_at_drops()
        self.live.kill()

    def caught_up(self, within_s=livecore.LONG_S):
        """Waits until Kafka has all but the last half second; how long that took is the recovery time."""
        begin = time.monotonic()
        self.run_on(ticks=1)  # what broke may have kept the vendor away, too
        most = max(self.rate / 2, 200)
        livecore.wait_for(
            lambda: self.live.status()["unacknowledged"] <= most, lambda: f"caught up: {self.live.status()}", within_s
        )
        self.recovered(time.monotonic() - begin)

    def speaks_again(self, since):
        """Ticks come; since then is the recovery time."""
        self.run_on(ticks=10)
        self.recovered(time.monotonic() - since)

    def recovered(self, seconds):
        self.recovery_s = max(self.recovery_s or 0, seconds)

    def quiet(self):
        """Nothing happens on the market any more, and what has happened has come in."""
        for sim in self.sims.values():
            sim.fault("clear")
            sim.fault(QUIET)
        time.sleep(0.5)

    def loud(self):
        for sim in self.sims.values():
            sim.fault("clear")

    # The end.

    def drain(self, within_s=livecore.LONG_S):
        """The market falls quiet; all that was sent comes in, and goes out."""
        self.quiet()
        for proxy in self.proxies.values():
            proxy.clear()
        same, last = 0, None

        def still():
            nonlocal same, last
            status = self.live.status()
            # Polls go on and say nothing new, so what counts is what goes out.
            now = (status["published"], status["unacknowledged"], sum(f["queue"]["length"] for f in status["feeders"]))
            same = same + 1 if now == last and now[1:] == (0, 0) and self.feeders_up() else 0
            last = now
            time.sleep(0.1)
            return same >= 15

        livecore.wait_for(still, lambda: f"drained: {self.live.status()}\n{self.live.text[-3000:]}", within_s)

    def end(self, stop=True):
        """Stops all; the judge's verdict."""
        if stop:
            self.live.look_at_drops()
            code = self.live.stop(within_s=livecore.LONG_S * 2)
            if code != 0:
                self.notes.append(f"livecore ended with {code}")
        self.close()
        drops = {}
        for life in self.lives:
            for (feeder, reason), count in life.drops.items():
                own = drops.setdefault(feeder, {})
                own[reason] = own.get(reason, 0) + count
        paths = [self.state / f"sent-{vendor}" for vendor in self.sims]
        brokers = self.stage.kafka.brokers
        judge = self._judge(paths, brokers, drops)
        for name, least in self.wanted.items():
            count = judge.gap_causes[name[4:]] if name.startswith("gap ") else judge.counts[name]
            if count < least:
                self.notes.append(f"{name}: {count}, and {least} should be")
        return judge

    def _judge(self, paths, brokers, drops):
        market = check.read_topic(brokers, self.prefix + "market_data")
        events = check.read_topic(brokers, self.prefix + "events")
        return check.check(paths, market, events, drops, set(self.symbols))

    def close(self):
        for life in self.lives:
            if life.process.poll() is None:
                life.kill()
        for sim in self.sims.values():
            if sim.process.poll() is None:
                sim.stop()
        for proxy in self.proxies.values():
            proxy.stop()
        self.proxies = {}

    def keep_logs(self):
        """For whoever has to find out why."""
        where = Path(self.stage.out) / self.name.replace(" ", "-")
        where.mkdir(parents=True, exist_ok=True)
        for number, life in enumerate(self.lives, 1):
            (where / f"livecore-{number}.log").write_text(life.text)
        for vendor in self.sims:
            shutil.copy(self.state / f"sent-{vendor}", where)
        return where

    def remove(self):
        self.close()
        livecore.remove_state(self.state)

    @property
    def peak_mb(self):
        return max((life.peak_kb for life in self.lives), default=0) / 1024
