/* What the files of the manager share. Never leaves this folder. */
#pragma once

#include "livecore/heartbeat.h"
#include "livecore/http_client.h"
#include "livecore/interest.h"
#include "livecore/last_value.h"
#include "livecore/manager.h"
#include "livecore/market.h"
#include "livecore/quality.h"
#include "livecore/queue.h"
#include "livecore/twins.h"
#include "livecore/ws_client.h"
#include "manager/bad_input.h"
#include "manager/bar_flow.h"
#include "manager/bar_snapshot.h"
#include "manager/calendars.h"
#include "manager/control.h"
#include "manager/failover.h"
#include "manager/feed_gaps.h"
#include "manager/gaps.h"
#include "manager/interest_sync.h"
#include "manager/limits.h"
#include "manager/outbox.h"
#include "manager/refusals.h"
#include "manager/settings.h"
#include "manager/supervisor.h"
#include "manager/watch.h"

#define LC_FEEDS_MAX 8
#define LC_NO_FEED UINT8_MAX

/* Ticks of one feeder that have one reason in common. */
struct lc_reason_count {
	enum lc_log_level level;    /* of its log lines */
	const char *event, *reason; /* constants: "dropped" or "doubtful", and why */
	uint64_t *total;            /* counter; NULL: never */
	uint64_t unsaid;            /* since the last log line */
	int64_t next_ns;            /* monotonic; no line before it */
	uint32_t example;           /* the symbol of the last one */
};

/* One feeder with its session and its queue. */
struct lc_feed {
	struct lc_manager *manager; /* borrowed */
	const struct lc_feeder_impl *impl;
	struct lc_supervisor *supervisor; /* owned */
	struct lc_queue *queue;           /* owned */
	uint8_t index;
	bool paused;
	bool enabled;                 /* by routing.feeders */
	bool held;                    /* stopped by command: a reload does not start it */
	bool limit_raised;            /* the alert symbol_limit was sent */
	uint64_t drained;             /* ticks taken out of the queue */
	uint64_t *ticks, *reconnects; /* counters */
	double *state, *depth, *wanted, *subscribed, *over_limit, *clock_offset; /* gauges */
	struct lc_histogram *latency; /* from socket to journal */
	struct lc_reason_count dropped[LC_DROP_REASONS], doubted[LC_DOUBT_REASONS];
	struct lc_bad_input bad_input;
};

enum lc_manager_phase { LC_PHASE_LOADING, LC_PHASE_RUNNING, LC_PHASE_STOPPING };

struct lc_manager {
	struct lc_loop *loop;
	struct lc_log *log;
	struct lc_config *config;       /* owned; replaced by a reload */
	struct lc_config *first_config; /* owned; what waits for a restart still points into it */
	struct lc_config *old_config;   /* owned during a reload */
	struct lc_kafka_config kafka;   /* of the first, with the brokers in use */
	struct lc_manager_options options;
	enum lc_manager_phase phase;
	int64_t started_ns;
	char node_id[LC_MESSAGE_ID_MAX + 1], stream[LC_MESSAGE_ID_MAX + 1], state_dir[512];
	int state_lock; /* of state_dir; -1: not held */
	char brokers[256], interest_group[256], control_group[256];
	struct lc_zone *naive_zone;

	struct lc_symbols *symbols;
	struct lc_calendar *calendar;
	struct lc_calendars *calendars; /* owned */
	struct lc_quality *quality;
	struct lc_last_value *last;
	uint8_t *feed_of; /* by symbol: the feed that follows it, or LC_NO_FEED */

	struct lc_feed feeds[LC_FEEDS_MAX];
	size_t feed_count;
	struct lc_failover *failover; /* owned */
	struct lc_ws_hub *ws;
	struct lc_http *http;

	struct lc_journal *journal;
	char log_trouble[256]; /* why the log on disk does not protect; "" */
	struct lc_outbox outbox;
	struct lc_sender *sender;
	struct lc_drain *drain;
	size_t next_feed; /* the drain's turn */

	struct lc_bar_flow *bars;         /* NULL: bars.enabled is off */
	struct lc_bar_snapshot *snapshot; /* while one is under way */
	struct lc_interest_sync *interest;
	struct lc_control *control;
	struct lc_limits *limits;       /* owned */
	struct lc_gaps *gaps;           /* owned */
	struct lc_feed_gaps *feed_gaps; /* owned; NULL while it is made */
	struct lc_heartbeat *heartbeat; /* owned; NULL without Redis */
	struct lc_twins *twins;         /* owned */
	struct lc_watch *watch;         /* owned; NULL while stopping */
	/* owned; what was followed when the routes changed, while it is gone through */
	struct lc_interest_sort *reroute;
	bool reroute_sorted;
	size_t reroute_next;
	struct lc_slice *reroute_slice;
	bool reroute_wanted; /* the routes changed while the sets were loaded */
	bool topics_running;
	bool topics_made;         /* kafka.create_topics was done, or is under way */
	int64_t topics_looked_ns; /* when Kafka was last asked; 0: never */
	struct lc_timer *minute;  /* says what drops were not said yet */
	bool kafka_reachable;
	struct lc_refusals refusals;
	char kafka_reason[256];

	/* stopping, see stop.c */
	struct lc_timer *stop_timer;
	int64_t stop_ns, deadline_ns; /* monotonic */
	int closing;                  /* parts that have been told to close and have not answered */
	bool sender_stopping, hubs_closing;
	uint64_t unacknowledged;
	void (*stopped)(void *arg, int exit_code);
	void *stopped_arg;
};

/* feeds.c */
enum lc_err lc_feeds_create(struct lc_manager *manager, struct lc_error *err);
void lc_feeds_destroy(struct lc_manager *manager);
bool lc_feeds_enabled(const struct lc_manager *manager, const char *name); /* by routing.feeders */
struct lc_feed *lc_feeds_find(struct lc_manager *manager, const char *name);
void lc_feeds_start(struct lc_manager *manager);
/* The union of the portfolios' sets changed. */
void lc_feeds_follow(struct lc_manager *manager, uint32_t symbol);
void lc_feeds_leave(struct lc_manager *manager, uint32_t symbol);
/* Has the symbol's feeder a session that holds it? */
bool lc_feeds_watched(const struct lc_manager *manager, uint32_t symbol);
/* Moves every followed symbol to the feeder that the routes name now, in slices. */
void lc_feeds_reroute(struct lc_manager *manager);
void lc_feeds_cancel_reroute(struct lc_manager *manager);
/* Says which alerts about symbol limits are over. */
void lc_feeds_check_limits(struct lc_manager *manager);
void lc_feeds_gauges(struct lc_manager *manager);

/* intake.c: from a feeder's tick to its queue */
extern const struct lc_feeder_host lc_intake_host;
void lc_intake_drop(struct lc_feed *feed, const struct lc_tick *tick, enum lc_drop reason);
void lc_intake_say_counts(struct lc_manager *manager);
/* Judges and queues a tick that was fetched afterwards; false: it is dropped. */
bool lc_intake_backfilled(struct lc_feed *feed, struct lc_tick *tick);
extern const struct lc_quality_host lc_intake_quality_host;
/* For struct lc_queue_options: arg is the feed. */
void lc_intake_queue_drop(void *arg, const struct lc_tick *tick, enum lc_drop reason);

/* publish.c: from the queues to the journal */
bool lc_publish_drain(void *arg);
/* Sends a symbol's last value again. */
void lc_publish_refresh(struct lc_manager *manager, uint32_t symbol);

/* actions.c: what commands do; their owner is the manager */
extern const struct lc_control_actions lc_manager_actions;

/* stop.c */
/* Called first of all, so that stopping allocates nothing. */
enum lc_err lc_stop_prepare(struct lc_manager *manager);
/* While stopping, something that was waited for has come: looks again, but not from inside this
 * call. */
void lc_stop_soon(struct lc_manager *manager);

/* topic_watch.c: when Kafka answers, and once a minute. Makes the topics that are missing
 * (kafka.create_topics), and warns of one whose partition count is not the one seen last. */
void lc_topic_watch_look(struct lc_manager *manager);
/* manager.c: frees what has no open handles any more */
void lc_manager_free(struct lc_manager *manager);

/* beats.c: the heartbeat in Redis, when there is one, and the watch for twins of this process */
enum lc_err lc_beats_create(struct lc_manager *manager, struct lc_error *err);

/* reload.c */
enum lc_err lc_reload(struct lc_manager *manager, struct lc_buf *result, struct lc_error *err);
