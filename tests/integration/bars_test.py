"""Bars end to end: from a vendor's ticks to Kafka and the bar store, over a restart, and bar_snapshot.

usage: bars_test.py LIVECORE [unittest options]
"""

import csv
import io
import signal
import shutil
import subprocess
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import livecore  # noqa: E402

MINUTES = {"5m": 5, "15m": 15, "30m": 30, "60m": 60}


def newest(records, final=True):
    """The highest revision of each bar, by symbol, period and start."""
    bars = {}
    for record in records:
        bar = record.value
        key = (bar["symbol"], bar["period"], bar["timestamp"])
        if (bar["final"] or not final) and bar["revision"] >= bars.get(key, bar)["revision"]:
            bars[key] = bar
    return bars


class Tape(livecore.Case):
    KAFKA = ()

    def demo(self, *more):
        return livecore.Process(
            [livecore.LIVECORE, "demo", "--tape", "--speed", "max", "--json", "--brokers", self.kafka.brokers]
            + ["--tape-dir", str(livecore.ROOT / "tests" / "data"), *livecore.words(self.settings), *more],
            cwd="/",
        )

    def stored(self, symbol, period):
        done = livecore.tool("bars", symbol, "--period", period, "--limit", "1000", "--csv", "--set", f"state.dir={self.state}")
        self.assertEqual(done.returncode, 0, done.stderr)
        return list(csv.DictReader(io.StringIO(done.stdout)))

    def test_a_recorded_day(self):
        """IBM on 2013-10-11: what Kafka says, what is stored, and the sums over periods."""
        self.settings = {"state.dir": self.state, "routing.feeders": "alpaca"} | self.topics()
        self.broker = self.kafka.brokers
        kept = {"kafka.brokers": self.broker, "kafka.retention": "200000h"}  # the records bear the recording's times
        made = livecore.tool("topics", "create", *livecore.words(kept | self.topics()))
        self.assertEqual(made.returncode, 0, made.stderr)
        demo = self.demo()
        topic = self.read("bars")
        topic.wait(lambda r: r.value["symbol"] == "IBM" and r.value["period"] == "1d", "the day's bar", within_s=300)
        self.assertEqual(demo.stop(signal.SIGINT), 0, demo.text)
        records = [r for r in livecore.read_all(self.broker, self.name("bars")) if r.key == "IBM"]
        self.assertTrue(all(r.headers.get("schema") == "bar/1" for r in records))
        bars = newest(records)
        said = {p: [b for (_, period, _), b in sorted(bars.items()) if period == p] for p in ("1m", "1d", *MINUTES)}

        for period, ours in said.items():
            kept = self.stored("IBM", period)
            self.assertEqual(len(kept), len(ours), period)
            for row, bar in zip(kept, ours):
                for field in ("open", "high", "low", "close", "volume", "amount"):
                    self.assertEqual(Decimal(row[field]), bar[field], f"{period} {row['start']} {field}")
                self.assertEqual(int(row["revision"]), bar["revision"])

        minutes, day = said["1m"], said["1d"][0]
        self.assertEqual(len(said["1d"]), 1)
        self.assertGreater(len(minutes), 380)
        self.assertTrue(all(bar["complete"] for bar in minutes), "nothing was missed")
        # The closing print is in the day alone.
        total = sum(bar["volume"] for bar in minutes)
        self.assertLessEqual(total + day["gap_volume"], day["volume"])
        self.assertEqual(day["high"], max(bar["high"] for bar in minutes))
        self.assertEqual(day["low"], min(bar["low"] for bar in minutes))
        self.assertEqual(day["open"], minutes[0]["open"])
        for period in MINUTES:
            self.assertEqual(sum(bar["volume"] for bar in said[period]), total, period)
            self.assertEqual(said[period][-1]["close"], minutes[-1]["close"])
            for field, choose in (("high", max), ("low", min)):
                self.assertEqual(choose(b[field] for b in said[period]), choose(b[field] for b in minutes))


class Live(livecore.Case):
    KAFKA = ()
    SYMBOLS = ["00700.HK", "00005.HK", "00388.HK"]

    def start(self, **settings):
        base = livecore.fushu(self.server) | {"bars.partial_ms": "200", "bars.grace": "0s"}
        self.live = self.run_livecore(base | {k.replace("__", "."): v for k, v in settings.items()})
        return self.live

    def setUp(self):
        super().setUp()
        self.server = self.sim("fushu", "--rate", "100")

    def open_bar(self, topic, period, after=0):
        """The newest bar of the first symbol, open or final."""
        found = topic.wait(lambda r: r.key == "00700.HK" and r.value["period"] == period, f"a bar of {period}", after=after)
        return found[-1].value

    def test_a_restart_makes_no_jump(self):
        self.start()
        self.follow("p", self.SYMBOLS)
        prices, bars = self.read("market_data"), self.read("bars")
        first = self.open_bar(bars, "1d")
        prices.wait(lambda r: r.key == "00700.HK", "prices", count=20)
        self.assertEqual(self.live.stop(), 0)
        ended = [r.value for r in livecore.read_all(self.broker, self.name("bars")) if r.value["period"] == "1d"]
        before = {b["symbol"]: b for b in ended}
        last = {r.key: r.value for r in livecore.read_all(self.broker, self.name("market_data"))}

        count = len(bars.records)
        self.start()
        self.assertGreater(self.live.status()["bars"]["restored"], 0)
        again = self.open_bar(bars, "1d", after=max(count, len(ended)))
        minute = self.open_bar(bars, "1m", after=max(count, len(ended)))
        # The day goes on where it was; what was traded meanwhile is no minute's.
        self.assertEqual(again["timestamp"], first["timestamp"])
        self.assertGreaterEqual(again["volume"], before["00700.HK"]["volume"])
        self.assertEqual(again["open"], before["00700.HK"]["open"])
        self.assertLess(minute["volume"], last["00700.HK"]["volume"], "the whole day's volume is in one minute")
        answer = self.snapshot("after", None)
        self.assertEqual((answer["ok"], answer["result"]["published"]), (True, 3))

    def test_a_killed_process_loses_no_volume(self):
        """kill -9 twice: the day is the vendor's own, and what no minute has is said to be so."""
        self.start()
        self.follow("p", self.SYMBOLS)
        for _ in range(2):
            prices, bars = self.read("market_data"), self.read("bars")
            self.open_bar(bars, "1d", after=0)
            saves = self.live.status()["bars"]["saves"]
            livecore.wait_for(lambda: self.live.status()["bars"]["saves"] > saves, lambda: self.live.status()["bars"])
            prices.wait(lambda r: r.key == "00700.HK", "prices", count=20, after=len(prices.records))
            self.live.process.kill()
            self.live.wait()
            self.start()
            livecore.wait_for(lambda: self.live.status()["bars"]["restored"] > 0, lambda: self.live.status()["bars"])
            bars = self.read("bars")
        count = len(prices.records)
        prices.wait(lambda r: r.key == "00700.HK", "prices of the third life", count=20, after=count)
        self.assertEqual(self.live.stop(), 0)
        told = {(r.key, r.value["volume"]) for r in livecore.read_all(self.broker, self.name("market_data"))}
        said = newest(livecore.read_all(self.broker, self.name("bars")), final=False)
        for symbol in self.SYMBOLS:
            days = [bar for (s, period, _), bar in said.items() if (s, period) == (symbol, "1d")]
            minutes = [bar for (s, period, _), bar in said.items() if (s, period) == (symbol, "1m")]
            self.assertEqual(len(days), 1)
            day = days[0]
            self.assertIn((symbol, day["volume"]), told, "the vendor's own; open bars are said every 200 ms")
            self.assertGreater(day["gap_volume"], 0, "something was traded meanwhile")
            self.assertEqual(sum(bar["volume"] for bar in minutes) + day["gap_volume"], day["volume"])

    def snapshot(self, id, codes, ids=None, **headers):
        """Its answer; ids: what the command says of its trace, headers: those of its record."""
        events = self.read("events")
        livecore.wait_for(lambda: self.live.ready()[1]["checks"]["control"]["ok"], "commands are heard")
        params = {"frequency": "1d"} | ({"codes": codes} if codes is not None else {})
        body = {"command": "bar_snapshot", "request_id": id, "params": params, "timestamp": livecore.now()}
        self.writer("control").send(id, body | (ids or {}), **headers)
        return events.event("command_result", request_id=id, repeated=False)

    def test_bar_snapshot(self):
        self.start()
        self.follow("p", self.SYMBOLS)
        prices, bars = self.read("market_data"), self.read("bars")
        for symbol in self.SYMBOLS:
            bars.wait(lambda r: r.key == symbol and r.value["period"] == "1d", "the day's bars")
        opens = {r.key: r.value["open"] for r in reversed(bars.records) if r.value["period"] == "1d"}
        bars.wait(lambda r: r.key == "00700.HK" and r.value["period"] == "1d", "more of the day", count=5)
        self.server.fault("quiet:60")  # the day's newest bars are what the snapshot has
        asked = self.server.stats()["requests"]
        livecore.wait_for(lambda: self.server.stats()["requests"] > asked + 3, "polls that see nothing new")
        answer = self.snapshot("all", None)
        self.assertTrue(answer["ok"], answer)
        result = answer["result"]
        self.assertEqual((result["symbols"], result["published"], result["missing"]), (3, 3, 0))
        found = prices.wait(lambda r: r.value["kind"] == "bar", "bars as prices", count=3)
        self.assertEqual({r.key for r in found}, set(self.SYMBOLS))
        for record in found:
            value, key = record.value, record.key
            self.assertEqual((value["source"], value["seq"], value["conflated"]), ("bar_snapshot", 0, 0))
            # Other bars of the day with this volume say the same: what comes without a trade changes nothing.
            day = bars.wait(
                lambda r, key=key, volume=value["volume"]: (r.key, r.value["period"], r.value["volume"]) == (key, "1d", volume),
                f"the day's bar of {key} with the snapshot's volume {value['volume']}",
            )[-1].value
            self.assertEqual(value["timestamp"], day["timestamp"])
            for field, of in (("price", "close"), ("open_price", "open"), ("high_price", "high"), ("low_price", "low")):
                self.assertEqual(value[field], day[of], field)
            self.assertEqual(value["amount"], day["amount"] if day["amount"] is not None else 0)
            self.assertEqual(value["open_price"], opens[key], "FuShu tells no open: it is the first price seen, and stays")
        self.assertEqual(livecore.holes([r for r in prices.records if r.value["seq"]]), [])

        answer = self.snapshot("some", ["00700.HK", "600000.SH", "00700.HK", "nonsense", "AAPL"])
        result = answer["result"]
        self.assertEqual((result["published"], result["missing"], result["invalid"]), (1, 2, 1))
        self.assertEqual(sorted(result["missing_symbols"]), ["600000.SH", "AAPL"])
        self.assertEqual(result["invalid_symbols"], ["nonsense"])
        # Whoever asks again with the same id gets the same answer, and nothing is published twice.
        count = len(prices.wait(lambda r: r.value["kind"] == "bar", "the fourth bar", count=4))
        self.writer("control").send("k", {"command": "bar_snapshot", "request_id": "all", "timestamp": livecore.now()})
        self.read("events").event("command_result", request_id="all", repeated=True)
        self.assertEqual(sum(r.value["kind"] == "bar" for r in prices.records), count)

    def start_traced(self, **settings):
        """With a day's bar of each symbol; the topics on which a trace is seen."""
        self.start(**settings)
        self.follow("p", self.SYMBOLS)
        livecore.wait_for(lambda: self.live.status()["published"] > 50, lambda: self.live.status())
        livecore.wait_for(lambda: self.live.ready()[1]["checks"]["control"]["ok"], "commands are heard")
        return self.read("market_data"), self.read("events")

    def test_what_follows_from_a_command_carries_its_trace(self):
        """In its body or in its record's header, as OpenTelemetry's producers write it; the body's counts."""
        prices, events = self.start_traced()
        ids = {"trace_id": "4BF92F35-77B3-4DA6-A3CE-929D0E0E4736", "span_id": "00f067aa0ba902b7"}
        body = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
        commands = {
            "body": (ids, {}, body, ids),
            "header": ({}, {"traceparent": header}, header, {"trace_id": header[3:35], "span_id": header[36:52]}),
            "both": (ids, {"traceparent": header}, body, ids),
            "none": ({}, {}, None, {"trace_id": None, "span_id": None}),
            "bad": ({}, {"traceparent": header[:54]}, None, {"trace_id": None, "span_id": None}),
            "odd": ({"trace_id": "job 7"}, {"tracestate": "a=1"}, None, {"trace_id": "job 7", "span_id": None}),
        }
        for id, (said, headers, traceparent, fields) in commands.items():
            count = len([r for r in prices.records if r.value["kind"] == "bar"])
            self.assertTrue(self.snapshot(id, None, said, **headers)["ok"])
            bars = prices.wait(lambda r: r.value["kind"] == "bar", "the day's bars", count=count + 3)[count:]
            answers = [r for r in self.answers(events) if r.value["data"]["request_id"] == id]
            for record in bars + answers:
                self.assertEqual(record.headers.get("traceparent"), traceparent, (id, record, record.headers))
            for record in bars:
                self.assertEqual({name: record.value[name] for name in fields}, fields, id)
        self.writer("control").send("k", {"command": "reload", "request_id": "r"}, traceparent=header)
        reloaded = events.wait(lambda r: r.value["type"] == "config_reloaded", "what it causes, too")[0]
        self.assertEqual(reloaded.headers.get("traceparent"), header)
        others = [r for r in prices.records if r.value["kind"] != "bar"]
        others += [r for r in events.records if r.value["type"] not in ("command_result", "config_reloaded")]
        self.assertTrue(others)
        self.assertFalse([r for r in others if "traceparent" in r.headers])

    def answers(self, events):
        return [r for r in events.records if r.value["type"] == "command_result"]

    def test_a_trace_outlives_its_process(self):
        """Killed before it was sent, or before its log knew: what the next process sends says the same."""
        self.start_traced(kafka__linger="1s")
        traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        stream = self.live.status()["stream"]
        command = {"command": "bar_snapshot", "request_id": "a", "timestamp": livecore.now()}
        self.writer("control").send("a", command, traceparent=traceparent)
        self.live.expect("control command command=bar_snapshot request_id=a ok=true")
        self.live.process.kill()
        self.live.wait()
        self.start()
        prices, events = self.read("market_data"), self.read("events")

        def first(record):
            return record.value["stream"] == stream

        answers = events.wait(lambda r: first(r) and r.value["type"] == "command_result", "the answer")
        bars = prices.wait(lambda r: first(r) and r.value["kind"] == "bar", "the day's bars", count=3)
        for record in answers + bars:  # a bar's partition may have sent what waited in it just before
            self.assertEqual(record.headers.get("traceparent"), traceparent, record)
        self.assertIn("1", [r.headers.get("replayed") for r in answers + bars])
        ticks = [r for r in prices.records if first(r) and r.value["kind"] != "bar"]
        self.assertTrue(ticks)
        self.assertFalse([r for r in ticks if "traceparent" in r.headers])

    def test_many_commands_at_once_are_done_in_turn(self):
        self.start()
        self.follow("p", self.SYMBOLS)
        bars = self.read("bars")
        for symbol in self.SYMBOLS:
            bars.wait(lambda r: r.key == symbol and r.value["period"] == "1d", "the day's bars")
        events, control = self.read("events"), self.writer("control")
        for n in range(4):
            control.send(f"k{n}", {"command": "bar_snapshot", "request_id": f"n{n}", "timestamp": livecore.now()})
        control.send("k9", {"command": "heartbeat_test", "request_id": "beat", "timestamp": livecore.now()})
        for n in range(4):
            self.assertEqual(events.event("command_result", request_id=f"n{n}")["result"]["published"], 3)
        self.assertTrue(events.event("command_result", request_id="beat")["ok"])

    def test_off(self):
        self.start(bars__enabled="false")
        answer = self.snapshot("off", None)
        self.assertFalse(answer["ok"])
        self.assertIn("bars.enabled", answer["error"])


class Store(livecore.Case):
    KAFKA = ()

    def clickhouse(self, verb, directory):
        done = subprocess.run([livecore.ROOT / "tools" / "clickhouse", verb, directory], capture_output=True, text=True)
        if done.returncode == 77:
            self.skipTest(done.stderr.strip())
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def test_a_store_that_is_killed_does_not_stop_ticks(self):
        directory = tempfile.mkdtemp(prefix="livecore-clickhouse-")
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        url = self.clickhouse("start", directory)
        self.addCleanup(subprocess.run, [livecore.ROOT / "tools" / "clickhouse", "kill", directory], capture_output=True)
        server = self.sim("fushu", "--rate", "100")
        settings = livecore.fushu(server) | {"bars.grace": "0s", "store.backend": "clickhouse"}
        live = self.run_livecore(settings | {"store.clickhouse_url": url, "store.batch_interval": "100ms"})
        self.follow("p", ["00700.HK", "00005.HK"])
        prices = self.read("market_data")
        prices.wait(lambda r: True, "prices")
        livecore.wait_for(lambda: live.status()["store"]["state"] == "up", lambda: live.status()["store"])
        self.clickhouse("kill", directory)
        livecore.wait_for(lambda: live.status()["store"]["spool_rows"] > 0, lambda: live.status()["store"], within_s=120)
        code, ready = live.ready()
        self.assertEqual((code, ready["status"]), (200, "degraded"))
        self.assertFalse(ready["checks"]["bar_store"]["ok"])
        self.assertEqual(live.metrics()["livecore_store_up"], 0)
        prices.wait(lambda r: True, "prices go on", count=10, after=len(prices.records))
        self.clickhouse("restart", directory)
        livecore.wait_for(
            lambda: (lambda s: s["state"] == "up" and s["spool_rows"] == 0 and s["written"] > 0)(live.status()["store"]),
            lambda: live.status()["store"],
            within_s=120,
        )
        self.assertEqual(live.status()["store"]["given_up"], 0)


if __name__ == "__main__":
    livecore.main()
