#!/usr/bin/env python3
"""A real Kafka, ClickHouse and Redis, each killed (kill -9) and started again while a recorded day is played: ticks and bars go on, and in the
end the bar store and Kafka hold exactly the bars that the recording adds up to.

usage: outage_test.py LIVECORE [unittest options]"""

import csv
import io
import shutil
import signal
import subprocess
import sys
import tempfile
from datetime import datetime
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import livecore  # noqa: E402
import days_test  # noqa: E402
import redis_test  # noqa: E402
from days_test import DATA, FIELDS, SNAPSHOTS, TRADES  # noqa: E402

SPEED = "600"  # a minute of the market in a tenth of a second
WITHIN_S = 150


class Outage(livecore.Case):
    KAFKA = ()
    ZONE = days_test.Trades.ZONE

    def clickhouse(self, verb):
        done = subprocess.run([livecore.ROOT / "tools" / "clickhouse", verb, self.directory], capture_output=True, text=True)
        if done.returncode == 77:
            self.skipTest(done.stderr.strip())
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def setUp(self):
        super().setUp()
        self.redis = redis_test.Redis()
        self.addCleanup(self.redis.stop)
        self.directory = tempfile.mkdtemp(prefix="livecore-clickhouse-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        url = self.clickhouse("start")
        self.addCleanup(self.clickhouse, "kill")
        self.store = {"store.backend": "clickhouse", "store.clickhouse_url": url, "store.batch_interval": "100ms"}
        tapes = Path(self.state) / "tapes"
        tapes.mkdir()
        for name in (SNAPSHOTS, TRADES):
            shutil.copy(DATA / name, tapes)
        self.broker = self.kafka.brokers
        # The records bear the recording's times, of 2013: for a week's retention they are too old.
        kept = {"kafka.brokers": self.broker, "kafka.retention": "200000h"}
        made = livecore.tool("topics", "create", *livecore.words(kept | self.topics()))
        self.assertEqual(made.returncode, 0, made.stderr)
        settings = {"state.dir": self.state, "routing.feeders": "alpaca", "routing.routes": "IBM=alpaca,*=none", "queue.policy": "block",
                    "redis.address": self.redis.address, "redis.timeout": "500ms", "log.level": "info", "shutdown.timeout": "90s"}
        self.demo = livecore.Process(
            [livecore.LIVECORE, "demo", "--tape", "--speed", SPEED, "--brokers", self.broker, "--tape-dir", str(tapes),
             *livecore.words(settings | self.store | self.topics())], cwd="/")
        self.addCleanup(lambda: self.demo.process.poll() is None and self.demo.stop())
        self.url = "http://127.0.0.1:" + self.demo.expect(r"http listening .*port=(\d+)")[1]

    def metric(self, name):
        lines = livecore.get(self.url + "/metrics")[1].splitlines()
        return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    def minutes_go_on(self, more=20):
        name = 'livecore_bars_total{period="1m"}'
        before = self.metric(name)
        livecore.wait_for(lambda: self.metric(name) >= before + more, f"{more} more minutes than {before}")

    def minute(self, text):
        at = datetime.fromisoformat(text)
        at = at.astimezone(self.ZONE) if at.utcoffset() is not None and at.utcoffset().total_seconds() == 0 else at
        return at.hour * 60 + at.minute

    def stored(self):
        done = livecore.tool("bars", "IBM", "--period", "1m", "--limit", "1000", "--csv", *livecore.words({"state.dir": self.state} | self.store))
        rows = csv.DictReader(io.StringIO(done.stdout)) if done.returncode == 0 else []
        return {self.minute(row["start"]): {field: Decimal(row[field]) for field in FIELDS} for row in rows}

    def published(self):
        bars = {}
        for record in livecore.read_all(self.broker, self.name("bars")):
            bar = record.value
            if record.key == "IBM" and bar["period"] == "1m" and bar["final"]:
                at = self.minute(bar["timestamp"])
                if at not in bars or bar["revision"] > bars[at][0]:
                    bars[at] = (bar["revision"], {field: Decimal(bar[field]) for field in FIELDS})
        return {at: bar for at, (_, bar) in bars.items()}

    def test_each_is_killed_in_the_middle(self):
        key = "heartbeat:data_manager:demo"
        expected, _ = days_test.Trades("test_the_day").recorded()
        self.minutes_go_on()
        livecore.wait_for(lambda: self.redis.beat(key), "a heartbeat")

        self.redis.run("kill")
        self.demo.expect(r"redis away")
        self.minutes_go_on()
        self.redis.run("restart")

        self.clickhouse("kill")
        self.demo.expect(r"bars store_down")
        livecore.wait_for(lambda: self.metric("livecore_store_spool_bars") > 0, "the spool")
        self.minutes_go_on()
        self.clickhouse("restart")

        before = len(self.demo.text)
        self.kafka.kill()
        self.demo.expect(r"kafka (unreachable|reachable .*reason=(?!answered))|Connection refused", after=before)
        self.minutes_go_on()
        self.kafka.restart()

        livecore.wait_for(lambda: self.redis.beat(key), "a heartbeat after the restart")
        livecore.wait_for(lambda: self.stored().keys() == expected.keys(), lambda: f"stored: {len(self.stored())} of {len(expected)}", WITHIN_S)
        self.assertEqual(self.metric("livecore_store_bars_given_up_total"), 0)
        self.assertEqual(self.demo.stop(signal.SIGINT, within_s=120), 0, self.demo.text[-3000:])
        exact = {at: {field: Decimal(bar[field]) for field in FIELDS} for at, bar in expected.items()}
        self.assertEqual(self.stored(), exact, "nothing is missing in the store, and nothing is there twice")
        published = self.published()
        missing = sorted(exact.keys() - published.keys())
        self.assertFalse(missing, f"minutes that Kafka does not have: {missing}\n{self.demo.text[-3000:]}")
        self.assertEqual(published, exact, "nor on Kafka")


if __name__ == "__main__":
    livecore.main()
