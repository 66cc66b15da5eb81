/* What was traded, whether or not anybody asked for quotes meanwhile. */
#include "eastmoney_priv.h"

#include <inttypes.h>
#include <stdlib.h>

#define KEPT 200000
#define BEIJING_S (8 * 3600)

struct em_past {
	const struct sim_symbol *symbol; /* borrowed; symbols stay */
	int64_t time_ns, price, size;
};

struct em_history {
	struct em_past *items;
	size_t count, capacity, oldest; /* a ring once it is full */
};

enum lc_err em_history_create(struct em_history **out)
{
	*out = calloc(1, sizeof(**out));
	return *out != NULL ? LC_OK : LC_ERR_NOMEM;
}

void em_history_destroy(struct em_history *history)
{
	if (history != NULL) {
		free(history->items);
		free(history);
	}
}

void em_history_add(struct em_history *history, const struct sim_symbol *symbol, int64_t time_ns)
{
	size_t at = history->oldest;
	if (history->count < KEPT && history->count == history->capacity) {
		size_t capacity = history->capacity > 0 ? history->capacity * 2 : 1024;
		capacity = capacity < KEPT ? capacity : KEPT;
		struct em_past *items = realloc(history->items, capacity * sizeof(*items));
		if (items == NULL) {
			return;
		}
		history->items = items;
		history->capacity = capacity;
	}
	if (history->count < KEPT) {
		at = history->count++;
	} else {
		history->oldest = (history->oldest + 1) % KEPT;
	}
	history->items[at] = (struct em_past){symbol, time_ns, symbol->last, symbol->last_size};
}

static void put_row(const struct em_past *past, struct lc_buf *out)
{
	int64_t second = (past->time_ns / LC_NS_PER_S + BEIJING_S) % 86400;
	lc_buf_printf(out, "\"%02d:%02d:%02d,", (int)(second / 3600), (int)(second / 60 % 60),
		(int)(second % 60));
	sim_put_price(out, past->price);
	lc_buf_printf(out, ",%" PRId64 ",1,%d\"", past->size / 100, past->price % 200 == 0 ? 1 : 2);
}

void em_history_put(const struct em_history *history, const struct sim_symbol *symbol, size_t most,
	struct lc_buf *out)
{
	size_t found = 0, left = 0;
	for (size_t i = 0; i < history->count; i++) {
		found += history->items[i].symbol == symbol;
	}
	left = most > 0 && most < found ? found - most : 0; /* older ones, to be passed over */
	lc_buf_printf(out,
		"{\"code\":\"%.6s\",\"market\":1,\"decimal\":%d,\"prePrice\":", symbol->text,
		symbol->decimals);
	sim_put_price(out, symbol->prev_close);
	lc_buf_puts(out, ",\"details\":[");
	bool first = true;
	for (size_t i = 0; i < history->count; i++) {
		const struct em_past
			*past = &history->items[(history->oldest + i) % history->count];
		if (past->symbol != symbol || (left > 0 && left-- > 0)) {
			continue;
		}
		lc_buf_puts(out, first ? "" : ",");
		put_row(past, out);
		first = false;
	}
	lc_buf_puts(out, "]}");
}
