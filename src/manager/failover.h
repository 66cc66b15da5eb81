/* Moves symbols from a source that fails to the next one of another origin, and back when it has
 * been healthy for long enough. A symbol is followed on both until the new one delivers, so that
 * neither way makes a hole. Loop thread; symbols are moved in slices. It never judges a source
 * itself: liveness, the supervisor and a ban's length do. */
#pragma once

#include "livecore/buf.h"
#include "livecore/error.h"
#include "livecore/tick.h"

struct lc_feed;
struct lc_manager;
struct lc_failover;

enum lc_err lc_failover_create(struct lc_manager *manager, struct lc_failover **out);
void lc_failover_destroy(struct lc_failover *failover);

/* The feed fails: its symbols go to the next source of another origin, from the next turn of the
 * loop on. May be called from anywhere. False: there is none to go to for any of them, and the feed
 * goes on trying. Calling it again changes nothing until the feed has recovered. why is for
 * people, copied. */
bool lc_failover_leave(struct lc_feed *feed, const char *why);
/* A feed that was left gives what it should again: its quarantine begins. Not needed when the ticks
 * of the symbols that it still is asked for (its probes) show it. */
void lc_failover_recovered(struct lc_feed *feed);
