#include "tencent_wire.h"

#include <stdlib.h>
#include <string.h>

#define MAX_FIELDS 64 /* what follows is passed over */
#define MAX_KEY 24    /* longer is no name of ours */
#define MAX_BAD 100   /* pieces of one answer that are told: more is no answer at all */
#define LOT_POWER 2   /* China's volumes are in lots of 100 shares */
#define WAN_POWER 4   /* … and amounts in 10,000 CNY */

/* Positions of fields. */
enum {
	NAME = 1,
	CODE = 2,
	LAST = 3,
	PREV_CLOSE = 4,
	OPEN = 5,
	VOLUME = 6,
	BID = 9,
	BID_VOLUME = 10,
	ASK = 19,
	ASK_VOLUME = 20,
	TIME = 30,
	HIGH = 33,
	LOW = 34,
	TRIPLE = 35, /* last/volume/amount, the amount to the unit; China only */
	AMOUNT = 37,
	LIMIT_UP = 47,
	LIMIT_DOWN = 48,
};

struct field {
	const char *text;
	size_t len;
};

struct row {
	struct lc_symbol symbol;
	bool delayed;
	struct field field[MAX_FIELDS];
	size_t count;
};

/* --- names --- */

static const struct prefix {
	const char *text, *suffix;
	size_t digits; /* 0: US, any code */
	enum lc_venue venue;
	bool delayed;
} prefixes[] = {
	{"sh", ".SH", 6, LC_VENUE_SH, false},
	{"sz", ".SZ", 6, LC_VENUE_SZ, false},
	{"bj", ".BJ", 6, LC_VENUE_BJ, false},
	{"r_hk", ".HK", 5, LC_VENUE_HK, false},
	{"hk", ".HK", 5, LC_VENUE_HK, true},
	{"us", "", 0, LC_VENUE_US, false},
};

#define PREFIXES (sizeof(prefixes) / sizeof(prefixes[0]))

void lc_tencent_code(const struct lc_symbol *symbol, bool delayed_hk, struct lc_buf *out)
{
	for (size_t i = 0; i < PREFIXES; i++) {
		const struct prefix *prefix = &prefixes[i];
		bool series = symbol->venue != LC_VENUE_HK || prefix->delayed == delayed_hk;
		if (prefix->venue == (enum lc_venue)symbol->venue && series) {
			lc_buf_puts(out, prefix->text);
			lc_buf_append(out, symbol->text, symbol->len - strlen(prefix->suffix));
			return;
		}
	}
}

static bool take_symbol(const char *key, size_t len, struct row *row)
{
	for (size_t i = 0; i < PREFIXES; i++) {
		const struct prefix *prefix = &prefixes[i];
		char text[MAX_KEY + 4];
		size_t start = strlen(prefix->text), n = len - start;
		if (len <= start || memcmp(key, prefix->text, start) != 0) {
			continue;
		}
		if (prefix->digits > 0 &&
			(n != prefix->digits || !lc_symbol_is_digits(key + start, n))) {
			return false;
		}
		memcpy(text, key + start, n);
		memcpy(text + n, prefix->suffix, strlen(prefix->suffix));
		row->delayed = prefix->delayed;
		return lc_symbol_parse(text, n + strlen(prefix->suffix), &row->symbol) == LC_OK &&
		       row->symbol.venue == prefix->venue;
	}
	return false;
}

/* --- rows --- */

static void add_field(struct row *row, const char *text, const char *end)
{
	if (row->count < MAX_FIELDS) {
		row->field[row->count++] = (struct field){text, (size_t)(end - text)};
	}
}

/* Where the code's field begins. A name in GBK can hold a byte that looks like a tilde, so the name
 * is passed over by what must follow it. NULL: the row is another instrument's. */
static const char *find_code(const struct row *row, const char *from, const char *end)
{
	size_t bare = row->symbol.market == LC_MARKET_US ? row->symbol.len : row->symbol.len - 3u;
	while (from < end) {
		const char *at = memchr(from, '~', (size_t)(end - from));
		if (!at || (size_t)(end - at) < bare + 2) {
			return NULL;
		}
		/* A US code goes on with the exchange's letters: AAPL.OQ. */
		char after = at[1 + bare];
		if (memcmp(at + 1, row->symbol.text, bare) == 0 &&
			(after == '~' || (row->symbol.market == LC_MARKET_US && after == '.'))) {
			return at + 1;
		}
		from = at + 1;
	}
	return NULL;
}

static const char *split(struct row *row, const char *text, const char *end)
{
	row->count = 0;
	const char *tilde = memchr(text, '~', (size_t)(end - text));
	const char *code = tilde ? find_code(row, tilde + 1, end) : NULL;
	if (!code) {
		size_t tildes = 0;
		for (const char *c = text; c < end; c++) {
			tildes += *c == '~';
		}
		return tildes + 1 < LC_TENCENT_MIN_FIELDS ? "truncated" : "malformed";
	}
	add_field(row, text, tilde);
	add_field(row, tilde + 1, code - 1);
	for (const char *at = code; at;) {
		const char *next = memchr(at, '~', (size_t)(end - at));
		add_field(row, at, next ? next : end);
		at = next ? next + 1 : NULL;
	}
	return row->count < LC_TENCENT_MIN_FIELDS ? "truncated" : NULL;
}

static bool number(const struct row *row, size_t at, struct lc_decimal *out)
{
	return at < row->count &&
	       lc_decimal_parse(row->field[at].text, row->field[at].len, out) == LC_OK;
}

/* Missing is empty, or zero, or (a limit that there is none of) -1. */
static void take_price(const struct row *row, size_t at, uint32_t bit, struct lc_decimal *out,
	struct lc_tick *tick)
{
	struct lc_decimal value;
	if (number(row, at, &value) && value.mantissa > 0) {
		*out = value;
		tick->has |= bit;
	}
}

static void take_prices(const struct row *row, struct lc_tick *tick)
{
	take_price(row, LAST, LC_HAS_PRICE, &tick->price, tick);
	take_price(row, PREV_CLOSE, LC_HAS_PREV_CLOSE, &tick->prev_close, tick);
	take_price(row, OPEN, LC_HAS_OPEN, &tick->open, tick);
	take_price(row, HIGH, LC_HAS_HIGH, &tick->high, tick);
	take_price(row, LOW, LC_HAS_LOW, &tick->low, tick);
	if (row->symbol.market == LC_MARKET_CN) {
		take_price(row, LIMIT_UP, LC_HAS_LIMIT_UP, &tick->limit_up, tick);
		take_price(row, LIMIT_DOWN, LC_HAS_LIMIT_DOWN, &tick->limit_down, tick);
	}
}

static struct lc_decimal shares(const struct row *row, struct lc_decimal volume)
{
	return row->symbol.market == LC_MARKET_CN ? lc_decimal_scale(volume, LOT_POWER) : volume;
}

/* The best level of the ladder, which is served for China only: elsewhere its places repeat the
 * last price. A side that nobody stands on has no price or no size. */
static void take_book(const struct row *row, struct lc_tick *tick)
{
	struct lc_decimal price, volume;
	if (row->symbol.market != LC_MARKET_CN) {
		return;
	}
	if (number(row, BID, &price) && number(row, BID_VOLUME, &volume) && price.mantissa > 0 &&
		volume.mantissa > 0) {
		tick->bid = price;
		tick->bid_volume = shares(row, volume);
		tick->has |= LC_HAS_BID | LC_HAS_BID_VOLUME;
	}
	if (number(row, ASK, &price) && number(row, ASK_VOLUME, &volume) && price.mantissa > 0 &&
		volume.mantissa > 0) {
		tick->ask = price;
		tick->ask_volume = shares(row, volume);
		tick->has |= LC_HAS_ASK | LC_HAS_ASK_VOLUME;
	}
}

/* The amount to the unit out of last/volume/amount, when that is of the moment of the row. */
static bool exact_amount(const struct row *row, struct lc_decimal *out)
{
	const struct field *triple = &row->field[TRIPLE];
	const struct field *volume = &row->field[VOLUME];
	const char *end = triple->text + triple->len;
	const char *first = memchr(triple->text, '/', triple->len);
	const char *second = first ? memchr(first + 1, '/', (size_t)(end - first - 1)) : NULL;
	return second && (size_t)(second - first - 1) == volume->len &&
	       memcmp(first + 1, volume->text, volume->len) == 0 &&
	       lc_decimal_parse(second + 1, (size_t)(end - second - 1), out) == LC_OK;
}

/* The unit of US amounts is not documented: what is not money is left out, never guessed at. */
static bool is_money(const struct lc_tick *tick)
{
	double value = lc_decimal_to_double(tick->volume) * lc_decimal_to_double(tick->price);
	double amount = lc_decimal_to_double(tick->amount);
	return amount >= value / 2 && amount <= value * 2;
}

static void take_totals(const struct row *row, struct lc_tick *tick)
{
	struct lc_decimal value;
	if (number(row, VOLUME, &value)) {
		tick->volume = shares(row, value);
		tick->has |= LC_HAS_VOLUME;
	}
	bool china = row->symbol.market == LC_MARKET_CN;
	if (china && exact_amount(row, &value)) {
		tick->amount = value;
	} else if (number(row, AMOUNT, &value)) {
		tick->amount = china ? lc_decimal_scale(value, WAN_POWER) : value;
	} else {
		return;
	}
	if (row->symbol.market != LC_MARKET_US || is_money(tick)) {
		tick->has |= LC_HAS_AMOUNT;
	}
}

/* The 14 digits of a text in the form given, where d stands for one. */
static bool read_digits(const struct field *field, const char *form, unsigned digits[14])
{
	size_t n = 0;
	if (strlen(form) != field->len) {
		return false;
	}
	for (size_t i = 0; i < field->len; i++) {
		char c = field->text[i];
		if (form[i] != 'd' && c != form[i]) {
			return false;
		}
		if (form[i] == 'd') {
			if (c < '0' || c > '9') {
				return false;
			}
			digits[n++] = (unsigned)(c - '0');
		}
	}
	return true;
}

/* China's, Hong Kong's and the US' form of time, in the market's zone. */
static void take_time(const struct row *row, const struct lc_zone *zone, struct lc_tick *tick)
{
	static const char *const forms[] = {
		"dddddddddddddd", "dddd/dd/dd dd:dd:dd", "dddd-dd-dd dd:dd:dd"};
	unsigned d[14];
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (!read_digits(&row->field[TIME], forms[i], d)) {
			continue;
		}
		const struct lc_civil civil = {
			.year = (int32_t)(d[0] * 1000 + d[1] * 100 + d[2] * 10 + d[3]),
			.month = (uint8_t)(d[4] * 10 + d[5]),
			.day = (uint8_t)(d[6] * 10 + d[7]),
			.hour = (uint8_t)(d[8] * 10 + d[9]),
			.minute = (uint8_t)(d[10] * 10 + d[11]),
			.second = (uint8_t)(d[12] * 10 + d[13]),
		};
		if (lc_civil_to_ns(zone, &civil, &tick->event_ns, NULL) == LC_OK) {
			tick->has |= LC_HAS_EVENT_TIME;
		}
		return;
	}
}

static void read_row(const struct lc_tencent_reader *reader, const struct row *row)
{
	struct lc_tick tick = {.kind = LC_TICK_SNAPSHOT, .effect = LC_UPDATES_ALL};
	tick.full_snapshot = !lc_symbol_is_index(&row->symbol);
	tick.delayed = row->delayed;
	take_prices(row, &tick);
	take_book(row, &tick);
	take_totals(row, &tick);
	take_time(row, reader->zones[row->symbol.market], &tick);
	bool says = tick.has & (LC_HAS_PRICE | LC_HAS_BID | LC_HAS_ASK);
	reader->row(reader->arg, row->symbol.text, row->symbol.len, says ? &tick : NULL);
}

/* --- answers --- */

struct cursor {
	const struct lc_tencent_reader *reader;
	const char *at, *end;
	size_t assignments, bad;
};

static void tell_bad(struct cursor *c, const char *reason, const char *text, size_t len)
{
	c->bad++;
	c->reader->bad(c->reader->arg, reason, text, len);
}

static bool in_key(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.';
}

/* The rest of the line is no assignment, or its end is missing. */
static void pass_line(struct cursor *c, const char *start, bool cut)
{
	const char *line = memchr(c->at, '\n', (size_t)(c->end - c->at));
	c->at = line ? line + 1 : c->end;
	tell_bad(c, cut ? "truncated" : "malformed", start, (size_t)(c->at - start));
}

/* KEY="VALUE" behind v_. */
static void read_assignment(struct cursor *c, const char *start)
{
	static const char none[] = "pv_none_match";
	struct row row;
	const char *key = c->at;
	size_t key_len = 0, left = (size_t)(c->end - c->at);
	while (key_len < left && key_len < MAX_KEY && in_key(key[key_len])) {
		key_len++;
	}
	if (left < key_len + 2 || key[key_len] != '=' || key[key_len + 1] != '"') {
		bool cut = left == key_len || (left == key_len + 1 && key[key_len] == '=');
		pass_line(c, start, cut);
		return;
	}
	const char *value = key + key_len + 2;
	const char *quote = memchr(value, '"', (size_t)(c->end - value));
	c->assignments++;
	c->at = quote ? quote + 1 : c->end;
	if (!quote) {
		tell_bad(c, "truncated", start, (size_t)(c->end - start));
		return;
	}
	if (quote == value || (key_len == sizeof(none) - 1 && memcmp(key, none, key_len) == 0)) {
		return;
	}
	if (!take_symbol(key, key_len, &row)) {
		tell_bad(c, "unknown_symbol", start, (size_t)(c->at - start));
		return;
	}
	const char *wrong = split(&row, value, quote);
	if (wrong) {
		tell_bad(c, wrong, start, (size_t)(c->at - start));
		return;
	}
	read_row(c->reader, &row);
}

enum lc_err lc_tencent_parse(
	const struct lc_tencent_reader *reader, const char *data, size_t len, struct lc_error *err)
{
	struct cursor c = {.reader = reader, .at = data, .end = data + len};
	while (c.at < c.end && c.bad < MAX_BAD) {
		const char *start = c.at;
		if (strchr(" ;\r\n\t", *c.at) && *c.at) {
			c.at++;
		} else if (c.end - c.at >= 2 && memcmp(c.at, "v_", 2) == 0) {
			c.at += 2;
			read_assignment(&c, start);
		} else if (c.assignments == 0) {
			break; /* a page, or another program's answer */
		} else {
			pass_line(&c, start, false);
		}
	}
	if (c.assignments == 0 || c.bad >= MAX_BAD) {
		return lc_error_set(err, LC_ERR_PROTOCOL, "no Tencent answer: rows are missing");
	}
	return LC_OK;
}
