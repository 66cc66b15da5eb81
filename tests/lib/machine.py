"""How fast the machine is just now. A promise of time is about an idle one, and tests run on busy ones: so a bound is held
against what another program measured in the same second, or has to be kept by one of some tries. Noise delays, it hastens
nothing: what is too slow by itself fails either way."""

import subprocess
import sys
import threading

# It waits for each whole second, as a timer does, and says when it woke.
WAKER = """
import time
while True:
    due = int(time.time()) + 1
    time.sleep(max(due - time.time(), 0))
    while (now := time.time()) < due:
        time.sleep(0.0002)
    print(due, now, flush=True)
"""


class Waker:
    """A program of its own that waits for each whole second."""

    def __init__(self):
        self.late_s = {}
        self.process = subprocess.Popen([sys.executable, "-c", WAKER], stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            due, woke = line.split()
            self.late_s[int(due)] = float(woke) - int(due)

    def late_ms(self, second):
        """How late it woke for this second; 0 when it did not look."""
        return self.late_s.get(int(second), 0) * 1000

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.thread.join()
        self.process.stdout.close()


def soonest(bound_s, measure, tries=3):
    """Measures until one is under the bound; none of `tries` is a failure."""
    took = []
    for _ in range(tries):
        took.append(measure())
        if took[-1] < bound_s:
            return took
    raise AssertionError(f"never under {bound_s} s: {took}")


def one_of(tries, attempt):
    """Whatever attempt() asserts has to hold in one of its tries."""
    for left in range(tries - 1, -1, -1):
        try:
            return attempt()
        except AssertionError as error:
            if left == 0:
                raise
            print(f"tried again: {error}", file=sys.stderr)
