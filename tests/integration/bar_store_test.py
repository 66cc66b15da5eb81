#!/usr/bin/env python3
"""The bar store's contract against a real ClickHouse 18.16 (Debian) and a current engine (chdb behind
tests/lib/chdb_http.py), the server killed in the middle, and the tools on top of it.

usage: bar_store_test.py BAR_STORE_TEST LIVECORE
"""
import contextlib
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools/clickhouse"
SUITE, LIVECORE = sys.argv[1:3]
failed = []


def check(name, good, text=""):
    print("ok  " if good else "FAIL", name, "" if good else text, flush=True)
    if not good:
        failed.append(name)


def start(verb, directory, *options):
    """The server's URL, or None when this machine has no such server."""
    done = subprocess.run([TOOL, verb, directory, *options], capture_output=True, text=True)
    if done.returncode == 77:
        print("skip", verb, done.stderr.strip())
        return None
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout.strip()


def suite(name, filters, url, **more):
    env = dict(os.environ, LIVECORE_TEST_BARS="clickhouse", LIVECORE_TEST_CLICKHOUSE=url, **more)
    done = subprocess.run([SUITE, "-j1", f"--filter={filters}"], env=env, capture_output=True, text=True,
                          timeout=240)
    check(name, done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:])


def livecore(url, state, *args, ca=""):
    command = [LIVECORE, *args, "--set", "store.backend=clickhouse", "--set", f"store.clickhouse_url={url}",
               "--set", f"state.dir={state}", "--set", f"store.clickhouse_ca_file={ca}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def refused(name, done, *words, code=1):
    """This exit code, and one line that has these words."""
    lines = done.stderr.strip().splitlines()
    good = done.returncode == code and len(lines) == 1 and all(word in lines[0] for word in words)
    check(name, good, f"{done.returncode}: {done.stdout}{done.stderr}")


def tools(url, state):
    done = livecore(url, state, "bars", "600000.SH")
    check("bars before init says what to do", done.returncode == 1 and "store init" in done.stderr, done.stderr)
    done = livecore(url, state, "store", "init")
    check("store init", done.returncode == 0 and "ready" in done.stdout, done.stderr)
    done = livecore(url, state, "store", "init")
    check("store init again", done.returncode == 0, done.stderr)
    done = livecore(url, state, "bars", "600000.SH")
    check("no bars is exit code 1", done.returncode == 1 and "no 1d bars" in done.stderr, done.stderr)
    done = livecore("http://127.0.0.1:1", state, "store")
    check("nobody there", done.returncode == 1 and "is ClickHouse running?" in done.stderr, done.stderr)


def query(url, sql):
    urllib.request.urlopen(url, sql.encode(), timeout=30).read()


def versions(url, state):
    """Tables of a newer livecore, and of somebody else, are refused and stay as they are."""
    done = livecore(url, state, "store")
    check("the version is shown", "tables of version 1" in done.stdout, done.stdout + done.stderr)
    query(url, "INSERT INTO livecore.livecore_schema (component, version) VALUES ('bars', 2)")
    for args in (("store",), ("store", "init"), ("bars", "AAPL")):
        refused(f"newer tables: {' '.join(args)}", livecore(url, state, *args), "version 2", "up to 1", "clickhouse_database")
    query(url, "DROP DATABASE livecore")
    query(url, "CREATE DATABASE livecore")
    query(url, "CREATE TABLE livecore.bars (symbol String, price Float64) ENGINE = MergeTree ORDER BY symbol")
    refused("somebody's table", livecore(url, state, "store", "init"), "did not make", "clickhouse_database")
    query(url, "SELECT price FROM livecore.bars")
    query(url, "DROP DATABASE livecore")
    check("made again", livecore(url, state, "store", "init").returncode == 0)


def tls(url, work):
    """The server's certificate is its own authority; another authority, or none, is not believed."""
    ca, state, other = f"{work}/tls/ca.pem", f"{work}/state", f"{work}/other.pem"
    suite("contract over TLS", "contract/{what_was,the_highest,sixty_days}*", url, LIVECORE_TEST_CLICKHOUSE_CA=ca)
    done = livecore(url, state, "store", "init", ca=ca)
    check("store init over TLS", done.returncode == 0 and "https://" in done.stdout, done.stderr)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=other", "-keyout",
                    f"{work}/other.key", "-out", other], check=True, capture_output=True)
    refused("another authority", livecore(url, state, "store", ca=other), "certificate", "is store.clickhouse_ca_file its authority?")
    refused("the system's authorities", livecore(url, state, "store"), "certificate", "name its authority in store.clickhouse_ca_file")
    refused("no such file", livecore(url, state, "store", ca=f"{work}/none.pem"), "store.clickhouse_ca_file", "there is no file", code=2)
    plain = "http" + url.removeprefix("https")
    refused("http to an https port", livecore(plain, state, "store", ca=ca), "https")


def sql(path, text):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        return db.execute(text).fetchall()


def sqlite(state):
    """The same of a file: made, known by its version, refused when it is newer or somebody else's."""
    path = f"{state}/bars.db"

    def tool(*args):
        return subprocess.run([LIVECORE, *args, "--set", f"state.dir={state}"], capture_output=True, text=True, timeout=60)

    refused("no file yet", tool("store"), "store init")
    done = tool("store", "init")
    check("a file is made", done.returncode == 0 and "tables of version 1" in done.stdout, done.stdout + done.stderr)
    check("its version is in it", sql(path, "PRAGMA user_version") == [(1,)])
    sql(path, "PRAGMA user_version=2")
    for args in (("store",), ("store", "init"), ("bars", "AAPL")):
        refused(f"a newer file: {' '.join(args)}", tool(*args), "version 2", "up to 1", "move the file away")
    for name in pathlib.Path(state).glob("bars.db*"):
        name.unlink()
    sql(path, "CREATE TABLE bars(symbol TEXT, price REAL)")
    refused("somebody's file", tool("store", "init"), "did not make")
    check("it stays as it is", sql(path, "PRAGMA user_version") == [(0,)])


def main():
    ran = 0
    work = tempfile.mkdtemp(prefix="livecore-bar-store-")
    try:
        sqlite(f"{work}/sqlite")
        url = start("start", f"{work}/server")
        if url:
            ran += 1
            suite("contract on the server", "contract/*", url)
            suite("killed", "killed/*", url, LIVECORE_TEST_CLICKHOUSE_TOOL=str(TOOL),
                  LIVECORE_TEST_CLICKHOUSE_DIR=f"{work}/server")
            tools(url, f"{work}/state")
            versions(url, f"{work}/state")
            subprocess.run([TOOL, "stop", f"{work}/server"], check=True)
            url = start("start", f"{work}/tls", "--tls")
            tls(url, work)
            subprocess.run([TOOL, "stop", f"{work}/tls"], check=True)
        url = start("shim", f"{work}/shim")
        if url:
            ran += 1
            suite("contract on a current engine", "contract/*", url, LIVECORE_TEST_SHIM="1")
            subprocess.run([TOOL, "stop", f"{work}/shim"], check=True)
    finally:
        for name in ("server", "tls", "shim"):
            if os.path.exists(f"{work}/{name}/pid"):
                subprocess.run([TOOL, "kill", f"{work}/{name}"])
        shutil.rmtree(work, ignore_errors=True)
    return 1 if failed else 0 if ran else 77


sys.exit(main())
