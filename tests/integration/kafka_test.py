"""Kafka that is absent, comes late or goes away; stopping under load; TLS with SASL/SCRAM.

usage: kafka_test.py LIVECORE [unittest options]
"""

import signal
import socket
import struct
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import livecore  # noqa: E402

SYMBOLS = ["AAPL", "IBM", "KO"]


def delete_topic(brokers, name):
    """The request DeleteTopics, version 1."""
    host, port = brokers.rsplit(":", 1)
    text = lambda word: struct.pack(">h", len(word)) + word.encode()  # noqa: E731
    request = struct.pack(">hhi", 20, 1, 0) + text("test") + struct.pack(">i", 1) + text(name) + struct.pack(">i", 10000)
    with socket.create_connection((host, int(port)), timeout=20) as connection, connection.makefile("rb") as answers:
        connection.sendall(struct.pack(">i", len(request)) + request)
        answer = answers.read(struct.unpack(">i", answers.read(4))[0])
    assert answer.endswith(b"\0\0"), answer  # the topic's error code


class RealKafka(livecore.Case):
    KAFKA = ("--sasl",)

    def start(self, *options, rate="300", **more):
        self.server = self.sim("alpaca", "--rate", rate, *options)
        self.live = self.run_livecore(livecore.alpaca(self.server) | more, env=livecore.ALPACA_KEY)
        self.follow("p", SYMBOLS)
        self.server.wait_stats(lambda stats: stats["ticks"] > 50, "ticks")

    def test_stop_under_load(self):
        self.start(rate="2000")
        livecore.wait_for(lambda: self.live.status()["acknowledged"] > 500, "acknowledged")
        self.assertEqual(self.live.stop(), 0, self.live.text)
        self.live.expect(r"manager stopped unacknowledged=0")
        records = livecore.read_all(self.broker, self.name("market_data"))
        self.assertGreater(len(records), 500)
        self.assertEqual(livecore.holes(records), [])
        events = livecore.read_all(self.broker, self.name("events"))
        self.assertEqual(len([r for r in events if r.value["type"] == "stopping"]), 1)

    def test_interrupted_under_load(self):
        """SIGINT does the same as SIGTERM."""
        self.start()
        self.assertEqual(self.live.stop(signal.SIGINT), 0, self.live.text)
        self.live.expect(r"manager stopped unacknowledged=0")

    def test_deleted_topics(self):
        """Kafka answers, and nothing can be published or heard: readiness says which topic, and what to do."""
        self.start()
        for topic in ("market_data", "interest", "control"):
            delete_topic(self.kafka.brokers, self.name(topic))
        checks = lambda: self.live.ready()[1]["checks"]  # noqa: E731
        for check in ("publishing", "interest", "control"):
            livecore.wait_for(lambda check=check: not checks()[check]["ok"], lambda: f"{check} in {checks()}")
        code, page = self.live.ready()
        self.assertEqual((code, page["status"]), (200, "degraded"))
        self.assertRegex(page["checks"]["publishing"]["reason"], rf"{self.name('market_data')} refuses .*topics create")
        self.assertRegex(page["checks"]["interest"]["reason"], rf"{self.name('interest')}: .*\(livecore topics create\)")
        self.assertIn(self.name("control"), page["checks"]["control"]["reason"])
        livecore.wait_for(lambda: self.live.status()["kafka"]["refused"] > 50, "refused records")
        lines = [line for line in self.live.text.splitlines() if "records_refused" in line]
        self.assertEqual(len(lines), 1, "one line a minute and topic")
        self.assertEqual(self.live.stop(), 1, "what was refused is in the exit code")

    def test_per_market(self):
        eastmoney = self.sim("eastmoney", "--rate", "50")
        settings = {"eastmoney.url": eastmoney.url, "eastmoney.mode": "poll", "eastmoney.poll_interval": "100ms"}
        settings |= {"kafka.per_market": "true", "time.format": "offset"}
        self.server = self.sim("alpaca", "--rate", "50")
        both = livecore.alpaca(self.server) | {"routing.feeders": "alpaca,eastmoney"}
        self.run_livecore(both | settings, env=livecore.ALPACA_KEY)
        self.follow("p", ["AAPL", "600000.SH", "00700.HK"])
        zones = {"us": ("AAPL", ("-05:00", "-04:00")), "cn": ("600000.SH", ("+08:00",)), "hk": ("00700.HK", ("+08:00",))}
        for market, (symbol, zone) in zones.items():
            record = self.read(f"market_data_{market}").wait(lambda record: True, market)[0]
            self.assertEqual((record.key, record.value["market"]), (symbol, market))
            self.assertIn(record.value["timestamp"][-6:], zone)

    def test_check_tells_versions(self):
        """What answered, its version as far as it tells one, how long it took, and what to do."""
        fushu = self.sim("fushu")
        settings = {"kafka.brokers": self.kafka.brokers, "state.dir": self.state, "fushu.url": fushu.url}
        settings |= self.topics() | {"routing.feeders": "fushu"}
        done = livecore.tool("check", "--connect", *livecore.words(settings))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        lines = {line.split()[0]: line for line in done.stdout.splitlines() if " ms  " in line}
        kafka = rf"kafka +ok +[\d.]+ ms  {self.kafka.brokers} answered: it speaks the protocol of Kafka 3\.9 \(Produce 11, Fetch 17\)"
        self.assertRegex(lines["kafka"], kafka)
        self.assertRegex(lines["kafka"], r"cluster [\w-]{22} of 1 broker\(s\), led by 1; client librdkafka \d")
        self.assertIn("topics are missing: livecore topics create", lines["kafka"])
        self.assertRegex(lines["fushu"], rf"ok +[\d.]+ ms  {fushu.url}: connected and ready")
        self.assertRegex(lines["store"], r"ok .* SQLite 3\.\d+\.\d+: 0 portfolio")
        wrong = settings | {"kafka.brokers": "127.0.0.1:1"}
        fushu.kill()
        done = livecore.tool("check", "--connect", *livecore.words(wrong), within_s=60)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"kafka +FAILED .*(refused|brokers)")
        self.assertRegex(done.stdout, r"fushu +FAILED .*refused|fushu +FAILED .*connect")

    def test_check_beside_one_that_runs(self):
        self.start()
        settings = {"kafka.brokers": self.kafka.brokers, "state.dir": self.state, "routing.feeders": ""}
        done = livecore.tool("check", "--connect", *livecore.words(settings))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, rf"store +ok .*in use by another livecore \(process {self.live.pid}\)")
        self.assertTrue((Path(self.state) / "interest.db").exists())
        more = ["--set", f"state.dir={self.state}", "--set", "http.enabled=false"]
        done = livecore.tool("run", "--embedded", *more)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertRegex(done.stderr, rf"in use by another livecore \(process {self.live.pid}\)")

    # --- TLS and SASL ---

    def secure(self, password):
        ca = Path(self.kafka.directory) / "ca.pem"
        config = Path(self.state) / "livecore.yaml"
        config.write_text(
            f"kafka:\n  brokers: {self.kafka.sasl_brokers}\n  properties:\n    security.protocol: SASL_SSL\n"
            f"    sasl.mechanism: SCRAM-SHA-256\n    ssl.ca.location: {ca}\n"
        )
        secrets = Path(self.state) / "secrets.yaml"
        secrets.write_text(f"kafka:\n  username: livecore\n  password: {password}\n")
        secrets.chmod(0o600)
        return str(config)

    def test_tls_and_sasl(self):
        server = self.sim("fushu", "--rate", "50")
        settings = livecore.SETTINGS | livecore.fushu(server) | self.topics() | {"state.dir": self.state}
        live = livecore.Manager(settings, "--config", self.secure("not-a-secret"))
        self.addCleanup(self._end_livecore, live)
        live.wait_ready()
        self.broker = self.kafka.brokers  # the same Kafka, by its open door
        prices = self.read("market_data")
        self.follow("p", ["00700.HK"])
        prices.wait(lambda record: True, "prices", count=5)
        self.assertEqual(live.stop(), 0, live.text)
        self.assertNotIn("not-a-secret", live.text)

    def test_wrong_password(self):
        config = self.secure("wrong")
        done = livecore.tool("check", "--connect", config, "--set", "routing.feeders=fushu", "--set", f"state.dir={self.state}")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"(?m)^kafka +FAILED .*([Aa]uthentication|SASL)")
        self.assertNotIn("wrong\n", done.stdout)

    def test_check_connect(self):
        """What answers is said with how long it took."""
        config = self.secure("not-a-secret")
        server = self.sim("fushu")
        sets = livecore.words({"routing.feeders": "fushu", "fushu.url": server.url, "state.dir": self.state})
        done = livecore.tool("check", "--connect", config, *sets)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for what in ("kafka", "fushu", "store"):
            self.assertRegex(done.stdout, rf"(?m)^{what} +ok +[\d.]+ ms")


class KafkaAway(livecore.Case):
    """A Kafka of its own for each test, since it is taken away."""

    def kafka_of_its_own(self):
        made = livecore.Kafka()
        self.addCleanup(made.stop)
        self.kafka, self.broker = made, made.brokers
        return made

    def test_absent_then_there_then_away(self):
        kafka = self.kafka_of_its_own()
        kafka.end()
        server = self.sim("fushu", "--rate", "50")
        live = self.run_livecore(livecore.fushu(server) | {"shutdown.timeout": "1s"}, ready=False)
        code, page = live.ready()
        self.assertEqual((code, page["status"]), (503, "not_ready"))
        self.assertFalse(page["checks"]["kafka"]["ok"])
        self.assertIn(kafka.brokers, live.expect(r"kafka unreachable .*")[0])
        self.assertEqual(livecore.get(live.url + "/livez")[0], 200)

        kafka.restart()
        live.wait_ready()
        prices = self.read("market_data")
        self.follow("p", ["00700.HK", "09988.HK"])
        prices.wait(lambda record: True, "prices", count=5)

        kafka.kill()
        livecore.wait_for(lambda: live.ready()[0] == 503, "not ready without Kafka")
        before = live.status()["unacknowledged"]
        livecore.wait_for(lambda: live.status()["unacknowledged"] > before + 5, "ticks wait")
        started = time.monotonic()
        self.assertEqual(live.stop(), 1, "what could not be delivered is in the exit code")
        self.assertLess(time.monotonic() - started, 15, f"by default it would wait for 30 s: {live.text}")
        lost = int(live.expect(r"not_delivered records=(\d+)")[1])
        self.assertGreater(lost, 5)
        self.assertIn(f"stopped unacknowledged={lost}", live.text)


if __name__ == "__main__":
    livecore.main()
