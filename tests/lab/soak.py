#!/usr/bin/env python3
"""livecore for hours while things break at random, from a seed: neither memory nor file descriptors grow, and the
independent check finds nothing wrong in the end.

usage: soak.py LIVECORE [--hours 1] [--seed N] [--rate 1000] [--out DIR]     (tools/soak builds livecore and runs this)

Memory is what the process holds: RssAnon, and RssShmem for its log. Of the samples behind the first tenth, the median of the
last third may be above that of the first third by 10 % and 4 MB; file descriptors by 4. In less than ten minutes one
outage of Kafka weighs more than any growth: then memory may be higher by what the settings let it hold (64 MB).
"""

import argparse
import random
import statistics
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent / "lib")]
import livecore  # noqa: E402
import stage as stages  # noqa: E402

SYMBOLS = "AAPL IBM KO MSFT NVDA TSLA AMZN BRK.B 600000.SH 600519.SH 601398.SH 000001.SZ 000002.SZ 00700.HK 00005.HK".split()
# Limits that outages fill soon, so that what grows beyond them shows.
SMALL = {"kafka.buffer": "16MB", "kafka.in_flight": "8MB"}
FILL_S = 40
MEMORY_FACTOR, MEMORY_MORE_KB, FDS_MORE = 1.10, 4096, 4
SHORT_S, SHORT_MORE_KB = 600, 65536
VENDOR_FAULTS = {
    "alpaca": "cut drop close:1000 bad-frame malformed error:500 mute:3 half-open:3 drip:3 refuse:429/2,drop "
    "ban:2,drop duplicate:20 disorder:20 zero:5 correct:5 clock:60/2 quiet:5",
    "eastmoney": "cut close:1000 drop malformed mute:3 half-open:3 refuse:502/2,drop ban:2,drop duplicate:3 zero:3",
    "tencent": "mute:3 half-open:3 cut correct malformed ban:2 refuse:502/2 duplicate:3 zero:3",
    "fushu": "mute:3 half-open:3 cut correct malformed ban:3 refuse:500/3 duplicate:3 zero:3",
}


class Faults:
    """What may break; each brings itself to an end."""

    def __init__(self, scene, chance, most_s):
        self.scene, self.random, self.most_s = scene, chance, most_s
        self.told = []

    def one(self):
        kinds = [self.vendor, self.vendor, self.vendor, self.vendor_network, self.kafka_network, self.kafka_killed]
        said = self.random.choice(kinds)()
        self.told.append(said)
        print(f"soak: {said}", file=sys.stderr)

    def _wait(self):
        time.sleep(self.random.uniform(0.2, self.most_s))

    def vendor(self):
        name = self.random.choice(sorted(self.scene.sims))
        fault = self.random.choice(VENDOR_FAULTS[name].split())
        self.scene.sims[name].fault(fault)
        return f"{name} {fault}"

    def _network(self, proxy, name):
        fault = self.random.choice(["mute", "delay", "cut", "reset", "refuse", "vanish"])
        arguments = {"delay": (0.2,), "cut": (self.random.randrange(1, 5000),)}.get(fault, ())
        getattr(proxy, fault)(*arguments)
        self._wait()
        if fault == "vanish":
            proxy.reset()
        proxy.clear()
        return f"{name} {fault}"

    def vendor_network(self):
        name = self.random.choice(sorted(self.scene.proxies))
        return self._network(self.scene.proxies[name], f"network to {name}")

    def kafka_network(self):
        return self._network(self.scene.stage.proxy, "network to Kafka")

    def kafka_killed(self):
        kafka = self.scene.stage.kafka
        self.random.choice([kafka.kill, kafka.end])()
        self._wait()
        kafka.restart()
        return "Kafka down"


def growth(samples):
    """What grew beyond what it may, and how much there is of it: (complaints, text)."""
    samples = samples[len(samples) // 10 :]
    third = max(1, len(samples) // 3)
    first, last = samples[:third], samples[-third:]
    memory = [statistics.median(kb for _, kb, _ in part) for part in (first, last)]
    fds = [statistics.median(count for _, _, count in part) for part in (first, last)]
    complaints = []
    more_kb = MEMORY_MORE_KB if samples[-1][0] - samples[0][0] >= SHORT_S * 0.8 else SHORT_MORE_KB
    if memory[1] > memory[0] * MEMORY_FACTOR + more_kb:
        complaints.append("memory grew")
    if fds[1] > fds[0] + FDS_MORE:
        complaints.append("file descriptors grew")
    text = (
        f"memory {memory[0] / 1024:.1f} -> {memory[1] / 1024:.1f} MB (peak {max(kb for _, kb, _ in samples) / 1024:.1f}), "
        f"file descriptors {fds[0]:.0f} -> {fds[1]:.0f} (peak {max(count for _, _, count in samples)})"
    )
    return complaints, text


def play(scene, chance, seconds):
    """Breaks things for so long: how often it did, and the samples of that time."""
    calm_s, most_s = (15, 10) if seconds >= SHORT_S else (2, 3)
    scene.start()
    if seconds >= SHORT_S:  # what the settings let it hold is reached before it counts
        scene.stage.kafka.end()
        scene.run_on(seconds=FILL_S)
        scene.stage.kafka.restart()
        scene.caught_up(300)
    faults, before = Faults(scene, chance, most_s), len(scene.live.samples)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(chance.uniform(0.5, calm_s))
        faults.one()
    scene.drain(300)
    return len(faults.told), scene.live.samples[before:]


def judged(scene, samples):
    """Whether all was well; says what was not."""
    judge = scene.end()
    complaints, text = growth(samples)
    complaints += ["livecore ended and was not told to"] * (len(scene.lives) != 1) + scene.notes
    print(f"{len(samples)} samples: {text}")
    print(judge.report())
    if complaints or not judge.ok:
        print("FAILED: " + ", ".join(complaints or ["the check"]) + f"; logs: {scene.keep_logs()}")
    return not complaints and judge.ok


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("livecore")
    parser.add_argument("--hours", type=float, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--out", default="lab-out")
    args = parser.parse_args()
    livecore.LIVECORE = str(Path(args.livecore).resolve())
    seconds = args.hours * 3600
    stages.SAMPLE_S = min(3, max(0.25, seconds / 1000))
    chance = random.Random(args.seed)
    with stages.Stage(args.out) as stage:
        scene = stages.Scene(stage, "soak", VENDOR_FAULTS, args.rate, SYMBOLS, SMALL, where="proxy", quotes=True)
        try:
            told, samples = play(scene, chance, seconds)
            print(f"{told} faults in {seconds / 3600:.2f} h, seed {args.seed}")
            good = judged(scene, samples)
        finally:
            scene.remove()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
