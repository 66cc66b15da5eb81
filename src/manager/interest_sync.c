#include "manager/interest_sync.h"

#include "livecore/interest_store.h"
#include "manager/interest_save.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 10000 /* for Kafka at start; then the stored sets are followed */
#define NAMES_A_STEP 50   /* about 0.2 ms with the feeders' and the bars' part */
#define SWEEP_A_STEP 500
#define MOVED_A_STEP 4000 /* entries, when a portfolio's table grows */
#define SORT_A_STEP 1000
#define REJECTS_NAMED 100 /* in one interest_rejected event */
#define SAVE_AFTER_MS 200
#define SAVE_RETRY_MS 5000 /* after one that failed */
#define HOUSEKEEPING_MS 60000
#define REMEMBER_REMOVALS_NS (24 * 3600 * LC_NS_PER_S)

/* One update while it is applied. */
struct update {
	struct lc_interest_update message; /* points into bytes and the decoder */
	struct lc_buf bytes;               /* the message, kept while slices need it */
	size_t next;
	int32_t partition;
	int64_t offset;
	uint64_t followed, left, refreshed, rejected;
	struct lc_buf rejects; /* a JSON array of the first rejected texts */
	struct lc_slice *slice;
};

struct lc_interest_sync {
	struct lc_interest_sync_setup setup;
	struct lc_log *log;
	struct lc_interest *registry;
	struct lc_decoder *decoder;
	struct lc_reader *reader;
	struct lc_interest_saver *saver;
	struct lc_timer *save_timer, *housekeeping, *patience;
	struct update update;
	bool caught_up, applied;
	struct lc_interest_sort *order; /* the union at start, while it is handed over */
	size_t order_next;
	bool ordered;
	struct lc_slice *order_slice, *expire_slice;
	struct lc_interest_sync_status status;
	uint64_t *updates, *unreadable;
	bool stopping;
	void (*stopped)(void *arg);
	void *stopped_arg;
};

/* --- the registry's differences --- */

static void on_follow(void *arg, uint32_t symbol)
{
	struct lc_interest_sync *sync = arg;
	sync->update.followed++;
	if (sync->applied) {
		sync->setup.host->follow(sync->setup.arg, symbol);
	}
}

static void on_leave(void *arg, uint32_t symbol)
{
	struct lc_interest_sync *sync = arg;
	sync->update.left++;
	if (sync->applied) {
		sync->setup.host->leave(sync->setup.arg, symbol);
	}
}

static void on_refresh(void *arg, uint32_t symbol)
{
	struct lc_interest_sync *sync = arg;
	sync->update.refreshed++;
	if (sync->applied) {
		sync->setup.host->refresh(sync->setup.arg, symbol);
	}
}

static void on_reject(void *arg, const char *text, size_t len, enum lc_interest_reject reason)
{
	struct lc_interest_sync *sync = arg;
	struct update *update = &sync->update;
	if (update->rejected++ >= REJECTS_NAMED) {
		return;
	}
	lc_buf_puts(&update->rejects, update->rejected > 1 ? ",{\"symbol\":" : "{\"symbol\":");
	lc_buf_json_string(&update->rejects, text, len < 64 ? len : 64);
	lc_buf_printf(&update->rejects, ",\"reason\":\"%s\"}", lc_interest_reject_name(reason));
}

static const struct lc_interest_host registry_host = {
	.follow = on_follow, .leave = on_leave, .refresh = on_refresh, .reject = on_reject};

/* --- applying one update --- */

static void hand_over(struct lc_interest_sync *sync);

static const char *const type_names[] = {[LC_INTEREST_REPLACE] = "replace",
	[LC_INTEREST_ADD] = "add",
	[LC_INTEREST_REMOVE] = "remove"};

static void say_applied(struct lc_interest_sync *sync)
{
	struct update *update = &sync->update;
	char id[LC_PORTFOLIO_ID_MAX + 1];
	snprintf(id, sizeof id, "%.*s", (int)update->message.portfolio_id.len,
		update->message.portfolio_id.data);
	lc_log(sync->log, LC_LOG_INFO, "interest", "applied", LC_S("portfolio", id),
		LC_S("type", type_names[update->message.type]), LC_U("followed", update->followed),
		LC_U("left", update->left), LC_U("rejected", update->rejected),
		LC_B("clamped", update->message.clamped));
	lc_event(sync->setup.outbox, "interest_applied", LC_S("portfolio_id", id),
		LC_S("update_type", type_names[update->message.type]),
		LC_U("named", update->message.count), LC_U("followed", update->followed),
		LC_U("left", update->left), LC_U("refreshed", update->refreshed),
		LC_U("rejected", update->rejected), LC_B("clamped", update->message.clamped),
		LC_U("total", lc_interest_count(sync->registry)));
	if (update->rejected == 0) {
		return;
	}
	lc_buf_putc(&update->rejects, ']');
	lc_event(sync->setup.outbox, "interest_rejected", LC_S("portfolio_id", id),
		LC_U("count", update->rejected), LC_J("symbols", lc_buf_text(&update->rejects)));
}

static void finish_update(struct lc_interest_sync *sync)
{
	if (sync->applied) {
		say_applied(sync); /* history, before that, was said when it was new */
	}
	lc_interest_saver_at(sync->saver, sync->update.partition, sync->update.offset + 1);
	if (!lc_timer_active(sync->save_timer)) {
		lc_timer_start(sync->save_timer, SAVE_AFTER_MS, 0);
	}
}

/* One step of an update; true while more is left. */
static bool on_update_step(void *arg)
{
	struct lc_interest_sync *sync = arg;
	struct update *update = &sync->update;
	if (update->next < update->message.count &&
		!lc_interest_make_room(sync->registry, NAMES_A_STEP, MOVED_A_STEP)) {
		return true;
	}
	for (size_t n = 0; update->next < update->message.count && n < NAMES_A_STEP; n++) {
		const struct lc_text *symbol = &update->message.symbols[update->next++];
		lc_interest_name(sync->registry, symbol->data, symbol->len);
	}
	return update->next < update->message.count ||
	       !lc_interest_sweep(sync->registry, SWEEP_A_STEP);
}

static void on_update_done(void *arg)
{
	struct lc_interest_sync *sync = arg;
	sync->update.slice = NULL;
	finish_update(sync);
	if (sync->caught_up && !sync->applied) {
		hand_over(sync);
	} else if (sync->reader) {
		lc_reader_resume(sync->reader);
	}
}

static void say_unreadable(
	struct lc_interest_sync *sync, const struct lc_reader_message *message, const char *why)
{
	sync->status.unreadable++;
	++*sync->unreadable;
	lc_log(sync->log, LC_LOG_WARN, "interest", "unreadable", LC_S("topic", message->topic),
		LC_I("partition", message->partition), LC_I("offset", message->offset),
		LC_S("error", why));
	lc_interest_saver_at(sync->saver, message->partition, message->offset + 1);
}

/* A whole update that cannot be taken in: too many portfolios, or no memory. */
static void say_refused(struct lc_interest_sync *sync, const char *why)
{
	const struct lc_text *portfolio = &sync->update.message.portfolio_id;
	char id[LC_PORTFOLIO_ID_MAX + 1];
	snprintf(id, sizeof id, "%.*s", (int)portfolio->len, portfolio->data);
	lc_event(sync->setup.outbox, "interest_rejected", LC_S("portfolio_id", id),
		LC_S("reason", why), LC_U("count", sync->update.message.count));
}

static enum lc_err decode(struct lc_interest_sync *sync, const char *data,
	const struct lc_reader_message *message, struct lc_error *err)
{
	const struct lc_message_in in = {.data = data,
		.len = message->value_len,
		.record_ns = lc_reader_time_ns(message, lc_loop_wall_ns(sync->setup.loop)),
		.naive_zone = sync->setup.naive_zone};
	return lc_interest_update_decode(sync->decoder, &in, &sync->update.message, err);
}

/* Begins an update from a copy of the message: slices outlive the reader's memory. */
static bool begin_update(struct lc_interest_sync *sync, const struct lc_reader_message *message)
{
	struct update *update = &sync->update;
	struct lc_error err;
	lc_buf_clear(&update->bytes);
	lc_buf_clear(&update->rejects);
	lc_buf_putc(&update->rejects, '[');
	if (!message->value || message->value_len > LC_MESSAGE_IN_MAX) {
		say_unreadable(sync, message, message->value ? "longer than 2 MB" : "empty");
		return false;
	}
	lc_buf_append(&update->bytes, message->value, message->value_len);
	if (update->bytes.failed || decode(sync, update->bytes.data, message, &err) != LC_OK) {
		say_unreadable(sync, message, update->bytes.failed ? "out of memory" : err.text);
		return false;
	}
	update->next = update->followed = update->left = update->refreshed = update->rejected = 0;
	update->partition = message->partition;
	update->offset = message->offset;
	enum lc_err rc = lc_interest_begin(sync->registry, update->message.portfolio_id.data,
		update->message.portfolio_id.len, update->message.type,
		update->message.timestamp_ns);
	if (rc != LC_OK) {
		say_unreadable(sync, message, lc_err_text(rc));
		say_refused(sync, lc_err_text(rc));
	}
	return rc == LC_OK;
}

static void on_message(void *arg, const struct lc_reader_message *message)
{
	struct lc_interest_sync *sync = arg;
	sync->status.updates++;
	++*sync->updates;
	if (!begin_update(sync, message)) {
		return;
	}
	if (sync->update.message.count <= NAMES_A_STEP && !on_update_step(sync)) {
		finish_update(sync);
		return;
	}
	lc_reader_pause(sync->reader);
	if (lc_slice_start(sync->setup.loop, "interest_update", on_update_step, on_update_done,
		    sync, &sync->update.slice)) {
		while (on_update_step(sync)) { /* no memory for a slice: better late than lost */
		}
		on_update_done(sync);
	}
}

/* --- the start: the whole set at once --- */

static bool on_order_step(void *arg)
{
	struct lc_interest_sync *sync = arg;
	size_t count;
	if (!sync->ordered) {
		sync->ordered = lc_interest_sort_step(sync->order, SORT_A_STEP);
		return true;
	}
	const uint32_t *order = lc_interest_sorted(sync->order, &count);
	for (size_t n = 0; sync->order_next < count && n < NAMES_A_STEP; n++) {
		sync->setup.host->follow(sync->setup.arg, order[sync->order_next++]);
	}
	return sync->order_next < count;
}

/* The topic was read to its end, and its sets are followed. */
static void say_ready(struct lc_interest_sync *sync)
{
	lc_log(sync->log, LC_LOG_INFO, "interest", "ready",
		LC_U("followed", lc_interest_count(sync->registry)),
		LC_U("portfolios", lc_interest_portfolios(sync->registry)));
	lc_event(sync->setup.outbox, "interest_applied",
		LC_U("total", lc_interest_count(sync->registry)),
		LC_U("portfolios", lc_interest_portfolios(sync->registry)), LC_B("at_start", true));
	sync->setup.host->ready(sync->setup.arg);
}

static void on_order_done(void *arg)
{
	struct lc_interest_sync *sync = arg;
	sync->order_slice = NULL;
	sync->applied = true;
	lc_interest_sort_destroy(sync->order);
	sync->order = NULL;
	if (sync->reader) {
		lc_reader_resume(sync->reader);
	}
	if (sync->caught_up) {
		say_ready(sync);
	} else {
		lc_log(sync->log, LC_LOG_WARN, "interest", "restored",
			LC_U("followed", lc_interest_count(sync->registry)),
			LC_S("reason", "Kafka does not tell the sets: the stored ones are "
				       "followed until it does"));
	}
}

static void hand_over(struct lc_interest_sync *sync)
{
	if (lc_interest_sort_create(sync->registry, &sync->order) != LC_OK) {
		lc_log(sync->log, LC_LOG_ERROR, "interest", "out_of_memory",
			LC_U("symbols", lc_interest_count(sync->registry)));
		return;
	}
	lc_reader_pause(sync->reader);
	if (lc_slice_start(sync->setup.loop, "interest_start", on_order_step, on_order_done, sync,
		    &sync->order_slice)) {
		while (on_order_step(sync)) {
		}
		on_order_done(sync);
	}
}

static void on_caught_up(void *arg)
{
	struct lc_interest_sync *sync = arg;
	sync->caught_up = true;
	lc_timer_stop(sync->patience);
	if (sync->applied) {
		say_ready(sync);
	} else if (!sync->update.slice && !sync->order_slice) {
		/* The last message may still be on its way through slices; its end comes first. */
		hand_over(sync);
	}
}

/* Without Kafka the sets that were stored are better than none: what is seen meanwhile is kept in
 * the log. */
static void on_patience_over(void *arg)
{
	struct lc_interest_sync *sync = arg;
	if (sync->update.slice) {
		lc_timer_start(sync->patience, PATIENCE_MS, 0);
	} else if (!sync->caught_up && lc_interest_count(sync->registry) > 0) {
		hand_over(sync);
	}
}

static void on_reader_state(void *arg, bool reading, const struct lc_error *why)
{
	struct lc_interest_sync *sync = arg;
	sync->status.reading = reading;
	const char *advice = reading ? "" : lc_kafka_advice(why->code);
	snprintf(sync->status.reason, sizeof sync->status.reason, "%s%s%s",
		reading ? "" : why->text, advice[0] ? ": " : "", advice);
}

/* --- storing --- */

static void on_save_due(void *arg)
{
	struct lc_interest_sync *sync = arg;
	if (lc_interest_busy(sync->registry)) {
		lc_timer_start(sync->save_timer, SAVE_AFTER_MS, 0);
		return;
	}
	lc_interest_saver_save(sync->saver);
}

/* Offsets that are stored are told to Kafka too, for who watches the lag. */
static void on_saved(void *arg, int32_t partition, int64_t next)
{
	struct lc_interest_sync *sync = arg;
	if (sync->reader && !sync->stopping) {
		lc_reader_commit(sync->reader, partition, next);
	}
}

/* What could not be stored is tried again: Redis comes back, a disk gets room. */
static void on_store_health(void *arg, const struct lc_error *why)
{
	struct lc_interest_sync *sync = arg;
	snprintf(sync->status.store, sizeof sync->status.store, "%s", why ? why->text : "");
	if (why && !sync->stopping) {
		lc_timer_start(sync->save_timer, SAVE_RETRY_MS, 0);
	}
}

static bool on_expire_step(void *arg)
{
	struct lc_interest_sync *sync = arg;
	return !lc_interest_sweep(sync->registry, SWEEP_A_STEP);
}

static void on_expire_done(void *arg)
{
	struct lc_interest_sync *sync = arg;
	sync->expire_slice = NULL;
	lc_log(sync->log, LC_LOG_INFO, "interest", "expired",
		LC_U("total", lc_interest_count(sync->registry)));
	lc_event(sync->setup.outbox, "interest_applied", LC_B("expired", true),
		LC_U("left", sync->update.left), LC_U("total", lc_interest_count(sync->registry)));
	lc_timer_start(sync->save_timer, SAVE_AFTER_MS, 0);
	/* There may be another portfolio to forget. */
	lc_timer_start(sync->housekeeping, 100, sync->setup.housekeeping_ms);
	lc_reader_resume(sync->reader);
}

/* Forgets the portfolio that lc_interest_expire() began with; no update may come between. */
static void expire(struct lc_interest_sync *sync)
{
	sync->update.left = 0;
	lc_reader_pause(sync->reader);
	if (lc_slice_start(sync->setup.loop, "interest_expire", on_expire_step, on_expire_done,
		    sync, &sync->expire_slice)) {
		while (on_expire_step(sync)) { /* no memory for a slice: better late than never */
		}
		on_expire_done(sync);
	}
}

static void on_housekeeping(void *arg)
{
	struct lc_interest_sync *sync = arg;
	int64_t now_ns = lc_loop_wall_ns(sync->setup.loop);
	if (!sync->applied || !sync->caught_up || lc_interest_busy(sync->registry)) {
		return;
	}
	lc_interest_prune(sync->registry, now_ns - REMEMBER_REMOVALS_NS, SWEEP_A_STEP);
	/* What was pruned, and what a full disk refused before. */
	lc_timer_start(sync->save_timer, SAVE_AFTER_MS, 0);
	if (sync->setup.ttl_ms > 0 &&
		lc_interest_expire(sync->registry, now_ns - sync->setup.ttl_ms * LC_NS_PER_MS)) {
		expire(sync);
	}
}

/* --- set-up --- */

static void on_loaded(void *arg, const struct lc_reader_position *positions, size_t count,
	const struct lc_error *store)
{
	struct lc_interest_sync *sync = arg;
	const struct lc_reader_options options = {.topic = sync->setup.topic,
		.group = sync->setup.group,
		.start = LC_START_EARLIEST,
		.positions = positions,
		.position_count = count};
	const struct lc_reader_handlers handlers = {
		.message = on_message, .caught_up = on_caught_up, .state = on_reader_state};
	snprintf(sync->status.store, sizeof sync->status.store, "%s", store ? store->text : "");
	if (sync->stopping) {
		return;
	}
	if (store) {
		lc_timer_start(sync->save_timer, SAVE_RETRY_MS, 0);
	}
	struct lc_error err;
	if (lc_reader_create(sync->setup.loop, sync->setup.kafka, &options, &handlers, sync,
		    &sync->reader, &err) != LC_OK) {
		snprintf(sync->status.reason, sizeof sync->status.reason, "%s", err.text);
		lc_log(sync->log, LC_LOG_ERROR, "interest", "cannot_read", LC_S("error", err.text));
		return;
	}
	lc_timer_start(
		sync->housekeeping, sync->setup.housekeeping_ms, sync->setup.housekeeping_ms);
	lc_timer_start(sync->patience, PATIENCE_MS, 0);
}

static void release(struct lc_interest_sync *sync)
{
	lc_timer_destroy(sync->save_timer);
	lc_timer_destroy(sync->housekeeping);
	lc_timer_destroy(sync->patience);
	lc_interest_destroy(sync->registry);
	lc_decoder_destroy(sync->decoder);
	lc_buf_finish(&sync->update.bytes);
	lc_buf_finish(&sync->update.rejects);
	lc_interest_sort_destroy(sync->order);
	free(sync);
}

static enum lc_err build(struct lc_interest_sync *sync, struct lc_error *err)
{
	const struct lc_interest_options options = {.symbols = sync->setup.symbols,
		.seed = lc_loop_random(sync->setup.loop),
		.host = &registry_host,
		.arg = sync};
	const struct lc_interest_saver_setup saver = {.loop = sync->setup.loop,
		.dir = sync->setup.state_dir,
		.topic = sync->setup.topic,
		.symbols = sync->setup.symbols,
		.redis = sync->setup.redis,
		.node = sync->setup.node,
		.loaded = on_loaded,
		.saved = on_saved,
		.health = on_store_health,
		.arg = sync};
	enum lc_err rc = lc_interest_create(&options, &sync->registry);
	rc = rc ? rc : lc_decoder_create(&sync->decoder);
	rc = rc ? rc : lc_timer_create(sync->setup.loop, on_save_due, sync, &sync->save_timer);
	rc = rc ? rc
		: lc_timer_create(sync->setup.loop, on_housekeeping, sync, &sync->housekeeping);
	rc = rc ? rc : lc_timer_create(sync->setup.loop, on_patience_over, sync, &sync->patience);
	return rc ? lc_error_set(err, rc, "interest: %s", lc_err_text(rc))
		  : lc_interest_saver_create(&saver, sync->registry, &sync->saver, err);
}

enum lc_err lc_interest_sync_create(const struct lc_interest_sync_setup *setup,
	struct lc_interest_sync **out, struct lc_error *err)
{
	struct lc_interest_sync *sync = calloc(1, sizeof *sync);
	if (!sync) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	struct lc_metrics *metrics = lc_loop_metrics(setup->loop);
	sync->setup = *setup;
	sync->setup.housekeeping_ms = setup->housekeeping_ms ? setup->housekeeping_ms
							     : HOUSEKEEPING_MS;
	sync->log = lc_loop_log(setup->loop);
	sync->updates = lc_metrics_counter(
		metrics, "livecore_interest_updates_total", "", "interest updates read");
	sync->unreadable = lc_metrics_counter(metrics, "livecore_interest_unreadable_total", "",
		"interest updates that could not be read");
	lc_buf_init(&sync->update.bytes, LC_MESSAGE_IN_MAX + LC_JSON_PADDING);
	lc_buf_init(&sync->update.rejects, 64 * 1024);
	enum lc_err rc = build(sync, err);
	if (rc != LC_OK) {
		release(sync);
		return rc;
	}
	*out = sync;
	return LC_OK;
}

void lc_interest_sync_set_ttl(struct lc_interest_sync *sync, int64_t ttl_ms)
{
	sync->setup.ttl_ms = ttl_ms;
}

static void on_saver_closed(void *arg)
{
	struct lc_interest_sync *sync = arg;
	void (*stopped)(void *) = sync->stopped;
	void *stopped_arg = sync->stopped_arg;
	release(sync);
	stopped(stopped_arg);
}

static void on_reader_stopped(void *arg)
{
	struct lc_interest_sync *sync = arg;
	/* An update that was cut short is not counted as read: its offset is not stored, and it is
	 * read again. */
	lc_interest_saver_close(sync->saver, on_saver_closed, sync);
}

void lc_interest_sync_stop(struct lc_interest_sync *sync, void (*done)(void *arg), void *arg)
{
	sync->stopping = true;
	sync->stopped = done;
	sync->stopped_arg = arg;
	lc_timer_stop(sync->save_timer);
	lc_timer_stop(sync->housekeeping);
	lc_timer_stop(sync->patience);
	lc_slice_cancel(sync->update.slice);
	lc_slice_cancel(sync->order_slice);
	lc_slice_cancel(sync->expire_slice);
	if (sync->reader) {
		lc_reader_stop(sync->reader, on_reader_stopped, sync);
	} else {
		on_reader_stopped(sync);
	}
}

struct lc_interest *lc_interest_sync_registry(struct lc_interest_sync *sync)
{
	return sync->registry;
}

struct lc_interest_sync_status lc_interest_sync_status(const struct lc_interest_sync *sync)
{
	struct lc_interest_sync_status status = sync->status;
	status.ready = sync->applied && sync->caught_up;
	return status;
}
