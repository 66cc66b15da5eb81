"""Starts livecore, the vendors' simulators and a real Kafka for tests, and waits for what they do.

What is started here is stopped by its process id when the test is over, also when it failed. Nothing
sleeps for a fixed time: every wait is for a condition, and says in the end what did not come.
"""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
from decimal import Decimal
from pathlib import Path

import sim

ROOT = Path(__file__).resolve().parent.parent.parent
LIVECORE = ""
LONG_S = float(os.environ.get("LIVECORE_TEST_WAIT", 120))  # sanitizers on a busy machine

SETTINGS = {
    "http.address": "127.0.0.1:0",
    "node.id": "under-test",
    "calendar.always_open": "true",
    "kafka.fetch_wait": "20ms",
    "kafka.create_topics": "true",
    "kafka.metadata_interval": "1s",
    "supervisor.backoff_min": "50ms",
    "supervisor.backoff_max": "200ms",
    "supervisor.connect_rate": "100",
    "supervisor.connect_burst": "100",
}
ALPACA_KEY = {"LIVECORE_ALPACA_KEY": "demo-key", "LIVECORE_ALPACA_SECRET": "demo-secret"}
TOPICS = "market_data market_data_cn market_data_hk market_data_us bars interest control data_update events notifications"

_changed = threading.Condition()


def _notify():
    with _changed:
        _changed.notify_all()


def wait_for(condition, what, within_s=LONG_S):
    """The first true value of condition(), looked at whenever something came in, and 20 times a second."""
    end = time.monotonic() + within_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise AssertionError(f"not within {within_s} s: {what() if callable(what) else what}")
        with _changed:
            _changed.wait(0.05)


def need_venv():
    """Goes on under the Python of tools/python-venv, which has pydantic, websockets and the like."""
    if Path(sys.prefix).resolve() == sim.VENV.resolve():
        return
    made = subprocess.run([ROOT / "tools" / "python-venv"], stdout=sys.stderr)
    if made.returncode != 0:
        print("skipped: tools/python-venv failed")
        sys.exit(77)
    os.execv(sim.VENV / "bin" / "python", [str(sim.VENV / "bin" / "python"), *sys.argv])


def main():
    """usage of every test file here: FILE LIVECORE [unittest options]"""
    global LIVECORE
    LIVECORE = str(Path(sys.argv.pop(1)).resolve())
    os.environ.setdefault("LSAN_OPTIONS", f"suppressions={ROOT}/tests/lib/lsan.supp:print_suppressions=0")
    os.environ.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
    unittest.main(module="__main__", verbosity=2)


def environment(extra=None):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("LIVECORE_") or k == "LIVECORE_CACHE"}
    return clean | (extra or {})


def tool(*args, within_s=LONG_S, env=None):
    """A livecore command that ends by itself."""
    return subprocess.run(
        [LIVECORE, *args], env=environment(env), capture_output=True, text=True, timeout=within_s, cwd="/"
    )


def alpaca(server):
    """The settings of a livecore whose only vendor is this simulator of Alpaca; ALPACA_KEY is its key."""
    return {"routing.feeders": "alpaca", "alpaca.url": server.url, "alpaca.data_url": server.origin}


def fushu(server):
    return {"routing.feeders": "fushu", "fushu.url": server.url, "fushu.poll_interval": "50ms"}


def words(settings):
    return [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]


class Process:
    """A program whose output is collected, standard output and error together."""

    def __init__(self, args, env=None, cwd=None):
        self.text = ""
        self.process = subprocess.Popen(
            args,
            env=environment(env),
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while data := os.read(self.process.stdout.fileno(), 65536):
            self.text += data.decode(errors="replace")
            _notify()
        _notify()

    @property
    def pid(self):
        return self.process.pid

    def expect(self, pattern, within_s=LONG_S, after=0):
        """The match of pattern in what was printed, from its character `after` on."""

        def look():
            found = re.compile(pattern).search(self.text, after)
            if not found and not self.reader.is_alive():
                raise AssertionError(f"it ended without {pattern!r}; printed was:\n{self.text}")
            return found

        return wait_for(look, lambda: f"{pattern!r} in:\n{self.text}", within_s)

    def send(self, number):
        self.process.send_signal(number)

    def wait(self, within_s=LONG_S):
        code = self.process.wait(within_s)
        self.reader.join(within_s)
        self.process.stdin.close()
        self.process.stdout.close()
        return code

    def stop(self, number=signal.SIGTERM, within_s=LONG_S):
        """Its exit code after a signal; a sanitizer's report fails the test."""
        if self.process.poll() is None:
            self.send(number)
        try:
            code = self.wait(within_s)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGABRT)
            self.wait(within_s)
            raise AssertionError(f"it did not end within {within_s} s:\n{self.text}") from None
        if "Sanitizer" in self.text or "runtime error:" in self.text:
            raise AssertionError(self.text)
        return code


def get(url, within_s=30):
    """Status code and body, whatever the code."""
    try:
        with urllib.request.urlopen(url, timeout=within_s) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class Manager(Process):
    """livecore run, with its HTTP endpoint."""

    def __init__(self, settings, *args, env=None):
        super().__init__([LIVECORE, "run", *words(SETTINGS | settings), *args], env=env, cwd="/")
        self.url = "http://127.0.0.1:" + self.expect(r"http listening .*port=(\d+)")[1]
        self.expect("manager started ")  # before, while it reads a log, /livez answers alone

    @property
    def broker(self):
        return self.expect(r"embedded_broker address=(\S+)")[1]

    def ready(self):
        code, body = get(self.url + "/readyz")
        return code, json.loads(body)

    def status(self):
        return json.loads(get(self.url + "/api/v1/status")[1])

    def feeder(self, name):
        return next(feeder for feeder in self.status()["feeders"] if feeder["name"] == name)

    def metrics(self):
        """Every series by its name and labels, as text."""
        lines = get(self.url + "/metrics")[1].splitlines()
        return {k: float(v) for k, _, v in (line.rpartition(" ") for line in lines if line[0] != "#")}

    def wait_ready(self, within_s=LONG_S):
        """Ready, and hearing commands: one that is sent before is not heard."""

        def is_ready():
            try:
                code, body = self.ready()
            except OSError:  # it is only starting, or gone: then its text is what counts
                return False
            return code == 200 and body["checks"].get("control", {}).get("ok", True)

        wait_for(is_ready, lambda: f"ready: {self.text}", within_s)

    def wait_state(self, feeder, state, within_s=LONG_S):
        wait_for(lambda: self.feeder(feeder)["state"] == state, lambda: f"{state}: {self.feeder(feeder)}", within_s)

    def wait_subscribed(self, feeder, count, within_s=LONG_S):
        wait_for(
            lambda: self.feeder(feeder)["symbols"]["subscribed"] == count,
            lambda: f"{count} symbols: {self.feeder(feeder)}\n{self.text}",
            within_s,
        )

    def wait_followed(self, count, within_s=LONG_S):
        wait_for(lambda: self.status()["followed"] == count, lambda: f"{count} followed: {self.status()}", within_s)


class Sim(sim.Sim):
    """A vendor's simulator of the executable under test."""

    def __init__(self, vendor, *options):
        self.sent_path = None
        super().__init__([LIVECORE, "sim"], vendor, *options)

    def stop(self):
        if not self.process.stdin.closed:
            self.process.stdin.close()
        code = self.process.wait(LONG_S)
        self.process.stdout.close()
        assert code == 0, f"simulator ended with {code}"

    def kill(self):
        self.process.kill()
        self.process.wait(LONG_S)
        self.process.stdin.close()
        self.process.stdout.close()

    def wait_stats(self, condition, what, within_s=LONG_S):
        """The simulator's figures once condition(figures) holds."""
        return wait_for(
            lambda: (lambda stats: condition(stats) and stats)(self.stats()),
            lambda: f"{what}: { {k: v for k, v in self.stats().items() if k != 'subscribe_log'} }",
            within_s,
        )


class Record:
    """One Kafka record."""

    def __init__(self, line):
        envelope = json.loads(line)
        self.topic, self.partition, self.offset = envelope["topic"], envelope["partition"], envelope["offset"]
        self.time_ms, self.key, self.text = envelope["ts"], envelope["key"], envelope["payload"]
        headers = envelope.get("headers", [])
        self.headers = dict(zip(headers[::2], headers[1::2]))
        self.value = json.loads(self.text, parse_float=Decimal)

    def __repr__(self):
        return f"{self.topic}[{self.partition}]@{self.offset} {self.key}: {self.text}"


def topic_is_there(brokers, name, extra):
    """Looked up among all topics, so that asking does not make it."""
    done = subprocess.run(["kcat", "-L", "-J", "-q", "-b", brokers, "-m", "5", *extra], capture_output=True, text=True)
    topics = json.loads(done.stdout or "{}").get("topics", [])
    return any(topic["topic"] == name and topic["partitions"] for topic in topics)


class Topic:
    """The records of one topic as they come, read by kcat from the beginning."""

    def __init__(self, brokers, name, *options):
        self.records = []
        # kcat looks for partitions once: of a topic that the broker does not know yet it would never read any.
        security = [word for option in options for word in ("-X", option)]
        wait_for(lambda: topic_is_there(brokers, name, security), f"topic {name}")
        command = ["kcat", "-C", "-J", "-q", "-u", "-E", "-b", brokers, "-t", name, "-o", "beginning"]
        fast = ["fetch.wait.max.ms=20", "topic.metadata.refresh.interval.ms=500", "reconnect.backoff.max.ms=200"]
        extra = [word for option in [*fast, *options] for word in ("-X", option)]
        self.process = subprocess.Popen([*command, *extra], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.records.append(Record(line))
            _notify()

    def wait(self, condition, what, count=1, within_s=LONG_S, after=0):
        """The first `count` records for which condition(record) holds, from the record number `after` on."""

        def look():
            found = [record for record in self.records[after:] if condition(record)]
            return found[:count] if len(found) >= count else None

        return wait_for(look, lambda: f"{what}; there are {len(self.records)}: {self.records[-20:]}", within_s)

    def wait_trades(self, symbols, count=5):
        """Until so many trades of each symbol came from now on."""
        seen = len(self.records)
        for symbol in symbols:
            self.wait(
                lambda r, s=symbol: r.key == s and r.value["kind"] == "trade", f"trades of {symbol}", after=seen, count=count
            )

    def event(self, kind, within_s=LONG_S, after=0, **data):
        """The data of the first event of this type with these values."""

        def fits(record):
            there = record.value.get("data", {})
            return record.value["type"] == kind and all(there.get(k) == v for k, v in data.items())

        return self.wait(fits, f"event {kind} {data}", within_s=within_s, after=after)[0].value["data"]

    def stop(self):
        self.process.kill()
        self.process.wait(LONG_S)
        self.thread.join(LONG_S)
        self.process.stdout.close()


def read_all(brokers, name, *options):
    """What a topic holds now."""
    extra = [word for option in options for word in ("-X", option)]
    command = ["kcat", "-C", "-J", "-q", "-e", "-b", brokers, "-t", name, "-o", "beginning", *extra]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONG_S * 2, check=True)
    return [Record(line) for line in done.stdout.splitlines()]


class Writer:
    """Writes records to one topic; each is there when send() returns."""

    def __init__(self, brokers, name):
        self.command = ["kcat", "-P", "-q", "-b", brokers, "-t", name, "-K", "\t", "-X", "linger.ms=0"]

    def send(self, key, value, **headers):
        # A process a record: kcat collects what comes on its input until that ends.
        text = value if isinstance(value, str) else json.dumps(value)
        words = [word for name, header in headers.items() for word in ("-H", f"{name}={header}")]
        subprocess.run([*self.command, *words], input=f"{key}\t{text}\n".encode(), check=True, timeout=LONG_S)


def free_port():
    """One that nobody listens on, below the kernel's own range: no outgoing connection takes it before it is used."""
    while True:
        port = random.randrange(10000, 15000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def now(offset_s=0):
    """A message's time, with microseconds."""
    at = time.time() + offset_s
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1e6):06d}Z"


class Kafka:
    """A real Apache Kafka, started by tools/kafka."""

    def __init__(self, *options):
        if not shutil.which("java") or not shutil.which("kcat"):
            raise unittest.SkipTest("java or kcat is missing: tools/packages test installs them")
        self.directory = tempfile.mkdtemp(prefix="livecore-kafka-")
        try:
            self.brokers = self._run("start", *options).strip()
        except Exception:
            self.stop()
            raise
        self.sasl_brokers = self._run("address", "--sasl").strip() if "--sasl" in options else None

    def _run(self, verb, *options):
        # Kafka inherits what we give it, so its output goes into a file and not into a pipe that never ends.
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            command = [ROOT / "tools" / "kafka", verb, self.directory, *options]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=300)
            out.seek(0)
            err.seek(0)
            if done.returncode != 0:
                raise AssertionError(f"tools/kafka {verb}: {err.read()}{self.complaints()}")
            return out.read()

    def complaints(self):
        """What Kafka's log says went wrong first."""
        log = Path(self.directory) / "server.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        first = next((n for n, line in enumerate(lines) if " ERROR " in line or " FATAL " in line), len(lines))
        return "\n".join(lines[max(first - 5, 0) : first + 15])

    def kill(self):
        self._run("kill")

    def end(self):
        """In good order; restart() brings it back."""
        self._run("stop")

    def restart(self):
        self._run("restart")

    def stop(self):
        self._run("kill")  # its data goes too: no need to end in good order
        shutil.rmtree(self.directory, ignore_errors=True)


def remove_state(state):
    """A state directory, and the memory that a killed process left for the next one."""
    for token in Path(state).rglob("memory"):
        for left in Path("/dev/shm").glob(f"livecore-{token.read_text()}-*"):
            left.unlink()
    shutil.rmtree(state, ignore_errors=True)


class Case(unittest.TestCase):
    """Stops what the test started, last first. Classes with KAFKA share one real Kafka with those of their file."""

    KAFKA = None  # or the options of tools/kafka start, as a tuple
    shared = {}  # by these options
    topic_number = 0

    @classmethod
    def setUpClass(cls):
        if cls.KAFKA is not None and cls.KAFKA not in Case.shared:
            Case.shared[cls.KAFKA] = Kafka(*cls.KAFKA)
            unittest.addModuleCleanup(Case.shared[cls.KAFKA].stop)
        cls.kafka = Case.shared[cls.KAFKA] if cls.KAFKA is not None else None

    def setUp(self):
        self.managers = []
        self.state = self._state_directory()
        Case.topic_number += 1
        self.prefix = f"t{Case.topic_number}."  # each test has its own topics

    def _state_directory(self):
        made = tempfile.mkdtemp(prefix="livecore-state-")
        self.addCleanup(remove_state, made)
        return made

    def sim(self, vendor, *options):
        made = Sim(vendor, *options)
        self.addCleanup(self._end_sim, made)
        return made

    @staticmethod
    def _end_sim(made):
        if made.process.poll() is None:
            made.stop()

    def topics(self):
        return {f"topics.{name}": f"{self.prefix}{name}" for name in TOPICS.split()}

    def run_livecore(self, settings, *args, ready=True, env=None):
        """A manager on the class's Kafka, or with an embedded one, that ends with 0 when the test is over."""
        where = {"kafka.brokers": self.kafka.brokers} | self.topics() if self.kafka else {}
        embedded = () if self.kafka else ("--embedded",)
        if any(other.process.poll() is None for other in self.managers):
            self.state = self._state_directory()  # one state directory, one process
        made = Manager({"state.dir": self.state} | where | settings, *embedded, *args, env=env)
        self.managers.append(made)
        self.addCleanup(self._end_livecore, made)
        self.broker = self.kafka.brokers if self.kafka else made.broker
        if ready:
            made.wait_ready()
        return made

    def _end_livecore(self, made):
        if made.process.poll() is None:
            self.assertEqual(made.stop(), 0, made.text)

    def name(self, topic):
        """A topic's name in this test."""
        embedded = {"market_data": "ginkgo.live.market.data", "interest": "ginkgo.live.interest.updates"}
        embedded |= {"control": "ginkgo.live.control.commands", "events": "ginkgo.live.system.events"}
        embedded |= {"notifications": "ginkgo.notifications", "bars": "ginkgo.live.market.bars"}
        return self.prefix + topic if self.kafka else embedded[topic]

    def read(self, topic):
        made = Topic(self.broker, self.name(topic))
        self.addCleanup(made.stop)
        return made

    def writer(self, topic):
        return Writer(self.broker, self.name(topic))

    def follow(self, portfolio, symbols, kind="replace", writer=None, at=None):
        """Sends an InterestUpdate."""
        writer = writer or self.writer("interest")
        update = {"portfolio_id": portfolio, "node_id": "test", "symbols": symbols, "update_type": kind}
        writer.send(portfolio, update | {"timestamp": at or now()})

    def command(self, name, *params, within_s=LONG_S, ok=True):
        """Sends a command and waits for its answer, as a person would."""
        where = {"kafka.brokers": self.broker, "kafka.fetch_wait": "20ms"}
        where |= {k: v for k, v in self.topics().items() if self.kafka}
        done = tool("command", name, *params, "--wait", "--json", *words(where), within_s=within_s)
        self.assertEqual(done.returncode, 0 if ok else 1, done.stdout + done.stderr)
        return json.loads(done.stdout)["data"]


def strict_schema(name):
    """A documented schema in which a field that it does not name is an error."""
    import jsonschema

    schema = json.loads((ROOT / "docs" / "messages" / f"{name}.schema.json").read_text())
    for part in (schema, *schema.get("$defs", {}).values()):
        if "properties" in part:
            part["additionalProperties"] = False
    return jsonschema.Draft202012Validator(schema)


def misfits(records, name):
    """What of these records is not as their documented schema says."""
    schema = strict_schema(name)
    return [(e.json_path, e.message, r.text) for r in records for e in schema.iter_errors(json.loads(r.text))]


def murmur2_partition(key, partitions):
    """As Java's producer does it."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    data = key.encode()
    h = 0x9747B28C ^ len(data)
    for i in range(0, len(data) // 4 * 4, 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & mask
        h = h * m & mask ^ ((k ^ k >> 24) * m & mask)
    rest = data[len(data) // 4 * 4 :]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return ((h ^ h >> 15) & 0x7FFFFFFF) % partitions


def holes(records):
    """What is missing by the contract: per symbol, kind and stream, seq - last seq - 1 - conflated; and disorder."""
    last, found = {}, []
    for record in records:
        value = record.value
        if value["seq"] == 0:
            continue
        key = (value["symbol"], value["kind"], value["stream"])
        if value["seq"] <= last.get(key, 0):
            if record.headers.get("replayed") != "1":
                found.append(f"{key}: {value['seq']} after {last[key]}")
            continue
        if value["seq"] - last.get(key, 0) - 1 != value["conflated"]:
            found.append(f"{key}: {value['seq']} after {last.get(key, 0)}, conflated {value['conflated']}")
        last[key] = value["seq"]
    return found
