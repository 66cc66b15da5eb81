/* What Alpaca's stream said, or would have said to a listener, served as its history: pages of
 * trades and of minute bars, sorted by symbol and then by time. */
#include "alpaca_priv.h"

#include "livecore/zone.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define KEPT 200000
#define LIMIT_DEFAULT 1000
#define LIMIT_MOST 10000
#define MINUTE_NS (60 * LC_NS_PER_S)

struct past {
	const struct sim_symbol *symbol; /* borrowed; symbols stay */
	int64_t id, price, size, time_ns;
	const char *update; /* why it is no trade any more; NULL: it is one */
	char exchange[2], tape[2], conditions[16];
};

struct sim_ring history_empty(void)
{
	return (struct sim_ring){.item_bytes = sizeof(struct past), .most = KEPT};
}

void history_add(
	struct sim_ring *history, const struct sim_symbol *symbol, const struct trade *trade)
{
	struct past *past = sim_ring_add(history);
	if (past == NULL) {
		return;
	}
	*past = (struct past){.symbol = symbol,
		.id = trade->id,
		.price = trade->price,
		.size = trade->size,
		.time_ns = trade->time_ns};
	memcpy(past->exchange, trade->exchange, sizeof(past->exchange));
	memcpy(past->tape, trade->tape, sizeof(past->tape));
	snprintf(past->conditions, sizeof(past->conditions), "%s", trade->conditions);
}

void history_withdraw(struct sim_ring *history, const struct sim_symbol *symbol, int64_t id,
	const struct trade *instead)
{
	/* It was made a moment ago. */
	for (size_t i = history->count; i > 0; i--) {
		struct past *past = sim_ring_at(history, i - 1);
		if (past->symbol == symbol && past->id == id) {
			past->update = instead != NULL ? "corrected" : "canceled";
			break;
		}
	}
	if (instead != NULL) {
		history_add(history, symbol, instead);
	}
}

/* --- a request --- */

struct query {
	const char *symbols;
	int64_t start_ns, end_ns;
	size_t limit;
	char after_symbol[24]; /* the page begins behind this one; "": at the begin */
	int64_t after_ns, after_id;
};

static bool read_time(
	struct lc_exchange *exchange, const char *name, int64_t fallback, int64_t *out)
{
	const char *text = lc_exchange_query(exchange, name);
	*out = fallback;
	return text == NULL || lc_time_parse(text, strlen(text), NULL, out) == LC_OK;
}

static bool read_query(struct sim *sim, struct lc_exchange *exchange, struct query *query)
{
	*query = (struct query){.symbols = lc_exchange_query(exchange, "symbols")};
	const char *limit = lc_exchange_query(exchange, "limit");
	const char *token = lc_exchange_query(exchange, "page_token");
	query->limit = limit != NULL ? strtoul(limit, NULL, 10) : LIMIT_DEFAULT;
	if (query->limit < 1 || query->limit > LIMIT_MOST ||
		!read_time(exchange, "start", 0, &query->start_ns) ||
		!read_time(exchange, "end", lc_loop_wall_ns(sim->loop), &query->end_ns)) {
		return false;
	}
	return token == NULL || sscanf(token, "%23[A-Z.]|%" SCNd64 "|%" SCNd64, query->after_symbol,
					&query->after_ns, &query->after_id) == 3;
}

static int compare(const void *a, const void *b)
{
	const struct past *x = *(const struct past *const *)a, *y = *(const struct past *const *)b;
	int by_symbol = strcmp(x->symbol->text, y->symbol->text);
	if (by_symbol != 0) {
		return by_symbol;
	}
	if (x->time_ns != y->time_ns) {
		return x->time_ns < y->time_ns ? -1 : 1;
	}
	return x->id < y->id ? -1 : x->id > y->id;
}

/* The trades that the query is about, sorted. NULL: no memory. */
static const struct past **select_trades(
	const struct sim_ring *history, const struct query *query, size_t *count)
{
	const struct past **found = malloc((history->count + 1) * sizeof(*found));
	*count = 0;
	for (size_t i = 0; found != NULL && i < history->count; i++) {
		const struct past *past = sim_ring_at(history, i);
		if (past->time_ns >= query->start_ns && past->time_ns <= query->end_ns &&
			sim_in_list(query->symbols, past->symbol->text)) {
			found[(*count)++] = past;
		}
	}
	if (found != NULL) {
		qsort(found, *count, sizeof(*found), compare);
	}
	return found;
}

static bool is_before(const struct query *query, const char *symbol, int64_t time_ns, int64_t id)
{
	int by_symbol = strcmp(symbol, query->after_symbol);
	if (query->after_symbol[0] == '\0' || by_symbol != 0) {
		return query->after_symbol[0] != '\0' && by_symbol < 0;
	}
	return time_ns < query->after_ns || (time_ns == query->after_ns && id <= query->after_id);
}

/* --- writing a page --- */

struct page {
	struct lc_buf out;
	const struct sim_symbol *symbol; /* of the list that is open */
	size_t count;
};

static void page_begin(struct page *page, const char *name)
{
	*page = (struct page){0};
	lc_buf_init(&page->out, 16 << 20);
	lc_buf_printf(&page->out, "{\"%s\":{", name);
}

static void page_next(struct page *page, const struct sim_symbol *symbol)
{
	if (page->symbol == symbol) {
		lc_buf_putc(&page->out, ',');
	} else {
		lc_buf_printf(
			&page->out, "%s\"%s\":[", page->symbol != NULL ? "]," : "", symbol->text);
		page->symbol = symbol;
	}
	page->count++;
}

static void page_reply(struct page *page, struct lc_exchange *exchange, const char *token)
{
	lc_buf_puts(&page->out, page->symbol != NULL ? "]}" : "}");
	lc_buf_puts(&page->out, ",\"next_page_token\":");
	if (token[0] != '\0') {
		lc_buf_json_string(&page->out, token, strlen(token));
	} else {
		lc_buf_puts(&page->out, "null");
	}
	lc_buf_puts(&page->out, "}\n");
	sim_reply_json(exchange, 200, &page->out);
}

static void put_trade(struct lc_buf *out, const struct past *past)
{
	char time[40];
	sim_format_time(past->time_ns, time);
	lc_buf_printf(out, "{\"t\":\"%s\",\"x\":\"%s\",\"p\":", time, past->exchange);
	sim_put_price(out, past->price);
	lc_buf_printf(out, ",\"s\":%" PRId64 ",\"c\":[", past->size);
	for (const char *c = past->conditions; *c != '\0'; c++) {
		lc_buf_printf(out, *c == ',' ? "," : "\"%c\"", *c);
	}
	lc_buf_printf(out, "],\"i\":%" PRId64 ",\"z\":\"%s\"", past->id, past->tape);
	if (past->update != NULL) {
		lc_buf_printf(out, ",\"u\":\"%s\"", past->update);
	}
	lc_buf_putc(out, '}');
}

static void serve_trades(struct lc_exchange *exchange, const struct query *query,
	const struct past **found, size_t n)
{
	struct page page;
	char token[96] = "";
	const struct past *last = NULL;
	page_begin(&page, "trades");
	for (size_t i = 0; i < n; i++) {
		const struct past *past = found[i];
		if (is_before(query, past->symbol->text, past->time_ns, past->id)) {
			continue;
		}
		if (last && page.count == query->limit) {
			snprintf(token, sizeof(token), "%s|%" PRId64 "|%" PRId64,
				last->symbol->text, last->time_ns, last->id);
			break;
		}
		page_next(&page, past->symbol);
		put_trade(&page.out, past);
		last = past;
	}
	page_reply(&page, exchange, token);
}

/* --- bars --- */

/* Odd lots have volume and make no price. */
static void count_trade(struct sim_bar *bar, const struct past *past)
{
	bar->volume += past->size;
	bar->value += past->size * past->price;
	bar->trades++;
	if (strchr(past->conditions, 'I') != NULL) {
		return;
	}
	if (bar->open == 0) {
		bar->open = bar->high = bar->low = past->price;
	}
	bar->high = past->price > bar->high ? past->price : bar->high;
	bar->low = past->price < bar->low ? past->price : bar->low;
	bar->close = past->price;
}

static void put_bar(struct lc_buf *out, const struct sim_bar *bar)
{
	char time[40];
	sim_format_time(bar->minute * MINUTE_NS, time);
	lc_buf_printf(out, "{\"t\":\"%s\",\"o\":", time);
	sim_put_price(out, bar->open);
	lc_buf_puts(out, ",\"h\":");
	sim_put_price(out, bar->high);
	lc_buf_puts(out, ",\"l\":");
	sim_put_price(out, bar->low);
	lc_buf_puts(out, ",\"c\":");
	sim_put_price(out, bar->close);
	lc_buf_printf(
		out, ",\"v\":%" PRId64 ",\"n\":%" PRId64 ",\"vw\":", bar->volume, bar->trades);
	sim_put_price(out, bar->value / bar->volume);
	lc_buf_putc(out, '}');
}

static void serve_bars(struct lc_exchange *exchange, const struct query *query,
	const struct past **found, size_t n)
{
	struct page page;
	char token[96] = "";
	page_begin(&page, "bars");
	for (size_t i = 0; i < n;) {
		const struct sim_symbol *symbol = found[i]->symbol;
		struct sim_bar bar = {.minute = found[i]->time_ns / MINUTE_NS};
		for (; i < n && found[i]->symbol == symbol &&
			found[i]->time_ns / MINUTE_NS == bar.minute;
			i++) {
			if (found[i]->update == NULL) {
				count_trade(&bar, found[i]);
			}
		}
		if (bar.open == 0 || is_before(query, symbol->text, bar.minute * MINUTE_NS, 0)) {
			continue;
		}
		page_next(&page, symbol);
		put_bar(&page.out, &bar);
		if (page.count == query->limit && i < n) {
			snprintf(token, sizeof(token), "%s|%" PRId64 "|0", symbol->text,
				bar.minute * MINUTE_NS);
			break;
		}
	}
	page_reply(&page, exchange, token);
}

void history_serve(struct sim *sim, struct lc_exchange *exchange, bool bars)
{
	const struct alpaca *alpaca = sim->state;
	struct query query;
	size_t count;
	if (!read_query(sim, exchange, &query)) {
		rest_message(exchange, 400, "invalid query");
		return;
	}
	if (bars) { /* whole minutes: those that begin in the interval */
		query.start_ns = (query.start_ns + MINUTE_NS - 1) / MINUTE_NS * MINUTE_NS;
		query.end_ns = query.end_ns / MINUTE_NS * MINUTE_NS + MINUTE_NS - 1;
	}
	const struct past **found = select_trades(&alpaca->history, &query, &count);
	if (found == NULL) {
		rest_message(exchange, 500, "out of memory");
		return;
	}
	if (bars) {
		serve_bars(exchange, &query, found, count);
	} else {
		serve_trades(exchange, &query, found, count);
	}
	free(found);
}
