/* What watching over the feeds says: events, alerts, log lines, metrics, status. Loop thread. It
 * never acts. */
#pragma once

#include "livecore/buf.h"
#include "livecore/liveness.h"

struct lc_feed;

#define LC_WATCH_LISTED 200 /* silent symbols named in one message */
#define LC_WATCH_SYMBOL 0   /* in `counted`: the place of LC_STAGE_NONE is the symbols' */

/* One feed's part. */
struct lc_watch_feed {
	bool moved;               /* its symbols were given to another source */
	bool alerted;             /* the alert feed_mute stands */
	bool alerted_some;        /* the alert data_missing stands */
	unsigned alerted_markets; /* … feed_mute, of these: bits 1 << enum lc_market */
	uint64_t *counted[LC_STAGES], *counted_markets;
	double *verdict, *socket, *silence, *expected, *silent, *mute_markets;
	unsigned renewals;    /* of single symbols, this minute */
	int64_t minute_ns;    /* monotonic: when it began */
	int64_t told_ns;      /* of the list below: not before it */
	int64_t alerted_ns;   /* … the next alert about single symbols */
	size_t listed, found; /* symbols found silent since the last event */
	uint32_t list[LC_WATCH_LISTED];
};

void lc_watch_feed_init(struct lc_watch_feed *side, struct lc_feed *feed);

/* "no data for 6.2 s, the longest ordinary silence is 5 s" */
void lc_watch_why(const struct lc_live_step *step, char *out, size_t size);
void lc_watch_say_stage(
	struct lc_feed *feed, struct lc_watch_feed *side, const struct lc_live_step *step);

/* One market of several, in an event, a log line and an alert. */
void lc_watch_say_part(struct lc_feed *feed, struct lc_watch_feed *side, enum lc_market market,
	enum lc_live_part part, const struct lc_live_step *step);

void lc_watch_add_silent(struct lc_feed *feed, struct lc_watch_feed *side, uint32_t symbol);
/* Once a turn: what was found, not too often; and that all is well again. */
void lc_watch_say_silent(struct lc_feed *feed, struct lc_watch_feed *side,
	const struct lc_liveness *live, int64_t now_ns);

/* Nobody watches any more: what stood is taken back. */
void lc_watch_end_alerts(struct lc_feed *feed, struct lc_watch_feed *side);

void lc_watch_view_json(const struct lc_live_view *view, bool enabled, struct lc_buf *out);
void lc_watch_view_trouble(const struct lc_live_view *view, char *out, size_t size);
void lc_watch_feed_gauges(struct lc_watch_feed *side, const struct lc_live_view *view);
