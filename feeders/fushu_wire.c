#include "fushu_wire.h"

#include <string.h>

static void take(const struct lc_value *value, uint32_t bit, struct lc_decimal *at, uint32_t *has)
{
	if (lc_value_decimal(value, at) == LC_OK) {
		*has |= bit;
	}
}

/* A side of the book that is empty is null, absent, or priced 0. */
static void drop_empty_side(struct lc_tick *tick, uint32_t price, uint32_t volume)
{
	struct lc_decimal value = price == LC_HAS_BID ? tick->bid : tick->ask;
	if (!(tick->has & price) || lc_decimal_is_zero(value)) {
		tick->has &= ~(price | volume);
	}
}

/* A bare code is Hong Kong's; a symbol is taken as it stands. */
static bool take_symbol(const struct lc_value *value, bool code, char out[LC_SYMBOL_MAX])
{
	if (lc_value_copy(value, out, LC_SYMBOL_MAX) != LC_OK || !out[0]) {
		return false;
	}
	if (code && !strchr(out, '.')) {
		if (strlen(out) + sizeof(".HK") > LC_SYMBOL_MAX) {
			return false;
		}
		strcat(out, ".HK");
	}
	return true;
}

static bool read_row(const struct lc_value *row, const struct lc_zone *zone, struct lc_tick *tick,
	char symbol[LC_SYMBOL_MAX])
{
	const struct lc_value *key, *value;
	bool named = false;
	*tick = (struct lc_tick){.kind = LC_TICK_SNAPSHOT, .effect = LC_UPDATES_ALL};
	tick->full_snapshot = true;
	lc_value_each_field (key, value, row) {
		if (lc_value_is(key, "symbol")) {
			named = take_symbol(value, false, symbol) || named;
		} else if (lc_value_is(key, "code") && !named) {
			named = take_symbol(value, true, symbol);
		} else if (lc_value_is(key, "price")) {
			take(value, LC_HAS_PRICE, &tick->price, &tick->has);
		} else if (lc_value_is(key, "volume")) {
			take(value, LC_HAS_VOLUME, &tick->volume, &tick->has);
		} else if (lc_value_is(key, "amount")) {
			take(value, LC_HAS_AMOUNT, &tick->amount, &tick->has);
		} else if (lc_value_is(key, "bid_price")) {
			take(value, LC_HAS_BID, &tick->bid, &tick->has);
		} else if (lc_value_is(key, "ask_price")) {
			take(value, LC_HAS_ASK, &tick->ask, &tick->has);
		} else if (lc_value_is(key, "bid_volume")) {
			take(value, LC_HAS_BID_VOLUME, &tick->bid_volume, &tick->has);
		} else if (lc_value_is(key, "ask_volume")) {
			take(value, LC_HAS_ASK_VOLUME, &tick->ask_volume, &tick->has);
		} else if (lc_value_is(key, "timestamp") &&
			   lc_value_time(value, zone, &tick->event_ns) == LC_OK) {
			tick->has |= LC_HAS_EVENT_TIME;
		}
	}
	drop_empty_side(tick, LC_HAS_BID, LC_HAS_BID_VOLUME);
	drop_empty_side(tick, LC_HAS_ASK, LC_HAS_ASK_VOLUME);
	return named && (tick->has & LC_HAS_PRICE) && !lc_decimal_is_zero(tick->price);
}

enum lc_err lc_fushu_parse(struct lc_json_parser *json, const char *data, size_t len,
	const struct lc_zone *zone, lc_fushu_row_cb on_row, void *arg, size_t *bad_rows,
	struct lc_error *err)
{
	const struct lc_value *root, *row;
	enum lc_err code = lc_json_parse(json, data, len, len, &root, err);
	if (code != LC_OK) {
		return code;
	}
	const struct lc_value *rows = lc_value_find(root, "data");
	if (!rows || rows->type != LC_VALUE_ARRAY) {
		return lc_error_set(err, LC_ERR_PROTOCOL, "no FuShu answer: data is missing");
	}
	size_t bad = 0;
	lc_value_each (row, rows) {
		struct lc_tick tick;
		char symbol[LC_SYMBOL_MAX];
		if (!read_row(row, zone, &tick, symbol)) {
			bad++;
			continue;
		}
		on_row(arg, symbol, strlen(symbol), &tick);
	}
	if (bad_rows) {
		*bad_rows = bad;
	}
	return LC_OK;
}
