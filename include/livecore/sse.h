/* Server-sent events: bytes in, each event's data out. Pure: no I/O, no clock, one thread at a
 * time. The bytes may be cut anywhere. Lines end with LF, CRLF or CR; comments and blank lines are
 * keep-alives; several `data:` lines of one event are joined with LF; a leading byte order mark is
 * skipped. It never holds more than the given bound: a longer event is dropped whole, counted, and
 * the parser goes on with the next one. */
#pragma once

#include "livecore/error.h"

#include <stddef.h>
#include <stdint.h>

struct lc_sse;

/* One event, borrowed for the call. `event` is the value of its `event:` field, cut at 63 bytes, ""
 * when there was none. Return anything but LC_OK to stop: lc_sse_feed() returns it and the rest of
 * the chunk is not looked at. The callback must not feed, reset or destroy the parser. */
typedef enum lc_err (*lc_sse_event_cb)(void *arg, const char *event, const char *data, size_t len);

/* max_event_bytes bounds one event's data and each line. */
enum lc_err lc_sse_create(
	size_t max_event_bytes, lc_sse_event_cb on_event, void *arg, struct lc_sse **out);
void lc_sse_destroy(struct lc_sse *sse);

/* LC_OK, or what the callback returned; then call lc_sse_reset() before feeding again. */
enum lc_err lc_sse_feed(struct lc_sse *sse, const void *data, size_t len);

/* Forgets a half-read event: call it for each new connection. Counters and memory stay. */
void lc_sse_reset(struct lc_sse *sse);

struct lc_sse_counts {
	uint64_t events;     /* handed to the callback */
	uint64_t keepalives; /* comments and lone blank lines */
	uint64_t oversize;   /* events dropped for their size */
};
struct lc_sse_counts lc_sse_counts(const struct lc_sse *sse);
