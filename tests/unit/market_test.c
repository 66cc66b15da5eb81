#include "livecore/market.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct lc_calendar *calendar;

static void open_calendar(void)
{
	struct lc_error err;
	cr_assert_eq(lc_calendar_create(false, &calendar, &err), LC_OK, "%s", err.text);
}

static void close_calendar(void)
{
	lc_calendar_destroy(calendar);
}

TestSuite(market, .init = open_calendar, .fini = close_calendar);

static int64_t at(enum lc_market market, const char *local)
{
	int64_t ns;
	cr_assert_eq(lc_time_parse(local, strlen(local), lc_calendar_zone(calendar, market), &ns),
		LC_OK);
	return ns;
}

struct phase_case {
	enum lc_market market;
	const char *local;
	enum lc_session session;
};

static void check(const struct phase_case *cases, size_t count)
{
	/* Forwards and backwards, so that no answer depends on what was remembered. */
	for (size_t i = 0; i < 2 * count; i++) {
		const struct phase_case *c = &cases[i < count ? i : 2 * count - 1 - i];
		enum lc_session got = lc_session_at(calendar, c->market, at(c->market, c->local));
		cr_assert_eq(got, c->session, "%s %s: %s", lc_market_name(c->market), c->local,
			lc_session_name(got));
	}
}

Test(market, phases_of_an_ordinary_day)
{
	static const struct phase_case cases[] = {
		{LC_MARKET_CN, "2026-01-09T00:00:00", LC_SESSION_CLOSED},
		{LC_MARKET_CN, "2026-01-09T09:14:59.999999999", LC_SESSION_CLOSED},
		{LC_MARKET_CN, "2026-01-09T09:15:00", LC_SESSION_AUCTION},
		{LC_MARKET_CN, "2026-01-09T09:27:00", LC_SESSION_AUCTION},
		{LC_MARKET_CN, "2026-01-09T09:30:00", LC_SESSION_OPEN},
		{LC_MARKET_CN, "2026-01-09T11:30:00", LC_SESSION_LUNCH},
		{LC_MARKET_CN, "2026-01-09T13:00:00", LC_SESSION_OPEN},
		{LC_MARKET_CN, "2026-01-09T14:56:59", LC_SESSION_OPEN},
		{LC_MARKET_CN, "2026-01-09T14:57:00", LC_SESSION_AUCTION},
		{LC_MARKET_CN, "2026-01-09T15:00:03", LC_SESSION_POST},
		{LC_MARKET_CN, "2026-01-09T15:30:00", LC_SESSION_CLOSED},
		{LC_MARKET_HK, "2026-01-09T08:59:59", LC_SESSION_CLOSED},
		{LC_MARKET_HK, "2026-01-09T09:00:00", LC_SESSION_AUCTION},
		{LC_MARKET_HK, "2026-01-09T11:59:59", LC_SESSION_OPEN},
		{LC_MARKET_HK, "2026-01-09T12:00:00", LC_SESSION_LUNCH},
		{LC_MARKET_HK, "2026-01-09T16:05:00", LC_SESSION_AUCTION},
		{LC_MARKET_HK, "2026-01-09T16:10:00", LC_SESSION_CLOSED},
		{LC_MARKET_US, "2026-01-09T03:59:59", LC_SESSION_CLOSED},
		{LC_MARKET_US, "2026-01-09T04:00:00", LC_SESSION_PRE},
		{LC_MARKET_US, "2026-01-09T09:30:00", LC_SESSION_OPEN},
		{LC_MARKET_US, "2026-01-09T16:00:00", LC_SESSION_POST},
		{LC_MARKET_US, "2026-01-09T20:00:00", LC_SESSION_CLOSED},
	};
	check(cases, sizeof cases / sizeof *cases);
}

Test(market, half_days_holidays_and_weekends)
{
	static const struct phase_case cases[] = {
		{LC_MARKET_HK, "2026-02-16T11:59:59", LC_SESSION_OPEN},
		{LC_MARKET_HK, "2026-02-16T12:05:00", LC_SESSION_AUCTION},
		{LC_MARKET_HK, "2026-02-16T13:30:00", LC_SESSION_CLOSED},
		{LC_MARKET_US, "2026-11-27T12:59:59", LC_SESSION_OPEN},
		{LC_MARKET_US, "2026-11-27T13:00:00", LC_SESSION_POST},
		{LC_MARKET_US, "2026-11-27T17:00:00", LC_SESSION_CLOSED},
		{LC_MARKET_US, "2025-01-09T10:00:00", LC_SESSION_CLOSED},
		{LC_MARKET_CN, "2026-02-16T10:00:00", LC_SESSION_CLOSED},
		{LC_MARKET_CN, "2026-02-14T10:00:00", LC_SESSION_CLOSED}, /* a make-up workday */
		{LC_MARKET_CN, "2026-01-10T10:00:00", LC_SESSION_CLOSED},
		{LC_MARKET_US, "2026-01-11T10:00:00", LC_SESSION_CLOSED},
	};
	check(cases, sizeof cases / sizeof *cases);
}

Test(market, the_open_moves_with_daylight_saving)
{
	static const struct {
		const char *day, *open;
	} cases[] = {
		{"2024-01-02T09:30:00", "2024-01-02T14:30:00Z"},
		{"2024-03-11T09:30:00", "2024-03-11T13:30:00Z"},
		{"2024-11-04T09:30:00", "2024-11-04T14:30:00Z"},
		{"2026-03-09T09:30:00", "2026-03-09T13:30:00Z"},
		{"2026-11-02T09:30:00", "2026-11-02T14:30:00Z"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t open = at(LC_MARKET_US, cases[i].open);
		cr_assert_eq(lc_session_at(calendar, LC_MARKET_US, open - 1), LC_SESSION_PRE);
		cr_assert_eq(lc_session_at(calendar, LC_MARKET_US, open), LC_SESSION_OPEN);
		cr_assert_eq(lc_session_ends(calendar, LC_MARKET_US, open - 1), open);
		cr_assert_eq(at(LC_MARKET_US, cases[i].day), open);
	}
}

Test(market, years_have_the_known_number_of_sessions)
{
	static const int expected[LC_MARKETS][3] = {
		{242, 243, 242}, {246, 246, 247}, {252, 250, 251}};
	for (int market = 0; market < LC_MARKETS; market++) {
		for (int year = 2024; year <= 2026; year++) {
			int sessions = 0;
			for (int32_t day = lc_days_from_civil(year, 1, 1);
				day < lc_days_from_civil(year + 1, 1, 1); day++) {
				cr_assert(lc_calendar_covers(calendar, market, day));
				sessions += lc_calendar_trades_on(calendar, market, day, NULL);
			}
			cr_assert_eq(sessions, expected[market][year - 2024], "%d %d: %d", market,
				year, sessions);
		}
		cr_assert_not(lc_calendar_covers(calendar, market, lc_days_from_civil(2027, 1, 1)));
		cr_assert_not(
			lc_calendar_covers(calendar, market, lc_days_from_civil(2023, 12, 31)));
	}
}

Test(market, the_trading_date_is_the_local_day)
{
	int64_t ns = at(LC_MARKET_CN, "2026-01-09T00:30:00");
	cr_assert_eq(lc_trading_date(calendar, LC_MARKET_CN, ns), lc_days_from_civil(2026, 1, 9));
	cr_assert_eq(lc_trading_date(calendar, LC_MARKET_US, ns), lc_days_from_civil(2026, 1, 8));
	for (int hour = 0; hour < 24 * 400; hour++) {
		int64_t now = ns + hour * INT64_C(3600000000000);
		struct lc_civil civil = lc_civil_from_ns(
			lc_calendar_zone(calendar, LC_MARKET_US), now);
		cr_assert_eq(lc_trading_date(calendar, LC_MARKET_US, now),
			lc_days_from_civil(civil.year, civil.month, civil.day));
	}
}

Test(market, remembering_changes_no_answer)
{
	/* The same random instants, asked of one calendar that remembers and of fresh ones. */
	uint64_t random = 3;
	int64_t start = at(LC_MARKET_US, "2025-10-25T00:00:00");
	for (int round = 0; round < 50; round++) {
		struct lc_calendar *fresh;
		cr_assert_eq(lc_calendar_create(false, &fresh, NULL), LC_OK);
		random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
		int64_t ns = start + (int64_t)(random >> 20) % (20 * INT64_C(86400000000000));
		for (int market = 0; market < LC_MARKETS; market++) {
			cr_assert_eq(lc_session_at(calendar, market, ns),
				lc_session_at(fresh, market, ns));
			cr_assert_eq(lc_session_ends(calendar, market, ns),
				lc_session_ends(fresh, market, ns));
			cr_assert_gt(lc_session_ends(calendar, market, ns), ns);
		}
		lc_calendar_destroy(fresh);
	}
}

Test(market, the_demo_is_always_open)
{
	struct lc_calendar *demo;
	cr_assert_eq(lc_calendar_create(true, &demo, NULL), LC_OK);
	int64_t sunday = at(LC_MARKET_CN, "2031-06-01T03:00:00");
	for (int market = 0; market < LC_MARKETS; market++) {
		cr_assert_eq(lc_session_at(demo, market, sunday), LC_SESSION_OPEN);
		cr_assert(lc_calendar_covers(demo, market, 30000));
		cr_assert(lc_calendar_trades_on(demo, market, 30000, NULL));
	}
	cr_assert_eq(lc_trading_date(demo, LC_MARKET_CN, sunday), lc_days_from_civil(2031, 6, 1));
	lc_calendar_destroy(demo);
	lc_calendar_destroy(NULL);
}

Test(market, sessions_have_the_contracts_names)
{
	static const char *const names[] = {"pre", "auction", "open", "lunch", "post", "closed"};
	for (int i = 0; i < LC_SESSIONS; i++) {
		cr_assert_str_eq(lc_session_name(i), names[i]);
	}
	cr_assert_str_eq(lc_session_name(LC_SESSIONS), "unknown");
}

static enum lc_board board(const char *text)
{
	struct lc_symbol symbol;
	cr_assert_eq(lc_symbol_parse(text, strlen(text), &symbol), LC_OK);
	return lc_board_of(&symbol);
}

Test(market, boards_come_from_prefixes)
{
	static const struct {
		const char *symbol;
		enum lc_board board;
	} cases[] = {{"600000.SH", LC_BOARD_MAIN}, {"605499.SH", LC_BOARD_MAIN},
		{"000001.SZ", LC_BOARD_MAIN}, {"003816.SZ", LC_BOARD_MAIN},
		{"300750.SZ", LC_BOARD_CHINEXT}, {"301269.SZ", LC_BOARD_CHINEXT},
		{"688981.SH", LC_BOARD_STAR}, {"689009.SH", LC_BOARD_STAR},
		{"920992.BJ", LC_BOARD_BSE}, {"430489.BJ", LC_BOARD_BSE},
		{"871981.BJ", LC_BOARD_BSE}, {"510300.SH", LC_BOARD_ETF},
		{"588000.SH", LC_BOARD_ETF_WIDE}, {"159915.SZ", LC_BOARD_ETF_WIDE},
		{"000001.SH", LC_BOARD_NONE}, {"000300.SH", LC_BOARD_NONE},
		{"399001.SZ", LC_BOARD_NONE}, {"900901.SH", LC_BOARD_NONE},
		{"200011.SZ", LC_BOARD_NONE}, {"110059.SH", LC_BOARD_NONE},
		{"899050.BJ", LC_BOARD_NONE}, {"302132.SZ", LC_BOARD_NONE},
		{"12345.HK", LC_BOARD_NONE}, {"00700.HK", LC_BOARD_UNLIMITED},
		{"AAPL", LC_BOARD_UNLIMITED}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_assert_eq(board(cases[i].symbol), cases[i].board, "%s", cases[i].symbol);
	}
}

static struct lc_decimal decimal(const char *text)
{
	struct lc_decimal value;
	cr_assert_eq(lc_decimal_parse(text, strlen(text), &value), LC_OK);
	return value;
}

Test(market, limits_round_half_up)
{
	static const struct {
		enum lc_board board;
		const char *close, *up, *down;
	} cases[] = {
		{LC_BOARD_MAIN, "10.00", "11.00", "9.00"},
		{LC_BOARD_MAIN, "10.05", "11.06", "9.05"}, /* 11.055 and 9.045 go up */
		{LC_BOARD_MAIN, "9.99", "10.99", "8.99"},
		{LC_BOARD_MAIN, "7", "7.70", "6.30"},
		{LC_BOARD_CHINEXT, "33.33", "40.00", "26.66"},
		{LC_BOARD_STAR, "48.88", "58.66", "39.10"},
		{LC_BOARD_BSE, "15.15", "19.70", "10.61"},
		{LC_BOARD_ETF, "3.905", "4.296", "3.515"},
		{LC_BOARD_ETF_WIDE, "1.0125", "1.215", "0.810"},
		{LC_BOARD_MAIN, "1e2", "110", "90"},
		{LC_BOARD_UNLIMITED, "0.0001", "0.00015", "0.00005"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct lc_decimal up, down;
		cr_assert(lc_price_limits(cases[i].board, decimal(cases[i].close), &up, &down));
		cr_assert_eq(lc_decimal_compare(up, decimal(cases[i].up)), 0, "%s", cases[i].close);
		cr_assert_eq(
			lc_decimal_compare(down, decimal(cases[i].down)), 0, "%s", cases[i].close);
	}
	struct lc_decimal up, down;
	cr_assert_not(lc_price_limits(LC_BOARD_NONE, decimal("10"), &up, &down));
	cr_assert_not(lc_price_limits(LC_BOARD_MAIN, decimal("0"), &up, &down));
	cr_assert_not(lc_price_limits(LC_BOARD_MAIN, decimal("-1"), &up, &down));
	cr_assert_not(lc_price_limits(LC_BOARD_MAIN, decimal("1e29"), &up, &down));
	cr_assert_not(lc_price_limits(LC_BOARD_MAIN, decimal("1e-29"), &up, &down));
}

static enum lc_price_steps steps(const char *text)
{
	struct lc_symbol symbol;
	cr_assert_eq(lc_symbol_parse(text, strlen(text), &symbol), LC_OK);
	return lc_price_steps_of(&symbol);
}

Test(market, prices_are_on_their_markets_steps)
{
	static const struct {
		const char *symbol, *on, *between;
	} cases[] = {
		{"600000.SH", "10.01 1e3 10.010000000 0.01", "10.001 10.0100001"},
		{"920992.BJ", "5.55", "5.555"},
		{"510300.SH", "3.905 4", "3.9055"},
		{"00700.HK",
			"0.249 0.2 0.255 0.505 9.995 10.01 19.99 20.02 49.98 50.05 100.1 200.2 "
			"500.5 "
			"1001 2002 5005 1e18",
			"0.2495 0.251 0.503 9.991 10.005 20.01 49.99 50.02 100.05 200.1 500.2 "
			"1000.5 "
			"2001 5002"},
		{"AAPL", "123.45 123.455 1 0.9999 123.4500", "123.451 1.0001 0.99995"},
		/* no rule */
		{"000001.SH", "3000.1234", ""},
		{"900901.SH", "0.1234", ""},
		{"02800.HK", "20.01", ""},
		{"12345.HK", "20.01", ""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *sides[] = {cases[i].between, cases[i].on};
		for (int on = 0; on < 2; on++) {
			char prices[128], *rest = prices, *price;
			strcpy(prices, sides[on]);
			while ((price = strtok_r(rest, " ", &rest)) != NULL) {
				cr_assert_eq(
					lc_price_on_step(steps(cases[i].symbol), decimal(price)),
					on, "%s %s", cases[i].symbol, price);
			}
		}
	}
}

static uint8_t effect(const char *codes, char tape)
{
	struct lc_conditions conditions = {0};
	for (const char *c = codes; *c; c++) {
		conditions.code[conditions.count++][0] = *c;
	}
	struct lc_conditions_seen seen = {0};
	return lc_conditions_effect(&conditions, tape, &seen, NULL);
}

Test(market, each_condition_has_its_effect)
{
	for (const char *c = "CHINRTUVW7"; *c; c++) {
		cr_assert_eq(effect((char[]){*c, 0}, 'C'), LC_UPDATES_VOLUME, "%c", *c);
	}
	for (const char *c = "GLPZ4"; *c; c++) {
		cr_assert_eq(effect((char[]){*c, 0}, 'A'),
			LC_UPDATES_VOLUME | LC_UPDATES_HIGH_LOW | LC_UPDATES_LAST_IF_FIRST, "%c",
			*c);
	}
	for (const char *c = "@FXO5 6?"; *c; c++) {
		cr_assert_eq(effect((char[]){*c, 0}, 'C'), LC_UPDATES_ALL, "%c", *c);
	}
	cr_assert_eq(effect("M", 'C'), 0);
	cr_assert_eq(effect("Q", 'C'), 0);
	cr_assert_eq(effect("9", 'C'), LC_UPDATES_LAST | LC_UPDATES_HIGH_LOW);
	cr_assert_eq(effect("B", 'A'), LC_UPDATES_VOLUME);
	cr_assert_eq(effect("B", 'B'), LC_UPDATES_VOLUME);
	cr_assert_eq(effect("B", 'C'), LC_UPDATES_ALL);
	cr_assert_eq(effect("", 'C'), LC_UPDATES_ALL);
}

Test(market, the_strictest_of_several_conditions_wins)
{
	cr_assert_eq(effect("@I", 'C'), LC_UPDATES_VOLUME);
	cr_assert_eq(effect("I@", 'C'), LC_UPDATES_VOLUME);
	cr_assert_eq(effect("ZM", 'C'), 0);
	cr_assert_eq(effect("@Z", 'C'),
		LC_UPDATES_VOLUME | LC_UPDATES_HIGH_LOW | LC_UPDATES_LAST_IF_FIRST);
	cr_assert_eq(effect("ZI", 'C'), LC_UPDATES_VOLUME);
	cr_assert_eq(effect("9I", 'C'), 0, "no volume and only volume leave nothing");
	cr_assert_eq(effect("9Z", 'C'), LC_UPDATES_HIGH_LOW | LC_UPDATES_LAST_IF_FIRST);
}

Test(market, an_unknown_condition_is_reported_once)
{
	struct lc_conditions conditions = {2, {"@", "?"}};
	struct lc_conditions_seen seen = {0};
	const char *unknown;
	cr_assert_eq(lc_conditions_effect(&conditions, 'A', &seen, &unknown), LC_UPDATES_ALL);
	cr_assert_str_eq(unknown, "?");
	lc_conditions_effect(&conditions, 'A', &seen, &unknown);
	cr_assert_null(unknown);
	struct lc_conditions longer = {1, {"AB"}};
	lc_conditions_effect(&longer, 'A', &seen, &unknown);
	cr_assert_str_eq(unknown, "AB");
	struct lc_conditions blank = {2, {" ", ""}};
	lc_conditions_effect(&blank, 'A', &seen, &unknown);
	cr_assert_null(unknown);
}

/* --- overlays --- */

struct mistakes {
	char text[2000];
	size_t count;
};

static void on_mistake(void *arg, const char *file, int line, const char *text)
{
	struct mistakes *mistakes = arg;
	size_t used = strlen(mistakes->text);
	snprintf(mistakes->text + used, sizeof mistakes->text - used, "%s:%d: %s\n",
		strrchr(file, '/') + 1, line, text);
	mistakes->count++;
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *file = fopen(path, "w");
	cr_assert_not_null(file);
	fputs(text, file);
	fclose(file);
}

static void read_back(const char *dir, const char *name, char *text, size_t size)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *file = fopen(path, "r");
	cr_assert_not_null(file);
	text[fread(text, 1, size - 1, file)] = '\0';
	fclose(file);
}

static void remove_all(const char *dir)
{
	static const char *const names[] = {"cn.csv", "hk.csv", "us.csv"};
	for (size_t i = 0; i < 3; i++) {
		char path[256];
		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		unlink(path);
	}
	cr_assert_eq(rmdir(dir), 0, "something else is left in %s", dir);
}

static int32_t day_of(const char *text)
{
	int32_t day = 0;
	cr_assert(lc_calendar_day_parse(text, &day), "%s", text);
	return day;
}

Test(market, an_overlay_adds_closes_and_shortens_days)
{
	char dir[] = "/tmp/livecore-calendar-XXXXXX";
	cr_assert_not_null(mkdtemp(dir));
	write_file(dir, "hk.csv",
		"# a typhoon\n"
		"close,2026-09-10,typhoon\r\n"
		"early, 2026-09-11 , 14:30,signal 8\n"
		"add,2026-12-24\n"
		"close,2027-01-01\n"
		"covers,2027-01-01,2027-06-30\n");
	struct lc_calendar *overlaid;
	struct lc_error err;
	cr_assert_eq(lc_calendar_open(false, dir, NULL, &overlaid, &err), LC_OK, "%s", err.text);
	bool half;
	cr_assert_not(lc_calendar_trades_on(overlaid, LC_MARKET_HK, day_of("2026-09-10"), &half));
	cr_assert(lc_calendar_trades_on(overlaid, LC_MARKET_HK, day_of("2026-09-11"), &half));
	cr_assert(half);
	cr_assert(lc_calendar_trades_on(overlaid, LC_MARKET_HK, day_of("2026-12-24"), &half));
	cr_assert_not(half);
	cr_assert(lc_calendar_trades_on(overlaid, LC_MARKET_CN, day_of("2026-09-10"), NULL));
	/* Its auction is held after that close. */
	int64_t close = at(LC_MARKET_HK, "2026-09-11T14:30:00");
	cr_assert_eq(lc_session_at(overlaid, LC_MARKET_HK, close - 1), LC_SESSION_OPEN);
	cr_assert_eq(lc_session_at(overlaid, LC_MARKET_HK, close), LC_SESSION_AUCTION);
	cr_assert_eq(lc_session_ends(overlaid, LC_MARKET_HK, close), close + INT64_C(600000000000));
	struct lc_calendar_day day;
	lc_calendar_day(overlaid, LC_MARKET_HK, day_of("2026-09-10"), &day);
	cr_assert(!day.trades && day.overlaid && day.covered);
	cr_assert_str_eq(day.why, "typhoon");
	/* What is covered grows with it, in this market. */
	cr_assert_eq(lc_calendar_last_day(overlaid, LC_MARKET_HK), day_of("2027-06-30"));
	cr_assert_eq(lc_calendar_last_day(overlaid, LC_MARKET_US), day_of("2026-12-31"));
	cr_assert_eq(lc_calendar_days_left(
			     overlaid, LC_MARKET_US, at(LC_MARKET_US, "2026-12-01T12:00:00")),
		30);
	cr_assert_lt(lc_calendar_days_left(
			     overlaid, LC_MARKET_US, at(LC_MARKET_US, "2027-01-02T12:00:00")),
		0);
	/* After the last covered day weekdays are sessions. */
	cr_assert(lc_calendar_trades_on(overlaid, LC_MARKET_US, day_of("2027-01-01"), NULL));
	cr_assert_not(lc_calendar_trades_on(overlaid, LC_MARKET_US, day_of("2027-01-02"), NULL));
	lc_calendar_destroy(overlaid);
	remove_all(dir);
}

Test(market, every_mistake_of_an_overlay_is_placed)
{
	char dir[] = "/tmp/livecore-calendar-XXXXXX";
	cr_assert_not_null(mkdtemp(dir));
	write_file(dir, "cn.csv",
		"close,2026-02-30\nclose,2026-13-01\nearly,2026-03-04\nearly,2026-03-04,24:00\n"
		"shut,2026-03-04\n\nclose\nclose,2026-03-05\nadd,2026-03-05\n"
		"covers,2027-02-01,2027-01-01\nclose,2026-3-4\n");
	write_file(dir, "us.csv", "early,2026-03-04,1:00\nearly,2026-03-05,20:30");
	struct mistakes mistakes = {0};
	const struct lc_calendar_report report = {on_mistake, &mistakes};
	struct lc_calendar *none = NULL;
	struct lc_error err;
	cr_assert_eq(lc_calendar_open(false, dir, &report, &none, &err), LC_ERR_INVALID);
	cr_assert_null(none);
	cr_assert_str_eq(mistakes.text,
		"cn.csv:1: \"2026-02-30\" is no day: YYYY-MM-DD\n"
		"cn.csv:2: \"2026-13-01\" is no day: YYYY-MM-DD\n"
		"cn.csv:3: early,DAY,TIME\n"
		"cn.csv:4: \"24:00\" is no time: HH:MM\n"
		"cn.csv:5: \"shut\": only source, covers, close, early and add are known\n"
		"cn.csv:7: close,DAY\n"
		"cn.csv:9: this day is given twice\n"
		"cn.csv:10: the last day is before the first\n"
		"cn.csv:11: \"2026-3-4\" is no day: YYYY-MM-DD\n"
		"us.csv:1: \"1:00\" is no time: HH:MM\n"
		"us.csv:2: 20:30 is not within a session: the market cannot close then\n");
	cr_assert_not_null(strstr(err.text, "cn.csv:1: \"2026-02-30\""), "%s", err.text);
	/* A file with mistakes is left to its keeper. */
	cr_assert_eq(lc_calendar_write(dir, LC_MARKET_CN, day_of("2026-03-04"), -1, "", &err),
		LC_ERR_INVALID);
	cr_assert_eq(lc_calendar_open(false, "/nonexistent", NULL, &none, &err), LC_ERR_NOT_FOUND);
	remove_all(dir);
}

Test(market, writing_an_overlay_keeps_the_rest)
{
	char dir[] = "/tmp/livecore-calendar-XXXXXX", text[500];
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(rmdir(dir), 0);
	struct lc_error err;
	cr_assert_eq(
		lc_calendar_write(dir, LC_MARKET_HK, day_of("2026-09-10"), -1, "typhoon", &err),
		LC_OK, "%s", err.text);
	cr_assert_eq(
		lc_calendar_write(dir, LC_MARKET_HK, day_of("2026-09-11"), 720, NULL, &err), LC_OK);
	read_back(dir, "hk.csv", text, sizeof text);
	cr_assert_str_eq(text, "close,2026-09-10,typhoon\nearly,2026-09-11,12:00\n");
	write_file(dir, "hk.csv", "# mine\nclose, 2026-09-10,typhoon\nclose,2026-09-12");
	cr_assert_eq(
		lc_calendar_write(dir, LC_MARKET_HK, day_of("2026-09-10"), -2, NULL, &err), LC_OK);
	read_back(dir, "hk.csv", text, sizeof text);
	cr_assert_str_eq(text, "# mine\nclose,2026-09-12\nadd,2026-09-10\n");
	/* Before the open, in the lunch break, behind the close: none of them ends a session. */
	static const int never[] = {9 * 60 + 10, 9 * 60 + 30, 12 * 60 + 30, 16 * 60 + 1};
	for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
		cr_assert_eq(lc_calendar_write(
				     dir, LC_MARKET_HK, day_of("2026-09-11"), never[i], NULL, &err),
			LC_ERR_INVALID, "%d", never[i]);
	}
	struct lc_calendar *overlaid;
	cr_assert_eq(lc_calendar_open(false, dir, NULL, &overlaid, &err), LC_OK, "%s", err.text);
	cr_assert(lc_calendar_trades_on(overlaid, LC_MARKET_HK, day_of("2026-09-10"), NULL));
	lc_calendar_destroy(overlaid);
	remove_all(dir);
}

Test(market, a_reload_changes_the_days_and_nothing_on_a_mistake)
{
	char dir[] = "/tmp/livecore-calendar-XXXXXX";
	cr_assert_not_null(mkdtemp(dir));
	struct lc_error err;
	int64_t noon = at(LC_MARKET_US, "2026-03-04T12:00:00");
	const struct lc_zone *zone = lc_calendar_zone(calendar, LC_MARKET_US);
	cr_assert_eq(lc_session_at(calendar, LC_MARKET_US, noon), LC_SESSION_OPEN);
	write_file(dir, "us.csv", "close,2026-03-04\n");
	cr_assert_eq(lc_calendar_reload(calendar, dir, NULL, &err), LC_OK, "%s", err.text);
	cr_assert_eq(lc_session_at(calendar, LC_MARKET_US, noon), LC_SESSION_CLOSED);
	cr_assert_eq(lc_calendar_zone(calendar, LC_MARKET_US), zone);
	write_file(dir, "us.csv", "opened,2026-03-04\n");
	cr_assert_eq(lc_calendar_reload(calendar, dir, NULL, &err), LC_ERR_INVALID);
	cr_assert_eq(lc_session_at(calendar, LC_MARKET_US, noon), LC_SESSION_CLOSED);
	cr_assert_eq(lc_calendar_reload(calendar, "", NULL, &err), LC_OK);
	cr_assert_eq(lc_session_at(calendar, LC_MARKET_US, noon), LC_SESSION_OPEN);
	remove_all(dir);
}
