/* Our messages on Kafka, to and from JSON; docs/messages.md says what they mean. Loop thread (or
 * any one thread). Pure: nothing here reads time or does I/O. Encoding a PriceUpdate never
 * allocates. What is decoded comes from the network and is bounded: bytes, values, list lengths,
 * text lengths. */
#pragma once

#include "livecore/bar.h"
#include "livecore/buf.h"
#include "livecore/interest_type.h"
#include "livecore/json.h"
#include "livecore/log.h"
#include "livecore/symbol.h"
#include "livecore/tick.h"
#include "livecore/traceparent.h"
#include "livecore/value.h"
#include "livecore/zone.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LC_MESSAGE_ID_MAX \
	64 /* bytes of a stream, node, trace or span id that we write, without NUL */
#define LC_PRICE_UPDATE_MAX 4096 /* the longest PriceUpdate, whatever the vendor sent */

/* What all messages of a process share. Everything is borrowed and must stay while it is used. */
struct lc_message_context {
	enum lc_time_format time_format;
	const struct lc_zone
		*naive_zone; /* of naive times, and of offset times that belong to no market */
	const struct lc_zone *zones[LC_MARKETS]; /* for LC_TIME_OFFSET: each market's own */
	const char *node_id;
	const char *stream; /* at most LC_MESSAGE_ID_MAX bytes */
};

/* ---- PriceUpdate ---- */

/* What the tick itself does not know. Borrowed for the call. */
struct lc_price_context {
	const struct lc_symbol *symbol;
	const char *source;  /* "alpaca", …, at most 32 bytes */
	const char *session; /* "open", …; at most 32 bytes; NULL: not known */
	/* For a tick without a price of its own (a quote): the last eligible one; NULL: none. */
	const struct lc_decimal *last_price;
	const char *trace_id, *span_id; /* NULL: null */
	bool halted;
	/* `kind: bar`, and seq 0: a day's bar (bar_snapshot) given as a snapshot tick, its price
	 * the close. */
	bool bar;
};

/* Writes a trade, quote or snapshot as a PriceUpdate, without a NUL. out holds LC_PRICE_UPDATE_MAX
 * bytes. Volume is 0 where it is not known; amount is price x volume on a trade without one, 0 with
 * the flag no_amount on a snapshot without one. LC_ERR_NOT_FOUND: no price is known (such a quote
 * is held back, before it gets a seq). Other kinds are programmer errors. */
enum lc_err lc_price_update_encode(const struct lc_message_context *context,
	const struct lc_tick *tick, const struct lc_price_context *extra, char *out, size_t *len);

/* ---- Bar ---- */

#define LC_BAR_MAX 1536 /* the longest Bar */

/* Writes a bar, without a NUL. out holds LC_BAR_MAX bytes. source: "live", or the vendor that made
 * the bar; at most 32 bytes. Returns the length. */
size_t lc_bar_encode(const struct lc_message_context *context, const struct lc_bar *bar,
	const struct lc_symbol *symbol, const char *source, char *out);

/* ---- SystemEvent, notifications ---- */

/* Appends {"type","timestamp","node_id","stream","id","data":{…}}. data ends with LC_FIELD_END.
 * Check out->failed. */
void lc_system_event_encode(const struct lc_message_context *context, const char *type,
	const char *id, int64_t now_ns, const struct lc_field *data, struct lc_buf *out);

enum lc_severity { LC_SEVERITY_INFO, LC_SEVERITY_WARNING, LC_SEVERITY_ERROR };

/* Appends {"type","timestamp","source","severity","data":{…}}; type: data_collection_alert or
 * data_quality_report. */
void lc_notification_encode(const struct lc_message_context *context, const char *type,
	enum lc_severity severity, int64_t now_ns, const struct lc_field *data, struct lc_buf *out);

/* ---- what comes in ---- */

/* Holds what a decoded message points to: one is valid until the next decode with the same decoder,
 * and while its bytes are unchanged. */
struct lc_decoder;

#define LC_MESSAGE_IN_MAX ((size_t)2 << 20) /* bytes of a message that we accept */
#define LC_MESSAGE_SYMBOLS_MAX 100000       /* entries of symbols or codes */
#define LC_MESSAGE_TEXT_MAX \
	256 /* bytes of any id, name or source; longer ones are LC_ERR_INVALID */
#define LC_MESSAGE_AHEAD_NS \
	(INT64_C(300) * 1000000000) /* a time further ahead of its record is clamped */

enum lc_err lc_decoder_create(struct lc_decoder **out);
void lc_decoder_destroy(struct lc_decoder *decoder);

/* What the decoders are given. */
struct lc_message_in {
	const char *data;
	size_t len;
	int64_t record_ns; /* the Kafka record's timestamp; when it has none, when it was read */
	const struct lc_zone *naive_zone; /* of times without a zone */
	/* Of a command: its record's header of this name; NULL: none. */
	const char *traceparent;
	size_t traceparent_len;
};

struct lc_interest_update {
	struct lc_text portfolio_id; /* never empty */
	struct lc_text node_id;      /* may be absent */
	enum lc_interest_type type;
	const struct lc_text *symbols; /* as sent, not checked against the symbol rules */
	size_t count;
	size_t not_texts;     /* entries of symbols that were not strings, left out */
	int64_t timestamp_ns; /* the record's when the message has none */
	bool clamped; /* the message's time was too far ahead: timestamp_ns is the record's */
};

/* LC_ERR_INVALID with the reason in *err: not JSON, no portfolio_id, no symbols, an unknown
 * update_type, a time that is none. LC_ERR_TOO_LARGE, LC_ERR_NOMEM. */
enum lc_err lc_interest_update_decode(struct lc_decoder *decoder, const struct lc_message_in *in,
	struct lc_interest_update *out, struct lc_error *err);

#define LC_COMMANDS(X)                                   \
	X(LC_COMMAND_BAR_SNAPSHOT, "bar_snapshot")       \
	X(LC_COMMAND_UPDATE_DATA, "update_data")         \
	X(LC_COMMAND_UPDATE_SELECTOR, "update_selector") \
	X(LC_COMMAND_PAPER_TRADING, "paper_trading")     \
	X(LC_COMMAND_DEPLOY, "deploy")                   \
	X(LC_COMMAND_UNLOAD, "unload")                   \
	X(LC_COMMAND_HEARTBEAT_TEST, "heartbeat_test")   \
	X(LC_COMMAND_STOCKINFO, "stockinfo")             \
	X(LC_COMMAND_ADJUSTFACTOR, "adjustfactor")       \
	X(LC_COMMAND_TICK, "tick")                       \
	X(LC_COMMAND_RELOAD, "reload")                   \
	X(LC_COMMAND_FEEDER_START, "feeder_start")       \
	X(LC_COMMAND_FEEDER_STOP, "feeder_stop")

enum lc_command {
	LC_COMMAND_UNKNOWN, /* not an error here: name says what it was */
#define X(name, text) name,
	LC_COMMANDS(X)
#undef X
};

struct lc_control_command {
	enum lc_command command;
	struct lc_text name; /* never empty */
	struct lc_text id;   /* request_id, else correlation_id, else absent */
	struct lc_text request_id, correlation_id, source, trace_id, span_id,
		version; /* each may be absent */
	/* Of trace_id and span_id, else the record's; "": no trace is known. Where the message
	 * names neither, trace_id and span_id are the record's. */
	char traceparent[LC_TRACEPARENT_LEN + 1];
	const struct lc_value *params; /* an object; NULL when absent */
	int64_t timestamp_ns;          /* the record's when the message has none */
	bool clamped;                  /* as in lc_interest_update */
};

enum lc_err lc_control_command_decode(struct lc_decoder *decoder, const struct lc_message_in *in,
	struct lc_control_command *out, struct lc_error *err);

const char *lc_command_name(enum lc_command command); /* "unknown" for LC_COMMAND_UNKNOWN */

/* The parameters of a command. LC_ERR_NOT_FOUND: absent or null, *out is left alone (so give it the
 * default before); LC_ERR_INVALID: of another type. */
enum lc_err lc_command_text(
	const struct lc_control_command *command, const char *key, struct lc_text *out);
enum lc_err lc_command_bool(const struct lc_control_command *command, const char *key, bool *out);
enum lc_err lc_command_int(const struct lc_control_command *command, const char *key, int64_t *out);
/* `codes` (a list of strings, or one string), else `code` (a string). In memory of the decoder,
 * replaced by the next call. */
enum lc_err lc_command_codes(struct lc_decoder *decoder, const struct lc_control_command *command,
	const struct lc_text **codes, size_t *count);

/* ---- what the tools send ---- */

/* Appends an InterestUpdate. Check out->failed. */
void lc_interest_update_encode(const struct lc_message_context *context, const char *portfolio_id,
	enum lc_interest_type type, const char *const *symbols, size_t count, int64_t now_ns,
	struct lc_buf *out);

/* Appends a ControlCommand. params ends with LC_FIELD_END (LC_J for lists); request_id NULL: none
 * is written. */
void lc_control_command_encode(const struct lc_message_context *context, const char *command,
	const char *request_id, const char *source, const struct lc_field *params, int64_t now_ns,
	struct lc_buf *out);

/* ---- watching ---- */

/* The part of a PriceUpdate that `watch` shows. Decimals are known when their LC_HAS_ bit is
 * set. */
struct lc_price_view {
	struct lc_text symbol, kind, source, stream, market;
	/* LC_HAS_PRICE, _VOLUME, _AMOUNT, _BID, _ASK, _BID_VOLUME, _ASK_VOLUME, _PREV_CLOSE,
	 * _EVENT_TIME */
	uint32_t has;
	struct lc_decimal price, volume, amount, bid, ask, bid_volume, ask_volume, prev_close;
	int64_t event_ns, received_ns; /* received_ns 0: absent */
	uint64_t seq, conflated;
};

enum lc_err lc_price_update_decode(struct lc_decoder *decoder, const struct lc_message_in *in,
	struct lc_price_view *out, struct lc_error *err);
