/* The parts of the aggregator: a market's day as minute slots, a symbol's rows and totals. Loop
 * thread; only emit.c calls back. */
#pragma once

#include "livecore/bars.h"

#include <assert.h>

enum { SEGMENTS_MAX = 4, HOLES_MAX = 8, LONG_PERIODS = 4 };
enum { SLOT_NONE = -1, SLOT_OUTSIDE = -2 };

#define SECOND_NS INT64_C(1000000000)
#define MINUTE_NS (60 * SECOND_NS)

/* --- a market's day --- */

/* A run of minutes in which bars are made; periods restart at its begin. */
struct segment {
	int64_t from_ns, to_ns;
	int first, count; /* slots */
	bool regular;     /* part of 1d */
};

struct day_plan {
	int32_t day; /* INT32_MIN: none */
	int64_t midnight_ns, next_ns;
	struct segment segments[SEGMENTS_MAX];
	int n_segments, slots; /* 0: a closed day */
	int64_t begin_ns;      /* from here on ticks count: the opening auction */
	int64_t tail_ns;       /* until here what comes after the end enters the last slot */
	int64_t outside_ns;    /* and until here it enters 1d alone */
	int64_t final_ns;      /* 1d closes */
};

void lc_day_plan_make(struct day_plan *plan, struct lc_calendar *calendar, enum lc_market market,
	int32_t day, bool extended, int64_t grace_ns);
/* The slot that a tick of this instant enters, SLOT_OUTSIDE (1d alone) or SLOT_NONE. */
int lc_day_slot(const struct day_plan *plan, int64_t ns);
int64_t lc_day_slot_start(const struct day_plan *plan, int slot);
const struct segment *lc_day_segment(const struct day_plan *plan, int slot);
/* The slots that [from, to] overlaps; false when none. */
bool lc_day_overlap(
	const struct day_plan *plan, int64_t from_ns, int64_t to_ns, int *first, int *last);
/* How many slots ended at or before ns. */
int lc_day_ended(const struct day_plan *plan, int64_t ns);

/* --- a symbol's minutes --- */

enum row_flag {
	ROW_LAST = 1 << 0,  /* open and close are eligible prices */
	ROW_RANGE = 1 << 1, /* high and low are */
	ROW_SAID = 1 << 2,  /* final was said, with this revision */
	ROW_DIRTY = 1 << 3, /* changed since */
	ROW_DOUBT = 1 << 4, /* one of its prices was cancelled */
	ROW_UNSAVED = 1 << 5,
};

/* Decimals in nine bytes instead of sixteen: there are hundreds of rows a symbol. Those of minutes
 * that are over are packed besides (packed.c). */
struct row {
	int64_t open, high, low, close, volume, amount;
	uint32_t ticks;
	uint16_t slot, revision;
	int32_t first_ms, last_ms; /* when open and close were traded, from the slot's start */
	int8_t open_exp, high_exp, low_exp, close_exp, volume_exp, amount_exp;
	uint8_t flags;
};
static_assert(sizeof(struct row) == 72, "a row has no holes");

#define ROW_GET(row, field) ((struct lc_decimal){(row)->field, (row)->field##_exp})
#define ROW_SET(row, field, value)                            \
	do {                                                  \
		struct lc_decimal value_ = (value);           \
		(row)->field = value_.mantissa;               \
		(row)->field##_exp = (int8_t)value_.exponent; \
	} while (0)

enum { CHUNK_ROWS = 8 };                     /* rows that are packed together */
enum { CHUNK_BYTES = 12 + CHUNK_ROWS * 96 }; /* the most that they take */

/* Packs CHUNK_ROWS rows, ascending by slot, equal by value when they are unpacked. Returns the
 * bytes. */
size_t lc_rows_pack(const struct row *rows, uint8_t *out);
void lc_rows_unpack(const uint8_t *packed, struct row *rows);
/* The slot of the first of them. */
int lc_rows_packed_slot(const uint8_t *packed);
size_t lc_rows_packed_bytes(const uint8_t *packed);

struct hole {
	int16_t first, last; /* slots */
};

enum { SESSION_FIELDS = LC_HAS_OPEN | LC_HAS_HIGH | LC_HAS_LOW };

/* What the vendor says of the session. */
struct session_values {
	uint32_t has; /* LC_HAS_OPEN, HIGH, LOW, PRICE, PREV_CLOSE, AMOUNT */
	struct lc_decimal open, high, low, price, prev_close;
};

/* Prices of snapshots whose minute cannot be told: in none, and in the day all the same. */
struct apart_prices {
	bool known;
	int64_t first_ns; /* when the first of them was seen */
	struct lc_decimal open, high, low;
};

/* What is saved of a symbol but its rows; without pointers. */
struct day_state {
	int32_t day;       /* INT32_MIN: none yet */
	int32_t closed_to; /* slots before it were closed */
	bool snapshots;    /* totals come from snapshots, else from trades */
	bool printed;      /* the closing print came: close stays */
	bool unseen;       /* the next snapshot's volume was traded while nothing was seen */
	bool day_said, day_dirty, day_doubt;
	bool over;      /* the day was closed for good */
	bool mixed;     /* more than one source gave the day */
	uint8_t source; /* that gave the newest tick */
	uint8_t n_holes;
	struct hole holes[HOLES_MAX];
	uint32_t day_revision, day_ticks;
	int64_t unseen_from_ns;
	int64_t seen_ns;               /* of the last snapshot or trade */
	int64_t covered_ns;            /* a reference told the day's volume up to here */
	struct session_values session; /* the vendor's newest */
	struct session_values known;   /* open, high and low as of the last traded snapshot */
	struct apart_prices apart;
	struct lc_decimal total; /* the last cumulative volume of source; 0 at the day's begin */
	struct lc_decimal total_amount;
	struct lc_decimal volume, amount;  /* of 1d */
	struct lc_decimal placed, outside; /* of volume: in minutes of 1d; known to be in none */
	struct lc_decimal print;           /* the closing print's price */
};

struct symbol_bars {
	bool followed;
	uint8_t market;
	bool dirty;   /* some bar must be said again */
	bool touched; /* since the last partials */
	bool unsaved, meta_unsaved;
	int64_t watch_ns; /* followed since */
	/* All rows ascend by slot and are counted through: first those in chunks, which are over
	 * and not to be said again, then the others. */
	uint8_t **chunks; /* owned, and each of them */
	int n_chunks, chunk_room;
	struct row *rows; /* owned */
	int n_rows, room;
	uint32_t packed_bytes;
	bool packed_unsaved; /* one in a chunk is not saved */
	uint16_t *meta;      /* owned; of each longer bar: META_DIRTY | 1 + revision, 0: not said */
	int meta_slots, n_meta;
	struct day_state d;
};

enum { META_DIRTY = 0x8000, META_COUNT = 0x7fff };

int lc_row_count(const struct symbol_bars *s);
/* The position of the first row at or behind a slot. */
int lc_row_from(const struct symbol_bars *s, int slot);
/* The row at a position, to be changed: it leaves its chunk, as do those behind it. It stays valid
 * until the next call that takes a symbol_bars that is not const. NULL: no memory. */
struct row *lc_row_edit(struct symbol_bars *s, int at);
/* The row of a slot, to be changed, or NULL. */
struct row *lc_row_find(struct symbol_bars *s, int slot);
/* The same, made when there is none; NULL: no memory. */
struct row *lc_row_make(struct symbol_bars *s, int slot);
/* Packs what is over and not to be said again, but for the newest few, which longer bars need. */
void lc_rows_settle(struct symbol_bars *s);
void lc_rows_clear(struct symbol_bars *s); /* memory of the newest stays */
void lc_rows_free(struct symbol_bars *s);

/* Reads rows one after another, also those in chunks. Valid while no row is changed. */
struct rows_view {
	const struct symbol_bars *s;
	int chunk; /* that rows holds; -1: none */
	struct row rows[CHUNK_ROWS];
};
void lc_rows_view(struct rows_view *view, const struct symbol_bars *s);
/* Borrowed until the next call; NULL behind the last. */
const struct row *lc_row_at(struct rows_view *view, int at);
/* The row at a position when its slot is at most `last`, else NULL. */
const struct row *lc_row_until(struct rows_view *view, int at, int last);
bool lc_row_traded(const struct row *row);
/* Takes a price in: as open and close by its time, and into the range. */
struct row_prices {
	struct lc_decimal open, high, low, close;
	int32_t first_ms, last_ms;
	uint8_t effect; /* enum lc_tick_effect */
};
void lc_row_prices(struct row *row, const struct row_prices *prices);
void lc_row_volume(struct row *row, struct lc_decimal volume, struct lc_decimal amount);
/* Where a longer bar's revision stands: its first slot and segment. NULL: beyond what was
 * planned. */
uint16_t *lc_meta_at(struct symbol_bars *s, enum lc_period period, int segment, int first_slot);
enum lc_err lc_meta_make(struct symbol_bars *s, int slots);
/* Empties a symbol for a new day; memory stays. */
void lc_symbol_start(struct symbol_bars *s, int32_t day);
/* Returns the hole as it is now, which may be a larger one. */
struct hole lc_symbol_hole(struct symbol_bars *s, int first, int last);
bool lc_day_has_hole(const struct day_state *d, int first, int last);
bool lc_symbol_whole(const struct symbol_bars *s, int first, int last);

/* --- all of it --- */

struct market_round {
	bool active, dirty, partial;
	int64_t now_ns;
	size_t cursor;
};

struct market_bars {
	struct day_plan plans[2];
	unsigned oldest;
	int64_t watermark_ns;
	int64_t next_close_ns;        /* nothing closes before */
	int64_t dirty_ns, partial_ns; /* when such a round began last */
	size_t dirty;                 /* symbols that wait for one, about */
	struct market_round round;
};

/* How far lc_bars_flush() has come. */
struct flush {
	int market; /* LC_MARKETS: all rounds are done */
	bool begun; /* the market's last round */
	size_t cursor;
};

enum { BLOCK_SYMBOLS = 256 };

struct lc_bars {
	struct lc_bars_options options;
	struct market_bars markets[LC_MARKETS];
	/* Owned; by symbol, so many in each. Not one array: growing that would hold the loop, and
	 * a symbol never moves. */
	struct symbol_bars **blocks;
	size_t count; /* symbols there is room for, a multiple of BLOCK_SYMBOLS */
	struct lc_bars_stats stats;
	struct lc_bars_stats measured; /* rows and memory, as far as the look has come */
	size_t measure_cursor;
	struct flush flush;
	size_t work;      /* rows that were added up, in all: the measure of a slice */
	int64_t saved_ns; /* of what was given back; 0: nothing was */
};

static inline struct symbol_bars *lc_bars_at(const struct lc_bars *bars, size_t symbol)
{
	return &bars->blocks[symbol / BLOCK_SYMBOLS][symbol % BLOCK_SYMBOLS];
}

const struct day_plan *lc_bars_plan(struct lc_bars *bars, enum lc_market market, int32_t day);
/* The symbol's day becomes that of the instant, when that day's session has begun; what is open of
 * the day before is said. NULL: a tick of this instant makes no bar. */
const struct day_plan *lc_bars_enter(
	struct lc_bars *bars, uint32_t index, struct symbol_bars *s, int64_t ns);
void lc_bars_dirty(struct lc_bars *bars, struct symbol_bars *s);
/* A row or the day was changed: what is final already will be said again. */
void lc_bars_changed(
	struct lc_bars *bars, struct symbol_bars *s, const struct day_plan *plan, struct row *row);

/* The bar over slots [first, last]; false when nothing was traded. */
bool lc_bar_build(struct symbol_bars *s, const struct day_plan *plan, int first, int last,
	struct lc_bar *bar);
bool lc_bar_build_day(struct symbol_bars *s, const struct day_plan *plan, struct lc_bar *bar);
/* Closes slots before `to` and, with day, 1d. Returns how many bars were said. */
size_t lc_bars_close(
	struct lc_bars *bars, uint32_t index, const struct day_plan *plan, int to, bool day);
size_t lc_bars_revise(struct lc_bars *bars, uint32_t index, const struct day_plan *plan);
size_t lc_bars_partial(
	struct lc_bars *bars, uint32_t index, const struct day_plan *plan, int64_t now_ns);
void lc_bars_finish_day(struct lc_bars *bars, uint32_t index);

/* Volume that was traded and is in no bar; below 0: the vendor took some back. */
struct lc_decimal lc_day_unplaced(const struct day_state *d);

/* What one kind of tick does. */
void lc_bars_trade(struct lc_bars *bars, uint32_t index, const struct lc_tick *tick);
void lc_bars_snapshot(struct lc_bars *bars, uint32_t index, const struct lc_tick *tick);
/* A trade that is in the day alone and not in its minute; one that is in this slot's minute. */
void lc_bars_closing_print(struct lc_bars *bars, struct symbol_bars *s, const struct day_plan *plan,
	const struct lc_tick *tick);
void lc_bars_place_trade(struct lc_bars *bars, struct symbol_bars *s, const struct day_plan *plan,
	const struct lc_tick *tick, int slot, uint8_t effect);

/* --- amend.c --- */

void lc_bars_cancel(struct lc_bars *bars, uint32_t index, const struct lc_tick *tick);
