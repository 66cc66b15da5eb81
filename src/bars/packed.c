/* Rows of minutes that are over, in a quarter of their room: prices as differences, the amount as
 * what it differs from volume x close by, all as variable-length integers under exponents that the
 * chunk's rows share. What does not go under one exponent is kept as it is. */
#include "bars_priv.h"

#include <string.h>

/* Of a chunk: its kind, the slot of its first row, its length, then rows; in front of packed rows
 * their exponents of prices, volumes and amounts. */
enum { KIND_RAW, KIND_PACKED };
enum { SLOT_AT = 1, LEN_AT = 3, HEAD = 5, EXPONENTS = 3 };

/* Of a packed row: what is as usual and therefore not written. */
enum { NEXT_SLOT = 1, NO_REVISION = 2, USUAL_FLAGS = 4 };
enum { USUAL = ROW_LAST | ROW_RANGE | ROW_SAID };
enum { MINUTE_MS = 60000 };

/* Sums may wrap around: they are only ever taken back again. */
static uint64_t zigzag(uint64_t value)
{
	return value << 1 ^ (value >> 63 ? UINT64_MAX : 0);
}

static uint64_t zagzig(uint64_t value)
{
	return value >> 1 ^ (value & 1 ? UINT64_MAX : 0);
}

static void put(uint8_t **at, uint64_t value)
{
	while (value >= 0x80) {
		*(*at)++ = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	*(*at)++ = (uint8_t)value;
}

static uint64_t take(const uint8_t **at)
{
	uint64_t value = 0;
	for (unsigned shift = 0;; shift += 7) {
		uint8_t byte = *(*at)++;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80 || shift >= 63) {
			return value;
		}
	}
}

static uint64_t power_of_ten(int exponent)
{
	uint64_t power = 1;
	for (; exponent > 0; exponent--) {
		power *= 10;
	}
	return power;
}

/* --- one exponent for all --- */

struct exponents {
	int price, volume, amount;
};

static void lower(int *least, int64_t mantissa, int exponent)
{
	*least = mantissa != 0 && exponent < *least ? exponent : *least;
}

static struct exponents exponents_of(const struct row *rows, int count)
{
	struct exponents e = {INT8_MAX, INT8_MAX, INT8_MAX};
	for (int i = 0; i < count; i++) {
		const struct row *row = &rows[i];
		lower(&e.price, row->open, row->open_exp);
		lower(&e.price, row->high, row->high_exp);
		lower(&e.price, row->low, row->low_exp);
		lower(&e.price, row->close, row->close_exp);
		lower(&e.volume, row->volume, row->volume_exp);
		lower(&e.amount, row->amount, row->amount_exp);
	}
	e.price = e.price == INT8_MAX ? 0 : e.price;
	e.volume = e.volume == INT8_MAX ? 0 : e.volume;
	if (e.amount > e.price + e.volume) {
		e.amount = e.price + e.volume;
	}
	return e;
}

static bool scale(int64_t *mantissa, int8_t *exponent, int to)
{
	for (; *mantissa != 0 && *exponent > to; --*exponent) {
		if (__builtin_mul_overflow(*mantissa, 10, mantissa)) {
			return false;
		}
	}
	*exponent = (int8_t)to;
	return true;
}

static bool scale_row(struct row *row, const struct exponents *e)
{
	return scale(&row->open, &row->open_exp, e->price) &&
	       scale(&row->high, &row->high_exp, e->price) &&
	       scale(&row->low, &row->low_exp, e->price) &&
	       scale(&row->close, &row->close_exp, e->price) &&
	       scale(&row->volume, &row->volume_exp, e->volume) &&
	       scale(&row->amount, &row->amount_exp, e->amount);
}

/* --- rows --- */

struct before {
	uint64_t close;
	uint16_t slot;
};

static uint64_t larger(int64_t a, int64_t b)
{
	return (uint64_t)(a > b ? a : b);
}

static uint64_t smaller(int64_t a, int64_t b)
{
	return (uint64_t)(a < b ? a : b);
}

static void put_row(uint8_t **at, const struct row *row, uint64_t unit, struct before *before)
{
	uint8_t usual = (uint8_t)((row->slot == before->slot + 1 ? NEXT_SLOT : 0) |
				  (row->revision == 0 ? NO_REVISION : 0) |
				  (row->flags == USUAL ? USUAL_FLAGS : 0));
	*(*at)++ = usual;
	if (!(usual & NEXT_SLOT)) {
		put(at, row->slot);
	}
	if (!(usual & NO_REVISION)) {
		put(at, row->revision);
	}
	if (!(usual & USUAL_FLAGS)) {
		*(*at)++ = row->flags;
	}
	uint64_t open = (uint64_t)row->open, close = (uint64_t)row->close;
	uint64_t volume = (uint64_t)row->volume;
	put(at, zigzag(open - before->close));
	put(at, zigzag(close - open));
	put(at, zigzag((uint64_t)row->high - larger(row->open, row->close)));
	put(at, zigzag(smaller(row->open, row->close) - (uint64_t)row->low));
	put(at, zigzag(volume));
	put(at, zigzag((uint64_t)row->amount - volume * close * unit));
	put(at, row->ticks);
	put(at, zigzag((uint64_t)(int64_t)row->first_ms));
	put(at, zigzag((uint64_t)((int64_t)MINUTE_MS - row->last_ms)));
	*before = (struct before){close, row->slot};
}

static void take_row(const uint8_t **at, struct row *row, const struct exponents *e, uint64_t unit,
	struct before *before)
{
	uint8_t usual = *(*at)++;
	*row = (struct row){.open_exp = (int8_t)e->price,
		.high_exp = (int8_t)e->price,
		.low_exp = (int8_t)e->price,
		.close_exp = (int8_t)e->price,
		.volume_exp = (int8_t)e->volume,
		.amount_exp = (int8_t)e->amount};
	row->slot = (uint16_t)(usual & NEXT_SLOT ? before->slot + 1u : take(at));
	row->revision = (uint16_t)(usual & NO_REVISION ? 0 : take(at));
	row->flags = usual & USUAL_FLAGS ? USUAL : *(*at)++;
	uint64_t open = before->close + zagzig(take(at)), close = open + zagzig(take(at));
	row->open = (int64_t)open;
	row->close = (int64_t)close;
	row->high = (int64_t)(larger(row->open, row->close) + zagzig(take(at)));
	row->low = (int64_t)(smaller(row->open, row->close) - zagzig(take(at)));
	uint64_t volume = zagzig(take(at));
	row->volume = (int64_t)volume;
	row->amount = (int64_t)(zagzig(take(at)) + volume * close * unit);
	row->ticks = (uint32_t)take(at);
	row->first_ms = (int32_t)(int64_t)zagzig(take(at));
	row->last_ms = (int32_t)(MINUTE_MS - (int64_t)zagzig(take(at)));
	*before = (struct before){close, row->slot};
}

/* --- chunks --- */

static size_t finish(uint8_t *out, int kind, const struct row *rows, size_t size)
{
	uint16_t len = (uint16_t)size;
	out[0] = (uint8_t)kind;
	memcpy(out + SLOT_AT, &rows[0].slot, sizeof rows[0].slot);
	memcpy(out + LEN_AT, &len, sizeof len);
	return size;
}

static size_t pack_raw(const struct row *rows, uint8_t *out)
{
	memcpy(out + HEAD, rows, CHUNK_ROWS * sizeof *rows);
	return finish(out, KIND_RAW, rows, HEAD + CHUNK_ROWS * sizeof *rows);
}

size_t lc_rows_pack(const struct row *rows, uint8_t *out)
{
	const struct exponents e = exponents_of(rows, CHUNK_ROWS);
	uint64_t unit = power_of_ten(e.price + e.volume - e.amount);
	struct before before = {0, (uint16_t)(rows[0].slot - 1)};
	uint8_t *at = out + HEAD;
	if (e.amount < INT8_MIN) {
		return pack_raw(rows, out);
	}
	*at++ = (uint8_t)e.price;
	*at++ = (uint8_t)e.volume;
	*at++ = (uint8_t)e.amount;
	for (int i = 0; i < CHUNK_ROWS; i++) {
		struct row row = rows[i];
		if (!scale_row(&row, &e)) {
			return pack_raw(rows, out);
		}
		put_row(&at, &row, unit, &before);
	}
	return finish(out, KIND_PACKED, rows, (size_t)(at - out));
}

int lc_rows_packed_slot(const uint8_t *packed)
{
	uint16_t slot;
	memcpy(&slot, packed + SLOT_AT, sizeof slot);
	return slot;
}

size_t lc_rows_packed_bytes(const uint8_t *packed)
{
	uint16_t len;
	memcpy(&len, packed + LEN_AT, sizeof len);
	return len;
}

void lc_rows_unpack(const uint8_t *packed, struct row *rows)
{
	const uint8_t *at = packed + HEAD;
	if (packed[0] == KIND_RAW) {
		memcpy(rows, at, CHUNK_ROWS * sizeof *rows);
		return;
	}
	const struct exponents e = {(int8_t)at[0], (int8_t)at[1], (int8_t)at[2]};
	uint64_t unit = power_of_ten(e.price + e.volume - e.amount);
	struct before before = {0, (uint16_t)(lc_rows_packed_slot(packed) - 1)};
	at += EXPONENTS;
	for (int i = 0; i < CHUNK_ROWS; i++) {
		take_row(&at, &rows[i], &e, unit, &before);
	}
}
