/* Is a feed alive? Three verdicts: of its socket (the connection answers: pings and pongs count
 * here only), of its subscription (data of the symbols it follows, as a whole), and of each symbol
 * (silent while its peers are not). How often a symbol speaks is learned, by the time of its
 * market's session; a feed's silence is weighed against the sum of its symbols, so that a busy feed
 * is missed within seconds and a quiet one is left in peace. Pure: no I/O, the time is an argument.
 * Loop thread. It never reconnects anything: it says what is to be done next.
 *
 * How silence is weighed: what a symbol says within a quarter of a second counts once. While a feed
 * is silent, the ticks that were to be expected meanwhile are summed up; with arrivals by chance, a
 * silence that should have held n of them has a probability of e^-n. `patience` is that n, 25 by
 * default: once in 10^11 silences. Few symbols are less like chance: one alone gets four times the
 * patience. What is no chance at all (polls, a vendor that sends in bursts) is seen in silences
 * that held much and ended by themselves: none is mute before twice the longest of these. Only
 * continuous trading counts, and the pre-market where it was learned: never an auction (exchanges
 * pause in it), lunch, after hours or a holiday, nor the first seconds after an open or a
 * subscription, nor a halted symbol. */
#pragma once

#include "livecore/market.h"

#define LC_LIVE_NO_FEED UINT8_MAX

/* The section `liveness`; times in ms. */
struct lc_liveness_config {
	bool enabled;
	double patience;          /* ticks that a silence must have been expected to hold */
	int64_t min_silence;      /* no shorter silence is ever mute */
	int64_t max_silence;      /* of a feed of which nothing is known: it is asked again */
	int64_t symbol_silence;   /* no shorter silence of one symbol is ever one */
	int64_t grace;            /* after an open, a connection, a subscription */
	int64_t probe_wait;       /* for the answer to a probe */
	int64_t resubscribe_wait; /* for data after subscribing anew; doubles with each failure */
	int64_t reconnect_wait;   /* for a connection, and for data on it; doubles too, to 10 min */
};

enum lc_live_socket { LC_SOCKET_UNKNOWN, LC_SOCKET_ANSWERS, LC_SOCKET_DEAD };

enum lc_live_subscription {
	LC_LIVE_IDLE,    /* nothing is followed, not connected, or no session: nothing to expect */
	LC_LIVE_GRACE,   /* too early to say */
	LC_LIVE_UNKNOWN, /* nothing is learned yet */
	LC_LIVE_FLOWS,
	LC_LIVE_UNHEARD, /* nothing came for max_silence, and nothing is known of what should */
	LC_LIVE_MUTE,
	LC_LIVE_FROZEN, /* polls are answered, and what they say never changes */
};

/* How far the answer has gone. */
enum lc_live_stage {
	LC_STAGE_NONE,
	LC_STAGE_PROBE,
	LC_STAGE_RESUBSCRIBE,
	LC_STAGE_RECONNECT,
	LC_STAGE_FAIL_OVER, /* again and again, each after a longer wait */
	LC_STAGE_OVER,      /* data came again; only in a step */
	LC_STAGES
};

const char *lc_live_socket_name(enum lc_live_socket socket); /* "answers" … */
const char *lc_live_subscription_name(enum lc_live_subscription subscription);
const char *lc_live_stage_name(enum lc_live_stage stage); /* "probe" … */

struct lc_liveness;

/* All borrowed. config: valid until lc_liveness_configure() gives another. */
struct lc_liveness_options {
	size_t max_symbols, feeds;
	const struct lc_symbols *symbols;
	struct lc_calendar *calendar;
	const struct lc_liveness_config *config;
	int64_t mono_ns;
};

enum lc_err lc_liveness_create(const struct lc_liveness_options *options, struct lc_liveness **out);
void lc_liveness_destroy(struct lc_liveness *live);
void lc_liveness_configure(struct lc_liveness *live, const struct lc_liveness_config *config);

/* --- what comes in --- */

/* A tick of this feed that says something new. Per tick: no allocation, no look at the calendar. */
void lc_liveness_data(
	struct lc_liveness *live, uint8_t feed, uint32_t symbol, int64_t event_ns, int64_t mono_ns);
/* The vendor said of this symbol what it had said before: a poll without a change, a repeat. With
 * data_ns (the vendor's own time of it, 0: none) later than the last, it is data after all. */
void lc_liveness_same(
	struct lc_liveness *live, uint8_t feed, uint32_t symbol, int64_t data_ns, int64_t mono_ns);

/* --- judging: some times a second, turn() first, then each feed, then some symbols --- */

void lc_liveness_turn(struct lc_liveness *live, int64_t wall_ns, int64_t mono_ns);

/* How the feed's session stands. */
struct lc_live_link {
	bool connected;
	bool stopped;       /* by command or for good: there is nothing to mend */
	uint64_t session;   /* its number: one may end and another begin between two turns */
	bool settled;       /* what is followed has been subscribed */
	bool reading;       /* not stopped by back pressure */
	bool moved;         /* its symbols were given to another source until it is well */
	int64_t heard_ns;   /* monotonic: the connection itself answered last; 0: it cannot say */
	int64_t cadence_ns; /* of polls; 0: the vendor pushes */
};

struct lc_live_step {
	enum lc_live_stage stage; /* to be done now; LC_STAGE_NONE: nothing */
	enum lc_live_subscription verdict;
	enum lc_live_socket socket;
	unsigned attempt;      /* of LC_STAGE_FAIL_OVER: 1, 2 … */
	int64_t expected_ns;   /* the longest silence that is taken for ordinary */
	int64_t silent_ns;     /* in session, since data came last */
	double expected_ticks; /* that the silence should have held */
};

/* One feed's turn. After LC_STAGE_OVER its stage is none. */
void lc_liveness_feed(struct lc_liveness *live, uint8_t feed, const struct lc_live_link *link,
	struct lc_live_step *step);

/* One market of a feed that follows several: is it silent while the others are not? */
enum lc_live_part {
	LC_PART_FINE,
	LC_PART_ASK_AGAIN, /* once: subscribe its symbols anew */
	LC_PART_MUTE,      /* that did not help: it is said, and no more can be done */
	LC_PART_BACK,      /* it was one of these, and spoke, or nothing is expected of it now */
};

/* One market's turn, after lc_liveness_feed() of the same feed. While it is not fine its symbols
 * are not judged one by one, and it counts neither for nor against the feed. */
enum lc_live_part lc_liveness_part(struct lc_liveness *live, uint8_t feed, enum lc_market market,
	const struct lc_live_link *link, struct lc_live_step *step);

enum lc_live_symbol {
	LC_SYMBOL_FINE,
	LC_SYMBOL_ASK_AGAIN, /* once: subscribe it anew */
	LC_SYMBOL_SILENT,    /* that did not help */
	LC_SYMBOL_BACK, /* it was LC_SYMBOL_SILENT, and spoke, or nothing is expected of it now */
};

/* Who follows a symbol and how it is, LC_LIVE_NO_FEED: nobody. Keeps the sums, learns, and judges.
 * held: the vendor has it. To be called for every symbol in turn; a change is felt at the next call
 * for it. */
enum lc_live_symbol lc_liveness_visit(
	struct lc_liveness *live, uint32_t symbol, uint8_t feed, bool held, bool halted);

/* --- what is known --- */

struct lc_live_view {
	enum lc_live_socket socket;
	enum lc_live_subscription subscription;
	enum lc_live_stage stage;
	int64_t silent_ns, expected_ns;
	double rate;    /* ticks a second to be expected now */
	unsigned mute;  /* markets that are LC_PART_MUTE, as bits 1 << enum lc_market */
	size_t silent;  /* symbols that are LC_SYMBOL_SILENT */
	size_t learned; /* symbols of which something is known for this time of day */
};
void lc_liveness_view(const struct lc_liveness *live, uint8_t feed, struct lc_live_view *out);

/* For the evidence: how long a symbol has been silent, and what was taken for ordinary. */
void lc_liveness_symbol(
	const struct lc_liveness *live, uint32_t symbol, int64_t *silent_ns, int64_t *expected_ns);

/* --- over a restart --- */

#define LC_LIVE_SAVED_MAX 64

/* Was anything learned of the symbol since it was saved? */
bool lc_liveness_changed(const struct lc_liveness *live, uint32_t symbol);
/* Writes what was learned; returns its bytes, 0: nothing. It counts as saved. */
size_t lc_liveness_save(
	struct lc_liveness *live, uint32_t symbol, int64_t wall_ns, uint8_t out[LC_LIVE_SAVED_MAX]);
/* Saving failed: it is to be saved again. */
void lc_liveness_unsaved(struct lc_liveness *live, uint32_t symbol);
/* LC_ERR_INVALID: not what save() wrote. LC_ERR_END: too old to be worth anything. */
enum lc_err lc_liveness_restore(
	struct lc_liveness *live, uint32_t symbol, const void *data, size_t len, int64_t wall_ns);
