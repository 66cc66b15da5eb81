#!/usr/bin/env python3
"""The bar store's contract against a real ClickHouse 18.16 (Debian) and a current engine (chdb behind
tests/lib/chdb_http.py), the server killed in the middle, and the tools on top of it.

usage: bar_store_test.py BAR_STORE_TEST LIVECORE
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools/clickhouse"
SUITE, LIVECORE = sys.argv[1:3]
failed = []


def check(name, good, text=""):
    print("ok  " if good else "FAIL", name, "" if good else text, flush=True)
    if not good:
        failed.append(name)


def start(verb, directory):
    """The server's URL, or None when this machine has no such server."""
    done = subprocess.run([TOOL, verb, directory], capture_output=True, text=True)
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


def livecore(url, state, *args):
    command = [LIVECORE, *args, "--set", "store.backend=clickhouse", "--set", f"store.clickhouse_url={url}",
               "--set", f"state.dir={state}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


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


def main():
    ran = 0
    work = tempfile.mkdtemp(prefix="livecore-bar-store-")
    try:
        url = start("start", f"{work}/server")
        if url:
            ran += 1
            suite("contract on the server", "contract/*", url)
            suite("killed", "killed/*", url, LIVECORE_TEST_CLICKHOUSE_TOOL=str(TOOL),
                  LIVECORE_TEST_CLICKHOUSE_DIR=f"{work}/server")
            tools(url, f"{work}/state")
            subprocess.run([TOOL, "stop", f"{work}/server"], check=True)
        url = start("shim", f"{work}/shim")
        if url:
            ran += 1
            suite("contract on a current engine", "contract/*", url, LIVECORE_TEST_SHIM="1")
            subprocess.run([TOOL, "stop", f"{work}/shim"], check=True)
    finally:
        for name in ("server", "shim"):
            if os.path.exists(f"{work}/{name}/pid"):
                subprocess.run([TOOL, "kill", f"{work}/{name}"])
        shutil.rmtree(work, ignore_errors=True)
    return 1 if failed else 0 if ran else 77


sys.exit(main())
