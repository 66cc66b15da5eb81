#include "eastmoney_wire.h"

#include <string.h>

#define JSONP_NAME_MAX 128
#define MAX_DECIMALS 9
#define MAX_STATE 19

/* --- numbers --- */

/* A whole number, also when it was sent as 0.0 or 2.0. */
static bool take_whole(const struct lc_value *value, int64_t max, int64_t *out)
{
	struct lc_decimal number;
	if (lc_value_decimal(value, &number) != LC_OK || number.mantissa < 0) {
		return false;
	}
	while (number.exponent < 0 && number.mantissa % 10 == 0 && number.mantissa != 0) {
		number.mantissa /= 10;
		number.exponent++;
	}
	for (; number.exponent > 0 && number.mantissa <= max && number.mantissa != 0;
		number.exponent--) {
		number.mantissa *= 10;
	}
	if ((number.exponent != 0 && number.mantissa != 0) || number.mantissa > max) {
		return false;
	}
	*out = number.mantissa;
	return true;
}

static void take_value(
	struct lc_eastmoney_row *row, enum lc_eastmoney_field field, const struct lc_value *value)
{
	struct lc_decimal number;
	row->given |= LC_EM_BIT(field);
	row->known &= ~LC_EM_BIT(field);
	if (lc_value_decimal(value, &number) != LC_OK) {
		return; /* "-" or null: missing */
	}
	if (field < LC_EM_PRICES && lc_decimal_is_zero(number)) {
		return; /* no price yet, or an empty side of the book */
	}
	row->value[field] = number;
	row->known |= LC_EM_BIT(field);
}

static void take_code(struct lc_eastmoney_row *row, const struct lc_value *value)
{
	row->given |= LC_EM_BIT(LC_EM_CODE);
	row->known &= ~LC_EM_BIT(LC_EM_CODE);
	if (lc_value_copy(value, row->code, sizeof(row->code)) == LC_OK && row->code[0]) {
		row->known |= LC_EM_BIT(LC_EM_CODE);
	}
}

static void take_time(struct lc_eastmoney_row *row, const struct lc_value *value)
{
	int64_t seconds;
	row->given |= LC_EM_BIT(LC_EM_TIME);
	row->known &= ~LC_EM_BIT(LC_EM_TIME);
	if (take_whole(value, INT64_C(9000000000), &seconds) && seconds > 0) {
		row->time_s = seconds;
		row->known |= LC_EM_BIT(LC_EM_TIME);
	}
}

/* Lists name the state twice (f107, f292), and either may be empty: what says something counts. */
static void take_state(struct lc_eastmoney_row *row, const struct lc_value *value)
{
	int64_t state;
	row->given |= LC_EM_BIT(LC_EM_STATE);
	if (take_whole(value, MAX_STATE, &state) && state > 0) {
		row->state = (uint8_t)state;
		row->known |= LC_EM_BIT(LC_EM_STATE);
	}
}

static void take_market(struct lc_eastmoney_row *row, const struct lc_value *value)
{
	int64_t market;
	row->given |= LC_EM_BIT(LC_EM_MARKET);
	row->known &= ~LC_EM_BIT(LC_EM_MARKET);
	if (take_whole(value, UINT16_MAX, &market)) {
		row->market = (uint16_t)market;
		row->known |= LC_EM_BIT(LC_EM_MARKET);
	}
}

static void take_decimals(struct lc_eastmoney_row *row, const struct lc_value *value)
{
	int64_t decimals;
	row->given |= LC_EM_BIT(LC_EM_DECIMALS);
	row->known &= ~LC_EM_BIT(LC_EM_DECIMALS);
	if (take_whole(value, MAX_DECIMALS, &decimals)) {
		row->decimals = (uint8_t)decimals;
		row->known |= LC_EM_BIT(LC_EM_DECIMALS);
	}
}

/* --- rows --- */

static const int8_t list_values[] = {
	[2] = LC_EM_LAST + 1,
	[5] = LC_EM_VOLUME + 1,
	[6] = LC_EM_AMOUNT + 1,
	[15] = LC_EM_HIGH + 1,
	[16] = LC_EM_LOW + 1,
	[17] = LC_EM_OPEN + 1,
	[18] = LC_EM_PREV_CLOSE + 1,
	[31] = LC_EM_BID + 1,
	[32] = LC_EM_ASK + 1,
};

static const int8_t stock_values[] = {
	[19] = LC_EM_BID + 1,
	[20] = LC_EM_BID_VOLUME + 1,
	[39] = LC_EM_ASK + 1,
	[40] = LC_EM_ASK_VOLUME + 1,
	[43] = LC_EM_LAST + 1,
	[44] = LC_EM_HIGH + 1,
	[45] = LC_EM_LOW + 1,
	[46] = LC_EM_OPEN + 1,
	[47] = LC_EM_VOLUME + 1,
	[48] = LC_EM_AMOUNT + 1,
	[51] = LC_EM_LIMIT_UP + 1,
	[52] = LC_EM_LIMIT_DOWN + 1,
	[60] = LC_EM_PREV_CLOSE + 1,
};

/* The number of a key "f124", 0 of any other. */
static unsigned field_number(const struct lc_value *key)
{
	unsigned number = 0;
	if (key->type != LC_VALUE_STRING || key->len < 2 || key->len > 4 || key->v.text[0] != 'f') {
		return 0;
	}
	for (uint32_t i = 1; i < key->len; i++) {
		if (key->v.text[i] < '0' || key->v.text[i] > '9') {
			return 0;
		}
		number = number * 10 + (unsigned)(key->v.text[i] - '0');
	}
	return number;
}

static void read_list_row(const struct lc_value *object, struct lc_eastmoney_row *row)
{
	const struct lc_value *key, *value;
	lc_value_each_field (key, value, object) {
		unsigned number = field_number(key);
		if (number < sizeof(list_values) && list_values[number]) {
			take_value(row, (enum lc_eastmoney_field)(list_values[number] - 1), value);
			continue;
		}
		switch (number) {
		case 1:
			take_decimals(row, value);
			break;
		case 12:
			take_code(row, value);
			break;
		case 13:
			take_market(row, value);
			break;
		case 107:
		case 292:
			take_state(row, value);
			break;
		case 124:
			take_time(row, value);
			break;
		default:
			break;
		}
	}
}

static void read_stock(const struct lc_value *object, struct lc_eastmoney_row *row)
{
	const struct lc_value *key, *value;
	lc_value_each_field (key, value, object) {
		unsigned number = field_number(key);
		if (number < sizeof(stock_values) && stock_values[number]) {
			take_value(row, (enum lc_eastmoney_field)(stock_values[number] - 1), value);
			continue;
		}
		switch (number) {
		case 57:
			take_code(row, value);
			break;
		case 59:
			take_decimals(row, value);
			break;
		case 86:
			take_time(row, value);
			break;
		case 107:
			take_market(row, value);
			break;
		case 292:
			take_state(row, value);
			break;
		default:
			break;
		}
	}
}

/* --- payloads --- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct lc_text lc_eastmoney_unwrap(const char *data, size_t len)
{
	struct lc_text whole = {data, len};
	size_t start = 0, end = len;
	while (start < end && is_space(data[start])) {
		start++;
	}
	size_t name = start;
	while (start < end && start - name < JSONP_NAME_MAX && data[start] != '(' &&
		data[start] != '{' && data[start] != '[') {
		start++;
	}
	if (start == end || data[start] != '(') {
		return whole;
	}
	while (end > start && (is_space(data[end - 1]) || data[end - 1] == ';')) {
		end--;
	}
	if (end < start + 2 || data[end - 1] != ')') {
		return whole;
	}
	return (struct lc_text){data + start + 1, end - start - 2};
}

/* dlmkts is a list such as "8,10,128". */
static void read_delayed(const struct lc_value *value, struct lc_eastmoney_answer *answer)
{
	struct lc_text text;
	if (!value || lc_value_text(value, &text) != LC_OK) {
		return;
	}
	unsigned number = 0;
	for (size_t i = 0; i <= text.len; i++) {
		if (i < text.len && text.data[i] >= '0' && text.data[i] <= '9' && number < 100000) {
			number = number * 10 + (unsigned)(text.data[i] - '0');
			continue;
		}
		answer->delayed_hk |= number == LC_EASTMONEY_HK || number == LC_EASTMONEY_HK_LIST;
		answer->delayed_us |= number >= LC_EASTMONEY_US_FIRST &&
				      number < LC_EASTMONEY_US_FIRST + LC_EASTMONEY_US_MARKETS;
		number = 0;
	}
}

static bool read_position(const struct lc_value *key, uint32_t *out)
{
	uint32_t number = 0;
	if (key->type != LC_VALUE_STRING || key->len < 1 || key->len > 5) {
		return false;
	}
	for (uint32_t i = 0; i < key->len; i++) {
		if (key->v.text[i] < '0' || key->v.text[i] > '9') {
			return false;
		}
		number = number * 10 + (uint32_t)(key->v.text[i] - '0');
	}
	*out = number;
	return number < LC_EASTMONEY_MAX_ROWS;
}

static void give_row(struct lc_eastmoney_answer *answer, const struct lc_value *object,
	uint32_t position, lc_eastmoney_row_cb on_row, void *arg)
{
	if (object->type != LC_VALUE_OBJECT || position >= LC_EASTMONEY_MAX_ROWS) {
		answer->bad_rows++;
		return;
	}
	struct lc_eastmoney_row row = {0};
	read_list_row(object, &row);
	answer->rows++;
	if (on_row) {
		on_row(arg, answer, position, &row);
	}
}

static void read_diff(struct lc_eastmoney_answer *answer, const struct lc_value *diff,
	lc_eastmoney_row_cb on_row, void *arg)
{
	const struct lc_value *key, *item;
	uint32_t index = 0;
	lc_value_each (item, diff) {
		give_row(answer, item, index++, on_row, arg);
	}
	lc_value_each_field (key, item, diff) {
		uint32_t position;
		if (read_position(key, &position)) {
			give_row(answer, item, position, on_row, arg);
		} else {
			answer->bad_rows++;
		}
	}
}

enum lc_err lc_eastmoney_parse(struct lc_json_parser *json, const char *data, size_t len,
	struct lc_eastmoney_answer *answer, lc_eastmoney_row_cb on_row, void *arg,
	struct lc_error *err)
{
	const struct lc_value *root, *content, *diff, *value;
	int64_t full = 0;
	struct lc_text text = lc_eastmoney_unwrap(data, len);
	*answer = (struct lc_eastmoney_answer){0};
	enum lc_err code = lc_json_parse(json, text.data, text.len, text.len, &root, err);
	if (code != LC_OK) {
		return code;
	}
	value = lc_value_find(root, "rc");
	if (!value || lc_value_int(value, &answer->rc) != LC_OK) {
		return lc_error_set(
			err, LC_ERR_PROTOCOL, "no answer of EastMoney's: rc is missing");
	}
	value = lc_value_find(root, "full");
	answer->full = !value || lc_value_int(value, &full) != LC_OK || full != 0;
	read_delayed(lc_value_find(root, "dlmkts"), answer);
	content = lc_value_find(root, "data");
	if (answer->rc != 0 || !content || content->type != LC_VALUE_OBJECT) {
		return LC_OK;
	}
	answer->has_data = true;
	diff = lc_value_find(content, "diff");
	if (diff) {
		read_diff(answer, diff, on_row, arg);
		return LC_OK;
	}
	struct lc_eastmoney_row row = {0};
	read_stock(content, &row);
	answer->rows = 1;
	if (on_row) {
		on_row(arg, answer, 0, &row);
	}
	return LC_OK;
}

/* --- merging --- */

bool lc_eastmoney_row_apply(
	struct lc_eastmoney_row *cache, const struct lc_eastmoney_row *update, bool full)
{
	const uint32_t told = LC_EM_BIT(LC_EM_VALUES) - 1;
	bool changed = false;
	uint32_t take = full ? ~UINT32_C(0) : update->given;
	for (unsigned i = 0; i < LC_EM_VALUES; i++) {
		if (!(take & LC_EM_BIT(i))) {
			continue;
		}
		changed |= ((cache->known ^ update->known) & LC_EM_BIT(i)) != 0 ||
			   ((update->known & LC_EM_BIT(i)) &&
				   lc_decimal_compare(cache->value[i], update->value[i]) != 0);
		cache->value[i] = update->value[i];
	}
	if (take & update->known & LC_EM_BIT(LC_EM_STATE)) {
		changed |= cache->state != update->state;
		cache->state = update->state;
	}
	if (take & update->known & LC_EM_BIT(LC_EM_TIME)) {
		cache->time_s = update->time_s;
	}
	if (take & update->known & LC_EM_BIT(LC_EM_MARKET)) {
		cache->market = update->market;
	}
	if (take & update->known & LC_EM_BIT(LC_EM_DECIMALS)) {
		changed |= (cache->known & LC_EM_BIT(LC_EM_DECIMALS)) &&
			   cache->decimals != update->decimals;
		cache->decimals = update->decimals;
	}
	if (take & update->known & LC_EM_BIT(LC_EM_CODE)) {
		memcpy(cache->code, update->code, sizeof(cache->code));
	}
	changed |= full && !(cache->given & told);
	/* What names the instrument and scales it is not taken back by a delta that says "-". */
	uint32_t keep = full ? 0
			     : cache->known &
					(LC_EM_BIT(LC_EM_CODE) | LC_EM_BIT(LC_EM_MARKET) |
						LC_EM_BIT(LC_EM_DECIMALS) | LC_EM_BIT(LC_EM_STATE));
	cache->known = (cache->known & ~take) | (update->known & take) | keep;
	cache->given = full ? update->given : cache->given | update->given;
	return changed;
}

/* --- the WebSocket stand-in --- */

enum lc_err lc_eastmoney_ws_parse(struct lc_json_parser *json, const char *data, size_t len,
	struct lc_eastmoney_row *out, struct lc_error *err)
{
	const uint32_t needed = LC_EM_BIT(LC_EM_CODE) | LC_EM_BIT(LC_EM_LAST);
	const struct lc_value *root, *key, *value;
	enum lc_err code = lc_json_parse(json, data, len, len, &root, err);
	if (code != LC_OK) {
		return code;
	}
	*out = (struct lc_eastmoney_row){0};
	lc_value_each_field (key, value, root) {
		if (lc_value_is(key, "code")) {
			take_code(out, value);
		} else if (lc_value_is(key, "market")) {
			take_market(out, value);
		} else if (lc_value_is(key, "price")) {
			take_value(out, LC_EM_LAST, value);
		} else if (lc_value_is(key, "volume")) {
			take_value(out, LC_EM_VOLUME, value);
		} else if (lc_value_is(key, "amount")) {
			take_value(out, LC_EM_AMOUNT, value);
		} else if (lc_value_is(key, "timestamp")) {
			take_time(out, value);
		}
	}
	if ((out->known & needed) != needed || !lc_eastmoney_split_code(out)) {
		return lc_error_set(err, LC_ERR_PROTOCOL, "a message without a code or a price");
	}
	return LC_OK;
}
