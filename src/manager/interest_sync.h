/* Keeps the registry of interest in step with its topic: restores what was stored, reads the topic
 * to its end, hands the difference over once, and then follows every update; stores the sets with
 * their offsets in one transaction. Loop thread. Long updates are done in slices. */
#pragma once

#include "livecore/interest.h"
#include "livecore/reader.h"
#include "livecore/redis.h"
#include "manager/outbox.h"

struct lc_interest_sync;

struct lc_interest_sync_host {
	void (*follow)(void *arg, uint32_t symbol);
	void (*leave)(void *arg, uint32_t symbol);
	void (*refresh)(void *arg, uint32_t symbol);
	/* Once: the topic has been read to its end, and every symbol followed was handed over. */
	void (*ready)(void *arg);
};

struct lc_interest_sync_setup {
	struct lc_loop *loop;
	const struct lc_kafka_config *kafka;
	const char *topic, *group, *state_dir, *node;
	const struct lc_redis_config *redis; /* the sets are kept there; NULL: in state_dir */
	const struct lc_zone *naive_zone;
	struct lc_symbols *symbols;
	int64_t ttl_ms;
	/* how often portfolios that fell silent are looked for; 0: a minute */
	int64_t housekeeping_ms;
	struct lc_outbox *outbox;
	const struct lc_interest_sync_host *host;
	void *arg;
};

/* All of setup is borrowed. */
enum lc_err lc_interest_sync_create(const struct lc_interest_sync_setup *setup,
	struct lc_interest_sync **out, struct lc_error *err);
void lc_interest_sync_set_ttl(struct lc_interest_sync *sync, int64_t ttl_ms);
/* Stores what is not stored yet; done is called once, later; the registry and the sync are gone
 * then. */
void lc_interest_sync_stop(struct lc_interest_sync *sync, void (*done)(void *arg), void *arg);

struct lc_interest *lc_interest_sync_registry(struct lc_interest_sync *sync);

struct lc_interest_sync_status {
	bool ready; /* the topic was read to its end, and the sets are applied */
	bool reading;
	char reason[256]; /* why it does not read; "" */
	char store[256];  /* what is wrong with the store; "" */
	uint64_t updates, unreadable;
};
struct lc_interest_sync_status lc_interest_sync_status(const struct lc_interest_sync *sync);
