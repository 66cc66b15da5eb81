/* What feeders have in common that poll over HTTP: a session that begins with one request as a
 * probe, then asks in turn for what is followed, one request at a time and at one pace, new symbols
 * first. The vendor's file writes the URLs and reads the answers. Loop thread. It never decides
 * what an answer means, and never reconnects.
 *
 * A vendor embeds struct lc_poller first in its own struct, and struct lc_poller_settings first in
 * its section's. The slots start, stop, change, pause and configure of its lc_feeder_impl are the
 * functions here. */
#pragma once

#include "livecore/buf.h"
#include "livecore/feeder.h"
#include "livecore/http_client.h"
#include "pace.h"
#include "refresh.h"

#define LC_POLLER_MAX_BATCH 500

/* All to be read anew with each request, so that LC_APPLY_LIVE is right for them. */
struct lc_poller_settings {
	int64_t poll_ms, timeout_ms;
	int64_t connect_ms;  /* 0: as timeout_ms */
	int64_t max_symbols; /* in one request; 1 … LC_POLLER_MAX_BATCH */
	int64_t max_url;     /* bytes; 0: 4000, the longest request line that every server takes */
};

struct lc_poller;

struct lc_poller_vendor {
	const char *name; /* the section's */
	/* Appends the URL; probe: of the session's first request, else all of it that goes before
	 * the symbols. */
	void (*url)(struct lc_poller *poller, bool probe, struct lc_buf *out);
	/* Appends one symbol as the vendor names it. */
	void (*name_symbol)(
		struct lc_poller *poller, const struct lc_symbol *symbol, struct lc_buf *out);
	/* "Name: value" lines, ended by NULL, valid until the next call. */
	const char *const *(*headers)(struct lc_poller *poller);
	/* Reads an answer: hands its rows to lc_poller_row(), or says what was wrong and, where
	 * the session is over, calls lc_poller_end(). True: it was usable. A probe that was not
	 * has to end the session. */
	bool (*answer)(struct lc_poller *poller, const struct lc_http_answer *answer, bool probe);
};

enum lc_poller_state {
	LC_POLLER_IDLE,
	LC_POLLER_PROBING,
	LC_POLLER_UP,
	LC_POLLER_ENDING, /* why is known; down() follows from the timer */
};

/* What is known of one symbol, by its index. */
struct lc_poller_symbol {
	bool followed;
	bool answered;     /* since it is followed */
	bool asked;        /* the same */
	bool missing_told; /* the vendor does not know it, and the log says so */
	int64_t fresh_ns;  /* monotonic: when it was answered last; before that, followed */
};

struct lc_poller {
	struct lc_feeder base;
	const struct lc_poller_vendor *vendor;
	const struct lc_poller_settings *settings; /* borrowed; the newest */
	enum lc_poller_state state;
	struct lc_timer *timer;
	struct lc_http_request *request; /* at most one at a time */
	struct lc_down why;              /* in LC_POLLER_ENDING */
	struct lc_buf url;
	struct lc_pace pace;
	bool paused;
	uint32_t *followed; /* in the order in which they are asked for */
	size_t count, capacity;
	size_t next; /* where the next request begins in `followed` */
	struct lc_poller_symbol *symbols;
	size_t room; /* of symbols */
	uint32_t batch[LC_POLLER_MAX_BATCH];
	size_t batch_count;                    /* of the request under way */
	int64_t received_ns, received_mono_ns; /* of the answer being read */
	int64_t heard_ns;                      /* monotonic: the last usable answer */
	struct lc_refresh refresh;
};

/* env and the names are kept. LC_ERR_NOMEM; lc_poller_finish() is due either way. */
enum lc_err lc_poller_init(struct lc_poller *poller, const struct lc_feeder_impl *impl,
	const struct lc_poller_vendor *vendor, const struct lc_feeder_env *env);
/* Only when no session is open. */
void lc_poller_finish(struct lc_poller *poller);

/* One row of the answer being read. tick: all but symbol, source and times of receipt; NULL: the
 * vendor knows the symbol and says nothing. False when nobody ever followed the symbol. */
bool lc_poller_row(
	struct lc_poller *poller, const char *symbol, size_t len, const struct lc_tick *tick);
/* The answer says that nothing changed: its symbols were told again. */
void lc_poller_same(struct lc_poller *poller);
/* What of an answer cannot be read. */
void lc_poller_bad(struct lc_poller *poller, const char *reason, const char *data, size_t len);
/* Ends the session: down() follows in a later turn. The first reason counts. */
void lc_poller_end(struct lc_poller *poller, const struct lc_down *why);

/* Slots of struct lc_feeder_impl. */
void lc_poller_start(struct lc_feeder *feeder);
void lc_poller_stop(struct lc_feeder *feeder);
void lc_poller_change(struct lc_feeder *feeder, const uint32_t *add, size_t n_add,
	const uint32_t *remove, size_t n_remove);
void lc_poller_pause(struct lc_feeder *feeder, bool paused);
void lc_poller_configure(struct lc_feeder *feeder, const void *config);
/* An answer that was usable is a sign of life. */
void lc_poller_signs(const struct lc_feeder *feeder, struct lc_feeder_signs *out);
/* One line of `livecore check`. name: the section's. url: the address, to which name_bytes are
 * added for a symbol, at most. */
void lc_poller_explain(const char *name, const struct lc_poller_settings *settings, const char *url,
	size_t name_bytes, size_t n_symbols, struct lc_buf *out);
