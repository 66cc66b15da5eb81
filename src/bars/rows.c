#include "bars_priv.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM_STEP = 8 };
/* So many rows that are over stay as they are: the next bar of five minutes is their sum. */
enum { NEWEST = 5 };

/* --- reading --- */

static int in_chunks(const struct symbol_bars *s)
{
	return s->n_chunks * CHUNK_ROWS;
}

int lc_row_count(const struct symbol_bars *s)
{
	return in_chunks(s) + s->n_rows;
}

void lc_rows_view(struct rows_view *view, const struct symbol_bars *s)
{
	view->s = s;
	view->chunk = -1;
}

const struct row *lc_row_at(struct rows_view *view, int at)
{
	const struct symbol_bars *s = view->s;
	int chunk = at / CHUNK_ROWS;
	if (chunk >= s->n_chunks) {
		at -= in_chunks(s);
		return at < s->n_rows ? &s->rows[at] : NULL;
	}
	if (view->chunk != chunk) {
		view->chunk = chunk;
		lc_rows_unpack(s->chunks[chunk], view->rows);
	}
	return &view->rows[at % CHUNK_ROWS];
}

const struct row *lc_row_until(struct rows_view *view, int at, int last)
{
	const struct row *row = lc_row_at(view, at);
	return row && row->slot <= last ? row : NULL;
}

/* Among rows that are all behind or at `low`; `count` when none is. */
static int first_from(const struct row *rows, int count, int slot)
{
	int low = 0, high = count;
	while (low < high) {
		int middle = (low + high) / 2;
		if (rows[middle].slot < slot) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static int from_chunks(const struct symbol_bars *s, int slot)
{
	struct rows_view view;
	int low = 0, high = s->n_chunks; /* the first chunk that begins behind the slot */
	while (low < high) {
		int middle = (low + high) / 2;
		if (lc_rows_packed_slot(s->chunks[middle]) <= slot) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	if (low == 0) {
		return 0;
	}
	lc_rows_view(&view, s);
	const struct row *rows = lc_row_at(&view, (low - 1) * CHUNK_ROWS);
	return (low - 1) * CHUNK_ROWS + first_from(rows, CHUNK_ROWS, slot);
}

int lc_row_from(const struct symbol_bars *s, int slot)
{
	/* Almost always it is the last one. */
	if (s->n_rows > 0 && s->rows[s->n_rows - 1].slot < slot) {
		return lc_row_count(s);
	}
	if (s->n_chunks > 0 && (s->n_rows == 0 || s->rows[0].slot > slot)) {
		return from_chunks(s, slot);
	}
	return in_chunks(s) + first_from(s->rows, s->n_rows, slot);
}

/* --- changing --- */

static bool make_room(struct symbol_bars *s, int count)
{
	if (count <= s->room) {
		return true;
	}
	int room = (count + ROOM_STEP - 1) / ROOM_STEP * ROOM_STEP;
	struct row *rows = realloc(s->rows, (size_t)room * sizeof *rows);
	if (!rows) {
		return false;
	}
	s->rows = rows;
	s->room = room;
	return true;
}

/* The rows of this chunk and of those behind it stand by themselves again. */
static bool unpack_from(struct symbol_bars *s, int chunk)
{
	int more = (s->n_chunks - chunk) * CHUNK_ROWS;
	if (!make_room(s, s->n_rows + more)) {
		return false;
	}
	memmove(s->rows + more, s->rows, (size_t)s->n_rows * sizeof *s->rows);
	for (int i = chunk; i < s->n_chunks; i++) {
		lc_rows_unpack(s->chunks[i], s->rows + (i - chunk) * CHUNK_ROWS);
		s->packed_bytes -= (uint32_t)lc_rows_packed_bytes(s->chunks[i]);
		free(s->chunks[i]);
	}
	s->n_rows += more;
	s->n_chunks = chunk;
	s->packed_unsaved = s->packed_unsaved && chunk > 0;
	return true;
}

struct row *lc_row_edit(struct symbol_bars *s, int at)
{
	if (at < in_chunks(s) && !unpack_from(s, at / CHUNK_ROWS)) {
		return NULL;
	}
	return &s->rows[at - in_chunks(s)];
}

struct row *lc_row_find(struct symbol_bars *s, int slot)
{
	struct rows_view view;
	int at = lc_row_from(s, slot);
	lc_rows_view(&view, s);
	const struct row *row = lc_row_at(&view, at);
	return row && row->slot == slot ? lc_row_edit(s, at) : NULL;
}

struct row *lc_row_make(struct symbol_bars *s, int slot)
{
	int at = lc_row_from(s, slot);
	if (at < in_chunks(s) && !unpack_from(s, at / CHUNK_ROWS)) {
		return NULL;
	}
	at -= in_chunks(s);
	if (at < s->n_rows && s->rows[at].slot == slot) {
		return &s->rows[at];
	}
	if (!make_room(s, s->n_rows + 1)) {
		return NULL;
	}
	memmove(&s->rows[at + 1], &s->rows[at], (size_t)(s->n_rows - at) * sizeof *s->rows);
	s->rows[at] = (struct row){.slot = (uint16_t)slot};
	s->n_rows++;
	return &s->rows[at];
}

/* --- packing --- */

static bool may_pack(const struct symbol_bars *s, const struct row *rows)
{
	for (int i = 0; i < CHUNK_ROWS; i++) {
		if (rows[i].slot >= s->d.closed_to || rows[i].flags & ROW_DIRTY) {
			return false;
		}
	}
	return true;
}

static bool add_chunk(struct symbol_bars *s, const struct row *rows)
{
	uint8_t packed[CHUNK_BYTES];
	size_t len = lc_rows_pack(rows, packed);
	if (s->n_chunks == s->chunk_room) {
		int room = s->chunk_room + ROOM_STEP;
		uint8_t **chunks = realloc(s->chunks, (size_t)room * sizeof *chunks);
		if (!chunks) {
			return false;
		}
		s->chunks = chunks;
		s->chunk_room = room;
	}
	uint8_t *chunk = malloc(len);
	if (!chunk) {
		return false;
	}
	memcpy(chunk, packed, len);
	s->chunks[s->n_chunks++] = chunk;
	s->packed_bytes += (uint32_t)len;
	for (int i = 0; i < CHUNK_ROWS; i++) {
		s->packed_unsaved = s->packed_unsaved || rows[i].flags & ROW_UNSAVED;
	}
	return true;
}

void lc_rows_settle(struct symbol_bars *s)
{
	int done = 0;
	while (s->n_rows - done >= CHUNK_ROWS + NEWEST && may_pack(s, s->rows + done) &&
		add_chunk(s, s->rows + done)) {
		done += CHUNK_ROWS;
	}
	if (done == 0) {
		return;
	}
	s->n_rows -= done;
	memmove(s->rows, s->rows + done, (size_t)s->n_rows * sizeof *s->rows);
	if (s->room > CHUNK_ROWS + NEWEST + ROOM_STEP) {
		/* Rows that were changed late had been unpacked. */
		int room = (s->n_rows / ROOM_STEP + 2) * ROOM_STEP;
		struct row *rows = room < s->room ? realloc(s->rows, (size_t)room * sizeof *rows)
						  : NULL;
		s->rows = rows ? rows : s->rows;
		s->room = rows ? room : s->room;
	}
}

void lc_rows_clear(struct symbol_bars *s)
{
	for (int i = 0; i < s->n_chunks; i++) {
		free(s->chunks[i]);
	}
	s->n_chunks = s->n_rows = 0;
	s->packed_bytes = 0;
	s->packed_unsaved = false;
}

void lc_rows_free(struct symbol_bars *s)
{
	lc_rows_clear(s);
	free(s->chunks);
	free(s->rows);
	s->chunks = NULL;
	s->rows = NULL;
	s->chunk_room = s->room = 0;
}

/* --- one row --- */

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
