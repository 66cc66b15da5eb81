#include "alpaca_wire.h"

#include <string.h>

struct type_name {
	const char *name;
	enum lc_alpaca_type type;
};

/* Types of one letter are found by switch; these are the rest. */
static const struct type_name control_types[] = {
	{"success", LC_ALPACA_SUCCESS},
	{"error", LC_ALPACA_ERROR},
	{"subscription", LC_ALPACA_SUBSCRIPTION},
};

static enum lc_alpaca_type data_type(char letter)
{
	switch (letter) {
	case 't':
		return LC_ALPACA_TRADE;
	case 'q':
		return LC_ALPACA_QUOTE;
	case 'c':
		return LC_ALPACA_CORRECTION;
	case 'x':
		return LC_ALPACA_CANCEL;
	case 's':
		return LC_ALPACA_STATUS;
	case 'b':
		return LC_ALPACA_BAR;
	case 'u':
		return LC_ALPACA_UPDATED_BAR;
	case 'd':
		return LC_ALPACA_DAILY_BAR;
	case 'l':
		return LC_ALPACA_LULD;
	case 'i':
		return LC_ALPACA_IMBALANCE;
	case 'o':
		return LC_ALPACA_ORDERBOOK;
	default:
		return LC_ALPACA_UNKNOWN;
	}
}

static enum lc_alpaca_type type_of(const struct lc_value *value)
{
	if (value->len == 1) {
		return data_type(value->v.text[0]);
	}
	for (size_t i = 0; i < sizeof(control_types) / sizeof(control_types[0]); i++) {
		if (lc_value_is(value, control_types[i].name)) {
			return control_types[i].type;
		}
	}
	return LC_ALPACA_UNKNOWN;
}

/* The type is the first field as the vendor writes it, but nothing promises that for JSON. */
static const struct lc_value *find_type(const struct lc_value *item)
{
	if (item->type != LC_VALUE_OBJECT || item->len == 0) {
		return NULL;
	}
	const struct lc_value *value = item + 2;
	if (lc_value_key(item + 1) != LC_KEY1('T')) {
		value = lc_value_find(item, "T");
	}
	return value && value->type == LC_VALUE_STRING ? value : NULL;
}

/* Copies a text, cut to fit. What is not printable ASCII becomes '?': the vendor's texts are
 * English, msgpack's are not checked, and what leaves here is published. */
static enum lc_err copy_cut(const struct lc_value *value, char *out, size_t size)
{
	if (value->type == LC_VALUE_NULL) {
		return LC_OK;
	}
	if (value->type != LC_VALUE_STRING) {
		return LC_ERR_INVALID;
	}
	size_t len = value->len < size - 1 ? value->len : size - 1;
	for (size_t i = 0; i < len; i++) {
		char c = value->v.text[i];
		out[i] = c >= 0x20 && c < 0x7f ? c : '?';
	}
	out[len] = '\0';
	return LC_OK;
}

static enum lc_err field_decimal(
	const struct lc_value *value, uint32_t bit, uint32_t *has, struct lc_decimal *out)
{
	enum lc_err code = lc_value_decimal(value, out);
	if (code == LC_OK) {
		*has |= bit;
	}
	return code;
}

/* The first codes of a list, as the vendor names them; null is an empty list. */
static enum lc_err field_conditions(const struct lc_value *value, struct lc_conditions *out)
{
	out->count = 0;
	if (value->type == LC_VALUE_NULL) {
		return LC_OK;
	}
	if (value->type != LC_VALUE_ARRAY) {
		return LC_ERR_INVALID;
	}
	const struct lc_value *code;
	lc_value_each (code, value) {
		if (code->type != LC_VALUE_STRING) {
			return LC_ERR_INVALID;
		}
		if (out->count < LC_TICK_CONDITIONS) {
			out->code[out->count][0] = '\0';
			copy_cut(code, out->code[out->count++], sizeof(out->code[0]));
		}
	}
	return LC_OK;
}

/* What a field's value was good for. A field that nobody here knows is fine: the vendor may add
 * some. */
enum {
	FIELD_SYMBOL = 1 << 0,
	FIELD_TIME = 1 << 1,
	FIELD_A = 1 << 2,
	FIELD_B = 1 << 3,
	FIELD_C = 1 << 4,
	FIELD_D = 1 << 5,
	FIELD_E = 1 << 6
};

/* S and t, which all data messages have. Sets their bits in *seen. */
static enum lc_err field_common(
	uint64_t key, const struct lc_value *value, struct lc_alpaca_msg *msg, unsigned *seen)
{
	enum lc_err code = LC_OK;
	if (key == LC_KEY1('S')) {
		code = lc_value_text(value, &msg->symbol);
		*seen |= code == LC_OK ? FIELD_SYMBOL : 0;
	} else if (key == LC_KEY1('t')) {
		code = lc_value_time(value, NULL, &msg->time_ns);
		*seen |= code == LC_OK ? FIELD_TIME : 0;
	}
	return code;
}

static enum lc_err field_flag(enum lc_err code, unsigned bit, unsigned *seen)
{
	*seen |= code == LC_OK ? bit : 0;
	return code;
}

/* What trades and their corrections share: where it was traded. */
static enum lc_err field_venue(
	uint64_t key, const struct lc_value *value, struct lc_alpaca_msg *msg, unsigned *seen)
{
	struct lc_tick *tick = &msg->u.tick;
	switch (key) {
	case LC_KEY1('x'):
		return copy_cut(value, tick->exchange, sizeof(tick->exchange));
	case LC_KEY1('z'):
		return copy_cut(value, tick->tape, sizeof(tick->tape));
	default:
		return field_common(key, value, msg, seen);
	}
}

static enum lc_err trade_field(
	uint64_t key, const struct lc_value *value, struct lc_alpaca_msg *msg, unsigned *seen)
{
	struct lc_tick *tick = &msg->u.tick;
	switch (key) {
	case LC_KEY1('p'):
		return field_flag(field_decimal(value, LC_HAS_PRICE, &tick->has, &tick->price),
			FIELD_A, seen);
	case LC_KEY1('s'):
		return field_flag(field_decimal(value, LC_HAS_VOLUME, &tick->has, &tick->volume),
			FIELD_B, seen);
	case LC_KEY1('i'):
		tick->has |= LC_HAS_TRADE_ID;
		return field_flag(lc_value_uint(value, &tick->trade_id), FIELD_C, seen);
	case LC_KEY1('c'):
		return field_conditions(value, &tick->conditions);
	default:
		return field_venue(key, value, msg, seen);
	}
}

static enum lc_err quote_field(
	uint64_t key, const struct lc_value *value, struct lc_alpaca_msg *msg, unsigned *seen)
{
	struct lc_tick *tick = &msg->u.tick;
	switch (key) {
	case LC_KEY2('b', 'p'):
		return field_decimal(value, LC_HAS_BID, &tick->has, &tick->bid);
	case LC_KEY2('b', 's'):
		return field_decimal(value, LC_HAS_BID_VOLUME, &tick->has, &tick->bid_volume);
	case LC_KEY2('a', 'p'):
		return field_decimal(value, LC_HAS_ASK, &tick->has, &tick->ask);
	case LC_KEY2('a', 's'):
		return field_decimal(value, LC_HAS_ASK_VOLUME, &tick->has, &tick->ask_volume);
	case LC_KEY2('b', 'x'):
		return copy_cut(value, tick->exchange, sizeof(tick->exchange));
	case LC_KEY1('c'):
		return field_conditions(value, &tick->conditions);
	case LC_KEY1('z'):
		return copy_cut(value, tick->tape, sizeof(tick->tape));
	default:
		return field_common(key, value, msg, seen);
	}
}

static enum lc_err correction_field(
	uint64_t key, const struct lc_value *value, struct lc_alpaca_msg *msg, unsigned *seen)
{
	struct lc_tick *tick = &msg->u.tick;
	switch (key) {
	case LC_KEY2('o', 'i'):
		tick->has |= LC_HAS_TRADE_ID;
		return lc_value_uint(value, &tick->trade_id);
	case LC_KEY2('o', 'p'):
		return field_flag(field_decimal(value, LC_HAS_PRICE, &tick->has, &tick->price),
			FIELD_A, seen);
	case LC_KEY2('o', 's'):
		return field_flag(field_decimal(value, LC_HAS_VOLUME, &tick->has, &tick->volume),
			FIELD_B, seen);
	case LC_KEY2('o', 'c'):
		return field_conditions(value, &tick->conditions);
	case LC_KEY2('c', 'i'):
		return lc_value_uint(value, &tick->u.correction.trade_id);
	case LC_KEY2('c', 'p'):
		return field_flag(
			lc_value_decimal(value, &tick->u.correction.price), FIELD_C, seen);
	case LC_KEY2('c', 's'):
		return field_flag(
			lc_value_decimal(value, &tick->u.correction.volume), FIELD_D, seen);
	case LC_KEY2('c', 'c'):
		return field_conditions(value, &tick->u.correction.conditions);
	default:
		return field_venue(key, value, msg, seen);
	}
}

static enum lc_err status_field(
	uint64_t key, const struct lc_value *value, struct lc_alpaca_msg *msg, unsigned *seen)
{
	struct lc_tick *tick = &msg->u.tick;
	struct lc_text code;
	switch (key) {
	case LC_KEY2('s', 'c'):
		if (lc_value_text(value, &code) != LC_OK) {
			return LC_ERR_INVALID;
		}
		*seen |= FIELD_A;
		tick->u.status.action = (uint8_t)lc_alpaca_status_action(code);
		return copy_cut(value, tick->u.status.code, sizeof(tick->u.status.code));
	case LC_KEY2('s', 'm'):
		return copy_cut(value, tick->u.status.text, sizeof(tick->u.status.text));
	case LC_KEY2('r', 'c'):
		return copy_cut(value, tick->u.status.reason, sizeof(tick->u.status.reason));
	case LC_KEY2('r', 'm'):
		return copy_cut(
			value, tick->u.status.reason_text, sizeof(tick->u.status.reason_text));
	case LC_KEY1('z'):
		return copy_cut(value, tick->tape, sizeof(tick->tape));
	default:
		return field_common(key, value, msg, seen);
	}
}

static enum lc_err bar_field(
	uint64_t key, const struct lc_value *value, struct lc_alpaca_msg *msg, unsigned *seen)
{
	struct lc_alpaca_bar *bar = &msg->u.bar;
	switch (key) {
	case LC_KEY1('o'):
		return field_flag(lc_value_decimal(value, &bar->open), FIELD_A, seen);
	case LC_KEY1('h'):
		return field_flag(lc_value_decimal(value, &bar->high), FIELD_B, seen);
	case LC_KEY1('l'):
		return field_flag(lc_value_decimal(value, &bar->low), FIELD_C, seen);
	case LC_KEY1('c'):
		return field_flag(lc_value_decimal(value, &bar->close), FIELD_D, seen);
	case LC_KEY1('v'):
		return field_flag(lc_value_decimal(value, &bar->volume), FIELD_E, seen);
	case LC_KEY1('n'):
		bar->has_trades = true;
		return lc_value_uint(value, &bar->trades);
	case LC_KEY2('v', 'w'):
		bar->has_vwap = true;
		return lc_value_decimal(value, &bar->vwap);
	default:
		return field_common(key, value, msg, seen);
	}
}

static enum lc_err band_field(
	uint64_t key, const struct lc_value *value, struct lc_alpaca_msg *msg, unsigned *seen)
{
	switch (key) {
	case LC_KEY1('u'):
		return field_flag(lc_value_decimal(value, &msg->u.band.up), FIELD_A, seen);
	case LC_KEY1('d'):
		return field_flag(lc_value_decimal(value, &msg->u.band.down), FIELD_B, seen);
	default:
		return field_common(key, value, msg, seen);
	}
}

static enum lc_err imbalance_field(
	uint64_t key, const struct lc_value *value, struct lc_alpaca_msg *msg, unsigned *seen)
{
	if (key == LC_KEY1('p')) {
		return field_flag(lc_value_decimal(value, &msg->u.price), FIELD_A, seen);
	}
	return field_common(key, value, msg, seen);
}

/* One side of a book: each level a price and a size. */
static enum lc_err field_levels(const struct lc_value *value, uint32_t *count)
{
	if (value->type != LC_VALUE_ARRAY) {
		return value->type == LC_VALUE_NULL ? LC_OK : LC_ERR_INVALID;
	}
	const struct lc_value *level;
	lc_value_each (level, value) {
		const struct lc_value *price = lc_value_find(level, "p"),
				      *size = lc_value_find(level, "s");
		struct lc_decimal number;
		if (!price || !size || lc_value_decimal(price, &number) != LC_OK ||
			lc_value_decimal(size, &number) != LC_OK) {
			return LC_ERR_INVALID;
		}
	}
	*count = value->len;
	return LC_OK;
}

static enum lc_err orderbook_field(
	uint64_t key, const struct lc_value *value, struct lc_alpaca_msg *msg, unsigned *seen)
{
	switch (key) {
	case LC_KEY1('b'):
		return field_levels(value, &msg->u.levels.bids);
	case LC_KEY1('a'):
		return field_levels(value, &msg->u.levels.asks);
	case LC_KEY1('r'):
		return lc_value_bool(value, &msg->u.levels.full);
	default:
		return field_common(key, value, msg, seen);
	}
}

static enum lc_err control_field(
	uint64_t key, const struct lc_value *value, struct lc_alpaca_msg *msg, unsigned *seen)
{
	switch (key) {
	case LC_KEY3('m', 's', 'g'):
		return field_flag(lc_value_text(value, &msg->u.control.text), FIELD_A, seen);
	case LC_KEY4('c', 'o', 'd', 'e'):
		return field_flag(lc_value_int(value, &msg->u.control.code), FIELD_B, seen);
	default:
		return LC_OK;
	}
}

/* How each type is read: its fields, and those without which it says nothing. */
struct type_rule {
	enum lc_err (*field)(uint64_t key, const struct lc_value *value, struct lc_alpaca_msg *msg,
		unsigned *seen);
	unsigned needed;
	uint8_t kind; /* of the tick */
};

enum {
	DATA = FIELD_SYMBOL | FIELD_TIME,
	BAR = DATA | FIELD_A | FIELD_B | FIELD_C | FIELD_D | FIELD_E
};

static const struct type_rule rules[LC_ALPACA_TYPES] = {
	[LC_ALPACA_TRADE] = {trade_field, DATA | FIELD_A | FIELD_B, LC_TICK_TRADE},
	[LC_ALPACA_QUOTE] = {quote_field, DATA, LC_TICK_QUOTE},
	[LC_ALPACA_CORRECTION] = {correction_field, DATA | FIELD_A | FIELD_B | FIELD_C | FIELD_D,
		LC_TICK_CORRECTION},
	[LC_ALPACA_CANCEL] = {trade_field, DATA | FIELD_A | FIELD_B | FIELD_C, LC_TICK_CANCEL},
	[LC_ALPACA_STATUS] = {status_field, DATA | FIELD_A, LC_TICK_STATUS},
	[LC_ALPACA_BAR] = {bar_field, BAR, 0},
	[LC_ALPACA_UPDATED_BAR] = {bar_field, BAR, 0},
	[LC_ALPACA_DAILY_BAR] = {bar_field, BAR, 0},
	[LC_ALPACA_LULD] = {band_field, DATA | FIELD_A | FIELD_B, 0},
	[LC_ALPACA_IMBALANCE] = {imbalance_field, DATA | FIELD_A, 0},
	[LC_ALPACA_ORDERBOOK] = {orderbook_field, DATA, 0},
	[LC_ALPACA_SUCCESS] = {control_field, FIELD_A, 0},
	[LC_ALPACA_ERROR] = {control_field, FIELD_B, 0},
	[LC_ALPACA_SUBSCRIPTION] = {control_field, 0, 0},
};

/* One side of a quote: price 0 says that nobody quotes there, and then its size means nothing. */
static void quote_side(struct lc_tick *tick, uint32_t price_bit, uint32_t volume_bit,
	struct lc_decimal price, struct lc_decimal *volume)
{
	if (!(tick->has & price_bit) || lc_decimal_is_zero(price)) {
		tick->has &= ~(price_bit | volume_bit);
	} else if (tick->event_ns < LC_ALPACA_SHARES_SINCE_NS) {
		*volume = lc_decimal_scale(*volume, 2);
	}
}

static uint8_t effect_of(const struct lc_conditions *conditions, struct lc_alpaca_msg *msg,
	struct lc_conditions_seen *seen)
{
	const char *unknown = NULL;
	uint8_t effect = lc_conditions_effect(conditions, msg->u.tick.tape[0], seen, &unknown);
	msg->unknown_condition = unknown ? unknown : msg->unknown_condition;
	return effect;
}

static void finish_tick(struct lc_alpaca_msg *msg, uint8_t kind, struct lc_conditions_seen *seen)
{
	struct lc_tick *tick = &msg->u.tick;
	tick->kind = kind;
	tick->event_ns = msg->time_ns;
	tick->has |= LC_HAS_EVENT_TIME;
	tick->effect = LC_UPDATES_ALL;
	switch (kind) {
	case LC_TICK_TRADE:
		tick->amount = lc_decimal_mul(tick->price, tick->volume);
		tick->has |= LC_HAS_AMOUNT;
		tick->effect = effect_of(&tick->conditions, msg, seen);
		break;
	case LC_TICK_QUOTE:
		quote_side(tick, LC_HAS_BID, LC_HAS_BID_VOLUME, tick->bid, &tick->bid_volume);
		quote_side(tick, LC_HAS_ASK, LC_HAS_ASK_VOLUME, tick->ask, &tick->ask_volume);
		break;
	case LC_TICK_CORRECTION:
		tick->effect = effect_of(&tick->conditions, msg, seen);
		tick->u.correction.effect = effect_of(&tick->u.correction.conditions, msg, seen);
		break;
	default:
		break;
	}
}

static enum lc_err bad(const char **reason, const char *text)
{
	*reason = text;
	return LC_ERR_INVALID;
}

/* needed: the rule's, less what the caller knows already. */
static enum lc_err parse_fields(enum lc_alpaca_type type, const struct lc_value *item,
	unsigned needed, struct lc_alpaca_msg *msg, struct lc_conditions_seen *conditions,
	const char **reason)
{
	const struct type_rule *rule = &rules[type];
	memset(msg, 0, sizeof(*msg));
	msg->type = type;
	unsigned seen = 0;
	const struct lc_value *key, *value;
	lc_value_each_field (key, value, item) {
		if (rule->field(lc_value_key(key), value, msg, &seen) != LC_OK) {
			return bad(reason, "malformed");
		}
	}
	if (needed & FIELD_TIME & ~seen) {
		return bad(reason, "no_time");
	}
	if (needed & ~seen) {
		return bad(reason, "malformed");
	}
	if (lc_alpaca_is_tick(type)) {
		finish_tick(msg, rule->kind, conditions);
	}
	return LC_OK;
}

enum lc_status_action lc_alpaca_status_action(struct lc_text code)
{
	if (code.len != 1) {
		return LC_STATUS_INFO;
	}
	switch (code.data[0]) {
	case '2':
	case 'H':
	case 'P':
		return LC_STATUS_HALT;
	case '3':
	case 'T':
		return LC_STATUS_RESUME;
	default:
		return LC_STATUS_INFO;
	}
}

enum lc_err lc_alpaca_parse(const struct lc_value *item, struct lc_conditions_seen *seen,
	struct lc_alpaca_msg *msg, const char **reason)
{
	const struct lc_value *value = find_type(item);
	if (!value) {
		msg->type = LC_ALPACA_UNKNOWN;
		return bad(reason, "malformed");
	}
	enum lc_alpaca_type type = type_of(value);
	if (type == LC_ALPACA_UNKNOWN) {
		msg->type = type;
		*reason = "unknown_type";
		return LC_ERR_UNSUPPORTED;
	}
	return parse_fields(type, item, rules[type].needed, msg, seen, reason);
}

enum lc_err lc_alpaca_parse_as(enum lc_alpaca_type type, const struct lc_value *item,
	struct lc_conditions_seen *seen, struct lc_alpaca_msg *msg, const char **reason)
{
	if (item->type != LC_VALUE_OBJECT) {
		return bad(reason, "malformed");
	}
	return parse_fields(
		type, item, rules[type].needed & ~(unsigned)FIELD_SYMBOL, msg, seen, reason);
}
