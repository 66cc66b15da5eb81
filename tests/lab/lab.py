#!/usr/bin/env python3
"""The fault lab: livecore between simulators and a real Kafka, while things break; then the independent check.

usage: lab.py LIVECORE [--seed N] [--kills N] [--minutes N] [--rate N] [--quick] [--only NAME,…] [--list] [--out DIR]
       (tools/outage builds livecore and runs this)

Prints a Markdown table, a row a scenario. Ends with 0 when nothing was lost silently, out of order, wrong, or
repeated without a mark; else with 1, and the evidence stands in --out (default: lab-out) and in what is printed.
"""

import argparse
import collections
import random
import sys
import time
import traceback
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent / "lib")]
import livecore  # noqa: E402
from stage import Clock, HungDisk, Scene, SmallDisk, Stage, us_symbols  # noqa: E402

CN = ["600000.SH", "600519.SH", "601398.SH"]
SZ = ["000001.SZ", "000002.SZ", "300750.SZ"]
HK = ["00700.HK", "00005.HK", "09988.HK"]
US = ["AAPL", "IBM", "KO", "MSFT", "NVDA", "TSLA", "AMZN", "BRK.B"]
COLUMNS = (
    "scenario,sent,on Kafka,conflated,dropped,in gaps,lost silently,repeats,out of order,wrong,recovery,peak memory"
)


class Play:
    """What a scenario may ask for."""

    def __init__(self, stage, args, name):
        self.stage, self.args, self.name = stage, args, name
        self.random = random.Random(f"{args.seed} {name}")  # the same whichever scenarios run besides
        self.quick = args.quick
        self.outage_s = 3 if args.quick else 10

    def scene(self, vendors=("alpaca",), rate=1000, symbols=None, **more):
        known = {"alpaca": US, "eastmoney": CN, "tencent": SZ, "fushu": HK}
        symbols = symbols or [symbol for vendor in vendors for symbol in known[vendor]]
        return Scene(self.stage, self.name, vendors, rate, symbols, **more)


SCENARIOS = {}


def scenario(function):
    SCENARIOS[function.__name__.replace("_", "-")] = function
    return function


@scenario
def no_fault(play):
    """Nothing breaks: what the others are measured against."""
    scene = play.scene(("alpaca", "eastmoney", "tencent", "fushu"), quotes=True)
    scene.start()
    scene.run_on(ticks=3000)
    return scene


@scenario
def broker_down(play):
    """Kafka is stopped under load, and comes back."""
    scene = play.scene(rate=2000)
    scene.start()
    play.stage.kafka.end()
    scene.without_kafka(play.outage_s)
    play.stage.kafka.restart()
    scene.caught_up()
    return scene


@scenario
def broker_killed(play):
    """kill -9 of Kafka, again and again."""
    scene = play.scene(rate=2000)
    scene.start()
    for _ in range(1 if play.quick else 3):
        play.stage.kafka.kill()
        scene.without_kafka(play.random.uniform(0.5, play.outage_s / 2))
        play.stage.kafka.restart()
        scene.caught_up()
        scene.run_on(seconds=play.random.uniform(0.2, 1))
    return scene


@scenario
def broker_slow(play):
    """Every byte to and from Kafka is late, and then comes back at once."""
    scene = play.scene(rate=2000, where="proxy")
    scene.start()
    play.stage.proxy.delay(0.4)
    scene.run_on(seconds=play.outage_s)
    late = scene.live.status()["unacknowledged"]
    if late < scene.rate * 0.3:
        scene.notes.append(f"{late} ticks on their way: Kafka was not slow")
    play.stage.proxy.clear()
    scene.caught_up()
    return scene


@scenario
def network_cut(play):
    """The network to Kafka is gone without a word, and comes back; in a namespace where the machine allows."""
    if play.stage.namespace:
        scene = play.scene(rate=1000, where="namespace")
    else:
        scene = play.scene(rate=1000, where="proxy")
    scene.start()
    if play.stage.namespace:
        play.stage.namespace.cut()
        # The link carries the vendor too: what it says meanwhile comes later, or that it is gone is a gap.
        if scene.answers():
            scene.notes.append("the network was not cut")
        scene.run_on(seconds=play.outage_s)
        play.stage.namespace.cut(False)
    else:
        play.stage.proxy.vanish(down=True, up=True)
        play.stage.proxy.mute(down=True, up=True)
        scene.without_kafka(play.outage_s)
        play.stage.proxy.reset()
        play.stage.proxy.clear()
    scene.caught_up()
    return scene


@scenario
def kafka_half_open(play):
    """Kafka's answers vanish while the connection stays open; then it is reset."""
    scene = play.scene(rate=1000, where="proxy")
    scene.start()
    for up in (False, True):
        play.stage.proxy.vanish(down=True, up=up)
        scene.without_kafka(play.outage_s / 3)
        play.stage.proxy.reset()
        scene.caught_up()
    return scene


@scenario
def kill(play):
    """kill -9 of livecore at moments drawn from the seed, Kafka being up."""
    scene = play.scene(("alpaca", "eastmoney"), rate=1000)
    scene.start()
    for _ in range(max(1, play.args.kills * 6 // 10)):
        scene.run_on(seconds=play.random.uniform(0, 1.5))
        scene.kill()
        begin = time.monotonic()
        scene.begin()
        scene.speaks_again(begin)
    return scene


@scenario
def kill_without_kafka(play):
    """kill -9 of livecore while Kafka is away; it starts without Kafka, too."""
    scene = play.scene(rate=1000)
    scene.start()
    for _ in range(max(1, play.args.kills // 10)):
        play.stage.kafka.kill()
        scene.run_on(seconds=play.random.uniform(0, 1.5))
        scene.kill()
        # What is to be followed is read from Kafka first: until it is back there are no ticks, which is a gap.
        scene.begin()
        scene.run_on(seconds=play.random.uniform(0, 1))
        play.stage.kafka.restart()
        begin = time.monotonic()
        scene.speaks_again(begin)
    return scene


@scenario
def kill_in_recovery(play):
    """kill -9 of livecore while it still works at what its last life left behind."""
    scene = play.scene(rate=1000)
    scene.start()
    for _ in range(max(1, play.args.kills * 3 // 10 // 3)):
        play.stage.kafka.kill()
        scene.run_on(seconds=play.random.uniform(0.5, 2))
        scene.kill()
        play.stage.kafka.restart()
        for _ in range(3):
            scene.begin(wait=False)
            time.sleep(play.random.uniform(0.01, 0.6))
            scene.kill()
        scene.begin()
        scene.run_on(ticks=10)
        scene.caught_up()
    return scene


@scenario
def stop_without_kafka(play):
    """livecore is stopped in order while Kafka is away; what it leaves in its log is sent by the next life."""
    scene = play.scene(rate=1000, settings={"shutdown.timeout": "1s"})
    scene.start()
    play.stage.kafka.kill()
    scene.run_on(seconds=2)
    scene.quiet()
    scene.live.stop()
    play.stage.kafka.restart()
    scene.begin()
    scene.loud()
    scene.run_on(ticks=100)
    return scene


@scenario
def restart_too_late(play):
    """What the log holds is older than journal.restart_max_age when livecore comes back: gaps, and no old prices."""
    scene = play.scene(rate=1000, settings={"journal.restart_max_age": "2s"})
    scene.wanted["gap too_old"] = 1
    scene.start()
    play.stage.kafka.kill()
    scene.run_on(seconds=2)
    scene.kill()
    scene.run_on(seconds=4)
    play.stage.kafka.restart()
    scene.begin()
    scene.run_on(ticks=100)
    return scene


@scenario
def log_full(play):
    """The log on disk reaches its limit while Kafka is away: the oldest is given up, and said."""
    scene = play.scene(rate=5000, settings={"journal.max_bytes": "16MB", "kafka.in_flight": "2MB"})
    scene.wanted["gap journal_full"] = 1
    scene.start()
    play.stage.kafka.kill()
    scene.run_on(ticks=60_000)
    play.stage.kafka.restart()
    scene.caught_up()
    return scene


def _small_disk(play, megabytes, rate):
    """The disk, and a scene whose log is on it; that did not start where no tmpfs can be mounted."""
    disk = SmallDisk(megabytes)
    scene = play.scene(rate=rate, settings={"journal.dir": str(disk.path / "journal")})
    scene.keep = disk
    if disk.mounted:
        scene.start()
    else:
        scene.said.append("no tmpfs here")
    return disk, scene


@scenario
def disk_full(play):
    """The log's disk is full and has room again later, while Kafka is there and while it is not."""
    disk, scene = _small_disk(play, 64, 1000)
    if not disk.mounted:
        return scene
    scene.wanted["unprotected"] = 1
    disk.fill()
    scene.run_on(seconds=play.outage_s)
    scene.run_on(ticks=30_000 if not play.quick else 1000)
    play.stage.kafka.end()
    scene.run_on(seconds=3)
    play.stage.kafka.restart()
    scene.caught_up()
    disk.free()
    scene.run_on(ticks=3000)
    return scene


@scenario
def disk_full_kill(play):
    """kill -9 while the log's disk is full and Kafka away: what is in its memory is taken over, the rest is a gap."""
    disk, scene = _small_disk(play, 32, 5000)
    if not disk.mounted:
        return scene
    play.stage.kafka.kill()
    disk.fill()
    scene.run_on(ticks=100_000)
    scene.kill()
    disk.free()
    play.stage.kafka.restart()
    scene.begin()
    scene.run_on(ticks=100)
    return scene


LAG_MOST_S = 0.020


@scenario
def disk_hung(play):
    """The log's disk hangs for 5 s: ticks go on to Kafka, and the loop goes on."""
    disk = HungDisk()
    scene = play.scene(rate=1000, settings={"journal.dir": str(disk.path / "journal")}, env=disk.env)
    scene.keep = disk
    scene.wanted["unprotected"] = 1
    scene.start()
    disk.hang()
    lags = []
    for _ in range(5):
        before = scene.live.status()["acknowledged"]
        for _ in range(10):
            scene.run_on(seconds=0.1)
            lags.append(scene.live.metrics()["livecore_loop_lag_seconds"])
        if scene.live.status()["acknowledged"] - before < scene.rate / 4:
            scene.notes.append("ticks did not reach Kafka while the disk hung")
    disk.free()
    # A hang in the loop makes all of them late; one or two are the machine's.
    lags.sort()
    text = f"while the disk hung the loop was late by {lags[45] * 1000:.1f} ms (nine in ten), at most {lags[-1] * 1000:.1f} ms"
    (scene.notes if lags[45] > LAG_MOST_S else scene.said).append(text)
    scene.run_on(ticks=2000)
    return scene


@scenario
def clock_set(play):
    """Our own clock is set forward and back by minutes, while ticks come in."""
    clock = Clock()
    scene = play.scene(("alpaca", "eastmoney"), rate=1000, quotes=True, env=clock.env)
    scene.keep = clock
    scene.wanted["event clock_skew"] = 1  # else it was not set
    scene.start()
    scene.run_on(seconds=play.outage_s / 4)
    for seconds in (600, 0, -600, 0):
        clock.set(seconds)
        scene.run_on(seconds=play.outage_s / 4)
    scene.run_on(ticks=1000)
    return scene


def _vendor(play, faults, vendor="alpaca", seconds=2.0, symbols=None):
    """Faults of a simulator, one after the other; the feed has to come back from each."""
    scene = play.scene((vendor,), rate=400, quotes=True, symbols=symbols)
    scene.start()
    for fault in faults:
        scene.sims[vendor].fault(fault)
        begin = time.monotonic()
        scene.run_on(seconds=seconds)
        livecore.wait_for(scene.feeders_up, lambda: f"up after {fault}: {scene.live.text[-2000:]}")
        scene.run_on(ticks=100)
        if scene.sims[vendor].stats()["faults_left"] > 0:
            scene.notes.append(f"{vendor} {fault}: livecore did not meet it")
        scene.recovered(time.monotonic() - begin - seconds)
    return scene


@scenario
def vendor_cuts(play):
    """Alpaca's simulator: cut in mid-frame, dropped, closed, bad frames, errors."""
    return _vendor(play, ("cut", "drop", "close:1000", "close:1006", "bad-frame", "malformed", "error:500"), seconds=0.5)


@scenario
def vendor_drops_many(play):
    """Alpaca's simulator cuts off a slow reader at a high rate, and closes: what was on its way is thousands of ticks."""
    scene = play.scene(rate=2000)
    scene.start()
    for fault in ("drop", "error:407", "hold:1,drop", "drop", "error:407"):
        scene.sims["alpaca"].fault(fault)
        scene.run_on(seconds=0.5)
        livecore.wait_for(scene.feeders_up, lambda: f"up after {fault}: {scene.live.text[-2000:]}")
        scene.run_on(ticks=2000)
    return scene


@scenario
def vendor_refuses(play):
    """Alpaca's simulator is gone and refuses, bans or holds who comes back."""
    return _vendor(play, ("refuse:429/3,drop", "refuse:503/2,drop", "ban:3,drop", "hold:2,drop"))


@scenario
def vendor_silent(play):
    """Alpaca's simulator: mute, half-open, a slow drip, a quiet market."""
    return _vendor(play, ("mute:2", "half-open:2", "drip:2", "quiet:2"), seconds=3)


@scenario
def vendor_mute(play):
    """Alpaca's simulator says nothing for long, while it stays connected: that is noticed in seconds, and a gap."""
    scene = play.scene(rate=400, quotes=True)
    scene.wanted["event gap_opened"] = 1
    scene.wanted["kept back, in gaps"] = 1000
    scene.start()
    livecore.wait_for(
        lambda: scene.live.feeder("alpaca")["liveness"]["subscription"] == "flows",
        lambda: f"its pace is known: {scene.live.feeder('alpaca')}",
        300,
    )
    scene.sims["alpaca"].fault("mute:20")
    scene.run_on(seconds=20)
    scene.run_on(ticks=100)
    return scene


@scenario
def vendor_data(play):
    """Alpaca's simulator: duplicates, times that go back, prices of zero, a clock that jumps."""
    faults = ("duplicate:50", "disorder:50", "zero:20", "correct:10", "clock:3600/1", "clock-back:600/1")
    return _vendor(play, faults, seconds=1.5)


@scenario
def eastmoney_faults(play):
    """EastMoney's simulator: streams that are cut, closed, malformed, mute, banned."""
    faults = "cut close:1000 drop malformed mute:2 half-open:2 refuse:502/2,drop ban:2,drop duplicate:3 zero:5 clock:60/1"
    return _vendor(play, faults.split(), "eastmoney", 2.5)


@scenario
def tencent_faults(play):
    """Tencent's simulator: polls without an answer, cut bodies, pages, bans, refusals, rows twice, no prices."""
    faults = "mute:2 half-open:2 cut correct malformed ban:2 refuse:502/2 duplicate:3 zero:5 clock:60/1"
    return _vendor(play, faults.split(), "tencent", 2.5)


@scenario
def fushu_faults(play):
    """FuShu's simulator: the same."""
    faults = "mute:2 half-open:2 cut correct malformed ban:3 refuse:500/3 duplicate:3 zero:5 clock:60/1"
    return _vendor(play, faults.split(), "fushu", 2.5)


@scenario
def vendor_network(play):
    """The network between vendor and livecore: held, one direction gone, slow, cut in mid-frame, RST, refused, late."""
    scene = play.scene(rate=400, quotes=True)
    scene.start()
    proxy = scene.proxies["alpaca"]
    faults = {
        "held": lambda: proxy.mute(),
        "late": lambda: proxy.delay(0.3),
        "drip": lambda: proxy.drip(20_000),
        "cut": lambda: proxy.cut(after=play.random.randrange(1, 3000)),
        "reset": lambda: proxy.reset(),
        "refused": lambda: proxy.refuse(),
        "half-open": lambda: proxy.vanish(),
    }
    for name, begin in faults.items():
        begin()
        scene.run_on(seconds=play.outage_s / 4)
        if name == "half-open":
            proxy.reset()  # what went nowhere cannot come back: the connection has to end
        proxy.clear()
        livecore.wait_for(scene.feeders_up, lambda: f"up after {name}: {scene.live.text[-2000:]}")
        scene.run_on(ticks=100)
    return scene


@scenario
def long_outage(play):
    """Kafka away for --minutes at --rate ticks a second (the long form; not in --quick)."""
    scene = play.scene(rate=play.args.rate, symbols=us_symbols(500))
    scene.start()
    play.stage.kafka.end()
    scene.run_on(seconds=play.args.minutes * 60)
    play.stage.kafka.restart()
    scene.caught_up(within_s=600 + play.args.minutes * 120)
    scene.drain_s = 600
    return scene


QUICK = ["no-fault", "broker-killed", "kill", "vendor-network"]


def row(name, scene, judge, failure):
    counts = judge.counts if judge else collections.Counter()
    dropped = ", ".join(f"{reason} {count}" for reason, count in sorted(judge.dropped.items())) if judge else ""
    wrong = sum(counts[kind] for kind in ("wrong number", "unknown", "volume falls", "final value", "repeat", "gap"))
    recovery = f"{scene.recovery_s:.1f} s" if scene and scene.recovery_s is not None else "–"
    cells = [
        name + ("" if not failure else " (**did not end**)"),
        counts["sent"],
        counts["on kafka"],
        counts["conflated"] + counts["superseded"],
        dropped or 0,
        counts["in gaps"],
        counts["lost silently"],
        counts["repeats"],
        counts["out of order"],
        wrong,
        recovery,
        f"{scene.peak_mb:.0f} MB" if scene else "–",
    ]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def run(stage, args, name):
    """The row of one scenario, and whether nothing was wrong."""
    play = Play(stage, args, name)
    scene = judge = failure = None
    begin = time.monotonic()
    try:
        scene = SCENARIOS[name](play)
        if scene.lives:
            scene.drain(getattr(scene, "drain_s", livecore.LONG_S))
            judge = scene.end()
    except Exception:
        failure = traceback.format_exc()
        stage.kafka.restart()
    finally:
        stage.proxy.clear()
        if stage.namespace:
            stage.namespace.cut(False)
    made = row(name, scene, judge, failure)
    good = failure is None and (judge is None or judge.ok) and not (scene and scene.notes)
    print(f"{name}: {time.monotonic() - begin:.0f} s", file=sys.stderr)
    for text in (judge.report() if judge else "", failure or "", *(scene.said + scene.notes if scene else [])):
        if text:
            print("  " + text.replace("\n", "\n  "), file=sys.stderr)
    if scene:
        if not good:
            print(f"  logs and sent files: {scene.keep_logs()}", file=sys.stderr)
        scene.remove()
        if getattr(scene, "keep", None):
            scene.keep.remove()
    return made, good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("livecore")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=int, default=20000)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--out", default="lab-out")
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    if args.list:
        for name, function in SCENARIOS.items():
            print(f"{name:20} {function.__doc__.splitlines()[0]}")
        return 0
    args.kills = args.kills or (3 if args.quick else 100)
    livecore.LIVECORE = str(Path(args.livecore).resolve())
    names = args.only.split(",") if args.only else QUICK if args.quick else list(SCENARIOS)
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        parser.error(f"no such scenario: {', '.join(unknown)} (--list shows them)")
    head = COLUMNS.split(",")
    rows = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    good = True
    with Stage(args.out) as stage:
        for name in names:
            made, fine = run(stage, args, name)
            rows.append(made)
            good &= fine
    print("\n".join(rows))
    print(f"seed {args.seed}: " + ("nothing is missing unsaid" if good else "FAILED"))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
