#include "store/clickhouse_text.h"

#include "store/bar_row.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS                                                                                \
	"symbol, period, start_ns, end_ns, revision, final, complete, has, tick_count, open, " \
	"high, low, close, volume, amount, turnover, change, change_pct, gap_volume"

/* ClickHouse's error codes. */
enum {
	NO_SUCH_COLUMN = 16,
	UNKNOWN_IDENTIFIER = 47,
	UNKNOWN_TABLE = 60,
	UNKNOWN_DATABASE = 81,
	UNKNOWN_USER = 192,
	WRONG_PASSWORD = 193,
	REQUIRED_PASSWORD = 194,
	ACCESS_DENIED = 497,
	AUTHENTICATION_FAILED = 516,
};

/* --- SQL --- */

enum lc_err clickhouse_version_parse(const char *text, size_t len, struct clickhouse_version *out)
{
	char copy[64];
	if (len == 0 || len >= sizeof copy) {
		return LC_ERR_INVALID;
	}
	memcpy(copy, text, len);
	copy[len] = '\0';
	return sscanf(copy, "%4d.%4d", &out->major, &out->minor) == 2 ? LC_OK : LC_ERR_INVALID;
}

void clickhouse_create_schema(struct lc_buf *out, const char *database)
{
	lc_buf_printf(out,
		"CREATE TABLE IF NOT EXISTS %s.livecore_schema (component String, version UInt32)"
		" ENGINE = ReplacingMergeTree(version) ORDER BY component",
		database);
}

/* Sums are Decimal128: a market's day is worth more than the 10^10 that 64 bits leave before 8
 * digits. A year and period is a partition: a batch of history touches few of them. Small granules:
 * a range of one symbol is some hundred rows. */
void clickhouse_create_bars(struct lc_buf *out, const char *database)
{
	lc_buf_printf(out,
		"CREATE TABLE IF NOT EXISTS %s.bars (symbol String,"
		" period Enum8('1m' = 0, '5m' = 1, '15m' = 2, '30m' = 3, '60m' = 4, '1d' = 5),"
		" start_ns Int64, end_ns Int64, revision UInt32, final UInt8, complete UInt8,"
		" has UInt8, tick_count UInt32, open Decimal64(8), high Decimal64(8),"
		" low Decimal64(8), close Decimal64(8), volume Decimal128(8), amount Decimal128(8),"
		" turnover Decimal64(8), change Decimal64(8), change_pct Decimal64(8),"
		" gap_volume Decimal128(8), rank UInt64,"
		" start DateTime('UTC') ALIAS toDateTime(intDiv(start_ns, 1000000000), 'UTC'))"
		" ENGINE = ReplacingMergeTree(rank) PARTITION BY"
		" (period, toYear(toDateTime(intDiv(start_ns, 1000000000), 'UTC')))"
		" ORDER BY (symbol, period, start_ns) SETTINGS index_granularity = 256",
		database);
}

void clickhouse_check_bars(struct lc_buf *out, const char *database)
{
	lc_buf_printf(out, "SELECT " COLUMNS ", rank FROM %s.bars LIMIT 0", database);
}

void clickhouse_insert_bars(struct lc_buf *out, const char *database)
{
	lc_buf_printf(out, "INSERT INTO %s.bars (" COLUMNS ", rank) FORMAT RowBinary", database);
}

static void put_literal(struct lc_buf *out, const char *text)
{
	lc_buf_putc(out, '\'');
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\') {
			lc_buf_putc(out, '\\');
		}
		lc_buf_putc(out, *text);
	}
	lc_buf_putc(out, '\'');
}

/* -9223372036854775808 is read as minus a number that does not fit. */
static int64_t bound(int64_t ns)
{
	return ns == INT64_MIN ? INT64_MIN + 1 : ns;
}

/* One bar has one partition: they need not be merged with each other. */
static void put_settings(struct lc_buf *out, struct clickhouse_version version)
{
	if (version.major >= 21) {
		lc_buf_puts(out, " SETTINGS do_not_merge_across_partitions_select_final = 1");
	}
}

/* Trading days are at least two of three, but for the mainland's longest holidays. */
int64_t clickhouse_first_from(const struct lc_bar_query *query, int64_t now_ns)
{
	enum { DAY_MINUTES = 240, HOLIDAYS = 14, DAYS_MAX = 36500 };
	static const int minutes[LC_PERIODS] = {1, 5, 15, 30, 60, DAY_MINUTES};
	size_t days = query->limit / (size_t)(DAY_MINUTES / minutes[query->period]) + 1;
	int64_t until_ns = query->to_ns < now_ns ? query->to_ns : now_ns;
	if (days > DAYS_MAX || until_ns <= 0) {
		return query->from_ns;
	}
	int64_t first_ns = until_ns - ((int64_t)days * 3 / 2 + HOLIDAYS) * 86400 * LC_NS_PER_S;
	return first_ns > query->from_ns ? first_ns : query->from_ns;
}

/* PREWHERE names columns of the key alone: all versions of a bar pass it, or none. 18.16 does not
 * move them there by itself, and reads 60 bars in 40 ms then, instead of 5. */
void clickhouse_select_range(struct lc_buf *out, const char *database,
	struct clickhouse_version version, const struct lc_bar_query *query)
{
	lc_buf_printf(out, "SELECT " COLUMNS " FROM %s.bars FINAL PREWHERE symbol = ", database);
	put_literal(out, query->symbol);
	lc_buf_printf(out,
		" AND period = '%s' AND start_ns >= %" PRId64 " AND start_ns < %" PRId64
		" ORDER BY start_ns DESC LIMIT %zu",
		lc_period_name(query->period), bound(query->from_ns), bound(query->to_ns),
		query->limit);
	put_settings(out, version);
	lc_buf_puts(out, " FORMAT RowBinary");
}

void clickhouse_select_latest(struct lc_buf *out, const char *database,
	struct clickhouse_version version, const char (*symbols)[LC_SYMBOL_MAX], size_t count,
	int64_t from_ns, int64_t at_ns)
{
	lc_buf_printf(out, "SELECT " COLUMNS " FROM %s.bars FINAL PREWHERE symbol IN (", database);
	for (size_t i = 0; i < count; i++) {
		if (i > 0) {
			lc_buf_putc(out, ',');
		}
		put_literal(out, symbols[i]);
	}
	lc_buf_printf(out,
		") AND period = '1d' AND start_ns >= %" PRId64 " AND start_ns <= %" PRId64
		" ORDER BY symbol, start_ns DESC LIMIT 1 BY symbol",
		bound(from_ns), bound(at_ns));
	put_settings(out, version);
	lc_buf_puts(out, " FORMAT RowBinary");
}

void clickhouse_put_url(struct lc_buf *out, const char *text, size_t len)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	for (size_t i = 0; i < len; i++) {
		if (text[i] && strchr(plain, text[i])) {
			lc_buf_putc(out, text[i]);
		} else {
			lc_buf_printf(out, "%%%02X", (unsigned char)text[i]);
		}
	}
}

/* --- RowBinary --- */

static void put_number(struct lc_buf *out, unsigned __int128 value, int bytes)
{
	char *at = lc_buf_reserve(out, 16);
	if (at) {
		for (int i = 0; i < bytes; i++) {
			at[i] = (char)(uint8_t)(value >> (8 * i));
		}
		out->len += (size_t)bytes;
	}
}

static void put_decimal(struct lc_buf *out, struct lc_decimal value, int bytes)
{
	__int128 scaled = 0;
	bar_scaled(value, BAR_SCALE, 28, &scaled); /* in range: bar_row_check() */
	put_number(out, (unsigned __int128)scaled, bytes);
}

void clickhouse_put_row(struct lc_buf *out, const struct lc_bar_row *row)
{
	const struct lc_bar *bar = &row->bar;
	size_t len = strnlen(row->symbol, LC_SYMBOL_MAX - 1);
	put_number(out, len, 1);
	lc_buf_append(out, row->symbol, len);
	put_number(out, bar->period, 1);
	put_number(out, (uint64_t)bar->start_ns, 8);
	put_number(out, (uint64_t)bar->end_ns, 8);
	put_number(out, bar->revision, 4);
	put_number(out, bar->final, 1);
	put_number(out, bar->complete, 1);
	put_number(out, bar->has, 1);
	put_number(out, bar->tick_count, 4);
	put_decimal(out, bar->open, 8);
	put_decimal(out, bar->high, 8);
	put_decimal(out, bar->low, 8);
	put_decimal(out, bar->close, 8);
	put_decimal(out, bar->volume, 16);
	put_decimal(out, bar->amount, 16);
	put_decimal(out, bar->turnover, 8);
	put_decimal(out, bar->change, 8);
	put_decimal(out, bar->change_pct, 8);
	put_decimal(out, bar->gap_volume, 16);
	put_number(out, bar_row_rank(bar), 8);
}

static unsigned __int128 get_number(const uint8_t **at, int bytes)
{
	unsigned __int128 value = 0;
	for (int i = 0; i < bytes; i++) {
		value |= (unsigned __int128)*(*at)++ << (8 * i);
	}
	return value;
}

static enum lc_err get_decimal(const uint8_t **at, int bytes, struct lc_decimal *out)
{
	unsigned __int128 raw = get_number(at, bytes);
	__int128 value = bytes == 8 ? (__int128)(int64_t)(uint64_t)raw : (__int128)raw;
	return bar_unscaled(value, BAR_SCALE, out);
}

#define AFTER_SYMBOL (1 + 8 + 8 + 4 + 1 + 1 + 1 + 4 + 7 * 8 + 3 * 16)

enum lc_err clickhouse_get_row(const uint8_t **data, size_t *len, struct lc_bar_row *out)
{
	struct lc_bar *bar = &out->bar;
	const uint8_t *at = *data;
	if (*len == 0) {
		return LC_ERR_END;
	}
	size_t symbol_len = *at++;
	*out = (struct lc_bar_row){.bar.symbol = LC_SYMBOL_NONE};
	if (symbol_len >= LC_SYMBOL_MAX || *len < 1 + symbol_len + AFTER_SYMBOL) {
		return LC_ERR_INVALID;
	}
	memcpy(out->symbol, at, symbol_len);
	at += symbol_len;
	bar->period = (uint8_t)get_number(&at, 1);
	bar->start_ns = (int64_t)get_number(&at, 8);
	bar->end_ns = (int64_t)get_number(&at, 8);
	bar->revision = (uint32_t)get_number(&at, 4);
	bar->final = get_number(&at, 1) != 0;
	bar->complete = get_number(&at, 1) != 0;
	bar->has = (uint8_t)get_number(&at, 1);
	bar->tick_count = (uint32_t)get_number(&at, 4);
	const struct {
		struct lc_decimal *to;
		int bytes;
	} decimals[] = {{&bar->open, 8}, {&bar->high, 8}, {&bar->low, 8}, {&bar->close, 8},
		{&bar->volume, 16}, {&bar->amount, 16}, {&bar->turnover, 8}, {&bar->change, 8},
		{&bar->change_pct, 8}, {&bar->gap_volume, 16}};
	for (size_t i = 0; i < sizeof decimals / sizeof *decimals; i++) {
		if (get_decimal(&at, decimals[i].bytes, decimals[i].to) != LC_OK) {
			return LC_ERR_INVALID;
		}
	}
	*len -= (size_t)(at - *data);
	*data = at;
	return bar_row_check(out) == LC_OK ? LC_OK : LC_ERR_INVALID;
}

/* --- errors --- */

/* "Code: 81, e.displayText() = …" of 18.16, "Code: 81. DB::Exception: …" of today. */
static int code_of(const char *text)
{
	const char *at = strstr(text, "Code: ");
	return at ? atoi(at + 6) : 0;
}

enum lc_err clickhouse_explain(int status, const char *text, size_t len,
	const struct lc_store_config *config, struct lc_error *err)
{
	char line[160];
	size_t cut = len < sizeof line - 1 ? len : sizeof line - 1;
	memcpy(line, text, cut);
	line[cut] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	switch (code_of(line)) {
	case UNKNOWN_TABLE:
	case UNKNOWN_DATABASE:
		return lc_error_set(err, LC_ERR_NOT_FOUND,
			"ClickHouse has no tables in database %s yet: livecore store init, or "
			"livecore run, makes them",
			config->clickhouse_database);
	case NO_SUCH_COLUMN:
	case UNKNOWN_IDENTIFIER:
		return lc_error_set(err, LC_ERR_UNSUPPORTED,
			"database %s has a table bars that livecore did not make: name another "
			"store.clickhouse_database",
			config->clickhouse_database);
	case UNKNOWN_USER:
	case WRONG_PASSWORD:
	case REQUIRED_PASSWORD:
	case AUTHENTICATION_FAILED:
		return lc_error_set(err, LC_ERR_AUTH,
			"ClickHouse refuses user %.60s: check store.clickhouse_user and the "
			"password",
			config->clickhouse_user);
	case ACCESS_DENIED:
		return lc_error_set(err, LC_ERR_AUTH,
			"ClickHouse: user %.60s lacks a right: %.140s", config->clickhouse_user,
			line);
	default:
		if (status == 401 || status == 403) {
			return lc_error_set(err, LC_ERR_AUTH,
				"ClickHouse answers %d: check store.clickhouse_user and the "
				"password",
				status);
		}
		return lc_error_set(err, LC_ERR_IO, "ClickHouse answers %d: %.200s", status, line);
	}
}
