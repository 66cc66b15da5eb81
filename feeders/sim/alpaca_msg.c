#include "alpaca_priv.h"

#include <string.h>

static void put_be(struct lc_buf *out, unsigned char lead, uint64_t value, int bytes)
{
	char text[9];
	text[0] = (char)lead;
	for (int i = 0; i < bytes; i++) {
		text[1 + i] = (char)(value >> (8 * (bytes - 1 - i)));
	}
	lc_buf_append(out, text, (size_t)bytes + 1);
}

static void pack_str(struct lc_buf *out, const char *text, size_t len)
{
	if (len < 32) {
		lc_buf_putc(out, (char)(0xa0 | len));
	} else {
		put_be(out, len < 256 ? 0xd9 : 0xda, len, len < 256 ? 1 : 2);
	}
	lc_buf_append(out, text, len);
}

static void pack_int(struct lc_buf *out, int64_t value)
{
	if (value >= 0 && value < 128) {
		lc_buf_putc(out, (char)value);
	} else if (value >= 0 && value < 65536) {
		put_be(out, 0xcd, (uint64_t)value, 2);
	} else if (value >= 0 && value <= UINT32_MAX) {
		put_be(out, 0xce, (uint64_t)value, 4);
	} else {
		put_be(out, value >= 0 ? 0xcf : 0xd3, (uint64_t)value, 8);
	}
}

static void pack_count(struct lc_buf *out, size_t count, unsigned char fixed, unsigned char wide)
{
	if (count < 16) {
		lc_buf_putc(out, (char)(fixed | count));
	} else {
		put_be(out, wide, count, 2);
	}
}

static void key(struct enc *enc, const char *name)
{
	if (enc->msgpack) {
		pack_str(enc->out, name, strlen(name));
		return;
	}
	lc_buf_puts(enc->out, enc->first ? "\"" : ",\"");
	lc_buf_puts(enc->out, name);
	lc_buf_puts(enc->out, "\":");
	enc->first = false;
}

void enc_begin(struct enc *enc, const char *type, unsigned fields)
{
	if (enc->msgpack) {
		pack_count(enc->out, fields, 0x80, 0xde);
	} else {
		lc_buf_putc(enc->out, '{');
	}
	enc->first = true;
	enc_str(enc, "T", type);
}

void enc_end(struct enc *enc)
{
	if (!enc->msgpack) {
		lc_buf_putc(enc->out, '}');
	}
}

void enc_str(struct enc *enc, const char *name, const char *value)
{
	key(enc, name);
	if (enc->msgpack) {
		pack_str(enc->out, value, strlen(value));
	} else {
		lc_buf_json_string(enc->out, value, strlen(value));
	}
}

void enc_int(struct enc *enc, const char *name, int64_t value)
{
	key(enc, name);
	if (enc->msgpack) {
		pack_int(enc->out, value);
	} else {
		lc_buf_int(enc->out, value);
	}
}

void enc_price(struct enc *enc, const char *name, int64_t value)
{
	key(enc, name);
	if (!enc->msgpack) {
		sim_put_price(enc->out, value);
		return;
	}
	/* The nearest double: its shortest text is the decimal again. */
	double number = (double)value / SIM_PRICE_SCALE;
	uint64_t bits;
	memcpy(&bits, &number, sizeof(bits));
	put_be(enc->out, 0xcb, bits, 8);
}

void enc_time(struct enc *enc, const char *name, int64_t time_ns)
{
	key(enc, name);
	if (!enc->msgpack) {
		char text[40];
		size_t len = sim_format_time(time_ns, text);
		lc_buf_putc(enc->out, '"');
		lc_buf_append(enc->out, text, len);
		lc_buf_putc(enc->out, '"');
		return;
	}
	uint64_t seconds = (uint64_t)(time_ns / LC_NS_PER_S);
	uint64_t nanos = (uint64_t)(time_ns % LC_NS_PER_S);
	if (nanos == 0) {
		lc_buf_putc(enc->out, (char)0xd6);
		put_be(enc->out, 0xff, seconds, 4);
	} else {
		lc_buf_putc(enc->out, (char)0xd7);
		put_be(enc->out, 0xff, nanos << 34 | seconds, 8);
	}
}

void enc_list_begin(struct enc *enc, const char *name, size_t count)
{
	key(enc, name);
	if (enc->msgpack) {
		pack_count(enc->out, count, 0x90, 0xdc);
	} else {
		lc_buf_putc(enc->out, '[');
	}
}

void enc_list_item(struct enc *enc, const char *word, bool first)
{
	if (enc->msgpack) {
		pack_str(enc->out, word, strlen(word));
		return;
	}
	lc_buf_puts(enc->out, first ? "" : ",");
	lc_buf_json_string(enc->out, word, strlen(word));
}

void enc_list_end(struct enc *enc)
{
	if (!enc->msgpack) {
		lc_buf_putc(enc->out, ']');
	}
}

void enc_list(struct enc *enc, const char *name, const char *words)
{
	size_t count = words[0] != '\0';
	for (const char *p = words; *p != '\0'; p++) {
		count += *p == ',';
	}
	enc_list_begin(enc, name, count);
	const char *p = words;
	for (size_t i = 0; i < count; i++) {
		char word[8];
		size_t len = strcspn(p, ",");
		snprintf(word, sizeof(word), "%.*s", (int)len, p);
		enc_list_item(enc, word, i == 0);
		p += len + (p[len] == ',');
	}
	enc_list_end(enc);
}

void enc_array(struct lc_buf *out, bool msgpack, size_t count)
{
	if (msgpack) {
		pack_count(out, count, 0x90, 0xdc);
	} else {
		lc_buf_putc(out, '[');
	}
}

void enc_array_end(struct lc_buf *out, bool msgpack)
{
	if (!msgpack) {
		lc_buf_putc(out, ']');
	}
}

static bool is_crypto(const char *symbol)
{
	return strchr(symbol, '/') != NULL;
}

void enc_trade(struct enc *enc, const struct trade *trade, bool extra)
{
	if (is_crypto(trade->symbol)) {
		enc_begin(enc, "t", 7);
		enc_str(enc, "S", trade->symbol);
		enc_price(enc, "p", trade->price);
		enc_price(enc, "s", trade->size * 37);
		enc_time(enc, "t", trade->time_ns);
		enc_int(enc, "i", trade->id);
		enc_str(enc, "tks", trade->id % 2 != 0 ? "B" : "S");
		enc_end(enc);
		return;
	}
	enc_begin(enc, "t", 9 + extra);
	enc_str(enc, "S", trade->symbol);
	enc_int(enc, "i", trade->id);
	enc_str(enc, "x", trade->exchange);
	enc_price(enc, "p", trade->price);
	enc_int(enc, "s", trade->size);
	enc_list(enc, "c", trade->conditions);
	enc_str(enc, "z", trade->tape);
	enc_time(enc, "t", trade->time_ns);
	if (extra) {
		/* When the vendor received it: an internal key that clients pass over. */
		enc_time(enc, "r", trade->time_ns + 123456);
	}
	enc_end(enc);
}

void enc_quote(struct enc *enc, const struct sim_symbol *symbol, int64_t time_ns)
{
	bool crypto = is_crypto(symbol->text);
	enc_begin(enc, "q", crypto ? 7 : 11);
	enc_str(enc, "S", symbol->text);
	if (!crypto) {
		enc_str(enc, "bx", "V");
		enc_str(enc, "ax", "V");
	}
	enc_price(enc, "bp", symbol->bid[0]);
	enc_price(enc, "ap", symbol->ask[0]);
	if (crypto) {
		enc_price(enc, "bs", symbol->bid_size[0] * 41);
		enc_price(enc, "as", symbol->ask_size[0] * 41);
	} else {
		enc_int(enc, "bs", symbol->bid_size[0]);
		enc_int(enc, "as", symbol->ask_size[0]);
		enc_list(enc, "c", "R");
		enc_str(enc, "z", symbol->vendor_board == 105 ? "C" : "A");
	}
	enc_time(enc, "t", time_ns);
	enc_end(enc);
}

void enc_bar(struct enc *enc, const char *type, const struct sim_symbol *symbol,
	const struct sim_bar *bar)
{
	enc_begin(enc, type, 10);
	enc_str(enc, "S", symbol->text);
	enc_price(enc, "o", bar->open);
	enc_price(enc, "h", bar->high);
	enc_price(enc, "l", bar->low);
	enc_price(enc, "c", bar->close);
	enc_int(enc, "v", bar->volume);
	enc_int(enc, "n", bar->trades);
	enc_price(enc, "vw", bar->volume > 0 ? bar->value / bar->volume : 0);
	enc_time(enc, "t", bar->minute * 60 * LC_NS_PER_S);
	enc_end(enc);
}

static void enc_correction(struct enc *enc, const struct trade *trade)
{
	enc_begin(enc, "c", 13);
	enc_str(enc, "S", trade->symbol);
	enc_str(enc, "x", trade->exchange);
	enc_int(enc, "oi", trade->id);
	enc_price(enc, "op", trade->price);
	enc_int(enc, "os", trade->size);
	enc_list(enc, "oc", trade->conditions);
	enc_int(enc, "ci", trade->id + 1000000000);
	enc_price(enc, "cp", trade->price + 100);
	enc_int(enc, "cs", trade->size);
	enc_list(enc, "cc", trade->conditions);
	enc_time(enc, "t", trade->time_ns);
	enc_str(enc, "z", trade->tape);
	enc_end(enc);
}

static void enc_cancel(struct enc *enc, const struct trade *trade)
{
	enc_begin(enc, "x", 9);
	enc_str(enc, "S", trade->symbol);
	enc_int(enc, "i", trade->id);
	enc_str(enc, "x", trade->exchange);
	enc_price(enc, "p", trade->price);
	enc_int(enc, "s", trade->size);
	enc_str(enc, "a", "C");
	enc_time(enc, "t", trade->time_ns);
	enc_str(enc, "z", trade->tape);
	enc_end(enc);
}

void enc_status(struct enc *enc, const struct sim_symbol *symbol, bool resume, int64_t time_ns)
{
	bool utp = symbol->vendor_board == 105;
	enc_begin(enc, "s", 8);
	enc_str(enc, "S", symbol->text);
	enc_str(enc, "sc", utp ? (resume ? "T" : "H") : (resume ? "3" : "2"));
	enc_str(enc, "sm", resume ? "Trading Resumption" : "Trading Halt");
	enc_str(enc, "rc", utp ? "T1" : "P");
	enc_str(enc, "rm", "Halt News Pending");
	enc_time(enc, "t", time_ns);
	enc_str(enc, "z", utp ? "C" : "A");
	enc_end(enc);
}

static void enc_luld(struct enc *enc, const struct sim_symbol *symbol, int64_t time_ns)
{
	enc_begin(enc, "l", 7);
	enc_str(enc, "S", symbol->text);
	enc_price(enc, "u", symbol->last + symbol->last / 20);
	enc_price(enc, "d", symbol->last - symbol->last / 20);
	enc_str(enc, "i", "B");
	enc_time(enc, "t", time_ns);
	enc_str(enc, "z", "C");
	enc_end(enc);
}

static void enc_short(
	struct enc *enc, const char *type, const struct sim_symbol *symbol, int64_t time_ns)
{
	enc_begin(enc, type, 5);
	enc_str(enc, "S", symbol->text);
	enc_price(enc, "p", symbol->last);
	enc_time(enc, "t", time_ns);
	enc_str(enc, "z", "C");
	enc_end(enc);
}

void enc_rare(
	struct enc *enc, unsigned which, const struct sim_symbol *symbol, const struct trade *trade)
{
	switch (which % 8) {
	case 0:
		enc_correction(enc, trade);
		break;
	case 1:
		enc_cancel(enc, trade);
		break;
	case 2:
	case 3:
		enc_status(enc, symbol, which % 8 == 3, trade->time_ns);
		break;
	case 4:
		enc_luld(enc, symbol, trade->time_ns);
		break;
	case 5:
		enc_short(enc, "i", symbol, trade->time_ns);
		break;
	case 6:
		enc_bar(enc, "u", symbol, &symbol->bar);
		break;
	default:
		enc_short(enc, "~", symbol, trade->time_ns);
		break;
	}
}
