"""Who wants what, said on a real Kafka, and what the vendor is asked for.

usage: interest_test.py LIVECORE [unittest options]
"""

import shutil
import signal
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import livecore  # noqa: E402


class Interest(livecore.Case):
    KAFKA = ()

    def start(self, *options, settings=None, **more):
        """A livecore with a simulator of Alpaca that sends little."""
        self.server = self.sim("alpaca", "--rate", "50", *options)
        self.settings = livecore.alpaca(self.server) | (settings or {})
        self.live = self.run_livecore(self.settings, env=livecore.ALPACA_KEY, **more)
        return self.live

    def again(self):
        """The same livecore, started again."""
        self.live = self.run_livecore(self.settings, env=livecore.ALPACA_KEY)

    def asked(self, *symbols):
        """The vendor is asked for these and no others, by a set of the same size."""
        self.server.wait_stats(lambda stats: set(stats["symbols"]) == set(symbols), f"asked for {symbols}")
        self.live.wait_followed(len(symbols))
        self.live.wait_subscribed("alpaca", len(symbols))

    def test_sets(self):
        self.start()
        self.follow("p", ["AAPL", "IBM"])
        self.asked("AAPL", "IBM")
        self.follow("q", ["AAPL", "KO"], "add")
        self.asked("AAPL", "IBM", "KO")
        self.follow("p", ["AAPL"], "remove")
        self.follow("p", ["MSFT"], "add")
        self.asked("AAPL", "IBM", "KO", "MSFT")  # q still wants AAPL
        self.follow("q", [])
        self.asked("IBM", "MSFT")
        self.follow("p", ["KO"], "replace")
        self.asked("KO")
        self.follow("p", ["KO"], "remove")
        self.asked()
        self.assertEqual(self.server.stats()["auths"], 1, "all on one connection")

    def test_old_messages_do_not_win(self):
        self.start()
        at = livecore.now()
        self.follow("p", ["AAPL"], at=at)
        self.asked("AAPL")
        self.follow("p", ["IBM"], at=livecore.now(-60))  # older: it adds nothing that AAPL's decision forbids
        self.follow("q", ["KO"])
        self.server.wait_stats(lambda stats: "KO" in stats["symbols"], "KO")
        self.assertIn("AAPL", self.server.stats()["symbols"])
        self.follow("p", ["AAPL"], "remove", at=at)  # equal times: follow wins
        self.follow("q", ["KO", "MSFT"])
        self.server.wait_stats(lambda stats: "MSFT" in stats["symbols"], "MSFT")
        self.assertIn("AAPL", self.server.stats()["symbols"])

    def test_refresh(self):
        """A portfolio that asks for what is followed already gets the last value again."""
        live = self.start("--limit-ticks", "40")
        prices = self.read("market_data")
        self.follow("p", ["AAPL", "IBM"])
        self.server.wait_stats(lambda stats: stats["ticks"] >= 40, "40 ticks")
        livecore.wait_for(lambda: live.feeder("alpaca")["ticks"] >= 40, "all ticks read")
        livecore.wait_for(lambda: live.status()["unacknowledged"] == 0, "all on Kafka")
        self.follow("q", ["AAPL"], "add")
        fresh = prices.wait(lambda record: "refresh" in record.value.get("flags", []), "a refresh")[0].value
        self.assertEqual((fresh["symbol"], fresh["kind"], fresh["seq"], fresh["volume"]), ("AAPL", "quote", 0, 0))
        trades = [
            r.value
            for r in prices.records
            if r.key == "AAPL"
            and r.value["kind"] == "trade"
            and r.value.get("eligible", True)
            and "late" not in r.value.get("flags", [])
        ]
        self.assertEqual(fresh["price"], trades[-1]["price"])
        quotes = [r.value for r in prices.records if r.key == "AAPL" and r.value["kind"] == "quote" and r.value["seq"]]
        for side in ("bid_price", "ask_price", "bid_volume", "ask_volume"):
            self.assertEqual(fresh[side], quotes[-1][side])
        self.assertEqual(live.status()["followed"], 2)

    def test_soon(self):
        """From the record on Kafka to the vendor's subscribe message: under a second, as a rule."""
        self.start()
        interest = self.read("interest")
        self.follow("p", ["AAPL"])
        self.asked("AAPL")
        delays_s = []
        for number, symbol in enumerate(("IBM", "KO", "MSFT", "NVDA", "TSLA")):
            before = len(self.server.stats()["subscribe_log"])
            self.follow("p", [symbol], "add")
            stats = self.server.wait_stats(lambda stats, s=symbol: s in stats["symbols"], symbol)
            record = interest.wait(lambda record: True, "the update", count=number + 2)[-1]
            delays_s.append(stats["subscribe_log"][before]["wall_ns"] / 1e9 - record.time_ms / 1e3)
        self.assertLess(statistics.median(delays_s), 1.0, delays_s)
        self.assertLess(max(delays_s), 10.0, delays_s)

    def test_restart(self):
        self.start()
        self.follow("p", ["AAPL", "IBM"])
        self.follow("q", ["KO"])
        self.asked("AAPL", "IBM", "KO")
        self.assertEqual(self.live.stop(), 0)
        self.follow("q", ["IBM", "MSFT"])  # said while nobody listened
        self.again()
        self.asked("AAPL", "IBM", "MSFT")
        self.live.expect(r"interest ready followed=3 portfolios=2")

        # Killed without a word, and with the disk lost: the topic has it all.
        self.live.stop(signal.SIGKILL)
        self.again()
        self.asked("AAPL", "IBM", "MSFT")
        self.assertEqual(self.live.stop(), 0)
        shutil.rmtree(self.state)
        self.again()
        self.asked("AAPL", "IBM", "MSFT")
        self.assertEqual(self.live.stop(), 0)

        # With its disk, and the topic's records gone from its sight (another, empty topic): the disk has it all.
        self.settings = self.settings | {"topics.interest": self.prefix + "elsewhere"}
        self.again()
        self.live.expect(r"interest ready followed=3 portfolios=2")
        self.asked("AAPL", "IBM", "MSFT")

    def test_rejected(self):
        self.start(settings={"symbols.max": "5"})
        events = self.read("events")
        self.follow("p", ["AAPL", "12345.SH", "aapl", "", "TOOLONG", "600000.SH.X", "X" * 300])
        self.asked("AAPL")
        said = events.event("interest_rejected", portfolio_id="p")
        self.assertEqual(said["count"], 6)
        self.assertEqual({entry["symbol"] for entry in said["symbols"]} & {"12345.SH", "aapl", ""}, {"12345.SH", "aapl", ""})
        applied = events.event("interest_applied", portfolio_id="p")
        self.assertEqual((applied["named"], applied["followed"], applied["rejected"]), (7, 1, 6))
        self.follow("q", ["A", "B", "C", "D", "E", "F"])
        said = events.event("interest_rejected", portfolio_id="q")
        self.assertEqual(said["count"], 2, said)
        self.assertNotEqual(said["symbols"][0]["reason"], "")
        self.live.wait_followed(5)

    def test_unreadable(self):
        """What cannot be read is counted and said with its place, and does not block."""
        self.start()
        writer = self.writer("interest")
        for text in ("{", "[]", '{"portfolio_id":1}', '{"portfolio_id":"p","symbols":"AAPL"}', '"' + "x" * 100):
            writer.send("k", text)
        self.follow("p", ["AAPL"])
        self.asked("AAPL")
        unreadable = [v for k, v in self.live.metrics().items() if "unreadable" in k and "interest" in k]
        self.assertEqual(unreadable, [5.0])
        self.live.expect(r"interest unreadable topic=\S+ partition=\d+ offset=\d+ error=")

    def test_5000(self):
        """Five thousand symbols: in messages of at most 100 symbols and 16 KB, within the pace."""
        symbols = [f"{a}{b}{c}" for a in "ABCDEFGHIJ" for b in "ABCDEFGHIJKLMNOPQRST" for c in "ABCDEFGHIJKLMNOPQRSTUVWXY"]
        self.start(settings={"supervisor.change_rate": "1000", "alpaca.snapshots": "false"})
        self.follow("p", symbols)
        self.live.wait_subscribed("alpaca", 5000)
        log = self.server.stats()["subscribe_log"]
        self.assertGreaterEqual(len(log), 50)
        self.assertLessEqual(max(entry["bytes"] for entry in log), 16 * 1024)
        self.follow("p", [])
        self.live.wait_subscribed("alpaca", 0)
        self.assertEqual(self.server.stats()["auths"], 1)


if __name__ == "__main__":
    livecore.main()
