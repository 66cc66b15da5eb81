"""A source that fails is left for the next of its route, and gone back to. The broker is the embedded one.

usage: failover_test.py LIVECORE [unittest options]
"""

import sys
import time
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import livecore  # noqa: E402
import machine  # noqa: E402

SOON_S = 1  # on an idle machine; a busy one may need another try
SYMBOLS = ["600000.SH", "000001.SZ", "600519.SH"]
ROUTE = '"*=eastmoney,tencent"'


def seconds(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Failover(livecore.Case):
    def begin(self, symbols=SYMBOLS, route=ROUTE, **more):
        self.port = livecore.free_port()  # it is killed and comes back there
        self.eastmoney = self.sim("eastmoney", "--rate", "200", "--port", str(self.port))
        self.tencent = self.sim("tencent", "--rate", "200")
        settings = {
            "routing.feeders": "eastmoney,tencent",
            "routing.routes": route,
            "eastmoney.url": self.eastmoney.url,
            "eastmoney.mode": "poll",
            "eastmoney.poll_interval": "50ms",
            "eastmoney.ban_after": "100",
            "tencent.url": self.tencent.url,
            "tencent.poll_interval": "50ms",
            "supervisor.alert_after": "2",
            "failover.quarantine": "1s",
        }
        self.live = self.run_livecore(settings | {key.replace("__", "."): value for key, value in more.items()})
        self.prices, self.events, self.alerts = map(self.read, ("market_data", "events", "notifications"))
        self.follow("p", symbols)
        self.live.wait_subscribed("eastmoney", len(symbols))
        self.come_from("eastmoney", symbols[:2] + symbols[-1:])

    def come_from(self, source, symbols=SYMBOLS):
        """Each symbol's ticks come from this source from now on, and no other's any more."""
        for symbol in symbols:
            seen = len(self.prices.records)
            self.prices.wait(
                lambda r, s=symbol: r.key == s and r.value["source"] == source, f"{symbol} of {source}", after=seen
            )

    def restart_eastmoney(self):
        self.eastmoney = self.sim("eastmoney", "--rate", "200", "--port", str(self.port))

    def moves(self, source, to, count, after):
        """The events that tell of a move of so many symbols: thousands are told in several."""

        def fits(record):
            data = record.value.get("data", {})
            return record.value["type"] == "failover" and (data["from"], data["to"]) == (source, to)

        self.events.wait(
            lambda _: sum(r.value["data"]["count"] for r in self.events.records[after:] if fits(r)) >= count,
            f"failover of {count} from {source} to {to}",
            after=after,
        )
        told = [r.value for r in self.events.records[after:] if fits(r)]
        self.assertEqual(sum(event["data"]["count"] for event in told), count)
        return told

    def leave_eastmoney(self, count):
        """It dies; what was said of it last, and the first price of the next source."""
        said, seen = len(self.events.records), len(self.prices.records)
        self.eastmoney.kill()
        told = self.moves("eastmoney", "tencent", count, said)
        self.assertTrue(all(event["data"]["reason"] and not event["data"]["returning"] for event in told))
        first = self.prices.wait(lambda r: r.value["source"] == "tencent", "a price of tencent", after=seen)[0]
        return told[-1], first.value

    def go_back(self, count):
        said = len(self.events.records)
        self.restart_eastmoney()
        self.assertTrue(all(event["data"]["returning"] for event in self.moves("tencent", "eastmoney", count, said)))

    def check_numbers(self):
        """No number is missing and none comes twice; a symbol's sources follow each other, they do not mix: but for the trades
        of the gap, which EastMoney's history gives while Tencent is still followed."""
        self.assertEqual(livecore.holes(self.prices.records), [])
        for symbol in SYMBOLS:
            values = [r.value for r in self.prices.records if r.key == symbol and r.value["seq"] > 0]
            values = [v for v in values if "backfilled" not in (v.get("flags") or ())]
            changes = sum(a["source"] != b["source"] for a, b in zip(values, values[1:]))
            told = [r.text for r in self.events.records if r.value["type"] in ("failover", "feeder_state", "feed_mute")]
            self.assertLessEqual(changes, self.switches, f"{symbol}: {told}")
            self.assertEqual(len({v["stream"] for v in values}), 1)

    def test_a_dead_vendor_is_left_and_gone_back_to(self):
        """Prices of the next source come within a second."""
        self.begin()
        self.switches = 0

        def without_prices_s():
            event, first = self.leave_eastmoney(3)
            self.come_from("tencent")
            source = self.live.feeder("eastmoney")["source"]
            self.assertEqual((source["state"], source["active"], source["origin"]), ("left", 0, "eastmoney"))
            self.assertEqual(self.live.feeder("tencent")["source"]["active"], 3)
            self.assertEqual(self.live.metrics()['livecore_feeder_source_state{feeder="eastmoney"}'], 1)
            self.go_back(3)
            self.come_from("eastmoney")
            self.switches += 2
            return seconds(first["received_at"]) - seconds(event["data"]["since"])

        machine.soonest(SOON_S, without_prices_s)
        self.check_numbers()
        metrics = self.live.metrics()
        self.assertEqual(metrics['livecore_failover_switches_total{from="eastmoney",to="tencent"}'], self.switches / 2)
        self.assertEqual(metrics['livecore_failover_switches_total{from="tencent",to="eastmoney"}'], self.switches / 2)
        livecore.wait_for(lambda: self.live.feeder("tencent")["symbols"]["wanted"] == 0, "Tencent is left alone again")

    def test_a_ban_is_not_waited_out(self):
        self.begin(eastmoney__ban_after="2", eastmoney__ban_wait="30s", failover__ban_wait="5s")
        self.eastmoney.fault("ban:1000")
        told = self.events.event("failover", to="tencent")
        self.assertIn("ban", told["reason"].lower())
        self.come_from("tencent")

    def test_a_ban_that_is_short_is_waited_out(self):
        waits = {f"eastmoney__ban_wait{n}": "1s" for n in ("", "_second", "_last")}
        self.begin(eastmoney__ban_after="2", supervisor__alert_after="50", failover__ban_wait="5s", **waits)
        self.eastmoney.fault("ban:6")
        self.live.wait_state("eastmoney", "RECONNECTING")
        self.come_from("eastmoney")
        self.assertEqual([r for r in self.events.records if r.value["type"] == "failover"], [])

    def test_no_source_is_left(self):
        self.begin()
        self.eastmoney.kill()
        self.events.event("failover", to="tencent")
        self.come_from("tencent")
        self.tencent.kill()
        alert = self.alerts.wait(lambda r: r.value["data"].get("alert_type") == "source_error", "an alert")[0].value
        self.assertEqual((alert["severity"], alert["data"]["feeder"]), ("ERROR", "tencent"))
        self.restart_eastmoney()
        self.come_from("eastmoney")  # better one in quarantine than none
        self.alerts.wait(lambda r: r.value["data"].get("resolves") == "source_error", "that it is over")
        self.switches = 2
        self.check_numbers()

    def test_by_command_and_reload(self):
        path = Path(self.state) / "livecore.yaml"
        path.write_text("log:\n  level: info\n")
        self.begin()
        self.command("feeder_stop", "feeder=eastmoney")
        self.events.event("failover", to="tencent", reason="stopped by command")
        self.come_from("tencent")
        self.command("feeder_start", "feeder=eastmoney")
        self.come_from("eastmoney")
        self.switches = 2
        self.check_numbers()

    def test_thousands_of_symbols(self):
        """All are followed on the next source within a second, and the loop is not held."""
        many = [f"{600000 + n}.SH" for n in range(1000)]
        self.begin(
            many,
            eastmoney__poll_interval="10ms",
            tencent__poll_interval="10ms",
            tencent__max_symbols="400",
            tencent__max_url="8000",
        )

        def moved_s():
            event, _ = self.leave_eastmoney(1000)
            self.assertGreaterEqual(self.live.feeder("tencent")["symbols"]["wanted"], 1000)
            self.come_from("tencent", many[:2] + many[-2:])
            took_s = seconds(event["timestamp"]) - seconds(event["data"]["since"])
            if took_s >= SOON_S:
                self.go_back(1000)
                self.come_from("eastmoney", many[:2] + many[-2:])
            return took_s

        machine.soonest(SOON_S, moved_s)
        self.assertEqual(livecore.holes(self.prices.records), [])

    def test_check_names_the_origins(self):
        path = Path(self.state) / "livecore.yaml"
        path.write_text('routing:\n  routes: ["*.SH=eastmoney,tencent", "*.SZ=eastmoney,nobody"]\n')
        done = livecore.tool("check", str(path))
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r'livecore.yaml:2:\d+: .*there is no feeder "nobody"')
        path.write_text('routing:\n  routes: ["*.SH=eastmoney,tencent", "*.SZ=eastmoney"]\n')
        done = livecore.tool("check", str(path))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("route *.SH: eastmoney (origin eastmoney), then tencent (origin tencent", done.stdout)
        self.assertIn("route *.SZ: eastmoney (origin eastmoney)\n", done.stdout)


if __name__ == "__main__":
    livecore.main()
