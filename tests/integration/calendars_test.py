#!/usr/bin/env python3
"""The built-in calendars against second sources: chinesecalendar for the mainland, holidays for Hong Kong and New York.

    calendars_test.py CONFIG_CALENDARS
"""

import datetime
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
import livecore  # noqa: E402

livecore.need_venv()

import chinese_calendar  # noqa: E402
import holidays  # noqa: E402

FOLDER = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else "config/calendars")
YEARS = range(2024, 2027)
DAY = datetime.timedelta(days=1)

# What the second sources do not have, and why our source is right.
EXPLAINED = {
    "cn": {
        "2024-02-09": "New Year's Eve: a working day by the State Council's notice, closed by the exchanges' own",
    },
    "hk": {
        "2024-09-06": "closed for the typhoon Yagi, which no list knows in advance",
    },
    "us": {},
}


def read(market):
    closed, early, covers = set(), {}, None
    for line in (FOLDER / f"{market}.csv").read_text(encoding="ascii").splitlines():
        verb, *fields = line.split(",")
        if verb == "close":
            closed.add(datetime.date.fromisoformat(fields[0]))
        elif verb == "early":
            early[datetime.date.fromisoformat(fields[0])] = fields[1]
        elif verb == "covers":
            covers = tuple(map(datetime.date.fromisoformat, fields))
    return closed, early, covers


def weekdays(covers):
    day = covers[0]
    while day <= covers[1]:
        if day.weekday() < 5:
            yield day
        day += DAY


class Calendars(unittest.TestCase):
    def check(self, market, theirs):
        closed, _, covers = read(market)
        self.assertEqual(covers, (datetime.date(2024, 1, 1), datetime.date(2026, 12, 31)))
        self.assertTrue(all(day.weekday() < 5 for day in closed), "a weekend is closed anyway")
        different = {str(day) for day in weekdays(covers) if (day in closed) != theirs(day)}
        self.assertEqual(different, EXPLAINED[market].keys(), market)

    def test_mainland(self):
        # Weekends on which offices make up for a holiday are no sessions, and only weekdays are compared.
        self.check("cn", chinese_calendar.is_holiday)

    def test_hong_kong(self):
        # Falling on a Sunday, a holiday moves to a weekday, which is in this list as "observed".
        categories = holidays.country_holidays("HK").supported_categories
        list_ = holidays.country_holidays("HK", years=YEARS, categories=categories)
        self.check("hk", lambda day: day in list_)

    def test_new_york(self):
        list_ = holidays.financial_holidays("XNYS", years=YEARS)
        self.check("us", lambda day: day in list_)

    def test_early_closes_of_new_york(self):
        """The day after Thanksgiving; Christmas Eve and 3 July on weekdays that are sessions."""
        closed, early, covers = read("us")
        rule = set()
        for year in YEARS:
            first = datetime.date(year, 11, 1)
            thanksgiving = first + DAY * ((3 - first.weekday()) % 7 + 21)
            rule |= {thanksgiving + DAY, datetime.date(year, 12, 24)}
            rule.add(datetime.date(year, 7, 3))
        rule = {day for day in rule if day.weekday() < 5 and day not in closed}
        self.assertEqual(rule, set(early))
        self.assertEqual(set(early.values()), {"13:00"})

    def test_half_days_of_hong_kong(self):
        """The eves of Christmas, of the New Year and of the Lunar New Year, on weekdays."""
        closed, early, covers = read("hk")
        lunar = {datetime.date(2024, 2, 10), datetime.date(2025, 1, 29), datetime.date(2026, 2, 17)}
        eves = {day - DAY for day in lunar}
        for year in YEARS:
            eves |= {datetime.date(year, 12, 24), datetime.date(year, 12, 31)}
        self.assertEqual({day for day in eves if day.weekday() < 5}, set(early))
        self.assertEqual(set(early.values()), {"12:00"})


if __name__ == "__main__":
    unittest.main(verbosity=2)
