/* What the files of the simulators share. Never leaves this folder. Loop thread only. */
#pragma once

#include "livecore/buf.h"
#include "livecore/http_server.h"
#include "livecore/list.h"
#include "livecore/loop.h"
#include "livecore/sim.h"
#include "ring.h"
#include "walk.h"

#include <stdio.h>

struct sim_options {
	const char *vendor;
	int port;
	const char *bind; /* the address; loopback */
	int64_t seed;
	double rate; /* ticks a second over all symbols; INFINITY: max */
	const char *tape, *tape_from;
	double speed; /* of the tape; INFINITY: max */
	bool exit_with_stdin;
	const char *tls_cert, *tls_key;
	const char *faults;
	const char *sent;
	const char *key, *secret;
	int64_t symbol_limit; /* Alpaca: (channel, symbol) pairs of trades and quotes; 0: none */
	int64_t connection_limit; /* Alpaca: sessions a key */
	int64_t auth_timeout_ms;  /* Alpaca */
	int64_t per_frame;        /* Alpaca: the most messages in one frame */
	int64_t oddities;         /* Alpaca: one message in so many is an unusual one; 0: none */
	int64_t linger_s;         /* Alpaca: who was followed trades on for so long */
	int64_t limit_ticks;      /* stop after so many; 0: never */
	const char *feeds;        /* Alpaca: feeds of the plan, comma-separated; NULL: all */
	const char *reject;       /* symbols refused as invalid or unknown, comma-separated */
	bool deflate;
	const char *shape;     /* FuShu: "spec" or "code" */
	const char *ws_volume; /* EastMoney: "shares" or "lots" */
};

/* One scripted fault: what, how much, and when it begins. */
enum sim_fault_kind {
	SIM_FAULT_MUTE,      /* seconds without data */
	SIM_FAULT_QUIET,     /* seconds in which nothing happens on the market */
	SIM_FAULT_QUIET_HK,  /* … on Hong Kong's */
	SIM_FAULT_HALF_OPEN, /* seconds without reading or writing */
	SIM_FAULT_DRIP,      /* seconds of one byte at a time */
	SIM_FAULT_MALFORMED, /* one message that is not what it should be */
	SIM_FAULT_BAD_FRAME, /* one frame that breaks RFC 6455 */
	SIM_FAULT_CUT,       /* the connection ends in the middle of a frame or body */
	SIM_FAULT_CLOSE,     /* a close frame with this code */
	SIM_FAULT_DROP,      /* every connection is closed without a word */
	SIM_FAULT_REFUSE,    /* so many upgrades or requests get a status: "refuse:429/3" */
	SIM_FAULT_BAN,       /* so many requests are closed without an answer */
	SIM_FAULT_HOLD,      /* seconds in which connections are accepted and never answered */
	SIM_FAULT_DUPLICATE, /* so many trades are sent twice */
	SIM_FAULT_DISORDER,  /* so many trades are stamped a few seconds before the last one */
	SIM_FAULT_ZERO,      /* so many trades or snapshots have a price of 0 */
	SIM_FAULT_ERROR,     /* an error message with this code to every session */
	/* so many authentications are answered with a code: "auth-error:402/2" */
	SIM_FAULT_AUTH_ERROR,
	SIM_FAULT_SUB_ERROR,  /* so many subscriptions are answered with a code */
	SIM_FAULT_CORRECT,    /* so many trades are followed by a correction or a cancel */
	SIM_FAULT_HALT,       /* one halt (0) or resumption (1) of every followed symbol */
	SIM_FAULT_CLOCK,      /* the vendor's clock is so many seconds ahead, for COUNT seconds */
	SIM_FAULT_CLOCK_BACK, /* or behind */
	SIM_FAULT_CLEAR,      /* ends all of the above */
	SIM_FAULTS,
};

struct sim_fault {
	enum sim_fault_kind kind;
	int64_t value, count;
	int64_t start_ns; /* monotonic */
};

struct sim_faults {
	struct sim_fault pending[32];
	size_t pending_count;
	int64_t mute_until_ns, quiet_until_ns, quiet_hk_until_ns, half_open_until_ns, drip_until_ns,
		hold_until_ns;
	int64_t clock_ns, clock_until_ns;
	int64_t refuse_status, refuse_left, ban_left, duplicate_left, disorder_left, zero_left;
	int64_t auth_code, auth_left, sub_code, sub_left, correct_left;
	int64_t page_left, empty_left; /* of vendors that are polled: bodies that are no data */
};

#define SIM_SUBSCRIBE_LOG 4096
struct sim_stats {
	uint64_t connections, sessions, upgrades_refused, requests, bans;
	uint64_t auths, auth_failures;
	uint64_t ticks; /* trades, quotes, snapshots */
	uint64_t trades, quotes, snapshots, messages, frames;
	uint64_t subscribes;
	struct sim_subscribe {
		int64_t wall_ns;
		uint32_t symbols, bytes;
		bool remove;
	} log[SIM_SUBSCRIBE_LOG]; /* the first ones */
};

/* One event of a tape. Prices as in walk.h. */
struct sim_tape_row {
	int64_t time_ns;
	int64_t price, size; /* a trade */
	char exchange;
	uint32_t conditions;
	int64_t open, high, low, last, prev_close, volume, value; /* a snapshot */
	int64_t bid[5], ask[5], bid_size[5], ask_size[5];
};

struct sim_tape {
	char symbol[20];
	struct sim_tape_row *rows;
	size_t count, first, next;
	int64_t started_mono_ns; /* 0: not yet */
	int32_t offset_s;        /* of its market's zone */
};

struct sim;

enum sim_tapes { SIM_TAPES_NONE, SIM_TAPES_OF_TRADES, SIM_TAPES_OF_SNAPSHOTS };

#define SIM_FAULT_BIT(kind) (UINT32_C(1) << (kind))

struct sim_vendor {
	const char *name;
	uint32_t faults;            /* SIM_FAULT_BIT()s that it plays besides those that all do */
	enum sim_tapes tapes;       /* that it plays */
	const char *scheme, *path;  /* of the line that says where it listens */
	const char *const *headers; /* that requests are asked for */
	enum lc_err (*start)(struct sim *sim, struct lc_error *err);
	/* One request that no common page answered. */
	void (*on_request)(struct sim *sim, struct lc_exchange *exchange);
	/* Every millisecond or so: due ticks have to go out. */
	void (*on_turn)(struct sim *sim, int64_t mono_ns, int64_t wall_ns);
	/* A fault that is an event and not a state of struct sim_faults. May be NULL. */
	void (*on_fault)(struct sim *sim, const struct sim_fault *fault);
	/* Whether somebody follows the symbol of this index now. */
	bool (*is_followed)(const struct sim *sim, size_t index);
	void (*stop)(struct sim *sim);
};
extern const struct sim_vendor sim_alpaca, sim_eastmoney, sim_fushu, sim_tencent;
/* Ended by NULL. */
extern const struct sim_vendor *const sim_vendors[];

struct sim {
	struct sim_options options;
	const struct sim_vendor *vendor;
	struct lc_log *log;
	struct lc_metrics *metrics;
	struct lc_loop *loop;
	struct lc_http_server *server;
	struct lc_timer *turn;
	struct sim_walk *walk;
	struct sim_tape *tape; /* NULL: none */
	struct sim_faults faults;
	struct sim_stats stats;
	FILE *sent; /* what was sent; NULL: not asked for */
	struct lc_buf sent_line;
	uint64_t sent_count;
	uint64_t random;
	double credit; /* ticks that are due */
	size_t next;   /* whose turn it is: sim_next_trade */
	int64_t last_turn_ns;
	int exit_code;
	bool stopping;
	void *state; /* the vendor's */
};

/* options.c: false with what to print when the arguments are not understood, or --help was
 * asked. */
bool sim_options_parse(int argc, char **argv, struct sim_options *out, struct lc_buf *message);

/* faults.c: "mute:5,close:1000@2". LC_ERR_INVALID: also a fault that the vendor does not play. */
enum lc_err sim_faults_add(
	struct sim *sim, const char *spec, int64_t mono_ns, struct lc_error *err);
/* Appends the names of those that it plays, each with what VALUE and COUNT are when not given. */
void sim_faults_names(const struct sim_vendor *vendor, struct lc_buf *out);
void sim_faults_turn(struct sim *sim, int64_t mono_ns);
/* Takes one off a count; false when none is left. */
bool sim_faults_take(int64_t *left);
/* How many of those that are counted nothing has met yet. */
int64_t sim_faults_left(const struct sim *sim);
/* The on_fault of vendors that are polled: malformed is a page, cut an empty body. */
void sim_poll_fault(struct sim *sim, const struct sim_fault *fault);
/* True: the body of this answer is done, as a fault has it. */
bool sim_poll_spoiled(struct sim *sim, struct lc_buf *out);
/* The body breaks off when a fault (correct) says so. */
void sim_poll_break_off(struct sim *sim, struct lc_buf *out);
/* What is said now, or asked, is kept back: the fault's name; NULL: it is not. */
const char *sim_held_back(const struct sim *sim);

/* tape.c */
enum lc_err sim_tape_load(const char *path, struct sim_tape **out, struct lc_error *err);
/* Begins it at this time of day instead of with its first row; "09:30". */
void sim_tape_from(struct sim_tape *tape, const char *from);
void sim_tape_destroy(struct sim_tape *tape);
/* The next row that is due, or NULL. The tape starts with the first call. */
const struct sim_tape_row *sim_tape_next(struct sim_tape *tape, double speed, int64_t mono_ns);
/* Of tapes of snapshots: the next row, when one is due, becomes the state of the tape's symbol. */
bool sim_tape_advance(struct sim *sim, struct sim_symbol *symbol, int64_t mono_ns);
/* At start: a tape that the vendor does not play is refused; the first row becomes the state, so
 * that nothing of the present is seen. */
enum lc_err sim_tape_begin(struct sim *sim, struct lc_error *err);

/* sent.c: a line a tick, columns separated by a blank:
 *
 *   time symbol kind id price volume amount number vendor bid ask bid-size ask-size mark
 *
 * Times in ns; prices and amounts as they are said, "-" what is not; the id of a trade, the total
 * volume of a snapshot; numbers rise by one. The mark is "-", or why this one is not like others:
 * "mute", "half-open" (a fault kept it back), "again" (sent before), "zero", "early". */
struct sim_sent {
	int64_t time_ns;
	const char *symbol, *kind;
	int64_t id, price, volume;
	int64_t amount; /* below 0: not said */
	int64_t bid, ask, bid_size, ask_size;
	const char *mark; /* NULL: none */
};
enum lc_err sim_sent_open(struct sim *sim, struct lc_error *err);
void sim_sent_add(struct sim *sim, const struct sim_sent *sent);
/* Before the bytes go out. */
void sim_sent_flush(struct sim *sim);
void sim_sent_close(struct sim *sim);

/* sim.c */
/* How many ticks are due now; at most a quarter of a second's. */
uint64_t sim_due(struct sim *sim, int64_t mono_ns);
/* So many trades as are due now, by turns of all symbols that are followed; NULL: that was all. The
 * credit is what sim_due said. */
struct sim_symbol *sim_next_trade(struct sim *sim, uint64_t *due, int64_t wall_ns);
/* True once --limit-ticks were sent. */
bool sim_exhausted(const struct sim *sim);
void sim_log_subscribe(struct sim *sim, size_t symbols, size_t bytes, bool remove);
bool sim_in_list(const char *list, const char *word);
/* A price or other value of 1/10,000, without trailing zeros. */
void sim_put_price(struct lc_buf *out, int64_t value);
/* RFC 3339 in UTC, trailing zeros of the fraction trimmed. */
size_t sim_format_time(int64_t time_ns, char out[40]);
void sim_reply_json(struct lc_exchange *exchange, int status, struct lc_buf *body);
