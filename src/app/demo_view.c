#include "app/demo.h"

#include "livecore/tick.h"

#include <curses.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <unistd.h>

#define SCREEN_MS 250
#define LINE_MS 1000
#define ROWS_MAX 200
#define FEEDS_MAX 8
/* Columns of the window from which these parts of a row are shown; 80 shows all. */
#define WITH_FEEDER 50
#define WITH_BOOK 78

struct lc_demo_view {
	struct lc_service *service; /* borrowed */
	struct lc_timer *timer;
	char brokers[128], topic[256];
	bool screen; /* a terminal: ncurses; else a line a second */
	bool quiet;
	/* Rates are those of the last whole second. */
	struct lc_manager_totals totals, totals_before;
	uint64_t ticks_before[FEEDS_MAX];
	double rate[FEEDS_MAX], published_rate;
	int64_t at_ns;
	SCREEN *terminal;
	struct lc_quote_view quotes[ROWS_MAX]; /* of the screen being drawn */
};

/* Once a second: the rates since the last time. */
static void update_rates(struct lc_demo_view *view, const struct lc_feed_view *feeds, size_t count)
{
	int64_t now_ns = lc_clock_mono_ns();
	double seconds = (double)(now_ns - view->at_ns) / 1e9;
	if (seconds < 0.95) {
		return;
	}
	for (size_t i = 0; i < count; i++) {
		view->rate[i] = view->at_ns
					? (double)(feeds[i].ticks - view->ticks_before[i]) / seconds
					: 0;
		view->ticks_before[i] = feeds[i].ticks;
	}
	view->published_rate = view->at_ns ? (double)(view->totals.published -
						      view->totals_before.published) /
						     seconds
					   : 0;
	view->totals_before = view->totals;
	view->at_ns = now_ns;
}

static size_t look(struct lc_demo_view *view, struct lc_feed_view *feeds)
{
	size_t count = lc_manager_feeds(view->service->manager, feeds, FEEDS_MAX);
	view->totals = lc_manager_totals(view->service->manager);
	update_rates(view, feeds, count);
	return count;
}

static void print_line(struct lc_demo_view *view)
{
	struct lc_feed_view feeds[FEEDS_MAX];
	size_t count = look(view, feeds);
	struct lc_manager_totals totals = view->totals;
	printf("followed=%llu ticks=%llu published=%llu acknowledged=%llu unacknowledged=%llu "
	       "queued=%zu dropped=%llu reconnects=%llu",
		(unsigned long long)totals.followed, (unsigned long long)totals.ticks,
		(unsigned long long)totals.published, (unsigned long long)totals.acknowledged,
		(unsigned long long)totals.unacknowledged, totals.queued,
		(unsigned long long)totals.dropped, (unsigned long long)totals.reconnects);
	for (size_t i = 0; i < count; i++) {
		printf(" %s=%s %s_rate=%.0f", feeds[i].name, feeds[i].state, feeds[i].name,
			view->rate[i]);
	}
	putchar('\n');
	fflush(stdout);
}

static void format_decimal(char *out, size_t size, bool known, struct lc_decimal value)
{
	char text[LC_DECIMAL_TEXT_MAX];
	snprintf(out, size, "%.*s", known ? (int)lc_decimal_format(value, text) : 1,
		known ? text : "-");
}

/* Text at *x, which moves behind it. Cut where it does not fit: curses would go on below. */
__attribute__((format(printf, 4, 5))) static void put(
	int row, int *x, int attributes, const char *format, ...)
{
	char text[256];
	va_list args;
	va_start(args, format);
	int len = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (row < LINES && *x < COLS) {
		attron(attributes);
		mvaddnstr(row, *x, text, COLS - *x);
		attroff(attributes);
	}
	*x += len;
}

static void draw_quote(int row, const struct lc_quote_view *quote, int64_t now_ns)
{
	char price[32], bid[32], ask[32], change[32] = "-", age[32] = "-";
	format_decimal(price, sizeof price, quote->has & LC_HAS_PRICE, quote->price);
	format_decimal(bid, sizeof bid, quote->has & LC_HAS_BID, quote->bid);
	format_decimal(ask, sizeof ask, quote->has & LC_HAS_ASK, quote->ask);
	if ((quote->has & LC_HAS_PRICE) && (quote->has & LC_HAS_PREV_CLOSE) &&
		!lc_decimal_is_zero(quote->prev_close)) {
		double before = lc_decimal_to_double(quote->prev_close);
		double percent = (lc_decimal_to_double(quote->price) / before - 1) * 100;
		snprintf(change, sizeof change, "%+.2f%%",
			percent > -0.005 && percent < 0 ? 0 : percent); /* no -0.00% */
	}
	if (quote->received_mono_ns > 0) {
		snprintf(
			age, sizeof age, "%.1fs", (double)(now_ns - quote->received_mono_ns) / 1e9);
	}
	int colour = change[0] == '+'                ? COLOR_PAIR(1)
		     : change[0] == '-' && change[1] ? COLOR_PAIR(2)
						     : 0;
	int x = 0;
	put(row, &x, 0, "%-11s ", quote->symbol);
	if (COLS >= WITH_FEEDER) {
		put(row, &x, 0, "%-9s ", quote->feeder);
	}
	put(row, &x, colour, "%10s %8s", price, change);
	put(row, &x, 0, " %7s", age);
	if (COLS >= WITH_BOOK) {
		put(row, &x, 0, " %11s %11s", bid, ask);
	}
	put(row, &x, 0, "%s", quote->halted ? " halted" : "");
}

static int draw_feeds(
	struct lc_demo_view *view, int row, const struct lc_feed_view *feeds, size_t count)
{
	int x = 0;
	put(row++, &x, A_BOLD, "%-10s %-13s %8s %11s %7s %10s", "feeder", "state", "ticks/s",
		"symbols", "queue", "reconnects");
	for (size_t i = 0; i < count; i++) {
		x = 0;
		put(row++, &x, 0, "%-10s %-13s %8.0f %5zu/%-5zu %7zu %10llu  %s", feeds[i].name,
			feeds[i].state, view->rate[i], feeds[i].subscribed, feeds[i].wanted,
			feeds[i].queued, (unsigned long long)feeds[i].reconnects, feeds[i].reason);
	}
	return row + 1;
}

static int draw_head(struct lc_demo_view *view)
{
	const struct lc_manager_totals *totals = &view->totals;
	int row = 0, x = 0;
	put(row++, &x, A_BOLD, "livecore demo   Kafka: %s   http: 127.0.0.1:%d", view->brokers,
		view->service->api ? lc_api_port(view->service->api) : 0);
	x = 0;
	put(row++, &x, 0,
		"published %llu (%.0f/s)   acknowledged %llu   on their way %llu   dropped %llu",
		(unsigned long long)totals->published, view->published_rate,
		(unsigned long long)totals->acknowledged,
		(unsigned long long)totals->unacknowledged, (unsigned long long)totals->dropped);
	x = 0;
	if (COLS >= WITH_BOOK) {
		put(row, &x, 0, "from another terminal: ");
	}
	put(row++, &x, 0, "kcat -C -b %s -t %s", view->brokers, view->topic);
	return row + 1;
}

/* The last line: how to end it, and what a taller window would show. */
static void draw_foot(const struct lc_demo_view *view, size_t shown)
{
	int x = 0;
	put(LINES - 1, &x, 0, "Ctrl-C ends it");
	if (view->totals.followed > shown) {
		put(LINES - 1, &x, 0, "   %llu more symbols in a taller window",
			(unsigned long long)view->totals.followed - shown);
	}
}

static void draw_screen(struct lc_demo_view *view)
{
	struct lc_feed_view feeds[FEEDS_MAX];
	size_t feed_count = look(view, feeds);
	int x = 0;
	erase();
	int row = draw_feeds(view, draw_head(view), feeds, feed_count);
	put(row++, &x, A_BOLD,
		COLS >= WITH_FEEDER ? "%-11s %-9s %10s %8s %7s" : "%-11s %.0s%10s %8s %7s",
		"symbol", "feeder", "price", "change", "age");
	if (COLS >= WITH_BOOK) {
		put(row - 1, &x, A_BOLD, " %11s %11s", "bid", "ask");
	}
	size_t room = LINES - row - 1 > 0 ? (size_t)(LINES - row - 1) : 0;
	size_t count = lc_manager_quotes(
		view->service->manager, 0, view->quotes, room < ROWS_MAX ? room : ROWS_MAX);
	int64_t now_ns = lc_clock_mono_ns();
	for (size_t i = 0; i < count; i++) {
		draw_quote(row++, &view->quotes[i], now_ns);
	}
	move(LINES - 1, 0);
	clrtoeol(); /* a low window: the table may have come so far */
	draw_foot(view, count);
	refresh();
}

static void on_tick(void *arg)
{
	struct lc_demo_view *view = arg;
	if (!view->service->manager) {
		return;
	}
	if (view->screen) {
		draw_screen(view);
	} else if (!view->quiet) {
		print_line(view);
	}
}

/* Can the cursor be put anywhere? Not on a dumb terminal, or in an editor's shell. */
static bool can_draw(void)
{
	int found;
	if (setupterm(NULL, STDOUT_FILENO, &found) != OK) {
		return false;
	}
	/* (char *)-1: the terminal's description has no such text */
	const char *cup = tigetstr("cup");
	bool able = cup != NULL && cup != (char *)-1;
	del_curterm(cur_term);
	return able;
}

static void open_screen(struct lc_demo_view *view)
{
	if (!can_draw()) {
		return;
	}
	view->terminal = newterm(NULL, stdout, stdin);
	view->screen = view->terminal != NULL;
	if (!view->screen) {
		return;
	}
	set_term(view->terminal);
	curs_set(0);
	noecho();
	const char *plain = getenv("NO_COLOR");
	if (has_colors() && !(plain && plain[0])) {
		start_color();
		use_default_colors();
		init_pair(1, COLOR_GREEN, -1);
		init_pair(2, COLOR_RED, -1);
	}
}

enum lc_err lc_demo_view_create(struct lc_service *service, const char *brokers, const char *topic,
	bool quiet, struct lc_demo_view **out)
{
	struct lc_demo_view *view = calloc(1, sizeof *view);
	if (!view) {
		return LC_ERR_NOMEM;
	}
	view->service = service;
	view->quiet = quiet;
	snprintf(view->brokers, sizeof view->brokers, "%s", brokers);
	snprintf(view->topic, sizeof view->topic, "%s", topic);
	if (lc_timer_create(service->process->loop, on_tick, view, &view->timer) != LC_OK) {
		free(view);
		return LC_ERR_NOMEM;
	}
	if (!quiet && isatty(STDOUT_FILENO)) {
		open_screen(view);
	}
	lc_timer_start(view->timer, view->screen ? SCREEN_MS : LINE_MS,
		view->screen ? SCREEN_MS : LINE_MS);
	*out = view;
	return LC_OK;
}

void lc_demo_view_destroy(struct lc_demo_view *view)
{
	if (!view) {
		return;
	}
	if (view->screen) {
		endwin();
		delscreen(view->terminal);
	}
	lc_timer_destroy(view->timer);
	free(view);
}

static void print_reason(void *arg, const char *reason, uint64_t count)
{
	bool *first = arg;
	printf("%s\"%s\":%llu", *first ? "" : ",", reason, (unsigned long long)count);
	*first = false;
}

void lc_demo_print_json(struct lc_service *service)
{
	struct lc_manager_totals totals = lc_manager_totals(service->manager);
	bool first = true;
	printf("{\"published\":%llu,\"acknowledged\":%llu,\"unacknowledged\":%llu,\"refused\":%llu,"
	       "\"prices\":%llu,"
	       "\"ticks\":%llu,\"merged\":%llu,\"reconnects\":%llu,\"dropped\":{",
		(unsigned long long)totals.published, (unsigned long long)totals.acknowledged,
		(unsigned long long)totals.unacknowledged, (unsigned long long)totals.refused,
		(unsigned long long)totals.prices, (unsigned long long)totals.ticks,
		(unsigned long long)totals.merged, (unsigned long long)totals.reconnects);
	lc_manager_drops(service->manager, print_reason, &first);
	printf("}}\n");
	fflush(stdout);
}
