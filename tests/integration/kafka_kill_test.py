"""Kafka that is killed (kill -9) and started again, again and again, under load: nothing is missing, and order is kept.

usage: kafka_kill_test.py LIVECORE [--times N] [unittest options]     (3 times; 20 for the long form, about 3 minutes)
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import livecore  # noqa: E402

SYMBOLS = ["AAPL", "IBM", "KO", "MSFT", "NVDA", "TSLA", "AMZN", "BRK.B"]
TIMES = 3
BETWEEN = 200  # records acknowledged between two kills


class KafkaKilled(livecore.Case):
    KAFKA = ()

    def test_killed(self):
        server = self.sim("alpaca", "--rate", "500")
        live = self.run_livecore(livecore.alpaca(server), env=livecore.ALPACA_KEY)
        self.follow("p", SYMBOLS)

        def acknowledged(count):
            livecore.wait_for(
                lambda: live.status()["kafka"]["acknowledged"] >= count,
                lambda: f"{count} acknowledged: {live.status()}\n{live.text}",
                livecore.LONG_S * 2,
            )

        for _ in range(TIMES):
            acknowledged(live.status()["kafka"]["acknowledged"] + BETWEEN)
            self.kafka.kill()
            read = live.feeder("alpaca")["ticks"]
            livecore.wait_for(lambda n=read: live.feeder("alpaca")["ticks"] >= n + BETWEEN, "ticks while it is away")
            self.kafka.restart()
            acknowledged(live.status()["published"])
        server.kill()
        live.wait_state("alpaca", "RECONNECTING")
        livecore.wait_for(lambda: live.status()["unacknowledged"] == 0, "all acknowledged")
        status, feeder = live.status(), live.feeder("alpaca")
        self.assertEqual(status["kafka"]["refused"], 0)
        self.assertEqual(live.stop(), 0, live.text)
        self.assertIn("unacknowledged=0", live.text)

        records = livecore.read_all(self.broker, self.name("market_data"))
        self.assertEqual(livecore.holes(records), [])
        ticks = sum(1 + record.value["conflated"] for record in records if record.value["seq"] > 0)
        seen = {(r.value["symbol"], r.value["kind"], r.value["seq"]) for r in records}
        self.assertEqual(len(seen), len(records), "nothing came twice")
        self.assertEqual(ticks, feeder["ticks"] - sum(feeder["dropped"].values()), "nor was the end lost")
        self.assertEqual({record.key for record in records}, set(SYMBOLS))
        print(f"{TIMES} kills, {len(records)} records, {status['kafka']['replayed']} sent again", file=sys.stderr)

    def test_started_without_kafka(self):
        """The stored sets are followed, and what was seen before Kafka came is there."""
        server = self.sim("alpaca", "--rate", "100")
        settings = livecore.alpaca(server)
        live = self.run_livecore(settings, env=livecore.ALPACA_KEY)
        self.follow("p", SYMBOLS)
        live.wait_subscribed("alpaca", len(SYMBOLS))
        self.assertEqual(live.stop(), 0, live.text)
        self.kafka.kill()
        live = self.run_livecore(settings, env=livecore.ALPACA_KEY, ready=False)
        live.expect("interest restored followed=")
        livecore.wait_for(lambda: live.feeder("alpaca")["ticks"] >= 200, "ticks without Kafka")
        self.assertEqual(live.ready()[0], 503)
        self.kafka.restart()
        live.wait_ready()
        server.kill()
        live.wait_state("alpaca", "RECONNECTING")
        livecore.wait_for(lambda: live.status()["unacknowledged"] == 0, "all acknowledged")
        stream = live.status()["stream"]
        self.assertEqual(live.stop(), 0, live.text)
        records = livecore.read_all(self.broker, self.name("market_data"))
        self.assertEqual(livecore.holes(records), [])
        self.assertGreater(sum(record.value["stream"] == stream for record in records), 150)


if __name__ == "__main__":
    if "--times" in sys.argv:
        place = sys.argv.index("--times")
        TIMES = int(sys.argv[place + 1])
        del sys.argv[place : place + 2]
    livecore.main()
