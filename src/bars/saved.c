#include "bars_priv.h"

#include <string.h>

enum { KEY_STATE, KEY_META, KEY_ROWS };
enum { VERSION = 3 };

/* In front of every piece. */
struct piece {
	uint32_t version;
	uint32_t len; /* with this */
	int32_t day;
	int32_t slots; /* of KEY_META */
};

/* Field by field: the struct itself has holes between its fields, which hold anything. */
struct saved_state {
	struct piece piece;
	uint8_t fields[LC_BARS_PIECE_MAX - sizeof(struct piece)];
};
struct saved_row {
	struct piece piece;
	struct row row;
};
struct saved_meta {
	struct piece piece;
	uint16_t meta[(LC_BARS_PIECE_MAX - sizeof(struct piece)) / sizeof(uint16_t)];
};
static_assert(sizeof(struct saved_state) <= LC_BARS_PIECE_MAX);
static_assert(sizeof(struct saved_row) <= LC_BARS_PIECE_MAX);

static struct piece header(const struct symbol_bars *s, size_t len, int32_t slots)
{
	return (struct piece){VERSION, (uint32_t)len, s->d.day, slots};
}

/* --- the state's fields --- */

/* Goes over the fields once, writing them or reading them, always in the same order. */
struct pass {
	uint8_t *bytes;
	size_t at, size;
	bool reading, failed; /* failed: it is not as long as it must be */
};

static void pass_bytes(struct pass *pass, void *field, size_t size)
{
	if (pass->failed || size > pass->size - pass->at) {
		pass->failed = true;
		return;
	}
	if (pass->reading) {
		memcpy(field, pass->bytes + pass->at, size);
	} else {
		memcpy(pass->bytes + pass->at, field, size);
	}
	pass->at += size;
}

#define PASS(pass, field) pass_bytes((pass), &(field), sizeof(field))

static void pass_bool(struct pass *pass, bool *field)
{
	uint8_t byte = *field;
	PASS(pass, byte);
	*field = byte != 0;
}

static void pass_decimal(struct pass *pass, struct lc_decimal *field)
{
	PASS(pass, field->mantissa);
	PASS(pass, field->exponent);
}

static void pass_session(struct pass *pass, struct session_values *session)
{
	PASS(pass, session->has);
	pass_decimal(pass, &session->open);
	pass_decimal(pass, &session->high);
	pass_decimal(pass, &session->low);
	pass_decimal(pass, &session->price);
	pass_decimal(pass, &session->prev_close);
}

static void pass_apart(struct pass *pass, struct apart_prices *apart)
{
	pass_bool(pass, &apart->known);
	PASS(pass, apart->first_ns);
	pass_decimal(pass, &apart->open);
	pass_decimal(pass, &apart->high);
	pass_decimal(pass, &apart->low);
}

static void pass_holes(struct pass *pass, struct day_state *d)
{
	PASS(pass, d->n_holes);
	for (int i = 0; i < HOLES_MAX; i++) {
		PASS(pass, d->holes[i].first);
		PASS(pass, d->holes[i].last);
	}
}

/* A field that is added here changes the format: then VERSION too. */
static_assert(sizeof(struct day_state) == 440, "every field of the state is passed");

static void pass_state(struct pass *pass, int64_t *watch_ns, struct day_state *d)
{
	bool *const flags[] = {&d->snapshots, &d->printed, &d->unseen, &d->day_said, &d->day_dirty,
		&d->day_doubt, &d->over, &d->mixed};
	struct lc_decimal *const decimals[] = {&d->total, &d->total_amount, &d->volume, &d->amount,
		&d->placed, &d->outside, &d->print};
	PASS(pass, *watch_ns);
	PASS(pass, d->day);
	PASS(pass, d->closed_to);
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
		pass_bool(pass, flags[i]);
	}
	pass_holes(pass, d);
	PASS(pass, d->source);
	PASS(pass, d->day_revision);
	PASS(pass, d->day_ticks);
	PASS(pass, d->unseen_from_ns);
	PASS(pass, d->seen_ns);
	PASS(pass, d->covered_ns);
	pass_session(pass, &d->session);
	pass_session(pass, &d->known);
	pass_apart(pass, &d->apart);
	for (size_t i = 0; i < sizeof decimals / sizeof *decimals; i++) {
		pass_decimal(pass, decimals[i]);
	}
}

/* --- saving --- */

static void save_state(uint32_t symbol, struct symbol_bars *s, lc_bars_save_cb save, void *arg)
{
	struct saved_state saved;
	struct pass pass = {.bytes = saved.fields, .size = sizeof saved.fields};
	pass_state(&pass, &s->watch_ns, &s->d);
	assert(!pass.failed);
	size_t len = sizeof saved.piece + pass.at;
	saved.piece = header(s, len, 0);
	save(arg, symbol, KEY_STATE, &saved, len);
	s->unsaved = false;
}

/* A day of more than all three markets' (the demo's round-the-clock one) may not fit: then longer
 * bars begin to count anew. */
static size_t save_meta(uint32_t symbol, struct symbol_bars *s, lc_bars_save_cb save, void *arg)
{
	struct saved_meta saved = {0};
	s->meta_unsaved = false;
	size_t bytes = (size_t)s->n_meta * sizeof *s->meta;
	if (s->n_meta == 0 || bytes > sizeof saved.meta) {
		return 0;
	}
	saved.piece = header(s, sizeof saved.piece + bytes, s->meta_slots);
	memcpy(saved.meta, s->meta, bytes);
	save(arg, symbol, KEY_META, &saved, sizeof saved.piece + bytes);
	return 1;
}

/* Rows have no holes between their fields. */
static size_t save_rows(
	uint32_t symbol, struct symbol_bars *s, bool all, lc_bars_save_cb save, void *arg)
{
	struct rows_view view;
	const struct row *row;
	size_t count = 0;
	/* Rows are packed minutes after they were changed last, and saved long before. */
	if (s->packed_unsaved) {
		(void)lc_row_edit(s, 0);
	}
	lc_rows_view(&view, s);
	for (int at = all ? 0 : s->n_chunks * CHUNK_ROWS; (row = lc_row_at(&view, at)); at++) {
		if (!(row->flags & ROW_UNSAVED) && !all) {
			continue;
		}
		struct saved_row saved = {.piece = header(s, sizeof saved, 0), .row = *row};
		saved.row.flags &= (uint8_t)~ROW_UNSAVED;
		save(arg, symbol, KEY_ROWS + row->slot, &saved, sizeof saved);
		count++;
	}
	for (int i = 0; i < s->n_rows; i++) {
		s->rows[i].flags &= (uint8_t)~ROW_UNSAVED;
	}
	return count;
}

size_t lc_bars_save(
	struct lc_bars *bars, uint32_t symbol, bool all, lc_bars_save_cb save, void *arg)
{
	if (symbol >= bars->count || !lc_bars_at(bars, symbol)->followed) {
		return 0;
	}
	struct symbol_bars *s = lc_bars_at(bars, symbol);
	size_t count = 0;
	if (s->unsaved || all) {
		save_state(symbol, s, save, arg);
		count++;
	}
	if (s->meta_unsaved || all) {
		count += save_meta(symbol, s, save, arg);
	}
	return count + save_rows(symbol, s, all, save, arg);
}

static bool sane_exponent(int exponent)
{
	return exponent >= -30 && exponent <= 30;
}

static bool sane_decimal(struct lc_decimal value)
{
	return sane_exponent(value.exponent) && value.mantissa > INT64_MIN;
}

static bool sane_state(const struct day_state *d)
{
	bool sane = d->n_holes <= HOLES_MAX && d->closed_to >= 0;
	const struct lc_decimal decimals[] = {d->total, d->total_amount, d->volume, d->amount,
		d->placed, d->outside, d->print, d->session.open, d->session.high, d->session.low,
		d->session.price, d->session.prev_close, d->known.high, d->known.low, d->apart.open,
		d->apart.high, d->apart.low};
	for (size_t i = 0; i < sizeof decimals / sizeof *decimals; i++) {
		sane = sane && sane_decimal(decimals[i]);
	}
	return sane;
}

static bool sane_row(const struct row *row)
{
	return sane_exponent(row->open_exp) && sane_exponent(row->high_exp) &&
	       sane_exponent(row->low_exp) && sane_exponent(row->close_exp) &&
	       sane_exponent(row->volume_exp) && sane_exponent(row->amount_exp);
}

static enum lc_err restore_state(
	struct lc_bars *bars, uint32_t symbol, const void *data, size_t len)
{
	struct saved_state saved;
	struct day_state d = {0};
	int64_t watch_ns = 0;
	size_t size = len - sizeof saved.piece;
	if (len > sizeof saved) {
		return LC_ERR_INVALID;
	}
	memcpy(&saved, data, len);
	struct pass pass = {.bytes = saved.fields, .size = size, .reading = true};
	pass_state(&pass, &watch_ns, &d);
	if (pass.failed || pass.at != size || !sane_state(&d) || d.day != saved.piece.day) {
		return LC_ERR_INVALID;
	}
	enum lc_err rc = lc_bars_follow(bars, symbol, watch_ns);
	if (rc != LC_OK) {
		return rc;
	}
	struct symbol_bars *s = lc_bars_at(bars, symbol);
	s->watch_ns = watch_ns;
	s->d = d;
	lc_rows_clear(s);
	if (s->d.day == INT32_MIN) {
		return LC_OK; /* followed, and nothing came yet */
	}
	/* What waited to be said again waits still. */
	lc_bars_dirty(bars, s);
	const struct day_plan *plan = lc_bars_plan(bars, (enum lc_market)s->market, s->d.day);
	return lc_meta_make(s, plan->slots > 0 ? plan->slots : 1);
}

static enum lc_err restore_meta(
	struct symbol_bars *s, const struct piece *piece, const char *data, size_t len)
{
	if (piece->slots <= 0 || piece->slots > 24 * 60 + 60) {
		return LC_ERR_INVALID;
	}
	s->meta_slots = s->meta_slots == piece->slots ? s->meta_slots : 0;
	enum lc_err rc = lc_meta_make(s, piece->slots);
	size_t bytes = len - sizeof *piece;
	if (rc != LC_OK) {
		return rc;
	}
	if (s->meta_slots != piece->slots || bytes != (size_t)s->n_meta * sizeof *s->meta) {
		return LC_ERR_INVALID;
	}
	memcpy(s->meta, data + sizeof *piece, bytes);
	return LC_OK;
}

static enum lc_err restore_row(struct symbol_bars *s, int32_t key, const void *data, size_t len)
{
	struct saved_row saved;
	if (len != sizeof saved) {
		return LC_ERR_INVALID;
	}
	memcpy(&saved, data, sizeof saved);
	if (saved.row.slot + KEY_ROWS != key || !sane_row(&saved.row)) {
		return LC_ERR_INVALID;
	}
	struct row *row = lc_row_make(s, saved.row.slot);
	if (!row) {
		return LC_ERR_NOMEM;
	}
	*row = saved.row;
	lc_rows_settle(s);
	return LC_OK;
}

enum lc_err lc_bars_restore(
	struct lc_bars *bars, uint32_t symbol, int32_t key, const void *data, size_t len)
{
	struct piece piece;
	if (len < sizeof piece || key < 0) {
		return LC_ERR_INVALID;
	}
	memcpy(&piece, data, sizeof piece);
	if (piece.version != VERSION || piece.len != len) {
		return LC_ERR_INVALID;
	}
	if (key == KEY_STATE) {
		return restore_state(bars, symbol, data, len);
	}
	if (symbol >= bars->count || !lc_bars_at(bars, symbol)->followed ||
		lc_bars_at(bars, symbol)->d.day != piece.day) {
		return LC_ERR_NOT_FOUND;
	}
	struct symbol_bars *s = lc_bars_at(bars, symbol);
	return key == KEY_META ? restore_meta(s, &piece, data, len)
			       : restore_row(s, key, data, len);
}

void lc_bars_saved_at(struct lc_bars *bars, int64_t saved_ns)
{
	bars->saved_ns = saved_ns;
}
