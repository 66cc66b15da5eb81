#!/usr/bin/env python3
"""Alpaca's simulator against clients that others wrote: alpaca-py over msgpack, and Python's
websockets over JSON with the objects built into alpaca-py's models."""
import asyncio
import json
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import sim  # noqa: E402

sim.need_venv()

import websockets  # noqa: E402
from alpaca.data.live import StockDataStream  # noqa: E402
from alpaca.data.models import Bar, Quote, Trade, TradeCancel, TradeCorrection, TradingStatus  # noqa: E402
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException  # noqa: E402

TOOL = sys.argv[1].split()
DATA = Path(sys.argv[2])
KEYS = ("demo-key", "demo-secret")
TIMEOUT = 30
MODELS = {"t": Trade, "q": Quote, "b": Bar, "u": Bar, "s": TradingStatus, "c": TradeCorrection, "x": TradeCancel}


def within(coroutine, seconds=TIMEOUT):
    return asyncio.wait_for(coroutine, seconds)


async def hear(ws):
    return json.loads(await within(ws.recv()))


async def say(ws, **message):
    await ws.send(json.dumps(message))


async def log_in(ws):
    assert await hear(ws) == [{"T": "success", "msg": "connected"}]
    await say(ws, action="auth", key=KEYS[0], secret=KEYS[1])
    assert await hear(ws) == [{"T": "success", "msg": "authenticated"}]


async def control(ws):
    """The next control message; data in between is passed over."""
    while True:
        messages = await hear(ws)
        if messages[0]["T"] in ("success", "error", "subscription"):
            assert len(messages) == 1
            return messages[0]


async def expect_error(ws, code):
    message = await control(ws)
    assert message["T"] == "error" and message["code"] == code, message


async def alpaca_py_over_msgpack():
    with sim.Sim(TOOL, "alpaca", "--rate", "300", "--oddities", "20") as server:
        stream = StockDataStream(*KEYS, url_override=server.url)
        seen = {}
        done = asyncio.Event()

        async def keep(item):
            seen.setdefault(type(item).__name__, []).append(item)
            if {"Trade", "Quote", "TradingStatus", "TradeCorrection", "TradeCancel"} <= seen.keys():
                done.set()

        stream.subscribe_trades(keep, "AAPL", "BRK.B")
        stream.subscribe_quotes(keep, "AAPL")
        stream.subscribe_trading_statuses(keep, "AAPL", "BRK.B")
        stream.register_trade_corrections(keep)
        stream.register_trade_cancels(keep)
        task = asyncio.create_task(stream._run_forever())
        await within(done.wait())
        await stream.stop_ws()
        task.cancel()
        trades, quotes = seen["Trade"], seen["Quote"]
        assert {t.symbol for t in trades} == {"AAPL", "BRK.B"}
        assert all(t.price > 0 and t.size > 0 and t.id > 2**53 and t.conditions for t in trades)
        assert len({t.id for t in trades}) == len(trades)
        assert all(round(t.price, 4) == t.price for t in trades)
        assert all(q.symbol == "AAPL" and 0 < q.bid_price < q.ask_price for q in quotes)
        assert server.stats()["auths"] == 1


async def json_with_models():
    with sim.Sim(TOOL, "alpaca", "--rate", "400", "--oddities", "10", "--deflate") as server:
        async with websockets.connect(server.url) as ws:
            assert "deflate" in str(ws.protocol.extensions).lower()
            await log_in(ws)
            symbols = ["KO", "MSFT"]
            await say(ws, action="subscribe", trades=symbols, quotes=["KO"], bars=["*"], updatedBars=symbols,
                      statuses=symbols, lulds=symbols, imbalances=symbols)
            reply = await control(ws)
            assert sorted(reply["trades"]) == sorted(reply["corrections"]) == sorted(reply["cancelErrors"]) == symbols
            assert reply["quotes"] == ["KO"] and reply["bars"] == ["*"] and reply["dailyBars"] == []
            kinds, odd = set(), set()
            while not {"t", "q", "u", "s", "c", "x", "l", "i", "~"} <= kinds:
                messages = await hear(ws)
                assert 1 <= len(messages) <= 10
                for message in messages:
                    kinds.add(message["T"])
                    odd |= {"r"} & message.keys()
                    if message["T"] in MODELS:
                        item = MODELS[message["T"]](message["S"], message)
                        assert item.symbol in symbols
            assert odd == {"r"}, "unknown keys occur"


async def sessions_and_errors():
    options = ["--rate", "50", "--symbol-limit", "3", "--auth-timeout-ms", "2000", "--feeds", "iex", "--reject", "ZZZ"]
    with sim.Sim(TOOL, "alpaca", *options) as server:
        async with websockets.connect(server.url) as ws:
            assert await hear(ws) == [{"T": "success", "msg": "connected"}]
            await say(ws, action="subscribe", trades=["KO"])
            await expect_error(ws, 401)
            await say(ws, action="auth", key="wrong", secret="wrong")
            await expect_error(ws, 402)
            await ws.send("{not json")
            await expect_error(ws, 400)
            await say(ws, action="auth", key=KEYS[0], secret=KEYS[1])
            assert (await control(ws))["msg"] == "authenticated"
            await say(ws, action="auth", key=KEYS[0], secret=KEYS[1])
            await expect_error(ws, 403)
            for symbol in ("ZZZ", "bad", "TOOLONG", "600000.SH", "BTC/USD"):
                await say(ws, action="subscribe", trades=["KO", symbol])
                await expect_error(ws, 400)
            await say(ws, action="subscribe", orderbooks=["KO"])
            await expect_error(ws, 410)
            await say(ws, action="subscribe", trades=["KO", "F"])
            assert (await control(ws))["trades"] == ["KO", "F"]
            await say(ws, action="subscribe", quotes=["KO", "F"])
            await expect_error(ws, 405)
            await say(ws, action="unsubscribe", trades=["KO"])
            assert (await control(ws))["trades"] == ["F"]
            async with websockets.connect(server.url) as second:
                await hear(second)
                await say(second, action="auth", key=KEYS[0], secret=KEYS[1])
                await expect_error(second, 406)
                await expect_error(second, 404)  # the time to authenticate is over
                try:
                    await hear(second)
                    raise AssertionError("still open")
                except ConnectionClosed:
                    pass
            async with websockets.connect(server.url.replace("iex", "sip")) as third:
                await hear(third)
                await say(third, action="auth", key=KEYS[0], secret=KEYS[1])
                await expect_error(third, 409)
        headers = {"APCA-API-KEY-ID": KEYS[0], "APCA-API-SECRET-KEY": KEYS[1]}
        async with websockets.connect(server.url, additional_headers=headers) as ws:
            assert (await hear(ws))[0]["msg"] == "connected"
            assert (await hear(ws))[0]["msg"] == "authenticated"
        snapshots = server.json("/v2/stocks/snapshots?symbols=KO,BRK.B,ZZZ", headers)
        assert snapshots["ZZZ"] is None
        for symbol in ("KO", "BRK.B"):
            Trade(symbol, snapshots[symbol]["latestTrade"])
            Quote(symbol, snapshots[symbol]["latestQuote"])
            Bar(symbol, snapshots[symbol]["dailyBar"])


async def snapshots_of_the_stream():
    """A snapshot names the trade that was streamed last, as it was; odd lots make no price of the day."""
    headers = {"APCA-API-KEY-ID": KEYS[0], "APCA-API-SECRET-KEY": KEYS[1]}
    with sim.Sim(TOOL, "alpaca", "--rate", "100") as server:
        async with websockets.connect(server.url) as ws:
            await log_in(ws)
            await say(ws, action="subscribe", trades=["KO"])
            await control(ws)
            trades, asked = await hear(ws), []
            while not ({1, 2} <= {len(one["latestTrade"]["c"]) for one in asked} and len(asked) >= 30):
                asked.append(server.json("/v2/stocks/snapshots?symbols=KO", headers)["KO"])
                trades += await hear(ws)
            while trades[-1]["i"] < asked[-1]["latestTrade"]["i"]:
                trades += await hear(ws)
        by_id = {trade["i"]: trade for trade in trades}
        for one in asked:
            last = one["latestTrade"]
            if last["i"] in by_id:  # else it was before we listened
                assert {key: last[key] for key in "psc"} == {key: by_id[last["i"]][key] for key in "psc"}, (last, by_id)
                lots = [trade["p"] for trade in trades if trade["i"] <= last["i"] and "I" not in trade["c"]]
                assert not lots or one["dailyBar"]["c"] == lots[-1], (one, lots[-3:])
        assert sum(one["latestTrade"]["i"] in by_id for one in asked) >= 29


async def faults():
    with sim.Sim(TOOL, "alpaca", "--rate", "200", "--per-frame", "1") as server:
        async with websockets.connect(server.url) as ws:
            await log_in(ws)
            await say(ws, action="subscribe", trades=["KO"])
            await control(ws)
            server.fault("duplicate:3,disorder:1@0.1")
            ids, repeats, backwards, last = set(), 0, 0, ""
            while repeats < 3 or backwards < 1:
                for message in await hear(ws):
                    repeats += message["i"] in ids
                    backwards += bool(last) and message["t"][:19] < last[:19]
                    ids.add(message["i"])
                    last = message["t"]
            server.fault("malformed")
            try:
                while True:
                    await hear(ws)
            except json.JSONDecodeError:
                pass
            server.fault("error:407")
            await expect_error(ws, 407)
            server.fault("close:4000")
            try:
                while True:
                    await hear(ws)
            except ConnectionClosed as closed:
                assert closed.rcvd is not None
        server.fault("refuse:429/2")
        for _ in range(2):
            try:
                await within(websockets.connect(server.url, open_timeout=20))
                raise AssertionError("not refused")
            except InvalidStatus as refused:
                assert refused.response.status_code == 429
                assert refused.response.headers["Retry-After"]
        server.fault("ban:1")
        try:
            await within(websockets.connect(server.url))
            raise AssertionError("not banned")
        except (WebSocketException, OSError, EOFError):
            pass
        for fault in ("bad-frame", "cut", "drop"):
            async with websockets.connect(server.url) as ws:
                await log_in(ws)
                server.fault(fault)
                try:
                    while True:
                        await hear(ws)
                except ConnectionClosed:
                    pass


async def dead_peers():
    """What does not end the connection: mute, half open, dripping, held."""
    with sim.Sim(TOOL, "alpaca", "--rate", "100") as server:
        async with websockets.connect(server.url, ping_interval=None) as ws:
            await log_in(ws)
            await say(ws, action="subscribe", trades=["KO"], statuses=["KO"])
            await control(ws)
            server.fault("mute:600")
            await quiet(ws)
            await within(await ws.ping())
            server.fault("clear")
            await hear(ws)
            server.fault("half-open:600")
            await quiet(ws)
            pong = await ws.ping()
            try:
                await within(asyncio.shield(pong), 0.3)
                raise AssertionError("a dead peer answered")
            except asyncio.TimeoutError:
                pass
            server.fault("clear")
            await within(pong)
            server.fault("drip:1")
            while (await hear(ws))[0]["T"] != "~":
                pass
            server.fault("halt:0,halt:1@0.2")
            seen = []
            while len(seen) < 2:
                seen += [m["sc"] for m in await hear(ws) if m["T"] == "s"]
            assert seen == ["2", "3"]
        server.fault("hold:2")
        try:
            await websockets.connect(server.url, open_timeout=0.5)
            raise AssertionError("answered")
        except (TimeoutError, WebSocketException, OSError, EOFError):
            pass
        while True:  # who came while it was held is cut off in the end
            try:
                async with websockets.connect(server.url) as ws:
                    await log_in(ws)
                break
            except (WebSocketException, OSError, EOFError):
                continue


async def quiet(ws):
    """Reads what was under way, until nothing comes."""
    try:
        while True:
            await within(ws.recv(), 0.3)
    except asyncio.TimeoutError:
        pass


async def over_tls():
    folder = Path(sys.argv[3])
    cert, key = folder / "sim_cert.pem", folder / "sim_key.pem"
    if shutil.which("openssl") is None:
        print("skipped over_tls: no openssl")
        return
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, stderr=subprocess.DEVNULL)
    context = ssl.create_default_context(cafile=cert)
    for options in (["--rate", "200"], ["--rate", "max", "--limit-ticks", "20000"],
                    ["--rate", "max", "--limit-ticks", "20000", "--deflate"]):
        with sim.Sim(TOOL, "alpaca", "--tls", str(cert), str(key), *options) as server:
            assert server.url.startswith("wss://")
            async with websockets.connect(server.url, ssl=context) as ws:
                await log_in(ws)
                await say(ws, action="subscribe", trades=["KO"])
                await control(ws)
                ids = set()
                while len(ids) < (20000 if "max" in options else 20):
                    ids |= {m["i"] for m in await hear(ws)}


async def saturated():
    """At full speed ids are unique and everything said to be sent arrives, once."""
    sent = Path(sys.argv[3]) / "sim_alpaca_sent.txt"
    with sim.Sim(TOOL, "alpaca", "--rate", "max", "--limit-ticks", "50000", "--sent", str(sent)) as server:
        async with websockets.connect(server.url, compression=None) as ws:
            await log_in(ws)
            await say(ws, action="subscribe", trades=["KO", "F"], quotes=["F"])
            await control(ws)
            got = []
            while len(got) < 50000:
                got += await hear(ws)
        assert len({m["i"] for m in got if m["T"] == "t"}) == sum(m["T"] == "t" for m in got)
        assert server.stats()["ticks"] == 50000
    said = [line.split() for line in sent.read_text().splitlines()]
    assert len(said) == 50000
    for message, (_, symbol, kind, number, price, *_) in zip(got, said):
        assert message["S"] == symbol and message["T"] == kind[0]
        if kind == "trade":
            assert str(message["i"]) == number and float(price) == message["p"]


async def tape():
    rows = (DATA / "day-us-ibm-20131011-tick-trades.csv").read_text().splitlines()
    with sim.Sim(TOOL, "alpaca", "--tape", str(DATA / "day-us-ibm-20131011-tick-trades.csv"), "--speed", "max") as server:
        async with websockets.connect(server.url) as ws:
            await log_in(ws)
            await say(ws, action="subscribe", trades=["IBM"])
            await control(ws)
            got = []
            while len(got) < len(rows):
                got += await hear(ws)
        assert server.stats()["tape_left"] == 0
    for message, row in zip(got, rows):
        ms, price, size, exchange, *_ = row.split(",")
        assert round(message["p"] * 10000) == int(price) and message["s"] == int(size) and message["x"] == exchange
    assert got[0]["t"] == "2013-10-11T12:11:15.725Z", got[0]  # New York was four hours behind


CHECKS = [alpaca_py_over_msgpack, json_with_models, sessions_and_errors, snapshots_of_the_stream, faults, dead_peers, over_tls, saturated,
          tape]
for check in CHECKS:
    asyncio.run(within(check(), 120))
    print("ok", check.__name__, flush=True)
