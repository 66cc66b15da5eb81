/* An interest store under test: SQLite in a folder of its own, or a real Redis that tools/redis
 * starts. */
#pragma once

#include "livecore/interest_store.h"
#include "loop_fixture.h"
#include "scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOPIC "ginkgo.live.interest.updates"

enum kind { SQLITE, REDIS, KINDS };

struct bench {
	struct fixture f;
	enum kind kind;
	char root[64], dir[128], address[64];
	struct lc_interest_store *store;
	struct lc_saved_interest *loaded; /* of the last open; owned */
	struct lc_error err;
	int loads, saves, closes;
	bool was_loaded, was_saved, was_closed;
};

static inline void on_loaded(void *arg, struct lc_saved_interest *saved, const struct lc_error *err)
{
	struct bench *b = arg;
	b->loads++;
	b->was_loaded = true;
	b->err = err ? *err : (struct lc_error){.code = LC_OK};
	cr_assert(err ? !saved : saved != NULL, "either saved or err");
	lc_saved_interest_free(b->loaded);
	b->loaded = saved;
}

static inline void on_saved(void *arg, const struct lc_error *err)
{
	struct bench *b = arg;
	b->saves++;
	b->was_saved = true;
	b->err = err ? *err : (struct lc_error){.code = LC_OK};
}

static inline void on_closed(void *arg)
{
	struct bench *b = arg;
	b->closes++;
	b->was_closed = true;
	b->store = NULL;
}

/* tools/redis VERB, in the bench's folder; what it prints is the address. */
static inline void redis_run(struct bench *b, const char *verb)
{
	char command[512];
	snprintf(command, sizeof command, LC_TEST_DATA "/../../tools/redis %s %s/redis 2>/dev/null",
		verb, b->root);
	FILE *pipe = popen(command, "r");
	char *line = fgets(b->address, sizeof b->address, pipe);
	b->address[line ? strcspn(line, "\n") : 0] = '\0';
	cr_assert_eq(pclose(pipe), 0, "%s", command);
}

/* Words of a command of redis-cli; *out is its answer. */
static inline void redis_cli(const struct bench *b, const char *words, char *out, size_t size)
{
	char command[512];
	snprintf(
		command, sizeof command, "redis-cli -p %s %s", strrchr(b->address, ':') + 1, words);
	FILE *pipe = popen(command, "r");
	size_t len = fread(out, 1, size - 1, pipe);
	out[len] = '\0';
	cr_assert_eq(pclose(pipe), 0, "%s", command);
}

static inline void bench_open(struct bench *b, enum kind kind)
{
	*b = (struct bench){.kind = kind};
	if (kind == REDIS && system("command -v redis-server >/dev/null") != 0) {
		cr_skip_test("redis-server is missing: tools/packages test installs it");
	}
	fixture_open(&b->f);
	strcpy(b->root, "/tmp/livecore-store-XXXXXX");
	cr_assert(mkdtemp(b->root));
	snprintf(b->dir, sizeof b->dir, "%s/state/of/it", b->root);
	if (kind == REDIS) {
		redis_run(b, "start");
	}
}

static inline void bench_close(struct bench *b)
{
	lc_saved_interest_free(b->loaded);
	if (b->kind == REDIS) {
		redis_run(b, "kill");
	}
	scratch_remove(b->root);
	fixture_close(&b->f);
}

static inline void start_store(struct bench *b)
{
	char none[] = "";
	const struct lc_redis_config redis = {
		.address = b->address, .username = none, .password = none, .timeout = 500};
	struct lc_error err;
	cr_assert_eq(b->kind == REDIS
			     ? lc_interest_store_open_redis(
				       b->f.loop, &redis, "n1", on_loaded, b, &b->store, &err)
			     : lc_interest_store_open(b->f.loop, b->dir, on_loaded, b, &b->store),
		LC_OK);
}

static inline void open_store(struct bench *b)
{
	b->was_loaded = false;
	start_store(b);
	cr_assert(!b->was_loaded, "never from inside the call");
	run_until(&b->f, &b->was_loaded);
}

static inline void close_store(struct bench *b)
{
	b->was_closed = false;
	lc_interest_store_close(b->store, on_closed, b);
	run_until(&b->f, &b->was_closed);
}

static inline void save(struct bench *b, struct lc_saved_interest *saved)
{
	b->was_saved = false;
	lc_interest_store_save(b->store, saved, on_saved, b);
	cr_assert(!b->was_saved, "never from inside the call");
	run_until(&b->f, &b->was_saved);
}

static inline struct lc_saved_interest *make_saved(size_t portfolios, size_t offsets)
{
	struct lc_saved_interest *saved = calloc(1, sizeof *saved);
	saved->portfolios = calloc(portfolios + 1, sizeof *saved->portfolios);
	saved->offsets = calloc(offsets + 1, sizeof *saved->offsets);
	saved->offset_count = offsets;
	strcpy(saved->topic, TOPIC);
	for (size_t i = 0; i < offsets; i++) {
		saved->offsets[i] = (struct lc_saved_offset){(int32_t)i, 1000 + (int64_t)i};
	}
	return saved;
}

static inline struct lc_saved_portfolio *add_portfolio(
	struct lc_saved_interest *saved, const char *id, size_t count)
{
	struct lc_saved_portfolio *portfolio = &saved->portfolios[saved->portfolio_count++];
	portfolio->id = strdup(id);
	portfolio->replace_ns = INT64_MIN;
	portfolio->latest_ns = 1767922200123456789;
	portfolio->entries = calloc(count + 1, sizeof *portfolio->entries);
	portfolio->count = count;
	for (size_t i = 0; i < count; i++) {
		struct lc_saved_entry *entry = &portfolio->entries[i];
		snprintf(entry->symbol, sizeof entry->symbol, "%06zu.SZ", i + 1);
		entry->follow_ns = INT64_MAX - (int64_t)i;
		entry->remove_ns = INT64_MIN;
		entry->since_ns = (int64_t)i;
	}
	return portfolio;
}

static inline const struct lc_saved_portfolio *find(
	const struct lc_saved_interest *saved, const char *id)
{
	for (size_t i = 0; i < saved->portfolio_count; i++) {
		if (strcmp(saved->portfolios[i].id, id) == 0) {
			return &saved->portfolios[i];
		}
	}
	return NULL;
}

static inline void reopen(struct bench *b)
{
	close_store(b);
	open_store(b);
	cr_assert_eq(b->err.code, LC_OK, "%s", b->err.text);
}
