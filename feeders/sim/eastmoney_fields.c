/* EastMoney's two field dictionaries: lists (clist, ulist) and single stocks (stock/get,
 * stock/sse). The numbers mean different things in the two. */
#include "eastmoney_priv.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define PERCENT_DECIMALS 2

static void put_missing(const struct em_query *query, struct lc_buf *out)
{
	lc_buf_puts(out, query->null_missing ? "null" : "\"-\"");
}

/* value is 10^-4; as a scaled integer it has `decimals` of them. */
static void put_scaled(
	const struct em_query *query, int64_t value, int decimals, struct lc_buf *out)
{
	static const int64_t powers[] = {10000, 1000, 100, 10, 1};
	if (query->decimal) {
		sim_put_price(out, value - value % powers[decimals]);
	} else {
		lc_buf_int(out, value / powers[decimals]);
	}
}

static void put_price(const struct em_query *query, const struct sim_symbol *symbol, int64_t price,
	struct lc_buf *out)
{
	if (price == 0) {
		put_missing(query, out);
	} else {
		put_scaled(query, price, symbol->decimals, out);
	}
}

static void put_percent(
	const struct em_query *query, int64_t part, int64_t whole, struct lc_buf *out)
{
	if (whole == 0) {
		put_missing(query, out);
	} else {
		put_scaled(query, part * 1000000 / whole / 100 * 100, PERCENT_DECIMALS, out);
	}
}

/* Volumes of the mainland are in lots of 100 shares, elsewhere in shares. */
static int64_t in_units(const struct sim_symbol *symbol, int64_t shares)
{
	return symbol->market == SIM_CN ? shares / 100 : shares;
}

/* Money comes as a float with at least one decimal. */
static void put_money(const struct sim_symbol *symbol, struct lc_buf *out)
{
	lc_buf_printf(out, "%lld.%lld", (long long)(symbol->value / SIM_PRICE_SCALE),
		(long long)(symbol->value % SIM_PRICE_SCALE / 1000));
}

/* The vendor's code: class shares have an underscore. */
static void put_code(const struct sim_symbol *symbol, struct lc_buf *out)
{
	char code[20];
	snprintf(code, sizeof(code), "%s", symbol->text);
	char *dot = symbol->market == SIM_US ? NULL : strrchr(code, '.');
	if (dot != NULL) {
		*dot = '\0';
	}
	for (char *p = code; *p != '\0'; p++) {
		*p = *p == '.' ? '_' : *p;
	}
	lc_buf_printf(out, "\"%s\"", code);
}

static void put_limit(
	const struct em_query *query, const struct sim_symbol *symbol, int sign, struct lc_buf *out)
{
	if (symbol->market != SIM_CN) {
		put_missing(query, out);
		return;
	}
	put_price(query, symbol, sim_symbol_limit(symbol, sign), out);
}

static int64_t change(const struct sim_symbol *symbol)
{
	return symbol->last - symbol->prev_close;
}

static void put_change(
	const struct em_query *query, const struct sim_symbol *symbol, struct lc_buf *out)
{
	if (symbol->last == 0) {
		put_missing(query, out);
	} else {
		put_scaled(query, change(symbol), symbol->decimals, out);
	}
}

static void put_text(const struct sim_symbol *symbol, struct lc_buf *out)
{
	lc_buf_printf(out, "\"模拟%.*s\"", (int)strcspn(symbol->text, "."), symbol->text);
}

/* Prices of lists: the field, and where it stands in the symbol. */
static const struct {
	unsigned field;
	size_t offset;
} list_prices[] = {
	{2, offsetof(struct sim_symbol, last)},
	{15, offsetof(struct sim_symbol, high)},
	{16, offsetof(struct sim_symbol, low)},
	{17, offsetof(struct sim_symbol, open)},
	{18, offsetof(struct sim_symbol, prev_close)},
	{31, offsetof(struct sim_symbol, bid)},
	{32, offsetof(struct sim_symbol, ask)},
};

static bool put_list_price(const struct em_query *query, const struct sim_symbol *s, unsigned field,
	struct lc_buf *out)
{
	for (size_t i = 0; i < sizeof(list_prices) / sizeof(list_prices[0]); i++) {
		if (list_prices[i].field == field) {
			const char *at = (const char *)s + list_prices[i].offset;
			put_price(query, s, *(const int64_t *)(const void *)at, out);
			return true;
		}
	}
	return false;
}

static void put_list_text(const struct em_query *query, const struct sim_symbol *s, unsigned field,
	struct lc_buf *out)
{
	switch (field) {
	case 3:
		put_percent(query, change(s), s->last == 0 ? 0 : s->prev_close, out);
		break;
	case 4:
		put_change(query, s, out);
		break;
	case 6:
		put_money(s, out);
		break;
	case 7:
		put_percent(query, s->high - s->low, s->prev_close, out);
		break;
	case 12:
		put_code(s, out);
		break;
	case 14:
		put_text(s, out);
		break;
	default:
		put_missing(query, out);
		break;
	}
}

static void put_list_field(const struct em_query *query, const struct sim_symbol *s, unsigned field,
	struct lc_buf *out)
{
	const struct {
		unsigned field;
		int64_t value;
	} numbers[] = {{1, s->decimals}, {5, in_units(s, s->volume)}, {13, s->vendor_board},
		{30, in_units(s, s->last_size)}, {107, 2}, {292, 2},
		{124, s->time_ns / LC_NS_PER_S}, {152, PERCENT_DECIMALS}};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (numbers[i].field == field) {
			lc_buf_int(out, numbers[i].value);
			return;
		}
	}
	if (!put_list_price(query, s, field, out)) {
		put_list_text(query, s, field, out);
	}
}

/* f11 … f20: bids 5 … 1 as price, size; f31 … f40: asks 5 … 1. */
static void put_ladder(const struct em_query *query, const struct sim_symbol *s, unsigned field,
	struct lc_buf *out)
{
	bool bid = field <= 20;
	unsigned at = field - (bid ? 11 : 31);
	unsigned level = 4 - at / 2;
	int64_t price = bid ? s->bid[level] : s->ask[level];
	int64_t size = bid ? s->bid_size[level] : s->ask_size[level];
	if (price == 0) {
		put_missing(query, out);
	} else if (at % 2 == 0) {
		put_price(query, s, price, out);
	} else {
		lc_buf_int(out, in_units(s, size));
	}
}

static unsigned as_list_field(unsigned field)
{
	static const struct {
		unsigned single, list;
	} same[] = {{43, 2}, {44, 15}, {45, 16}, {46, 17}, {47, 5}, {48, 6}, {57, 12}, {58, 14},
		{59, 1}, {60, 18}, {86, 124}, {107, 13}, {152, 152}, {169, 4}, {170, 3}, {171, 7},
		{292, 292}};
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		if (same[i].single == field) {
			return same[i].list;
		}
	}
	return 0;
}

static void put_single_field(const struct em_query *query, const struct sim_symbol *s,
	unsigned field, struct lc_buf *out)
{
	unsigned list = as_list_field(field);
	if (list != 0) {
		put_list_field(query, s, list, out);
	} else if ((field >= 11 && field <= 20) || (field >= 31 && field <= 40)) {
		put_ladder(query, s, field, out);
	} else if (field == 51 || field == 52) {
		put_limit(query, s, field == 51 ? 1 : -1, out);
	} else if (field == 71 && s->volume > 0) {
		put_price(query, s, s->value / s->volume, out);
	} else if (field == 124) {
		lc_buf_puts(out, "0.0"); /* a list's field, asked of a stock */
	} else {
		put_missing(query, out);
	}
}

void em_put_value(const struct em_query *query, const struct sim_symbol *symbol, unsigned field,
	struct lc_buf *out)
{
	if (query->single) {
		put_single_field(query, symbol, field, out);
	} else {
		put_list_field(query, symbol, field, out);
	}
}

static uint32_t hash(const char *data, size_t len)
{
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < len; i++) {
		h = (h ^ (unsigned char)data[i]) * 16777619u;
	}
	return h | (h == 0);
}

size_t em_put_row(const struct em_query *query, const struct sim_symbol *symbol, uint32_t *known,
	struct lc_buf *out)
{
	size_t put = 0;
	lc_buf_putc(out, '{');
	for (size_t i = 0; i < query->field_count; i++) {
		size_t before = out->len;
		lc_buf_printf(out, "%s\"f%u\":", put == 0 ? "" : ",", query->fields[i]);
		size_t value_at = out->len;
		em_put_value(query, symbol, query->fields[i], out);
		uint32_t now = out->failed ? 1 : hash(out->data + value_at, out->len - value_at);
		if (known != NULL && known[i] == now) {
			out->len = before;
			continue;
		}
		if (known != NULL) {
			known[i] = now;
		}
		put++;
	}
	lc_buf_putc(out, '}');
	return put;
}

static void add_field(struct em_query *query, unsigned field)
{
	if (query->field_count < EM_MOST_FIELDS) {
		query->fields[query->field_count++] = (uint16_t)field;
	}
}

/* f530, f531 and f532 ask for the ladder. */
static void read_fields(struct em_query *query, const char *text)
{
	bool ladder = false;
	for (const char *p = text; *p == 'f';) {
		unsigned field = (unsigned)strtoul(p + 1, NULL, 10);
		if (query->single && field >= 530 && field <= 532) {
			ladder = true;
		} else if (field > 0 && field < 1000) {
			add_field(query, field);
		}
		p += strcspn(p, ",");
		p += *p == ',';
	}
	for (unsigned field = 11; ladder && field <= 40; field++) {
		if (field <= 20 || field >= 31) {
			add_field(query, field);
		}
	}
}

/* Codes that the mainland's two prefixes can have. */
static const char *mainland_suffix(int board, const char *code)
{
	if (strlen(code) != 6 || strspn(code, "0123456789") != 6) {
		return NULL;
	}
	if (board == 1) {
		return strchr("569", code[0]) != NULL || strncmp(code, "000", 3) == 0 ||
				       strncmp(code, "11", 2) == 0
			       ? ".SH"
			       : NULL;
	}
	bool beijing = strncmp(code, "92", 2) == 0 || strchr("48", code[0]) != NULL;
	return beijing ? ".BJ" : strchr("0123", code[0]) != NULL ? ".SZ" : NULL;
}

struct sim_symbol *em_symbol(struct sim *sim, const char *secid, size_t len)
{
	char text[24], name[32];
	if (len < 3 || len >= sizeof(text)) {
		return NULL;
	}
	memcpy(text, secid, len);
	text[len] = '\0';
	char *code = strchr(text, '.');
	int board = atoi(text);
	if (code == NULL || code[1] == '\0') {
		return NULL;
	}
	code++;
	if (board == 0 || board == 1) {
		const char *suffix = mainland_suffix(board, code);
		snprintf(name, sizeof(name), "%s%s", code, suffix != NULL ? suffix : "");
		code = suffix != NULL ? code : text + len;
	} else if (board == 116) {
		snprintf(name, sizeof(name), "%s.HK", code);
		code = strlen(code) == 5 && strspn(code, "0123456789") == 5 ? code : text + len;
	} else {
		for (char *p = code; *p != '\0'; p++) {
			*p = *p == '_' ? '.' : *p;
		}
		snprintf(name, sizeof(name), "%s", code);
		code = isupper((unsigned char)*code) ? code : text + len;
	}
	if (*code == '\0' || sim_in_list(sim->options.reject, name)) {
		return NULL;
	}
	struct sim_symbol *symbol = sim_walk_symbol(sim->walk, name);
	return symbol != NULL && symbol->vendor_board == board ? symbol : NULL;
}

bool em_query_read(
	struct sim *sim, const struct lc_exchange *exchange, bool single, struct em_query *out)
{
	const char *secids = lc_exchange_query(exchange, single ? "secid" : "secids");
	const char *fields = lc_exchange_query(exchange, "fields");
	const char *fltt = lc_exchange_query(exchange, "fltt");
	const char *invt = lc_exchange_query(exchange, "invt");
	memset(out, 0, sizeof(*out));
	out->single = single;
	out->decimal = fltt != NULL && strcmp(fltt, "2") == 0;
	out->null_missing = invt != NULL && strcmp(invt, "3") == 0;
	if (secids == NULL || *secids == '\0') {
		return false;
	}
	read_fields(out, fields != NULL ? fields : "");
	for (const char *p = secids; *p != '\0' && out->row_count < (single ? 1 : EM_MOST_ROWS);) {
		size_t len = strcspn(p, ",");
		struct sim_symbol *symbol = em_symbol(sim, p, len);
		if (symbol != NULL) {
			out->rows[out->row_count++] = symbol;
		}
		p += len + (p[len] == ',');
	}
	return true;
}
