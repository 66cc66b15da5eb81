/* Stored bars as text: a table, CSV, JSON or a chart of candles. Pure; any thread. */
#pragma once

#include "livecore/bar_store.h"
#include "livecore/buf.h"
#include "livecore/zone.h"

enum lc_bars_form { LC_BARS_TABLE, LC_BARS_CSV, LC_BARS_JSON, LC_BARS_CHART };

struct lc_bars_view {
	const struct lc_bar_rows *rows; /* borrowed; of one symbol and period, in time order */
	const struct lc_zone *zone;     /* borrowed; the market's: local times are shown */
	int columns, lines;             /* of the terminal, for the chart; at least 24 x 8 */
	bool colour;
};

/* Appends the whole text. */
void lc_bars_view_put(const struct lc_bars_view *view, enum lc_bars_form form, struct lc_buf *out);

/* "2026-01-05": local midnight. LC_ERR_INVALID. */
enum lc_err lc_bars_view_date(const char *text, const struct lc_zone *zone, int64_t *ns);
