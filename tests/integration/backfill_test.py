"""Histories that answer badly while a gap is being filled: the gap ends as what it is, the stream goes on, and nothing is asked
beyond the budget. The broker is the embedded one.

usage: backfill_test.py LIVECORE [unittest options]
"""

import json
import signal
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import livecore  # noqa: E402

FOLLOWED = ["AAPL", "IBM", "KO"]


class History:
    """Alpaca's data server as an enemy would build it."""

    def __init__(self):
        self.how, self.asked, self.lock = "refuse:500", Counter(), threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                outer.answer(self)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.how = "refuse:500"
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request):
        kind = "trades" if "/trades?" in request.path and "latest" not in request.path else "other"
        with self.lock:
            self.asked[kind] += 1
        how, _, value = self.how.partition(":")
        if kind == "other" or how == "refuse":
            self.send(request, int(value or 404) if kind == "trades" else 404, b"{}")
        elif how == "limit":
            self.send(request, 429, b"{}", {"Retry-After": value})
        elif how == "garbage":
            self.send(request, 200, b'{"trades":{"AAPL":[{"t":12,"p":"x"},' + b"[" * 5000)
        elif how == "endless":
            trade = {"t": time.strftime("%Y-%m-%dT%H:%M:%S.5Z", time.gmtime(time.time() - 2)), "x": "V", "p": 1, "s": 1, "c": ["@"], "i": 1, "z": "A"}
            self.send(request, 200, json.dumps({"trades": {"AAPL": [trade] * 50}, "next_page_token": "more"}).encode())
        elif how == "drip":
            self.drip(request)

    def send(self, request, status, body, headers=None):
        request.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    def drip(self, request):
        """A byte every 100 ms of a body that would take for ever."""
        request.send_response(200)
        request.send_header("Content-Length", "1000000")
        request.end_headers()
        try:
            while self.how == "drip":
                request.wfile.write(b" ")
                request.wfile.flush()
                time.sleep(0.1)  # a vendor's pace, not ours
        except OSError:
            pass


class Backfill(livecore.Case):
    def begin(self, *args, **settings):
        self.history = History()
        self.addCleanup(self.history.stop)
        self.server = self.sim("alpaca", "--rate", "300", "--linger", "60")
        more = {"alpaca.data_url": self.history.url, "alpaca.rest_rate": "100", "calendar.always_open": "true"}
        more |= {key.replace("__", "."): value for key, value in settings.items()}
        self.settings = livecore.alpaca(self.server) | more
        self.live = self.run_livecore(self.settings, *args, env=livecore.ALPACA_KEY)
        self.prices, self.events = self.read("market_data"), self.read("events")
        self.follow("p", FOLLOWED)
        self.flows()

    def flows(self):
        self.prices.wait_trades(FOLLOWED)

    def gap(self, how, hold="hold:1"):
        """A cut; the id of its gap."""
        self.history.how = how
        seen = len(self.events.records)
        self.server.fault(f"drop,{hold}")
        opened = self.events.event("gap_opened", after=seen, cause="disconnect", until=None)
        self.events.wait(
            lambda r: r.value["type"] == "gap_opened" and r.value["data"]["gap"] == opened["gap"] and r.value["data"]["until"], "its end"
        )
        return opened["gap"]

    def left(self, gap, *causes):
        """The event that says that the gap stays open, and why."""

        def fits(record):
            data = record.value["data"]
            return record.value["type"] == "gap_opened" and data["gap"] == gap and data["cause"] in causes and "left_open" in data

        return self.events.wait(fits, f"{gap} is left for {causes}")[0].value["data"]

    def test_bad_answers(self):
        self.begin(backfill__max_requests="4", alpaca__snapshot_timeout="1s")
        for how, causes in (
            ("refuse:500", ("vendor",)),
            ("garbage", ("vendor",)),
            ("limit:1", ("budget",)),
            ("endless", ("budget",)),
            ("drip", ("vendor",)),
        ):
            with self.subTest(how):
                before = self.history.asked["trades"]
                told = self.left(self.gap(how), *causes)
                self.assertTrue(told["evidence"])
                self.assertLessEqual(told["requests"], 4)
                self.assertLessEqual(self.history.asked["trades"] - before, 4)
                self.assertEqual(sorted(told["symbols"]), FOLLOWED)
                self.flows()
        self.assertFalse([r for r in self.events.records if r.value["type"] == "gap_filled"])
        self.assertEqual(self.live.feeder("alpaca")["gaps"]["filling"], 0)
        self.assertEqual(livecore.misfits(self.events.records, "system_event"), [])
        self.assertEqual(livecore.holes(self.prices.records), [])

    def test_no_budget(self):
        self.begin(backfill__max_requests="1")
        self.assertEqual(self.left(self.gap("endless"), "budget", "vendor")["requests"], 1)

    def test_a_gap_while_another_is_filled_then_reload_and_stop(self):
        """The second waits its turn; a reload and a stop in the middle end in order."""
        path = Path(self.state) / "livecore.yaml"
        path.write_text("log:\n  level: info\n")
        self.begin("--config", str(path), alpaca__snapshot_timeout="20s")
        first = self.gap("drip")
        livecore.wait_for(lambda: self.history.asked["trades"] > 0, "it is asked")
        second = self.gap("drip")
        self.assertNotEqual(first, second)
        livecore.wait_for(lambda: self.live.feeder("alpaca")["gaps"]["filling"] == 2, lambda: self.live.feeder("alpaca")["gaps"])
        path.write_text("backfill:\n  max_requests: 2\nalpaca:\n  rest_rate: 5\n")
        self.command("reload")
        self.flows()
        self.assertEqual(self.live.stop(), 0, self.live.text)

    def test_killed_while_filling(self):
        """What was being filled stays said as missing; the next process fills its own gap alone."""
        self.begin(alpaca__snapshot_timeout="20s")
        gap = self.gap("drip")
        livecore.wait_for(lambda: self.history.asked["trades"] > 0, "it is asked")
        self.live.process.send_signal(signal.SIGKILL)
        self.live.wait()
        self.history.how = "refuse:404"
        self.live = self.run_livecore(self.settings, env=livecore.ALPACA_KEY)
        self.prices, self.events = self.read("market_data"), self.read("events")
        opened = self.events.event("gap_opened", cause="restart", until=None)
        self.assertNotEqual(opened["gap"], gap)
        self.left(opened["gap"], "vendor")
        self.assertFalse([r for r in self.events.records if r.value["type"] == "gap_filled"])


if __name__ == "__main__":
    livecore.main()
