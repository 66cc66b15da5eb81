"""Vendors that refuse, hang, cut off and ban: what livecore does, says and resumes. The broker is the embedded one.

usage: failures_test.py LIVECORE [unittest options]
"""

import socket
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import livecore  # noqa: E402

FOLLOWED = ["AAPL", "IBM", "KO"]


class Silent:
    """A server that accepts and never answers, or, without accepting, a host that is dead: its backlog is full."""

    def __init__(self, accept):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0 if not accept else 64)
        self.port = self.listener.getsockname()[1]
        self.held, self.accepted = [], 0
        if accept:
            threading.Thread(target=self._accept, daemon=True).start()
            return
        for _ in range(4):  # what fits into the backlog, and some that hang
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", self.port))
            self.held.append(client)

    def _accept(self):
        while True:
            try:
                self.held.append(self.listener.accept()[0])
            except OSError:
                return
            self.accepted += 1

    def stop(self):
        self.listener.close()
        for client in self.held:
            client.close()


class Failures(livecore.Case):
    def file(self, name, text):
        path = Path(self.state) / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def silent(self, accept):
        made = Silent(accept)
        self.addCleanup(made.stop)
        return made

    def alpaca(self, *options, **settings):
        """A livecore that follows three symbols of Alpaca's simulator."""
        self.server = self.sim("alpaca", "--rate", "100", *options)
        more = {key.replace("__", "."): value for key, value in settings.items()}
        self.live = self.run_livecore(livecore.alpaca(self.server) | more, env=livecore.ALPACA_KEY)
        self.prices = self.read("market_data")
        self.events = self.read("events")
        self.follow("p", FOLLOWED)

    def flows(self):
        """Ticks of all symbols come, from now on."""
        seen = len(self.prices.records)
        for symbol in FOLLOWED:
            self.prices.wait(lambda record, s=symbol: record.key == s, f"ticks of {symbol}", after=seen)
        self.assertEqual(livecore.holes(self.prices.records), [])

    # --- keys ---

    def test_wrong_key(self):
        server = self.sim("alpaca", "--key", "right")
        path = self.file("livecore.yaml", f"alpaca:\n  url: {server.url}\n  data_url: {server.origin}\n")
        secrets = "alpaca:\n  key: %s\n  secret: demo-secret\n"
        self.file("secrets.yaml", secrets % "wrong-key")
        live = self.run_livecore({"routing.feeders": "alpaca"}, "--config", str(path))
        events, alerts = self.read("events"), self.read("notifications")
        live.wait_state("alpaca", "STOPPED")
        self.assertIn("402", events.event("auth_failed", feeder="alpaca")["reason"])
        alert = alerts.wait(lambda r: r.value["data"].get("alert_type") == "auth_failed", "an alert")[0].value
        self.assertEqual((alert["type"], alert["severity"]), ("data_collection_alert", "ERROR"))
        self.assertNotIn("wrong-key", live.text)
        self.assertEqual(live.ready()[0], 200)
        self.follow("p", FOLLOWED)
        live.wait_followed(3)
        self.assertEqual(server.stats()["auth_failures"], 1, "it stays stopped")
        self.command("feeder_start", "feeder=alpaca")  # with the same key: the same end
        server.wait_stats(lambda stats: stats["auth_failures"] == 2, "a second try")
        live.wait_state("alpaca", "STOPPED")
        self.file("secrets.yaml", secrets % "right")
        self.command("reload")
        live.wait_state("alpaca", "CONNECTED")
        live.wait_subscribed("alpaca", 3)

    def test_plan_without_the_feed(self):
        for code in (409, 411):
            with self.subTest(code=code):
                self.alpaca("--faults", f"auth-error:{code}/1")
                self.live.wait_state("alpaca", "STOPPED")
                self.assertIn(str(code), self.events.event("auth_failed")["reason"])
                self.command("feeder_start", "feeder=alpaca")
                self.flows()

    def test_connection_limit(self):
        """406 is waited out: an old session may still count."""
        self.alpaca("--faults", "auth-error:406/1")
        self.live.expect("feeder=alpaca .* to=RECONNECTING .*406")
        self.flows()
        self.assertEqual(self.live.feeder("alpaca")["connects"], 2)

    def test_upgrade_refused(self):
        """429 is waited out as Retry-After says; other refusals are tried again."""
        self.alpaca("--faults", "refuse:429/1")
        self.live.expect("feeder=alpaca .* to=RECONNECTING .*429")
        self.flows()
        self.server.fault("refuse:503/2,drop")
        livecore.wait_for(lambda: self.live.feeder("alpaca")["connects"] >= 4, lambda: self.live.feeder("alpaca"))
        self.flows()

    # --- hosts ---

    def test_dead_host(self):
        dead = self.silent(accept=False)
        live = self.run_livecore(
            {
                "routing.feeders": "alpaca",
                "alpaca.url": f"ws://127.0.0.1:{dead.port}/v2/iex",
                "alpaca.connect_timeout": "150ms",
                "supervisor.alert_after": "3",
            },
            env=livecore.ALPACA_KEY,
        )
        events, alerts = self.read("events"), self.read("notifications")
        alert = alerts.wait(lambda r: r.value["data"].get("alert_type") == "feed_down", "an alert")[0]
        self.assertEqual(alert.value["data"]["actual"], 3)
        self.assertEqual(events.event("feeder_state", down=True)["failures"], 3)
        livecore.wait_for(lambda: live.feeder("alpaca")["failures_in_row"] > 5, "it goes on trying")
        self.assertEqual(livecore.get(live.url + "/livez")[0], 200)
        self.assertEqual(live.ready()[0], 200)

    def never_answers(self, feeder, settings):
        server = self.silent(accept=True)
        where = {key: value.format(port=server.port) for key, value in settings.items()}
        live = self.run_livecore({"routing.feeders": feeder} | where, env=livecore.ALPACA_KEY)
        self.follow("p", ["AAPL", "600000.SH", "00700.HK"])
        livecore.wait_for(
            lambda: live.feeder(feeder)["failures_in_row"] >= 2 and server.accepted >= 2,
            lambda: f"{live.feeder(feeder)}, {server.accepted} accepted",
        )
        self.assertEqual(livecore.get(live.url + "/livez")[0], 200)
        self.assertEqual(live.stop(), 0)

    def test_never_answers_alpaca(self):
        self.never_answers(
            "alpaca", {"alpaca.url": "ws://127.0.0.1:{port}/v2/iex", "alpaca.connect_timeout": "200ms"}
        )

    def test_never_answers_eastmoney(self):
        for mode in ("poll", "sse"):
            with self.subTest(mode=mode):
                settings = {
                    "eastmoney.url": "http://127.0.0.1:{port}",
                    "eastmoney.mode": mode,
                    "eastmoney.timeout": "200ms",
                    "eastmoney.poll_interval": "50ms",
                    "eastmoney.idle_timeout": "1s",
                }
                self.never_answers("eastmoney", settings)

    def test_never_answers_fushu(self):
        settings = {"fushu.url": "http://127.0.0.1:{port}/v1", "fushu.timeout": "200ms", "fushu.poll_interval": "50ms"}
        self.never_answers("fushu", settings)

    def test_never_answers_tencent(self):
        settings = {
            "tencent.url": "http://127.0.0.1:{port}",
            "tencent.timeout": "200ms",
            "tencent.poll_interval": "50ms",
        }
        self.never_answers("tencent", settings)

    def test_auth_not_answered(self):
        """The vendor welcomes us, and then says nothing to our key."""
        self.alpaca(alpaca__reply_timeout="300ms")
        self.flows()
        self.server.fault("half-open:2,drop")
        livecore.wait_for(lambda: self.live.feeder("alpaca")["failures_in_row"] >= 1, "a failure")
        self.flows()

    # --- sessions that end ---

    def test_reconnects_and_subscribes_again(self):
        self.alpaca(supervisor__healthy="100ms")
        self.flows()
        for number, fault in enumerate(("close:1000", "close:1012", "drop", "cut", "bad-frame", "error:407"), 1):
            with self.subTest(fault=fault):
                self.server.fault(fault)
                self.server.wait_stats(lambda stats, n=number: stats["auths"] == n + 1, f"session {number + 1}")
                self.live.wait_subscribed("alpaca", 3)
                self.flows()
        self.assertEqual(self.live.feeder("alpaca")["reconnects"], 6)
        self.live.expect("407")

    def test_malformed(self):
        """A message that cannot be read is counted and said; the session lives on."""
        self.alpaca()
        self.flows()
        self.server.fault("malformed")
        livecore.wait_for(lambda: self.live.feeder("alpaca")["bad_input"] >= 1, "counted")
        self.live.expect(r"feeder bad_input feeder=alpaca")
        self.flows()
        self.assertEqual(self.live.feeder("alpaca")["connects"], 1)

    # --- subscriptions ---

    def test_culprit(self):
        """The vendor refuses a message: it is halved until the symbol that it means is alone, and reported."""
        self.alpaca("--reject", "BAD,WORSE")
        symbols = [f"S{a}{b}" for a in "ABCDEFGH" for b in "ABCD"]
        self.follow("q", symbols[:13] + ["BAD"] + symbols[13:] + ["WORSE"])
        self.live.wait_subscribed("alpaca", 3 + len(symbols))
        for symbol in ("BAD", "WORSE"):
            self.events.wait(
                lambda r, s=symbol: r.value["type"] == "interest_rejected"
                and r.value["data"]["portfolio_id"] == "q"
                and r.value["data"]["feeder"] == "alpaca"
                and s in r.value["data"]["symbols"],
                f"{symbol} is reported",
            )
        self.assertEqual(self.live.feeder("alpaca")["symbols"]["rejected"], 2)
        self.flows()

    def limit(self, *options, **settings):
        self.alpaca(*options, **settings)
        self.live.wait_subscribed("alpaca", 3)
        self.follow("q", ["MSFT", "NVDA", "TSLA"])
        self.live.wait_followed(6)
        livecore.wait_for(
            lambda: self.live.feeder("alpaca")["symbols"]["over_limit"] > 0, lambda: f"{self.live.feeder('alpaca')}"
        )
        said = self.events.event("symbol_limit", portfolio_id="q")
        self.assertLessEqual(set(said["symbols"]), {"MSFT", "NVDA", "TSLA"})
        self.assertEqual(said["count"], len(said["symbols"]))
        alerts = self.read("notifications")
        alerts.wait(lambda r: r.value["data"].get("alert_type") == "symbol_limit", "an alert")
        self.assertTrue(set(FOLLOWED) <= set(self.server.stats()["symbols"]), "the earliest keep their place")
        self.flows()
        self.assertEqual(self.live.feeder("alpaca")["connects"], 1)

    def test_limit_found_out(self):
        self.limit("--symbol-limit", "8")

    def test_limit_known(self):
        self.limit(alpaca__symbol_limit="4")
        self.follow("p", ["AAPL", "IBM"])  # a place becomes free
        livecore.wait_for(lambda: len(self.server.stats()["symbols"]) >= 4, "the next one takes it")

    # --- polled vendors ---

    def polled(self, vendor, settings, *options):
        self.server = self.sim(vendor, "--rate", "100", *options)
        base = {"routing.feeders": vendor, "routing.routes": f"*={vendor}", f"{vendor}.url": self.server.url}
        self.live = self.run_livecore(base | {f"{vendor}.poll_interval": "50ms"} | settings)
        self.prices, self.events = self.read("market_data"), self.read("events")
        self.follow("p", ["00700.HK", "09988.HK"])
        self.prices.wait(lambda record: True, "a price")

    def goes_on(self):
        seen = len(self.prices.records)
        self.prices.wait(lambda record: True, "prices again", count=3, after=seen)
        self.assertEqual(livecore.holes(self.prices.records), [])

    def banned(self, vendor, settings, faults, with_fault=""):
        """The feeder waits, says so, and goes on."""
        waits = dict.fromkeys([f"{vendor}.ban_wait{which}" for which in ("", "_second", "_last")], "300ms")
        self.polled(vendor, waits | settings)
        for fault, says in faults:
            with self.subTest(vendor=vendor, settings=settings, fault=fault):
                seen = len(self.events.records)
                self.server.fault(fault + with_fault)
                self.events.wait(
                    lambda r, s=says: r.value["data"].get("to") == "RECONNECTING" and s in r.value["data"]["reason"],
                    f"{fault} is said",
                    after=seen,
                )
                self.goes_on()
        self.assertEqual(self.live.stop(), 0)

    def test_eastmoney_bans(self):
        """Connections closed without an answer, 403, 429, and pages or nothing instead of data."""
        faults = ("ban:8", "banned"), ("refuse:403/3", "banned"), ("refuse:429/1", "wait")
        for mode in ("poll", "sse"):
            settings = {"eastmoney.mode": mode, "eastmoney.mpi": "100ms"}
            self.banned("eastmoney", settings, faults, "" if mode == "poll" else ",close")
        pages = ("malformed", "a page"), ("cut:0/3", "banned")
        self.banned("eastmoney", {"eastmoney.mode": "poll"}, pages)

    def test_tencent_bans(self):
        """The same, and pages and empty answers."""
        faults = [("ban:8", "banned"), ("refuse:403/3", "banned"), ("refuse:302/1", "banned")]
        faults += [("malformed", "a page"), ("cut:0/3", "banned"), ("refuse:429/1", "wait")]
        self.banned("tencent", {}, faults)

    def test_tencent_failures_pass(self):
        """One answer lost, cut or refused costs a poll, not the session."""
        self.polled("tencent", {})
        for fault in ("refuse:501/1", "ban:1", "cut", "correct", "duplicate:3", "zero:2"):
            with self.subTest(fault=fault):
                self.server.fault(fault)
                after = self.live.feeder("tencent")["ticks"] + 8  # some polls later
                livecore.wait_for(lambda n=after: self.live.feeder("tencent")["ticks"] >= n, "ticks")
                self.goes_on()
        self.assertEqual(self.live.feeder("tencent")["connects"], 1, self.live.text)
        self.live.expect(r"feeder bad_input feeder=tencent.*truncated")
        self.server.kill()
        livecore.wait_for(lambda: self.live.feeder("tencent")["failures_in_row"] >= 2, "it tries again")

    def test_fushu_refuses(self):
        self.polled("fushu", {})
        for fault in ("refuse:500/2", "ban:2", "correct", "malformed", "cut", "duplicate:1", "refuse:429/1"):
            with self.subTest(fault=fault):
                self.server.fault(fault)
                self.goes_on()
        self.server.fault("refuse:503/1")  # without Retry-After: a long wait, which a person can cut short
        self.live.wait_state("fushu", "RECONNECTING")
        self.assertIn("503", self.live.feeder("fushu")["reason"])
        self.assertEqual(self.live.ready()[1]["status"], "degraded")
        self.command("feeder_stop", "feeder=fushu")
        self.command("feeder_start", "feeder=fushu")
        self.goes_on()
        self.server.kill()
        livecore.wait_for(lambda: self.live.ready()[1]["status"] == "degraded", "it is gone")
        livecore.wait_for(lambda: self.live.feeder("fushu")["failures_in_row"] >= 2, "it tries again")


if __name__ == "__main__":
    livecore.main()
