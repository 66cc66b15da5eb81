#include "livecore/interest_store.h"

#include "store/interest_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void *interest_grow(void **items, size_t count, size_t size)
{
	if ((count & (count - 1)) == 0) {
		void *grown = realloc(*items, (count ? count * 2 : 1) * size);
		if (!grown) {
			return NULL;
		}
		*items = grown;
	}
	return memset((char *)*items + count * size, 0, size);
}

void interest_clear(struct lc_saved_interest *saved)
{
	for (size_t i = 0; i < saved->portfolio_count; i++) {
		free(saved->portfolios[i].id);
		free(saved->portfolios[i].entries);
	}
	free(saved->portfolios);
	free(saved->offsets);
	*saved = (struct lc_saved_interest){0};
}

void lc_saved_interest_free(struct lc_saved_interest *saved)
{
	if (saved) {
		interest_clear(saved);
		free(saved);
	}
}

enum lc_err interest_store_init(struct lc_interest_store *base,
	const struct lc_interest_store_impl *impl, lc_interest_loaded_cb loaded, void *arg)
{
	base->impl = impl;
	base->loaded = loaded;
	base->loaded_arg = arg;
	base->saved = calloc(1, sizeof *base->saved);
	return base->saved ? LC_OK : LC_ERR_NOMEM;
}

void interest_end_open(struct lc_interest_store *base)
{
	lc_interest_loaded_cb loaded = base->loaded;
	struct lc_saved_interest *saved = base->saved;
	struct lc_error err = base->err;
	base->loaded = NULL;
	base->saved = NULL;
	if (err.code != LC_OK) {
		lc_saved_interest_free(saved);
		saved = NULL;
	}
	loaded(base->loaded_arg, saved, saved ? NULL : &err);
}

void interest_end_save(struct lc_interest_store *base)
{
	lc_interest_saved_cb done = base->done;
	struct lc_error err = base->err;
	lc_saved_interest_free(base->saved);
	base->saved = NULL;
	base->done = NULL;
	done(base->done_arg, err.code != LC_OK ? &err : NULL);
}

void lc_interest_store_save(struct lc_interest_store *store, struct lc_saved_interest *saved,
	lc_interest_saved_cb done, void *arg)
{
	assert(!store->closed);
	assert(!store->saved);
	store->saved = saved;
	store->done = done;
	store->done_arg = arg;
	store->err = (struct lc_error){.code = LC_OK};
	store->impl->save(store);
}

void lc_interest_store_close(struct lc_interest_store *store, void (*done)(void *arg), void *arg)
{
	if (!store) {
		done(arg);
		return;
	}
	assert(!store->closed);
	store->closed = done;
	store->closed_arg = arg;
	store->impl->close(store);
}

const char *lc_interest_store_server(const struct lc_interest_store *store)
{
	return store->impl->server();
}
