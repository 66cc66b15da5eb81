/* The gaps of the feeds: opened when a session ends that gave ticks (or when a feed falls silent),
 * for the symbols in session and not halted; closed when the vendor gives them again; then handed
 * to the backfill. Each step is an event that names the gap's id. Loop thread; many symbols are
 * told in pieces. It never judges a feed itself: the supervisor and the feed's liveness do. */
#pragma once

#include "livecore/buf.h"
#include "livecore/feeder.h"
#include "manager/gaps.h"

struct lc_feed;
struct lc_manager;
struct lc_feed_gaps;

/* After the feeds, which it borrows, and the bars were made. */
enum lc_err lc_feed_gaps_create(struct lc_manager *manager, struct lc_feed_gaps **out);
void lc_feed_gaps_destroy(struct lc_feed_gaps *gaps);
/* The settings changed. */
void lc_feed_gaps_configure(struct lc_feed_gaps *gaps);

/* From here on what is NULL is accepted: while the manager is made, nothing is missed. */

/* Every tick that a feed's symbol got, and whether it was new. A few ns. */
void lc_feed_gaps_tick(struct lc_feed *feed, const struct lc_tick *tick, bool passed);
/* The vendor told a symbol again, and nothing new. */
void lc_feed_gaps_same(struct lc_feed *feed, uint32_t symbol);
/* The feed gives nothing any more: its gap opens, or goes on. evidence (what was seen) is copied.
 * Call it before the session's subscriptions are forgotten. */
void lc_feed_gaps_lost(struct lc_feed *feed, enum lc_gap_cause cause, const char *evidence);
/* The same of one of its markets, while its session and the others go on. */
void lc_feed_gaps_market(struct lc_feed *feed, enum lc_market market, const char *evidence);
/* The vendor took a change of subscriptions. */
void lc_feed_gaps_subscribed(struct lc_feed *feed);
/* The session is closed: what was asked for goes on in the next. */
void lc_feed_gaps_down(struct lc_feed *feed);
/* Nobody follows the symbol any more. */
void lc_feed_gaps_forget(struct lc_manager *manager, uint32_t symbol);

/* The last event time of a feed that the process before this one logged. clean: that process ended
 * in order, so that nothing about that time is in doubt. */
void lc_feed_gaps_before(
	struct lc_manager *manager, const char *feeder, int64_t last_event_ns, bool clean);
/* The time at which it saved its state last: where no log knows better. */
void lc_feed_gaps_saved(struct lc_manager *manager, int64_t saved_ns);
/* Both of it is read, and feeds may start: the gaps of the restart open. */
void lc_feed_gaps_known(struct lc_manager *manager);
/* A symbol came to be followed: at start it was followed before. */
void lc_feed_gaps_followed(struct lc_manager *manager, uint32_t symbol);
/* It is known who follows what: what is followed from now on is new. */
void lc_feed_gaps_started(struct lc_manager *manager);

/* A cancelled price made a minute doubtful. */
void lc_feed_gaps_doubt(struct lc_manager *manager, uint32_t symbol, int64_t start_ns);

/* Is nothing seen of the symbol, although its feed may have a session? */
bool lc_feed_gaps_is_open(const struct lc_manager *manager, uint32_t symbol);

/* The feeder's host forwards these. */
void lc_feed_gaps_backfilled(struct lc_feed *feed, const struct lc_tick *tick);
void lc_feed_gaps_minute(struct lc_feed *feed, const struct lc_bar *bar);
bool lc_feed_gaps_room(const struct lc_feed *feed);
void lc_feed_gaps_backfill_end(struct lc_feed *feed, const struct lc_backfill_end *end);

/* ,"gaps":{…} of a feed's status; and the gauges. */
void lc_feed_gaps_status(const struct lc_feed *feed, struct lc_buf *out);
void lc_feed_gaps_gauges(struct lc_manager *manager);
