/* For the tests of parsers: recorded samples, and ticks as short texts. Header only. */
#pragma once

#include "livecore/buf.h"
#include "livecore/tick.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* before and after stand around the sample: fragments become payloads. */
static inline char *vendor_sample(
	const char *vendor, const char *before, const char *name, const char *after, size_t *len)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s-%s", LC_TEST_DATA, vendor, name);
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
