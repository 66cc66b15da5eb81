#!/usr/bin/env python3
"""The simulators of EastMoney, FuShu and Tencent: answers read by pydantic models, streams merged as the web
page merges them, recorded days played row by row."""
import asyncio
import csv
import gzip
import http.client
import itertools
import json
import re
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Dict, List, Optional, Union

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import sim  # noqa: E402

sim.need_venv()

import websockets  # noqa: E402
from pydantic import BaseModel  # noqa: E402

TOOL = sys.argv[1].split()
DATA = Path(sys.argv[2])
Value = Union[int, float, str, None]


class Data(BaseModel):
    total: int
    diff: Union[List[Dict[str, Value]], Dict[str, Dict[str, Value]]]


class Envelope(BaseModel):
    rc: int
    rt: int
    svr: int
    lt: int
    full: int
    data: Union[Data, Dict[str, Value], None]


class FushuTick(BaseModel):
    symbol: str
    price: float
    volume: int
    timestamp: str
    bid_price: Optional[float] = None
    ask_price: Optional[float] = None
    bid_volume: Optional[int] = None
    ask_volume: Optional[int] = None


def until(condition, what):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def envelope(text):
    return Envelope(**json.loads(text))


def polls():
    with sim.Sim(TOOL, "eastmoney", "--rate", "500", "--reject", "600036.SH") as server:
        fields = "f1,f2,f5,f6,f12,f13,f15,f16,f17,f18,f31,f32,f124,f152,f9"
        secids = "1.600000,0.000001,0.920047,116.00700,105.AAPL,106.BRK_B,1.510300,1.600036,0.600000,105.BRK_B"
        path = f"/api/qt/ulist.np/get?np=1&secids={secids}&fields={fields}"
        scaled = envelope(server.get(path)).data
        exact = envelope(server.get(path + "&fltt=2")).data
        codes = ["600000", "000001", "920047", "00700", "AAPL", "BRK_B", "510300"]
        assert [row["f12"] for row in exact.diff] == codes, "unknown and refused ones are left out"
        assert scaled.total == exact.total == len(codes)
        for whole, row in zip(scaled.diff, exact.diff):
            decimals = 2 if row["f12"] in codes[:3] else 3
            assert whole["f1"] == decimals and isinstance(whole["f18"], int)
            assert round(row["f18"] * 10**decimals) == whole["f18"]
            assert row["f16"] <= row["f2"] <= row["f15"] and row["f31"] < row["f32"] and row["f9"] == "-"
            assert abs(row["f124"] - time.time()) < 60
            shares = row["f5"] * (100 if row["f13"] in (0, 1) else 1)
            assert 0.8 < row["f6"] / shares / row["f2"] < 1.25, "volume in lots for the mainland, else in shares"
        volume = exact.diff[0]["f5"]
        until(lambda: envelope(server.get(path)).data.diff[0]["f5"] > volume, "it trades")
        unknown = envelope(server.get("/api/qt/ulist.np/get?secids=1.300750,9.1&fields=f2"))
        assert (unknown.rc, unknown.rt, unknown.data) == (102, 1, None)
        assert envelope(server.get("/api/qt/ulist/get?secids=1.600000&fields=f2")).data.diff.keys() == {"0"}
        jsonp = server.get("/api/qt/stock/get?secid=1.600000&fields=f43,f57,f59,f60,f51,f52,f530&cb=jQuery1_2").decode()
        stock = envelope(re.fullmatch(r"jQuery1_2\((.*)\);", jsonp, re.S)[1])
        assert stock.rt == 4 and stock.data["f57"] == "600000" and stock.data["f19"] < stock.data["f39"]
        assert stock.data["f51"] == round(stock.data["f60"] * 1.1 + 1e-6)
        assert envelope(server.get("/api/qt/stock/get?secid=1.300750&fields=f43")).data is None
        assert gzip.decompress(server.get(path, {"Accept-Encoding": "gzip"}))[:8] == b'{"rc":0,'
        missing = envelope(server.get("/api/qt/stock/get?secid=1.600000&fields=f9,f43&invt=3"))
        assert missing.data["f9"] is None
        server.fault("zero:1,duplicate:1")
        twice = envelope(server.get(path)).data.diff
        assert [row["f12"] for row in twice] == ["600000"] + codes and twice[0]["f2"] == "-"
        server.fault("malformed,cut")
        assert server.get(path).startswith(b"<html>") and server.get(path) == b""
        assert server.stats()["faults_left"] == 0


def events(answer):
    while True:
        line = answer.readline()
        assert line, "the stream ended"
        if line.startswith(b"data: "):
            yield envelope(line[6:])


def streams():
    with sim.Sim(TOOL, "eastmoney", "--rate", "200") as server:
        query = "secids=1.600000,0.000001,0.300750&fields=f2,f5,f12&mpi=50"
        answer = urllib.request.urlopen(server.origin + "/api/qt/ulist/sse?" + query, timeout=30)
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        book, deltas, nulls = {}, 0, 0
        for number, event in enumerate(events(answer)):
            if event.data is None:
                nulls += 1
                assert (event.rt, event.full) == (2, 1)
                continue
            assert event.rt == 5 and event.full == (number == 0)
            for key, row in event.data.diff.items():
                if number == 0:
                    assert row.keys() == {"f2", "f5", "f12"}
                else:
                    assert row and "f12" not in row and row.items().isdisjoint(book[key].items()), "only what changed"
                    assert row.get("f5", 1 << 60) > book[key]["f5"]
                book.setdefault(key, {}).update(row)
            deltas += number > 0
            if deltas > 40 and nulls > 1:
                break
        assert [book[key]["f12"] for key in "012"] == ["600000", "000001", "300750"]
        server.fault("zero:1")
        said = (row for event in events(answer) if event.data is not None for row in event.data.diff.values())
        assert any(row.get("f2") == "-" for row in itertools.islice(said, 100))
        server.fault("malformed")
        try:
            for _ in events(answer):
                pass
        except json.JSONDecodeError:
            pass
        server.fault("cut")
        try:
            while answer.readline():
                pass
        except (http.client.IncompleteRead, ConnectionError):
            pass
        single = urllib.request.urlopen(server.origin + "/api/qt/stock/sse?secid=0.000001&fields=f43,f57,f59&mpi=50", timeout=30)
        first = next(events(single))
        assert (first.rt, first.full) == (4, 1) and first.data["f57"] == "000001" and first.data["f59"] == 2


def bans():
    with sim.Sim(TOOL, "eastmoney") as server:
        path = "/api/qt/ulist.np/get?secids=1.600000&fields=f2"
        server.fault("ban:2")
        for _ in range(2):
            try:
                server.get(path)
                raise AssertionError("answered")
            except (http.client.RemoteDisconnected, ConnectionResetError):
                pass
        assert envelope(server.get(path)).rc == 0
        server.fault("refuse:503")
        try:
            server.get(path)
            raise AssertionError("answered")
        except urllib.error.HTTPError as error:
            assert error.code == 503
        assert server.stats()["bans"] == 2


async def socket():
    with sim.Sim(TOOL, "eastmoney", "--rate", "200", "--key", "T") as server:
        url = server.url.replace("http", "ws") + "/ws/qt/stock/klt.min"
        try:
            await websockets.connect(url)
            raise AssertionError("not refused")
        except websockets.exceptions.InvalidStatus as refused:
            assert refused.response.status_code == 401
        async with websockets.connect(url, additional_headers={"Authorization": "Bearer T"}) as ws:
            await ws.send('{"cmd":"sub","param":{"codes":["0.000001","1.600000"]}}')
            await ws.send('{"cmd":"sub","param":{"symbols":["300750","920047.BJ"]}}')
            seen = {}
            while len(seen) < 4:
                tick = json.loads(await asyncio.wait_for(ws.recv(), 30))
                assert tick.keys() == {"code", "market", "price", "volume", "amount", "timestamp"}
                assert tick["volume"] > seen.get(tick["code"], 0)
                assert abs(tick["amount"] / tick["volume"] / tick["price"] - 1) < 0.2
                seen[tick["code"]] = tick["volume"]
            await ws.send('{"cmd":"unsub","param":{"symbols":["000001","600000","920047"]}}')
            until(lambda: server.stats()["symbols"] == ["300750.SZ"], "three are left")


def fushu():
    with sim.Sim(TOOL, "fushu", "--key", "T") as server:
        path = "/v1/tick?symbols=00700.HK,09988.HK,AAPL,700.HK"
        try:
            server.get(path)
            raise AssertionError("not refused")
        except urllib.error.HTTPError as error:
            assert error.code == 401
        headers = {"Authorization": "Bearer T"}
        ticks = [FushuTick(**row) for row in server.json(path, headers)["data"]]
        assert [tick.symbol for tick in ticks] == ["00700.HK", "09988.HK"]
        assert all(t.bid_price < t.ask_price and re.fullmatch(r"[\d-]{10}T[\d:]{8}\.\d{6}", t.timestamp) for t in ticks)
        assert server.json("/v1/tick", headers) == {"data": []}
    with sim.Sim(TOOL, "fushu", "--shape", "spec") as server:
        row = server.json("/v1/tick?symbols=00700.HK")["data"][0]
        assert row.keys() == {"code", "price", "volume", "amount"} and row["code"] == "00700"
        poll = "/v1/tick?symbols=00700.HK,09988.HK"
        server.fault("malformed,cut,correct")
        assert server.stats()["faults_left"] == 3
        assert server.get(poll).startswith(b"<html>") and server.get(poll) == b""
        assert not server.get(poll).endswith(b"]}")
        server.fault("duplicate:1,zero:1")
        rows = server.json(poll)["data"]
        assert [row["code"] for row in rows] == ["00700", "00700", "09988"]
        assert [row["price"] == 0 for row in rows] == [True, False, False]
        assert server.stats()["faults_left"] == 0


def tencent_rows(data, encoding):
    """As the public clients read them: one assignment a line, fields between tildes."""
    return {key: text.split("~") for key, text in re.findall(r'v_([\w.]+)="(.*?)";', data.decode(encoding))}


def tencent():
    forms = {"sh": r"\d{14}", "sz": r"\d{14}", "r_": r"\d{4}/\d\d/\d\d [\d:]{8}", "us": r"\d{4}-\d\d-\d\d [\d:]{8}"}
    with sim.Sim(TOOL, "tencent", "--reject", "600036.SH") as server:
        codes = "sh600000,sz000001,r_hk00700,usBRK.B"
        rows = tencent_rows(server.get(f"/q={codes},sh600036,jp7203"), "gbk")
        assert ",".join(rows) == codes, rows.keys()
        for code, row in rows.items():
            last, low, high = (float(row[at]) for at in (3, 34, 33))
            assert len(row) >= 60 and "模拟" in row[1] and low <= last <= high, row
            assert re.fullmatch(forms[code[:2]], row[30]), row[30]
            assert row[2].startswith(code.lstrip("r_hkszu")[:4]), row[2]
        price, volume, amount = rows["sh600000"][35].split("/")
        assert price == rows["sh600000"][3] and volume == rows["sh600000"][6] == rows["sh600000"][36]
        assert 0.9 < int(amount) / int(volume) / 100 / float(price) < 1.1
        assert int(amount) // 10000 == int(rows["sh600000"][37])
        bids, asks = ([float(rows["sz000001"][at]) for at in range(first, first + 10, 2)] for first in (9, 19))
        assert bids == sorted(bids, reverse=True) and asks == sorted(asks) and bids[0] < asks[0]
        assert [rows["r_hk00700"][at] for at in (9, 10, 19, 20)] == [rows["r_hk00700"][3], "0"] * 2
        assert tencent_rows(server.get(f"/utf8/q={codes}"), "utf-8").keys() == rows.keys()
        assert server.get("/q=sh600036") == b'v_pv_none_match="1";\n'
        server.fault("malformed,cut")
        assert server.get("/q=sh600000").startswith(b"<html>") and server.get("/q=sh600000") == b""


def number(text):
    return round(float(text) * 1000)


def tapes():
    """Each poll at full speed is the next recorded row, to the digit."""
    for name, secid in (("day-cn-sh688293-20230323-snapshots.csv", "1.688293"),
                        ("day-cn-sh600103-20211201-morning-snapshots.csv", "1.600103")):
        if not (DATA / name).exists():
            continue
        rows = list(csv.DictReader((DATA / name).open()))
        with sim.Sim(TOOL, "eastmoney", "--tape", str(DATA / name), "--speed", "max") as server:
            connection = http.client.HTTPConnection(server.origin.split("//")[1])
            for row in rows[:400]:
                connection.request("GET", f"/api/qt/stock/get?secid={secid}&fields=f43,f46,f47,f48,f60,f19,f86&fltt=2")
                data = envelope(connection.getresponse().read()).data
                last = number(row["LastPx"])
                assert data["f43"] == "-" if last == 0 else number(data["f43"]) == last, (row, data)
                assert number(data["f60"]) == number(row["PreClosePx"])
                assert data["f47"] == int(float(row["TotalVolumeTrade"])) // 100
                assert abs(data["f48"] - float(row["TotalValueTrade"])) < 1
                clock = row.get("MDTime") or row["DateTime"].split("T")[1]
                assert time.strftime("%H:%M:%S", time.gmtime(data["f86"] + 8 * 3600)) == clock[:8]
            assert server.stats()["tape_left"] == len(rows) - 400


def tencent_tape():
    name = "day-cn-sh688293-20230323-snapshots.csv"
    rows = list(csv.DictReader((DATA / name).open()))[:1000]
    with sim.Sim(TOOL, "tencent", "--tape", str(DATA / name), "--speed", "max") as server:
        connection = http.client.HTTPConnection(server.origin.split("//")[1])
        for row in rows:
            connection.request("GET", "/q=sh688293")
            got = tencent_rows(connection.getresponse().read(), "gbk")["sh688293"]
            assert number(got[3]) == number(row["LastPx"]) and number(got[4]) == number(row["PreClosePx"]), (row, got)
            assert got[30][8:] == (row.get("MDTime") or row["DateTime"].split("T")[1])[:8].replace(":", "")


for check in (polls, streams, bans, fushu, tencent, tapes, tencent_tape):
    check()
    print("ok", check.__name__, flush=True)
asyncio.run(socket())
print("ok socket", flush=True)
