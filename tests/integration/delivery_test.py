"""A tick of each vendor on a real Kafka: its key, partition, headers, time and every field, its numbers to the digit.

usage: delivery_test.py LIVECORE [unittest options]
"""

import asyncio
import json
import sys
import threading
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import livecore  # noqa: E402

livecore.need_venv()

import jsonschema  # noqa: E402
import msgpack  # noqa: E402
import websockets  # noqa: E402
from pydantic import BaseModel  # noqa: E402

PARTITIONS = 24
US = ["AAPL", "IBM", "BRK.B"]
MIXED = ["600000.SH", "000001.SZ", "510300.SH", "920489.BJ", "00700.HK"]


class OldPriceUpdate(BaseModel):
    """The model of the consumers of the older system."""

    symbol: str
    price: float
    volume: int
    amount: float
    bid_price: Optional[float] = None
    ask_price: Optional[float] = None
    bid_volume: Optional[int] = None
    ask_volume: Optional[int] = None
    open_price: Optional[float] = None
    high_price: Optional[float] = None
    low_price: Optional[float] = None
    timestamp: datetime
    source: Optional[str] = None
    trace_id: Optional[str] = None
    span_id: Optional[str] = None


def strict_schema(name):
    path = livecore.ROOT / "docs" / "messages" / f"{name}.schema.json"
    return jsonschema.Draft202012Validator(json.loads(path.read_text()) | {"additionalProperties": False})


def micros(text):
    """A vendor's time as docs/messages.md writes times: microseconds, what is finer cut off."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return f"{whole}.{fraction[:6]:0<6}Z"


class Recorder:
    """Stands between livecore and Alpaca's simulator and keeps the frames that the simulator sent."""

    def __init__(self, target):
        self.target, self.frames, self.ready = target, [], threading.Event()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=lambda: self.loop.run_until_complete(self._serve()), daemon=True)
        self.thread.start()
        assert self.ready.wait(livecore.LONG_S)

    async def _serve(self):
        self.done = asyncio.Event()
        async with websockets.serve(self._session, "127.0.0.1", 0) as server:
            self.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/v2/iex"
            self.ready.set()
            await self.done.wait()

    async def _session(self, client):
        encoding = client.request.headers.get("Content-Type", "application/json")
        headers = {"Content-Type": encoding}
        async with websockets.connect(self.target, additional_headers=headers, compression=None) as vendor:

            async def forward():
                async for frame in client:
                    await vendor.send(frame)
                await vendor.close()

            back = asyncio.create_task(forward())
            async for frame in vendor:
                self.frames.append(frame)
                await client.send(frame)
            await back

    def stop(self):
        self.loop.call_soon_threadsafe(self.done.set)
        self.thread.join(livecore.LONG_S)

    def messages(self):
        """What was sent, with exact numbers and RFC 3339 times."""
        for frame in self.frames:
            if isinstance(frame, str):
                yield from json.loads(frame, parse_float=Decimal)
                continue
            for message in msgpack.unpackb(frame, timestamp=0):
                exact = {k: Decimal(repr(v)) if isinstance(v, float) else v for k, v in message.items()}
                if isinstance(exact.get("t"), msgpack.Timestamp):
                    stamp = exact["t"]
                    whole = datetime.utcfromtimestamp(stamp.seconds).isoformat()
                    exact["t"] = f"{whole}.{stamp.nanoseconds:09d}Z"
                yield exact


class Delivery(livecore.Case):
    KAFKA = ()

    def check_records(self, records, source):
        """What holds for every record, whoever made it."""
        schema = strict_schema("price_update")
        for record in records:
            value = record.value
            plain = json.loads(record.text)
            errors = [error.message for error in schema.iter_errors(plain)]
            self.assertEqual(errors, [], record)
            model = OldPriceUpdate(**plain)
            self.assertEqual(Decimal(repr(model.price)), Decimal(value["price"]))
            self.assertEqual(record.key, value["symbol"])
            self.assertEqual(record.partition, livecore.murmur2_partition(record.key, PARTITIONS), record.key)
            self.assertEqual(record.headers["schema"], "price_update/1")
            self.assertEqual(value["source"], source)
            received = datetime.fromisoformat(value["received_at"].replace("Z", "+00:00"))
            self.assertEqual(record.time_ms, int(received.timestamp() * 1000 + 0.0005), record)
            self.assertEqual(value["conflated"], 0)
            if value["amount"] and value["kind"] == "trade":
                self.assertEqual(Decimal(value["amount"]), value["price"] * Decimal(value["volume"]))
        self.assertEqual(livecore.holes(records), [])
        self.assertEqual(len({record.value["stream"] for record in records}), 1)
        for text in (word for record in records for word in record.text.replace("}", ",").split(",")):
            number = text.rpartition(":")[2]
            if "." in number and number[-1].isdigit() and number[0].isdigit():
                self.assertNotIn(number[-1], "0", text)  # canonical: no trailing zeros

    def alpaca(self, encoding):
        server = self.sim("alpaca", "--rate", "300", "--limit-ticks", "600", "--seed", "7")
        recorder = Recorder(server.url)
        self.addCleanup(recorder.stop)
        settings = {
            "routing.feeders": "alpaca",
            "alpaca.url": recorder.url,
            "alpaca.data_url": server.origin,
            "alpaca.encoding": encoding,
        }
        live = self.run_livecore(settings, env=livecore.ALPACA_KEY)
        topic = self.read("market_data")
        self.follow("p", US)
        server.wait_stats(lambda stats: stats["ticks"] >= 600, "600 ticks")
        sent = [m for m in recorder.messages() if m["T"] in "tq"]

        def all_there():
            sent[:] = [m for m in recorder.messages() if m["T"] in "tq"]
            feeder = live.feeder("alpaca")
            dropped = sum(feeder["dropped"].values())
            return len(sent) >= 600 and feeder["ticks"] >= 600 and len(topic.records) + dropped >= len(sent)

        livecore.wait_for(all_there, lambda: f"{len(topic.records)} of {len(sent)}: {live.feeder('alpaca')}")
        self.assertEqual(set(live.feeder("alpaca")["dropped"]) - {"no_price", "duplicate", "stale"}, set())
        self.check_records(topic.records, "alpaca")
        self.check_trades(topic.records, [m for m in sent if m["T"] == "t"])
        self.check_quotes(topic.records, sent)

    def check_trades(self, records, sent):
        trades = [record.value for record in records if record.value["kind"] == "trade"]
        self.assertEqual(len(trades), len(sent))
        by_id = {(value["symbol"], value["trade_id"]): value for value in trades}
        self.assertGreater(len(sent), 50)
        for message in sent:
            value = by_id[message["S"], str(message["i"])]
            self.assertEqual(value["price"], message["p"])
            self.assertEqual(value["volume"], message["s"])
            self.assertEqual(value["timestamp"], micros(message["t"]))
            self.assertEqual(value["exchange"], message["x"])
            self.assertEqual(value["conditions"], message["c"])
            self.assertEqual(value["feed"], "iex")
            self.assertEqual(value["market"], "us")

    def check_quotes(self, records, sent):
        """Quotes in the vendor's order, each with the last eligible trade price before it. The snapshot that is asked for at
        the start has a connection of its own: its price may come before the trade that made it."""
        for symbol in US:
            quotes = (r.value for r in records if r.key == symbol and r.value["kind"] == "quote")
            moved = {
                r.value["trade_id"]
                for r in records
                if r.key == symbol
                and r.value["kind"] == "trade"
                and r.value.get("eligible", True)
                and "late" not in r.value.get("flags", [])
            }
            value, price, seen = next(quotes), None, 0
            of_symbol = [m for m in sent if m["S"] == symbol]
            ahead = {m["p"] for m in of_symbol[:30] if m["T"] == "t" and str(m["i"]) in moved}
            for message in of_symbol:
                if message["T"] == "t":
                    price = message["p"] if str(message["i"]) in moved else price
                    continue
                wanted = (micros(message["t"]), message["bp"], message["bs"], message["ap"], message["as"])
                fields = ("timestamp", "bid_price", "bid_volume", "ask_price", "ask_volume")
                if not value or tuple(value[field] for field in fields) != wanted:
                    continue  # one that was dropped; a quote that differs is left over in the end
                self.assertEqual((value["volume"], value["amount"]), (0, 0))
                if price is not None and value["price"] != price:
                    self.assertIn(value["price"], ahead, f"{price} before quote {seen}")
                    self.assertLess(seen, 30)
                value, seen = next(quotes, None), seen + 1
            self.assertIsNone(value, f"no quote like this was sent, {seen} fit")
            self.assertGreater(seen, 20)

    def test_alpaca_json(self):
        self.alpaca("json")

    def test_alpaca_msgpack(self):
        self.alpaca("msgpack")

    def snapshots(self, vendor, symbols, settings, *options):
        """The records of a polled or streamed vendor, and the lines of what it sent."""
        sent_path = Path(self.state) / "sent"
        server = self.sim(vendor, "--rate", "100", "--sent", sent_path, *options)
        where = "ws_url" if settings.get("eastmoney.mode") == "ws" else "url"
        base = {
            "routing.feeders": vendor,
            "routing.routes": f"*={vendor}",
            f"{vendor}.{where}": server.url if where != "ws_url" else server.url.replace("http", "ws") + "/ws/qt/stock/klt.min",
        }
        live = self.run_livecore(base | settings)
        topic = self.read("market_data")
        self.follow("p", symbols)
        for symbol in symbols:
            topic.wait(lambda record, symbol=symbol: record.key == symbol, f"records of {symbol}", count=8)
        self.assertEqual(live.stop(), 0, live.text)
        records = livecore.read_all(self.broker, self.name("market_data"))
        server.stop()
        sent = [line.split() for line in sent_path.read_text().splitlines()]
        self.check_records(records, vendor)
        return records, sent

    def check_sent(self, records, sent, symbols, whole_seconds):
        """Each symbol's records are what was sent, in that order; what is left out was sent twice."""
        for symbol in symbols:
            values = [record.value for record in records if record.key == symbol]
            lines = iter([line for line in sent if line[1] == symbol])
            for value in values:
                self.assertEqual(value["kind"], "snapshot")
                wanted = (Decimal(value["price"]), Decimal(value["volume"]))
                for line in lines:
                    if (Decimal(line[4]), Decimal(line[3])) == wanted:
                        break
                else:
                    self.fail(f"{symbol}: {wanted} was not sent after the one before it")
                if whole_seconds is not None:
                    at = datetime.fromisoformat(value["timestamp"].replace("Z", "+00:00")).timestamp()
                    self.assertLess(abs(at - int(line[0]) / 1e9), 1.0 if whole_seconds else 1e-5)
            self.assertGreaterEqual(len(values), 8)

    def eastmoney(self, mode, symbols=MIXED, seconds=True):
        settings = {"eastmoney.mode": mode, "eastmoney.poll_interval": "100ms", "eastmoney.mpi": "100ms"}
        records, sent = self.snapshots("eastmoney", symbols, settings)
        self.check_sent(records, sent, symbols, seconds)
        return records

    def check_full(self, records):
        """Snapshots of lists have the session's prices and both sides of the book."""
        for value in (record.value for record in records):
            for name in ("open_price", "high_price", "low_price", "bid_price", "ask_price", "prev_close"):
                self.assertIsNotNone(value[name], record_text(value))
            self.assertLessEqual(value["low_price"], value["price"])
            self.assertLessEqual(value["price"], value["high_price"])
            self.assertGreater(value["amount"], 0)
            self.assertEqual(value["market"], "hk" if value["symbol"].endswith("HK") else "cn")

    def test_eastmoney_sse(self):
        self.check_full(self.eastmoney("sse"))

    def test_eastmoney_poll(self):
        self.check_full(self.eastmoney("poll"))

    def test_eastmoney_ws(self):
        settings = {"eastmoney.mode": "ws", "eastmoney.ws_volume": "shares"}
        symbols = ["600000.SH", "000001.SZ"]
        records, sent = self.snapshots("eastmoney", symbols, settings)
        self.check_sent(records, sent, symbols, True)

    def fushu(self, shape):
        symbols = ["00700.HK", "09988.HK"]
        records, sent = self.snapshots("fushu", symbols, {"fushu.poll_interval": "50ms"}, "--shape", shape)
        self.check_sent(records, sent, symbols, False if shape == "code" else None)
        return [record.value for record in records]

    def test_fushu_code(self):
        for value in self.fushu("code"):
            self.assertIsNotNone(value["bid_price"])
            self.assertIsNotNone(value["ask_volume"])
            self.assertEqual((value["amount"], value["flags"]), (0, ["no_amount"]))

    def test_fushu_spec(self):
        for value in self.fushu("spec"):
            self.assertGreater(value["amount"], 0)
            self.assertNotIn("no_amount", value.get("flags", []))

    def tencent(self, symbols, settings=None):
        settings = {"tencent.poll_interval": "100ms"} | (settings or {})
        records, sent = self.snapshots("tencent", symbols, settings)
        self.check_sent(records, sent, symbols, True)
        return records

    def test_tencent(self):
        """China with its ladder, limits and exact amounts, and Hong Kong in real time, which has neither."""
        records = self.tencent(MIXED)
        for value in (record.value for record in records):
            china = not value["symbol"].endswith("HK")
            self.assertEqual(value["market"], "cn" if china else "hk")
            self.assertEqual([value[side + "_price"] is not None for side in ("bid", "ask")], [china, china])
            self.assertEqual([value[side + "_volume"] is not None for side in ("bid", "ask")], [china, china])
            self.assertLessEqual(value["low_price"], value["price"])
            self.assertLessEqual(value["price"], value["high_price"])
            self.assertIsNotNone(value["prev_close"])
            self.assertNotIn("delayed", value)
            average = Decimal(value["amount"]) / Decimal(value["volume"])
            self.assertLess(abs(average / value["price"] - 1), Decimal("0.1"), record_text(value))

    def test_tencent_us(self):
        """New York's times."""
        records = self.tencent(["AAPL", "BRK.B"])
        self.assertEqual({record.value["market"] for record in records}, {"us"})

    def test_tencent_delayed(self):
        settings = {"tencent.hk_feed": "hk", "tencent.allow_delayed": "true"}
        for record in self.tencent(["00700.HK", "09988.HK"], settings):
            self.assertIs(record.value["delayed"], True)


def record_text(value):
    return json.dumps(value, default=str)


if __name__ == "__main__":
    livecore.main()
