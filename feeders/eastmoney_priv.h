/* What the files of the EastMoney feeder share: settings, the session, and the book of what is
 * followed and how it is asked for. Loop thread. */
#pragma once

#include "eastmoney_wire.h"
#include "judge.h"
#include "livecore/buf.h"
#include "livecore/config.h"
#include "livecore/feeder.h"
#include "livecore/http_client.h"
#include "livecore/list.h"
#include "livecore/sse.h"
#include "livecore/ws_client.h"
#include "pace.h"
#include "refresh.h"
#include "request.h"

enum lc_eastmoney_mode { LC_EASTMONEY_SSE, LC_EASTMONEY_POLL, LC_EASTMONEY_WS };
enum lc_eastmoney_volume { LC_EASTMONEY_SHARES, LC_EASTMONEY_LOTS };

#define LC_EASTMONEY_MAX_STREAMS 6 /* the HTTP client opens at most 8 connections to one host */

/* The section `eastmoney`; strings are the configuration's. */
struct lc_eastmoney_settings {
	int mode, ws_volume;
	char *url, *ws_url, *api_key, *ut, *stream_ut, *user_agent, *referer;
	struct lc_strings us_markets;
	int64_t max_secids, max_url, max_connections, mpi_ms, poll_ms;
	int64_t connect_ms, timeout_ms, idle_ms, ping_ms, pong_ms;
	struct lc_ban_settings ban;
};

extern const struct lc_section lc_eastmoney_section;

/* Appends the URL of a list, or of a stream, up to its secids. */
void lc_eastmoney_list_url(
	const struct lc_eastmoney_settings *settings, const char *fields, struct lc_buf *out);
void lc_eastmoney_stream_url(const struct lc_eastmoney_settings *settings, struct lc_buf *out);

/* How old quotes can get. */
void lc_eastmoney_explain(const void *config, size_t n_symbols, struct lc_buf *out);

/* --- the book (eastmoney_book.c): pure, no I/O --- */

struct lc_eastmoney_stream;

/* One followed symbol. Owned by the book. */
struct lc_eastmoney_entry {
	struct lc_list node;
	struct lc_eastmoney_stream *stream; /* borrowed; NULL: it is polled */
	uint32_t symbol;
	uint32_t round;       /* the poll that asked for it last */
	size_t secids, bytes; /* what it takes in its stream's URL */
	int64_t fresh_ns;     /* monotonic: when it was answered last; before that, followed */
	bool answered;
	/* Its stream was opened anew: deltas say nothing until everything was said once. */
	bool awaits_full;
	struct lc_eastmoney_row row; /* what was told last; deltas are merged into it */
};

/* What is remembered of a symbol while the process lives. */
struct lc_eastmoney_known {
	uint8_t us_market; /* the prefix that answered; 0: not known */
	bool halted;       /* a halt was told, and no resume since */
	bool missing_told; /* the vendor does not know it, and the log says so */
};

struct lc_eastmoney_book {
	const struct lc_symbols *symbols; /* borrowed */
	/* Both by symbol, `room` long. */
	struct lc_eastmoney_entry **entries;
	struct lc_eastmoney_known *known;
	size_t room, count, n_polled;
	struct lc_list polled; /* the first is asked for next */
	uint8_t us_markets[LC_EASTMONEY_US_MARKETS];
	size_t n_us_markets;
};

void lc_eastmoney_book_init(struct lc_eastmoney_book *book, const struct lc_symbols *symbols);
void lc_eastmoney_book_finish(struct lc_eastmoney_book *book);
/* The prefixes tried for a US symbol, from the setting. */
void lc_eastmoney_book_markets(struct lc_eastmoney_book *book, const struct lc_strings *markets);

/* Adds behind `after` (at first &book->polled, then the entry before), so that new symbols are
 * asked for first and in order. A symbol that is there already is left where it is. LC_ERR_NOMEM.
 * */
enum lc_err lc_eastmoney_book_add(
	struct lc_eastmoney_book *book, uint32_t symbol, int64_t now_ns, struct lc_list **after);
/* Takes a symbol out, of its stream too, which is then marked as changed. */
void lc_eastmoney_book_remove(struct lc_eastmoney_book *book, uint32_t symbol);
/* Forgets what is followed, not what is known. Streams' lists must be dropped with it. */
void lc_eastmoney_book_clear(struct lc_eastmoney_book *book);
/* NULL when the symbol is not followed. */
struct lc_eastmoney_entry *lc_eastmoney_book_find(
	const struct lc_eastmoney_book *book, uint32_t symbol);
struct lc_eastmoney_known *lc_eastmoney_book_known(
	const struct lc_eastmoney_book *book, uint32_t symbol);

/* Moves polled entries into a stream while they fit. Returns true when any did; the stream is then
 * marked. */
bool lc_eastmoney_book_fill(struct lc_eastmoney_book *book, struct lc_eastmoney_stream *stream,
	size_t max_secids, size_t max_bytes);
/* Appends the secids of an entry: all prefixes of a US symbol whose own is not known. Returns how
 * many. */
size_t lc_eastmoney_book_secids(const struct lc_eastmoney_book *book,
	const struct lc_eastmoney_entry *entry, struct lc_buf *out);
/* Appends the secids of the next poll, moves its entries behind the others and marks them with
 * round. Returns how many entries. */
size_t lc_eastmoney_book_batch(struct lc_eastmoney_book *book, uint32_t round, size_t max_secids,
	size_t max_bytes, struct lc_buf *out);

/* --- the session --- */

/* One server-sent event stream, which carries part of the symbols. */
struct lc_eastmoney_stream {
	struct lc_eastmoney *owner; /* borrowed */
	struct lc_list entries;
	size_t secids, bytes;
	bool changed;                    /* to be opened, or opened again with other symbols */
	bool spoke;                      /* an event came since it was opened */
	int64_t not_before_ns, heard_ns; /* monotonic */
	struct lc_http_request *request; /* NULL: closed */
	struct lc_sse *sse;
	size_t event_rows;   /* of the event being read */
	uint32_t *positions; /* which symbol a row's position means; LC_EASTMONEY_MAX_ROWS */
};

enum lc_eastmoney_state {
	LC_EASTMONEY_IDLE,
	LC_EASTMONEY_PROBING, /* until the vendor answered at all; ws: until it is open */
	LC_EASTMONEY_UP,
	LC_EASTMONEY_ENDING, /* why is known; down() follows from the timer or from on_close */
};

/* What is asked for of one symbol's past. */
struct lc_eastmoney_backfill {
	bool active, waits; /* waits: for its turn among the requests */
	uint32_t symbol;
	int64_t from_ns, until_ns, reached_ns, received_ns;
	size_t rows; /* the newest ones to be asked for; 0: all of today */
	size_t made, max;
	unsigned tries;
	enum lc_err code;
	char why[160];
	struct lc_http_request *request;
	struct lc_timer *timer; /* delivers the end */
};

struct lc_eastmoney {
	struct lc_feeder base;
	struct lc_eastmoney_backfill backfill;
	bool backfill_last; /* the last request was one: now it is the polls' turn */
	const struct lc_eastmoney_settings *settings; /* borrowed; the newest */
	enum lc_eastmoney_state state;
	int mode;               /* of this session */
	struct lc_timer *timer; /* paces requests; delivers down() */
	struct lc_down why;     /* in LC_EASTMONEY_ENDING */
	struct lc_json_parser *json;
	struct lc_buf url;
	struct lc_eastmoney_book book;
	bool paused;

	struct lc_http_request *request; /* the probe or the poll under way */
	uint32_t round;                  /* numbers the polls */
	struct lc_pace pace;
	struct lc_eastmoney_stream streams[LC_EASTMONEY_MAX_STREAMS];
	size_t n_streams;
	struct lc_ws *ws;

	struct lc_judge judge;
	int64_t received_ns, received_mono_ns; /* of what is being read */
	int64_t heard_ns; /* monotonic: the last answer, bytes of a stream or message */

	struct lc_refresh refresh;
	uint64_t *unchanged, *reopened;
};

/* Ends the session: nothing more is read, and down() follows in a later turn. */
void lc_eastmoney_end(struct lc_eastmoney *self, enum lc_down_kind kind, int64_t wait_ms,
	enum lc_err code, const char *format, ...) __attribute__((format(printf, 5, 6)));
/* Calls down(). Only from the timer or from the WebSocket's on_close. */
void lc_eastmoney_deliver(struct lc_eastmoney *self);

/* One row of a known symbol: merged, and told when something changed. */
void lc_eastmoney_take(struct lc_eastmoney *self, uint32_t symbol,
	const struct lc_eastmoney_row *row, const struct lc_eastmoney_answer *answer,
	unsigned units);
/* The followed symbol that a row names, or LC_SYMBOL_NONE. */
uint32_t lc_eastmoney_row_symbol(struct lc_eastmoney *self, const struct lc_eastmoney_row *row);
/* Says once of a symbol that was asked for and never answered that the vendor does not know it. */
void lc_eastmoney_tell_missing(struct lc_eastmoney *self, const struct lc_eastmoney_entry *entry);
void lc_eastmoney_bad(struct lc_eastmoney *self, const char *reason, const char *data, size_t len);

/* eastmoney_http.c: what an answer means for the session. True when it can be read. */
bool lc_eastmoney_judge(struct lc_eastmoney *self, const struct lc_http_answer *answer);
/* A readable answer came. */
void lc_eastmoney_good(struct lc_eastmoney *self);
void lc_eastmoney_probe(struct lc_eastmoney *self);
/* The same in a session that is up: its answer is a sign of life. */
void lc_eastmoney_knock(struct lc_eastmoney *self);
/* Sends the next request that is due, and sets the timer for the one after it. */
void lc_eastmoney_pump(struct lc_eastmoney *self);

/* eastmoney_sse.c */
enum lc_err lc_eastmoney_streams_open(struct lc_eastmoney *self);
/* Closes connections; the streams' symbols stay. */
void lc_eastmoney_streams_close(struct lc_eastmoney *self);
/* Frees what the streams hold. */
void lc_eastmoney_streams_finish(struct lc_eastmoney *self);
/* Gives polled symbols to streams with room, and closes streams without symbols. */
void lc_eastmoney_streams_fill(struct lc_eastmoney *self);
/* Does a stream wait to be opened, now? */
bool lc_eastmoney_streams_due(struct lc_eastmoney *self, int64_t now_ns);
/* Opens one stream that is due; false when none is. */
bool lc_eastmoney_streams_next(struct lc_eastmoney *self, int64_t now_ns);
void lc_eastmoney_streams_pause(struct lc_eastmoney *self, bool paused);

/* eastmoney_ws.c */
void lc_eastmoney_ws_start(struct lc_eastmoney *self);
/* Codes in one message, at most. */
size_t lc_eastmoney_ws_batch(const struct lc_eastmoney *self);
void lc_eastmoney_ws_change(struct lc_eastmoney *self, const uint32_t *add, size_t n_add,
	const uint32_t *remove, size_t n_remove);

/* eastmoney_backfill.c: the slots of struct lc_feeder_impl, and its turn among the requests. */
enum lc_err lc_eastmoney_backfill_create(struct lc_eastmoney *self);
size_t lc_eastmoney_backfill_most(
	const struct lc_feeder *feeder, enum lc_backfill_kind what, uint32_t symbol);
enum lc_err lc_eastmoney_backfill(struct lc_feeder *feeder, const struct lc_backfill *request);
/* Sends its request, when one waits. */
bool lc_eastmoney_backfill_send(struct lc_eastmoney *self);
/* The session ends. */
void lc_eastmoney_backfill_stop(struct lc_eastmoney *self);
