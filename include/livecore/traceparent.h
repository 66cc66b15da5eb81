/* The W3C trace context of a command, as a Kafka header carries it
 * (https://www.w3.org/TR/trace-context):
 *
 *   00-<32 hex digits: trace>-<16 hex digits: span>-<2 hex digits: flags>
 *
 * in lower case. Ids that are all zeros, and whatever is not of this form, are no trace. Pure
 * functions over bytes, any thread; what comes in may be anything. */
#pragma once

#include "livecore/value.h"

#include <stdbool.h>
#include <stddef.h>

#define LC_TRACE_ID_LEN 32
#define LC_SPAN_ID_LEN 16
#define LC_TRACEPARENT_LEN 55
#define LC_TRACEPARENT_TRACE 3 /* where the ids begin in it */
#define LC_TRACEPARENT_SPAN 36

/* Of the ids that a message names; the trace counts as sampled. Capitals and a UUID's dashes are
 * taken. out ends with a NUL. False: they make no trace, out is "". */
bool lc_traceparent_compose(
	struct lc_text trace_id, struct lc_text span_id, char out[LC_TRACEPARENT_LEN + 1]);

/* A header as it came (data may be NULL), in our version: a later one may be longer, and flags that
 * are not known are left out. False: it is no trace, out is "". */
bool lc_traceparent_parse(const char *data, size_t len, char out[LC_TRACEPARENT_LEN + 1]);
