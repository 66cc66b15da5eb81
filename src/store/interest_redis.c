/* The followed sets in Redis. Keys, with P = livecore:interest:NODE:
 *   P                 hash: version, writer, topic, offsets, portfolios (how many there are)
 *   P:portfolios      sorted set of the ids, all with score 0: read in order, a page at a time
 *   P:set:ID          a portfolio's text (interest_text.h)
 * A save is WATCH, MULTI, pieces, EXEC; one command is under way at a time, so no step is long and
 * nothing is queued while Redis is slow. */
#include "livecore/list.h"
#include "livecore/map.h"
#include "store/interest_impl.h"
#include "store/interest_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION "1"
#define PIECE ((size_t)16 * 1024) /* bytes of a portfolio's text in one command */
#define PAGE 100                  /* ids in one answer */
#define ID_MAX 256
#define KEY_MAX 640

enum step {
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
	char prefix[KEY_MAX / 2];
	char writer[24], expected[24]; /* our mark, and whose is there by what we know */
	struct lc_map *ids;            /* of the portfolios that are stored; values are not used */
	bool known;                    /* ids holds, and so does what we believe to be stored */
	enum step step;
	size_t index, next; /* portfolio and entry under way; while loading, bytes */
	struct interest_text_reader reader;
	int64_t promised; /* portfolios, by the hash */
	char **old;       /* owned ids that a complete save drops */
	size_t old_count;
	char last[ID_MAX]; /* id that ended a page */
	struct lc_buf piece;
};

static void go(struct redis_store *store);

/* --- ending what is under way --- */

static void free_old(struct redis_store *store)
{
	for (size_t i = 0; i < store->old_count; i++) {
		free(store->old[i]);
	}
	free(store->old);
	store->old = NULL;
	store->old_count = 0;
}

static void free_store(struct redis_store *store)
{
	lc_redis_destroy(store->redis);
	lc_timer_destroy(store->soon);
	lc_map_destroy(store->ids, NULL);
	lc_saved_interest_free(store->base.saved);
	free_old(store);
	lc_buf_finish(&store->piece);
	free(store);
}

static void end_soon(struct redis_store *store)
{
	store->step = IDLE;
	lc_timer_start(store->soon, 0, 0);
}

/* Whatever was begun on this connection is given up, so that the next save finds it clean. */
static void __attribute__((format(printf, 3, 4)))
fail(struct redis_store *store, enum lc_err code, const char *format, ...)
{
	char text[200];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	lc_error_set(&store->base.err, code, "interest in Redis: %s", text);
	const char *give_up[] = {store->step >= SAVE_MULTI ? "DISCARD" : "UNWATCH"};
	if (store->step >= SAVE_WATCH && lc_redis_up(store->redis)) {
		lc_redis_command(store->redis, give_up, 1, NULL, NULL);
	}
	store->known = false;
	end_soon(store);
}

static void on_soon(void *arg)
{
	struct redis_store *store = arg;
	if (store->base.loaded) {
		interest_end_open(&store->base);
	} else if (store->base.done) {
		free_old(store);
		interest_end_save(&store->base);
	}
	if (store->base.closed && store->step == IDLE && !store->base.done) {
		void (*closed)(void *) = store->base.closed;
		void *closed_arg = store->base.closed_arg;
		free_store(store);
		closed(closed_arg);
	}
}

/* --- commands --- */

static void on_reply(void *arg, const struct lc_redis_reply *reply, const struct lc_error *err);

static void send(struct redis_store *store, const char *const *words, size_t count)
{
	enum lc_err rc = store->piece.failed
				 ? LC_ERR_NOMEM
				 : lc_redis_command(store->redis, words, count, on_reply, store);
	if (rc != LC_OK) {
		const char *why = lc_redis_why(store->redis);
		fail(store, rc == LC_ERR_NOMEM ? rc : LC_ERR_AGAIN, "%s",
			why[0] ? why : lc_err_text(rc));
	}
}
#define SEND(store, ...)                                             \
	do {                                                         \
		const char *words_[] = {__VA_ARGS__};                \
		send(store, words_, sizeof words_ / sizeof *words_); \
	} while (0)

static const char *key_of(const struct redis_store *store, const char *id, char key[KEY_MAX])
{
	snprintf(key, KEY_MAX, "%s:set:%s", store->prefix, id);
	return key;
}

static const char *ids_key(const struct redis_store *store, char key[KEY_MAX])
{
	snprintf(key, KEY_MAX, "%s:portfolios", store->prefix);
	return key;
}

static void send_ids(struct redis_store *store)
{
	char key[KEY_MAX], from[ID_MAX + 1] = "-", page[16];
	if (store->last[0]) {
		snprintf(from, sizeof from, "(%s", store->last);
	}
	snprintf(page, sizeof page, "%d", PAGE);
	SEND(store, "ZRANGEBYLEX", ids_key(store, key), from, "+", "LIMIT", "0", page);
}

static void send_get(struct redis_store *store)
{
	char key[KEY_MAX], from[24], to[24];
	snprintf(from, sizeof from, "%zu", store->next);
	snprintf(to, sizeof to, "%zu", store->next + PIECE - 1);
	SEND(store, "GETRANGE", key_of(store, store->base.saved->portfolios[store->index].id, key),
		from, to);
}

static void send_drop(struct redis_store *store)
{
	char key[KEY_MAX];
	SEND(store, "DEL",
		store->index < store->old_count ? key_of(store, store->old[store->index], key)
						: ids_key(store, key));
}

static void send_set(struct redis_store *store)
{
	const struct lc_saved_portfolio *portfolio = &store->base.saved->portfolios[store->index];
	char key[KEY_MAX];
	bool first = store->next == 0;
	key_of(store, portfolio->id, key);
	if (portfolio->gone) {
		SEND(store, "DEL", key);
		return;
	}
	lc_buf_clear(&store->piece);
	bool more = interest_text_write(portfolio, &store->next, PIECE, &store->piece);
	if (!more) {
		store->next = SIZE_MAX; /* the reply goes on to SAVE_ID */
	}
	const char *text = lc_buf_text(&store->piece);
	SEND(store, first ? "SET" : "APPEND", key, text);
}

static void send_id(struct redis_store *store)
{
	const struct lc_saved_portfolio *portfolio = &store->base.saved->portfolios[store->index];
	char key[KEY_MAX];
	ids_key(store, key);
	if (portfolio->gone) {
		SEND(store, "ZREM", key, portfolio->id);
	} else {
		SEND(store, "ZADD", key, "0", portfolio->id);
	}
}

/* How many portfolios there are when this save is done. */
static size_t count_after(const struct redis_store *store)
{
	const struct lc_saved_interest *saved = store->base.saved;
	size_t count = saved->complete ? 0 : lc_map_count(store->ids);
	for (size_t i = 0; i < saved->portfolio_count; i++) {
		const struct lc_saved_portfolio *p = &saved->portfolios[i];
		bool there = !saved->complete && lc_map_get(store->ids, p->id, strlen(p->id));
		count += !p->gone && !there;
		count -= p->gone && there;
	}
	return count;
}

static void send_head(struct redis_store *store)
{
	char count[24];
	snprintf(count, sizeof count, "%zu", count_after(store));
	lc_buf_clear(&store->piece);
	interest_text_offsets(store->base.saved, &store->piece);
	const char *offsets = lc_buf_text(&store->piece);
	SEND(store, "HSET", store->prefix, "version", VERSION, "writer", store->writer, "topic",
		store->base.saved->topic, "offsets", offsets, "portfolios", count);
}

/* --- steps: what to ask next --- */

static void enter(struct redis_store *store, enum step step)
{
	store->step = step;
	store->index = store->next = 0;
	store->last[0] = '\0';
	go(store);
}

static void go(struct redis_store *store)
{
	switch (store->step) {
	case IDLE:
	case WAIT_UP:
		break;
	case LOAD_HEAD:
		SEND(store, "HMGET", store->prefix, "version", "topic", "offsets", "portfolios",
			"writer");
		break;
	case LOAD_IDS:
	case SAVE_OLD_IDS:
		send_ids(store);
		break;
	case LOAD_SET:
		send_get(store);
		break;
	case SAVE_WATCH:
		SEND(store, "WATCH", store->prefix);
		break;
	case SAVE_WRITER:
		SEND(store, "HGET", store->prefix, "writer");
		break;
	case SAVE_MULTI:
		SEND(store, "MULTI");
		break;
	case SAVE_DROP:
		send_drop(store);
		break;
	case SAVE_SET:
		send_set(store);
		break;
	case SAVE_ID:
		send_id(store);
		break;
	case SAVE_HEAD:
		send_head(store);
		break;
	case SAVE_EXEC:
		SEND(store, "EXEC");
		break;
	}
}

/* --- loading --- */

/* Evicted, or changed by another hand. The topic has everything, so it counts as empty. */
static void damaged(struct redis_store *store, const char *what)
{
	lc_log(lc_loop_log(store->loop), LC_LOG_ERROR, "interest", "stored_sets_damaged",
		LC_S("key", store->prefix), LC_S("what", what));
	interest_clear(store->base.saved);
	store->known = false;
	end_soon(store);
}

static enum lc_err remember(struct redis_store *store, const char *id)
{
	return lc_map_put(store->ids, id, strlen(id), store);
}

static bool item_text(const struct lc_redis_reply *reply, size_t i, char *out, size_t size)
{
	size_t len;
	const char *text = i < lc_redis_reply_count(reply)
				   ? lc_redis_reply_text(lc_redis_reply_item(reply, i), &len)
				   : NULL;
	if (!text || len >= size || memchr(text, '\0', len)) {
		return false;
	}
	memcpy(out, text, len);
	out[len] = '\0';
	return true;
}

static void on_head(struct redis_store *store, const struct lc_redis_reply *reply)
{
	char version[16], count[24], *offsets = NULL;
	size_t len = 0;
	const char *text = lc_redis_reply_count(reply) == 5
				   ? lc_redis_reply_text(lc_redis_reply_item(reply, 2), &len)
				   : NULL;
	if (!item_text(reply, 4, store->expected, sizeof store->expected)) {
		store->expected[0] = '\0';
	}
	if (!item_text(reply, 0, version, sizeof version)) {
		store->known = true; /* nothing is stored */
		end_soon(store);
	} else if (strcmp(version, VERSION) != 0) {
		fail(store, LC_ERR_UNSUPPORTED,
			"%s is version %s, this livecore knows " VERSION
			": run the newer livecore, or use another node.id",
			store->prefix, version);
	} else if (!text ||
		   !item_text(
			   reply, 1, store->base.saved->topic, sizeof store->base.saved->topic) ||
		   !item_text(reply, 3, count, sizeof count) || !(offsets = strndup(text, len)) ||
		   interest_text_read_offsets(offsets, store->base.saved) != LC_OK) {
		damaged(store, "offsets");
	} else {
		store->promised = strtoll(count, NULL, 10);
		enter(store, LOAD_IDS);
	}
	free(offsets);
}

static void on_all_ids(struct redis_store *store)
{
	if (store->promised != (int64_t)store->base.saved->portfolio_count) {
		damaged(store, "some portfolios are missing");
	} else if (store->base.saved->portfolio_count == 0) {
		store->known = true;
		end_soon(store);
	} else {
		store->reader = (struct interest_text_reader){0};
		enter(store, LOAD_SET);
	}
}

static bool add_portfolio(struct redis_store *store)
{
	void *items = store->base.saved->portfolios;
	struct lc_saved_portfolio *portfolio = interest_grow(
		&items, store->base.saved->portfolio_count, sizeof *portfolio);
	if (!portfolio) {
		return false;
	}
	store->base.saved->portfolios = items;
	portfolio->id = strdup(store->last);
	store->base.saved->portfolio_count++;
	return portfolio->id && remember(store, store->last) == LC_OK;
}

static bool add_old(struct redis_store *store)
{
	void *items = store->old;
	char **id = interest_grow(&items, store->old_count, sizeof *id);
	if (!id) {
		return false;
	}
	store->old = (char **)items;
	*id = strdup(store->last);
	store->old_count += *id != NULL;
	return *id != NULL;
}

static void bad_name(struct redis_store *store)
{
	if (store->step == LOAD_IDS) {
		damaged(store, "a portfolio's name");
	} else {
		fail(store, LC_ERR_REFUSED, "%s:portfolios holds what is not ours", store->prefix);
	}
}

/* A page of ids; the next page begins behind its last one. */
static void on_ids(struct redis_store *store, const struct lc_redis_reply *reply)
{
	bool loading = store->step == LOAD_IDS;
	size_t count = lc_redis_reply_count(reply);
	for (size_t i = 0; i < count; i++) {
		if (!item_text(reply, i, store->last, sizeof store->last)) {
			bad_name(store);
			return;
		}
		if (loading ? !add_portfolio(store) : !add_old(store)) {
			fail(store, LC_ERR_NOMEM, "out of memory");
			return;
		}
	}
	if (count == PAGE) {
		go(store);
	} else if (loading) {
		on_all_ids(store);
	} else {
		enter(store, SAVE_MULTI);
	}
}

static void on_piece(struct redis_store *store, const struct lc_redis_reply *reply)
{
	size_t len;
	const char *text = lc_redis_reply_text(reply, &len);
	struct lc_saved_portfolio *portfolio = &store->base.saved->portfolios[store->index];
	if (interest_text_feed(&store->reader, text, len, portfolio) != LC_OK) {
		damaged(store, portfolio->id);
	} else if (len == PIECE) {
		store->next += len;
		go(store);
	} else if (!interest_text_whole(&store->reader, portfolio)) {
		damaged(store, portfolio->id);
	} else if (++store->index == store->base.saved->portfolio_count) {
		store->known = true;
		end_soon(store);
	} else {
		store->next = 0;
		store->reader = (struct interest_text_reader){0};
		go(store);
	}
}

/* --- saving --- */

static void on_writer(struct redis_store *store, const struct lc_redis_reply *reply)
{
	size_t len;
	const char *text = lc_redis_reply_text(reply, &len);
	if (len == strlen(store->expected) && (len == 0 || !memcmp(text, store->expected, len))) {
		enter(store, SAVE_MULTI);
	} else {
		fail(store, LC_ERR_EXISTS,
			"%s was changed by another process: give each its own node.id",
			store->prefix);
	}
}

static void on_set_done(struct redis_store *store)
{
	if (store->base.saved->portfolios[store->index].gone || store->next == SIZE_MAX) {
		store->step = SAVE_ID;
	}
	go(store);
}

static void on_id_done(struct redis_store *store)
{
	if (++store->index == store->base.saved->portfolio_count) {
		enter(store, SAVE_HEAD);
	} else {
		store->next = 0;
		store->step = SAVE_SET;
		go(store);
	}
}

/* What is stored now is known, unless there was no memory for it. */
static void note_ids(struct redis_store *store)
{
	const struct lc_saved_interest *saved = store->base.saved;
	struct lc_map *fresh = NULL;
	snprintf(store->expected, sizeof store->expected, "%s", store->writer);
	bool good = !saved->complete || lc_map_create(lc_loop_random(store->loop), &fresh) == LC_OK;
	if (fresh) {
		lc_map_destroy(store->ids, NULL);
		store->ids = fresh;
	}
	for (size_t i = 0; i < saved->portfolio_count; i++) {
		const struct lc_saved_portfolio *portfolio = &saved->portfolios[i];
		if (portfolio->gone) {
			lc_map_remove(store->ids, portfolio->id, strlen(portfolio->id));
		} else {
			good &= remember(store, portfolio->id) == LC_OK;
		}
	}
	store->known = good;
}

static void on_exec(struct redis_store *store, const struct lc_redis_reply *reply)
{
	size_t count = lc_redis_reply_count(reply);
	store->step = SAVE_WATCH; /* the transaction is over, whatever came of it */
	for (size_t i = 0; i < count; i++) {
		if (lc_redis_reply_failed(lc_redis_reply_item(reply, i))) {
			fail(store, LC_ERR_REFUSED, "%s holds another kind of data", store->prefix);
			return;
		}
	}
	if (count == 0) {
		fail(store, LC_ERR_EXISTS,
			"%s was changed by another process: give each its own node.id",
			store->prefix);
		return;
	}
	note_ids(store);
	end_soon(store);
}

/* --- replies --- */

static void on_answer(struct redis_store *store, const struct lc_redis_reply *reply)
{
	bool none = store->base.saved->portfolio_count == 0;
	switch (store->step) {
	case IDLE:
	case WAIT_UP:
		break;
	case LOAD_HEAD:
		on_head(store, reply);
		break;
	case LOAD_IDS:
	case SAVE_OLD_IDS:
		on_ids(store, reply);
		break;
	case LOAD_SET:
		on_piece(store, reply);
		break;
	case SAVE_WATCH:
		enter(store, store->base.saved->complete ? SAVE_OLD_IDS : SAVE_WRITER);
		break;
	case SAVE_WRITER:
		on_writer(store, reply);
		break;
	case SAVE_MULTI:
		enter(store, store->base.saved->complete ? SAVE_DROP : none ? SAVE_HEAD : SAVE_SET);
		break;
	case SAVE_DROP:
		if (store->index++ < store->old_count) {
			go(store);
		} else {
			enter(store, none ? SAVE_HEAD : SAVE_SET);
		}
		break;
	case SAVE_SET:
		on_set_done(store);
		break;
	case SAVE_ID:
		on_id_done(store);
		break;
	case SAVE_HEAD:
		enter(store, SAVE_EXEC);
		break;
	case SAVE_EXEC:
		on_exec(store, reply);
		break;
	}
}

static void on_reply(void *arg, const struct lc_redis_reply *reply, const struct lc_error *err)
{
	struct redis_store *store = arg;
	if (store->step == IDLE) {
		return;
	}
	if (err) {
		fail(store, LC_ERR_AGAIN, "%s", err->text);
	} else {
		on_answer(store, reply);
	}
}

static void on_redis(void *arg, bool up, const char *why)
{
	struct redis_store *store = arg;
	if (store->step != WAIT_UP) {
		return;
	}
	if (up) {
		enter(store, LOAD_HEAD);
	} else {
		fail(store, LC_ERR_AGAIN, "%s", why);
	}
}

/* --- the interface --- */

static struct redis_store *of(struct lc_interest_store *base)
{
	return container_of(base, struct redis_store, base);
}

static void save(struct lc_interest_store *base)
{
	struct redis_store *store = of(base);
	if (!base->saved->complete && !store->known) {
		fail(store, LC_ERR_AGAIN, "not known what is stored");
	} else {
		enter(store, SAVE_WATCH);
	}
}

static void close_store(struct lc_interest_store *base)
{
	struct redis_store *store = of(base);
	if (store->step == IDLE) {
		lc_timer_start(store->soon, 0, 0);
	}
}

static const char *server(void)
{
	return "Redis";
}

static const struct lc_interest_store_impl redis_impl = {
	.server = server, .save = save, .close = close_store};

static enum lc_err make_parts(
	struct redis_store *store, const struct lc_redis_config *redis, struct lc_error *err)
{
	if (lc_map_create(lc_loop_random(store->loop), &store->ids) != LC_OK ||
		lc_timer_create(store->loop, on_soon, store, &store->soon) != LC_OK) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	return lc_redis_create(store->loop, redis, on_redis, store, &store->redis, err);
}

enum lc_err lc_interest_store_open_redis(struct lc_loop *loop, const struct lc_redis_config *redis,
	const char *node, lc_interest_loaded_cb loaded, void *arg, struct lc_interest_store **out,
	struct lc_error *err)
{
	struct redis_store *store = calloc(1, sizeof *store);
	if (!store) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	store->loop = loop;
	store->step = WAIT_UP;
	snprintf(store->prefix, sizeof store->prefix, "livecore:interest:%s", node);
	snprintf(store->writer, sizeof store->writer, "%016llx",
		(unsigned long long)lc_loop_random(loop));
	lc_buf_init(&store->piece, 8 * PIECE); /* offsets of thousands of partitions too */
	enum lc_err rc = interest_store_init(&store->base, &redis_impl, loaded, arg);
	rc = rc ? lc_error_set(err, rc, "out of memory") : make_parts(store, redis, err);
	if (rc != LC_OK) {
		free_store(store);
		return rc;
	}
	*out = &store->base;
	return LC_OK;
}
