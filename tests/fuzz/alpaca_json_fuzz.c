/* A text frame of Alpaca's stream, and a REST answer: every element parsed as a message, the whole
 * as a page, as snapshots and as the reply to a subscribe message. The result does not matter: the
 * sanitizers watch. */
#include "alpaca_rest.h"
#include "alpaca_subs.h"
#include "livecore/json.h"

#include <stdlib.h>

static void on_item(void *arg, const struct lc_alpaca_msg *msg)
{
	*(size_t *)arg += msg->symbol.len;
}

static void on_snapshot(void *arg, struct lc_text symbol, const struct lc_reference *reference)
{
	*(size_t *)arg += symbol.len + reference->has;
}

static void on_accepted(void *arg, uint32_t symbol)
{
	(void)arg;
	(void)symbol;
}

static void on_rejected(void *arg, uint32_t symbol, bool limit, const char *reason)
{
	(void)arg;
	(void)symbol;
	(void)limit;
	(void)reason;
}

static void on_lost(void *arg, size_t count, const char *text)
{
	(void)arg;
	(void)count;
	(void)text;
}

static const struct lc_alpaca_subs_events events = {on_accepted, on_rejected, on_lost};

struct fuzz {
	struct lc_json_parser *json;
	struct lc_symbols *symbols;
	struct lc_alpaca_subs *subs;
	struct lc_conditions_seen seen;
	uint32_t add[3];
};

static bool set_up(struct fuzz *fuzz)
{
	static const char *const names[] = {"AAPL", "AMD", "FAKEPACA"};
	if (lc_json_parser_create(NULL, &fuzz->json) != LC_OK ||
		lc_symbols_create(16, 1, &fuzz->symbols) != LC_OK ||
		lc_alpaca_subs_create(fuzz->symbols, &events, NULL, &fuzz->subs) != LC_OK) {
		return false;
	}
	for (size_t i = 0; i < 3; i++) {
		lc_symbols_intern(fuzz->symbols, names[i], strlen(names[i]), &fuzz->add[i]);
	}
	return true;
}

/* A message is in flight; the answer is whatever came. */
static void answer_subscribe(struct fuzz *fuzz, const struct lc_value *item)
{
	const struct lc_alpaca_subs_options options = {.max_symbols = 2,
		.max_message = 4096,
		.channels = LC_ALPACA_STATUSES | LC_ALPACA_PRICES};
	struct lc_buf out;
	size_t missing;
	lc_buf_init(&out, 65536);
	lc_alpaca_subs_reset(fuzz->subs, &options);
	if (lc_alpaca_subs_change(fuzz->subs, fuzz->add, 3, NULL, 0) == LC_OK &&
		lc_alpaca_subs_next(fuzz->subs, &out) == LC_OK) {
		lc_alpaca_subs_reply(fuzz->subs, item, &missing);
	}
	lc_buf_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz fuzz;
	if (!fuzz.subs && !set_up(&fuzz)) {
		abort();
	}
	const struct lc_value *root, *item;
	if (lc_json_parse(fuzz.json, (const char *)data, size, size, &root, NULL) != LC_OK) {
		return 0;
	}
	struct lc_alpaca_msg msg;
	struct lc_alpaca_page page;
	const char *reason;
	size_t sum = 0, bad;
	lc_value_each (item, root) {
		if (lc_alpaca_parse(item, &fuzz.seen, &msg, &reason) == LC_OK &&
			msg.type == LC_ALPACA_SUBSCRIPTION) {
			answer_subscribe(&fuzz, item);
		}
	}
	lc_alpaca_rest_page(root, &fuzz.seen, on_item, &sum, &page);
	lc_alpaca_rest_snapshots(root, &fuzz.seen, on_snapshot, &sum, &bad);
	return 0;
}
