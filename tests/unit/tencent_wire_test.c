#include "tencent_wire.h"
#include "tick_text.h"

static struct lc_zone *zones[LC_MARKETS];

static void open_zones(void)
{
	struct lc_error err = {0};
	cr_assert_eq(lc_zone_load("Asia/Shanghai", &zones[LC_MARKET_CN], &err), LC_OK);
	cr_assert_eq(lc_zone_load("Asia/Hong_Kong", &zones[LC_MARKET_HK], &err), LC_OK);
	cr_assert_eq(lc_zone_load("America/New_York", &zones[LC_MARKET_US], &err), LC_OK);
}

static void close_zones(void)
{
	for (size_t i = 0; i < LC_MARKETS; i++) {
		lc_zone_destroy(zones[i]);
	}
}

TestSuite(tencent_wire, .init = open_zones, .fini = close_zones);

/* What an answer says: "600000.SH p=…;" for each row, "!reason;" for what cannot be read. */
struct said {
	struct lc_buf out;
	size_t rows, bad;
	enum lc_err code;
	struct lc_tick tick; /* the last */
};

static void on_row(void *arg, const char *symbol, size_t len, const struct lc_tick *tick)
{
	struct said *said = arg;
	said->rows++;
	lc_buf_append(&said->out, symbol, len);
	if (tick) {
		cr_assert(tick->kind == LC_TICK_SNAPSHOT && tick->effect == LC_UPDATES_ALL);
		put_tick(&said->out, tick);
		lc_buf_puts(&said->out, tick->delayed ? " delayed" : "");
		said->tick = *tick;
	} else {
		lc_buf_puts(&said->out, " nothing");
	}
	lc_buf_putc(&said->out, ';');
}

static void on_bad(void *arg, const char *reason, const char *text, size_t len)
{
	struct said *said = arg;
	(void)text;
	cr_assert_gt(len, 0u);
	said->bad++;
	lc_buf_printf(&said->out, "!%s;", reason);
}

static const char *parse(struct said *said, const char *data, size_t len)
{
	struct lc_tencent_reader reader = {.row = on_row, .bad = on_bad, .arg = said};
	memcpy(reader.zones, zones, sizeof(reader.zones));
	lc_buf_clear(&said->out);
	said->rows = said->bad = 0;
	/* a copy of just that length, so that the sanitizers see a read beyond it */
	char *copy = malloc(len ? len : 1);
	memcpy(copy, data, len);
	said->code = lc_tencent_parse(&reader, copy, len, NULL);
	free(copy);
	return lc_buf_text(&said->out);
}

static void begin(struct said *said)
{
	*said = (struct said){0};
	lc_buf_init(&said->out, 1 << 20);
}

static void expect(const char *text, const char *want)
{
	struct said said;
	begin(&said);
	const char *got = parse(&said, text, strlen(text));
	cr_assert_str_eq(got, want, "%s:\n got %s\nwant %s", text, got, want);
	lc_buf_finish(&said.out);
}

/* --- recorded answers --- */

#define SHANGHAI                                                                       \
	"600000.SH p=12.45 v=92030800 a=1131441679 b=12.44 bv=93800 s=12.45 sv=49400 " \
	"o=12.05 h=12.45 l=12 pc=11.96 up=13.16 down=10.76 t=1570780738;"
#define TENCENT                                                                       \
	"00700.HK p=478.8 v=16319939 a=7803757295.25 o=479 h=483.2 l=475.4 pc=479.2 " \
	"t=1786090103 delayed;"
#define ALIBABA                                                                         \
	"09988.HK p=123.8 v=58259425 a=7185130922.04 o=125.3 h=125.8 l=121.6 pc=124.4 " \
	"t=1786090104 delayed;"

/* The recorded rows with their names as they were on the wire: in GBK. */
static char *in_gbk(const char *text)
{
	static const char *const names[][2] = {
		{"腾讯控股", "\xcc\xda\xd1\xb6\xbf\xd8\xb9\xc9"},
		{"阿里巴巴", "\xb0\xa2\xc0\xef\xb0\xcd\xb0\xcd"},
		{"浦发银行", "\xc6\xd6\xb7\xa2\xd2\xf8\xd0\xd0"},
	};
	char *copy = strdup(text);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *at = strstr(copy, names[i][0]);
		if (at) {
			size_t long_len = strlen(names[i][0]), len = strlen(names[i][1]);
			memcpy(at, names[i][1], len);
			memmove(at + len, at + long_len, strlen(at + long_len) + 1);
		}
	}
	return copy;
}

static const struct {
	const char *name, *want;
} samples[] = {
	{"quote-sh600000-close-20191011.txt", SHANGHAI},
	{"quote-hk-close-20260807.txt", TENCENT ALIBABA},
};

Test(tencent_wire, recorded_answers)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		size_t len;
		char *text = vendor_sample("tencent", "", samples[i].name, "", &len);
		char *gbk = in_gbk(text);
		cr_assert_lt(strlen(gbk), len, "the name is there");
		expect(text, samples[i].want);
		expect(gbk, samples[i].want);
		free(gbk);
		free(text);
	}
}

/* Amount / (volume x last) is near 1 once both are in the right unit, whichever field the amount
 * comes from. */
Test(tencent_wire, units)
{
	for (size_t i = 0; i < 2 * sizeof(samples) / sizeof(samples[0]); i++) {
		struct said said;
		size_t len;
		char *text = vendor_sample("tencent", "", samples[i / 2].name, "", &len);
		char *triple = strstr(text, "12.45/920308/");
		if (i % 2 == 1 && triple) {
			triple[6] = '1'; /* of another moment: field 37 counts, in 10,000 */
		}
		begin(&said);
		parse(&said, text, len);
		double ratio = lc_decimal_to_double(said.tick.amount) /
			       lc_decimal_to_double(said.tick.volume) /
			       lc_decimal_to_double(said.tick.price);
		cr_assert(ratio > 0.95 && ratio < 1.05, "%s: %g", samples[i / 2].name, ratio);
		cr_assert(said.tick.full_snapshot, "so quality looks at it too");
		lc_buf_finish(&said.out);
		free(text);
	}
}

/* Cut anywhere, an answer gives the rows that came whole and nothing else. */
Test(tencent_wire, cut_anywhere)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct said said;
		size_t len, whole = 0;
		char *text = vendor_sample("tencent", "", samples[i].name, "", &len);
		begin(&said);
		for (size_t cut = 0; cut <= len; cut++) {
			whole += cut > 0 && text[cut - 1] == ';';
			const char *got = parse(&said, text, cut);
			bool between = cut > 0 && text[cut - 1] == '"' && text[cut] == ';';
			cr_assert_eq(said.rows, whole + between, "%zu: %s", cut, got);
			cr_assert_eq(
				strncmp(got, samples[i].want, strcspn(got, "!")), 0, "%s", got);
			cr_assert(whole + between > 0 || said.bad > 0 ||
				  said.code == LC_ERR_PROTOCOL);
		}
		lc_buf_finish(&said.out);
		free(text);
	}
}

/* --- composed rows --- */

/* v_KEY="…"; with `count` fields "0" but for those given, as "POSITION=TEXT ". */
static const char *row(const char *key, size_t count, const char *fields)
{
	static char out[4096];
	size_t n = (size_t)snprintf(out, sizeof(out), "v_%s=\"", key);
	for (size_t i = 0; i < count; i++) {
		char want[16];
		size_t len = (size_t)snprintf(want, sizeof(want), "|%zu=", i);
		const char *at = strstr(fields, want);
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%.*s", i ? "~" : "",
			at ? (int)strcspn(at + len, "|") : 1, at ? at + len : "0");
	}
	snprintf(out + n, sizeof(out) - n, "\";\n");
	return out;
}

#define PINGAN "|1=\xc6\xbd\xb0\xb2|2=000001|3=11.32|6=100"
#define CODE(text) "|1=x|2=" text

Test(tencent_wire, times_of_each_market)
{
	expect(row("sz000001", 40, PINGAN "|30=20260304101503|"),
		"000001.SZ p=11.32 v=10000 a=0 t=1772590503;");
	expect(row("r_hk00005", 40, CODE("00005") "|3=1|30=2026/03/04 10:15:03|"),
		"00005.HK p=1 v=0 a=0 t=1772590503;");
	/* New York, in winter and in summer */
	expect(row("usAAPL", 40, CODE("AAPL.OQ") "|3=1|30=2026-03-03 21:15:03|"),
		"AAPL p=1 v=0 a=0 t=1772590503;");
	expect(row("usBRK.B", 40, CODE("BRK.B.N") "|3=1|30=2026-07-01 12:00:00|"),
		"BRK.B p=1 v=0 a=0 t=1782921600;");
	/* what is no time is missing */
	static const char *const none[] = {"", "0", "00000000000000", "99991231235959",
		"2026030410150", "202603041015033", "20261304101503", "20260304256000",
		"2026/03-04 10:15:03", "2026-03-04T10:15:03"};
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		char fields[200];
		snprintf(fields, sizeof(fields), PINGAN "|30=%s|", none[i]);
		expect(row("sz000001", 40, fields), "000001.SZ p=11.32 v=10000 a=0;");
	}
}

Test(tencent_wire, missing_values)
{
	/* before the auction: no price, and nobody bids */
	expect(row("sz000001", 60, CODE("000001") "|3=0.00|4=11.35|"), "000001.SZ nothing;");
	/* in the auction a best level alone is something */
	expect(row("sz000001", 60, CODE("000001") "|3=0.00|9=11.30|10=7|"),
		"000001.SZ v=0 a=0 b=11.3 bv=700;");
	/* at the limit nobody asks; a side without a size is none */
	expect(row("sz000001", 60, PINGAN "|9=11.32|10=5|19=0.00|20=0|"),
		"000001.SZ p=11.32 v=10000 a=0 b=11.32 bv=500;");
	expect(row("sz000001", 60, PINGAN "|9=11.32|19=11.33|20=3|"),
		"000001.SZ p=11.32 v=10000 a=0 s=11.33 sv=300;");
	/* 09:25:01: a last price, but open 0; no limits in the first days */
	expect(row("sz000001", 60, PINGAN "|5=0.00|33=11.32|34=11.32|47=-1|48=-1|"),
		"000001.SZ p=11.32 v=10000 a=0 h=11.32 l=11.32;");
	/* empty fields */
	expect(row("sz000001", 60, CODE("000001") "|3=11.32|4=|5=|6=|33=|34=|37=|47=|48=|"),
		"000001.SZ p=11.32;");
	/* rows of 38 fields have no limits */
	expect(row("sz000001", 38, PINGAN "|47=1|"), "000001.SZ p=11.32 v=10000 a=0;");
}

Test(tencent_wire, amounts)
{
	expect(row("sz000001", 40, PINGAN "|35=11.32/100/113201|37=11|"),
		"000001.SZ p=11.32 v=10000 a=113201;");
	/* of another moment, or no amount at all: field 37, in 10,000 */
	static const char *const other[] = {
		"11.32/99/112069", "11.32/100/", "11.32/100", "11.32", "", "//", "11.32/100/x"};
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		char fields[200];
		snprintf(fields, sizeof(fields), PINGAN "|35=%s|37=11|", other[i]);
		expect(row("sz000001", 40, fields), "000001.SZ p=11.32 v=10000 a=110000;");
	}
	/* Hong Kong's are to the unit; what is not money in the US is left out */
	expect(row("r_hk00005", 40, CODE("00005") "|3=10|6=20.0|35=10/20.0/7|37=200.5|"),
		"00005.HK p=10 v=20 a=200.5;");
	expect(row("usAAPL", 40, CODE("AAPL.OQ") "|3=10|6=20|37=201|"), "AAPL p=10 v=20 a=201;");
	expect(row("usAAPL", 40, CODE("AAPL.OQ") "|3=10|6=20000|37=20|"), "AAPL p=10 v=20000;");
}

/* Elsewhere than in China the ladder's places repeat the last price, and 47 and 48 are other
 * things. */
Test(tencent_wire, other_markets_have_no_ladder)
{
	const char *fields = "|9=10|10=5|19=10|20=5|46=NAME|47=1.11|48=12|";
	char text[200];
	snprintf(text, sizeof(text), CODE("00005") "|3=10%s", fields);
	expect(row("r_hk00005", 60, text), "00005.HK p=10 v=0 a=0;");
	snprintf(text, sizeof(text), CODE("AAPL") "|3=10%s", fields);
	expect(row("usAAPL", 60, text), "AAPL p=10 v=0 a=0;");
}

Test(tencent_wire, delayed_series)
{
	expect(row("hk00005", 40, CODE("00005") "|3=10|"), "00005.HK p=10 v=0 a=0 delayed;");
	expect(row("r_hk00005", 40, CODE("00005") "|3=10|"), "00005.HK p=10 v=0 a=0;");
}

Test(tencent_wire, an_index_is_no_full_snapshot)
{
	struct said said;
	begin(&said);
	const char *index = row("sh000001", 60, CODE("000001") "|3=2973.66|6=180|");
	cr_assert_str_eq(parse(&said, index, strlen(index)), "000001.SH p=2973.66 v=18000 a=0;");
	cr_assert_not(said.tick.full_snapshot);
	index = row("sz399001", 60, CODE("399001") "|3=9666.58|");
	parse(&said, index, strlen(index));
	cr_assert_not(said.tick.full_snapshot);
	const char *share = row("bj920047", 60, CODE("920047") "|3=9.58|6=7|");
	cr_assert_str_eq(parse(&said, share, strlen(share)), "920047.BJ p=9.58 v=700 a=0;");
	cr_assert(said.tick.full_snapshot);
	lc_buf_finish(&said.out);
}

/* The second byte of a character in GBK can be a tilde. */
Test(tencent_wire, names_are_passed_over)
{
	static const char *const names[] = {"", "\x8b\x7e", "\x8b\x7e\xbe\x7e", "a\xbe\x7e", "\xbe",
		"~", "~~00000", "0", "\xe5\xaa\xac", "\x81\x30\x81\x30"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char fields[200];
		snprintf(fields, sizeof(fields), "|1=%s|2=000001|3=11.32|6=100|", names[i]);
		expect(row("sz000001", 40, fields), "000001.SZ p=11.32 v=10000 a=0;");
	}
}

Test(tencent_wire, what_cannot_be_read)
{
	/* too short: cut off by the vendor or on the way */
	expect(row("sz000001", 37, PINGAN), "!truncated;");
	expect(row("sz000001", 2, PINGAN), "!truncated;");
	expect(row("sz000001", 1, PINGAN), "!truncated;");
	/* another instrument's row, or none of ours */
	expect(row("sz000001", 60, CODE("000002") "|3=1|"), "!malformed;");
	expect(row("usAAPL", 60, CODE("AAPLX") "|3=1|"), "!malformed;");
	static const char *const keys[] = {"sz00001", "sz0000011", "sz00000a", "r_hk700", "hkHSI",
		"us", "s_sh600000", "jp7203", ""};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		expect(row(keys[i], 60, PINGAN), "!unknown_symbol;");
	}
	/* rows around rubbish are read */
	char text[4096];
	snprintf(text, sizeof(text), "%s", row("sz000001", 40, PINGAN));
	size_t len = strlen(text);
	snprintf(text + len, sizeof(text) - len, "what=1;\nv_sz000002=1;\nv_sz000003\n%s",
		row("sz000001", 40, PINGAN));
	expect(text, "000001.SZ p=11.32 v=10000 a=0;!malformed;!malformed;!malformed;"
		     "000001.SZ p=11.32 v=10000 a=0;");
}

Test(tencent_wire, whole_answers)
{
	static const struct {
		const char *text;
		enum lc_err code;
		const char *want;
	} cases[] = {
		{"v_pv_none_match=\"1\";\n", LC_OK, ""},
		{"v_sz999999=\"\";", LC_OK, ""},
		{"", LC_ERR_PROTOCOL, ""},
		{" \r\n;;", LC_ERR_PROTOCOL, ""},
		{"<html>v_sz000001=\"\";", LC_ERR_PROTOCOL, ""},
		{"{\"code\":-1}", LC_ERR_PROTOCOL, ""},
		{"v_", LC_ERR_PROTOCOL, "!truncated;"},
		{"v_sz000001=", LC_ERR_PROTOCOL, "!truncated;"},
		{"v_sz000001=\"51~", LC_OK, "!truncated;"},
		{"v_12345678901234567890123456789=\"1\";", LC_ERR_PROTOCOL, "!malformed;"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct said said;
		begin(&said);
		const char *got = parse(&said, cases[i].text, strlen(cases[i].text));
		cr_assert_str_eq(got, cases[i].want, "%s", cases[i].text);
		cr_assert_eq(said.code, cases[i].code, "%s", cases[i].text);
		lc_buf_finish(&said.out);
	}
}

/* An answer of rubbish is given up, not told a hundred thousand times. */
Test(tencent_wire, rubbish_is_bounded)
{
	struct said said;
	struct lc_buf text;
	begin(&said);
	lc_buf_init(&text, 1 << 20);
	lc_buf_puts(&text, "v_pv_none_match=\"1\";\n");
	for (int i = 0; i < 10000; i++) {
		lc_buf_puts(&text, "v_a=\"1\";\nx\n");
	}
	parse(&said, text.data, text.len);
	cr_assert_eq(said.code, LC_ERR_PROTOCOL);
	cr_assert_leq(said.bad, 101u);
	lc_buf_finish(&text);
	lc_buf_finish(&said.out);
}

Test(tencent_wire, names_of_symbols)
{
	static const struct {
		const char *symbol, *code;
		bool delayed;
	} cases[] = {{"600000.SH", "sh600000", false}, {"000001.SZ", "sz000001", true},
		{"920047.BJ", "bj920047", false}, {"00700.HK", "r_hk00700", false},
		{"00700.HK", "hk00700", true}, {"AAPL", "usAAPL", false},
		{"BRK.B", "usBRK.B", true}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lc_symbol symbol;
		struct lc_buf out;
		lc_buf_init(&out, 100);
		cr_assert_eq(
			lc_symbol_parse(cases[i].symbol, strlen(cases[i].symbol), &symbol), LC_OK);
		lc_tencent_code(&symbol, cases[i].delayed, &out);
		cr_assert_str_eq(lc_buf_text(&out), cases[i].code);
		/* and back, by a row of that name */
		char want[64], fields[64];
		snprintf(want, sizeof(want), "%s p=1 v=0 a=0%s;", cases[i].symbol,
			strncmp(cases[i].code, "hk", 2) == 0 ? " delayed" : "");
		size_t bare = strcspn(cases[i].symbol, ".");
		snprintf(fields, sizeof(fields), "|1=x|2=%.*s|3=1|",
			(int)(symbol.market == LC_MARKET_US ? symbol.len : bare), cases[i].symbol);
		expect(row(lc_buf_text(&out), 40, fields), want);
		lc_buf_finish(&out);
	}
}
