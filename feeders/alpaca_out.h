/* The messages we send Alpaca, in JSON or msgpack: a map with an action and its arguments. Pure;
 * any thread; a message that does not fit sets out->failed. */
#pragma once

#include "livecore/buf.h"
#include "livecore/symbol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Clears out and begins a message with `action` and n_args (at most 14) fields, written next. */
void lc_alpaca_out_open(struct lc_buf *out, bool msgpack, const char *action, size_t n_args);
/* One field. value: at most 65,535 bytes. */
void lc_alpaca_out_text(struct lc_buf *out, bool msgpack, const char *name, const char *value);
/* One field: a channel and the symbols for it. */
void lc_alpaca_out_symbols(struct lc_buf *out, bool msgpack, const char *name,
	const struct lc_symbols *symbols, const uint32_t *list, size_t count);
void lc_alpaca_out_close(struct lc_buf *out, bool msgpack);
