/* What was traded, whether or not anybody asked for quotes meanwhile. */
#include "eastmoney_priv.h"

#include <inttypes.h>

#define KEPT 200000
#define BEIJING_S (8 * 3600)

struct em_past {
	const struct sim_symbol *symbol; /* borrowed; symbols stay */
	int64_t time_ns, price, size;
};

static void put_row(const struct em_past *past, struct lc_buf *out)
{
	int64_t second = (past->time_ns / LC_NS_PER_S + BEIJING_S) % 86400;
	lc_buf_printf(out, "\"%02d:%02d:%02d,", (int)(second / 3600), (int)(second / 60 % 60),
		(int)(second % 60));
	sim_put_price(out, past->price);
	lc_buf_printf(out, ",%" PRId64 ",1,%d\"", past->size / 100, past->price % 200 == 0 ? 1 : 2);
}

struct sim_ring em_history_empty(void)
{
	return (struct sim_ring){.item_bytes = sizeof(struct em_past), .most = KEPT};
}

void em_history_add(struct sim_ring *history, const struct sim_symbol *symbol, int64_t time_ns)
{
	struct em_past *past = sim_ring_add(history);
	if (past != NULL) {
		*past = (struct em_past){symbol, time_ns, symbol->last, symbol->last_size};
	}
}

void em_history_put(const struct sim_ring *history, const struct sim_symbol *symbol, size_t most,
	struct lc_buf *out)
{
	size_t found = 0, left = 0;
	for (size_t i = 0; i < history->count; i++) {
		const struct em_past *past = sim_ring_at(history, i);
		found += past->symbol == symbol;
	}
	left = most > 0 && most < found ? found - most : 0; /* older ones, to be passed over */
	lc_buf_printf(out,
		"{\"code\":\"%.6s\",\"market\":1,\"decimal\":%d,\"prePrice\":", symbol->text,
		symbol->decimals);
	sim_put_price(out, symbol->prev_close);
	lc_buf_puts(out, ",\"details\":[");
	bool first = true;
	for (size_t i = 0; i < history->count; i++) {
		const struct em_past *past = sim_ring_at(history, i);
		if (past->symbol != symbol) {
			continue;
		}
		if (left > 0) {
			left--;
			continue;
		}
		lc_buf_puts(out, first ? "" : ",");
		put_row(past, out);
		first = false;
	}
	lc_buf_puts(out, "]}");
}
