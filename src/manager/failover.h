/* Moves symbols from a source that fails to the next one of another origin, and back when it has
 * been healthy for long enough. A symbol is followed on both until the new one delivers, so that
 * neither way makes a hole. Loop thread; symbols are moved in slices. It never judges a source
 * itself: liveness, the supervisor and a ban's length do. */
#pragma once

#include "livecore/buf.h"
#include "livecore/error.h"
#include "livecore/tick.h"

struct lc_down;
struct lc_feed;
struct lc_manager;
struct lc_failover;

/* After the feeds, which it borrows, were made. */
enum lc_err lc_failover_create(struct lc_manager *manager, struct lc_failover **out);
void lc_failover_destroy(struct lc_failover *failover);
/* The settings changed. */
void lc_failover_configure(struct lc_failover *failover);

/* The feed fails: its symbols go to the next source of another origin, from the next turn of the
 * loop on. May be called from anywhere. False: there is none to go to for any of them, and the feed
 * goes on trying. Calling it again changes nothing until the feed has recovered. why is for
 * people, copied. */
bool lc_failover_leave(struct lc_feed *feed, const char *why);
/* A feed that was left gives what it should again: its quarantine begins. Not needed when the ticks
 * of the symbols that it still is asked for (its probes) show it. */
void lc_failover_recovered(struct lc_feed *feed);
/* A session ended: a long ban is a reason to leave. */
void lc_failover_down(struct lc_feed *feed, const struct lc_down *why);

/* The feed that should follow a symbol, which `current` follows now (LC_NO_FEED: none).
 * LC_NO_FEED: no route names one. */
uint8_t lc_failover_source(struct lc_manager *manager, uint32_t symbol, uint8_t current);
/* Is the feed behind other sources in all routes that name it? */
bool lc_failover_stands_by(struct lc_feed *feed);
/* The symbol is left altogether, or given to another feed: nothing of it is under way any more. */
void lc_failover_forget(struct lc_manager *manager, uint32_t symbol);

/* A symbol was given to another feed at once: its ticks go out behind those queued before. */
void lc_failover_behind(struct lc_manager *manager, uint8_t from, uint8_t to);

/* A tick of a symbol that another feed follows: is this feed to follow it from now on? Then the
 * tick is the first. */
bool lc_failover_takes(struct lc_feed *feed, const struct lc_tick *tick);
/* May the feed's oldest tick be published? Not while older ones of its symbol wait in the queue of
 * the source that was left. */
bool lc_failover_may_drain(const struct lc_feed *feed);
/* Has a source that is believed a session that holds the symbol? */
bool lc_failover_watched(const struct lc_manager *manager, uint32_t symbol);

/* ,"source":{…} of a feed's status; and the gauges. */
void lc_failover_status(const struct lc_feed *feed, struct lc_buf *out);
void lc_failover_gauges(struct lc_manager *manager);
