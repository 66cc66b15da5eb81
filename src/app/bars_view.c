#include "app/bars_view.h"

#include <stdio.h>
#include <string.h>

#define CELL_MAX 64
#define COLUMNS 8
#define LABEL 11 /* the price axis, with a space */
#define LINES_MAX 40

/* --- times and numbers --- */

static void time_text(
	const struct lc_bars_view *view, const struct lc_bar *bar, char *out, size_t size)
{
	struct lc_civil at = lc_civil_from_ns(view->zone, bar->start_ns);
	int len = snprintf(out, size, "%04d-%02d-%02d", at.year, at.month, at.day);
	if (bar->period != LC_PERIOD_1D) {
		snprintf(out + len, size - (size_t)len, " %02d:%02d", at.hour, at.minute);
	}
}

static void number_text(struct lc_decimal value, char *out)
{
	out[lc_decimal_format(value, out)] = '\0';
}

enum lc_err lc_bars_view_date(const char *text, const struct lc_zone *zone, int64_t *ns)
{
	int year, month, day, end = 0;
	if (strlen(text) != 10 || sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &end) != 3 ||
		end != 10 || month < 1 || month > 12 || day < 1 || day > 31) {
		return LC_ERR_INVALID;
	}
	struct lc_civil back;
	lc_civil_from_days(lc_days_from_civil(year, (unsigned)month, (unsigned)day), &back);
	if (back.day != day) {
		return LC_ERR_INVALID; /* the 31st of a month with 30 */
	}
	const struct lc_civil civil = {.year = year, .month = (uint8_t)month, .day = (uint8_t)day};
	return lc_civil_to_ns(zone, &civil, ns, NULL);
}

/* --- table --- */

static void make_cells(
	const struct lc_bars_view *view, const struct lc_bar *bar, char cells[COLUMNS][CELL_MAX])
{
	time_text(view, bar, cells[0], CELL_MAX);
	number_text(bar->open, cells[1]);
	number_text(bar->high, cells[2]);
	number_text(bar->low, cells[3]);
	number_text(bar->close, cells[4]);
	if (bar->has & LC_BAR_HAS_CHANGE) {
		number_text(bar->change_pct, cells[5]);
	} else {
		strcpy(cells[5], "-");
	}
	number_text(bar->volume, cells[6]);
	if (bar->has & LC_BAR_HAS_AMOUNT) {
		number_text(bar->amount, cells[7]);
	} else {
		strcpy(cells[7], "-");
	}
}

static void put_table(const struct lc_bars_view *view, struct lc_buf *out)
{
	static const char *const names[COLUMNS] = {
		"time", "open", "high", "low", "close", "change%", "volume", "amount"};
	char cells[COLUMNS][CELL_MAX];
	int widths[COLUMNS];
	for (int i = 0; i < COLUMNS; i++) {
		widths[i] = (int)strlen(names[i]);
	}
	for (size_t row = 0; row < view->rows->count; row++) {
		make_cells(view, &view->rows->items[row].bar, cells);
		for (int i = 0; i < COLUMNS; i++) {
			int len = (int)strlen(cells[i]);
			widths[i] = len > widths[i] ? len : widths[i];
		}
	}
	for (int i = 0; i < COLUMNS; i++) {
		lc_buf_printf(out, i ? "  %*s" : "%-*s", widths[i], names[i]);
	}
	lc_buf_putc(out, '\n');
	for (size_t row = 0; row < view->rows->count; row++) {
		const struct lc_bar *bar = &view->rows->items[row].bar;
		make_cells(view, bar, cells);
		for (int i = 0; i < COLUMNS; i++) {
			lc_buf_printf(out, i ? "  %*s" : "%-*s", widths[i], cells[i]);
		}
		lc_buf_puts(out, bar->final ? "" : "  open");
		lc_buf_puts(out, bar->complete ? "\n" : "  incomplete\n");
	}
}

/* --- CSV and JSON --- */

static void put_time(struct lc_buf *out, const struct lc_bars_view *view, int64_t ns)
{
	char text[LC_TIME_TEXT_MAX];
	lc_buf_append(out, text, lc_time_format(ns, LC_TIME_OFFSET, view->zone, text));
}

static void put_csv(const struct lc_bars_view *view, struct lc_buf *out)
{
	lc_buf_puts(out,
		"symbol,period,start,end,open,high,low,close,volume,amount,turnover,change,"
		"change_pct,gap_volume,tick_count,revision,final,complete\n");
	for (size_t i = 0; i < view->rows->count; i++) {
		const struct lc_bar_row *row = &view->rows->items[i];
		const struct lc_bar *bar = &row->bar;
		const struct {
			struct lc_decimal value;
			bool known;
		} numbers[] = {{bar->open, true}, {bar->high, true}, {bar->low, true},
			{bar->close, true}, {bar->volume, true},
			{bar->amount, bar->has & LC_BAR_HAS_AMOUNT},
			{bar->turnover, bar->has & LC_BAR_HAS_TURNOVER},
			{bar->change, bar->has & LC_BAR_HAS_CHANGE},
			{bar->change_pct, bar->has & LC_BAR_HAS_CHANGE}, {bar->gap_volume, true}};
		lc_buf_printf(out, "%s,%s,", row->symbol, lc_period_name(bar->period));
		put_time(out, view, bar->start_ns);
		lc_buf_putc(out, ',');
		put_time(out, view, bar->end_ns);
		for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) {
			lc_buf_putc(out, ',');
			if (numbers[n].known) {
				lc_buf_decimal(out, numbers[n].value);
			}
		}
		lc_buf_printf(out, ",%u,%u,%s,%s\n", bar->tick_count, bar->revision,
			bar->final ? "true" : "false", bar->complete ? "true" : "false");
	}
}

static void put_json_number(
	struct lc_buf *out, const char *key, struct lc_decimal value, bool known)
{
	lc_buf_printf(out, ",\"%s\":", key);
	if (known) {
		lc_buf_decimal(out, value);
	} else {
		lc_buf_puts(out, "null");
	}
}

static void put_json(const struct lc_bars_view *view, struct lc_buf *out)
{
	lc_buf_putc(out, '[');
	for (size_t i = 0; i < view->rows->count; i++) {
		const struct lc_bar_row *row = &view->rows->items[i];
		const struct lc_bar *bar = &row->bar;
		lc_buf_puts(out, i ? ",\n{\"symbol\":" : "\n{\"symbol\":");
		lc_buf_json_string(out, row->symbol, strlen(row->symbol));
		lc_buf_printf(out, ",\"period\":\"%s\",\"start\":\"", lc_period_name(bar->period));
		put_time(out, view, bar->start_ns);
		lc_buf_puts(out, "\",\"end\":\"");
		put_time(out, view, bar->end_ns);
		lc_buf_putc(out, '"');
		put_json_number(out, "open", bar->open, true);
		put_json_number(out, "high", bar->high, true);
		put_json_number(out, "low", bar->low, true);
		put_json_number(out, "close", bar->close, true);
		put_json_number(out, "volume", bar->volume, true);
		put_json_number(out, "amount", bar->amount, bar->has & LC_BAR_HAS_AMOUNT);
		put_json_number(out, "turnover", bar->turnover, bar->has & LC_BAR_HAS_TURNOVER);
		put_json_number(out, "change", bar->change, bar->has & LC_BAR_HAS_CHANGE);
		put_json_number(out, "change_pct", bar->change_pct, bar->has & LC_BAR_HAS_CHANGE);
		put_json_number(out, "gap_volume", bar->gap_volume, true);
		lc_buf_printf(out,
			",\"tick_count\":%u,\"revision\":%u,\"final\":%s,\"complete\":%s}",
			bar->tick_count, bar->revision, bar->final ? "true" : "false",
			bar->complete ? "true" : "false");
	}
	lc_buf_puts(out, view->rows->count ? "\n]\n" : "]\n");
}

/* --- chart --- */

struct chart {
	const struct lc_bar_row *rows; /* those that are shown */
	int count, step, lines;
	double low, high;
};

static int line_of(const struct chart *chart, struct lc_decimal price)
{
	double share = (chart->high - lc_decimal_to_double(price)) / (chart->high - chart->low);
	int line = (int)(share * chart->lines);
	return line < 0 ? 0 : line >= chart->lines ? chart->lines - 1 : line;
}

static void lay_out(const struct lc_bars_view *view, struct chart *chart)
{
	int room = (view->columns < 24 ? 24 : view->columns) - LABEL;
	int all = view->rows->count > 10000 ? 10000 : (int)view->rows->count;
	chart->step = all * 2 <= room ? 2 : 1;
	chart->count = all < room / chart->step ? all : room / chart->step;
	chart->rows = view->rows->items + view->rows->count - chart->count;
	chart->lines = (view->lines < 8 ? 8 : view->lines) - 3;
	chart->lines = chart->lines > LINES_MAX ? LINES_MAX : chart->lines;
	chart->low = lc_decimal_to_double(chart->rows[0].bar.low);
	chart->high = lc_decimal_to_double(chart->rows[0].bar.high);
	for (int i = 1; i < chart->count; i++) {
		double low = lc_decimal_to_double(chart->rows[i].bar.low);
		double high = lc_decimal_to_double(chart->rows[i].bar.high);
		chart->low = low < chart->low ? low : chart->low;
		chart->high = high > chart->high ? high : chart->high;
	}
	if (chart->high <= chart->low) {
		chart->high = chart->low + 1e-9; /* a flat line */
	}
}

/* What a candle shows in a line. Without colour a falling one is filled and a rising one is not. */
static const char *glyph(const struct chart *chart, const struct lc_bar *bar, int line, bool colour)
{
	int open = line_of(chart, bar->open), close = line_of(chart, bar->close);
	bool up = lc_decimal_compare(bar->close, bar->open) >= 0;
	int top = up ? close : open, bottom = up ? open : close;
	if (line >= top && line <= bottom) {
		bool flat = lc_decimal_compare(bar->close, bar->open) == 0;
		return flat ? "┼" : up && !colour ? "░" : "█";
	}
	return line >= line_of(chart, bar->high) && line <= line_of(chart, bar->low) ? "│" : " ";
}

static void put_line(
	const struct lc_bars_view *view, const struct chart *chart, int line, struct lc_buf *out)
{
	if (line % 4 == 0 || line == chart->lines - 1) {
		double share = chart->lines > 1 ? (double)line / (chart->lines - 1) : 0;
		lc_buf_printf(out, "%10.3f ", chart->high - (chart->high - chart->low) * share);
	} else {
		lc_buf_printf(out, "%*s", LABEL, "");
	}
	int gap = 0; /* spaces are written when something follows */
	for (int i = 0; i < chart->count; i++) {
		const struct lc_bar *bar = &chart->rows[i].bar;
		const char *text = glyph(chart, bar, line, view->colour);
		if (*text == ' ') {
			gap += chart->step;
			continue;
		}
		lc_buf_printf(out, "%*s", gap, "");
		if (view->colour) {
			bool up = lc_decimal_compare(bar->close, bar->open) >= 0;
			lc_buf_printf(out, "\033[%dm%s\033[0m", up ? 32 : 31, text);
		} else {
			lc_buf_puts(out, text);
		}
		gap = chart->step - 1;
	}
	lc_buf_putc(out, '\n');
}

static void put_chart(const struct lc_bars_view *view, struct lc_buf *out)
{
	struct chart chart;
	char first[CELL_MAX], last[CELL_MAX];
	if (view->rows->count == 0) {
		return;
	}
	lay_out(view, &chart);
	const struct lc_bar_row *end = &chart.rows[chart.count - 1];
	lc_buf_printf(out, "%s %s, close ", end->symbol, lc_period_name(end->bar.period));
	lc_buf_decimal(out, end->bar.close);
	lc_buf_putc(out, '\n');
	for (int line = 0; line < chart.lines; line++) {
		put_line(view, &chart, line, out);
	}
	time_text(view, &chart.rows[0].bar, first, sizeof first);
	time_text(view, &end->bar, last, sizeof last);
	int room = chart.count * chart.step - (int)strlen(first) - (int)strlen(last);
	lc_buf_printf(out, "%*s%s%*s%s\n", LABEL, "", first, room > 1 ? room : 1, "",
		chart.count > 1 ? last : "");
}

void lc_bars_view_put(const struct lc_bars_view *view, enum lc_bars_form form, struct lc_buf *out)
{
	switch (form) {
	case LC_BARS_TABLE:
		put_table(view, out);
		break;
	case LC_BARS_CSV:
		put_csv(view, out);
		break;
	case LC_BARS_JSON:
		put_json(view, out);
		break;
	case LC_BARS_CHART:
		put_chart(view, out);
		break;
	}
}
