/* livecore bars: stored bars of a symbol, as a table, CSV, JSON or candles. */
#include "app/bars_view.h"
#include "app/commands.h"
#include "app/store_tool.h"
#include "app/symbol_args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TEXT_MAX (256 << 20)

static const struct lc_usage usage = {"bars", "SYMBOL",
	"Prints the bars of a symbol that the bar store has, the newest 60 unless --limit says "
	"otherwise. Dates and times are the\n"
	"market's own; a bar is named by the time it begins."};

struct show {
	struct lc_store_tool tool;
	const char *period, *from, *to, *limit;
	bool csv, json, chart;
	struct lc_zone *zone;
	struct lc_bar_query query;
};

static int load_zone(struct show *show, const char *word)
{
	static const char *const names[] = {[LC_MARKET_CN] = "Asia/Shanghai",
		[LC_MARKET_HK] = "Asia/Hong_Kong",
		[LC_MARKET_US] = "America/New_York"};
	struct lc_symbol symbol;
	struct lc_error err;
	lc_symbol_parse(word, strlen(word), &symbol); /* it was checked before */
	memcpy(show->query.symbol, symbol.text, sizeof symbol.text);
	if (lc_zone_load(names[symbol.market], &show->zone, &err) != LC_OK) {
		fprintf(stderr, "livecore: %s\n", err.text);
		return LC_EXIT_FAILED;
	}
	return -1;
}

static int read_query(struct show *show)
{
	char *end;
	show->query.period = lc_period_find(show->period);
	if (show->query.period == LC_PERIODS) {
		return lc_args_wrong(&usage, "--period is 1m, 5m, 15m, 30m, 60m or 1d, not \"%s\"",
			show->period);
	}
	show->query.from_ns = INT64_MIN;
	show->query.to_ns = INT64_MAX;
	if (show->from &&
		lc_bars_view_date(show->from, show->zone, &show->query.from_ns) != LC_OK) {
		return lc_args_wrong(
			&usage, "--from is a date, 2026-01-05, not \"%s\"", show->from);
	}
	if (show->to && lc_bars_view_date(show->to, show->zone, &show->query.to_ns) != LC_OK) {
		return lc_args_wrong(&usage, "--to is a date, 2026-01-05, not \"%s\"", show->to);
	}
	if (show->to) {
		/* Up to the end of that day; a day has 23 to 25 hours. */
		struct lc_civil civil = lc_civil_from_ns(
			show->zone, show->query.to_ns + 30 * 3600 * LC_NS_PER_S);
		civil.hour = civil.minute = civil.second = 0;
		civil.nanosecond = 0;
		lc_civil_to_ns(show->zone, &civil, &show->query.to_ns, NULL);
	}
	if (show->query.from_ns >= show->query.to_ns) {
		return lc_args_wrong(&usage, "--from %s is after --to %s", show->from, show->to);
	}
	unsigned long limit = strtoul(show->limit, &end, 10);
	if (*end || limit < 1 || limit > LC_BAR_QUERY_MAX) {
		return lc_args_wrong(
			&usage, "--limit is 1 to %d, not \"%s\"", LC_BAR_QUERY_MAX, show->limit);
	}
	show->query.limit = limit;
	return -1;
}

static int print(struct show *show)
{
	struct winsize size = {0};
	bool terminal = isatty(STDOUT_FILENO);
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
		const char *columns = getenv("COLUMNS");
		size.ws_col = (unsigned short)(columns ? atoi(columns) : 100);
		size.ws_row = 24;
	}
	const struct lc_bars_view view = {.rows = show->tool.rows,
		.zone = show->zone,
		.columns = size.ws_col,
		.lines = size.ws_row,
		.colour = terminal && !getenv("NO_COLOR")};
	enum lc_bars_form form = show->csv     ? LC_BARS_CSV
				 : show->json  ? LC_BARS_JSON
				 : show->chart ? LC_BARS_CHART
					       : LC_BARS_TABLE;
	struct lc_buf out;
	lc_buf_init(&out, TEXT_MAX);
	lc_bars_view_put(&view, form, &out);
	fwrite(out.data, 1, out.len, stdout);
	bool failed = out.failed;
	lc_buf_finish(&out);
	if (show->tool.rows->count == 0) {
		fprintf(stderr, "livecore: the store has no %s bars of %s there\n", show->period,
			show->query.symbol);
	}
	return failed || show->tool.rows->count == 0 ? LC_EXIT_FAILED : LC_EXIT_OK;
}

int lc_command_bars(int argc, char **argv)
{
	struct show show = {.period = "1d", .limit = "60"};
	const struct lc_option options[] = {
		{"period", LC_OPTION_TEXT, &show.period, "P",
			"1m, 5m, 15m, 30m, 60m or 1d (default)"},
		{"from", LC_OPTION_TEXT, &show.from, "DATE", "the first day, 2026-01-05"},
		{"to", LC_OPTION_TEXT, &show.to, "DATE", "the last day"},
		{"limit", LC_OPTION_TEXT, &show.limit, "N",
			"at most so many bars, the newest (default 60)"},
		{"csv", LC_OPTION_FLAG, &show.csv, NULL, "comma-separated, with a line of names"},
		{"json", LC_OPTION_FLAG, &show.json, NULL, "an array of objects"},
		{"chart", LC_OPTION_FLAG, &show.chart, NULL,
			"candles, as many as fit into the terminal"},
		LC_PROCESS_OPTIONS(&show.tool.tool.process),
		{0},
	};
	int rc = lc_args_parse(&usage, options, &argc, argv);
	if (rc >= 0) {
		return rc;
	}
	if (argc != 2 || show.csv + show.json + show.chart > 1) {
		return lc_args_wrong(&usage,
			argc != 2 ? "name one symbol" : "--csv, --json and --chart: one of them");
	}
	rc = lc_symbol_args_check(&usage, argv + 1, 1, false);
	rc = rc >= 0 ? rc : load_zone(&show, argv[1]);
	rc = rc >= 0 ? rc : read_query(&show);
	if (rc < 0) {
		rc = lc_store_tool_open(&show.tool, true);
		rc = rc >= 0 ? rc : lc_store_tool_read(&show.tool, &show.query);
		rc = rc >= 0 ? rc : print(&show);
		lc_store_tool_close(&show.tool);
	}
	lc_zone_destroy(show.zone);
	return rc;
}
