/* The WebSocket that only the replaced system knows. */
#include "control.h"
#include "eastmoney_priv.h"

#include <stdlib.h>
#include <string.h>

/* The sources disagree about the unit; the written example has shares. */
static int64_t ws_volume(const struct sim *sim, const struct sim_symbol *symbol)
{
	bool lots = strcmp(sim->options.ws_volume, "lots") == 0 && symbol->market == SIM_CN;
	return lots ? symbol->volume / 100 : symbol->volume;
}

/* The replaced system's form of a tick. */
void em_ws_tick(struct sim *sim, const struct sim_symbol *symbol)
{
	struct eastmoney *em = sim->state;
	struct lc_buf *text = &em->text;
	bool said = false;
	lc_list_each (node, &em->sockets) {
		struct em_ws *ws = container_of(node, struct em_ws, node);
		if (!ws->follows[symbol->index] || symbol->last == 0) {
			continue;
		}
		if (!said) {
			lc_buf_clear(text);
			lc_buf_printf(text, "{\"code\":\"%.*s\",\"market\":%d,\"price\":",
				(int)strcspn(symbol->text, "."), symbol->text,
				symbol->vendor_board);
			sim_put_price(text, symbol->last);
			lc_buf_printf(text,
				",\"volume\":%lld,\"amount\":", (long long)ws_volume(sim, symbol));
			sim_put_price(text, symbol->value);
			lc_buf_printf(text, ",\"timestamp\":%lld}",
				(long long)(symbol->time_ns / LC_NS_PER_S));
			em_count(sim, symbol, true);
			sim_sent_flush(sim);
			said = true;
		}
		lc_ws_peer_send(ws->peer, text->data, text->len, false);
		sim->stats.frames++;
	}
}

/* Bare, suffixed and secid forms are all understood. */
static struct sim_symbol *ws_symbol(struct sim *sim, const char *text)
{
	char secid[32];
	size_t len = strlen(text);
	if (len == 6 && strspn(text, "0123456789") == 6) {
		snprintf(secid, sizeof(secid), "%c.%s", strchr("569", text[0]) != NULL ? '1' : '0',
			text);
		if (strncmp(text, "92", 2) == 0) {
			secid[0] = '0';
		}
	} else if (len == 9 && text[6] == '.') {
		snprintf(secid, sizeof(secid), "%c.%.6s", strcmp(text + 6, ".SH") == 0 ? '1' : '0',
			text);
	} else if (len == 8 && strcmp(text + 5, ".HK") == 0) {
		snprintf(secid, sizeof(secid), "116.%.5s", text);
	} else {
		snprintf(secid, sizeof(secid), "%.30s", text);
	}
	return em_symbol(sim, secid, strlen(secid));
}

static void on_cmd(void *arg, const char *key, const char *text)
{
	struct em_ws *ws = arg;
	if (strcmp(key, "cmd") == 0) {
		ws->remove = strcmp(text, "unsub") == 0;
	}
}

static void on_code(void *arg, const char *key, const char *text)
{
	struct em_ws *ws = arg;
	if (strcmp(key, "codes") != 0 && strcmp(key, "symbols") != 0) {
		return;
	}
	struct sim_symbol *symbol = ws_symbol(ws->sim, text);
	ws->named++;
	if (symbol != NULL) {
		ws->follows[symbol->index] = !ws->remove;
		if (symbol->time_ns == 0) {
			symbol->time_ns = lc_loop_wall_ns(ws->sim->loop);
		}
	}
}

static void on_message(
	void *arg, struct lc_ws_peer *peer, const void *data, size_t len, bool binary)
{
	struct em_ws *ws = arg;
	(void)peer;
	(void)binary;
	ws->named = 0;
	ws->remove = false;
	if (sim_control_json(data, len, on_cmd, ws)) {
		sim_control_json(data, len, on_code, ws);
		sim_log_subscribe(ws->sim, ws->named, len, ws->remove);
		em_refollow(ws->sim);
	}
}

static void on_close(void *arg)
{
	struct em_ws *ws = arg;
	lc_list_remove(&ws->node);
	ws->sim->stats.sessions--;
	em_refollow(ws->sim);
	free(ws);
}

static const struct lc_ws_peer_handler ws_handler = {
	.on_message = on_message,
	.on_close = on_close,
};

void em_ws_serve(struct sim *sim, struct lc_exchange *exchange)
{
	struct eastmoney *em = sim->state;
	const char *authorization = lc_exchange_header(exchange, "authorization");
	char wanted[256];
	snprintf(wanted, sizeof(wanted), "Bearer %s",
		sim->options.key != NULL ? sim->options.key : "");
	if (sim->options.key != NULL &&
		(authorization == NULL || strcmp(authorization, wanted) != 0)) {
		sim->stats.auth_failures++;
		lc_exchange_fail(exchange, 401, "unauthorized");
		return;
	}
	struct em_ws *ws = calloc(1, sizeof(*ws));
	if (ws == NULL) {
		lc_exchange_fail(exchange, 500, "out of memory");
		return;
	}
	ws->sim = sim;
	lc_list_append(&em->sockets, &ws->node);
	sim->stats.sessions++;
	lc_exchange_accept(exchange, &ws_handler, ws, &ws->peer);
}

void em_ws_fault(struct sim *sim, const struct sim_fault *fault)
{
	struct eastmoney *em = sim->state;
	lc_list_each (node, &em->sockets) {
		struct em_ws *ws = container_of(node, struct em_ws, node);
		if (fault->kind == SIM_FAULT_MALFORMED) {
			lc_ws_peer_send(ws->peer, "{\"code\":", 8, false);
		} else if (fault->kind == SIM_FAULT_CLOSE) {
			lc_ws_peer_close(ws->peer, (int)fault->value, "scripted");
		} else if (fault->kind == SIM_FAULT_DROP || fault->kind == SIM_FAULT_CUT ||
			   fault->kind == SIM_FAULT_BAN) {
			lc_ws_peer_abort(ws->peer);
		} else if (fault->kind == SIM_FAULT_HALF_OPEN) {
			lc_ws_peer_mute(ws->peer, fault->value > 0);
		} else if (fault->kind == SIM_FAULT_CLEAR) {
			lc_ws_peer_mute(ws->peer, false);
		}
	}
}
