#include "alpaca_priv.h"

#include "alpaca_rest.h"
#include "livecore/json.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TRIES 3
#define RETRY_MS 5000
#define URL_BYTES 16384

struct lc_alpaca_reference {
	struct lc_feeder *feeder; /* borrowed */
	bool (*wants)(struct lc_feeder *feeder, uint32_t symbol);
	const struct lc_alpaca_settings *settings; /* borrowed */
	char feed[12];

	uint32_t *queue; /* owned */
	size_t n_queue, capacity;
	size_t n_asked; /* of the queue's front, by the request under way */
	size_t window;  /* smaller than snapshot_batch while a culprit is looked for */
	unsigned tries; /* of the front, in a row */

	struct lc_http_request *request; /* NULL: none under way */
	struct lc_timer *timer;          /* a pause */
	struct lc_json_parser *parser;
	struct lc_conditions_seen seen;
};

static struct lc_log *log_of(const struct lc_alpaca_reference *reference)
{
	return lc_loop_log(reference->feeder->env.loop);
}

static void drop_front(struct lc_alpaca_reference *reference, size_t count)
{
	memmove(reference->queue, reference->queue + count,
		(reference->n_queue - count) * sizeof(*reference->queue));
	reference->n_queue -= count;
	reference->n_asked = 0;
	reference->tries = 0;
	reference->window = 0;
}

/* What was left meanwhile is not worth a request. */
static void drop_unwanted(struct lc_alpaca_reference *reference)
{
	size_t kept = 0;
	for (size_t i = 0; i < reference->n_queue; i++) {
		if (reference->wants(reference->feeder, reference->queue[i])) {
			reference->queue[kept++] = reference->queue[i];
		}
	}
	reference->n_queue = kept;
}

static void pause_for(struct lc_alpaca_reference *reference, int64_t ms)
{
	lc_timer_start(reference->timer, ms, 0);
}

static void give_up(struct lc_alpaca_reference *reference, const char *why)
{
	lc_log(log_of(reference), LC_LOG_WARN, "feeder", "snapshot_failed",
		LC_S("feeder", "alpaca"),
		LC_S("first",
			lc_symbols_get(reference->feeder->env.symbols, reference->queue[0])->text),
		LC_U("symbols", reference->n_asked), LC_S("reason", why));
	drop_front(reference, reference->n_asked);
}

static void retry(struct lc_alpaca_reference *reference, const char *why)
{
	if (++reference->tries < MAX_TRIES) {
		pause_for(reference, RETRY_MS);
		return;
	}
	give_up(reference, why);
	lc_alpaca_reference_flush(reference);
}

static void on_snapshot(void *arg, struct lc_text symbol, const struct lc_reference *found)
{
	struct lc_alpaca_reference *reference = arg;
	struct lc_feeder *feeder = reference->feeder;
	struct lc_reference answer = *found;
	answer.symbol = lc_symbols_find(feeder->env.symbols, symbol.data, symbol.len);
	if (answer.symbol != LC_SYMBOL_NONE && reference->wants(feeder, answer.symbol)) {
		feeder->env.host->reference(feeder, &answer);
	}
}

static void on_found(struct lc_alpaca_reference *reference, const struct lc_http_answer *answer)
{
	const struct lc_value *root;
	size_t bad = 0;
	if (lc_json_parse(reference->parser, answer->body, answer->body_len, answer->body_len,
		    &root, NULL) != LC_OK ||
		lc_alpaca_rest_snapshots(root, &reference->seen, on_snapshot, reference, &bad) !=
			LC_OK ||
		bad > 0) {
		reference->feeder->env.host->bad_input(
			reference->feeder, "malformed_snapshot", answer->body, answer->body_len);
	}
	drop_front(reference, reference->n_asked);
	lc_alpaca_reference_flush(reference);
}

/* The vendor refuses the whole request for one symbol that it does not know: halve until that one
 * is alone. */
static void on_refused(struct lc_alpaca_reference *reference, const char *why)
{
	if (reference->n_asked > 1) {
		reference->window = reference->n_asked / 2;
	} else {
		give_up(reference, why);
	}
	lc_alpaca_reference_flush(reference);
}

static void on_answer(void *arg, const struct lc_http_answer *answer)
{
	struct lc_alpaca_reference *reference = arg;
	char why[LC_ALPACA_WHY_MAX] = "";
	reference->request = NULL;
	if (answer->err.code != LC_OK) {
		retry(reference, answer->err.text);
		return;
	}
	if (answer->status != 200) {
		lc_alpaca_describe(reference->parser, answer, why);
	}
	switch (answer->status) {
	case 200:
		on_found(reference, answer);
		break;
	case 429:
		pause_for(reference, lc_alpaca_limited_ms(answer->retry_after_s));
		break;
	case 401:
	case 403:
		/* No other symbol would fare better; the stream tells a person about the key. */
		reference->n_asked = reference->n_queue;
		give_up(reference, why);
		break;
	case 400:
	case 422:
		on_refused(reference, why);
		break;
	default:
		retry(reference, why);
		break;
	}
}

static void on_pause_over(void *arg)
{
	lc_alpaca_reference_flush(arg);
}

static enum lc_err write_url(struct lc_alpaca_reference *reference, struct lc_buf *url)
{
	size_t most = (size_t)reference->settings->snapshot_batch;
	if (reference->window > 0 && reference->window < most) {
		most = reference->window;
	}
	lc_alpaca_put_url(reference->settings, "/v2/stocks/snapshots?symbols=", url);
	reference->n_asked = reference->n_queue < most ? reference->n_queue : most;
	for (size_t i = 0; i < reference->n_asked; i++) {
		lc_buf_puts(url, i > 0 ? "," : "");
		lc_buf_puts(url,
			lc_symbols_get(reference->feeder->env.symbols, reference->queue[i])->text);
	}
	if (lc_alpaca_feed_is_known(reference->feed)) {
		lc_buf_printf(url, "&feed=%s", reference->feed);
	}
	return url->failed ? LC_ERR_NOMEM : LC_OK;
}

enum lc_err lc_alpaca_reference_create(struct lc_feeder *feeder,
	bool (*wants)(struct lc_feeder *feeder, uint32_t symbol), struct lc_alpaca_reference **out)
{
	struct lc_alpaca_reference *reference = calloc(1, sizeof(*reference));
	if (!reference) {
		return LC_ERR_NOMEM;
	}
	reference->feeder = feeder;
	reference->wants = wants;
	struct lc_json_limits limits = {.max_bytes = LC_ALPACA_MAX_BODY};
	enum lc_err code = lc_json_parser_create(&limits, &reference->parser);
	if (code == LC_OK) {
		code = lc_timer_create(
			feeder->env.loop, on_pause_over, reference, &reference->timer);
	}
	if (code != LC_OK) {
		lc_alpaca_reference_destroy(reference);
		return code;
	}
	*out = reference;
	return LC_OK;
}

void lc_alpaca_reference_destroy(struct lc_alpaca_reference *reference)
{
	if (!reference) {
		return;
	}
	assert(!reference->request);
	if (reference->timer) {
		lc_timer_destroy(reference->timer);
	}
	lc_json_parser_destroy(reference->parser);
	free(reference->queue);
	free(reference);
}

void lc_alpaca_reference_begin(struct lc_alpaca_reference *reference,
	const struct lc_alpaca_settings *settings, const char *feed)
{
	reference->settings = settings;
	snprintf(reference->feed, sizeof(reference->feed), "%s", feed);
}

void lc_alpaca_reference_add(struct lc_alpaca_reference *reference, uint32_t symbol)
{
	if (!reference->settings->snapshots) {
		return;
	}
	if (reference->n_queue == reference->capacity) {
		size_t capacity = reference->capacity ? reference->capacity * 2 : 64;
		uint32_t *queue = reallocarray(reference->queue, capacity, sizeof(*queue));
		if (!queue) {
			return;
		}
		reference->queue = queue;
		reference->capacity = capacity;
	}
	reference->queue[reference->n_queue++] = symbol;
}

void lc_alpaca_reference_flush(struct lc_alpaca_reference *reference)
{
	if (reference->request || lc_timer_active(reference->timer)) {
		return;
	}
	drop_unwanted(reference);
	if (reference->n_queue == 0) {
		return;
	}
	struct lc_buf url;
	lc_buf_init(&url, URL_BYTES);
	if (write_url(reference, &url) != LC_OK ||
		lc_alpaca_get(reference->feeder, reference->settings, lc_buf_text(&url), on_answer,
			reference, &reference->request) != LC_OK) {
		reference->request = NULL;
		give_up(reference, "the request could not be made");
	}
	lc_buf_finish(&url);
}

void lc_alpaca_reference_cancel(struct lc_alpaca_reference *reference)
{
	if (reference->request) {
		lc_http_cancel(reference->request);
		reference->request = NULL;
	}
	lc_timer_stop(reference->timer);
	reference->n_queue = reference->n_asked = reference->window = reference->tries = 0;
}
