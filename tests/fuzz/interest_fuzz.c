/* Any bytes as an InterestUpdate. What is accepted is bounded and can be written and read again. */
#include "livecore/messages.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct lc_decoder *decoder;
	if (decoder == NULL && lc_decoder_create(&decoder) != LC_OK) {
		abort();
	}
	struct lc_message_in in = {
		.data = (const char *)data, .len = size, .record_ns = INT64_C(1767922200000000000)};
	struct lc_interest_update update;
	struct lc_error err = {.text = ""};
	if (lc_interest_update_decode(decoder, &in, &update, &err) != LC_OK) {
		if (err.text[0] == '\0') {
			abort();
		}
		return 0;
	}
	if (update.portfolio_id.len == 0 || update.portfolio_id.len > LC_MESSAGE_TEXT_MAX ||
		update.count > LC_MESSAGE_SYMBOLS_MAX ||
		update.timestamp_ns > in.record_ns + LC_MESSAGE_AHEAD_NS) {
		abort();
	}
	volatile unsigned sum = 0;
	for (size_t i = 0; i < update.count; i++) {
		for (size_t n = 0; n < update.symbols[i].len; n++) {
			sum = sum + (unsigned char)update.symbols[i].data[n];
		}
	}
	return 0;
}
