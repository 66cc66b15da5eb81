#include "bars_priv.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 16 };

int lc_row_from(const struct symbol_bars *s, int slot)
{
	/* Almost always it is the last one. */
	if (s->n_rows == 0 || s->rows[s->n_rows - 1].slot < slot) {
		return s->n_rows;
	}
	int low = 0, high = s->n_rows - 1;
	if (s->rows[high].slot == slot) {
		return high;
	}
	while (low < high) {
		int middle = (low + high) / 2;
		if (s->rows[middle].slot < slot) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

struct row *lc_row_find(const struct symbol_bars *s, int slot)
{
	int at = lc_row_from(s, slot);
	return at < s->n_rows && s->rows[at].slot == slot ? &s->rows[at] : NULL;
}

struct row *lc_row_make(struct symbol_bars *s, int slot)
{
	int at = lc_row_from(s, slot);
	if (at < s->n_rows && s->rows[at].slot == slot) {
		return &s->rows[at];
	}
	if (s->n_rows == s->room) {
		int room = s->room ? 2 * s->room : FIRST_ROOM;
		struct row *rows = realloc(s->rows, (size_t)room * sizeof *rows);
		if (!rows) {
			return NULL;
		}
		s->rows = rows;
		s->room = room;
	}
	memmove(&s->rows[at + 1], &s->rows[at], (size_t)(s->n_rows - at) * sizeof *s->rows);
	s->rows[at] = (struct row){.slot = (uint16_t)slot};
	s->n_rows++;
	return &s->rows[at];
}

bool lc_row_traded(const struct row *row)
{
	return row->volume != 0 || (row->flags & (ROW_LAST | ROW_RANGE));
}

static void widen(struct row *row, const struct row_prices *prices)
{
	bool known = row->flags & (ROW_RANGE | ROW_LAST);
	if (!known || lc_decimal_compare(prices->high, ROW_GET(row, high)) > 0) {
		ROW_SET(row, high, prices->high);
	}
	if (!known || lc_decimal_compare(prices->low, ROW_GET(row, low)) < 0) {
		ROW_SET(row, low, prices->low);
	}
}

void lc_row_prices(struct row *row, const struct row_prices *prices)
{
	bool range = prices->effect & LC_UPDATES_HIGH_LOW, last = prices->effect & LC_UPDATES_LAST;
	if (range || last) {
		widen(row, prices);
		row->flags |= ROW_RANGE;
	} else if (!(row->flags & (ROW_RANGE | ROW_LAST)) && row->ticks == 0) {
		/* Only used when no price at all is known before: better than none. */
		ROW_SET(row, open, prices->open);
	}
	if (!last) {
		return;
	}
	bool known = row->flags & ROW_LAST;
	if (!known || prices->first_ms < row->first_ms) {
		ROW_SET(row, open, prices->open);
		row->first_ms = prices->first_ms;
	}
	if (!known || prices->last_ms >= row->last_ms) {
		ROW_SET(row, close, prices->close);
		row->last_ms = prices->last_ms;
	}
	row->flags |= ROW_LAST;
}

void lc_row_volume(struct row *row, struct lc_decimal volume, struct lc_decimal amount)
{
	ROW_SET(row, volume, lc_decimal_add(ROW_GET(row, volume), volume));
	ROW_SET(row, amount, lc_decimal_add(ROW_GET(row, amount), amount));
}

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
	s->n_rows = 0;
	s->dirty = s->touched = false;
	s->unsaved = s->meta_unsaved = true;
	if (s->meta) {
		memset(s->meta, 0, (size_t)s->n_meta * sizeof *s->meta);
	}
}

void lc_symbol_hole(struct symbol_bars *s, int first, int last)
{
	struct day_state *d = &s->d;
	for (int i = 0; i < d->n_holes; i++) {
		if (first <= d->holes[i].last + 1 && last >= d->holes[i].first - 1) {
			struct hole *hole = &d->holes[i];
			hole->first = (int16_t)(first < hole->first ? first : hole->first);
			hole->last = (int16_t)(last > hole->last ? last : hole->last);
			return;
		}
	}
	if (d->n_holes == HOLES_MAX) {
		/* Too many to tell apart: the newest takes in all that is between. */
		struct hole *hole = &d->holes[HOLES_MAX - 1];
		hole->first = (int16_t)(first < hole->first ? first : hole->first);
		hole->last = (int16_t)(last > hole->last ? last : hole->last);
		return;
	}
	d->holes[d->n_holes++] = (struct hole){(int16_t)first, (int16_t)last};
}

bool lc_symbol_whole(const struct symbol_bars *s, int first, int last)
{
	for (int i = 0; i < s->d.n_holes; i++) {
		if (s->d.holes[i].first <= last && s->d.holes[i].last >= first) {
			return false;
		}
	}
	for (int i = lc_row_from(s, first); i < s->n_rows && s->rows[i].slot <= last; i++) {
		if (s->rows[i].flags & ROW_DOUBT) {
			return false;
		}
	}
	return true;
}
