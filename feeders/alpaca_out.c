#include "alpaca_out.h"

#include <assert.h>
#include <string.h>

/* A number in network order behind its type byte. */
static void put_head(struct lc_buf *out, unsigned type, size_t value, int bytes)
{
	lc_buf_putc(out, (char)type);
	for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
		lc_buf_putc(out, (char)(value >> shift & 0xff));
	}
}

static void put_text(struct lc_buf *out, bool msgpack, const char *text, size_t len)
{
	if (!msgpack) {
		lc_buf_json_string(out, text, len);
		return;
	}
	if (len < 32) {
		lc_buf_putc(out, (char)(0xa0 | len));
	} else if (len < 256) {
		put_head(out, 0xd9, len, 1);
	} else {
		assert(len < 65536);
		put_head(out, 0xda, len, 2);
	}
	lc_buf_append(out, text, len);
}

static void put_count(struct lc_buf *out, size_t count)
{
	if (count < 16) {
		lc_buf_putc(out, (char)(0x90 | count));
	} else if (count < 65536) {
		put_head(out, 0xdc, count, 2);
	} else {
		put_head(out, 0xdd, count, 4);
	}
}

static void put_name(struct lc_buf *out, bool msgpack, const char *name)
{
	if (!msgpack) {
		lc_buf_putc(out, ',');
	}
	put_text(out, msgpack, name, strlen(name));
	if (!msgpack) {
		lc_buf_putc(out, ':');
	}
}

void lc_alpaca_out_open(struct lc_buf *out, bool msgpack, const char *action, size_t n_args)
{
	assert(n_args <= 14);
	lc_buf_clear(out);
	if (msgpack) {
		lc_buf_putc(out, (char)(0x81 + n_args));
		put_text(out, true, "action", 6);
	} else {
		lc_buf_puts(out, "{\"action\":");
	}
	put_text(out, msgpack, action, strlen(action));
}

void lc_alpaca_out_text(struct lc_buf *out, bool msgpack, const char *name, const char *value)
{
	put_name(out, msgpack, name);
	put_text(out, msgpack, value, strlen(value));
}

void lc_alpaca_out_symbols(struct lc_buf *out, bool msgpack, const char *name,
	const struct lc_symbols *symbols, const uint32_t *list, size_t count)
{
	put_name(out, msgpack, name);
	if (msgpack) {
		put_count(out, count);
	} else {
		lc_buf_putc(out, '[');
	}
	for (size_t i = 0; i < count; i++) {
		const struct lc_symbol *symbol = lc_symbols_get(symbols, list[i]);
		if (i > 0 && !msgpack) {
			lc_buf_putc(out, ',');
		}
		put_text(out, msgpack, symbol->text, symbol->len);
	}
	if (!msgpack) {
		lc_buf_putc(out, ']');
	}
}

void lc_alpaca_out_close(struct lc_buf *out, bool msgpack)
{
	if (!msgpack) {
		lc_buf_putc(out, '}');
	}
}
