/* Alpaca's authentication, by message or by the upgrade's headers. */
#include "alpaca_priv.h"

#include <string.h>

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

void session_authenticate(struct session *session, const char *key, const char *secret)
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
	session_control(session, "success", 0, "authenticated");
}

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
void session_take_headers(struct session *session, const struct lc_exchange *exchange)
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
