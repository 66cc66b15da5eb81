#include "sim_priv.h"

#include "livecore/zone.h"

#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STDIN_EVERY_NS (50 * LC_NS_PER_MS)

const struct sim_vendor *const sim_vendors[] = {
	&sim_alpaca, &sim_eastmoney, &sim_fushu, &sim_tencent, NULL};

void sim_put_price(struct lc_buf *out, int64_t value)
{
	lc_buf_decimal(out, (struct lc_decimal){.mantissa = value, .exponent = -4});
}

size_t sim_format_time(int64_t time_ns, char out[40])
{
	struct lc_civil c = lc_civil_from_ns(NULL, time_ns);
	int len = snprintf(out, 40, "%04d-%02d-%02dT%02d:%02d:%02d", c.year, c.month, c.day, c.hour,
		c.minute, c.second);
	if (c.nanosecond != 0) {
		len += snprintf(out + len, 40 - (size_t)len, ".%09d", c.nanosecond);
		while (out[len - 1] == '0') {
			len--;
		}
	}
	out[len++] = 'Z';
	out[len] = '\0';
	return (size_t)len;
}

bool sim_in_list(const char *list, const char *word)
{
	size_t len = strlen(word);
	for (const char *p = list; p != NULL && *p != '\0';) {
		size_t n = strcspn(p, ",");
		if (n == len && memcmp(p, word, n) == 0) {
			return true;
		}
		p += n + (p[n] == ',');
	}
	return false;
}

bool sim_exhausted(const struct sim *sim)
{
	int64_t limit = sim->options.limit_ticks;
	return limit > 0 && sim->stats.ticks >= (uint64_t)limit;
}

uint64_t sim_due(struct sim *sim, int64_t mono_ns)
{
	double rate = isinf(sim->options.rate) ? 1e6 : sim->options.rate;
	double elapsed_s = (double)(mono_ns - sim->last_turn_ns) / 1e9;
	sim->last_turn_ns = mono_ns;
	sim->credit += elapsed_s * rate;
	double most = rate / 4 > 1 ? rate / 4 : 1;
	sim->credit = sim->credit > most ? most : sim->credit;
	if (sim->faults.quiet_until_ns > mono_ns) {
		sim->credit = 0;
	}
	uint64_t due = (uint64_t)sim->credit;
	sim->credit -= (double)due;
	int64_t limit = sim->options.limit_ticks;
	if (limit > 0 && sim->stats.ticks + due > (uint64_t)limit) {
		due = (uint64_t)limit > sim->stats.ticks ? (uint64_t)limit - sim->stats.ticks : 0;
	}
	return due;
}

static bool is_quiet(const struct sim *sim, const struct sim_symbol *symbol)
{
	return symbol->market == SIM_HK &&
	       sim->faults.quiet_hk_until_ns > lc_loop_mono_ns(sim->loop);
}

struct sim_symbol *sim_next_trade(struct sim *sim, uint64_t *due, int64_t wall_ns)
{
	size_t count = sim_walk_count(sim->walk);
	for (size_t looked = 0; *due > 0 && looked < count; looked++) {
		sim->next = (sim->next + 1) % count;
		struct sim_symbol *symbol = sim_walk_at(sim->walk, sim->next);
		if (sim->vendor->is_followed(sim, sim->next) && !is_quiet(sim, symbol)) {
			sim_symbol_trade(symbol, wall_ns);
			--*due;
			return symbol;
		}
	}
	return NULL;
}

void sim_log_subscribe(struct sim *sim, size_t symbols, size_t bytes, bool remove)
{
	struct sim_stats *stats = &sim->stats;
	if (stats->subscribes < SIM_SUBSCRIBE_LOG) {
		stats->log[stats->subscribes] = (struct sim_subscribe){
			.wall_ns = lc_loop_wall_ns(sim->loop),
			.symbols = (uint32_t)symbols,
			.bytes = (uint32_t)bytes,
			.remove = remove};
	}
	stats->subscribes++;
}

void sim_reply_json(struct lc_exchange *exchange, int status, struct lc_buf *body)
{
	const struct lc_response response = {
		.status = status, .content_type = "application/json; charset=UTF-8"};
	lc_exchange_respond_buf(exchange, &response, body);
	lc_buf_finish(body);
}

static void write_counters(struct sim *sim, struct lc_buf *out)
{
	const struct sim_stats *s = &sim->stats;
	const struct {
		const char *name;
		uint64_t value;
	} counters[] = {{"connections", lc_http_server_stats(sim->server).connections},
		{"accepted", lc_http_server_stats(sim->server).accepted}, {"sessions", s->sessions},
		{"requests", s->requests}, {"upgrades_refused", s->upgrades_refused},
		{"bans", s->bans}, {"auths", s->auths}, {"auth_failures", s->auth_failures},
		{"ticks", s->ticks}, {"trades", s->trades}, {"quotes", s->quotes},
		{"snapshots", s->snapshots}, {"messages", s->messages}, {"frames", s->frames},
		{"subscribes", s->subscribes}, {"faults_left", (uint64_t)sim_faults_left(sim)}};
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		lc_buf_printf(out, ",\"%s\":%" PRIu64, counters[i].name, counters[i].value);
	}
}

static void put_followed(const struct sim *sim, struct lc_buf *out)
{
	const char *between = "";
	for (size_t i = 0; i < sim_walk_count(sim->walk); i++) {
		if (sim->vendor->is_followed(sim, i)) {
			lc_buf_printf(out, "%s\"%s\"", between, sim_walk_at(sim->walk, i)->text);
			between = ",";
		}
	}
}

static void serve_stats(struct sim *sim, struct lc_exchange *exchange)
{
	struct lc_buf out;
	lc_buf_init(&out, 8 << 20);
	lc_buf_printf(&out, "{\"vendor\":\"%s\"", sim->vendor->name);
	write_counters(sim, &out);
	lc_buf_puts(&out, ",\"subscribe_log\":[");
	uint64_t logged = sim->stats.subscribes < SIM_SUBSCRIBE_LOG ? sim->stats.subscribes
								    : SIM_SUBSCRIBE_LOG;
	for (uint64_t i = 0; i < logged; i++) {
		const struct sim_subscribe *entry = &sim->stats.log[i];
		lc_buf_printf(&out,
			"%s{\"wall_ns\":%" PRId64 ",\"symbols\":%u,\"bytes\":%u,\"remove\":%s}",
			i == 0 ? "" : ",", entry->wall_ns, entry->symbols, entry->bytes,
			entry->remove ? "true" : "false");
	}
	lc_buf_printf(&out, "],\"tape_left\":%zu,\"symbols\":[",
		sim->tape != NULL ? sim->tape->count - sim->tape->next : 0);
	put_followed(sim, &out);
	lc_buf_puts(&out, "]}\n");
	sim_reply_json(exchange, 200, &out);
}

/* POST /sim/fault with the specification as body, or as ?spec=. */
static void serve_fault(struct sim *sim, struct lc_exchange *exchange)
{
	const struct lc_request *request = lc_exchange_request(exchange);
	if (strcmp(request->method, "POST") != 0) {
		lc_exchange_fail(exchange, 405, "POST the faults");
		return;
	}
	char spec[1024] = "";
	const char *query = lc_exchange_query(exchange, "spec");
	if (query != NULL) {
		snprintf(spec, sizeof(spec), "%s", query);
	} else if (request->body_len < sizeof(spec)) {
		memcpy(spec, request->body_len > 0 ? request->body : "", request->body_len);
		spec[request->body_len] = '\0';
	}
	struct lc_error err = {0};
	int64_t mono_ns = lc_loop_mono_ns(sim->loop);
	if (spec[0] == '\0' || sim_faults_add(sim, spec, mono_ns, &err) != LC_OK) {
		lc_exchange_fail(exchange, 400, spec[0] == '\0' ? "no faults given" : err.text);
		return;
	}
	sim_faults_turn(sim, mono_ns);
	struct lc_buf out;
	lc_buf_init(&out, 64);
	lc_buf_puts(&out, "{\"ok\":true}\n");
	sim_reply_json(exchange, 200, &out);
}

/* A ban has no answer; a refusal has a status. */
static bool refused_by_fault(struct sim *sim, struct lc_exchange *exchange)
{
	if (sim_faults_take(&sim->faults.ban_left)) {
		sim->stats.bans++;
		lc_exchange_abort(exchange);
		return true;
	}
	if (!sim_faults_take(&sim->faults.refuse_left)) {
		return false;
	}
	sim->stats.upgrades_refused += lc_exchange_request(exchange)->upgrade;
	const char *const headers[] = {"Retry-After: 2", NULL};
	const struct lc_response response = {.status = (int)sim->faults.refuse_status,
		.headers = sim->faults.refuse_status == 429 ? headers : NULL,
		.close = true};
	lc_exchange_respond(exchange, &response);
	return true;
}

static void on_request(void *arg, struct lc_exchange *exchange)
{
	struct sim *sim = arg;
	const char *path = lc_exchange_request(exchange)->path;
	if (strcmp(path, "/sim/stats") == 0) {
		serve_stats(sim, exchange);
		return;
	}
	if (strcmp(path, "/sim/fault") == 0) {
		serve_fault(sim, exchange);
		return;
	}
	sim->stats.requests++;
	if (!refused_by_fault(sim, exchange)) {
		sim->vendor->on_request(sim, exchange);
	}
}

static void on_destroyed(void *arg)
{
	struct sim *sim = arg;
	lc_loop_stop(sim->loop);
}

static void stop(struct sim *sim)
{
	if (sim->stopping) {
		return;
	}
	sim->stopping = true;
	lc_timer_stop(sim->turn);
	lc_http_server_destroy(sim->server, on_destroyed, sim);
}

static void on_signal(void *arg, int signo)
{
	(void)signo;
	stop(arg);
}

/* What a parent writes is read and dropped; its end is our end. */
static bool stdin_ended(void)
{
	struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
	char dropped[256];
	return poll(&fd, 1, 0) > 0 && read(STDIN_FILENO, dropped, sizeof(dropped)) == 0;
}

static void on_turn(void *arg)
{
	struct sim *sim = arg;
	int64_t mono_ns = lc_loop_mono_ns(sim->loop);
	bool look = mono_ns / STDIN_EVERY_NS != sim->last_turn_ns / STDIN_EVERY_NS;
	if (sim->options.exit_with_stdin && look && stdin_ended()) {
		stop(sim);
		return;
	}
	sim_faults_turn(sim, mono_ns);
	int64_t wall_ns = lc_loop_wall_ns(sim->loop);
	if (sim->faults.clock_until_ns > mono_ns) {
		wall_ns += sim->faults.clock_ns;
	}
	sim->vendor->on_turn(sim, mono_ns, wall_ns);
}

static enum lc_err open_files(struct sim *sim, struct lc_error *err)
{
	if (sim->options.tape != NULL) {
		enum lc_err rc = sim_tape_load(sim->options.tape, &sim->tape, err);
		if (rc != LC_OK) {
			return rc;
		}
		if (sim->options.tape_from != NULL) {
			sim_tape_from(sim->tape, sim->options.tape_from);
		}
	}
	enum lc_err rc = sim_sent_open(sim, err);
	return rc == LC_OK ? sim_walk_create((uint64_t)sim->options.seed, &sim->walk) : rc;
}

static enum lc_err listen_on(struct sim *sim, struct lc_error *err)
{
	char address[96];
	snprintf(address, sizeof(address), "%s:%d", sim->options.bind, sim->options.port);
	const struct lc_http_server_options options = {
		.address = address,
		.tls_cert = sim->options.tls_cert,
		.tls_key = sim->options.tls_key,
		.headers = sim->vendor->headers,
		.max_connections = 256,
		.max_header_bytes = 32 * 1024,
		.max_pending_bytes = 16 << 20,
		.write_timeout_ms = 120000,
		.deflate = sim->options.deflate,
		.on_request = on_request,
		.arg = sim,
	};
	return lc_http_server_create(sim->loop, &options, &sim->server, err);
}

static enum lc_err start(struct sim *sim, struct lc_error *err)
{
	enum lc_err rc = open_files(sim, err);
	if (rc == LC_OK) {
		rc = listen_on(sim, err);
	}
	if (rc == LC_OK) {
		rc = lc_timer_create(sim->loop, on_turn, sim, &sim->turn);
	}
	if (rc == LC_OK) {
		rc = sim_tape_begin(sim, err);
	}
	if (rc == LC_OK) {
		rc = sim->vendor->start(sim, err);
	}
	sim->last_turn_ns = lc_loop_mono_ns(sim->loop);
	if (rc == LC_OK && sim->options.faults != NULL) {
		rc = sim_faults_add(sim, sim->options.faults, sim->last_turn_ns, err);
	}
	if (rc == LC_OK) {
		lc_loop_on_signal(sim->loop, SIGTERM, on_signal, sim);
		lc_loop_on_signal(sim->loop, SIGINT, on_signal, sim);
		lc_timer_start(sim->turn, 1, sim->options.rate >= 200 ? 1 : 5);
		bool bare6 = strchr(sim->options.bind, ':') && sim->options.bind[0] != '[';
		printf("listening vendor=%s url=%s%s://%s%s%s:%d%s\n", sim->vendor->name,
			sim->vendor->scheme, sim->options.tls_cert != NULL ? "s" : "",
			bare6 ? "[" : "", sim->options.bind, bare6 ? "]" : "",
			lc_http_server_port(sim->server), sim->vendor->path);
		fflush(stdout);
	}
	return rc;
}

static void finish(struct sim *sim)
{
	lc_timer_destroy(sim->turn);
	if (sim->state != NULL) {
		sim->vendor->stop(sim);
	}
	lc_loop_destroy(sim->loop);
	lc_metrics_destroy(sim->metrics);
	lc_log_destroy(sim->log);
	sim_walk_destroy(sim->walk);
	sim_tape_destroy(sim->tape);
	sim_sent_close(sim);
}

static int run(struct sim *sim)
{
	struct lc_error err = {0};
	if (lc_log_create(STDERR_FILENO, false, LC_LOG_INFO, &sim->log) != LC_OK ||
		lc_metrics_create(&sim->metrics) != LC_OK ||
		lc_loop_create(sim->log, sim->metrics, &sim->loop) != LC_OK) {
		fprintf(stderr, "sim: out of memory\n");
		return 1;
	}
	enum lc_err rc = start(sim, &err);
	if (rc != LC_OK) {
		fprintf(stderr, "sim: %s\n", err.text[0] != '\0' ? err.text : lc_err_text(rc));
		if (sim->server == NULL) {
			finish(sim);
			return 1;
		}
		stop(sim);
	}
	lc_loop_run(sim->loop);
	finish(sim);
	return rc == LC_OK ? 0 : 1;
}

int lc_sim_main(int argc, char **argv)
{
	struct lc_buf message;
	lc_buf_init(&message, 16384);
	struct sim_options options;
	if (!sim_options_parse(argc, argv, &options, &message)) {
		bool help = argc > 0 && message.len > 0 &&
			    strncmp(lc_buf_text(&message), "usage", 5) == 0;
		fputs(lc_buf_text(&message), help ? stdout : stderr);
		lc_buf_finish(&message);
		return help && argc > 0 ? 0 : 2;
	}
	lc_buf_finish(&message);
	struct sim *sim = calloc(1, sizeof(*sim));
	if (sim == NULL) {
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	sim->options = options;
	sim->random = (uint64_t)options.seed * 2 + 1;
	for (size_t i = 0; sim_vendors[i] != NULL; i++) {
		if (strcmp(sim_vendors[i]->name, options.vendor) == 0) {
			sim->vendor = sim_vendors[i];
		}
	}
	int code = run(sim);
	free(sim);
	return code;
}
