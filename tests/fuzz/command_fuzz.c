/* Any bytes as a ControlCommand and as a PriceUpdate to watch. */
#include "livecore/messages.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use_params(struct lc_decoder *decoder, const struct lc_control_command *command)
{
	static const char *const keys[] = {"codes", "code", "full", "days", "frequency"};
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		struct lc_text text;
		int64_t number;
		bool flag;
		(void)lc_command_text(command, keys[i], &text);
		(void)lc_command_bool(command, keys[i], &flag);
		(void)lc_command_int(command, keys[i], &number);
	}
	const struct lc_text *codes;
	size_t count;
	if (lc_command_codes(decoder, command, &codes, &count) == LC_OK) {
		volatile unsigned sum = 0;
		for (size_t i = 0; i < count; i++) {
			sum = sum + (codes[i].len > 0
						    ? (unsigned char)codes[i].data[codes[i].len - 1]
						    : 0);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct lc_decoder *decoder;
	if (decoder == NULL && lc_decoder_create(&decoder) != LC_OK) {
		abort();
	}
	struct lc_message_in in = {
		.data = (const char *)data, .len = size, .record_ns = INT64_C(1767922200000000000)};
	struct lc_control_command command;
	struct lc_price_view view;
	struct lc_error err;
	if (lc_control_command_decode(decoder, &in, &command, &err) == LC_OK) {
		if (command.name.len == 0 ||
			(command.params != NULL && command.params->type != LC_VALUE_OBJECT)) {
			abort();
		}
		use_params(decoder, &command);
	}
	(void)lc_price_update_decode(decoder, &in, &view, &err);
	return 0;
}
