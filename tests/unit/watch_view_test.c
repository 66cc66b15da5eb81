#include "app/printable.h"
#include "app/watch_view.h"
#include "livecore/clock.h"
#include "livecore/tick.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define AT_NS INT64_C(1767922200123456789) /* 2026-01-09T01:30:00.123456789Z */

static struct lc_text text(const char *s)
{
	return (struct lc_text){s, strlen(s)};
}

/* What is printed for these prices. */
static void render(struct lc_watch_view *view, const struct lc_price_view *price, int times,
	int64_t now_ns, char *out, size_t size)
{
	char *data = NULL;
	size_t len = 0;
	view->out = open_memstream(&data, &len);
	for (int i = 0; i < times; i++) {
		lc_watch_view_print(view, price, now_ns);
	}
	fclose(view->out);
	snprintf(out, size, "%s", data);
	free(data);
}

static struct lc_price_view sample(void)
{
	return (struct lc_price_view){
		.symbol = text("600000.SH"),
		.kind = text("snapshot"),
		.source = text("eastmoney"),
		.has = LC_HAS_PRICE | LC_HAS_PREV_CLOSE | LC_HAS_BID | LC_HAS_VOLUME |
		       LC_HAS_EVENT_TIME,
		.price = {1050, -2},
		.prev_close = {10, 0},
		.bid = {1049, -2},
		.volume = {12345600, 0},
		.event_ns = AT_NS,
		.received_ns = AT_NS + 5 * LC_NS_PER_MS,
		.seq = 7,
		.conflated = 2,
	};
}

Test(watch_view, key_value_where_there_is_no_terminal)
{
	struct lc_watch_view view = {0};
	struct lc_price_view price = sample();
	char out[1024];
	render(&view, &price, 1, price.received_ns + 12345678, out, sizeof out);
	cr_assert_str_eq(out, "time=01:30:00.123Z symbol=600000.SH kind=snapshot price=10.5 "
			      "change=+5.00% bid=10.49 ask=- volume=12345600 "
			      "source=eastmoney latency_ms=12.3 seq=7 conflated=2\n");
}

Test(watch_view, columns_line_up_under_their_heading)
{
	struct lc_watch_view view = {.columns = true};
	struct lc_price_view price = sample();
	static char out[64 * 1024];
	render(&view, &price, 41, price.received_ns, out, sizeof out);
	int lines = 0, headings = 0;
	size_t width = strcspn(out, "\n");
	for (char *line = strtok(out, "\n"); line; line = strtok(NULL, "\n")) {
		lines++;
		headings += strncmp(line, "time ", 5) == 0;
		cr_assert_eq(strlen(line), width);
	}
	cr_assert_eq(lines, 43);
	cr_assert_eq(headings, 2, "again after 40 lines");
}

Test(watch_view, what_is_not_known_is_a_dash)
{
	struct lc_watch_view view = {0};
	struct lc_price_view price = {
		.symbol = text("AAPL"), .kind = text("quote"), .source = text("alpaca")};
	char out[1024];
	render(&view, &price, 1, AT_NS, out, sizeof out);
	cr_assert(strstr(out, "price=- change=- bid=- ask=- volume=- source=alpaca latency_ms=- "),
		"%s", out);
	/* A clock that is behind, and a message of yesterday, say nothing of the latency. */
	price = sample();
	render(&view, &price, 1, price.received_ns - 1, out, sizeof out);
	cr_assert(strstr(out, "latency_ms=- "), "%s", out);
	render(&view, &price, 1, price.received_ns + 25 * 3600 * LC_NS_PER_S, out, sizeof out);
	cr_assert(strstr(out, "latency_ms=- "), "%s", out);
	price.prev_close = (struct lc_decimal){0, 0};
	render(&view, &price, 1, AT_NS, out, sizeof out);
	cr_assert(strstr(out, "change=- "), "%s", out);
}

Test(watch_view, times_are_shown_in_the_zone_that_is_set)
{
	struct lc_zone *zone;
	struct lc_price_view price = sample();
	char out[1024];
	cr_assert_eq(lc_zone_load("Asia/Shanghai", &zone, NULL), LC_OK);
	struct lc_watch_view view = {.zone = zone};
	render(&view, &price, 1, AT_NS, out, sizeof out);
	cr_assert(strstr(out, "time=09:30:00.123 "), "%s", out);
	lc_zone_destroy(zone);
}

Test(watch_view, names_from_the_network_cannot_steer_the_terminal)
{
	struct lc_watch_view view = {0};
	struct lc_price_view price = sample();
	char out[1024], small[4];
	price.source = text("\033[2Jevil\nline=forged");
	price.symbol = text("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
	render(&view, &price, 1, AT_NS, out, sizeof out);
	cr_assert_null(strchr(out, '\033'));
	cr_assert_eq(strcspn(out, "\n"), strlen(out) - 1, "one line");
	lc_printable_copy(text("a\tb\x7f\x01"), out, sizeof out);
	cr_assert_str_eq(out, "a?b??");
	lc_printable_copy(text("abcdef"), small, sizeof small);
	cr_assert_str_eq(small, "abc");
	lc_printable_copy((struct lc_text){NULL, 0}, small, sizeof small);
	cr_assert_str_empty(small);
}
