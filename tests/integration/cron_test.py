#!/usr/bin/env python3
"""Our cron against croniter, a second implementation: random expressions, zones and times.

usage: cron_test.py CRON_DUMP

croniter is asked for the times of the wall clock alone. What a wall clock's time means on the two days of the year when it is changed is
then worked out here with Python's own zoneinfo, by our rule: what is skipped comes at the first instant after the gap, what occurs twice at
the first of the two. (croniter has another rule: it leaves out or repeats such times, so that its own zone handling cannot be the
judge.) Other differences, which is why croniter is told otherwise:
- `*/2` in a day field counts as not restricted, as in cron itself (croniter: implement_cron_bug=True).
- In a scheduled_tasks file weekdays count from Monday, and both days must match (croniter: day_or=False, and the numbers are moved).
- croniter knows more (`L`, `#`, `?`, random `R`): such expressions are not made.
- A range of one value (`9-9`) is that value, as in cron; for croniter it is the whole field. None is made.
- A range of months or hours may not run backwards here; weekdays may (`FRI-MON`), and mean the same as in croniter.
"""

import random
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
import livecore  # noqa: E402

COUNT, TIMES = 3000, 5
ZONES = ["UTC", "Asia/Shanghai", "America/New_York", "Europe/Berlin", "Australia/Sydney", "Australia/Lord_Howe", "Asia/Kathmandu"]
FIELDS = [("second", 0, 59), ("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 6)]
MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
DAYS = "SUN MON TUE WED THU FRI SAT".split()
UTC = timezone.utc


def value(rng, name, n, monday):
    if name == "month" and rng.random() < 0.3:
        return MONTHS[n - 1]
    if name == "weekday" and rng.random() < 0.3:
        return DAYS[(n + 1) % 7 if monday else n]
    return str(n)


def item(rng, name, low, high, monday):
    a, b = sorted(rng.randint(low, high) for _ in range(2))
    kind = rng.random()
    if kind < 0.5 or a == b:
        return value(rng, name, a, monday)
    text = f"{value(rng, name, a, monday)}-{value(rng, name, b, monday)}"
    return text if kind < 0.8 else f"{text}/{rng.randint(1, min(7, b - a))}"


def field(rng, name, low, high, monday):
    kind = rng.random()
    if kind < 0.35:
        return "*"
    if kind < 0.5:
        return f"*/{rng.randint(1, min(high - low, 15))}"
    return ",".join(item(rng, name, low, high, monday) for _ in range(rng.choice([1, 1, 1, 2, 3])))


def expression(rng, monday):
    fields = FIELDS if rng.random() < 0.3 else FIELDS[1:]
    return [field(rng, *limits, monday) for limits in fields]


def moment(rng, zone):
    """Half of them within two days of a change of the clock."""
    at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(4 * 365 * 86400))
    if rng.random() < 0.5:
        start, there = at, ZoneInfo(zone)
        for hours in range(0, 24 * 200, 6):
            at = start + timedelta(hours=hours)
            if at.astimezone(there).utcoffset() != (at + timedelta(hours=30)).astimezone(there).utcoffset():
                break
        at += timedelta(seconds=rng.randrange(-86400, 2 * 86400))
    return int(at.timestamp())


def monday_list(text):
    """Weekdays from Monday as croniter's from Sunday, written out one by one."""
    if text.startswith("*"):
        numbers = range(0, 7, int(text[2:] or 1) if text.startswith("*/") else 1)
    else:
        numbers = set()
        for part in text.split(","):
            span, _, step = part.partition("/")
            ends = [(DAYS.index(end) - 1) % 7 if end in DAYS else int(end) for end in span.split("-")]
            numbers |= set(range(ends[0], ends[-1] + 1, int(step or 1)))
    return ",".join(str((n + 1) % 7) for n in sorted(numbers))


def instant(wall, zone):
    """The instant of a wall clock's time, by our rule."""
    there = wall.replace(tzinfo=ZoneInfo(zone), fold=0)
    back = there.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    if back == wall:
        return int(there.timestamp())
    low, high = int(there.timestamp()) - 2 * 86400, int(there.timestamp()) + 2 * 86400
    before = datetime.fromtimestamp(low, UTC).astimezone(ZoneInfo(zone)).utcoffset()
    while high - low > 1:  # the gap's end: the first instant with another offset
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, UTC).astimezone(ZoneInfo(zone)).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def expected(croniter, fields, rules, zone, after):
    text = " ".join(fields)
    if rules == "monday":
        text = " ".join([*fields[:-1], fields[-1] if fields[-1] == "*" else monday_list(fields[-1])])
    # From a day before, so that what a gap moves or a repeated hour hides is seen too.
    start = datetime.fromtimestamp(after, UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0) - timedelta(hours=2)
    walk = croniter(text, start, second_at_beginning=True, day_or=rules == "cron", implement_cron_bug=True, max_years_between_matches=60)
    times = []
    while len(times) < TIMES:
        at = instant(walk.get_next(datetime), zone)
        if at > after and (not times or at > times[-1]):
            times.append(at)
    return times


def main():
    livecore.need_venv()
    from croniter import CroniterBadDateError, croniter

    rng = random.Random(20261121)
    questions = []
    for _ in range(COUNT):
        rules, zone = rng.choice(["cron", "cron", "monday"]), rng.choice(ZONES)
        questions.append((rules, zone, moment(rng, zone), expression(rng, rules == "monday")))
    asked = "".join(f"{rules}\t{zone}\t{after}\t{' '.join(fields)}\n" for rules, zone, after, fields in questions)
    answers = subprocess.run([sys.argv[1]], input=asked, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(answers) == COUNT, len(answers)
    wrong = never = 0
    for (rules, zone, after, fields), answer in zip(questions, answers):
        try:
            want = expected(croniter, fields, rules, zone, after)
        except CroniterBadDateError:
            want = []
            never += 1
        got = None if answer.startswith("invalid") else [int(word) for word in answer.split()]
        if got != want:
            wrong += 1
            if wrong <= 10:
                show = lambda times: [datetime.fromtimestamp(t, ZoneInfo(zone)).isoformat() for t in times or []]
                print(f"{rules} {zone} {' '.join(fields)!r} after {show([after])}:\n  ours {show(got)} {answer[:100]}\n  croniter {show(want)}")
    print(f"{COUNT} expressions, {never} of them never: {wrong} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
