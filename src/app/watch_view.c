#include "app/watch_view.h"

#include "app/printable.h"
#include "livecore/clock.h"

#include <string.h>

#define HEADING_EVERY 40
/* Beyond it the message is old, not slow. */
#define LATENCY_MAX_NS (INT64_C(24) * 3600 * LC_NS_PER_S)

/* A number for the eye, or "-". */
static void number(const struct lc_price_view *price, unsigned has, struct lc_decimal value,
	char out[LC_DECIMAL_TEXT_MAX])
{
	if (price->has & has) {
		out[lc_decimal_format(value, out)] = '\0';
	} else {
		strcpy(out, "-");
	}
}

struct line {
	char time[32], symbol[24], kind[16], source[20], price[LC_DECIMAL_TEXT_MAX], change[24],
		bid[LC_DECIMAL_TEXT_MAX], ask[LC_DECIMAL_TEXT_MAX], volume[LC_DECIMAL_TEXT_MAX],
		latency[24];
};

static void fill_time(
	const struct lc_watch_view *view, const struct lc_price_view *price, char *out, size_t size)
{
	int64_t ns = price->has & LC_HAS_EVENT_TIME ? price->event_ns : price->received_ns;
	struct lc_civil civil = lc_civil_from_ns(view->zone, ns);
	snprintf(out, size, "%02u:%02u:%02u.%03d%s", civil.hour, civil.minute, civil.second,
		civil.nanosecond / 1000000, view->zone ? "" : "Z");
}

static void fill_change(const struct lc_price_view *price, char *out, size_t size)
{
	double before = price->has & LC_HAS_PREV_CLOSE ? lc_decimal_to_double(price->prev_close)
						       : 0;
	if (before > 0 && (price->has & LC_HAS_PRICE)) {
		double percent = (lc_decimal_to_double(price->price) / before - 1) * 100;
		/* no -0.00% */
		snprintf(out, size, "%+.2f%%", percent > -0.005 && percent < 0 ? 0 : percent);
	} else {
		snprintf(out, size, "-");
	}
}

static void fill_latency(const struct lc_price_view *price, int64_t now_ns, char *out, size_t size)
{
	int64_t ns = now_ns - price->received_ns;
	if (price->received_ns > 0 && ns >= 0 && ns < LATENCY_MAX_NS) {
		snprintf(out, size, "%.1f", (double)ns / 1e6);
	} else {
		snprintf(out, size, "-");
	}
}

static void fill(const struct lc_watch_view *view, const struct lc_price_view *price,
	int64_t now_ns, struct line *line)
{
	fill_time(view, price, line->time, sizeof line->time);
	lc_printable_copy(price->symbol, line->symbol, sizeof line->symbol);
	lc_printable_copy(price->kind, line->kind, sizeof line->kind);
	lc_printable_copy(price->source, line->source, sizeof line->source);
	number(price, LC_HAS_PRICE, price->price, line->price);
	number(price, LC_HAS_BID, price->bid, line->bid);
	number(price, LC_HAS_ASK, price->ask, line->ask);
	number(price, LC_HAS_VOLUME, price->volume, line->volume);
	fill_change(price, line->change, sizeof line->change);
	fill_latency(price, now_ns, line->latency, sizeof line->latency);
}

static void print_heading(FILE *out)
{
	fprintf(out, "%-13s %-10s %-8s %12s %9s %12s %12s %14s %-12s %9s\n", "time", "symbol",
		"kind", "price", "change", "bid", "ask", "volume", "source", "ms");
}

void lc_watch_view_print(
	struct lc_watch_view *view, const struct lc_price_view *price, int64_t now_ns)
{
	struct line line;
	fill(view, price, now_ns, &line);
	if (!view->columns) {
		fprintf(view->out,
			"time=%s symbol=%s kind=%s price=%s change=%s bid=%s ask=%s volume=%s "
			"source=%s latency_ms=%s seq=%llu conflated=%llu\n",
			line.time, line.symbol, line.kind, line.price, line.change, line.bid,
			line.ask, line.volume, line.source, line.latency,
			(unsigned long long)price->seq, (unsigned long long)price->conflated);
		return;
	}
	if (view->rows++ % HEADING_EVERY == 0) {
		print_heading(view->out);
	}
	fprintf(view->out, "%-13s %-10s %-8s %12s %9s %12s %12s %14s %-12s %9s\n", line.time,
		line.symbol, line.kind, line.price, line.change, line.bid, line.ask, line.volume,
		line.source, line.latency);
}
