#include "poller.h"

#include "livecore/list.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BODY ((size_t)1 << 20) /* ten times the largest known */
#define URL_LIMIT 8192
#define SAMPLE_BYTES 512
#define MAX_URL 4000 /* unless the settings say */

static struct lc_poller *poller_of(struct lc_feeder *feeder)
{
	return container_of(feeder, struct lc_poller, base);
}

static int64_t now_of(const struct lc_poller *poller)
{
	return lc_loop_mono_ns(poller->base.env.loop);
}

/* --- ending a session --- */

void lc_poller_end(struct lc_poller *poller, const struct lc_down *why)
{
	if (poller->state == LC_POLLER_ENDING && why->kind != LC_DOWN_ASKED) {
		return;
	}
	poller->state = LC_POLLER_ENDING;
	poller->why = *why;
	if (poller->request) {
		lc_http_cancel(poller->request);
		poller->request = NULL;
	}
	lc_timer_start(poller->timer, 0, 0);
}

static void end_failed(
	struct lc_poller *poller, enum lc_down_kind kind, enum lc_err code, const char *text)
{
	struct lc_down why = {.kind = kind};
	lc_error_set(&why.error, code, "%s", text);
	lc_poller_end(poller, &why);
}

static void deliver_down(struct lc_poller *poller)
{
	struct lc_down why = poller->why;
	poller->state = LC_POLLER_IDLE;
	for (size_t i = 0; i < poller->count; i++) {
		poller->symbols[poller->followed[i]].followed = false;
	}
	poller->count = poller->next = 0;
	poller->base.env.host->down(&poller->base, &why);
}

/* --- answers --- */

void lc_poller_bad(struct lc_poller *poller, const char *reason, const char *data, size_t len)
{
	poller->base.env.host->bad_input(
		&poller->base, reason, data, len < SAMPLE_BYTES ? len : SAMPLE_BYTES);
}

/* An answer tells a symbol: its age is counted. False when it was left while the request was under
 * way. */
static bool told(struct lc_poller *poller, uint32_t symbol)
{
	struct lc_poller_symbol *known = symbol < poller->room ? &poller->symbols[symbol] : NULL;
	if (poller->state != LC_POLLER_UP || !known || !known->followed) {
		return false;
	}
	lc_histogram_observe_ns(poller->refresh.ages, poller->received_mono_ns - known->fresh_ns);
	known->fresh_ns = poller->received_mono_ns;
	known->answered = true;
	return true;
}

static void tell_same(struct lc_poller *poller, uint32_t symbol)
{
	if (poller->base.env.host->same) {
		poller->base.env.host->same(&poller->base, symbol, 0);
	}
}

void lc_poller_same(struct lc_poller *poller)
{
	for (size_t i = 0; i < poller->batch_count; i++) {
		if (told(poller, poller->batch[i])) {
			tell_same(poller, poller->batch[i]);
		}
	}
}

bool lc_poller_row(
	struct lc_poller *poller, const char *symbol, size_t len, const struct lc_tick *row)
{
	const struct lc_feeder_env *env = &poller->base.env;
	uint32_t index = lc_symbols_find(env->symbols, symbol, len);
	if (index == LC_SYMBOL_NONE) {
		return false;
	}
	if (!told(poller, index)) {
		return true;
	}
	if (!row) {
		tell_same(poller, index);
		return true;
	}
	struct lc_tick tick = *row;
	tick.symbol = index;
	tick.source = env->source;
	tick.received_ns = poller->received_ns;
	tick.received_mono_ns = poller->received_mono_ns;
	if (!(tick.has & LC_HAS_EVENT_TIME)) {
		tick.event_ns = tick.received_ns;
	}
	env->host->tick(&poller->base, &tick);
	return true;
}

/* Says once of each symbol that was asked for and never answered that the vendor does not know
 * it. */
static void tell_missing(struct lc_poller *poller)
{
	const struct lc_feeder_env *env = &poller->base.env;
	for (size_t i = 0; i < poller->batch_count; i++) {
		struct lc_poller_symbol *known = &poller->symbols[poller->batch[i]];
		if (!known->followed || known->answered || known->missing_told) {
			continue;
		}
		known->missing_told = true;
		lc_log(lc_loop_log(env->loop), LC_LOG_WARN, "feeder", "symbol_unknown",
			LC_S("feeder", poller->vendor->name),
			LC_S("symbol", lc_symbols_get(env->symbols, poller->batch[i])->text));
	}
}

/* What comes next was asked for longest ago. */
static void measure_oldest(struct lc_poller *poller)
{
	*poller->refresh.oldest = 0;
	if (poller->count > 0) {
		const struct lc_poller_symbol
			*next = &poller->symbols[poller->followed[poller->next]];
		*poller->refresh.oldest = (double)(now_of(poller) - next->fresh_ns) / 1e9;
	}
}

static void arm(struct lc_poller *poller)
{
	if (poller->state != LC_POLLER_UP || poller->paused || poller->count == 0 ||
		poller->request) {
		return;
	}
	int64_t now_ns = now_of(poller);
	bool urgent = !poller->symbols[poller->followed[poller->next]].asked;
	int64_t from_ns = lc_pace_next(&poller->pace, poller->settings->poll_ms, urgent, now_ns);
	int64_t wait_ms = from_ns > now_ns ? (from_ns - now_ns + LC_NS_PER_MS - 1) / LC_NS_PER_MS
					   : 0;
	lc_timer_start(poller->timer, wait_ms, 0);
}

static void on_answer(void *arg, const struct lc_http_answer *answer)
{
	struct lc_poller *poller = arg;
	bool probe = poller->state == LC_POLLER_PROBING;
	poller->request = NULL;
	poller->received_ns = answer->received_wall_ns;
	poller->received_mono_ns = now_of(poller);
	bool good = poller->vendor->answer(poller, answer, probe);
	*poller->refresh.failed += !good;
	poller->heard_ns = good ? poller->received_mono_ns : poller->heard_ns;
	if (poller->state == LC_POLLER_ENDING) {
		return;
	}
	assert(good || !probe);
	if (probe) {
		poller->state = LC_POLLER_UP;
		poller->base.env.host->up(&poller->base);
		return;
	}
	if (good) {
		tell_missing(poller);
	}
	measure_oldest(poller);
	arm(poller);
}

/* --- requests --- */

static size_t max_url_of(const struct lc_poller_settings *settings)
{
	return settings->max_url > 0 ? (size_t)settings->max_url : MAX_URL;
}

/* Takes the next symbols of the round while they fit. The first always does, so that no limit can
 * stop the round. */
static void add_batch(struct lc_poller *poller)
{
	const struct lc_poller_settings *settings = poller->settings;
	size_t count = poller->count, most = (size_t)settings->max_symbols;
	size_t max_url = max_url_of(settings);
	size_t n = 0;
	assert(count > 0);
	for (; n < most && n < count && n < LC_POLLER_MAX_BATCH; n++) {
		uint32_t index = poller->followed[(poller->next + n) % count];
		size_t before = poller->url.len;
		if (n > 0) {
			lc_buf_putc(&poller->url, ',');
		}
		poller->vendor->name_symbol(
			poller, lc_symbols_get(poller->base.env.symbols, index), &poller->url);
		if (n > 0 && poller->url.len > max_url) {
			poller->url.len = before;
			break;
		}
		poller->batch[n] = index;
		poller->symbols[index].asked = true;
	}
	poller->batch_count = n;
	poller->next = (poller->next + n) % count;
}

static void send_request(struct lc_poller *poller, bool probe)
{
	const struct lc_poller_settings *settings = poller->settings;
	struct lc_error err = {0};
	lc_buf_clear(&poller->url);
	poller->vendor->url(poller, probe, &poller->url);
	if (!probe) {
		add_batch(poller);
		(*poller->refresh.polls)++;
	}
	lc_pace_use(&poller->pace, settings->poll_ms, now_of(poller));
	const struct lc_http_options options = {
		.url = lc_buf_text(&poller->url),
		.headers = poller->vendor->headers(poller),
		.connect_timeout_ms = settings->connect_ms > 0 ? settings->connect_ms
							       : settings->timeout_ms,
		.timeout_ms = settings->timeout_ms,
		.max_body_bytes = MAX_BODY,
	};
	enum lc_err code = lc_http_send(
		poller->base.env.http, &options, on_answer, poller, &poller->request, &err);
	if (code != LC_OK) {
		poller->request = NULL;
		end_failed(poller, code == LC_ERR_INVALID ? LC_DOWN_STOP : LC_DOWN_RETRY, code,
			err.text[0] ? err.text : lc_err_text(code));
	}
}

static void on_timer(void *arg)
{
	struct lc_poller *poller = arg;
	if (poller->state == LC_POLLER_ENDING) {
		deliver_down(poller);
	} else if (poller->state == LC_POLLER_UP && !poller->request && !poller->paused &&
		   poller->count > 0) {
		send_request(poller, false);
	}
}

/* --- what is followed --- */

static enum lc_err make_room(struct lc_poller *poller, const uint32_t *add, size_t n_add)
{
	size_t needed = poller->count + n_add, room = poller->room;
	if (needed > poller->capacity) {
		uint32_t *grown = realloc(poller->followed, needed * 2 * sizeof(*grown));
		if (!grown) {
			return LC_ERR_NOMEM;
		}
		poller->followed = grown;
		poller->capacity = needed * 2;
	}
	for (size_t i = 0; i < n_add; i++) {
		room = add[i] >= room ? (size_t)add[i] + 1 : room;
	}
	if (room > poller->room) {
		room = room < poller->room * 2 ? poller->room * 2 : room;
		struct lc_poller_symbol *grown = realloc(poller->symbols, room * sizeof(*grown));
		if (!grown) {
			return LC_ERR_NOMEM;
		}
		memset(grown + poller->room, 0, (room - poller->room) * sizeof(*grown));
		poller->symbols = grown;
		poller->room = room;
	}
	return LC_OK;
}

/* Takes the symbols out in one pass, keeping the order of the others. */
static void leave(struct lc_poller *poller, const uint32_t *remove, size_t n_remove)
{
	size_t kept = 0, next = 0;
	for (size_t i = 0; i < n_remove; i++) {
		if (remove[i] < poller->room) {
			poller->symbols[remove[i]].followed = false;
		}
	}
	for (size_t i = 0; i < poller->count; i++) {
		next = i == poller->next ? kept : next;
		if (poller->symbols[poller->followed[i]].followed) {
			poller->followed[kept++] = poller->followed[i];
		}
	}
	poller->count = kept;
	poller->next = next < kept ? next : 0;
}

/* What is new is asked for next, so that its first price does not wait for a whole round, and the
 * round then goes on where it was. */
static void join(struct lc_poller *poller, const uint32_t *add, size_t n_add)
{
	int64_t now_ns = now_of(poller);
	uint32_t *at = poller->followed + poller->next;
	if (n_add == 0) {
		return;
	}
	memmove(at + n_add, at, (poller->count - poller->next) * sizeof(*at));
	memcpy(at, add, n_add * sizeof(*at));
	poller->count += n_add;
	for (size_t i = 0; i < n_add; i++) {
		struct lc_poller_symbol *known = &poller->symbols[add[i]];
		known->followed = true;
		known->answered = known->asked = false;
		known->fresh_ns = now_ns;
	}
}

/* --- the slots --- */

void lc_poller_change(struct lc_feeder *feeder, const uint32_t *add, size_t n_add,
	const uint32_t *remove, size_t n_remove)
{
	struct lc_poller *poller = poller_of(feeder);
	if (poller->state != LC_POLLER_UP) {
		return; /* ending: down() tells */
	}
	if (make_room(poller, add, n_add) != LC_OK) {
		end_failed(poller, LC_DOWN_RETRY, LC_ERR_NOMEM, "no memory for the symbols");
		return;
	}
	leave(poller, remove, n_remove);
	join(poller, add, n_add);
	arm(poller);
	poller->base.env.host->changed(feeder);
}

void lc_poller_start(struct lc_feeder *feeder)
{
	struct lc_poller *poller = poller_of(feeder);
	assert(poller->state == LC_POLLER_IDLE);
	poller->paused = false;
	poller->heard_ns = 0;
	poller->state = LC_POLLER_PROBING;
	send_request(poller, true);
}

void lc_poller_stop(struct lc_feeder *feeder)
{
	struct lc_poller *poller = poller_of(feeder);
	assert(poller->state != LC_POLLER_IDLE);
	end_failed(poller, LC_DOWN_ASKED, LC_OK, "stopped");
}

void lc_poller_pause(struct lc_feeder *feeder, bool paused)
{
	struct lc_poller *poller = poller_of(feeder);
	if (poller->paused == paused) {
		return;
	}
	poller->paused = paused;
	if (paused && poller->state == LC_POLLER_UP) {
		lc_timer_stop(poller->timer);
	}
	arm(poller);
}

void lc_poller_configure(struct lc_feeder *feeder, const void *config)
{
	struct lc_poller *poller = poller_of(feeder);
	poller->settings = config;
	poller->base.env.config = config;
	arm(poller);
}

void lc_poller_signs(const struct lc_feeder *feeder, struct lc_feeder_signs *out)
{
	const struct lc_poller *poller = (const struct lc_poller *)feeder;
	*out = (struct lc_feeder_signs){.heard_ns = poller->heard_ns,
		.cadence_ns = poller->settings->poll_ms * LC_NS_PER_MS};
}

void lc_poller_explain(const char *name, const struct lc_poller_settings *settings, const char *url,
	size_t name_bytes, size_t n_symbols, struct lc_buf *out)
{
	size_t max_url = max_url_of(settings), head = strlen(url) + sizeof("/q=");
	size_t batch = (size_t)settings->max_symbols;
	size_t fit = max_url > head + name_bytes ? (max_url - head) / (name_bytes + 1) : 1;
	batch = fit < batch ? fit : batch;
	size_t requests = n_symbols > batch ? (n_symbols + batch - 1) / batch : 1;
	lc_buf_printf(out,
		"%s: %zu symbols in %zu request%s, one every %g s: a quote can be %g s old\n", name,
		n_symbols, requests, requests == 1 ? "" : "s", (double)settings->poll_ms / 1000,
		(double)requests * (double)settings->poll_ms / 1000);
}

/* --- life --- */

enum lc_err lc_poller_init(struct lc_poller *poller, const struct lc_feeder_impl *impl,
	const struct lc_poller_vendor *vendor, const struct lc_feeder_env *env)
{
	poller->base.impl = impl;
	poller->base.env = *env;
	poller->vendor = vendor;
	poller->settings = env->config;
	poller->pace.next_ns = INT64_MIN;
	lc_buf_init(&poller->url, URL_LIMIT);
	lc_refresh_init(&poller->refresh, lc_loop_metrics(env->loop), vendor->name);
	return lc_timer_create(env->loop, on_timer, poller, &poller->timer);
}

void lc_poller_finish(struct lc_poller *poller)
{
	assert(poller->state == LC_POLLER_IDLE);
	if (poller->timer) {
		lc_timer_destroy(poller->timer);
	}
	lc_buf_finish(&poller->url);
	free(poller->followed);
	free(poller->symbols);
}
