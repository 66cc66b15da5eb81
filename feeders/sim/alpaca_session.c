/* What a session of Alpaca's stream says: control messages, errors, batches of data. */
#include "alpaca_priv.h"

#include <string.h>

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
void session_control(struct session *session, const char *type, int code, const char *text)
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
	session_control(session, "error", code, error_text(code));
}

bool session_held_back(const struct session *session)
{
	return sim_held_back(session->sim) != NULL;
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
	sim_sent_flush(sim);
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
	if (session_held_back(session)) {
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
