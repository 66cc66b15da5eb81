/* Bars in the manager: every tick that leaves a queue goes into them, and what they make goes to
 * Kafka and to the bar store. Keeps what they need over a restart, and tells them what was not
 * seen while a feed was down. Loop thread. It never waits: a bar that finds no room is counted. */
#pragma once

#include "livecore/bar_store.h"
#include "livecore/bars.h"
#include "manager/bar_keeper.h"
#include "manager/outbox.h"
#include "manager/settings.h"

struct lc_bar_flow;

struct lc_bar_flow_host {
	/* Once, later: what was kept has been given back; feeders may start. */
	void (*ready)(void *arg);
	/* Does the symbol's feed have it now, so that the next trade will be seen? */
	bool (*watched)(void *arg, uint32_t symbol);
	/* Is it known who follows what, and that nobody follows this one? */
	bool (*unwanted)(void *arg, uint32_t symbol);
	/* Before ready: what is given back was kept at that time. */
	void (*saved)(void *arg, int64_t saved_ns);
	/* A cancelled price made a minute doubtful: lc_bar_flow_replace() when the vendor told. */
	void (*doubt)(void *arg, uint32_t symbol, int64_t start_ns);
};

struct lc_bar_flow_setup {
	struct lc_loop *loop; /* borrowed, as are all */
	struct lc_symbols *symbols;
	size_t max_symbols;
	struct lc_calendar *calendar;
	struct lc_outbox *outbox;
	const struct lc_bars_config *config; /* for the call */
	const struct lc_store_config *store; /* until stopped */
	const char *state_dir;
	bool tape; /* each market's time is that of its newest tick */
	const struct lc_bar_flow_host *host;
	void *arg;
};

/* With bars.enabled off there are none: *out is NULL, and every call below accepts that. */
enum lc_err lc_bar_flow_create(
	const struct lc_bar_flow_setup *setup, struct lc_bar_flow **out, struct lc_error *err);
/* What a reload may change. */
void lc_bar_flow_configure(struct lc_bar_flow *flow, const struct lc_bars_config *config);

/* The calendar it was created with was read again. */
void lc_bar_flow_calendar(struct lc_bar_flow *flow);

/* LC_ERR_NOMEM: this symbol makes no bars. */
enum lc_err lc_bar_flow_follow(struct lc_bar_flow *flow, uint32_t symbol);
void lc_bar_flow_leave(struct lc_bar_flow *flow, uint32_t symbol);
/* Its feed went down, or another one takes it over. */
void lc_bar_flow_lost(struct lc_bar_flow *flow, uint32_t symbol);

/* Known afterwards: nothing was seen of a symbol that makes trades in this interval of event time;
 * or all of it has left the queue since (backfilled ticks). */
void lc_bar_flow_missed(struct lc_bar_flow *flow, uint32_t symbol, int64_t from_ns, int64_t to_ns);
void lc_bar_flow_filled(struct lc_bar_flow *flow, uint32_t symbol, int64_t from_ns, int64_t to_ns);
/* The vendor's own bar of a minute. */
void lc_bar_flow_replace(struct lc_bar_flow *flow, const struct lc_bar *minute);

/* A tick that left its queue, however. About 100 ns. */
void lc_bar_flow_tick(struct lc_bar_flow *flow, const struct lc_tick *tick);
void lc_bar_flow_reference(struct lc_bar_flow *flow, const struct lc_reference *reference);

/* Before the stop: takes no more ticks, and says what is due, in slices. True when all is said;
 * until then call it again. Of NULL true. */
bool lc_bar_flow_end(struct lc_bar_flow *flow);
/* Stores all, and frees; done is called once, later; of NULL at once. What lc_bar_flow_end() did
 * not come to is said after the next start. */
void lc_bar_flow_stop(struct lc_bar_flow *flow, void (*done)(void *arg), void *arg);

/* NULL when there are none. */
struct lc_bars *lc_bar_flow_bars(struct lc_bar_flow *flow);
struct lc_bar_store *lc_bar_flow_store(struct lc_bar_flow *flow);

/* Appends ,"bars":{…},"store":{…} of the status. */
void lc_bar_flow_status(const struct lc_bar_flow *flow, struct lc_buf *out);
/* What is wrong with the bar store, and with what is kept over a restart; "" when nothing is. */
void lc_bar_flow_trouble(const struct lc_bar_flow *flow, char store[256], char state[256]);
void lc_bar_flow_gauges(struct lc_bar_flow *flow);
