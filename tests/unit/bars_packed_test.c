/* Packed rows: equal by value when they are unpacked, whatever they hold, and small where they are
 * as usual. */
#include "bars/bars_priv.h"
#include "bars_fixture.h"
#include "xorshift.h"

static uint64_t below(uint64_t *state, uint64_t n)
{
	return xorshift(state) % n;
}

static void assert_equal(struct lc_decimal a, struct lc_decimal b, const char *what, uint64_t seed)
{
	cr_assert_eq(lc_decimal_compare(a, b), 0, "%s of seed %llu: %lld e%d, %lld e%d", what,
		(unsigned long long)seed, (long long)a.mantissa, a.exponent, (long long)b.mantissa,
		b.exponent);
}

#define SAME(field) assert_equal(ROW_GET(a, field), ROW_GET(b, field), #field, seed)

static void assert_row(const struct row *a, const struct row *b, uint64_t seed)
{
	SAME(open);
	SAME(high);
	SAME(low);
	SAME(close);
	SAME(volume);
	SAME(amount);
	cr_assert_eq(a->ticks, b->ticks);
	cr_assert_eq(a->slot, b->slot);
	cr_assert_eq(a->revision, b->revision);
	cr_assert_eq(a->flags, b->flags);
	cr_assert_eq(a->first_ms, b->first_ms);
	cr_assert_eq(a->last_ms, b->last_ms);
}

static size_t round_trip(const struct row *rows, uint64_t seed)
{
	uint8_t packed[CHUNK_BYTES + 1];
	struct row back[CHUNK_ROWS];
	packed[CHUNK_BYTES] = 0xa5;
	size_t len = lc_rows_pack(rows, packed);
	cr_assert_leq(len, (size_t)CHUNK_BYTES);
	cr_assert_eq(packed[CHUNK_BYTES], 0xa5);
	cr_assert_eq(lc_rows_packed_bytes(packed), len);
	cr_assert_eq(lc_rows_packed_slot(packed), rows[0].slot);
	lc_rows_unpack(packed, back);
	for (int i = 0; i < CHUNK_ROWS; i++) {
		assert_row(&rows[i], &back[i], seed);
	}
	return len;
}

/* Every field anything that it can be. */
static void make_wild(struct row *row, uint64_t *random, int slot)
{
	static const int64_t limits[] = {0, 1, -1, INT64_MAX, -INT64_MAX, 999999999999999999};
	*row = (struct row){.slot = (uint16_t)slot,
		.revision = (uint16_t)xorshift(random),
		.flags = (uint8_t)(xorshift(random) & ~(unsigned)ROW_DIRTY),
		.ticks = (uint32_t)xorshift(random),
		.first_ms = (int32_t)xorshift(random),
		.last_ms = (int32_t)xorshift(random)};
	int64_t *const fields[] = {
		&row->open, &row->high, &row->low, &row->close, &row->volume, &row->amount};
	int8_t *const exponents[] = {&row->open_exp, &row->high_exp, &row->low_exp, &row->close_exp,
		&row->volume_exp, &row->amount_exp};
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		uint64_t kind = below(random, 4);
		*fields[i] = kind == 0 ? limits[below(random, 6)]
				       : (int64_t)(xorshift(random) >> (16 * kind));
		*exponents[i] = (int8_t)((int)below(random, 61) - 30);
	}
}

Test(bars_packed, any_row_comes_back)
{
	uint64_t random = 7;
	for (uint64_t seed = 1; seed <= 20000; seed++) {
		struct row rows[CHUNK_ROWS];
		int slot = (int)below(&random, 100);
		for (int i = 0; i < CHUNK_ROWS; i++) {
			make_wild(&rows[i], &random, slot);
			slot += 1 + (int)below(&random, 3000);
		}
		round_trip(rows, seed);
	}
}

/* As in the market: prices in cents or ten thousandths, each with the exponent that it has without
 * zeros at its end. */
static struct lc_decimal plain(int64_t mantissa, int exponent)
{
	while (mantissa != 0 && mantissa % 10 == 0) {
		mantissa /= 10;
		exponent++;
	}
	return (struct lc_decimal){mantissa, exponent};
}

static void make_usual(struct row *row, uint64_t *random, int slot, int64_t *price, int exponent)
{
	int64_t open = *price, close = open + (int64_t)below(random, 21) - 10;
	int64_t volume = (int64_t)below(random, 20000) + 1;
	*row = (struct row){.slot = (uint16_t)slot,
		.flags = ROW_LAST | ROW_RANGE | ROW_SAID,
		.ticks = (uint32_t)below(random, 200),
		.first_ms = (int32_t)below(random, 3000),
		.last_ms = 59999 - (int32_t)below(random, 3000)};
	ROW_SET(row, open, plain(open, exponent));
	ROW_SET(row, close, plain(close, exponent));
	ROW_SET(row, high, plain((open > close ? open : close) + 5, exponent));
	ROW_SET(row, low, plain((open < close ? open : close) - 5, exponent));
	ROW_SET(row, volume, plain(volume, 0));
	ROW_SET(row, amount, plain(volume * (open + close) / 2, exponent));
	*price = close;
}

Test(bars_packed, usual_rows_are_small)
{
	uint64_t random = 3;
	size_t bytes = 0, count = 0;
	for (uint64_t seed = 1; seed <= 2000; seed++) {
		struct row rows[CHUNK_ROWS];
		int exponent = seed % 2 ? -2 : -4;
		int64_t price = exponent == -2 ? 15000 : 1500000;
		for (int i = 0; i < CHUNK_ROWS; i++) {
			make_usual(&rows[i], &random, 30 + i, &price, exponent);
		}
		bytes += round_trip(rows, seed);
		count += CHUNK_ROWS;
	}
	cr_assert_lt(bytes / count, 22u, "%zu bytes a row", bytes / count);
}

/* --- a symbol's rows, packed and unpacked as they come --- */

enum { SLOTS = 400 };

/* The same in a plain table. */
struct table {
	struct row rows[SLOTS];
	bool there[SLOTS];
};

static void compare(const struct symbol_bars *s, const struct table *table, uint64_t seed)
{
	struct rows_view view;
	int at = 0;
	lc_rows_view(&view, s);
	for (int slot = 0; slot < SLOTS; slot++) {
		cr_assert_eq(lc_row_from(s, slot), at, "slot %d of seed %llu", slot,
			(unsigned long long)seed);
		if (table->there[slot]) {
			const struct row *row = lc_row_at(&view, at++);
			cr_assert(row);
			assert_row(row, &table->rows[slot], seed);
		}
	}
	cr_assert_eq(lc_row_count(s), at);
	cr_assert_null(lc_row_at(&view, at));
	cr_assert_eq(lc_row_from(s, SLOTS), at);
}

/* A minute that is traded in, now and then one long ago, or one that had none. */
static void change(struct symbol_bars *s, struct table *table, uint64_t *random, int newest)
{
	bool late = below(random, 30) == 0;
	int slot = late ? (int)below(random, (uint64_t)newest + 1) : newest;
	struct row *row = lc_row_make(s, slot);
	cr_assert(row);
	if (!table->there[slot]) {
		cr_assert_eq(row->ticks, 0u);
	}
	make_wild(row, random, slot);
	table->rows[slot] = *row;
	table->there[slot] = true;
	cr_assert_eq(lc_row_find(s, slot), row);
}

Test(bars_packed, rows_are_the_same_as_in_a_plain_table)
{
	static struct table table;
	uint64_t random = 11;
	int packed = 0;
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct symbol_bars s = {0};
		memset(&table, 0, sizeof table);
		for (int slot = 0; slot < SLOTS - 1; slot++) {
			for (uint64_t n = below(&random, 3); n > 0; n--) {
				change(&s, &table, &random, slot);
			}
			s.d.closed_to = slot + 1;
			lc_rows_settle(&s);
			if (slot % 9 == 0) {
				compare(&s, &table, seed);
			}
		}
		packed += s.n_chunks;
		cr_assert_lt(s.n_rows, 40);
		/* All of them come out again. */
		cr_assert(lc_row_edit(&s, 0));
		cr_assert_eq(s.n_chunks, 0);
		cr_assert_eq(s.packed_bytes, 0u);
		compare(&s, &table, seed);
		lc_rows_free(&s);
	}
	cr_assert_gt(packed, 12 * 15);
}

Test(bars_packed, what_is_to_be_said_again_stays_as_it_is)
{
	struct symbol_bars s = {.d = {.closed_to = 100}};
	for (int slot = 0; slot < 30; slot++) {
		lc_row_make(&s, slot)->flags = slot == 3 ? ROW_DIRTY : 0;
	}
	lc_rows_settle(&s);
	cr_assert_eq(s.n_chunks, 0);
	lc_row_find(&s, 3)->flags = 0;
	lc_rows_settle(&s);
	cr_assert_eq(s.n_chunks, 3, "%d", s.n_chunks);
	cr_assert_not(s.packed_unsaved);
	lc_row_find(&s, 10)->flags = ROW_UNSAVED;
	cr_assert_eq(s.n_chunks, 1);
	lc_rows_settle(&s);
	cr_assert(s.packed_unsaved);
	lc_rows_clear(&s);
	cr_assert_eq(lc_row_count(&s), 0);
	lc_rows_free(&s);
}
