/* What Alpaca's clients say: subscriptions, checked whole before any of them is done. */
#include "alpaca_priv.h"
#include "control.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const channel_names[CHANNELS] = {
	"trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds", "imbalances"};

/* What a client's message said: counted at first, done only when all of it is right. */
struct request {
	struct session *session;
	char action[32], key[128], secret[512];
	int refusal; /* 0: none so far */
	bool remove, apply;
	size_t symbols, new_pairs;
};

static void send_list(struct session *session, struct enc *enc, const char *name, unsigned channel)
{
	struct sim_walk *walk = session->sim->walk;
	uint16_t bit = (uint16_t)(1u << channel);
	if (session->all & bit) {
		enc_list(enc, name, "*");
		return;
	}
	size_t count = 0;
	for (size_t i = 0; i < session->mask_size; i++) {
		count += (session->mask[i] & bit) != 0;
	}
	enc_list_begin(enc, name, count);
	bool first = true;
	for (size_t i = 0; i < session->mask_size; i++) {
		if (session->mask[i] & bit) {
			enc_list_item(enc, sim_walk_at(walk, i)->text, first);
			first = false;
		}
	}
	enc_list_end(enc);
}

/* The whole current set, with what follows from trades. */
static void send_subscription(struct session *session)
{
	struct lc_buf *out = &session->frame;
	struct enc enc = {.out = out, .msgpack = session->msgpack};
	bool test = strcmp(session->feed, "test") == 0;
	unsigned last = test ? CH_BARS : session->crypto ? CH_DAILY : CH_LULDS;
	bool stocks = !test && !session->crypto;
	lc_buf_clear(out);
	enc_array(out, session->msgpack, 1);
	enc_begin(&enc, "subscription", last + 2 + (stocks ? 3 : 0));
	for (unsigned channel = 0; channel <= last; channel++) {
		send_list(session, &enc, channel_names[channel], channel);
	}
	if (stocks) {
		send_list(session, &enc, channel_names[CH_IMBALANCES], CH_IMBALANCES);
		send_list(session, &enc, "corrections", CH_TRADES);
		send_list(session, &enc, "cancelErrors", CH_TRADES);
	}
	enc_end(&enc);
	enc_array_end(out, session->msgpack);
	lc_ws_peer_send(session->peer, out->data, out->len, session->msgpack);
}

bool session_follows(const struct session *session, const struct sim_symbol *symbol, unsigned bit)
{
	if (!session->authed) {
		return false;
	}
	uint16_t mask = symbol->index < session->mask_size ? session->mask[symbol->index] : 0;
	bool crypto = strchr(symbol->text, '/') != NULL;
	return ((mask | session->all) & bit) != 0 && crypto == session->crypto;
}

static bool valid_symbol(const struct session *session, const char *text)
{
	size_t letters = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	if (session->crypto) {
		size_t quote = text[letters] == '/' ? strlen(text + letters + 1) : 0;
		return letters >= 2 && letters <= 6 && quote >= 3 && quote <= 5;
	}
	if (strcmp(session->feed, "test") == 0) {
		return strcmp(text, "FAKEPACA") == 0;
	}
	const char *p = text + letters;
	for (int suffixes = 0; *p == '.' && suffixes < 2; suffixes++) {
		size_t n = strspn(p + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
		if (n < 1 || n > 3) {
			return false;
		}
		p += n + 1;
	}
	return letters >= 1 && letters <= 5 && *p == '\0';
}

static int channel_of(const struct session *session, const char *key)
{
	unsigned last = strcmp(session->feed, "test") == 0 ? CH_BARS
			: session->crypto                  ? CH_DAILY
							   : CH_IMBALANCES;
	for (unsigned i = 0; i <= last; i++) {
		if (strcmp(channel_names[i], key) == 0) {
			return (int)i;
		}
	}
	return -1;
}

static bool grow_mask(struct session *session, size_t index)
{
	if (index < session->mask_size) {
		return true;
	}
	size_t size = index + 256;
	uint16_t *mask = realloc(session->mask, size * sizeof(*mask));
	if (mask == NULL) {
		return false;
	}
	memset(mask + session->mask_size, 0, (size - session->mask_size) * sizeof(*mask));
	session->mask = mask;
	session->mask_size = size;
	return true;
}

/* One (channel, symbol) of a subscription: checked in the first pass, set in the second. */
static void on_pair(struct request *request, const char *key, const char *text)
{
	struct session *session = request->session;
	int channel = channel_of(session, key);
	bool star = strcmp(text, "*") == 0;
	if (channel < 0) {
		request->refusal = request->refusal != 0 ? request->refusal : 410;
		return;
	}
	if (!star &&
		(!valid_symbol(session, text) || sim_in_list(session->sim->options.reject, text))) {
		request->refusal = 400;
		return;
	}
	uint16_t bit = (uint16_t)(1u << channel);
	request->symbols++;
	if (star) {
		session->all = !request->apply   ? session->all
			       : request->remove ? (uint16_t)(session->all & ~bit)
						 : session->all | bit;
		return;
	}
	struct sim_symbol *symbol = sim_walk_symbol(session->sim->walk, text);
	if (symbol == NULL || !grow_mask(session, symbol->index)) {
		request->refusal = 400;
		return;
	}
	uint16_t *mask = &session->mask[symbol->index];
	bool counts = channel == CH_TRADES || channel == CH_QUOTES;
	if (request->remove && (*mask & bit) && request->apply) {
		*mask &= (uint16_t)~bit;
		session->pairs -= counts;
	} else if (!request->remove && !(*mask & bit)) {
		request->new_pairs += counts;
		if (request->apply) {
			*mask |= bit;
			session->pairs += counts;
		}
	}
}

static void on_value(void *arg, const char *key, const char *text)
{
	struct request *request = arg;
	if (strcmp(key, "action") == 0) {
		snprintf(request->action, sizeof(request->action), "%s", text);
	} else if (strcmp(key, "key") == 0) {
		snprintf(request->key, sizeof(request->key), "%s", text);
	} else if (strcmp(key, "secret") == 0) {
		snprintf(request->secret, sizeof(request->secret), "%s", text);
	}
}

static void on_subscribed(void *arg, const char *key, const char *text)
{
	if (strcmp(key, "action") != 0) {
		on_pair(arg, key, text);
	}
}

static bool walk_message(
	struct session *session, const void *data, size_t len, sim_control_cb value, void *arg)
{
	return session->msgpack ? sim_control_msgpack(data, len, value, arg)
				: sim_control_json(data, len, value, arg);
}

static void subscribe(
	struct session *session, struct request *request, const void *data, size_t len)
{
	struct sim *sim = session->sim;
	struct alpaca *alpaca = sim->state;
	request->remove = strcmp(request->action, "unsubscribe") == 0;
	if (sim_faults_take(&sim->faults.sub_left)) {
		session_error(session, (int)sim->faults.sub_code);
		return;
	}
	walk_message(session, data, len, on_subscribed, request);
	size_t limit = (size_t)sim->options.symbol_limit;
	if (request->refusal == 0 && limit > 0 && session->pairs + request->new_pairs > limit) {
		request->refusal = 405;
	}
	if (request->refusal != 0) {
		session_error(session, request->refusal);
		return;
	}
	sim_log_subscribe(sim, request->symbols, len, request->remove);
	request->apply = true;
	walk_message(session, data, len, on_subscribed, request);
	alpaca->stale = true;
	send_subscription(session);
	if (isinf(sim->options.rate)) {
		bench_wake(session);
	}
}

void session_hear(void *arg, struct lc_ws_peer *peer, const void *data, size_t len, bool binary)
{
	struct session *session = arg;
	(void)peer;
	(void)binary;
	struct request request = {.session = session};
	if (session_held_back(session) && session->sim->faults.half_open_until_ns != 0) {
		return;
	}
	if (!walk_message(session, data, len, on_value, &request)) {
		session_error(session, 400);
	} else if (strcmp(request.action, "auth") == 0) {
		session_authenticate(session, request.key, request.secret);
	} else if (strcmp(request.action, "subscribe") == 0 ||
		   strcmp(request.action, "unsubscribe") == 0) {
		if (session->authed) {
			subscribe(session, &request, data, len);
		} else {
			session_error(session, 401);
		}
	} else {
		session_error(session, 400);
	}
}
