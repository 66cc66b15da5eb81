#include "livecore/traceparent.h"

#include <stdint.h>
#include <string.h>

#define UUID_LEN 36
#define FLAGS 53
#define FLAGS_KNOWN 3 /* sampled, and (level 2) that the id is random */

static int digit_of(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Two digits, or -1. */
static int byte_of(const char *text)
{
	int high = digit_of(text[0]), low = digit_of(text[1]);
	return high < 0 || low < 0 ? -1 : 16 * high + low;
}

/* All of them digits, and not all zeros. */
static bool is_id(const char *text, size_t len)
{
	bool any = false;
	for (size_t i = 0; i < len; i++) {
		int digit = digit_of(text[i]);
		if (digit < 0) {
			return false;
		}
		any |= digit > 0;
	}
	return any;
}

/* A UUID is 8-4-4-4-12. */
static bool is_uuid_dash(struct lc_text text, size_t i)
{
	return text.len == UUID_LEN && text.data[i] == '-' &&
	       (i == 8 || i == 13 || i == 18 || i == 23);
}

/* The digits in lower case; false unless they are an id of this many. */
static bool take_id(struct lc_text text, char *out, size_t len)
{
	size_t used = 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		if (is_uuid_dash(text, i)) {
			continue;
		}
		if (used == len) {
			return false;
		}
		out[used++] = (char)(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
	}
	return used == len && is_id(out, len);
}

/* Version 255 is forbidden; one later than ours may go on behind another dash. */
static bool is_header(const char *data, size_t len)
{
	if (!data || len < LC_TRACEPARENT_LEN) {
		return false;
	}
	int version = byte_of(data);
	bool ends = len == LC_TRACEPARENT_LEN || (version > 0 && data[LC_TRACEPARENT_LEN] == '-');
	return version >= 0 && version < UINT8_MAX && ends && byte_of(data + FLAGS) >= 0 &&
	       data[LC_TRACEPARENT_TRACE - 1] == '-' && data[LC_TRACEPARENT_SPAN - 1] == '-' &&
	       data[FLAGS - 1] == '-' && is_id(data + LC_TRACEPARENT_TRACE, LC_TRACE_ID_LEN) &&
	       is_id(data + LC_TRACEPARENT_SPAN, LC_SPAN_ID_LEN);
}

bool lc_traceparent_compose(
	struct lc_text trace_id, struct lc_text span_id, char out[LC_TRACEPARENT_LEN + 1])
{
	static const char frame[LC_TRACEPARENT_LEN + 1] =
		"00-00000000000000000000000000000000-0000000000000000-01";
	memcpy(out, frame, sizeof frame);
	if (take_id(trace_id, out + LC_TRACEPARENT_TRACE, LC_TRACE_ID_LEN) &&
		take_id(span_id, out + LC_TRACEPARENT_SPAN, LC_SPAN_ID_LEN)) {
		return true;
	}
	out[0] = '\0';
	return false;
}

bool lc_traceparent_parse(const char *data, size_t len, char out[LC_TRACEPARENT_LEN + 1])
{
	if (!is_header(data, len)) {
		out[0] = '\0';
		return false;
	}
	memcpy(out, data, LC_TRACEPARENT_LEN);
	memset(out, '0', 2);
	out[FLAGS] = '0';
	out[FLAGS + 1] = (char)('0' + (byte_of(data + FLAGS) & FLAGS_KNOWN));
	out[LC_TRACEPARENT_LEN] = '\0';
	return true;
}
