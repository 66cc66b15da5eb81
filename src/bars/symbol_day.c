#include "bars_priv.h"

#include <stdlib.h>
#include <string.h>

/* A symbol's day but its rows: what was said of longer bars, and what was not seen. */

/* Segments after another begin at a place of their own, whatever the length of those before. */
static int meta_room(int slots, enum lc_period period)
{
	return slots / lc_period_minutes(period) + SEGMENTS_MAX;
}

uint16_t *lc_meta_at(struct symbol_bars *s, enum lc_period period, int segment, int first_slot)
{
	int at = 0;
	for (enum lc_period p = LC_PERIOD_5M; p < period; p++) {
		at += meta_room(s->meta_slots, p);
	}
	int place = first_slot / lc_period_minutes(period) + segment;
	return place < meta_room(s->meta_slots, period) && at + place < s->n_meta
		       ? &s->meta[at + place]
		       : NULL;
}

enum lc_err lc_meta_make(struct symbol_bars *s, int slots)
{
	if (s->meta && s->meta_slots >= slots) {
		return LC_OK;
	}
	int count = 0;
	for (enum lc_period p = LC_PERIOD_5M; p < LC_PERIOD_1D; p++) {
		count += meta_room(slots, p);
	}
	uint16_t *meta = calloc((size_t)count, sizeof *meta);
	if (!meta) {
		return LC_ERR_NOMEM;
	}
	free(s->meta);
	s->meta = meta;
	s->meta_slots = slots;
	s->n_meta = count;
	return LC_OK;
}

void lc_symbol_start(struct symbol_bars *s, int32_t day)
{
	struct session_values session = {0};
	/* Yesterday's close is what today's first change is against. */
	bool had = s->d.session.has & LC_HAS_PRICE;
	if (had) {
		session.prev_close = s->d.session.price;
		session.has = LC_HAS_PREV_CLOSE;
	}
	s->d = (struct day_state){.day = day, .session = session, .covered_ns = INT64_MIN};
	lc_rows_clear(s);
	s->dirty = s->touched = false;
	s->unsaved = s->meta_unsaved = true;
	if (s->meta) {
		memset(s->meta, 0, (size_t)s->n_meta * sizeof *s->meta);
	}
}

static struct hole widen_hole(struct hole *hole, int first, int last)
{
	hole->first = (int16_t)(first < hole->first ? first : hole->first);
	hole->last = (int16_t)(last > hole->last ? last : hole->last);
	return *hole;
}

struct hole lc_symbol_hole(struct symbol_bars *s, int first, int last)
{
	struct day_state *d = &s->d;
	for (int i = 0; i < d->n_holes; i++) {
		if (first <= d->holes[i].last + 1 && last >= d->holes[i].first - 1) {
			return widen_hole(&d->holes[i], first, last);
		}
	}
	if (d->n_holes == HOLES_MAX) {
		/* Too many to tell apart: the newest takes in all that is between. */
		return widen_hole(&d->holes[HOLES_MAX - 1], first, last);
	}
	d->holes[d->n_holes] = (struct hole){(int16_t)first, (int16_t)last};
	return d->holes[d->n_holes++];
}

bool lc_day_has_hole(const struct day_state *d, int first, int last)
{
	for (int i = 0; i < d->n_holes; i++) {
		if (d->holes[i].first <= last && d->holes[i].last >= first) {
			return true;
		}
	}
	return false;
}

bool lc_symbol_whole(const struct symbol_bars *s, int first, int last)
{
	struct rows_view view;
	const struct row *row;
	if (lc_day_has_hole(&s->d, first, last)) {
		return false;
	}
	lc_rows_view(&view, s);
	for (int at = lc_row_from(s, first); (row = lc_row_until(&view, at, last)); at++) {
		if (row->flags & ROW_DOUBT) {
			return false;
		}
	}
	return true;
}
