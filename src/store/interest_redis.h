/* The followed sets in Redis: what saving and loading them share. Keys, with
 * P = livecore:interest:NODE:
 *
 *   P                 hash: version, writer, topic, offsets, portfolios (how many there are)
 *   P:portfolios      sorted set of the ids, all with score 0: read in order, a page at a time
 *   P:set:ID          a portfolio's text (interest_text.h)
 *
 * One command is under way at a time, so no step is long and nothing is queued while Redis is slow:
 * the reply to a step's command begins the next. */
#pragma once

#include "livecore/map.h"
#include "store/interest_impl.h"
#include "store/interest_text.h"

#define INTEREST_REDIS_VERSION "1"
#define INTEREST_REDIS_PIECE ((size_t)16 * 1024) /* bytes of a portfolio's text in one command */
#define INTEREST_REDIS_ID_MAX 256
#define INTEREST_REDIS_KEY_MAX 640

enum interest_redis_step {
	IDLE,
	WAIT_UP,      /* opening: for the connection */
	LOAD_HEAD,    /* the hash */
	LOAD_IDS,     /* a page of ids, into saved */
	LOAD_SET,     /* a piece of one portfolio */
	SAVE_WATCH,   /* from here on nobody else may write */
	SAVE_WRITER,  /* is what is stored what we stored? */
	SAVE_OLD_IDS, /* complete: a page of the ids that go */
	SAVE_MULTI,
	SAVE_DROP, /* complete: what was stored before */
	SAVE_SET,  /* a piece of one portfolio, or that it is gone */
	SAVE_ID,   /* its place in the sorted set */
	SAVE_HEAD,
	SAVE_EXEC,
};

struct redis_store {
	struct lc_interest_store base;
	struct lc_loop *loop; /* borrowed */
	struct lc_redis *redis;
	struct lc_timer *soon; /* answers come from here, never from inside a call or a reply */
	char prefix[INTEREST_REDIS_KEY_MAX / 2];
	char writer[24], expected[24]; /* our mark, and whose is there by what we know */
	struct lc_map *ids;            /* of the portfolios that are stored; values are not used */
	bool known;                    /* ids holds, and so does what we believe to be stored */
	enum interest_redis_step step;
	size_t index, next; /* portfolio and entry under way; while loading, bytes */
	struct interest_text_reader reader;
	int64_t promised; /* portfolios, by the hash */
	char **old;       /* owned ids that a complete save drops */
	size_t old_count;
	char last[INTEREST_REDIS_ID_MAX]; /* id that ended a page */
	struct lc_buf piece;
};

/* --- interest_redis.c --- */

/* Whatever was begun on this connection is given up, so that the next save finds it clean. */
void interest_redis_fail(struct redis_store *store, enum lc_err code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Loading or saving has ended; its owner is told in a later turn. */
void interest_redis_end(struct redis_store *store);
/* Begins a step, at its first entry. */
void interest_redis_enter(struct redis_store *store, enum interest_redis_step step);
/* Asks for the next entry of the step under way. */
void interest_redis_go(struct redis_store *store);

void interest_redis_send(struct redis_store *store, const char *const *words, size_t count);
#define INTEREST_REDIS_SEND(store, ...)                                             \
	do {                                                                        \
		const char *words_[] = {__VA_ARGS__};                               \
		interest_redis_send(store, words_, sizeof words_ / sizeof *words_); \
	} while (0)

/* The key of a portfolio's text, and of the sorted set; both return key. */
const char *interest_redis_set_key(
	const struct redis_store *store, const char *id, char key[INTEREST_REDIS_KEY_MAX]);
const char *interest_redis_ids_key(
	const struct redis_store *store, char key[INTEREST_REDIS_KEY_MAX]);

/* The text of a list's item, NUL-terminated; false: none, too long, or with a NUL in it. */
bool interest_redis_item(const struct lc_redis_reply *reply, size_t i, char *out, size_t size);
/* Asks for the page of ids behind store->last. */
void interest_redis_send_ids(struct redis_store *store);
/* Each id of a page goes into store->last and to take. *more: the page was full, another is to be
 * asked for. LC_ERR_INVALID: what is no id; LC_ERR_NOMEM: take returned false. */
enum lc_err interest_redis_take_ids(struct redis_store *store, const struct lc_redis_reply *reply,
	bool (*take)(struct redis_store *store), bool *more);
/* This portfolio is stored. */
enum lc_err interest_redis_note(struct redis_store *store, const char *id);

/* --- interest_redis_load.c, interest_redis_save.c --- */

/* The command of the step under way, and its reply. */
void interest_redis_load_ask(struct redis_store *store);
void interest_redis_load_on(struct redis_store *store, const struct lc_redis_reply *reply);
void interest_redis_save_ask(struct redis_store *store);
void interest_redis_save_on(struct redis_store *store, const struct lc_redis_reply *reply);
/* Forgets what a complete save was to drop. */
void interest_redis_free_old(struct redis_store *store);
