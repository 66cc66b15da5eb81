/* What Tencent's quote servers answer, as snapshot ticks: one JavaScript assignment a symbol,
 * 	v_r_hk00700="100~NAME~00700~478.800~…";
 * with fields between tildes, in GBK or UTF-8. Only ASCII fields are read, so the encoding does not
 * matter. Pure: no I/O, no clock, any one thread; it never allocates. */
#pragma once

#include "livecore/buf.h"
#include "livecore/symbol.h"
#include "livecore/tick.h"
#include "livecore/zone.h"

/* Rows of fewer fields are cut off. */
#define LC_TENCENT_MIN_FIELDS 38

struct lc_tencent_reader {
	/* By enum lc_market: of the rows' times, which have none. NULL is UTC. */
	const struct lc_zone *zones[LC_MARKETS];
	/* symbol: canonical, valid, not yet looked up. tick: all but symbol, source and times of
	 * receipt; without LC_HAS_EVENT_TIME the row gave no time; NULL when the vendor knows the
	 * symbol and has nothing to say of it (no last price, nobody bids). Valid for the call. */
	void (*row)(void *arg, const char *symbol, size_t len, const struct lc_tick *tick);
	/* What could not be read: "truncated" (fewer than LC_TENCENT_MIN_FIELDS, or no end),
	 * "malformed" (no assignment, or another instrument's row), "unknown_symbol" (a key that
	 * is none of ours). */
	void (*bad)(void *arg, const char *reason, const char *text, size_t len);
	void *arg;
};

/* Reads an answer. A symbol that the vendor does not know has no row, or an empty one; when none is
 * known the answer is v_pv_none_match="1";. Volumes come out in shares, amounts in money; `delayed`
 * is set on rows of the series that the vendor delays (v_hk…, beside v_r_hk…).
 * LC_ERR_PROTOCOL: there is no assignment in it at all (a page, nothing), or mostly rubbish. */
enum lc_err lc_tencent_parse(
	const struct lc_tencent_reader *reader, const char *data, size_t len, struct lc_error *err);

/* Appends the vendor's name of a symbol: sh600000, sz000001, bj920047, usBRK.B, and r_hk00700 or,
 * of the delayed series, hk00700. */
void lc_tencent_code(const struct lc_symbol *symbol, bool delayed_hk, struct lc_buf *out);
