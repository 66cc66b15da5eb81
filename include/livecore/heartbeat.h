/* A role's heartbeat in Redis, for those who watch from outside: heartbeat:TYPE:NODE, written every
 * 10 s with a life of 30 s. On the loop, so a process whose loop stands still falls silent. Loop
 * thread. Redis away disturbs nothing: a beat that cannot be written is not written. Before each
 * beat the key is read: another process that beats under the same name is a twin, and reported.
 *
 * The sets livecore:components (whoever beat once) and livecore:stopped (of those, who ended in
 * good order) tell a reader who is missing. */
#pragma once

#include "livecore/loop.h"
#include "livecore/messages.h"
#include "livecore/redis.h"

#define LC_HEARTBEAT_EVERY_S 10
#define LC_HEARTBEAT_TTL_S 30
#define LC_HEARTBEAT_KEYS "heartbeat:" /* TYPE:NODE follows */
#define LC_HEARTBEAT_COMPONENTS "livecore:components"
#define LC_HEARTBEAT_STOPPED "livecore:stopped"

/* By contract: their numbers are written. */
enum lc_heartbeat_state {
	LC_HEARTBEAT_IS_STOPPED,
	LC_HEARTBEAT_STARTING,
	LC_HEARTBEAT_RUNNING,
	LC_HEARTBEAT_STOPPING,
	LC_HEARTBEAT_ERROR, /* it runs, but cannot do its work */
};

/* Another live process under our name, by what it wrote. */
struct lc_heartbeat_twin {
	char stream[LC_MESSAGE_ID_MAX + 1], host[256];
	int64_t pid; /* 0: not said */
};

/* What the role answers, on the loop. */
struct lc_heartbeat_host {
	/* Asked once a second; a change is written at once. */
	enum lc_heartbeat_state (*state)(void *arg);
	/* Appends the counters as members of a JSON object, without braces: "ticks":5,"followed":2.
	 * None is named like a field of the contract. */
	void (*stats)(void *arg, struct lc_buf *members);
	/* At most once a minute; it is in the log already. May be NULL. */
	void (*twin)(void *arg, const struct lc_heartbeat_twin *twin);
};

struct lc_heartbeat;

/* type: "data_manager", "task_timer". context (node, stream, how times are written) stays borrowed;
 * redis is not kept. With redis->address "" there is none: *out is NULL, which every function here
 * takes, and LC_OK. */
enum lc_err lc_heartbeat_create(struct lc_loop *loop, const struct lc_redis_config *redis,
	const char *type, const struct lc_message_context *context,
	const struct lc_heartbeat_host *host, void *arg, struct lc_heartbeat **out,
	struct lc_error *err);

/* Writes a last beat, STOPPED, and is gone. done (may be NULL) is called once, later, within half a
 * second even when Redis does not answer; when heartbeat is NULL, before this returns. The host is
 * not asked any more. */
void lc_heartbeat_stop(struct lc_heartbeat *heartbeat, void (*done)(void *arg), void *arg);
