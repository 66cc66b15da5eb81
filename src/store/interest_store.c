#include "livecore/interest_store.h"

#include "store/interest_impl.h"

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

void lc_interest_store_save(struct lc_interest_store *store, struct lc_saved_interest *saved,
	void (*done)(void *arg, const struct lc_error *err), void *arg)
{
	store->impl->save(store, saved, done, arg);
}

void lc_interest_store_close(struct lc_interest_store *store, void (*done)(void *arg), void *arg)
{
	if (store) {
		store->impl->close(store, done, arg);
	} else {
		done(arg);
	}
}

const char *lc_interest_store_server(const struct lc_interest_store *store)
{
	return store->impl->server();
}
