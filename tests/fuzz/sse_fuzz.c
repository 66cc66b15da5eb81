/* Any bytes through the parser of server-sent events, whole and in small pieces: the events are the
 * same, none is longer than the bound. */
#include "livecore/sse.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAX_EVENT 64

struct seen {
	uint64_t hash;
	size_t events;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mix(struct seen *seen, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		seen->hash = (seen->hash ^ (unsigned char)text[i]) * UINT64_C(1099511628211);
	}
	seen->hash = (seen->hash ^ 0x100) * UINT64_C(1099511628211);
}

static enum lc_err on_event(void *arg, const char *event, const char *data, size_t len)
{
	struct seen *seen = arg;
	if (len > MAX_EVENT) {
		abort();
	}
	seen->events++;
	mix(seen, event, strlen(event));
	mix(seen, data, len);
	return LC_OK;
}

static struct lc_sse_counts feed(const uint8_t *data, size_t size, size_t step, struct seen *seen)
{
	struct lc_sse *sse;
	*seen = (struct seen){0};
	if (lc_sse_create(MAX_EVENT, on_event, seen, &sse) != LC_OK) {
		abort();
	}
	for (size_t at = 0; at < size; at += step) {
		size_t len = size - at < step ? size - at : step;
		if (lc_sse_feed(sse, data + at, len) != LC_OK) {
			abort();
		}
	}
	struct lc_sse_counts counts = lc_sse_counts(sse);
	lc_sse_destroy(sse);
	return counts;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t step = size ? 1 + data[0] % 7 : 1;
	struct seen whole, cut;
	struct lc_sse_counts a = feed(data, size, size ? size : 1, &whole);
	struct lc_sse_counts b = feed(data, size, step, &cut);
	if (memcmp(&whole, &cut, sizeof whole) != 0 || memcmp(&a, &b, sizeof a) != 0) {
		abort();
	}
	return 0;
}
