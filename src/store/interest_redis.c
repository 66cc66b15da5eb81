/* The followed sets in Redis, as a store: the connection, the step under way, and its end. */
#include "store/interest_redis.h"

#include "livecore/list.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 100 /* ids in one answer */

/* --- ending what is under way --- */

static void free_store(struct redis_store *store)
{
	lc_redis_destroy(store->redis);
	lc_timer_destroy(store->soon);
	lc_map_destroy(store->ids, NULL);
	lc_saved_interest_free(store->base.saved);
	interest_redis_free_old(store);
	lc_buf_finish(&store->piece);
	free(store);
}

void interest_redis_end(struct redis_store *store)
{
	store->step = IDLE;
	lc_timer_start(store->soon, 0, 0);
}

void interest_redis_fail(struct redis_store *store, enum lc_err code, const char *format, ...)
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
	interest_redis_end(store);
}

static void on_soon(void *arg)
{
	struct redis_store *store = arg;
	if (store->base.loaded) {
		interest_end_open(&store->base);
	} else if (store->base.done) {
		interest_redis_free_old(store);
		interest_end_save(&store->base);
	}
	if (store->base.closed && store->step == IDLE && !store->base.done) {
		void (*closed)(void *) = store->base.closed;
		void *closed_arg = store->base.closed_arg;
		free_store(store);
		closed(closed_arg);
	}
}

/* --- steps: what to ask next --- */

void interest_redis_enter(struct redis_store *store, enum interest_redis_step step)
{
	store->step = step;
	store->index = store->next = 0;
	store->last[0] = '\0';
	interest_redis_go(store);
}

void interest_redis_go(struct redis_store *store)
{
	if (store->step >= SAVE_WATCH) {
		interest_redis_save_ask(store);
	} else if (store->step >= LOAD_HEAD) {
		interest_redis_load_ask(store);
	}
}

static void on_reply(void *arg, const struct lc_redis_reply *reply, const struct lc_error *err)
{
	struct redis_store *store = arg;
	if (store->step == IDLE) {
		return;
	}
	if (err) {
		interest_redis_fail(store, LC_ERR_AGAIN, "%s", err->text);
	} else if (store->step >= SAVE_WATCH) {
		interest_redis_save_on(store, reply);
	} else if (store->step >= LOAD_HEAD) {
		interest_redis_load_on(store, reply);
	}
}

/* --- commands --- */

void interest_redis_send(struct redis_store *store, const char *const *words, size_t count)
{
	enum lc_err rc = store->piece.failed
				 ? LC_ERR_NOMEM
				 : lc_redis_command(store->redis, words, count, on_reply, store);
	if (rc != LC_OK) {
		const char *why = lc_redis_why(store->redis);
		interest_redis_fail(store, rc == LC_ERR_NOMEM ? rc : LC_ERR_AGAIN, "%s",
			why[0] ? why : lc_err_text(rc));
	}
}

const char *interest_redis_set_key(
	const struct redis_store *store, const char *id, char key[INTEREST_REDIS_KEY_MAX])
{
	snprintf(key, INTEREST_REDIS_KEY_MAX, "%s:set:%s", store->prefix, id);
	return key;
}

const char *interest_redis_ids_key(
	const struct redis_store *store, char key[INTEREST_REDIS_KEY_MAX])
{
	snprintf(key, INTEREST_REDIS_KEY_MAX, "%s:portfolios", store->prefix);
	return key;
}

void interest_redis_send_ids(struct redis_store *store)
{
	char key[INTEREST_REDIS_KEY_MAX], from[INTEREST_REDIS_ID_MAX + 1] = "-", page[16];
	if (store->last[0]) {
		snprintf(from, sizeof from, "(%s", store->last);
	}
	snprintf(page, sizeof page, "%d", PAGE);
	INTEREST_REDIS_SEND(store, "ZRANGEBYLEX", interest_redis_ids_key(store, key), from, "+",
		"LIMIT", "0", page);
}

bool interest_redis_item(const struct lc_redis_reply *reply, size_t i, char *out, size_t size)
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

enum lc_err interest_redis_take_ids(struct redis_store *store, const struct lc_redis_reply *reply,
	bool (*take)(struct redis_store *store), bool *more)
{
	size_t count = lc_redis_reply_count(reply);
	for (size_t i = 0; i < count; i++) {
		if (!interest_redis_item(reply, i, store->last, sizeof store->last)) {
			return LC_ERR_INVALID;
		}
		if (!take(store)) {
			return LC_ERR_NOMEM;
		}
	}
	*more = count == PAGE;
	return LC_OK;
}

enum lc_err interest_redis_note(struct redis_store *store, const char *id)
{
	return lc_map_put(store->ids, id, strlen(id), store);
}

/* --- the interface --- */

static void on_redis(void *arg, bool up, const char *why)
{
	struct redis_store *store = arg;
	if (store->step != WAIT_UP) {
		return;
	}
	if (up) {
		interest_redis_enter(store, LOAD_HEAD);
	} else {
		interest_redis_fail(store, LC_ERR_AGAIN, "%s", why);
	}
}

static struct redis_store *of(struct lc_interest_store *base)
{
	return container_of(base, struct redis_store, base);
}

static void save(struct lc_interest_store *base)
{
	struct redis_store *store = of(base);
	if (!base->saved->complete && !store->known) {
		interest_redis_fail(store, LC_ERR_AGAIN, "not known what is stored");
	} else {
		interest_redis_enter(store, SAVE_WATCH);
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
	/* Offsets of thousands of partitions go into it too. */
	lc_buf_init(&store->piece, 8 * INTEREST_REDIS_PIECE);
	enum lc_err rc = interest_store_init(&store->base, &redis_impl, loaded, arg);
	rc = rc ? lc_error_set(err, rc, "out of memory") : make_parts(store, redis, err);
	if (rc != LC_OK) {
		free_store(store);
		return rc;
	}
	*out = &store->base;
	return LC_OK;
}
