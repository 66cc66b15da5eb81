#include "livecore/heartbeat.h"

#include "store/beat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MS 1000
#define LAST_MS 500
#define LAST_TTL_S 10

struct lc_heartbeat {
	struct lc_loop *loop; /* borrowed */
	struct lc_redis *redis;
	struct lc_timer *look; /* then, when stopping, the end of waiting */
	struct lc_json_parser *parser;
	const struct lc_heartbeat_host *host; /* borrowed */
	void *arg;
	struct beat beat;
	char key[512], member[480];
	struct lc_buf text, members;
	enum lc_heartbeat_state state; /* of the beat that is under way */
	bool busy;                     /* a beat is under way */
	bool stopping;
	bool said_last; /* the last beat is under way, or is not ours to write */
	uint64_t *written, *failed;
	void (*done)(void *arg);
	void *done_arg;
};

static void begin(struct lc_heartbeat *heartbeat);

/* After a beat when we are to stop: what was under way may have been an ordinary one. It ends from
 * a timer, since a callback must not free its caller. */
static void go_on_stopping(struct lc_heartbeat *heartbeat, bool failed)
{
	if (failed || heartbeat->said_last) {
		lc_timer_start(heartbeat->look, 0, 0);
	} else {
		begin(heartbeat);
	}
}

static void on_written(void *arg, const struct lc_redis_reply *reply, const struct lc_error *err)
{
	struct lc_heartbeat *heartbeat = arg;
	(void)reply;
	heartbeat->busy = false;
	if (err) {
		++*heartbeat->failed;
		beat_failed(&heartbeat->beat);
		lc_log(lc_loop_log(heartbeat->loop), LC_LOG_DEBUG, "redis", "beat_not_written",
			LC_S("reason", err->text));
	} else {
		++*heartbeat->written;
		heartbeat->beat.written = true;
	}
	if (heartbeat->stopping) {
		go_on_stopping(heartbeat, err != NULL);
	}
}

/* Who is known, and who of them has ended in good order. */
static enum lc_err write_sets(struct lc_heartbeat *heartbeat, bool stopped)
{
	const char *known[] = {"SADD", LC_HEARTBEAT_COMPONENTS, heartbeat->member};
	const char *ended[] = {stopped ? "SADD" : "SREM", LC_HEARTBEAT_STOPPED, heartbeat->member};
	enum lc_err rc = lc_redis_command(heartbeat->redis, known, 3, NULL, NULL);
	return rc ? rc : lc_redis_command(heartbeat->redis, ended, 3, NULL, NULL);
}

static void write_beat(struct lc_heartbeat *heartbeat)
{
	char ttl[16];
	bool stopped = heartbeat->stopping;
	lc_buf_clear(&heartbeat->text);
	heartbeat->said_last = stopped;
	if (!stopped) { /* the last one has the counters of the one before */
		lc_buf_clear(&heartbeat->members);
		heartbeat->host->stats(heartbeat->arg, &heartbeat->members);
	}
	beat_write(&heartbeat->beat, heartbeat->state, lc_loop_wall_ns(heartbeat->loop),
		lc_buf_text(&heartbeat->members), &heartbeat->text);
	snprintf(ttl, sizeof ttl, "%d", stopped ? LAST_TTL_S : LC_HEARTBEAT_TTL_S);
	const char *words[] = {"SETEX", heartbeat->key, ttl, lc_buf_text(&heartbeat->text)};
	enum lc_err rc = heartbeat->text.failed ? LC_ERR_NOMEM : write_sets(heartbeat, stopped);
	rc = rc ? rc : lc_redis_command(heartbeat->redis, words, 4, on_written, heartbeat);
	if (rc != LC_OK) {
		struct lc_error err;
		lc_error_set(&err, rc, "%s", lc_err_text(rc));
		on_written(heartbeat, NULL, &err);
	}
}

static bool find_twin(struct lc_heartbeat *heartbeat, const struct lc_redis_reply *reply,
	struct lc_heartbeat_twin *twin)
{
	size_t len;
	const char *text = lc_redis_reply_text(reply, &len);
	const struct lc_value *root;
	return text && len <= BEAT_MAX &&
	       lc_json_parse(heartbeat->parser, text, len, len, &root, NULL) == LC_OK &&
	       beat_is_twin(&heartbeat->beat, root, twin);
}

static void report(struct lc_heartbeat *heartbeat, const struct lc_heartbeat_twin *twin)
{
	if (heartbeat->stopping ||
		!beat_may_report(&heartbeat->beat, lc_loop_mono_ns(heartbeat->loop))) {
		return;
	}
	lc_log(lc_loop_log(heartbeat->loop), LC_LOG_ERROR, "redis", "twin",
		LC_S("node", heartbeat->beat.context->node_id), LC_S("stream", twin->stream),
		LC_S("host", twin->host), LC_I("pid", twin->pid),
		LC_S("note", "another live process has this node.id: give each its own"));
	if (heartbeat->host->twin) {
		heartbeat->host->twin(heartbeat->arg, twin);
	}
}

static void on_read(void *arg, const struct lc_redis_reply *reply, const struct lc_error *err)
{
	struct lc_heartbeat *heartbeat = arg;
	struct lc_heartbeat_twin twin;
	if (err && err->code != LC_ERR_REFUSED) {
		on_written(heartbeat, NULL, err);
		return;
	}
	/* A key of another kind is overwritten. */
	bool found = !err && find_twin(heartbeat, reply, &twin);
	if (found) {
		report(heartbeat, &twin);
	}
	if (found && heartbeat->stopping) {
		heartbeat->said_last = true;
		on_written(heartbeat, NULL, NULL); /* the key is the twin's, who goes on */
		return;
	}
	write_beat(heartbeat);
}

static void begin(struct lc_heartbeat *heartbeat)
{
	const char *words[] = {"GET", heartbeat->key};
	heartbeat->busy = true;
	enum lc_err rc = lc_redis_command(heartbeat->redis, words, 2, on_read, heartbeat);
	if (rc != LC_OK) {
		struct lc_error err;
		lc_error_set(&err, rc, "%s", lc_err_text(rc));
		on_written(heartbeat, NULL, &err);
	}
}

static void release(struct lc_heartbeat *heartbeat)
{
	lc_redis_destroy(heartbeat->redis);
	lc_timer_destroy(heartbeat->look);
	lc_json_parser_destroy(heartbeat->parser);
	lc_buf_finish(&heartbeat->text);
	lc_buf_finish(&heartbeat->members);
	free(heartbeat);
}

static void on_look(void *arg)
{
	struct lc_heartbeat *heartbeat = arg;
	if (heartbeat->stopping) {
		void (*done)(void *) = heartbeat->done;
		void *done_arg = heartbeat->done_arg;
		release(heartbeat);
		if (done) {
			done(done_arg);
		}
		return;
	}
	enum lc_heartbeat_state state = heartbeat->host->state(heartbeat->arg);
	if (!heartbeat->busy && lc_redis_up(heartbeat->redis) &&
		beat_due(&heartbeat->beat, state, lc_loop_mono_ns(heartbeat->loop))) {
		heartbeat->state = state;
		begin(heartbeat);
	}
}

/* Back again, or there for the first time: what is in Redis is old. */
static void on_redis(void *arg, bool up, const char *why)
{
	struct lc_heartbeat *heartbeat = arg;
	(void)why;
	if (up && !heartbeat->stopping) {
		beat_failed(&heartbeat->beat);
		lc_timer_start(heartbeat->look, 0, LOOK_MS);
	}
}

static enum lc_err make_parts(
	struct lc_heartbeat *heartbeat, const struct lc_redis_config *redis, struct lc_error *err)
{
	const struct lc_json_limits limits = {.max_bytes = BEAT_MAX, .max_values = 1024};
	struct lc_metrics *metrics = lc_loop_metrics(heartbeat->loop);
	heartbeat->written = lc_metrics_counter(
		metrics, "livecore_heartbeats_total", "", "heartbeats written to Redis");
	heartbeat->failed = lc_metrics_counter(metrics, "livecore_heartbeats_failed_total", "",
		"heartbeats that Redis did not take");
	if (lc_json_parser_create(&limits, &heartbeat->parser) != LC_OK ||
		lc_timer_create(heartbeat->loop, on_look, heartbeat, &heartbeat->look) != LC_OK) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	return lc_redis_create(heartbeat->loop, redis, on_redis, heartbeat, &heartbeat->redis, err);
}

enum lc_err lc_heartbeat_create(struct lc_loop *loop, const struct lc_redis_config *redis,
	const char *type, const struct lc_message_context *context,
	const struct lc_heartbeat_host *host, void *arg, struct lc_heartbeat **out,
	struct lc_error *err)
{
	*out = NULL;
	if (redis->address[0] == '\0') {
		return LC_OK;
	}
	struct lc_heartbeat *heartbeat = calloc(1, sizeof *heartbeat);
	if (!heartbeat) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	heartbeat->loop = loop;
	heartbeat->host = host;
	heartbeat->arg = arg;
	heartbeat->beat = (struct beat){.type = type, .context = context, .pid = getpid()};
	if (gethostname(heartbeat->beat.host, sizeof heartbeat->beat.host - 1) != 0) {
		snprintf(heartbeat->beat.host, sizeof heartbeat->beat.host, "unknown");
	}
	snprintf(heartbeat->member, sizeof heartbeat->member, "%s:%s", type, context->node_id);
	snprintf(heartbeat->key, sizeof heartbeat->key, LC_HEARTBEAT_KEYS "%s", heartbeat->member);
	lc_buf_init(&heartbeat->text, BEAT_MAX);
	lc_buf_init(&heartbeat->members, BEAT_MAX / 4);
	enum lc_err rc = make_parts(heartbeat, redis, err);
	if (rc != LC_OK) {
		release(heartbeat);
		return rc;
	}
	lc_timer_start(heartbeat->look, LOOK_MS, LOOK_MS);
	*out = heartbeat;
	return LC_OK;
}

void lc_heartbeat_stop(struct lc_heartbeat *heartbeat, void (*done)(void *arg), void *arg)
{
	if (!heartbeat) {
		if (done) {
			done(arg);
		}
		return;
	}
	heartbeat->stopping = true;
	heartbeat->done = done;
	heartbeat->done_arg = arg;
	heartbeat->state = LC_HEARTBEAT_IS_STOPPED;
	bool up = lc_redis_up(heartbeat->redis);
	lc_timer_start(heartbeat->look, up ? LAST_MS : 0, 0);
	if (up && !heartbeat->busy) { /* else what is under way goes on to it */
		begin(heartbeat);
	}
}
