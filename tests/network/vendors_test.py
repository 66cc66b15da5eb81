#!/usr/bin/env python3
"""Tries the real vendors over the network; not part of the default run: tools/test network

EastMoney and Tencent need no key. Alpaca is tried when LIVECORE_ALPACA_KEY and LIVECORE_ALPACA_SECRET are set, on its test feed."""
import os
import subprocess
import sys
import tempfile
import unittest

LIVECORE = os.path.abspath(sys.argv.pop(1))


def check(*settings):
    """`livecore check --connect` with these settings: its exit code and what it printed."""
    command = [LIVECORE, "check", "--connect"]
    for setting in settings:
        command += ["--set", setting]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tempfile.gettempdir())
    return done.returncode, done.stdout + done.stderr


class Vendors(unittest.TestCase):
    def test_eastmoney_and_tencent_answer(self):
        _, text = check("routing.feeders=eastmoney,tencent")
        for vendor in ("eastmoney", "tencent"):
            with self.subTest(vendor=vendor):
                line = next(l for l in text.splitlines() if l.startswith(vendor))
                self.assertIn(" ok ", line, text)

    @unittest.skipUnless(os.environ.get("LIVECORE_ALPACA_KEY"), "no key for Alpaca")
    def test_alpaca_accepts_the_key(self):
        _, text = check("alpaca.url=wss://stream.data.alpaca.markets/v2/test")
        line = next(l for l in text.splitlines() if l.startswith("alpaca"))
        self.assertIn(" ok ", line, text)


if __name__ == "__main__":
    unittest.main()
