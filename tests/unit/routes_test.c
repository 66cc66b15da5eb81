#include "manager/routes.h"

#include "livecore/feeder.h"

#include <criterion/criterion.h>
#include <string.h>

static void set_routes(struct lc_routing_config *routing, char **items, size_t count)
{
	*routing = (struct lc_routing_config){.routes = {.items = items, .count = count}};
}

/* The names of a symbol's sources, with commas between. */
static void expect(
	const struct lc_routing_config *routing, const char *symbol, bool fushu, const char *want)
{
	uint8_t sources[LC_ROUTE_SOURCES];
	char got[200] = "";
	size_t count = lc_route_sources(routing, symbol, fushu, sources);
	for (size_t i = 0; i < count; i++) {
		strcat(got, i > 0 ? "," : "");
		strcat(got, lc_feeders[sources[i]]->name);
	}
	cr_expect_str_eq(got, want, "%s: %s instead of %s", symbol, got, want);
}

Test(routes, several_sources_in_their_order)
{
	char *items[] = {(char[]){"6*.SH=tencent, eastmoney"}, (char[]){"000001.SZ=none"},
		(char[]){"*.HK=fushu"}, (char[]){"*.SZ=eastmoney"}};
	struct lc_routing_config routing;
	set_routes(&routing, items, sizeof items / sizeof *items);
	expect(&routing, "600000.SH", false, "tencent,eastmoney");
	expect(&routing, "000001.SZ", false, "");
	expect(&routing, "000002.SZ", false, "eastmoney");
	/* It was written down: it says what is missing. */
	expect(&routing, "00700.HK", false, "fushu");
	expect(&routing, "AAPL", true, "");
}

Test(routes, defaults_have_a_second_origin_in_china)
{
	struct lc_routing_config routing = {0};
	expect(&routing, "600000.SH", false, "eastmoney,tencent");
	expect(&routing, "920047.BJ", true, "eastmoney,tencent");
	expect(&routing, "00700.HK", true, "fushu,eastmoney,tencent");
	expect(&routing, "00700.HK", false, "eastmoney,tencent");
	expect(&routing, "AAPL", false, "alpaca");
	uint8_t sources[LC_ROUTE_SOURCES];
	size_t count = 0, routes = 0;
	while (lc_route_at(&routing, routes, false, sources, &count)) {
		cr_assert_gt(count, 0);
		routes++;
	}
	cr_assert_eq(routes, 5);
}

Test(routes, mistakes_are_told)
{
	static const char *const bad[][2] = {
		{"*.SH", "is no route"},
		{"=eastmoney", "is no route"},
		{"*.SH=", "there is no feeder"},
		{"*.SH=eastmoney,", "there is no feeder"},
		{"*.SH=eastmoney,,tencent", "there is no feeder"},
		{"*.SH=eastmoney,reuters", "\"reuters\""},
		{"*.SH=eastmoney,none", "\"none\""},
		{"*.SH=eastmoney,tencent,eastmoney", "names eastmoney twice"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct lc_error err = {0};
		cr_assert_eq(lc_route_check(bad[i][0], &err), LC_ERR_INVALID, "%s", bad[i][0]);
		cr_expect(strstr(err.text, bad[i][1]), "%s: %s", bad[i][0], err.text);
	}
	struct lc_error err;
	cr_expect_eq(lc_route_check("*.SH=none", &err), LC_OK);
	cr_expect_eq(lc_route_check("*=eastmoney,tencent,fushu,alpaca", &err), LC_OK);
	cr_expect_eq(lc_route_check_feeder("tencent", &err), LC_OK);
	cr_expect_eq(lc_route_check_feeder("eastmoney,tencent", &err), LC_ERR_INVALID);
}

Test(routes, check_says_origins)
{
	char *items[] = {(char[]){"*.SH=eastmoney,tencent"}, (char[]){"*.SZ=none"}},
	     *feeders[] = {(char[]){"eastmoney"}};
	struct lc_routing_config routing;
	struct lc_buf out;
	set_routes(&routing, items, 2);
	routing.feeders = (struct lc_strings){.items = feeders, .count = 1};
	lc_buf_init(&out, 4096);
	lc_route_explain(&routing, false, &out);
	cr_expect_str_eq(lc_buf_text(&out),
		"route *.SH: eastmoney (origin eastmoney), then tencent (origin tencent, not among "
		"routing.feeders)\nroute *.SZ: nobody\n");
	lc_buf_finish(&out);
}

/* "a" alpaca, "e" eastmoney, "f" fushu, "t" tencent: those that stand by. */
static void expect_standby(
	const struct lc_routing_config *routing, bool fushu_ready, const char *expected)
{
	char found[LC_ROUTE_SOURCES + 1] = "";
	for (size_t i = 0, n = 0; lc_feeders[i]; i++) {
		if (lc_route_stands_by(routing, i, fushu_ready)) {
			found[n++] = lc_feeders[i]->name[0];
		}
	}
	cr_expect_str_eq(found, expected);
}

Test(routes, what_is_never_first_stands_by)
{
	char *all[] = {(char[]){"alpaca"}, (char[]){"eastmoney"}, (char[]){"fushu"},
		(char[]){"tencent"}},
	     *back[] = {(char[]){"tencent"}},
	     *given[] = {(char[]){"*.SH=eastmoney,tencent"}, (char[]){"*=fushu,alpaca"}};
	struct lc_routing_config routing = {.feeders = {.items = all, .count = 4}};
	struct lc_buf out;
	expect_standby(&routing, false, "t");
	expect_standby(&routing, true, "t");
	set_routes(&routing, given, 2);
	routing.feeders = (struct lc_strings){.items = all, .count = 4};
	expect_standby(&routing, true, "at");
	routing.routes.count = 1; /* the others are in no route: they connect as they always did */
	expect_standby(&routing, true, "t");
	lc_buf_init(&out, 4096);
	lc_route_explain(&routing, true, &out);
	cr_expect_str_eq(lc_buf_text(&out),
		"route *.SH: eastmoney (origin eastmoney), then tencent (origin tencent)\ntencent "
		"stands by: nothing is asked of it until the sources before it fail\n");
	lc_buf_finish(&out);
	routing.feeders = (struct lc_strings){.items = back, .count = 1};
	expect_standby(&routing, true, ""); /* what is before it does not run */
	routing.feeders.count = 0;
	expect_standby(&routing, true, "");
}
