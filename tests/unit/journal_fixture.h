/* A log on disk in a folder of the test's own, and a loop that runs until something holds. */
#pragma once

#include "livecore/journal_file.h"
#include "livecore/journal_memory.h"
#include "livecore/loop.h"
#include "scratch.h"
#include "trace_of.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY (6 * LC_JOURNAL_SEGMENT)
#define WAIT_MS 60000
#define OPEN_TRIES 1000

struct scene {
	struct lc_log *log;
	struct lc_metrics *metrics;
	struct lc_loop *loop;
	struct lc_timer *tick;
	struct lc_journal *journal;
	struct lc_journal_config config;
	char dir[64], memory[80];
	bool (*until)(struct scene *scene);
	int64_t give_up_ns;
	bool closed;
	size_t wanted; /* bytes of room that are waited for */
	/* what the handlers were told */
	int unprotected, protected_again;
	uint64_t lost, lost_ends, lost_records;
	uint64_t damages, damaged_records;
	int64_t hole_from_ns, hole_until_ns; /* of the last damage told */
};

static inline void on_tick(void *arg)
{
	struct scene *scene = arg;
	cr_assert(lc_loop_mono_ns(scene->loop) < scene->give_up_ns, "it did not come");
	if (scene->until(scene)) {
		lc_loop_stop(scene->loop);
	}
}

static inline void run_until(struct scene *scene, bool (*until)(struct scene *scene))
{
	scene->until = until;
	scene->give_up_ns = lc_loop_mono_ns(scene->loop) + WAIT_MS * LC_NS_PER_MS;
	lc_timer_start(scene->tick, 1, 1);
	lc_loop_run(scene->loop);
	lc_timer_stop(scene->tick);
}

static inline void on_protection(void *arg, bool is_protected, const char *why)
{
	struct scene *scene = arg;
	cr_assert(why[0]);
	scene->unprotected += !is_protected;
	scene->protected_again += is_protected;
}

static inline void on_lost(void *arg, const struct lc_journal_loss *loss)
{
	struct scene *scene = arg;
	if (strcmp(loss->cause, "journal_damaged") == 0) {
		cr_assert_eq(loss->key_len, 0);
		scene->damages++;
		scene->damaged_records += loss->records;
		scene->hole_from_ns = loss->first_ns;
		scene->hole_until_ns = loss->last_ns;
		return;
	}
	cr_assert(loss->first_ns <= loss->last_ns && loss->records > 0);
	scene->lost++;
	scene->lost_records += loss->records;
	/* Numbers are the times of the events here. */
	cr_assert(loss->first_ns > 0 && loss->first_ns <= loss->last_ns);
	cr_assert_lt(loss->last_ns, 1000000, "the time of the record, not of the event");
}

static inline void on_lost_end(void *arg, const char *cause, uint64_t records, uint64_t others)
{
	struct scene *scene = arg;
	(void)cause;
	(void)records;
	(void)others;
	scene->lost_ends++;
}

static inline bool at_once(struct scene *scene)
{
	(void)scene;
	return true;
}

static inline void open_journal(struct scene *scene)
{
	static const struct lc_journal_handlers handlers = {
		.protection = on_protection, .lost = on_lost, .lost_end = on_lost_end};
	struct lc_error err;
	enum lc_err rc = LC_ERR_EXISTS;
	/* The one before may still have a job in the pool, and with it the folder. */
	for (int tries = 0; rc == LC_ERR_EXISTS && tries < OPEN_TRIES; tries++) {
		rc = lc_journal_open(scene->loop, scene->dir, MEMORY, &scene->config,
			(struct lc_journal_progress){0}, &scene->journal, &err);
		if (rc == LC_ERR_EXISTS) {
			run_until(scene, at_once);
		}
	}
	cr_assert_eq(rc, LC_OK, "%s", err.text);
	lc_journal_handle(scene->journal, &handlers, scene);
}

static inline void begin_loop(struct scene *scene)
{
	cr_assert_eq(lc_metrics_create(&scene->metrics), LC_OK);
	cr_assert_eq(lc_log_create(2, false, LC_LOG_OFF, &scene->log), LC_OK);
	cr_assert_eq(lc_loop_create(scene->log, scene->metrics, &scene->loop), LC_OK);
	cr_assert_eq(lc_timer_create(scene->loop, on_tick, scene, &scene->tick), LC_OK);
}

static inline void setup(struct scene *scene)
{
	*scene = (struct scene){.config = {.enabled = true,
					.sync = LC_SYNC_INTERVAL,
					.sync_interval_ms = 50,
					.max_bytes = 1 << 30}};
	snprintf(scene->dir, sizeof scene->dir, "/tmp/livecore-journal-XXXXXX");
	cr_assert(mkdtemp(scene->dir));
	begin_loop(scene);
	open_journal(scene);
}

static inline void end_loop(struct scene *scene)
{
	lc_timer_destroy(scene->tick);
	lc_loop_destroy(scene->loop);
	lc_metrics_destroy(scene->metrics);
	lc_log_destroy(scene->log);
}

static inline void finish(struct scene *scene)
{
	lc_journal_destroy(scene->journal);
	end_loop(scene);
	scratch_remove(scene->dir);
}

static inline bool all_written(struct scene *scene)
{
	return lc_journal_stats(scene->journal).unwritten == 0;
}

/* As kill -9 does: what is not written is gone, unless memory_dir keeps it. */
static inline void crash(struct scene *scene)
{
	lc_journal_destroy(scene->journal);
	end_loop(scene);
	begin_loop(scene);
	open_journal(scene);
}

static inline void on_closed(void *arg)
{
	((struct scene *)arg)->closed = true;
}

static inline bool is_closed(struct scene *scene)
{
	return scene->closed;
}

static inline void end_well(struct scene *scene)
{
	scene->closed = false;
	lc_journal_close(scene->journal, WAIT_MS, on_closed, scene);
	run_until(scene, is_closed);
	lc_journal_destroy(scene->journal);
}

/* With memory that outlives the process, in a folder of its own below the log's. */
static inline void setup_shared(struct scene *scene)
{
	setup(scene);
	lc_journal_destroy(scene->journal);
	snprintf(scene->memory, sizeof scene->memory, "%s/shm", scene->dir);
	cr_assert_eq(mkdir(scene->memory, 0700), 0);
	scene->config.memory_dir = scene->memory;
	open_journal(scene);
}

static inline size_t count_files(const struct scene *scene)
{
	size_t count = 0;
	DIR *dir = opendir(scene->dir);
	struct dirent *entry;
	uint32_t slot;
	while ((entry = readdir(dir))) {
		count += lc_journal_file_slot(entry->d_name, &slot);
	}
	closedir(dir);
	return count;
}

static inline enum lc_err append(
	struct scene *scene, uint64_t number, size_t len, enum lc_schema schema)
{
	static char value[LC_RECORD_MAX];
	char key[16], trace[LC_TRACEPARENT_LEN + 1];
	snprintf(key, sizeof key, "S%llu", (unsigned long long)(number % 7));
	memset(value, (int)('a' + number % 26), len);
	int head = snprintf(value, len, "%llu ", (unsigned long long)number);
	cr_assert(head > 0 && (size_t)head < len);
	const struct lc_record record = {.key = key,
		.key_len = (uint32_t)strlen(key),
		.value = value,
		.value_len = (uint32_t)len,
		.traceparent = trace_of(number, trace),
		.timestamp_ns = lc_loop_wall_ns(scene->loop),
		.received_mono_ns = 7,
		.event_ns = (int64_t)number,
		.source = schema == LC_SCHEMA_PRICE_UPDATE ? "alpaca" : NULL,
		.topic = LC_TOPIC_MARKET,
		.schema = schema};
	return lc_journal_append(scene->journal, &record);
}

static inline uint64_t number_of(const struct lc_record *record)
{
	uint64_t number = strtoull(record->value, NULL, 10);
	cr_assert(is_trace_of(number, record->traceparent), "%llu", (unsigned long long)number);
	return number;
}

/* What the last try to read gave. */
static struct lc_record got;
static enum lc_err got_err;

static inline bool next_is_there(struct scene *scene)
{
	got_err = lc_journal_next(scene->journal, &got);
	return got_err != LC_ERR_AGAIN;
}

static inline enum lc_err read_next(struct scene *scene, struct lc_record *out)
{
	if (!next_is_there(scene)) {
		run_until(scene, next_is_there);
	}
	*out = got;
	return got_err;
}

static inline bool has_room(struct scene *scene)
{
	return lc_journal_has_room(scene->journal, scene->wanted);
}

static inline void append_surely(struct scene *scene, uint64_t number, size_t len)
{
	scene->wanted = len + 100;
	while (!has_room(scene)) { /* what came in the same turn may have taken it */
		run_until(scene, has_room);
	}
	cr_assert_eq(append(scene, number, len, LC_SCHEMA_PRICE_UPDATE), LC_OK);
}

/* So many records of 100 KB, written. */
static inline void fill(struct scene *scene, uint64_t count)
{
	for (uint64_t i = 1; i <= count; i++) {
		append_surely(scene, i, 100 * 1000);
	}
	run_until(scene, all_written);
}
