"""More ticks than Kafka takes: what each queue policy does, what it says of it, and what the numbers then tell.

Kafka is stopped by a signal for as long as the test wants, with a log in memory that is soon full. Every trade that
the simulator sent is then looked for: in a message, in a message's `conflated` range, or in a hole that a counter
knows of.

usage: overload_test.py LIVECORE [unittest options]
"""

import os
import signal
import sys
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import livecore  # noqa: E402

FOLLOWED = ["AAPL", "IBM", "KO"]
QUEUE = 200
SMALL = {"journal.enabled": "false", "kafka.buffer": "2MB", "kafka.in_flight": "1MB", "queue.size": str(QUEUE)}


def unread_bytes(port):
    """What the kernel holds for connections to this port that nobody has read yet: received, and not sent yet."""
    received = unsent = 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        tx, rx = (int(n, 16) for n in words[4].split(":"))
        received += rx if int(words[2].split(":")[1], 16) == port else 0
        unsent += tx if int(words[1].split(":")[1], 16) == port else 0
    return received, unsent


class Trades:
    """The trades of one symbol in the order in which they were sent, walked along with its messages."""

    def __init__(self):
        self.sent, self.at, self.seq = [], 0, 0
        self.lost = self.merged = 0

    def take(self, value):
        """One message; what is wrong with it, or None."""
        hole = value["seq"] - self.seq - 1 - value["conflated"]
        if hole < 0:
            return f"seq {value['seq']} after {self.seq}"
        self.seq = value["seq"]
        self.lost += hole
        self.merged += value["conflated"]
        self.at += hole
        stands_for = self.sent[self.at : self.at + value["conflated"] + 1]
        self.at += value["conflated"] + 1
        if len(stands_for) <= value["conflated"]:
            return f"{value['seq']} was not sent"
        prices, sizes = zip(*stands_for)
        said = [value["price"], value["volume"]]
        want = [prices[-1], sizes[-1]]
        if value["conflated"] > 0:
            said += [value[f"conflated_{name}"] for name in ("high", "low", "volume", "amount")]
            want += [max(prices), min(prices), sum(sizes), sum(p * s for p, s in stands_for)]
        return None if [Decimal(n) for n in said] == want else f"{value} stands for {stands_for}"


class Overload(livecore.Case):
    KAFKA = ()

    def kafka_signal(self, number):
        os.kill(int(Path(self.kafka.directory, "pid").read_text()), number)

    def begin(self, policy, rate=3000, **more):
        self.sent = Path(self.state) / "sent"
        self.server = self.sim("alpaca", "--rate", str(rate), "--sent", str(self.sent))
        settings = livecore.alpaca(self.server) | SMALL | {"queue.policy": policy} | more
        self.live = self.run_livecore(settings, env=livecore.ALPACA_KEY)
        self.follow("p", FOLLOWED)
        self.live.wait_subscribed("alpaca", 3)
        livecore.wait_for(lambda: self.live.status()["acknowledged"] > 200, "ticks")

    def queue(self):
        return self.live.feeder("alpaca")["queue"]

    def overload(self, full):
        """Kafka stands still until full(queue) holds, and a little longer."""
        self.addCleanup(self.kafka_signal, signal.SIGCONT)
        self.kafka_signal(signal.SIGSTOP)
        livecore.wait_for(lambda: full(self.queue()), lambda: f"{self.live.feeder('alpaca')}")
        self.during = self.live.feeder("alpaca")

    def recover(self):
        """Kafka goes on, and so do ticks of each symbol and kind; then all of it is looked at."""
        self.kafka_signal(signal.SIGCONT)
        livecore.wait_for(lambda: self.queue()["length"] < QUEUE / 4 and not self.queue()["paused"], self.queue)
        seen = self.live.status()["acknowledged"]
        livecore.wait_for(lambda: self.live.status()["acknowledged"] > seen + 3000, "that ticks go on")
        self.server.fault("quiet:600")
        livecore.wait_for(
            lambda: self.queue()["length"] == 0 and self.live.status()["unacknowledged"] == 0, "that all is in Kafka"
        )
        self.metrics = self.live.metrics()
        self.assertEqual(self.live.feeder("alpaca")["reconnects"], 0)
        self.assertEqual(self.live.stop(), 0, self.live.text)
        self.records = livecore.read_all(self.broker, self.name("market_data"))
        self.server.stop()
        return self.walk()

    def walk(self):
        trades = defaultdict(Trades)
        for line in self.sent.read_text().splitlines():
            words = line.split()
            if words[2] == "trade":
                trades[words[1]].sent.append((Decimal(words[4]), int(words[5])))
        for record in sorted(self.records, key=lambda r: (r.partition, r.offset)):
            if record.value["kind"] == "trade":
                wrong = trades[record.key].take(record.value)
                self.assertIsNone(wrong, record.key)
        return trades

    def lost(self):
        """All that the numbers say is missing, over every symbol and kind."""
        last, missing = {}, 0
        for record in sorted(self.records, key=lambda r: (r.partition, r.offset)):
            value = record.value
            if value["seq"] > 0:
                key = (record.key, value["kind"])
                missing += value["seq"] - last.get(key, 0) - 1 - value["conflated"]
                last[key] = value["seq"]
        return missing

    def dropped(self, reason):
        return self.metrics[f'livecore_feeder_dropped_total{{feeder="alpaca",reason="{reason}"}}']

    def test_conflate(self):
        """The default: nothing is missing, because messages stand for others and say for how many."""
        self.begin("conflate")
        for _ in range(6):  # reading stops when a tick fits to none that waits, so a few are merged each time
            self.overload(lambda queue: queue["paused"])
            self.assertEqual(self.during["queue"]["capacity"], QUEUE)
            self.kafka_signal(signal.SIGCONT)
            livecore.wait_for(lambda: not self.queue()["paused"], self.queue)
        self.assertGreater(self.queue()["merged"], 0)
        trades = self.recover()
        self.assertEqual(livecore.holes(self.records), [])
        self.assertEqual(sum(t.lost for t in trades.values()), 0)
        self.assertGreater(sum(t.merged for t in trades.values()), 0)
        self.assertEqual(self.dropped("queue_full"), 0)
        # Volumes sum up to what was sent, to the share.
        for symbol, line in trades.items():
            values = [r.value for r in self.records if r.key == symbol and r.value["kind"] == "trade"]
            said = sum(v["conflated_volume"] if v["conflated"] else v["volume"] for v in values)
            self.assertEqual(said, sum(size for _, size in line.sent[: line.at]), symbol)

    def dropping(self, policy, reason):
        self.begin(policy)
        self.overload(lambda queue: queue["dropped"] > 300)
        self.assertEqual((self.during["queue"]["length"], self.during["queue"]["paused"]), (QUEUE, False))
        trades = self.recover()
        self.assertGreater(sum(t.lost for t in trades.values()), 0)
        self.assertEqual(sum(t.merged for t in trades.values()), 0)
        self.assertEqual(self.lost(), self.dropped(reason), "each is counted")
        return trades

    def test_drop_oldest(self):
        self.dropping("drop_oldest", "queue_oldest")

    def test_drop_newest(self):
        self.dropping("drop_newest", "queue_newest")

    def test_block(self):
        """We stop reading, so the vendor's socket takes no more; it goes on from where it was, and nothing is lost."""
        port = int(self.begin("block") or self.server.origin.rsplit(":", 1)[1])
        self.overload(lambda queue: queue["paused"])
        still = [0, 0]  # so many ticks were read when so many bytes waited

        def nobody_reads():
            ticks, unread = self.live.feeder("alpaca")["ticks"], sum(unread_bytes(port))
            if ticks != still[0]:
                still[:] = ticks, unread
            return unread > still[1] + 100_000

        livecore.wait_for(nobody_reads, lambda: f"what waits grows and is not read: {still}, {unread_bytes(port)}")
        trades = self.recover()
        self.assertEqual(livecore.holes(self.records), [])
        for symbol, line in trades.items():
            self.assertEqual((line.lost, line.merged), (0, 0), symbol)
            self.assertGreater(line.at, 500)
        for reason in ("queue_oldest", "queue_newest", "queue_full"):
            self.assertEqual(self.dropped(reason), 0)

    def test_a_vendor_that_does_not_wait(self):
        """Alpaca keeps only so much for a slow reader, then cuts it off: that is said, and ticks go on."""
        self.begin("block", rate=60000)
        self.overload(lambda queue: queue["paused"])
        self.server.wait_stats(lambda stats: stats["sessions"] == 0, "that we are cut off")
        self.kafka_signal(signal.SIGCONT)
        livecore.wait_for(lambda: self.live.feeder("alpaca")["reconnects"] >= 1, lambda: self.live.feeder("alpaca"))
        self.live.expect("feeder state .*to=RECONNECTING")

    def test_a_source_that_fails_while_its_ticks_wait(self):
        """What the old source said goes out before what the new one says."""
        symbols = [f"{600000 + n}.SH" for n in range(200)]
        old, new = self.sim("eastmoney", "--rate", "4000"), self.sim("tencent", "--rate", "4000")
        routes = {"routing.feeders": "eastmoney,tencent", "routing.routes": '"*=eastmoney,tencent"'}
        vendors = {"eastmoney.url": old.url, "eastmoney.mode": "poll", "eastmoney.poll_interval": "20ms"}
        vendors |= {"tencent.url": new.url, "tencent.poll_interval": "20ms", "tencent.max_symbols": "100"}
        more = {"supervisor.alert_after": "1", "queue.policy": "block", "queue.size": "5000"}
        self.live = self.run_livecore(SMALL | routes | vendors | more)
        self.follow("p", symbols)
        self.live.wait_subscribed("eastmoney", 200)
        self.addCleanup(self.kafka_signal, signal.SIGCONT)
        self.kafka_signal(signal.SIGSTOP)
        for vendor, source in (("eastmoney", old), ("tencent", None)):
            livecore.wait_for(
                lambda: self.live.feeder(vendor)["queue"]["length"] > 500, lambda: self.live.feeder(vendor)
            )
            if source:
                source.kill()
        self.kafka_signal(signal.SIGCONT)
        livecore.wait_for(lambda: self.live.feeder("tencent")["queue"]["length"] < 100, "Kafka catches up")
        self.assertEqual(self.live.stop(), 0, self.live.text)
        records = livecore.read_all(self.broker, self.name("market_data"))
        self.assertEqual(livecore.holes(records), [])
        for symbol in symbols:
            sources = [r.value["source"] for r in records if r.key == symbol]
            self.assertEqual(sources, sorted(sources), symbol)  # "eastmoney" comes first


if __name__ == "__main__":
    livecore.main()
