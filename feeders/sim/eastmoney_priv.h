/* What the files of the EastMoney simulator share. */
#pragma once

#include "sim_priv.h"

#define EM_MOST_ROWS 2000
#define EM_MOST_FIELDS 160

/* One request's wishes, also kept by a stream. */
struct em_query {
	bool single;       /* stock/…: dictionary 2.5; else a list: 2.4 */
	bool decimal;      /* fltt=2 */
	bool null_missing; /* invt=3 */
	uint16_t fields[EM_MOST_FIELDS];
	size_t field_count;
	struct sim_symbol *rows[EM_MOST_ROWS];
	size_t row_count;
};

/* Reads secid(s), fields, fltt and invt. False: a parameter is missing (rc 102). */
bool em_query_read(
	struct sim *sim, const struct lc_exchange *exchange, bool single, struct em_query *out);
/* The symbol of "1.600000", or NULL when there is none such. */
struct sim_symbol *em_symbol(struct sim *sim, const char *secid, size_t len);

/* Appends the value of one field as JSON. */
void em_put_value(const struct em_query *query, const struct sim_symbol *symbol, unsigned field,
	struct lc_buf *out);
/* Appends {"f2":…}. known (one word a field; may be NULL) holds hashes of what was said last: only
 * what differs is put, and remembered. Returns how many fields were put. */
size_t em_put_row(const struct em_query *query, const struct sim_symbol *symbol, uint32_t *known,
	struct lc_buf *out);
