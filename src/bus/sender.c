#include "livecore/sender.h"

#include "producer.h"
#include "sender_metrics.h"

#include <stdlib.h>
#include <string.h>

#define FEED_BUDGET 128   /* records a turn: about 0.1 ms */
#define REPORT_BUDGET 512 /* reports a turn */
#define RECORD_COST 256   /* librdkafka's own memory for a message, roughly */
#define TICK_MS 250
#define PURGE_MS 500  /* the longest wait for a purged producer's last reports */
#define QUIET_MS 2000 /* no report for so long: ask whether Kafka is there */
#define IDLE_PROBE_MS 10000
#define PROBE_MS 1000       /* between questions while Kafka is away */
#define RESET_CALM_MS 30000 /* after so long the next reset is the first again */
#define RESET_WAIT_MAX_MS 30000
#define BATCH_MIN_BYTES 4096

enum sender_state {
	SENDER_LIVE,
	SENDER_PURGING,    /* its producer is given up: the last reports come in */
	SENDER_DESTROYING, /* its producer's threads are joined in the pool */
	SENDER_WAITING,    /* for the next attempt to make a producer */
};

enum reach { REACH_UNKNOWN, REACH_NO, REACH_YES };

struct lc_sender {
	struct lc_loop *loop;
	struct lc_journal *journal;
	const struct lc_kafka_config *config;
	const struct lc_topics_config *topics;
	struct lc_sender_handlers handlers;
	void *arg;
	struct producer *producer; /* NULL while destroying and waiting */
	struct lc_drain *drain;
	struct lc_timer *tick;
	struct lc_record held; /* read from the journal, not yet taken by librdkafka */
	bool has_held;
	bool full; /* librdkafka's queue was full: wait for a report */
	enum sender_state state;
	char why[160]; /* of the reset under way */
	int64_t batch_bytes;
	int64_t state_since_ms, last_reset_ms, retry_at_ms, reset_wait_ms;
	int64_t last_answer_ms, last_probe_ms; /* Kafka's last sign of life */
	unsigned probe_failures;               /* in a row */
	enum reach reach;
	bool stopping;
	int64_t stop_at_ms;
	void (*stopped)(void *arg, uint64_t unacknowledged);
	void *stopped_arg;
	struct lc_sender_stats stats;
	struct sender_metrics metrics;
};

static int64_t now_ms(const struct lc_sender *sender)
{
	return lc_loop_mono_ns(sender->loop) / LC_NS_PER_MS;
}

static void enter(struct lc_sender *sender, enum sender_state state)
{
	sender->state = state;
	sender->state_since_ms = now_ms(sender);
}

static void set_reach(struct lc_sender *sender, bool reachable, const char *why)
{
	if (reachable) {
		sender->last_answer_ms = now_ms(sender);
	}
	enum reach reach = reachable ? REACH_YES : REACH_NO;
	bool changed = sender->reach != reach;
	sender->reach = reach;
	sender->stats.reachable = reachable;
	if (!changed && !reachable && sender->handlers.reachable) {
		sender->handlers.reachable(sender->arg, false, why); /* it may know more by now */
	}
	if (!changed) {
		return;
	}
	lc_log(lc_loop_log(sender->loop), reachable ? LC_LOG_INFO : LC_LOG_WARN, "kafka",
		reachable ? "reachable" : "unreachable", LC_S("brokers", sender->config->brokers),
		LC_S("reason", reachable ? "answered" : why));
	if (sender->handlers.reachable) {
		sender->handlers.reachable(sender->arg, reachable, reachable ? "" : why);
	}
}

static size_t record_cost(const struct lc_record *record)
{
	return (size_t)record->key_len + record->value_len + RECORD_COST;
}

static void refuse(
	struct lc_sender *sender, const struct lc_record *record, enum lc_err err, const char *why)
{
	sender->stats.refused++;
	++*sender->metrics.refused;
	if (sender->handlers.refused) {
		sender->handlers.refused(sender->arg, record, err, why);
	}
	/* After the handler: reporting gives the record's memory back. */
	lc_journal_report(sender->journal, record->id);
}

/* The producer is given up: what it still has is asked back, and the next one starts at the lowest
 * unreported record. */
static void give_up_producer(struct lc_sender *sender, const char *why)
{
	if (sender->state != SENDER_LIVE) {
		return;
	}
	strncpy(sender->why, why, sizeof sender->why - 1);
	producer_purge(sender->producer);
	enter(sender, SENDER_PURGING);
}

/* A batch was too large for the topic. A record that must have been alone in it is refused; else
 * smaller batches part the innocent from the culprit. */
static void on_too_large(struct lc_sender *sender, const struct producer_event *event)
{
	bool alone = (int64_t)record_cost(&event->record) > sender->batch_bytes;
	if (alone || sender->batch_bytes <= BATCH_MIN_BYTES) {
		refuse(sender, &event->record, event->err, event->why);
	} else if (sender->state == SENDER_LIVE) {
		sender->batch_bytes = sender->batch_bytes / 4 > BATCH_MIN_BYTES
					      ? sender->batch_bytes / 4
					      : BATCH_MIN_BYTES;
		give_up_producer(
			sender, "a batch was too large for its topic: batches are made smaller");
	}
}

static void on_report(struct lc_sender *sender, const struct producer_event *event)
{
	size_t cost = record_cost(&event->record);
	sender->stats.in_flight_messages--;
	sender->stats.in_flight_bytes -= cost;
	sender->full = false;
	switch (event->kind) {
	case PRODUCER_ACKED:
		lc_journal_report(sender->journal, event->record.id);
		lc_histogram_observe_ns(sender->metrics.ack, event->latency_ns);
		sender_metrics_acknowledged(&sender->metrics, event->record.id);
		sender->stats.acknowledged++;
		++*sender->metrics.acknowledged;
		break;
	case PRODUCER_REFUSED:
		refuse(sender, &event->record, event->err, event->why);
		break;
	case PRODUCER_TOO_LARGE:
		on_too_large(sender, event);
		break;
	default:
		/* It was accepted, so it is sent again; in order, which only a new producer can
		 * do. */
		give_up_producer(sender, event->why);
		break;
	}
}

static void on_event(struct lc_sender *sender, const struct producer_event *event)
{
	switch (event->kind) {
	case PRODUCER_FATAL:
		give_up_producer(sender, event->why);
		break;
	case PRODUCER_DOWN:
		set_reach(sender, false, event->why);
		break;
	case PRODUCER_PROBE:
		sender->probe_failures = event->err ? sender->probe_failures + 1 : 0;
		set_reach(sender, !event->err, event->why);
		break;
	default:
		on_report(sender, event);
		break;
	}
}

/* Returns whether the budget ended before the events did. */
static bool serve_events(struct lc_sender *sender)
{
	struct producer_event event;
	uint64_t acknowledged = sender->stats.acknowledged;
	uint64_t settled = acknowledged + sender->stats.refused;
	int budget = REPORT_BUDGET;
	while (budget && producer_poll(sender->producer, &event)) {
		on_event(sender, &event);
		budget--;
	}
	if (sender->stats.acknowledged != acknowledged) {
		set_reach(sender, true, "");
	}
	if (sender->stats.acknowledged + sender->stats.refused != settled &&
		sender->handlers.progress) {
		sender->handlers.progress(sender->arg);
	}
	return !budget;
}

static bool may_send(const struct lc_sender *sender, const struct lc_record *record)
{
	return !sender->full && (!sender->stats.in_flight_messages ||
					sender->stats.in_flight_bytes + record_cost(record) <=
						(size_t)sender->config->in_flight_bytes);
}

static void count_sent(struct lc_sender *sender, const struct lc_record *record)
{
	sender_metrics_sent(&sender->metrics, record);
	sender->has_held = false;
	sender->stats.produced++;
	++*sender->metrics.produced;
	sender->stats.replayed += record->replayed;
	*sender->metrics.replayed += record->replayed;
	sender->stats.in_flight_messages++;
	sender->stats.in_flight_bytes += record_cost(record);
}

/* Journal to librdkafka. Returns whether the budget ended first. */
static bool feed(struct lc_sender *sender)
{
	for (int budget = FEED_BUDGET; budget; budget--) {
		if (!sender->has_held && lc_journal_next(sender->journal, &sender->held)) {
			return false;
		}
		sender->has_held = true;
		if (!may_send(sender, &sender->held)) {
			return false;
		}
		const char *why = "";
		enum lc_err err = producer_send(sender->producer, &sender->held, &why);
		if (!err) {
			count_sent(sender, &sender->held);
		} else if (err == LC_ERR_AGAIN) {
			sender->full = true;
			return false;
		} else if (err == LC_ERR_CLOSED) {
			give_up_producer(sender, why);
			return true;
		} else {
			sender->has_held = false;
			refuse(sender, &sender->held, err, why);
		}
	}
	return true;
}

static void on_ready(void *arg)
{
	struct lc_sender *sender = arg;
	lc_drain_wake(sender->drain);
}

static bool all_reported(const struct lc_sender *sender)
{
	struct lc_journal_stats journal = lc_journal_stats(sender->journal);
	return journal.appended == journal.reported;
}

static bool must_end(const struct lc_sender *sender)
{
	return sender->stopping && (all_reported(sender) || now_ms(sender) >= sender->stop_at_ms);
}

static void end(struct lc_sender *sender)
{
	struct lc_journal_stats journal = lc_journal_stats(sender->journal);
	*sender->metrics.reachable = 0;
	lc_journal_on_readable(sender->journal, NULL, NULL);
	lc_drain_destroy(sender->drain);
	lc_timer_destroy(sender->tick);
	if (sender->stopped) {
		sender->stopped(sender->stopped_arg, journal.appended - journal.reported);
	}
	free(sender); /* after the call, in which its last figures may be asked for */
}

/* A new producer, which starts at the lowest unreported record. */
static void renew(struct lc_sender *sender)
{
	struct lc_error err;
	if (producer_create(sender->loop, sender->config, sender->topics, sender->batch_bytes,
		    on_ready, sender, &sender->producer, &err)) {
		lc_log(lc_loop_log(sender->loop), LC_LOG_ERROR, "kafka", "producer_not_made",
			LC_S("reason", err.text));
		sender->retry_at_ms = now_ms(sender) + 1000;
		return;
	}
	sender->stats.in_flight_messages = 0;
	sender->stats.in_flight_bytes = 0;
	sender->has_held = false;
	sender->full = false;
	lc_journal_rewind(sender->journal);
	enter(sender, SENDER_LIVE);
	lc_drain_wake(sender->drain);
	sender->stats.resets++;
	++*sender->metrics.resets;
	lc_log(lc_loop_log(sender->loop), LC_LOG_WARN, "kafka", "producer_reset",
		LC_S("reason", sender->why), LC_U("resets", sender->stats.resets),
		LC_U("to_send", lc_journal_stats(sender->journal).unsent));
	if (sender->handlers.producer_reset) {
		sender->handlers.producer_reset(sender->arg, sender->why, sender->stats.resets);
	}
}

static void on_destroyed(void *arg)
{
	struct lc_sender *sender = arg;
	if (must_end(sender)) {
		end(sender);
		return;
	}
	/* The first reset is at once; what keeps failing is tried at longer intervals. */
	int64_t now = now_ms(sender);
	if (now - sender->last_reset_ms > RESET_CALM_MS || !sender->last_reset_ms) {
		sender->reset_wait_ms = 0;
	} else {
		sender->reset_wait_ms = sender->reset_wait_ms ? sender->reset_wait_ms * 2 : 250;
	}
	if (sender->reset_wait_ms > RESET_WAIT_MAX_MS) {
		sender->reset_wait_ms = RESET_WAIT_MAX_MS;
	}
	sender->last_reset_ms = now + sender->reset_wait_ms;
	sender->retry_at_ms = now + sender->reset_wait_ms;
	enter(sender, SENDER_WAITING);
	if (!sender->reset_wait_ms) {
		renew(sender);
	}
}

static void destroy_producer(struct lc_sender *sender)
{
	struct producer *producer = sender->producer;
	sender->producer = NULL;
	enter(sender, SENDER_DESTROYING);
	producer_destroy(producer, on_destroyed, sender);
}

static bool on_drain(void *arg)
{
	struct lc_sender *sender = arg;
	if (!sender->producer) {
		return false;
	}
	bool more = serve_events(sender);
	if (sender->state == SENDER_LIVE) {
		more |= feed(sender);
	}
	if (sender->state == SENDER_LIVE && must_end(sender)) {
		producer_purge(sender->producer);
		enter(sender, SENDER_PURGING);
	}
	if (sender->state == SENDER_PURGING && !more &&
		(!producer_outstanding(sender->producer) ||
			now_ms(sender) - sender->state_since_ms >= PURGE_MS)) {
		destroy_producer(sender);
		return false;
	}
	return more;
}

static void probe_if_quiet(struct lc_sender *sender)
{
	int64_t now = now_ms(sender);
	int64_t wait = sender->reach == REACH_YES && !sender->stats.in_flight_messages
			       ? IDLE_PROBE_MS
			       : QUIET_MS;
	int64_t between = sender->reach == REACH_YES ? wait : PROBE_MS;
	if (sender->reach == REACH_YES && now - sender->last_answer_ms < wait) {
		return;
	}
	if (now - sender->last_probe_ms >= between &&
		producer_probe(sender->producer, kafka_patience_ms(sender->probe_failures))) {
		sender->last_probe_ms = now;
	}
}

static void on_tick(void *arg)
{
	struct lc_sender *sender = arg;
	*sender->metrics.in_flight_messages = (double)sender->stats.in_flight_messages;
	*sender->metrics.in_flight_bytes = (double)sender->stats.in_flight_bytes;
	*sender->metrics.queued = (double)lc_journal_stats(sender->journal).unsent;
	*sender->metrics.reachable = sender->reach == REACH_YES;
	if (sender->state == SENDER_LIVE) {
		sender->full = false;
		probe_if_quiet(sender);
	} else if (sender->state == SENDER_WAITING) {
		if (must_end(sender)) {
			end(sender);
			return;
		}
		if (now_ms(sender) >= sender->retry_at_ms) {
			renew(sender);
		}
	}
	lc_drain_wake(sender->drain);
}

enum lc_err lc_sender_create(struct lc_loop *loop, struct lc_journal *journal,
	const struct lc_kafka_config *config, const struct lc_topics_config *topics,
	const struct lc_sender_handlers *handlers, void *arg, struct lc_sender **out,
	struct lc_error *err)
{
	struct lc_sender *sender = calloc(1, sizeof *sender);
	if (!sender) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	sender->loop = loop;
	sender->journal = journal;
	sender->config = config;
	sender->topics = topics;
	sender->handlers = *handlers;
	sender->arg = arg;
	sender->batch_bytes = config->batch_bytes;
	sender_metrics_init(&sender->metrics, loop);
	enum lc_err code = LC_ERR_NOMEM;
	if (lc_timer_create(loop, on_tick, sender, &sender->tick) ||
		lc_drain_create(loop, on_drain, sender, &sender->drain)) {
		lc_error_set(err, code, "out of memory");
		goto destroy;
	}
	code = producer_create(loop, config, topics, sender->batch_bytes, on_ready, sender,
		&sender->producer, err);
	if (code) {
		goto destroy;
	}
	lc_journal_rewind(journal);
	lc_journal_on_readable(journal, on_ready, sender);
	enter(sender, SENDER_LIVE);
	lc_timer_start(sender->tick, 1, TICK_MS);
	lc_drain_wake(sender->drain);
	*out = sender;
	return LC_OK;
destroy:
	lc_drain_destroy(sender->drain);
	lc_timer_destroy(sender->tick);
	free(sender);
	return code;
}

void lc_sender_wake(struct lc_sender *sender)
{
	lc_drain_wake(sender->drain);
}

void lc_sender_stop(struct lc_sender *sender, int64_t deadline_ms,
	void (*done)(void *arg, uint64_t unacknowledged), void *arg)
{
	int64_t at = now_ms(sender) + deadline_ms;
	if (!sender->stopping || at < sender->stop_at_ms) {
		sender->stop_at_ms = at;
	}
	sender->stopping = true;
	sender->stopped = done;
	sender->stopped_arg = arg;
	lc_timer_start(sender->tick, 1, 20);
	lc_drain_wake(sender->drain);
}

struct lc_sender_stats lc_sender_stats(const struct lc_sender *sender)
{
	struct lc_sender_stats stats = sender->stats;
	stats.queued = lc_journal_stats(sender->journal).unsent + (sender->has_held ? 1 : 0);
	return stats;
}

void lc_sender_inject_fatal(struct lc_sender *sender)
{
	if (sender->producer) {
		producer_kill(sender->producer);
	}
}
