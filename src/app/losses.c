#include "app/losses.h"

#include "livecore/map.h"

#include <stdlib.h>
#include <string.h>

#define KEY_MAX (3 * LC_MESSAGE_TEXT_MAX + 2)

/* One symbol, kind and stream. */
struct series {
	uint64_t last_seq;
};

struct lc_losses {
	struct lc_map *series; /* owned struct series */
	struct lc_losses_totals totals;
};

static size_t put(char *key, size_t at, struct lc_text text)
{
	size_t len = text.len > LC_MESSAGE_TEXT_MAX ? LC_MESSAGE_TEXT_MAX : text.len;
	if (len > 0) {
		memcpy(key + at, text.data, len);
	}
	return at + len;
}

/* NUL between the parts: JSON text may hold one only as an escape that no producer of ours
 * writes. */
static size_t make_key(const struct lc_price_view *view, char key[KEY_MAX])
{
	size_t len = put(key, 0, view->symbol);
	key[len++] = '\0';
	len = put(key, len, view->kind);
	key[len++] = '\0';
	return put(key, len, view->stream);
}

static struct series *series_of(struct lc_losses *losses, const struct lc_price_view *view)
{
	char key[KEY_MAX];
	size_t len = make_key(view, key);
	struct series *series = lc_map_get(losses->series, key, len);
	if (series || lc_map_count(losses->series) >= LC_LOSSES_MAX) {
		return series;
	}
	series = calloc(1, sizeof *series);
	if (series && lc_map_put(losses->series, key, len, series) != LC_OK) {
		free(series);
		return NULL;
	}
	return series;
}

enum lc_err lc_losses_create(uint64_t seed, struct lc_losses **out)
{
	struct lc_losses *losses = calloc(1, sizeof *losses);
	if (!losses) {
		return LC_ERR_NOMEM;
	}
	if (lc_map_create(seed, &losses->series) != LC_OK) {
		free(losses);
		return LC_ERR_NOMEM;
	}
	*out = losses;
	return LC_OK;
}

void lc_losses_destroy(struct lc_losses *losses)
{
	if (losses) {
		lc_map_destroy(losses->series, free);
		free(losses);
	}
}

enum lc_seen lc_losses_note(
	struct lc_losses *losses, const struct lc_price_view *view, uint64_t *lost)
{
	struct lc_losses_totals *totals = &losses->totals;
	totals->updates++;
	struct series *series = view->seq > 0 ? series_of(losses, view) : NULL;
	if (!series) {
		return LC_SEEN_NEXT; /* seq 0 stands outside the count */
	}
	uint64_t last = series->last_seq;
	if (last > 0 && view->seq <= last) {
		totals->repeats++;
		return LC_SEEN_REPEAT;
	}
	series->last_seq = view->seq;
	totals->conflated += view->conflated;
	uint64_t between = view->seq - last - 1;
	/* What came before the first one that we saw was not ours to lose. */
	if (last == 0 || between <= view->conflated) {
		return LC_SEEN_NEXT;
	}
	*lost = between - view->conflated;
	totals->lost += *lost;
	return LC_SEEN_LOSS;
}

struct lc_losses_totals lc_losses_totals(const struct lc_losses *losses)
{
	struct lc_losses_totals totals = losses->totals;
	totals.series = lc_map_count(losses->series);
	return totals;
}
