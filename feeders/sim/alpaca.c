/* Alpaca's market-data stream: upgrade, authentication, subscriptions, errors, faults. */
#include "alpaca_priv.h"
#include "control.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_PENDING (8 << 20)

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

static const char *error_text(int code)
{
	static const struct {
		int code;
		const char *text;
	} texts[] = {{400, "invalid syntax"}, {401, "not authenticated"}, {402, "auth failed"},
		{403, "already authenticated"}, {404, "auth timeout"},
		{405, "symbol limit exceeded"}, {406, "connection limit exceeded"},
		{407, "slow client"}, {408, "v2 not enabled"}, {409, "insufficient subscription"},
		{410, "invalid subscribe action for this feed"}, {411, "insufficient scope"}};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (texts[i].code == code) {
			return texts[i].text;
		}
	}
	return "internal error";
}

/* Control messages are always alone in their array. */
static void send_control(struct session *session, const char *type, int code, const char *text)
{
	struct lc_buf *out = &session->frame;
	struct enc enc = {.out = out, .msgpack = session->msgpack};
	lc_buf_clear(out);
	enc_array(out, session->msgpack, 1);
	enc_begin(&enc, type, code != 0 ? 3 : 2);
	if (code != 0) {
		enc_int(&enc, "code", code);
	}
	enc_str(&enc, "msg", text);
	enc_end(&enc);
	enc_array_end(out, session->msgpack);
	lc_ws_peer_send(session->peer, out->data, out->len, session->msgpack);
}

void session_error(struct session *session, int code)
{
	send_control(session, "error", code, error_text(code));
}

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

static bool held_back(const struct session *session)
{
	const struct sim_faults *faults = &session->sim->faults;
	int64_t now_ns = lc_loop_mono_ns(session->sim->loop);
	return faults->mute_until_ns > now_ns || faults->half_open_until_ns > now_ns;
}

void session_send_batch(struct session *session)
{
	if (session->batch_count == 0) {
		return;
	}
	struct lc_buf *out = &session->frame;
	lc_buf_clear(out);
	enc_array(out, session->msgpack, session->batch_count);
	lc_buf_append(out, session->batch.data, session->batch.len);
	enc_array_end(out, session->msgpack);
	struct sim *sim = session->sim;
	if (lc_ws_peer_send(session->peer, out->data, out->len, session->msgpack) == LC_ERR_FULL &&
		!session->closing) {
		session->closing = true;
		session_error(session, 407);
		lc_ws_peer_abort(session->peer);
	}
	sim->stats.frames++;
	sim->stats.messages += session->batch_count;
	lc_buf_clear(&session->batch);
	session->batch_count = 0;
}

void session_add(struct session *session, size_t messages)
{
	struct alpaca *alpaca = session->sim->state;
	if (held_back(session)) {
		return;
	}
	if (!session->msgpack && session->batch_count > 0) {
		lc_buf_putc(&session->batch, ',');
	}
	lc_buf_append(&session->batch, alpaca->message.data, alpaca->message.len);
	session->batch_count += messages;
	if (session->batch_count >= (size_t)session->sim->options.per_frame) {
		session_send_batch(session);
	}
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

static size_t sessions_of(const struct session *session, const char *key)
{
	const struct alpaca *alpaca = session->sim->state;
	size_t count = 0;
	lc_list_each (node, &alpaca->sessions) {
		const struct session *other = container_of(node, struct session, node);
		count += other->authed && strcmp(other->key, key) == 0 &&
			 strcmp(other->feed, session->feed) == 0;
	}
	return count;
}

static int judge_auth(struct session *session, const char *key, const char *secret)
{
	struct sim *sim = session->sim;
	const char *known = sim->options.key != NULL ? sim->options.key : "demo-key";
	bool token = strcmp(key, "oauth") == 0 || strcmp(key, "access_token") == 0;
	if (sim_faults_take(&sim->faults.auth_left)) {
		return (int)sim->faults.auth_code;
	}
	if ((!token && strcmp(key, known) != 0) || strcmp(secret, sim->options.secret) != 0) {
		return 402;
	}
	if (sim->options.feeds != NULL && !sim_in_list(sim->options.feeds, session->feed)) {
		return 409;
	}
	if (sessions_of(session, key) >= (size_t)sim->options.connection_limit) {
		return 406;
	}
	return 0;
}

static void authenticate(struct session *session, const char *key, const char *secret)
{
	int refusal = session->authed ? 403 : judge_auth(session, key, secret);
	if (refusal != 0) {
		session->sim->stats.auth_failures++;
		session_error(session, refusal);
		return;
	}
	session->sim->stats.auths++;
	session->authed = true;
	session->auth_deadline_ns = 0;
	snprintf(session->key, sizeof(session->key), "%s", key);
	send_control(session, "success", 0, "authenticated");
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

static void on_message(
	void *arg, struct lc_ws_peer *peer, const void *data, size_t len, bool binary)
{
	struct session *session = arg;
	(void)peer;
	(void)binary;
	struct request request = {.session = session};
	if (held_back(session) && session->sim->faults.half_open_until_ns != 0) {
		return;
	}
	if (!walk_message(session, data, len, on_value, &request)) {
		session_error(session, 400);
	} else if (strcmp(request.action, "auth") == 0) {
		authenticate(session, request.key, request.secret);
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

static void on_drained(void *arg, struct lc_ws_peer *peer)
{
	(void)peer;
	bench_drained(arg);
}

static void on_open(void *arg, struct lc_ws_peer *peer)
{
	struct session *session = arg;
	(void)peer;
	send_control(session, "success", 0, "connected");
	if (session->key[0] != '\0') {
		/* The upgrade's headers brought the credentials; the secret waits in drip. */
		char key[128];
		snprintf(key, sizeof(key), "%s", session->key);
		session->key[0] = '\0';
		authenticate(session, key, lc_buf_text(&session->drip));
		lc_buf_clear(&session->drip);
	}
}

static void on_close(void *arg)
{
	struct session *session = arg;
	struct alpaca *alpaca = session->sim->state;
	session->sim->stats.sessions--;
	alpaca->stale = true;
	lc_list_remove(&session->node);
	bench_destroy(session->bench);
	lc_buf_finish(&session->batch);
	lc_buf_finish(&session->frame);
	lc_buf_finish(&session->drip);
	free(session->mask);
	free(session);
}

static const struct lc_ws_peer_handler peer_handler = {
	.on_open = on_open,
	.on_message = on_message,
	.on_drained = on_drained,
	.on_close = on_close,
};

static int base64_value(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;
	return at != NULL ? (int)(at - digits) : -1;
}

static void base64_decode(const char *text, char *out, size_t size)
{
	unsigned bits = 0;
	int have = 0;
	size_t len = 0;
	for (; base64_value(*text) >= 0 && len + 1 < size; text++) {
		bits = bits << 6 | (unsigned)base64_value(*text);
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[len++] = (char)(bits >> have);
		}
	}
	out[len] = '\0';
}

/* Credentials in the upgrade's headers, kept until the session is open. */
static void take_headers(struct session *session, const struct lc_exchange *exchange)
{
	const char *key = lc_exchange_header(exchange, "apca-api-key-id");
	const char *secret = lc_exchange_header(exchange, "apca-api-secret-key");
	const char *authorization = lc_exchange_header(exchange, "authorization");
	char pair[512] = "";
	if (authorization != NULL && strncmp(authorization, "Basic ", 6) == 0) {
		base64_decode(authorization + 6, pair, sizeof(pair));
		char *colon = strchr(pair, ':');
		if (colon != NULL) {
			*colon = '\0';
			key = pair;
			secret = colon + 1;
		}
	} else if (authorization != NULL && strncmp(authorization, "Bearer ", 7) == 0) {
		key = "oauth";
		secret = authorization + 7;
	}
	if (key != NULL && secret != NULL) {
		snprintf(session->key, sizeof(session->key), "%s", key);
		lc_buf_puts(&session->drip, secret);
	}
}

static struct session *create_session(struct sim *sim, const char *feed, bool crypto)
{
	struct session *session = calloc(1, sizeof(*session));
	if (session == NULL) {
		return NULL;
	}
	session->sim = sim;
	session->crypto = crypto;
	snprintf(session->feed, sizeof(session->feed), "%s", feed);
	lc_buf_init(&session->batch, MOST_PENDING);
	lc_buf_init(&session->frame, MOST_PENDING);
	lc_buf_init(&session->drip, MOST_PENDING);
	session->auth_deadline_ns = lc_loop_mono_ns(sim->loop) +
				    sim->options.auth_timeout_ms * LC_NS_PER_MS;
	return session;
}

static void accept_session(struct sim *sim, struct lc_exchange *exchange, const char *feed)
{
	struct alpaca *alpaca = sim->state;
	const char *type = lc_exchange_header(exchange, "content-type");
	bool crypto = strcmp(feed, "crypto/us") == 0;
	struct session *session = create_session(sim, feed, crypto);
	if (session == NULL) {
		lc_exchange_fail(exchange, 500, "out of memory");
		return;
	}
	session->msgpack = type != NULL && strstr(type, "msgpack") != NULL;
	take_headers(session, exchange);
	lc_list_append(&alpaca->sessions, &session->node);
	sim->stats.sessions++;
	lc_exchange_accept(exchange, &peer_handler, session, &session->peer);
}

static void on_request(struct sim *sim, struct lc_exchange *exchange)
{
	static const struct {
		const char *path, *feed;
	} feeds[] = {{"/v2/iex", "iex"}, {"/v2/sip", "sip"}, {"/v2/delayed_sip", "delayed_sip"},
		{"/v2/test", "test"}, {"/v1beta3/crypto/us", "crypto/us"}};
	const struct lc_request *request = lc_exchange_request(exchange);
	if (!request->upgrade) {
		rest_request(sim, exchange);
		return;
	}
	for (size_t i = 0; i < sizeof(feeds) / sizeof(feeds[0]); i++) {
		if (strcmp(feeds[i].path, request->path) == 0) {
			accept_session(sim, exchange, feeds[i].feed);
			return;
		}
	}
	lc_exchange_fail(exchange, 404, "not found");
}

static void on_turn(struct sim *sim, int64_t mono_ns, int64_t wall_ns)
{
	struct alpaca *alpaca = sim->state;
	bool half_open = sim->faults.half_open_until_ns > mono_ns;
	lc_list_each (node, &alpaca->sessions) {
		struct session *session = container_of(node, struct session, node);
		lc_ws_peer_mute(session->peer, half_open);
		if (session->bench != NULL && sim->faults.mute_until_ns <= mono_ns) {
			lc_ws_peer_want_drained(session->peer);
		}
		if (session->auth_deadline_ns != 0 && session->auth_deadline_ns <= mono_ns) {
			session->auth_deadline_ns = 0;
			session_error(session, 404);
			lc_ws_peer_close(session->peer, 1000, "auth timeout");
		}
	}
	feed_turn(sim, mono_ns, wall_ns);
}

static void fault_session(struct session *session, const struct sim_fault *fault)
{
	static const char cut_frame[] = "\x81\x7e\x0f\xa0[{\"T\":\"t\",\"S\":\"AAPL\",\"i\":1";
	static const char bad_frame[] = "\x8f\x03xyz";
	static const char garbage[] = "[{\"T\":\"t\",\"S\":\"AAPL\",\"p\":12.3.4,\"s\":}";
	struct lc_ws_peer *peer = session->peer;
	size_t written;
	switch (fault->kind) {
	case SIM_FAULT_MALFORMED:
		lc_ws_peer_send(peer, garbage, sizeof(garbage) - 1, session->msgpack);
		break;
	case SIM_FAULT_BAD_FRAME:
		lc_ws_peer_raw(peer, bad_frame, sizeof(bad_frame) - 1, &written);
		break;
	case SIM_FAULT_CUT:
		lc_ws_peer_raw(peer, cut_frame, sizeof(cut_frame) - 1, &written);
		lc_ws_peer_abort(peer);
		break;
	case SIM_FAULT_CLOSE:
		lc_ws_peer_close(peer, (int)fault->value, "scripted");
		break;
	case SIM_FAULT_DROP:
		lc_ws_peer_abort(peer);
		break;
	case SIM_FAULT_ERROR:
		session_error(session, (int)fault->value);
		if (fault->value == 407) {
			lc_ws_peer_close(peer, 1000, "slow client");
		}
		break;
	default:
		break;
	}
}

static void on_fault(struct sim *sim, const struct sim_fault *fault)
{
	struct alpaca *alpaca = sim->state;
	lc_list_each (node, &alpaca->sessions) {
		fault_session(container_of(node, struct session, node), fault);
	}
	if (fault->kind == SIM_FAULT_HALT) {
		feed_halt(sim, fault->value != 0);
	}
}

static void write_symbols(struct sim *sim, struct lc_buf *out)
{
	struct alpaca *alpaca = sim->state;
	bool first = true;
	for (size_t i = 0; i < sim_walk_count(sim->walk); i++) {
		bool followed = false;
		lc_list_each (node, &alpaca->sessions) {
			const struct session *s = container_of(node, struct session, node);
			followed = followed || (i < s->mask_size && s->mask[i] != 0);
		}
		if (followed) {
			lc_buf_printf(
				out, "%s\"%s\"", first ? "" : ",", sim_walk_at(sim->walk, i)->text);
			first = false;
		}
	}
}

static enum lc_err start(struct sim *sim, struct lc_error *err)
{
	if (sim->tape != NULL && sim->tape->count > 0 && sim->tape->rows[0].size == 0) {
		return lc_error_set(err, LC_ERR_INVALID, "alpaca plays tapes of trades");
	}
	struct alpaca *alpaca = calloc(1, sizeof(*alpaca));
	if (alpaca == NULL) {
		return LC_ERR_NOMEM;
	}
	lc_list_init(&alpaca->sessions);
	lc_buf_init(&alpaca->message, 1 << 20);
	/* Ids pass 2^53, as real ones do. */
	alpaca->trade_id = INT64_C(52983525000000000);
	sim->state = alpaca;
	return LC_OK;
}

static void stop(struct sim *sim)
{
	struct alpaca *alpaca = sim->state;
	lc_buf_finish(&alpaca->message);
	free(alpaca->active);
	free(alpaca->active_mask);
	free(alpaca);
}

static const char *const wanted_headers[] = {"apca-api-key-id", "apca-api-secret-key", NULL};

const struct sim_vendor sim_alpaca = {
	.name = "alpaca",
	.scheme = "ws",
	.path = "/v2/iex",
	.headers = wanted_headers,
	.start = start,
	.on_request = on_request,
	.on_turn = on_turn,
	.on_fault = on_fault,
	.write_symbols = write_symbols,
	.stop = stop,
};
