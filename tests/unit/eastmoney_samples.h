/* For the tests of the EastMoney feeder: the recorded samples, and rows and ticks as short texts.
 * Header only. */
#pragma once

#include "eastmoney_wire.h"
#include "livecore/buf.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* before and after stand around the sample: fragments become payloads. */
static inline char *sample_wrapped(
	const char *before, const char *name, const char *after, size_t *len)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/eastmoney-%s", LC_TEST_DATA, name);
	FILE *file = fopen(path, "rb");
	cr_assert_not_null(file, "%s", path);
	fseek(file, 0, SEEK_END);
	size_t size = (size_t)ftell(file), head = strlen(before), tail = strlen(after);
	rewind(file);
	char *text = malloc(head + size + tail + 1);
	memcpy(text, before, head);
	cr_assert_eq(fread(text + head, 1, size, file), size);
	memcpy(text + head + size, after, tail + 1);
	fclose(file);
	*len = head + size + tail;
	return text;
}

static inline void put_field(struct lc_buf *out, const char *name, const struct lc_tick *tick,
	uint32_t bit, struct lc_decimal value)
{
	if (tick->has & bit) {
		lc_buf_printf(out, " %s=", name);
		lc_buf_decimal(out, value);
	}
}

/* "p=8.74 v=37682900 …": what the tick has, in this order. */
static inline void put_tick(struct lc_buf *out, const struct lc_tick *tick)
{
	put_field(out, "p", tick, LC_HAS_PRICE, tick->price);
	put_field(out, "v", tick, LC_HAS_VOLUME, tick->volume);
	put_field(out, "a", tick, LC_HAS_AMOUNT, tick->amount);
	put_field(out, "b", tick, LC_HAS_BID, tick->bid);
	put_field(out, "bv", tick, LC_HAS_BID_VOLUME, tick->bid_volume);
	put_field(out, "s", tick, LC_HAS_ASK, tick->ask);
	put_field(out, "sv", tick, LC_HAS_ASK_VOLUME, tick->ask_volume);
	put_field(out, "o", tick, LC_HAS_OPEN, tick->open);
	put_field(out, "h", tick, LC_HAS_HIGH, tick->high);
	put_field(out, "l", tick, LC_HAS_LOW, tick->low);
	put_field(out, "pc", tick, LC_HAS_PREV_CLOSE, tick->prev_close);
	put_field(out, "up", tick, LC_HAS_LIMIT_UP, tick->limit_up);
	put_field(out, "down", tick, LC_HAS_LIMIT_DOWN, tick->limit_down);
	if (tick->has & LC_HAS_EVENT_TIME) {
		lc_buf_printf(out, " t=%lld", (long long)(tick->event_ns / 1000000000));
	}
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
