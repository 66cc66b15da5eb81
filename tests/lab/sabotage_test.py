"""Builds of livecore that lose, swap or resend ticks out of order are caught by the check; livecore itself is not.

usage: sabotage_test.py LIVECORE LIVECORE_DROP LIVECORE_SWAP LIVECORE_RESEND [--every N]
       (one tick in N, 1,000; --every 100000 is the long form: about four minutes)
"""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent / "lib")]
import livecore  # noqa: E402
from stage import Scene, Stage  # noqa: E402

EVERY = 1000
CAUGHT = {"drop": "lost silently", "swap": "out of order", "resend": "out of order"}
SYMBOLS = ["AAPL", "IBM", "KO", "MSFT"]


class Sabotage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.directory.cleanup)
        cls.stage = Stage(cls.directory.name)
        cls.addClassCleanup(cls.stage.close)

    def play(self, name, executable):
        livecore.LIVECORE = executable
        rate = 2000 if EVERY <= 1000 else 20000
        env = {"SABOTAGE_EVERY": str(EVERY)}
        scene = Scene(self.stage, name, ("alpaca",), rate, SYMBOLS, env=env)
        self.addCleanup(scene.remove)
        scene.start()
        scene.run_on(ticks=EVERY * 3)
        scene.drain()
        return scene.end()

    def test_faithful(self):
        judge = self.play("faithful", EXECUTABLES["livecore"])
        self.assertTrue(judge.ok, judge.report())
        self.assertGreater(judge.counts["on kafka"], EVERY * 2)

    def test_sabotaged(self):
        for name, category in CAUGHT.items():
            judge = self.play(name, EXECUTABLES[name])
            print(f"{name}:\n{judge.report()}", file=sys.stderr)
            self.assertGreaterEqual(judge.counts[category], 2, judge.report())
            self.assertLess(judge.counts[category], judge.counts["sent"] / EVERY * 2 + 2, "nothing but that is said")


if __name__ == "__main__":
    if "--every" in sys.argv:
        place = sys.argv.index("--every")
        EVERY = int(sys.argv[place + 1])
        del sys.argv[place : place + 2]
    EXECUTABLES = dict(zip(["livecore", *CAUGHT], (str(Path(path).resolve()) for path in sys.argv[1:5])))
    del sys.argv[1:4]
    livecore.main()
