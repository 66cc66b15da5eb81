/* A binary frame of Alpaca's stream: every element parsed as a message. What comes out is what
 * ticks promise: texts that end, and printable characters only. */
#include "alpaca_wire.h"
#include "livecore/msgpack.h"

#include <stdlib.h>

static void check_text(const char *text, size_t size)
{
	size_t len = strnlen(text, size);
	if (len == size) {
		abort();
	}
	for (size_t i = 0; i < len; i++) {
		if (text[i] < 0x20 || text[i] > 0x7e) {
			abort();
		}
	}
}

static void check_tick(const struct lc_tick *tick)
{
	check_text(tick->exchange, sizeof(tick->exchange));
	check_text(tick->tape, sizeof(tick->tape));
	if (tick->conditions.count > LC_TICK_CONDITIONS) {
		abort();
	}
	for (size_t i = 0; i < tick->conditions.count; i++) {
		check_text(tick->conditions.code[i], sizeof(tick->conditions.code[i]));
	}
	if (tick->kind == LC_TICK_STATUS) {
		check_text(tick->u.status.code, sizeof(tick->u.status.code));
		check_text(tick->u.status.reason, sizeof(tick->u.status.reason));
		check_text(tick->u.status.text, sizeof(tick->u.status.text));
		check_text(tick->u.status.reason_text, sizeof(tick->u.status.reason_text));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct lc_msgpack_reader *reader;
	static struct lc_conditions_seen seen;
	if (!reader && lc_msgpack_reader_create(NULL, &reader) != LC_OK) {
		abort();
	}
	const struct lc_value *root, *item;
	if (lc_msgpack_parse(reader, data, size, &root, NULL) != LC_OK) {
		return 0;
	}
	struct lc_alpaca_msg msg;
	const char *reason;
	lc_value_each (item, root) {
		if (lc_alpaca_parse(item, &seen, &msg, &reason) == LC_OK &&
			lc_alpaca_is_tick(msg.type)) {
			check_tick(&msg.u.tick);
		}
	}
	return 0;
}
