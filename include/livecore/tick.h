/* One tick: what a vendor said about one symbol at one time, in a fixed-size value that is copied,
 * never owned. Plain data. Feeders fill it, quality judges it, the queue may merge it, the encoder
 * writes it. Volumes are shares, amounts money in the market's currency, prices the vendor's
 * decimals. */
#pragma once

#include "livecore/decimal.h"

#include <stdbool.h>
#include <stdint.h>

enum lc_tick_kind {
	LC_TICK_TRADE,      /* one trade */
	LC_TICK_QUOTE,      /* best bid and ask */
	LC_TICK_SNAPSHOT,   /* a session's state: last, open, high, low, totals, best level */
	LC_TICK_CORRECTION, /* a trade was changed: u.correction */
	LC_TICK_CANCEL, /* a trade was taken back: trade_id, price, volume are the cancelled ones */
	LC_TICK_STATUS, /* halt, resume and the like: u.status */
	LC_TICK_KINDS
};

/* Which decimals are known. A missing field is not zero. */
enum lc_tick_field {
	LC_HAS_PRICE = 1 << 0,
	LC_HAS_VOLUME = 1 << 1,
	LC_HAS_AMOUNT = 1 << 2,
	LC_HAS_BID = 1 << 3, /* price */
	LC_HAS_ASK = 1 << 4,
	LC_HAS_BID_VOLUME = 1 << 5,
	LC_HAS_ASK_VOLUME = 1 << 6,
	LC_HAS_OPEN = 1 << 7,
	LC_HAS_HIGH = 1 << 8,
	LC_HAS_LOW = 1 << 9,
	LC_HAS_PREV_CLOSE = 1 << 10,
	LC_HAS_LIMIT_UP = 1 << 11,
	LC_HAS_LIMIT_DOWN = 1 << 12,
	LC_HAS_TRADE_ID = 1 << 13,
	LC_HAS_EVENT_TIME = 1 << 14, /* else event_ns is received_ns */
};

enum lc_tick_flag {
	LC_FLAG_LATE = 1 << 0,
	LC_FLAG_BACKFILLED = 1 << 1,
	LC_FLAG_BEYOND_LIMIT = 1 << 2,
	LC_FLAG_REFRESH = 1 << 3,
	LC_FLAG_UNPROTECTED = 1 << 4,
	LC_FLAG_NO_AMOUNT = 1 << 5,
};

/* What a trade's conditions let it update (protocol 1.6.1). Snapshots and quotes: all set. */
enum lc_tick_effect {
	LC_UPDATES_LAST = 1,
	LC_UPDATES_HIGH_LOW = 2,
	LC_UPDATES_VOLUME = 4,
	LC_UPDATES_ALL = 7,
	LC_UPDATES_LAST_IF_FIRST =
		8, /* by a feeder only: quality makes it LC_UPDATES_LAST or nothing */
};

enum lc_status_action { LC_STATUS_INFO, LC_STATUS_HALT, LC_STATUS_RESUME };

#define LC_TICK_CONDITIONS 6

struct lc_conditions {
	uint8_t count;
	char code[LC_TICK_CONDITIONS]
		 [3]; /* NUL-terminated, as the vendor names them; "" and " " occur */
};

/* What a queued tick knows of the ticks merged into it, itself included. Only when conflated >
 * 0. */
struct lc_merged {
	struct lc_decimal open, high, low, volume, amount;
	struct lc_decimal close; /* the last price that was traded; a snapshot's own may not be */
	int64_t first_ns;        /* event time of the first */
};

/* A snapshot's volume against that of its symbol before. Only prices with which volume rose were
 * traded; others (a call auction's) are indications. */
enum lc_traded {
	LC_TRADED_UNKNOWN, /* nobody compared: taken as yes */
	LC_TRADED_FIRST,   /* the first of its day or session: nothing is merged with it */
	LC_TRADED_NO,
	LC_TRADED_YES,
};

struct lc_tick {
	uint32_t symbol; /* index in the symbol table */
	uint8_t kind;    /* enum lc_tick_kind */
	/* enum lc_tick_effect bits; a trade without LC_UPDATES_LAST is not eligible */
	uint8_t effect;
	uint8_t flags;            /* enum lc_tick_flag bits */
	uint8_t source;           /* index of the feeder in the manager */
	uint32_t has;             /* enum lc_tick_field bits */
	uint32_t conflated;       /* this many earlier ticks are merged into this one */
	uint8_t traded;           /* enum lc_traded, of a snapshot; by quality */
	bool delayed;             /* the source delays its data on purpose */
	bool full_snapshot;       /* every field of the snapshot is fresh, not merged from deltas */
	uint8_t doubts;           /* 1 << enum lc_doubt, by quality: counted, not published */
	int64_t event_ns;         /* when the source says it happened */
	int64_t received_ns;      /* wall time when its last byte reached the process */
	int64_t received_mono_ns; /* the same instant, monotonic: for latencies */
	uint64_t seq;             /* given by the pipeline */
	uint64_t trade_id;
	struct lc_decimal price, volume, amount;
	struct lc_decimal bid, ask, bid_volume, ask_volume;
	struct lc_decimal open, high, low, prev_close;
	struct lc_decimal limit_up, limit_down; /* the vendor's own, for this day */
	struct lc_merged merged;
	char exchange[4]; /* of the trade, or of the bid; NUL-terminated */
	char tape[2];
	char feed[12]; /* "iex", "sip", …; "" when the vendor has none */
	struct lc_conditions conditions;
	union {
		struct { /* new values; the original ones are trade_id, price, volume, conditions */
			uint64_t trade_id;
			struct lc_decimal price, volume;
			struct lc_conditions conditions;
			uint8_t effect;
		} correction;
		struct {
			uint8_t action; /* enum lc_status_action */
			char code[4], reason[8];
			char text[64], reason_text[64]; /* cut to fit, valid UTF-8 */
		} status;
	} u;
};

/* What the newly followed symbol's state was before its first tick, from a request to the
 * vendor. */
struct lc_reference {
	uint32_t symbol;
	uint32_t has; /* LC_HAS_PRICE, OPEN, HIGH, LOW, VOLUME, AMOUNT, PREV_CLOSE */
	int64_t event_ns;
	struct lc_decimal price, open, high, low, volume, amount, prev_close;
};

const char *lc_tick_kind_name(enum lc_tick_kind kind); /* "trade", "quote", "snapshot", … */
