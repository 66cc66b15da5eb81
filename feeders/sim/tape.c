/* Reads recorded days: IBM's trades (ms of day New York, price x 10,000, size, exchange,
 * conditions, suspicious) and snapshots of A shares, whose columns are found by their names. */
#include "sim_priv.h"

#include "livecore/zone.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TAPE_MOST_ROWS 1000000
#define MOST_COLUMNS 64

struct columns {
	int symbol, date, time, prev_close, open, high, low, last, volume, value;
	int bid[5], ask[5], bid_size[5], ask_size[5];
};

struct reader {
	struct sim_tape *tape;
	struct lc_zone *zone;
	size_t capacity;
	int32_t day; /* of a trade tape: days since 1970 */
	bool snapshots;
	struct columns columns;
};

static size_t split(char *line, char *cells[MOST_COLUMNS])
{
	size_t count = 0;
	line[strcspn(line, "\r\n")] = '\0';
	for (char *p = line; p != NULL && count < MOST_COLUMNS; count++) {
		cells[count] = p;
		p = strchr(p, ',');
		if (p != NULL) {
			*p++ = '\0';
		}
	}
	return count;
}

static int column(char **cells, size_t count, const char *a, const char *b, int number)
{
	char names[2][32];
	snprintf(names[0], sizeof(names[0]), number < 0 ? "%s" : "%s%d", a, number);
	snprintf(names[1], sizeof(names[1]), number < 0 ? "%s" : "%s%d", b, number + 1);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(cells[i], names[0]) == 0 || strcmp(cells[i], names[1]) == 0) {
			return (int)i;
		}
	}
	return -1;
}

static bool read_header(struct reader *reader, char **cells, size_t count)
{
	struct columns *c = &reader->columns;
	c->symbol = column(cells, count, "SecurityID", "HTSCSecurityID", -1);
	c->date = column(cells, count, "DateTime", "MDDate", -1);
	c->time = column(cells, count, "DateTime", "MDTime", -1);
	c->prev_close = column(cells, count, "PreClosePx", "PreClosePx", -1);
	c->open = column(cells, count, "OpenPx", "OpenPx", -1);
	c->high = column(cells, count, "HighPx", "HighPx", -1);
	c->low = column(cells, count, "LowPx", "LowPx", -1);
	c->last = column(cells, count, "LastPx", "LastPx", -1);
	c->volume = column(cells, count, "TotalVolumeTrade", "TotalVolumeTrade", -1);
	c->value = column(cells, count, "TotalValueTrade", "TotalValueTrade", -1);
	for (int i = 0; i < 5; i++) {
		c->bid[i] = column(cells, count, "BidPrice", "BuyPrice", i);
		c->ask[i] = column(cells, count, "OfferPrice", "SellPrice", i);
		c->bid_size[i] = column(cells, count, "BidOrderQty", "BuyOrderQty", i);
		c->ask_size[i] = column(cells, count, "OfferOrderQty", "SellOrderQty", i);
		if (c->bid[i] < 0 || c->ask[i] < 0 || c->bid_size[i] < 0 || c->ask_size[i] < 0) {
			return false;
		}
	}
	return c->symbol >= 0 && c->date >= 0 && c->time >= 0 && c->prev_close >= 0 &&
	       c->open >= 0 && c->high >= 0 && c->low >= 0 && c->last >= 0 && c->volume >= 0 &&
	       c->value >= 0;
}

/* The tapes' own numbers carry the noise of binary floats; a tick of 0.001 does not need more. */
static int64_t scaled(const char *text)
{
	return llround(strtod(text, NULL) * 1000) * (SIM_PRICE_SCALE / 1000);
}

/* "2021.12.01T09:15:02.000", or "2023.03.23" and "08:45:23.000". */
static bool read_time(struct reader *reader, char **cells, int64_t *out)
{
	int y, mo, d, h, mi, s, ms;
	const char *time = cells[reader->columns.time];
	if (reader->columns.time == reader->columns.date) {
		time = strchr(time, 'T') != NULL ? strchr(time, 'T') + 1 : "";
	}
	if (sscanf(cells[reader->columns.date], "%d.%d.%d", &y, &mo, &d) != 3 ||
		sscanf(time, "%d:%d:%d.%d", &h, &mi, &s, &ms) != 4) {
		return false;
	}
	const struct lc_civil civil = {.year = y,
		.month = (uint8_t)mo,
		.day = (uint8_t)d,
		.hour = (uint8_t)h,
		.minute = (uint8_t)mi,
		.second = (uint8_t)s,
		.nanosecond = ms * 1000000};
	return lc_civil_to_ns(reader->zone, &civil, out, NULL) == LC_OK;
}

static bool read_snapshot(struct reader *reader, char **cells, struct sim_tape_row *row)
{
	const struct columns *c = &reader->columns;
	if (!read_time(reader, cells, &row->time_ns)) {
		return false;
	}
	row->prev_close = scaled(cells[c->prev_close]);
	row->open = scaled(cells[c->open]);
	row->high = scaled(cells[c->high]);
	row->low = scaled(cells[c->low]);
	row->last = row->price = scaled(cells[c->last]);
	row->volume = llround(strtod(cells[c->volume], NULL));
	row->value = scaled(cells[c->value]);
	for (int i = 0; i < 5; i++) {
		row->bid[i] = scaled(cells[c->bid[i]]);
		row->ask[i] = scaled(cells[c->ask[i]]);
		row->bid_size[i] = atoll(cells[c->bid_size[i]]);
		row->ask_size[i] = atoll(cells[c->ask_size[i]]);
	}
	return true;
}

static bool read_trade(struct reader *reader, char **cells, size_t count, struct sim_tape_row *row)
{
	if (count < 5) {
		return false;
	}
	int64_t ms = atoll(cells[0]);
	struct lc_civil civil = {0};
	lc_civil_from_days(reader->day, &civil);
	civil.hour = (uint8_t)(ms / 3600000);
	civil.minute = (uint8_t)(ms / 60000 % 60);
	civil.second = (uint8_t)(ms / 1000 % 60);
	civil.nanosecond = (int32_t)(ms % 1000) * 1000000;
	row->price = atoll(cells[1]);
	row->size = atoll(cells[2]);
	row->exchange = cells[3][0];
	row->conditions = (uint32_t)strtoul(cells[4], NULL, 16);
	return ms >= 0 && ms < 86400000 && row->price > 0 &&
	       isupper((unsigned char)row->exchange) &&
	       lc_civil_to_ns(reader->zone, &civil, &row->time_ns, NULL) == LC_OK;
}

static bool grow(struct reader *reader)
{
	struct sim_tape *tape = reader->tape;
	if (tape->count < reader->capacity) {
		return true;
	}
	size_t capacity = reader->capacity == 0 ? 4096 : 2 * reader->capacity;
	struct sim_tape_row *rows = realloc(tape->rows, capacity * sizeof(*rows));
	if (rows == NULL || capacity > 2 * TAPE_MOST_ROWS) {
		tape->rows = rows != NULL ? rows : tape->rows;
		return false;
	}
	tape->rows = rows;
	reader->capacity = capacity;
	return true;
}

/* The symbol and day of a trade tape stand in its name: day-us-ibm-20131011-tick-trades.csv. */
static bool read_name(struct reader *reader, const char *path)
{
	const char *name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
	char symbol[16];
	int date;
	if (sscanf(name, "day-us-%15[a-z.]-%8d-tick-trades.csv", symbol, &date) != 2) {
		return false;
	}
	for (size_t i = 0; i <= strlen(symbol); i++) {
		reader->tape->symbol[i] = (char)toupper((unsigned char)symbol[i]);
	}
	reader->day = lc_days_from_civil(
		date / 10000, (unsigned)(date / 100 % 100), (unsigned)(date % 100));
	return true;
}

/* "600103" and "688293.SH" both name a Shanghai share. */
static void take_symbol(struct reader *reader, const char *text)
{
	char *symbol = reader->tape->symbol;
	if (symbol[0] != '\0') {
		return;
	}
	snprintf(symbol, sizeof(reader->tape->symbol), "%.9s%s", text,
		strchr(text, '.') != NULL ? ""
		: text[0] == '6'          ? ".SH"
					  : ".SZ");
}

static bool read_line(struct reader *reader, char *line)
{
	char *cells[MOST_COLUMNS];
	size_t count = split(line, cells);
	if (!grow(reader)) {
		return false;
	}
	struct sim_tape_row *row = &reader->tape->rows[reader->tape->count];
	*row = (struct sim_tape_row){0};
	if (reader->snapshots) {
		if (count < 24 || !read_snapshot(reader, cells, row)) {
			return false;
		}
		take_symbol(reader, cells[reader->columns.symbol]);
	} else if (!read_trade(reader, cells, count, row)) {
		return false;
	}
	reader->tape->count++;
	return true;
}

static bool next_line(FILE *file, char *line, int size)
{
	return !feof(file) && !ferror(file) && fgets(line, size, file) != NULL;
}

static enum lc_err open_kind(
	struct reader *reader, const char *path, FILE *file, struct lc_error *err)
{
	char line[2048];
	char *cells[MOST_COLUMNS];
	if (!read_name(reader, path)) {
		reader->snapshots = true;
		bool there = next_line(file, line, sizeof(line));
		size_t count = there ? split(line, cells) : 0;
		if (count == 0 || !read_header(reader, cells, count)) {
			return lc_error_set(
				err, LC_ERR_INVALID, "tape %s: columns are not known", path);
		}
	}
	return lc_zone_load(
		reader->snapshots ? "Asia/Shanghai" : "America/New_York", &reader->zone, err);
}

enum lc_err sim_tape_load(const char *path, struct sim_tape **out, struct lc_error *err)
{
	FILE *file = fopen(path, "r");
	if (file == NULL) {
		return lc_error_set(err, LC_ERR_NOT_FOUND, "tape %s cannot be read", path);
	}
	struct reader reader = {.tape = calloc(1, sizeof(struct sim_tape))};
	enum lc_err rc = reader.tape == NULL ? LC_ERR_NOMEM : open_kind(&reader, path, file, err);
	char line[2048];
	for (size_t number = 1; rc == LC_OK && next_line(file, line, sizeof(line)); number++) {
		if (!read_line(&reader, line)) {
			rc = lc_error_set(err, LC_ERR_INVALID, "tape %s: row %zu cannot be read",
				path, number);
		}
	}
	fclose(file);
	if (rc == LC_OK && reader.tape->count > 0) {
		reader.tape->offset_s = lc_zone_offset(
			reader.zone, reader.tape->rows[0].time_ns / LC_NS_PER_S);
	}
	lc_zone_destroy(reader.zone);
	if (rc != LC_OK) {
		sim_tape_destroy(reader.tape);
		return rc;
	}
	*out = reader.tape;
	return LC_OK;
}

void sim_tape_from(struct sim_tape *tape, const char *from)
{
	int hour = 0, minute = 0;
	sscanf(from, "%d:%d", &hour, &minute);
	size_t at = 0;
	while (at < tape->count) {
		int64_t local_s = tape->rows[at].time_ns / LC_NS_PER_S + tape->offset_s;
		if (local_s % 86400 >= hour * 3600 + minute * 60) {
			break;
		}
		at++;
	}
	tape->first = tape->next = at;
}

void sim_tape_destroy(struct sim_tape *tape)
{
	if (tape != NULL) {
		free(tape->rows);
		free(tape);
	}
}

const struct sim_tape_row *sim_tape_next(struct sim_tape *tape, double speed, int64_t mono_ns)
{
	if (tape->next == tape->count) {
		return NULL;
	}
	if (tape->started_mono_ns == 0) {
		tape->started_mono_ns = mono_ns;
	}
	const struct sim_tape_row *row = &tape->rows[tape->next];
	if (!isinf(speed)) {
		double played = (double)(mono_ns - tape->started_mono_ns) * speed;
		if ((double)(row->time_ns - tape->rows[tape->first].time_ns) > played) {
			return NULL;
		}
	}
	tape->next++;
	return row;
}

static void apply(struct sim *sim, struct sim_symbol *symbol, const struct sim_tape_row *row)
{
	bool zero = sim_faults_take(&sim->faults.zero_left);
	symbol->prev_close = row->prev_close;
	symbol->open = row->open;
	symbol->high = row->high;
	symbol->low = row->low;
	symbol->last = zero ? 0 : row->last;
	symbol->volume = row->volume;
	symbol->value = row->value;
	symbol->time_ns = row->time_ns;
	memcpy(symbol->bid, row->bid, sizeof(symbol->bid));
	memcpy(symbol->ask, row->ask, sizeof(symbol->ask));
	memcpy(symbol->bid_size, row->bid_size, sizeof(symbol->bid_size));
	memcpy(symbol->ask_size, row->ask_size, sizeof(symbol->ask_size));
}

/* The day before is not on the tape: it is not said, rather than made up. */
static void apply_first_trade(struct sim_symbol *symbol, const struct sim_tape_row *row)
{
	symbol->prev_close = 0;
	symbol->open = symbol->high = symbol->low = symbol->last = symbol->lot_last = row->price;
	symbol->last_size = row->size;
	symbol->bid[0] = symbol->ask[0] = 0;
	symbol->volume = symbol->value = 0;
	symbol->trades = 0;
	symbol->time_ns = row->time_ns;
}

bool sim_tape_advance(struct sim *sim, struct sim_symbol *symbol, int64_t mono_ns)
{
	const struct sim_tape_row *row = sim_tape_next(sim->tape, sim->options.speed, mono_ns);
	if (row != NULL) {
		apply(sim, symbol, row);
	}
	return row != NULL;
}

enum lc_err sim_tape_begin(struct sim *sim, struct lc_error *err)
{
	static const char *const played[] = {[SIM_TAPES_NONE] = "no tapes",
		[SIM_TAPES_OF_TRADES] = "tapes of trades",
		[SIM_TAPES_OF_SNAPSHOTS] = "tapes of snapshots"};
	const struct sim_tape *tape = sim->tape;
	if (tape == NULL) {
		return LC_OK;
	}
	bool trades = tape->count > 0 && tape->rows[0].size != 0;
	if (tape->count == 0 ||
		sim->vendor->tapes != (trades ? SIM_TAPES_OF_TRADES : SIM_TAPES_OF_SNAPSHOTS)) {
		return lc_error_set(err, LC_ERR_INVALID, "%s plays %s", sim->vendor->name,
			played[sim->vendor->tapes]);
	}
	struct sim_symbol *symbol = sim_walk_symbol(sim->walk, tape->symbol);
	if (symbol != NULL && trades) {
		apply_first_trade(symbol, &tape->rows[tape->first < tape->count ? tape->first : 0]);
	} else if (symbol != NULL) {
		apply(sim, symbol, &tape->rows[0]);
	}
	return LC_OK;
}
