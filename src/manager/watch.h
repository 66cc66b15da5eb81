/* Watches over the feeds: gives liveness what happens, and does what it says (probe, subscribe
 * anew, connect anew, fail over), each with an event, a metric and a log line, at the last an
 * alert. Loop thread; judged four times a second, symbols in slices. It decides nothing itself. */
#pragma once

#include "livecore/buf.h"
#include "livecore/config.h"
#include "livecore/liveness.h"
#include "livecore/tick.h"

struct lc_feed;
struct lc_manager;
struct lc_watch;

extern const struct lc_section lc_liveness_section; /* struct lc_liveness_config */

/* After the feeds were made, before they are started. */
enum lc_err lc_watch_create(struct lc_manager *manager, struct lc_watch **out);
/* Stores what was learned, then frees; done is called once, later (NULL watch: at once). Nothing
 * is judged any more. */
void lc_watch_stop(struct lc_watch *watch, void (*done)(void *arg), void *arg);
/* The settings changed. */
void lc_watch_configure(struct lc_watch *watch, const struct lc_liveness_config *config);

/* For each tick. news: it was not a repeat of what was known. A tick of a symbol that another feed
 * follows shows only that this feed speaks. */
void lc_watch_tick(struct lc_watch *watch, uint8_t feed, const struct lc_tick *tick, bool news);
/* struct lc_feeder_host.same */
void lc_watch_same(struct lc_watch *watch, uint8_t feed, uint32_t symbol, int64_t data_ns);

/* ,"liveness":{…} of a feed's status. */
void lc_watch_status(const struct lc_feed *feed, struct lc_buf *out);
/* What is wrong with the feed, as text for people; "" when nothing is. */
void lc_watch_trouble(const struct lc_feed *feed, char *out, size_t size);
void lc_watch_gauges(struct lc_watch *watch);
