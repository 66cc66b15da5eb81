/* For the tests of polling feeders: a feeder with a host that writes down what it is told, on the
 * loop of the test, and a scripted server. Header only. */
#pragma once

#include "livecore/feeder.h"
#include "livecore/http_client.h"
#include "livecore/ws_client.h"
#include "registry.h"
#include "tcp_server.h"

#include <stdio.h>

struct feeder_test {
	struct fixture f;
	struct tcp_server server;
	struct lc_http *http;
	struct lc_ws_hub *ws;
	struct lc_symbols *symbols;
	struct lc_config *config;
	struct lc_feeder *feeder;
	const struct lc_feeder_impl *impl;
	const struct lc_section *sections[1];

	struct lc_tick ticks[64];
	size_t n_ticks, n_bad, n_changed, n_same;
	const char *last_bad;
	bool up, down, ticked, bad, same; /* set by the host; the test clears what it waits for */
	bool gone_http, gone_ws;
	struct lc_down why;
	unsigned requests;       /* that the script saw */
	char last_request[8192]; /* its first line and headers */
	int mode;                /* for the script */
};

static inline struct feeder_test *feeder_test_of(struct lc_feeder *feeder)
{
	return feeder->env.host_data;
}

static inline void host_tick(struct lc_feeder *feeder, const struct lc_tick *tick)
{
	struct feeder_test *t = feeder_test_of(feeder);
	cr_assert_lt(t->n_ticks, 64u);
	t->ticks[t->n_ticks++] = *tick;
	t->ticked = true;
}

static inline void host_bad_input(
	struct lc_feeder *feeder, const char *reason, const char *sample, size_t len)
{
	struct feeder_test *t = feeder_test_of(feeder);
	(void)sample;
	(void)len;
	t->n_bad++;
	t->last_bad = reason;
	t->bad = true;
}

static inline void host_same(struct lc_feeder *feeder, uint32_t symbol, int64_t data_ns)
{
	struct feeder_test *t = feeder_test_of(feeder);
	(void)symbol;
	(void)data_ns;
	t->n_same++;
	t->same = true;
}

static inline void host_up(struct lc_feeder *feeder)
{
	feeder_test_of(feeder)->up = true;
}

static inline void host_down(struct lc_feeder *feeder, const struct lc_down *why)
{
	struct feeder_test *t = feeder_test_of(feeder);
	cr_assert(!t->down, "down() comes once");
	t->down = true;
	t->why = *why;
}

static inline void host_changed(struct lc_feeder *feeder)
{
	feeder_test_of(feeder)->n_changed++;
}

static const struct lc_feeder_host test_host = {
	.tick = host_tick,
	.bad_input = host_bad_input,
	.up = host_up,
	.down = host_down,
	.changed = host_changed,
	.same = host_same,
};

/* sets: NULL-terminated settings, as on the command line or as LIVECORE_…= in the environment;
 * "%d" in one stands for the server's port. */
static inline struct lc_config *load_settings(struct feeder_test *t, const char *const *sets)
{
	char texts[16][256];
	const char *list[17] = {NULL}, *environ_list[17] = {NULL};
	size_t n_list = 0, n_environ = 0;
	struct lc_config *config;
	struct lc_buf errors;
	for (size_t i = 0; sets[i]; i++) {
		const char *port = strstr(sets[i], "%d");
		snprintf(texts[i], sizeof(texts[i]), "%.*s",
			(int)(port ? port - sets[i] : (long)strlen(sets[i])), sets[i]);
		if (port) {
			size_t len = strlen(texts[i]);
			snprintf(texts[i] + len, sizeof(texts[i]) - len, "%d%s", t->server.port,
				port + 2);
		}
		if (strncmp(texts[i], "LIVECORE_", 9) == 0) {
			environ_list[n_environ++] = texts[i];
		} else {
			list[n_list++] = texts[i];
		}
	}
	lc_buf_init(&errors, 1 << 16);
	const struct lc_config_sources sources = {.sets = list, .environ = environ_list};
	t->sections[0] = t->impl->config;
	cr_assert_eq(lc_config_load(t->sections, 1, &sources, &config, &errors), LC_OK, "%s",
		lc_buf_text(&errors));
	lc_buf_finish(&errors);
	return config;
}

static inline void feeder_test_reload(struct feeder_test *t, const char *const *sets)
{
	struct lc_config *config = load_settings(t, sets);
	t->impl->configure(t->feeder, lc_config_section(config, t->impl->name));
	lc_config_destroy(t->config);
	t->config = config;
}

static inline void feeder_test_open(struct feeder_test *t, const struct lc_feeder_impl *impl,
	tcp_script script, const char *const *sets)
{
	*t = (struct feeder_test){.impl = impl};
	fixture_open(&t->f);
	tcp_server_open(&t->server, &t->f, script, t);
	t->config = load_settings(t, sets);
	struct lc_error err = {0};
	const struct lc_http_client_options options = {0};
	cr_assert_eq(lc_http_create(t->f.loop, &options, &t->http, &err), LC_OK, "%s", err.text);
	cr_assert_eq(lc_ws_hub_create(t->f.loop, &t->ws, &err), LC_OK, "%s", err.text);
	cr_assert_eq(lc_symbols_create(10000, 1, &t->symbols), LC_OK);
	const struct lc_feeder_env env = {.loop = t->f.loop,
		.symbols = t->symbols,
		.ws = t->ws,
		.http = t->http,
		.host = &test_host,
		.host_data = t,
		.source = 3,
		.config = lc_config_section(t->config, impl->name)};
	cr_assert_eq(impl->create(&env, &t->feeder, &err), LC_OK, "%s", err.text);
}

static inline void feeder_test_start(struct feeder_test *t)
{
	t->up = t->down = false;
	t->impl->start(t->feeder);
	cr_assert(!t->up && !t->down, "never from inside the call");
}

static inline void feeder_test_up(struct feeder_test *t)
{
	feeder_test_start(t);
	run_until(&t->f, &t->up);
}

static inline void feeder_test_stop(struct feeder_test *t)
{
	t->impl->stop(t->feeder);
	cr_assert(!t->down, "never from inside the call");
	run_until(&t->f, &t->down);
	cr_assert_eq(t->why.kind, LC_DOWN_ASKED);
}

static inline void set_flag(void *flag)
{
	*(bool *)flag = true;
}

static inline void feeder_test_close(struct feeder_test *t)
{
	t->impl->destroy(t->feeder);
	lc_http_destroy(t->http, set_flag, &t->gone_http);
	run_until(&t->f, &t->gone_http);
	lc_ws_hub_destroy(t->ws, set_flag, &t->gone_ws);
	run_until(&t->f, &t->gone_ws);
	lc_symbols_destroy(t->symbols);
	lc_config_destroy(t->config);
	tcp_server_close(&t->server);
	fixture_close(&t->f);
}

static inline uint32_t symbol_of(struct feeder_test *t, const char *text)
{
	uint32_t index;
	cr_assert_eq(lc_symbols_intern(t->symbols, text, strlen(text), &index), LC_OK, "%s", text);
	return index;
}

/* Follows or leaves the symbols of a comma-separated list. */
static inline void follow(struct feeder_test *t, const char *add, const char *remove)
{
	uint32_t list[2][1000];
	size_t n[2] = {0, 0};
	const char *texts[2] = {add, remove};
	for (int side = 0; side < 2; side++) {
		for (const char *at = texts[side]; *at;) {
			size_t len = strcspn(at, ",");
			char text[LC_SYMBOL_MAX] = {0};
			memcpy(text, at, len);
			list[side][n[side]++] = symbol_of(t, text);
			at += len + (at[len] == ',');
		}
	}
	size_t before = t->n_changed;
	t->impl->change(t->feeder, list[0], n[0], list[1], n[1]);
	cr_assert_eq(t->n_changed, before + 1);
}

static inline void wait_ticks(struct feeder_test *t, size_t n)
{
	while (t->n_ticks < n) {
		t->ticked = false;
		run_until(&t->f, &t->ticked);
	}
	cr_assert_eq(t->n_ticks, n);
}

static inline void wait_requests(struct feeder_test *t, unsigned n)
{
	int64_t give_up = lc_clock_mono_ns() + 60 * LC_NS_PER_S;
	while (t->requests < n) {
		uv_run(lc_loop_uv(t->f.loop), UV_RUN_ONCE);
		cr_assert_lt(lc_clock_mono_ns(), give_up, "the request did not come");
	}
}

/* Takes the next request off a connection and remembers it; false when none is complete. */
static inline bool next_request(struct tcp_conn *conn)
{
	struct feeder_test *t = conn->server->arg;
	if (!conn_request(conn, t->last_request, sizeof(t->last_request))) {
		return false;
	}
	t->requests++;
	return true;
}

static inline void answer_with(
	struct tcp_conn *conn, const char *status, const char *type, const char *body)
{
	char head[256];
	snprintf(head, sizeof(head),
		"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", status, type,
		strlen(body));
	conn_puts(conn, head);
	conn_puts(conn, body);
}

static inline void answer_json(struct tcp_conn *conn, const char *body)
{
	answer_with(conn, "200 OK", "application/json", body);
}
