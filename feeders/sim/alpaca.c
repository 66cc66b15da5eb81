/* Alpaca's market-data stream: upgrades, the life of sessions, faults. */
#include "alpaca_priv.h"

#include <stdlib.h>
#include <string.h>

#define MOST_PENDING (8 << 20)

static void on_drained(void *arg, struct lc_ws_peer *peer)
{
	(void)peer;
	bench_drained(arg);
}

static void on_open(void *arg, struct lc_ws_peer *peer)
{
	struct session *session = arg;
	(void)peer;
	session_control(session, "success", 0, "connected");
	if (session->key[0] != '\0') {
		/* The upgrade's headers brought the credentials; the secret waits in drip. */
		char key[128];
		snprintf(key, sizeof(key), "%s", session->key);
		session->key[0] = '\0';
		session_authenticate(session, key, lc_buf_text(&session->drip));
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
	.on_message = session_hear,
	.on_drained = on_drained,
	.on_close = on_close,
};

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
	session_take_headers(session, exchange);
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

static bool is_followed(const struct sim *sim, size_t index)
{
	const struct alpaca *alpaca = sim->state;
	lc_list_each (node, &alpaca->sessions) {
		const struct session *session = container_of(node, struct session, node);
		if (index < session->mask_size && session->mask[index] != 0) {
			return true;
		}
	}
	return false;
}

static enum lc_err start(struct sim *sim, struct lc_error *err)
{
	(void)err;
	struct alpaca *alpaca = calloc(1, sizeof(*alpaca));
	if (alpaca == NULL) {
		return LC_ERR_NOMEM;
	}
	lc_list_init(&alpaca->sessions);
	lc_buf_init(&alpaca->message, 1 << 20);
	alpaca->linger_look_ns = INT64_MAX;
	alpaca->linger_until_ns = calloc(SIM_SYMBOLS_MAX, sizeof(*alpaca->linger_until_ns));
	alpaca->history = history_empty();
	if (alpaca->linger_until_ns == NULL) {
		free(alpaca);
		return LC_ERR_NOMEM;
	}
	/* Ids pass 2^53, as real ones do. */
	alpaca->trade_id = INT64_C(52983525000000000);
	sim->state = alpaca;
	return LC_OK;
}

static void stop(struct sim *sim)
{
	struct alpaca *alpaca = sim->state;
	lc_buf_finish(&alpaca->message);
	sim_ring_finish(&alpaca->history);
	free(alpaca->linger_until_ns);
	free(alpaca->active);
	free(alpaca->active_mask);
	free(alpaca);
}

static const char *const wanted_headers[] = {"apca-api-key-id", "apca-api-secret-key", NULL};

const struct sim_vendor sim_alpaca = {
	.name = "alpaca",
	.faults = SIM_FAULT_BIT(SIM_FAULT_DRIP) | SIM_FAULT_BIT(SIM_FAULT_BAD_FRAME) |
		  SIM_FAULT_BIT(SIM_FAULT_CLOSE) | SIM_FAULT_BIT(SIM_FAULT_DROP) |
		  SIM_FAULT_BIT(SIM_FAULT_DISORDER) | SIM_FAULT_BIT(SIM_FAULT_ERROR) |
		  SIM_FAULT_BIT(SIM_FAULT_AUTH_ERROR) | SIM_FAULT_BIT(SIM_FAULT_SUB_ERROR) |
		  SIM_FAULT_BIT(SIM_FAULT_HALT),
	.scheme = "ws",
	.path = "/v2/iex",
	.headers = wanted_headers,
	.tapes = SIM_TAPES_OF_TRADES,
	.start = start,
	.on_request = on_request,
	.on_turn = on_turn,
	.on_fault = on_fault,
	.is_followed = is_followed,
	.stop = stop,
};
