/* For the tests of the EastMoney feeder: the recorded samples, and rows as short texts. Header
 * only. */
#pragma once

#include "eastmoney_wire.h"
#include "tick_text.h"

static inline char *sample_wrapped(
	const char *before, const char *name, const char *after, size_t *len)
{
	return vendor_sample("eastmoney", before, name, after, len);
}

/* "600000.SH p=… ;" for each row; "-" for a row that names no symbol or makes no tick. */
struct rows_text {
	struct lc_buf out;
	unsigned units;
	bool states;
};

static inline void put_row(void *arg, const struct lc_eastmoney_answer *answer, uint32_t position,
	const struct lc_eastmoney_row *row)
{
	struct rows_text *text = arg;
	char symbol[LC_SYMBOL_MAX];
	size_t len;
	struct lc_tick tick = {0};
	(void)answer;
	lc_buf_printf(&text->out, "%u:", position);
	if (lc_eastmoney_symbol(row, symbol, &len) == LC_OK) {
		lc_buf_append(&text->out, symbol, len);
	} else {
		lc_buf_putc(&text->out, '-');
	}
	if (lc_eastmoney_tick(row, text->units, &tick)) {
		put_tick(&text->out, &tick);
	}
	if (text->states) {
		lc_buf_printf(&text->out, " state=%u", row->state);
	}
	lc_buf_putc(&text->out, ';');
}
