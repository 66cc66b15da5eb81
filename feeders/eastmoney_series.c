#include "eastmoney_series.h"

#include "eastmoney_wire.h"

/* --- columns --- */

/* Takes the text before the next comma off the row. */
static struct lc_text next_column(struct lc_text *row)
{
	size_t len = 0;
	while (len < row->len && row->data[len] != ',') {
		len++;
	}
	struct lc_text column = {row->data, len};
	size_t used = len < row->len ? len + 1 : len;
	row->data += used;
	row->len -= used;
	return column;
}

static bool next_decimal(struct lc_text *row, struct lc_decimal *out)
{
	struct lc_text column = next_column(row);
	return lc_decimal_parse(column.data, column.len, out) == LC_OK;
}

/* Exactly n digits at text. */
static bool digits(const char *text, size_t n, int32_t *out)
{
	*out = 0;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9') {
			return false;
		}
		*out = *out * 10 + (text[i] - '0');
	}
	return true;
}

static bool whole(struct lc_text column, int64_t max, int64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < column.len; i++) {
		if (column.data[i] < '0' || column.data[i] > '9' || *out > max / 10) {
			return false;
		}
		*out = *out * 10 + (column.data[i] - '0');
	}
	return column.len > 0 && *out <= max;
}

enum lc_err lc_eastmoney_detail_parse(struct lc_text row, struct lc_eastmoney_detail *out)
{
	int32_t hour, minute, second;
	int64_t side;
	struct lc_text time = next_column(&row);
	if (time.len != 8 || time.data[2] != ':' || time.data[5] != ':' ||
		!digits(time.data, 2, &hour) || !digits(time.data + 3, 2, &minute) ||
		!digits(time.data + 6, 2, &second) || hour > 23 || minute > 59 || second > 59) {
		return LC_ERR_INVALID;
	}
	out->second = hour * 3600 + minute * 60 + second;
	if (!next_decimal(&row, &out->price) || !next_decimal(&row, &out->lots) ||
		!whole(next_column(&row), INT64_C(1000000000), &out->trades) ||
		!whole(next_column(&row), 9, &side)) {
		return LC_ERR_INVALID;
	}
	out->side = (uint8_t)side;
	return LC_OK;
}

/* "2026-02-06" or "2026-02-06 09:31". */
static bool read_time(struct lc_text time, struct lc_eastmoney_bar *out)
{
	int32_t year, month, day, hour = 0, minute = 0;
	if ((time.len != 10 && time.len != 16) || time.data[4] != '-' || time.data[7] != '-' ||
		!digits(time.data, 4, &year) || !digits(time.data + 5, 2, &month) ||
		!digits(time.data + 8, 2, &day)) {
		return false;
	}
	out->has_minute = time.len == 16;
	if (out->has_minute &&
		(time.data[10] != ' ' || time.data[13] != ':' ||
			!digits(time.data + 11, 2, &hour) || !digits(time.data + 14, 2, &minute))) {
		return false;
	}
	out->time = (struct lc_civil){.year = year,
		.month = (uint8_t)month,
		.day = (uint8_t)day,
		.hour = (uint8_t)hour,
		.minute = (uint8_t)minute};
	return year > 0 && month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour <= 23 &&
	       minute <= 59;
}

enum lc_err lc_eastmoney_bar_parse(struct lc_text row, struct lc_eastmoney_bar *out)
{
	bool good = read_time(next_column(&row), out) && next_decimal(&row, &out->open) &&
		    next_decimal(&row, &out->close) && next_decimal(&row, &out->high) &&
		    next_decimal(&row, &out->low) && next_decimal(&row, &out->volume) &&
		    next_decimal(&row, &out->amount);
	return good ? LC_OK : LC_ERR_INVALID;
}

/* --- answers --- */

static const struct {
	const char *key;
	enum lc_eastmoney_series_kind kind;
} kinds[] = {
	{"details", LC_EASTMONEY_DETAILS},
	{"klines", LC_EASTMONEY_KLINES},
	{"trends", LC_EASTMONEY_TRENDS},
};

static const struct lc_value *find_rows(
	const struct lc_value *content, struct lc_eastmoney_series *out)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct lc_value *rows = lc_value_find(content, kinds[i].key);
		if (rows && rows->type == LC_VALUE_ARRAY) {
			out->kind = kinds[i].kind;
			return rows;
		}
	}
	return NULL;
}

static void read_head(const struct lc_value *content, struct lc_eastmoney_series *out)
{
	static const char *const names[] = {"prePrice", "preKPrice", "preClose"};
	const struct lc_value *value = lc_value_find(content, "code");
	if (value) {
		lc_value_text(value, &out->code);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !out->has_prev_price; i++) {
		value = lc_value_find(content, names[i]);
		out->has_prev_price = value && lc_value_decimal(value, &out->prev_price) == LC_OK &&
				      !lc_decimal_is_zero(out->prev_price);
	}
}

enum lc_err lc_eastmoney_series_parse(struct lc_json_parser *json, const char *data, size_t len,
	struct lc_eastmoney_series *out, lc_eastmoney_series_cb on_row, void *arg,
	struct lc_error *err)
{
	const struct lc_value *root, *content, *item, *value;
	int64_t full = 0;
	struct lc_text text = lc_eastmoney_unwrap(data, len), row;
	*out = (struct lc_eastmoney_series){0};
	enum lc_err code = lc_json_parse(json, text.data, text.len, text.len, &root, err);
	if (code != LC_OK) {
		return code;
	}
	content = lc_value_find(root, "data");
	if (!content) {
		return lc_error_set(err, LC_ERR_PROTOCOL, "no answer of EastMoney's: no data");
	}
	value = lc_value_find(root, "rc");
	if (value) {
		lc_value_int(value, &out->rc);
	}
	value = lc_value_find(root, "full");
	out->full = !value || lc_value_int(value, &full) != LC_OK || full != 0;
	read_head(content, out);
	const struct lc_value *rows = find_rows(content, out);
	if (!rows) {
		return LC_OK;
	}
	lc_value_each (item, rows) {
		if (lc_value_text(item, &row) == LC_OK) {
			out->rows++;
			on_row(arg, out, row);
		}
	}
	return LC_OK;
}
