#include "base/log_priv.h"
#include "livecore/clock.h"
#include "livecore/log.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WALL INT64_C(1767922200123456789) /* 2026-01-09T01:30:00.123456789Z */
#define END                          \
	{                            \
		.type = LC_FIELD_END \
	}

static int pipe_ends[2];
static struct lc_log *logger;
static char text[1 << 18];

static void open_log(void)
{
	cr_assert_eq(pipe2(pipe_ends, O_CLOEXEC), 0);
	cr_assert_eq(fcntl(pipe_ends[0], F_SETFL, O_NONBLOCK), 0);
	cr_assert_eq(lc_log_create(pipe_ends[1], false, LC_LOG_INFO, &logger), LC_OK);
}

static void close_log(void)
{
	lc_log_destroy(logger);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

TestSuite(log, .init = open_log, .fini = close_log);

/* All that was written since the last call. */
static const char *written(void)
{
	size_t len = 0;
	ssize_t n;
	while ((n = read(pipe_ends[0], text + len, sizeof text - 1 - len)) > 0) {
		len += (size_t)n;
	}
	text[len] = '\0';
	return text;
}

static void write_fields(const struct lc_field *fields)
{
	static int64_t mono;
	mono += 2 * LC_NS_PER_S;
	log_write_at(logger, WALL, mono, LC_LOG_INFO, "feeder", "connected", fields);
}

static void assert_line(const char *expected)
{
	const char *line = written();
	cr_assert_str_eq(line, expected, "%s, not %s", line, expected);
}

static const struct lc_field all_kinds[] = {LC_S("feeder", "alpaca"), LC_I("attempt", -1),
	LC_U("big", UINT64_MAX), LC_D("rate", 0.25), LC_B("ok", true), LC_J("symbols", "[\"A\",1]"),
	LC_S("none", NULL), END};

Test(log, text_form)
{
	write_fields((const struct lc_field[]){LC_S("feeder", "alpaca"), LC_I("attempt", 1), END});
	assert_line("2026-01-09T01:30:00.123456Z INFO feeder connected feeder=alpaca attempt=1\n");
	write_fields(all_kinds);
	assert_line(
		"2026-01-09T01:30:00.123456Z INFO feeder connected feeder=alpaca attempt=-1 "
		"big=18446744073709551615 rate=0.25 ok=true symbols=\"[\\\"A\\\",1]\" none=-\n");
	write_fields(NULL);
	assert_line("2026-01-09T01:30:00.123456Z INFO feeder connected\n");
}

Test(log, json_form)
{
	lc_log_set_json(logger, true);
	write_fields(all_kinds);
	assert_line(
		"{\"ts\":\"2026-01-09T01:30:00.123456Z\",\"level\":\"info\",\"module\":\"feeder\","
		"\"event\":\"connected\",\"feeder\":\"alpaca\",\"attempt\":-1,\"big\":"
		"18446744073709551615,"
		"\"rate\":0.25,\"ok\":true,\"symbols\":[\"A\",1],\"none\":null}\n");
	write_fields((const struct lc_field[]){
		LC_D("a", NAN), LC_D("b", INFINITY), LC_D("c", 1e300), LC_S("d", "x\ny"), END});
	cr_assert(strstr(written(),
		",\"a\":null,\"b\":null,\"c\":1.0000000000000001e+300,\"d\":\"x\\ny\"}\n"));
}

Test(log, values_cannot_forge_a_line)
{
	static const char *const pairs[][2] = {
		{"two words", "\"two words\""},
		{"a\n2026-01-09T01:30:00.123456Z ERROR forged",
			"\"a\\n2026-01-09T01:30:00.123456Z ERROR forged\""},
		{"a\rb\x1b[31m\x7f", "\"a\\u000db\\u001b[31m\\u007f\""},
		{"\xC2\x9b", "\"\\u009b\""},
		{"a\xE2\x80\xAEz", "\"a\xEF\xBF\xBDz\""}, /* it would be shown backwards */
		{"say \"hi\" \\", "\"say \\\"hi\\\" \\\\\""},
		{"", "\"\""},
		{"-", "\"-\""},
		{"k=v", "\"k=v\""},
		{"平安", "\"平安\""},
		{"\xff", "\"\xEF\xBF\xBD\""},
	};
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		write_fields((const struct lc_field[]){LC_S("v", pairs[i][0]), END});
		const char *line = written();
		const char *value = strstr(line, " v=");
		cr_assert(value);
		size_t len = strlen(pairs[i][1]);
		cr_assert_eq(strlen(value), 3 + len + 1, "%s", line);
		cr_assert_arr_eq(value + 3, pairs[i][1], len, "%s", line);
	}
}

static void write_at_ms(int64_t ms, enum lc_log_level level, const char *event)
{
	log_write_at(logger, WALL, ms * LC_NS_PER_MS, level, "bus", event, NULL);
}

static size_t count_lines(const char *lines)
{
	size_t n = 0;
	while ((lines = strchr(lines, '\n'))) {
		n++;
		lines++;
	}
	return n;
}

Test(log, repetitions_collapse)
{
	for (int i = 0; i < 25; i++) {
		write_at_ms(i, LC_LOG_WARN, "delivery_failed");
	}
	cr_assert_eq(count_lines(written()), LC_LOG_BURST);
	/* Another event and another level are other kinds. */
	write_at_ms(30, LC_LOG_WARN, "queue_full");
	write_at_ms(30, LC_LOG_ERROR, "delivery_failed");
	cr_assert_eq(count_lines(written()), 2);
	write_at_ms(999, LC_LOG_WARN, "delivery_failed");
	assert_line("");
	write_at_ms(1000, LC_LOG_WARN, "delivery_failed");
	assert_line("2026-01-09T01:30:00.123456Z WARN bus delivery_failed repeated=16\n");
	write_at_ms(1001, LC_LOG_WARN, "delivery_failed");
	assert_line("2026-01-09T01:30:00.123456Z WARN bus delivery_failed\n");
}

Test(log, more_kinds_than_the_table_holds)
{
	char event[32];
	size_t lines = 0;
	for (int i = 0; i < 2000; i++) {
		snprintf(event, sizeof event, "event_%d", i);
		write_at_ms(i, LC_LOG_INFO, event);
		if (i % 100 == 0) {
			lines += count_lines(written());
		}
	}
	cr_assert_eq(lines + count_lines(written()), 2000);
}

Test(log, a_full_pipe_does_not_hold_the_loop)
{
	/* The writing end blocks; nobody reads. */
	char value[3000];
	memset(value, 'x', sizeof value - 1);
	value[sizeof value - 1] = '\0';
	for (int i = 0; i < 200; i++) {
		write_fields((const struct lc_field[]){LC_S("v", value), END});
	}
	uint64_t dropped = log_dropped(logger);
	cr_assert_gt(dropped, 0);
	cr_assert_eq(dropped + count_lines(written()), 200);
	write_fields(NULL);
	const char *line = strstr(written(), "2026-");
	char expected[128];
	snprintf(expected, sizeof expected,
		"2026-01-09T01:30:00.123456Z INFO feeder connected dropped=%llu\n",
		(unsigned long long)dropped);
	cr_assert_str_eq(line, expected);
	write_fields(NULL);
	assert_line("2026-01-09T01:30:00.123456Z INFO feeder connected\n");
}

Test(log, a_line_too_long_keeps_its_event)
{
	size_t size = 100000;
	char *value = malloc(size);
	memset(value, 'x', size - 1);
	value[size - 1] = '\0';
	write_fields((const struct lc_field[]){LC_S("v", value), END});
	assert_line("2026-01-09T01:30:00.123456Z INFO feeder connected cut=true\n");
	free(value);
}

Test(log, levels_by_module)
{
	struct lc_error err;
	cr_assert_eq(lc_log_set_levels(logger, "warn,feeder=debug,kafka=off", &err), LC_OK);
	cr_assert(lc_log_enabled(logger, LC_LOG_DEBUG, "feeder"));
	cr_assert(!lc_log_enabled(logger, LC_LOG_TRACE, "feeder"));
	cr_assert(!lc_log_enabled(logger, LC_LOG_INFO, "bus"));
	cr_assert(lc_log_enabled(logger, LC_LOG_WARN, "bus"));
	cr_assert(!lc_log_enabled(logger, LC_LOG_ERROR, "kafka"));
	static const char *const wrong[] = {
		"", "loud", "info,", "feeder=", "=info", "feeder=loud", "INFO"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		cr_assert_eq(
			lc_log_set_levels(logger, wrong[i], &err), LC_ERR_INVALID, "%s", wrong[i]);
	}
	cr_assert_eq(lc_log_set_levels(logger, "info,feeder=loud", &err), LC_ERR_INVALID);
	cr_assert(strstr(err.text, "'feeder=loud'"), "%s", err.text);
	cr_assert(lc_log_enabled(logger, LC_LOG_DEBUG, "feeder"), "a wrong spec changes nothing");
	cr_assert_eq(lc_log_set_levels(logger, "info", &err), LC_OK);
	cr_assert(!lc_log_enabled(logger, LC_LOG_DEBUG, "feeder"),
		"the modules are those of the spec");
}

Test(log, the_macro_skips_what_is_not_enabled)
{
	lc_log(logger, LC_LOG_DEBUG, "feeder", "quiet");
	assert_line("");
	lc_log(logger, LC_LOG_ERROR, "feeder", "loud", LC_I("n", 1));
	const char *line = written();
	cr_assert_str_eq(line + strlen("2026-01-09T01:30:00.123456Z"), " ERROR feeder loud n=1\n");
}

/* What fails again and again is said once a minute, and at once when it is something else. */
Test(log, what_is_no_news)
{
	struct lc_log_said said = {0};
	int64_t second = LC_NS_PER_S;
	cr_assert(lc_log_is_news(&said, "refused", 5 * second));
	cr_assert_not(lc_log_is_news(&said, "refused", 6 * second));
	cr_assert_not(lc_log_is_news(&said, "refused", 64 * second));
	cr_assert(lc_log_is_news(&said, "refused", 65 * second));
	cr_assert(lc_log_is_news(&said, "timed out", 66 * second));
	cr_assert(lc_log_is_news(&said, "refused", 67 * second));
	said = (struct lc_log_said){0};
	cr_assert(lc_log_is_news(&said, "refused", 67 * second), "it was well meanwhile");
}
