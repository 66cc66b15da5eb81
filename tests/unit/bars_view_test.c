#include "app/bars_view.h"

#include "bar_fixture.h"

struct shown {
	struct lc_bar_row items[200];
	struct lc_bar_rows rows;
	struct lc_zone *zone;
	struct lc_bars_view view;
	struct lc_buf out;
};

static const char *show(struct shown *s, enum lc_bars_form form, size_t count)
{
	struct lc_error err;
	if (!s->zone) {
		cr_assert_eq(lc_zone_load("Asia/Shanghai", &s->zone, &err), LC_OK, "%s", err.text);
		lc_buf_init(&s->out, 1 << 20);
	}
	s->rows = (struct lc_bar_rows){s->items, count};
	s->view.rows = &s->rows;
	s->view.zone = s->zone;
	lc_buf_clear(&s->out);
	lc_bars_view_put(&s->view, form, &s->out);
	return lc_buf_text(&s->out);
}

static void shown_close(struct shown *s)
{
	lc_zone_destroy(s->zone);
	lc_buf_finish(&s->out);
}

static void fill(struct shown *s, size_t count)
{
	*s = (struct shown){.view = {.columns = 60, .lines = 20}};
	for (size_t i = 0; i < count; i++) {
		struct lc_bar bar = day_bar((int)i);
		bar.start_ns -= 8 * 3600 * LC_NS_PER_S; /* midnight in Shanghai */
		bar.high = lc_decimal_add(bar.close, dec("1"));
		s->items[i] = (struct lc_bar_row){.symbol = "600000.SH", .bar = bar};
	}
}

Test(bars_view, a_table_with_what_is_odd_named)
{
	struct shown s;
	fill(&s, 3);
	s.items[1].bar.complete = false;
	s.items[2].bar.final = false;
	s.items[2].bar.has = 0;
	const char *text = show(&s, LC_BARS_TABLE, 3);
	cr_assert_str_eq(text,
		"time        open   high   low  close  change%  volume      amount\n"
		"2026-01-05  10.1     11  9.99     10  -0.9901  123400  1246340.25\n"
		"2026-01-06  10.1  11.01  9.99  10.01  -0.9901  123401  1246340.25  incomplete\n"
		"2026-01-07  10.1  11.02  9.99  10.02        -  123402           -  open\n",
		"%s", text);
	s.items[0].bar.period = LC_PERIOD_1M;
	s.items[0].bar.start_ns += 571 * 60 * LC_NS_PER_S;
	cr_assert(strstr(show(&s, LC_BARS_TABLE, 1), "2026-01-05 09:31 "), "%s",
		show(&s, LC_BARS_TABLE, 1));
	shown_close(&s);
}

Test(bars_view, csv_and_json_are_exact)
{
	struct shown s;
	fill(&s, 2);
	s.items[0].bar.volume = dec("99999999999999999");
	s.items[1].bar.has = 0;
	cr_assert(strstr(show(&s, LC_BARS_CSV, 2),
			  "\n600000.SH,1d,2026-01-05T00:00:00.000000+08:00,2026-01-05T23:00:00."
			  "000000+08:00,10.1,11,9.99,10,"
			  "99999999999999999,1246340.25,,-0.1,-0.9901,0,1,0,true,true\n"),
		"%s", show(&s, LC_BARS_CSV, 2));
	const char *json = show(&s, LC_BARS_JSON, 2);
	cr_assert(strstr(json,
			  "\"volume\":99999999999999999,\"amount\":1246340.25,\"turnover\":null"),
		"%s", json);
	cr_assert(strstr(json, "\"amount\":null"));
	cr_assert_str_eq(show(&s, LC_BARS_JSON, 0), "[]\n");
	shown_close(&s);
}

/* Columns that a line takes: code points, without colours. */
static int width_of(const char *line)
{
	int width = 0;
	for (; *line && *line != '\n'; line++) {
		if (*line == '\033') {
			line = strchr(line, 'm');
		} else {
			width += (*line & 0xc0) != 0x80;
		}
	}
	return width;
}

Test(bars_view, a_chart_fits_whatever_the_terminal)
{
	for (int columns = 1; columns < 250; columns += 7) {
		for (size_t count = 1; count < 200; count += 33) {
			struct shown s;
			fill(&s, count);
			s.view.columns = columns;
			s.view.lines = columns / 3;
			s.view.colour = columns % 2;
			const char *text = show(&s, LC_BARS_CHART, count);
			int lines = 0;
			for (const char *line = text; line && *line;
				line = strchr(line, '\n') + 1) {
				bool axis = strstr(line, "2026-") &&
					    !strchr(strchr(line, '\n') + 1, '\n');
				cr_assert(axis || width_of(line) <= (columns < 32 ? 32 : columns),
					"%d: %s", columns, text);
				lines++;
			}
			cr_assert_leq(lines, s.view.lines < 8 ? 8 : s.view.lines);
			cr_assert(strstr(text, "█") || strstr(text, "░") || strstr(text, "┼"));
			shown_close(&s);
		}
	}
}

Test(bars_view, a_flat_line_and_nothing_at_all)
{
	struct shown s;
	fill(&s, 1);
	s.items[0].bar.open = s.items[0].bar.high = s.items[0].bar.low = s.items[0].bar.close = dec(
		"5");
	cr_assert(strstr(show(&s, LC_BARS_CHART, 1), "┼"));
	cr_assert_str_empty(show(&s, LC_BARS_CHART, 0));
	shown_close(&s);
}

Test(bars_view, dates)
{
	struct shown s;
	int64_t ns;
	fill(&s, 1);
	show(&s, LC_BARS_TABLE, 1);
	cr_assert_eq(lc_bars_view_date("2026-01-05", s.zone, &ns), LC_OK);
	cr_assert_eq(ns, MONDAY_NS - 8 * 3600 * LC_NS_PER_S);
	static const char *const wrong[] = {"", "2026-1-5", "2026-02-30", "2026-13-01",
		"2026-01-05x", "2026-01-0x", "20260105"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		cr_assert_eq(
			lc_bars_view_date(wrong[i], s.zone, &ns), LC_ERR_INVALID, "%s", wrong[i]);
	}
	shown_close(&s);
}
