#include "app/check.h"
#include "livecore/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What failed at Redis, and what to do. */
static void report_redis(struct check *check, const char *what, int64_t started_ns, const char *why)
{
	char text[512];
	bool told = strstr(why, "redis.") != NULL; /* a refused login names its settings */
	snprintf(text, sizeof text, "%s%s", why,
		told ? ""
		     : ": does Redis run there, and may this machine reach it? (redis.address)");
	lc_check_report(check, what, false, started_ns, text);
}

/* --- the followed sets --- */

static void on_store_closed(void *arg)
{
	struct check *check = arg;
	lc_check_settled(check);
}

static void on_store_loaded(void *arg, struct lc_saved_interest *saved, const struct lc_error *err)
{
	struct check *check = arg;
	const struct lc_interest_config *interest = lc_config_section(
		check->process.config, "interest");
	char text[256];
	snprintf(text, sizeof text, "%s: %zu portfolio(s) stored",
		lc_interest_store_server(check->store), saved ? saved->portfolio_count : 0);
	if (err && interest->store == LC_INTEREST_REDIS) {
		report_redis(check, "store", check->store_started_ns, err->text);
	} else {
		lc_check_report(
			check, "store", !err, check->store_started_ns, err ? err->text : text);
	}
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
	if (rc != LC_OK) {
		bool in_use = rc == LC_ERR_EXISTS;
		lc_check_report(check, "store", in_use, check->store_started_ns, err.text);
	}
	return rc == LC_OK;
}

/* As the manager will: the key has the node's name, which is the host's when none is set. */
static enum lc_err open_in_redis(struct check *check, struct lc_error *err)
{
	const struct lc_node_config *node = lc_config_section(check->process.config, "node");
	char host[256] = "";
	if (node->id[0] == '\0' && gethostname(host, sizeof host - 1) != 0) {
		return lc_error_set(err, LC_ERR_INVALID, "this host has no name: set node.id");
	}
	return lc_interest_store_open_redis(check->process.loop,
		lc_config_section(check->process.config, "redis"), node->id[0] ? node->id : host,
		on_store_loaded, check, &check->store, err);
}

/* There is no directory yet: may one be made where it is to be? */
static void say_new_store(struct check *check)
{
	char parent[sizeof check->state_dir], text[sizeof check->state_dir + 128];
	snprintf(parent, sizeof parent, "%s", check->state_dir);
	while (access(parent, F_OK) != 0 && strchr(parent, '/')) {
		*strrchr(parent, '/') = '\0';
		if (parent[0] == '\0') {
			strcpy(parent, "/");
		}
	}
	if (access(strchr(parent, '/') ? parent : ".", W_OK | X_OK) == 0) {
		lc_check_skip("store", "new", "it is made at the first start");
		return;
	}
	snprintf(text, sizeof text,
		"%s cannot be made in %s (%s): make that writable for this user, or set state.dir",
		check->state_dir, parent, strerror(errno));
	lc_check_report(check, "store", false, check->store_started_ns, text);
}

static void try_store(struct check *check)
{
	const struct lc_interest_config *interest = lc_config_section(
		check->process.config, "interest");
	struct lc_error err = {.text = "out of memory"};
	enum lc_err rc;
	check->store_started_ns = lc_clock_mono_ns();
	if (interest->store == LC_INTEREST_REDIS) {
		rc = open_in_redis(check, &err);
	} else if (access(check->state_dir, F_OK) != 0) {
		say_new_store(check);
		return;
	} else if (!take_state_dir(check, check->state_dir)) {
		return;
	} else {
		rc = lc_interest_store_open(check->process.loop, check->state_dir, on_store_loaded,
			check, &check->store);
	}
	if (rc == LC_OK) {
		check->waiting++;
	} else {
		lc_check_report(check, "store", false, check->store_started_ns, err.text);
	}
}

/* --- Redis --- */

/* INFO's answer has a line redis_version:7.0.15. */
static void on_redis_info(void *arg, const struct lc_redis_reply *reply, const struct lc_error *err)
{
	struct check *check = arg;
	size_t len;
	char text[96] = "answered; its version may not be asked (INFO)";
	const char *info = lc_redis_reply_text(reply, &len);
	const char *version = info ? memmem(info, len, "redis_version:", 14) : NULL;
	if (!err && version) {
		version += 14;
		size_t left = len - (size_t)(version - info);
		const char *end = memchr(version, '\r', left);
		snprintf(text, sizeof text, "Redis %.*s answered",
			(int)(end && end - version < 40 ? end - version : 0), version);
	}
	lc_check_report(check, "redis", true, check->redis_started_ns, text);
	lc_check_settled(check);
}

static void on_redis(void *arg, bool up, const char *why)
{
	struct check *check = arg;
	if (check->redis_answered) {
		return; /* it tries again while others are waited for */
	}
	check->redis_answered = true;
	const char *words[] = {"INFO", "server"};
	if (up && lc_redis_command(check->redis, words, 2, on_redis_info, check) == LC_OK) {
		return;
	}
	if (up) {
		lc_check_report(check, "redis", true, check->redis_started_ns, "answered");
	} else {
		report_redis(check, "redis", check->redis_started_ns, why);
	}
	lc_check_settled(check);
}

static void try_redis(struct check *check)
{
	const struct lc_redis_config *config = lc_config_section(check->process.config, "redis");
	struct lc_error err;
	check->redis_started_ns = lc_clock_mono_ns();
	if (config->address[0] == '\0') {
		lc_check_skip("redis", "off", "redis.address is not set");
		return;
	}
	check->waiting++;
	if (lc_redis_create(check->process.loop, config, on_redis, check, &check->redis, &err) !=
		LC_OK) {
		check->waiting--;
		lc_check_report(check, "redis", false, check->redis_started_ns, err.text);
	}
}

/* --- the bar store --- */

static void on_bars_closed(void *arg)
{
	struct check *check = arg;
	lc_check_settled(check);
}

static void on_bars_answer(void *arg, const struct lc_error *err)
{
	struct check *check = arg;
	struct lc_bar_store_status status = lc_bar_store_status(check->bars);
	char text[128];
	if (err && err->code == LC_ERR_NOT_FOUND) {
		lc_check_skip("bars", "new", err->text);
	} else {
		snprintf(text, sizeof text, "%s %s", status.backend, status.server);
		lc_check_report(
			check, "bars", !err, check->bars_started_ns, err ? err->text : text);
	}
	lc_bar_store_close(check->bars, on_bars_closed, check);
}

static void try_bars(struct check *check)
{
	const struct lc_store_config *store = lc_config_section(check->process.config, "store");
	struct lc_error err;
	check->bars_started_ns = lc_clock_mono_ns();
	if (store->backend == LC_BARS_NONE) {
		lc_check_skip("bars", "off", "store.backend is none");
		return;
	}
	const struct lc_bar_store_options options = {.loop = check->process.loop,
		.config = store,
		.state_dir = check->state_dir,
		.read_only = true};
	if (lc_bar_store_open(&options, &check->bars, &err) != LC_OK) {
		lc_check_report(check, "bars", false, check->bars_started_ns, err.text);
		return;
	}
	check->waiting++;
	lc_bar_store_init(check->bars, on_bars_answer, check);
}

void lc_check_stores(struct check *check)
{
	struct lc_error err;
	const struct lc_state_config *state = lc_config_section(check->process.config, "state");
	if (lc_settings_state_dir(state, check->state_dir, sizeof check->state_dir, &err)) {
		lc_check_report(check, "state", false, lc_clock_mono_ns(), err.text);
	}
	try_store(check);
	try_bars(check);
	try_redis(check);
}
