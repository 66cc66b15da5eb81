#include "eastmoney_details.h"

#include "eastmoney_wire.h"

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

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool two_digits(const char *text, int32_t *out)
{
	if (!is_digit(text[0]) || !is_digit(text[1])) {
		return false;
	}
	*out = 10 * (text[0] - '0') + (text[1] - '0');
	return true;
}

static bool whole(struct lc_text column, int64_t max, int64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < column.len; i++) {
		if (!is_digit(column.data[i]) || *out > max / 10) {
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
		!two_digits(time.data, &hour) || !two_digits(time.data + 3, &minute) ||
		!two_digits(time.data + 6, &second) || hour > 23 || minute > 59 || second > 59) {
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

enum lc_err lc_eastmoney_details_parse(struct lc_json_parser *json, const char *data, size_t len,
	lc_eastmoney_detail_cb on_row, void *arg, size_t *rows, struct lc_error *err)
{
	const struct lc_value *root, *item;
	struct lc_text text = lc_eastmoney_unwrap(data, len), row;
	*rows = 0;
	enum lc_err code = lc_json_parse(json, text.data, text.len, text.len, &root, err);
	if (code != LC_OK) {
		return code;
	}
	const struct lc_value *content = lc_value_find(root, "data");
	if (!content) {
		return lc_error_set(err, LC_ERR_PROTOCOL, "no answer of EastMoney's: no data");
	}
	const struct lc_value *details = lc_value_find(content, "details");
	if (!details || details->type != LC_VALUE_ARRAY) {
		return LC_OK;
	}
	lc_value_each (item, details) {
		if (lc_value_text(item, &row) == LC_OK) {
			++*rows;
			on_row(arg, row);
		}
	}
	return LC_OK;
}
