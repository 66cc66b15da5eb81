/* livecore check: is a settings file right, and does what it names answer? */
#include "app/commands.h"
#include "app/process.h"
#include "app/timer_part.h"
#include "livecore/bar_store.h"
#include "livecore/feeder.h"
#include "livecore/file.h"
#include "livecore/http_client.h"
#include "livecore/interest_store.h"
#include "livecore/redis.h"
#include "livecore/topics.h"
#include "livecore/ws_client.h"
#include "timer/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MS 15000
#define FEEDERS_MAX 16

static const struct lc_usage usage = {"check", "[FILE]",
	"Prints \"ok\", or every mistake in the settings file with file, line, column and the "
	"nearest valid name. With --connect\n"
	"it also tries Kafka, each vendor that is configured, the store, and Redis when it is "
	"named, and says what answered, how fast, and what to do."};

/* One vendor being tried: its feeder opens a session and closes it again. */
struct trial {
	struct check *check; /* borrowed */
	const struct lc_feeder_impl *impl;
	struct lc_feeder *feeder;
	int64_t started_ns;
	bool answered, open;
};

struct check {
	struct lc_process process;
	struct lc_timer *deadline;
	struct lc_ws_hub *ws;
	struct lc_http *http;
	struct lc_symbols *symbols;
	struct lc_interest_store *store;
	struct lc_bar_store *bars;
	int state_lock; /* -1: not held */
	struct trial trials[FEEDERS_MAX];
	size_t trial_count;
	int waiting; /* things that have not answered yet */
	int closing;
	bool failed;
	int64_t store_started_ns, redis_started_ns, bars_started_ns;
	struct lc_redis *redis;
	bool redis_answered;
	const char *symbols_text;
};

static void conclude(struct check *check);

static void report(
	struct check *check, const char *what, bool ok, int64_t started_ns, const char *text)
{
	double ms = (double)(lc_clock_mono_ns() - started_ns) / 1e6;
	printf("%-10s %-6s %8.1f ms  %s\n", what, ok ? "ok" : "FAILED", ms, text);
	fflush(stdout);
	check->failed |= !ok;
}

/* --- vendors --- */

static void settle(struct trial *trial, bool ok, const char *text)
{
	if (!trial->answered) {
		trial->answered = true;
		report(trial->check, trial->impl->name, ok, trial->started_ns, text);
	}
}

static void on_tick(struct lc_feeder *feeder, const struct lc_tick *tick)
{
	(void)feeder;
	(void)tick;
}

static void on_reference(struct lc_feeder *feeder, const struct lc_reference *reference)
{
	(void)feeder;
	(void)reference;
}

static void on_bad_input(
	struct lc_feeder *feeder, const char *reason, const char *sample, size_t len)
{
	(void)sample;
	(void)len;
	struct trial *trial = feeder->env.host_data;
	fprintf(stderr, "%s: sent something that could not be read (%s)\n", trial->impl->name,
		reason);
}

static void on_up(struct lc_feeder *feeder)
{
	struct trial *trial = feeder->env.host_data;
	settle(trial, true, "connected and ready for subscriptions");
	trial->impl->stop(trial->feeder);
}

static void on_down(struct lc_feeder *feeder, const struct lc_down *why)
{
	struct trial *trial = feeder->env.host_data;
	settle(trial, false, why->error.text);
	trial->open = false;
	trial->check->waiting--;
	conclude(trial->check);
}

static void on_changed(struct lc_feeder *feeder)
{
	(void)feeder;
}

static void on_rejected(struct lc_feeder *feeder, uint32_t symbol, bool limit, const char *reason)
{
	(void)feeder;
	(void)symbol;
	(void)limit;
	(void)reason;
}

static const struct lc_feeder_host host = {.tick = on_tick,
	.reference = on_reference,
	.bad_input = on_bad_input,
	.up = on_up,
	.down = on_down,
	.changed = on_changed,
	.rejected = on_rejected};

static bool may_run(const struct check *check, const char *name)
{
	const struct lc_routing_config *routing = lc_config_section(
		check->process.config, "routing");
	for (size_t i = 0; i < routing->feeders.count; i++) {
		if (strcmp(routing->feeders.items[i], name) == 0) {
			return true;
		}
	}
	return false;
}

static void try_vendor(struct check *check, const struct lc_feeder_impl *impl)
{
	if (!may_run(check, impl->name)) {
		printf("%-10s %-6s %11s  not among routing.feeders\n", impl->name, "off", "");
		return;
	}
	struct trial *trial = &check->trials[check->trial_count++];
	struct lc_error err;
	*trial = (struct trial){.check = check, .impl = impl, .started_ns = lc_clock_mono_ns()};
	const struct lc_feeder_env env = {.loop = check->process.loop,
		.symbols = check->symbols,
		.ws = check->ws,
		.http = check->http,
		.host = &host,
		.host_data = trial,
		.config = lc_config_section(check->process.config, impl->config->name)};
	if (impl->create(&env, &trial->feeder, &err) != LC_OK) {
		report(check, impl->name, false, trial->started_ns, err.text);
		return;
	}
	if (impl->usable(trial->feeder, &err) != LC_OK) {
		printf("%-10s %-6s %11s  %s\n", impl->name, "off", "", err.text);
		return;
	}
	trial->open = true;
	check->waiting++;
	impl->start(trial->feeder);
}

/* --- Kafka and the store --- */

static void on_topics(void *arg, const struct lc_topics_result *result)
{
	struct check *check = arg;
	int64_t started_ns = lc_clock_mono_ns() - result->elapsed_ms * LC_NS_PER_MS;
	char text[512];
	size_t missing = 0;
	if (result->err.code != LC_OK) {
		report(check, "kafka", false, started_ns, result->err.text);
	} else {
		for (size_t i = 0; i < result->count; i++) {
			missing += result->states[i].existing == 0;
		}
		snprintf(text, sizeof text,
			"%s answered for %d broker(s) (client librdkafka %s); %zu of %zu topics "
			"are missing%s",
			result->address, (int)result->brokers, lc_kafka_library_version(), missing,
			result->count, missing ? ": livecore topics create" : "");
		report(check, "kafka", true, started_ns, text);
	}
	check->waiting--;
	conclude(check);
}

static void try_kafka(struct check *check)
{
	struct lc_error err;
	if (lc_process_kafka(&check->process)->brokers[0] == '\0') {
		printf("%-10s %-6s %11s  kafka.brokers is not set\n", "kafka", "off", "");
		return;
	}
	check->waiting++;
	if (lc_topics_run(check->process.loop, lc_process_kafka(&check->process),
		    lc_process_topics(&check->process), false, ANSWER_MS, on_topics, check,
		    &err) != LC_OK) {
		check->waiting--;
		report(check, "kafka", false, lc_clock_mono_ns(), err.text);
	}
}

static void on_store_closed(void *arg)
{
	struct check *check = arg;
	check->waiting--;
	conclude(check);
}

static void on_store_loaded(void *arg, struct lc_saved_interest *saved, const struct lc_error *err)
{
	struct check *check = arg;
	char text[256];
	snprintf(text, sizeof text, "SQLite; %zu portfolio(s) stored",
		saved ? saved->portfolio_count : 0);
	report(check, "store", !err, check->store_started_ns, err ? err->text : text);
	if (saved) {
		lc_saved_interest_free(saved);
	}
	lc_interest_store_close(check->store, on_store_closed, check);
}

/* The directory is ours while we look, unless a process that runs has it: then it is in order. */
static bool take_state_dir(struct check *check, const char *dir)
{
	struct lc_error err;
	enum lc_err rc = lc_file_lock(dir, "state directory", &check->state_lock, &err);
	if (rc == LC_ERR_EXISTS) {
		report(check, "store", true, check->store_started_ns, err.text);
	} else if (rc != LC_OK) {
		report(check, "store", false, check->store_started_ns, err.text);
	}
	return rc == LC_OK;
}

static void try_store(struct check *check)
{
	const struct lc_state_config *state = lc_config_section(check->process.config, "state");
	check->store_started_ns = lc_clock_mono_ns();
	if (state->dir[0] == '\0' || access(state->dir, F_OK) != 0) {
		printf("%-10s %-6s %11s  it is made at the first start\n", "store", "new", "");
		return;
	}
	if (!take_state_dir(check, state->dir)) {
		return;
	}
	check->waiting++;
	if (lc_interest_store_open(check->process.loop, state->dir, on_store_loaded, check,
		    &check->store) != LC_OK) {
		check->waiting--;
		report(check, "store", false, check->store_started_ns, "out of memory");
	}
}

static void on_redis(void *arg, bool up, const char *why)
{
	struct check *check = arg;
	if (check->redis_answered) {
		return; /* it tries again while others are waited for */
	}
	check->redis_answered = true;
	report(check, "redis", up, check->redis_started_ns, up ? "answered" : why);
	check->waiting--;
	conclude(check);
}

static void try_redis(struct check *check)
{
	const struct lc_redis_config *config = lc_config_section(check->process.config, "redis");
	struct lc_error err;
	check->redis_started_ns = lc_clock_mono_ns();
	if (config->address[0] == '\0') {
		printf("%-10s %-6s %11s  redis.address is not set\n", "redis", "off", "");
		return;
	}
	check->waiting++;
	if (lc_redis_create(check->process.loop, config, on_redis, check, &check->redis, &err) !=
		LC_OK) {
		check->waiting--;
		report(check, "redis", false, check->redis_started_ns, err.text);
	}
}

/* --- the bar store --- */

static void on_bars_closed(void *arg)
{
	struct check *check = arg;
	check->waiting--;
	conclude(check);
}

static void on_bars_answer(void *arg, const struct lc_error *err)
{
	struct check *check = arg;
	struct lc_bar_store_status status = lc_bar_store_status(check->bars);
	char text[128];
	if (err && err->code == LC_ERR_NOT_FOUND) {
		printf("%-10s %-6s %11s  %s\n", "bars", "new", "", err->text);
	} else {
		snprintf(text, sizeof text, "%s %s", status.backend, status.server);
		report(check, "bars", !err, check->bars_started_ns, err ? err->text : text);
	}
	lc_bar_store_close(check->bars, on_bars_closed, check);
}

static void try_bars(struct check *check)
{
	const struct lc_store_config *store = lc_config_section(check->process.config, "store");
	const struct lc_state_config *state = lc_config_section(check->process.config, "state");
	struct lc_error err;
	check->bars_started_ns = lc_clock_mono_ns();
	if (store->backend == LC_BARS_NONE) {
		printf("%-10s %-6s %11s  store.backend is none\n", "bars", "off", "");
		return;
	}
	if (store->backend == LC_BARS_SQLITE && state->dir[0] == '\0') {
		printf("%-10s %-6s %11s  it is made at the first start\n", "bars", "new", "");
		return;
	}
	const struct lc_bar_store_options options = {.loop = check->process.loop,
		.config = store,
		.state_dir = state->dir,
		.read_only = true};
	if (lc_bar_store_open(&options, &check->bars, &err) != LC_OK) {
		report(check, "bars", false, check->bars_started_ns, err.text);
		return;
	}
	check->waiting++;
	lc_bar_store_init(check->bars, on_bars_answer, check);
}

/* --- the end --- */

static void on_part_closed(void *arg)
{
	struct check *check = arg;
	if (--check->closing == 0) {
		lc_loop_stop(check->process.loop);
	}
}

static void conclude(struct check *check)
{
	if (check->waiting > 0 || check->closing > 0) {
		return;
	}
	for (size_t i = 0; i < check->trial_count; i++) {
		if (check->trials[i].feeder) {
			check->trials[i].impl->destroy(check->trials[i].feeder);
			check->trials[i].feeder = NULL;
		}
	}
	check->closing = 2;
	lc_timer_destroy(check->deadline);
	check->deadline = NULL;
	lc_ws_hub_destroy(check->ws, on_part_closed, check);
	lc_http_destroy(check->http, on_part_closed, check);
}

static void on_deadline(void *arg)
{
	struct check *check = arg;
	for (size_t i = 0; i < check->trial_count; i++) {
		struct trial *trial = &check->trials[i];
		if (trial->open && !trial->answered) {
			settle(trial, false,
				"did not answer within 15 s: is the URL right, is there a "
				"firewall?");
			trial->impl->stop(trial->feeder);
		}
	}
}

static int connect_all(struct check *check)
{
	struct lc_loop *loop = check->process.loop;
	struct lc_error err;
	enum lc_err rc = lc_ws_hub_create(loop, &check->ws, &err);
	rc = rc ? rc : lc_http_create(loop, NULL, &check->http, &err);
	if (rc == LC_OK &&
		(lc_symbols_create(16, 1, &check->symbols) != LC_OK ||
			lc_timer_create(loop, on_deadline, check, &check->deadline) != LC_OK)) {
		rc = lc_error_set(&err, LC_ERR_NOMEM, "out of memory");
	}
	if (rc != LC_OK) {
		fprintf(stderr, "livecore: %s\n", err.text);
		return LC_EXIT_FAILED;
	}
	check->waiting++; /* held until all were started */
	lc_timer_start(check->deadline, ANSWER_MS, 0);
	try_kafka(check);
	for (size_t i = 0; lc_feeders[i] && i < FEEDERS_MAX; i++) {
		try_vendor(check, lc_feeders[i]);
	}
	try_store(check);
	try_bars(check);
	try_redis(check);
	check->waiting--;
	conclude(check);
	lc_loop_run(loop);
	lc_redis_destroy(check->redis);
	lc_symbols_destroy(check->symbols);
	lc_file_unlock(check->state_lock);
	return check->failed ? LC_EXIT_FAILED : LC_EXIT_OK;
}

static void explain(struct check *check)
{
	size_t count = (size_t)strtoul(check->symbols_text, NULL, 10);
	struct lc_buf out;
	lc_buf_init(&out, 64 * 1024);
	for (size_t i = 0; lc_feeders[i]; i++) {
		if (lc_feeders[i]->explain) {
			lc_feeders[i]->explain(lc_config_section(check->process.config,
						       lc_feeders[i]->config->name),
				count, &out);
		}
	}
	fputs(lc_buf_text(&out), stdout);
	lc_buf_finish(&out);
}

/* The timer's rules are a file of their own, which the settings name. */
static int check_rules(struct check *check)
{
	char path[4096];
	struct timer_rules *rules = NULL;
	struct lc_buf errors;
	lc_timer_rules_path(&check->process, check->process.config, path, sizeof path);
	if (path[0] == '\0') {
		return -1;
	}
	lc_buf_init(&errors, 64 * 1024);
	enum lc_err rc = timer_rules_load(path, &rules, &errors);
	fputs(lc_buf_text(&errors), stderr);
	lc_buf_finish(&errors);
	timer_rules_destroy(rules);
	return rc == LC_OK ? -1 : LC_EXIT_USAGE;
}

int lc_command_check(int argc, char **argv)
{
	struct check check = {.symbols_text = "5000", .state_lock = -1};
	bool connect = false;
	const struct lc_option options[] = {
		LC_PROCESS_OPTIONS(&check.process),
		{"connect", LC_OPTION_FLAG, &connect, NULL,
			"also try Kafka, the vendors, the store and Redis"},
		{"symbols", LC_OPTION_TEXT, &check.symbols_text, "N",
			"say how old quotes can get with N symbols (default 5000)"},
		{0},
	};
	int rc = lc_args_parse(&usage, options, &argc, argv);
	if (rc >= 0) {
		return rc;
	}
	if (argc > 2) {
		return lc_args_wrong(&usage, "check takes one file");
	}
	if (argc == 2) {
		check.process.config_file = argv[1];
	}
	rc = lc_process_load(&check.process);
	rc = rc >= 0 ? rc : check_rules(&check);
	if (rc < 0) {
		printf("ok%s%s\n",
			check.process.path[0] ? ": " : " (no settings file: all defaults)",
			check.process.path);
		explain(&check);
		rc = connect ? lc_process_start(&check.process) : LC_EXIT_OK;
	}
	if (rc < 0) {
		rc = connect_all(&check);
	}
	lc_process_finish(&check.process);
	return rc;
}
