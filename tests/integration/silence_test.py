"""EastMoney and Tencent as they are without settings: silence that is noticed, left and gone back from; delayed prices; reloads
meanwhile; bars over it. The broker is the embedded one, the patience a small one.

usage: silence_test.py LIVECORE [unittest options]
"""

import sys
from collections import defaultdict
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import livecore  # noqa: E402

CN = ["600000.SH", "000001.SZ", "600519.SH", "000002.SZ", "600036.SH", "601318.SH", "000333.SZ", "600276.SH"]
HK = ["00700.HK", "09988.HK", "00005.HK", "00388.HK", "00941.HK", "01299.HK"]
IMPATIENT = {
    "liveness.patience": "5",
    "liveness.min_silence": "1s",
    "liveness.grace": "500ms",
    "liveness.probe_wait": "1s",
    "liveness.resubscribe_wait": "500ms",
    "liveness.reconnect_wait": "1s",
}


def seconds(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Silence(livecore.Case):
    def begin(self, symbols, *args, **more):
        self.symbols = symbols
        self.eastmoney = self.sim("eastmoney", "--rate", "200", "--seed", "1")
        self.tencent = self.sim("tencent", "--rate", "200", "--seed", "2")
        settings = {
            "eastmoney.url": self.eastmoney.origin,
            "tencent.url": self.tencent.origin,
            "tencent.poll_interval": "50ms",
            "supervisor.alert_after": "2",
            "eastmoney.timeout": "2s",
            "failover.quarantine": "1s",
        }
        more = {key.replace("__", "."): value for key, value in more.items()}
        self.live = self.run_livecore({**settings, **IMPATIENT, **more}, *args)
        self.prices, self.events, self.alerts = map(self.read, ("market_data", "events", "notifications"))
        self.follow("p", symbols)
        self.live.wait_subscribed("eastmoney", len(symbols))
        self.come_from("eastmoney")

    def come_from(self, source, symbols=None, delayed=None):
        for symbol in symbols or self.symbols:
            seen = len(self.prices.records)
            self.prices.wait(
                lambda r, s=symbol: r.key == s and r.value["source"] == source and r.value.get("delayed") is delayed,
                f"{symbol} of {source}",
                after=seen,
            )

    def learned(self, count):
        def flows():
            found = self.live.feeder("eastmoney")["liveness"]
            return found["symbols_learned"] == count and found["subscription"] == "flows"

        livecore.wait_for(flows, lambda: self.live.feeder("eastmoney")["liveness"])

    def alert(self, kind, **data):
        def fits(record):
            there = record.value["data"]
            return there["alert_type"] == kind and all(there.get(k) == v for k, v in data.items())

        return self.alerts.wait(fits, f"alert {kind} {data}")[0].value

    def fit(self):
        """All events and alerts are as documented, and no number is missing or twice."""
        self.assertEqual(livecore.misfits(self.events.records, "system_event"), [])
        self.assertEqual(livecore.misfits(self.alerts.records, "notification"), [])
        self.assertEqual(livecore.holes(self.prices.records), [])

    def test_mute_is_left_for_the_second_origin(self):
        """Out of the box: nothing is asked of Tencent until EastMoney's stream is connected and silent."""
        self.begin(CN)
        self.learned(len(CN))
        self.assertEqual(self.live.feeder("tencent")["state"], "STANDBY")
        self.assertEqual(self.tencent.stats()["accepted"], 1, "our own question")
        self.assertTrue(self.live.ready()[1]["checks"]["feeders"]["tencent"]["ok"])
        self.eastmoney.fault("mute:600")
        self.check_left()
        self.eastmoney.fault("clear")
        self.check_back()
        self.fit()

    def check_left(self):
        for stage in ("probe", "reconnect"):  # the stream does not answer the probe: asking it again is of no use
            self.events.event("feed_mute", stage=stage, feeder="eastmoney")
        verdict = next(r for r in self.events.records if r.value["type"] == "feed_mute")
        self.assertIn(verdict.value["data"]["verdict"], ("mute", "frozen"))
        self.assertTrue(self.events.event("feed_mute", stage="fail_over")["moved"])
        opened = self.events.event("gap_opened", cause="mute", feeder="eastmoney", until=None)
        self.assertEqual(sorted(opened["symbols"]), sorted(CN))
        told = self.events.event("failover", **{"from": "eastmoney", "to": "tencent"})
        self.assertEqual((told["count"], told["total"], told["returning"]), (len(CN), len(CN), False))
        self.assertEqual(sorted(told["symbols"]), sorted(CN))
        self.come_from("tencent")
        first = {r.key: r.value for r in reversed(self.prices.records) if r.value["source"] == "tencent"}
        late = {s: seconds(v["received_at"]) - seconds(told["since"]) for s, v in first.items()}
        self.assertLess(max(late.values()), 1, late)
        self.alert("feed_mute", feeder="eastmoney")
        metrics = self.live.metrics()
        self.assertEqual(metrics['livecore_failover_switches_total{from="eastmoney",to="tencent"}'], 1)
        self.assertEqual(metrics['livecore_failover_symbols_total{from="eastmoney",to="tencent"}'], len(CN))
        self.assertEqual(metrics['livecore_feeder_source_state{feeder="eastmoney"}'], 1)
        self.assertEqual(metrics['livecore_feeder_symbols_active{feeder="tencent"}'], len(CN))
        # What another source shows is missing no more.
        livecore.wait_for(lambda: self.live.metrics()['livecore_gap_symbols{feeder="eastmoney"}'] == 0, "the gap's end")

    def check_back(self):
        self.events.event("feed_mute", stage="over", feeder="eastmoney")
        self.alert("resolved", feeder="eastmoney", resolves="feed_mute")
        back = self.events.event("failover", **{"from": "tencent", "to": "eastmoney"})
        self.assertEqual((back["count"], back["returning"]), (len(CN), True))
        self.assertEqual(sorted(back["symbols"]), sorted(CN))
        event = next(r.value for r in self.events.records if r.value["type"] == "failover" and r.value["data"]["returning"])
        well = next(r.value for r in self.events.records if r.value["data"].get("stage") == "over")
        # It begins when the stream flows again; that it is over is said a moment later.
        self.assertGreaterEqual(seconds(event["timestamp"]) - seconds(well["timestamp"]), 0.5, "the quarantine")
        self.come_from("eastmoney")
        livecore.wait_for(lambda: self.live.feeder("tencent")["symbols"]["wanted"] == 0, "Tencent is left alone again")

    def test_one_market_of_two(self):
        """Hong Kong stops while mainland China goes on: one event and one alert, and no reconnect."""
        self.begin(CN + HK)
        self.learned(len(CN + HK))
        connects = self.live.feeder("eastmoney")["connects"]
        self.eastmoney.fault("quiet-hk:600")
        asked = self.events.event("feed_mute", stage="resubscribe", feeder="eastmoney")
        self.assertEqual(asked["market"], "hk")
        said = self.events.event("feed_mute", stage="market", feeder="eastmoney")
        self.assertEqual(said["market"], "hk")
        self.assertGreaterEqual(said["actual_seconds"], 1)
        self.alert("feed_mute", feeder="eastmoney", market="hk")
        self.assertEqual(self.live.feeder("eastmoney")["liveness"]["markets_mute"], "hk")
        self.assertIn("hk", self.live.ready()[1]["checks"]["feeders"]["eastmoney"]["reason"])
        self.come_from("eastmoney", CN)
        self.eastmoney.fault("clear")
        self.assertEqual(self.events.event("feed_mute", stage="over")["market"], "hk")
        self.alert("resolved", feeder="eastmoney", market="hk", resolves="feed_mute")
        self.come_from("eastmoney", HK)
        self.assertEqual(self.live.feeder("eastmoney")["connects"], connects)
        stages = {r.value["data"]["stage"] for r in self.events.records if r.value["type"] == "feed_mute"}
        self.assertEqual(stages, {"resubscribe", "market", "over"})
        self.assertEqual(self.live.feeder("tencent")["state"], "STANDBY")
        self.fit()

    def test_delayed_needs_leave(self):
        """A second source's delayed prices are no stand-in, unless that is allowed."""
        path = Path(self.state) / "livecore.yaml"
        path.write_text("log:\n  level: info\n")
        hk = {"tencent__hk_feed": "hk", "tencent__allow_delayed": "true"}
        self.begin(HK, "--config", str(path), **hk)
        self.eastmoney.kill()
        self.live.expect("failover delayed feeder=tencent.*allow_delayed")
        self.alert("source_error", feeder="eastmoney")
        self.assertFalse([r for r in self.prices.records if r.value["source"] == "tencent"])
        path.write_text("log:\n  level: info\nfailover:\n  allow_delayed: true\n")
        self.command("reload")
        self.come_from("tencent", delayed=True)
        self.alert("resolved", resolves="source_error")
        self.fit()

    def test_reloads_while_another_source_stands_in(self):
        path = Path(self.state) / "livecore.yaml"
        path.write_text("log:\n  level: info\n")
        self.begin(CN, "--config", str(path))
        self.eastmoney.kill()
        self.come_from("tencent")
        # Other order: what stands in is the first now, and nothing goes back.
        path.write_text('routing:\n  routes: ["*=tencent,eastmoney"]\n')
        self.command("reload")
        self.assertEqual(self.live.feeder("tencent")["source"]["active"], len(CN))
        # It is taken away: there is nobody but the one that failed.
        path.write_text("routing:\n  feeders: [eastmoney]\n")
        self.command("reload")
        self.live.wait_state("tencent", "STOPPED")
        livecore.wait_for(lambda: self.live.feeder("eastmoney")["symbols"]["wanted"] == len(CN), "all wait for EastMoney")
        # And given back, in the midst of trying.
        path.write_text("log:\n  level: info\n")
        self.command("reload")
        self.come_from("tencent")
        port = self.eastmoney.url.rsplit(":", 1)[1].split("/")[0]
        self.eastmoney = self.sim("eastmoney", "--rate", "200", "--port", port)
        self.come_from("eastmoney")
        self.fit()

    def test_to_and_fro(self):
        """Sources that change as fast as they can: nothing is missing, twice, or out of order, and each change is said."""
        self.begin(CN, failover__quarantine="100ms", failover__quarantine_max="100ms")
        for _ in range(4):
            self.command("feeder_stop", "feeder=eastmoney")
            self.come_from("tencent")
            self.command("feeder_start", "feeder=eastmoney")
            self.come_from("eastmoney")
        told = [r.value["data"] for r in self.events.records if r.value["type"] == "failover"]
        self.assertEqual([data["returning"] for data in told if data["count"] == len(CN)][:8], [False, True] * 4)
        self.fit()

    def test_volumes_of_two_origins_in_bars(self):
        """Each counts the day's volume for itself, millions apart: no bar may hold the difference."""
        self.begin(CN, bars__partial_ms="100", bars__grace="0s")
        bars = self.read("bars")
        self.eastmoney.kill()
        self.come_from("tencent")
        port = self.eastmoney.url.rsplit(":", 1)[1].split("/")[0]
        self.eastmoney = self.sim("eastmoney", "--rate", "200", "--port", port)
        self.come_from("eastmoney")
        seen = len(bars.records)
        for symbol in CN:
            bars.wait(lambda r, s=symbol: r.key == s, f"bars of {symbol}", after=seen)
        traded, jump = defaultdict(int), defaultdict(int)
        last = {}
        for value in (r.value for r in self.prices.records if r.value["seq"] > 0):
            symbol, source, volume = value["symbol"], value["source"], value["volume"]
            before = last.get(symbol)
            if before and before[0] == source:
                traded[symbol] += max(0, volume - before[1])
            elif before:
                jump[symbol] = max(jump[symbol], abs(volume - before[1]))
            last[symbol] = (source, volume)
        told = [r.value for r in bars.records if r.value["period"] == "1m"]
        for symbol in CN:
            self.assertGreater(jump[symbol], 0)
            most = max(bar["volume"] for bar in told if bar["symbol"] == symbol)
            self.assertLessEqual(most, traded[symbol] * 2, (symbol, jump[symbol]))
        self.assertGreater(max(jump.values()), 10 * max(traded.values()), "the sources are far apart")


if __name__ == "__main__":
    livecore.main()
