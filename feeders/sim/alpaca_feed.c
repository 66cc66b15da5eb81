/* What Alpaca's stream says about the market: trades, quotes, bars and the rare messages, from the
 * walk or a tape, in batches of a frame. */
#include "alpaca_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows of a tape in one turn at full speed, so that the loop is not held. */
#define TAPE_ROWS_A_TURN 500

/* Nobody follows it any more, and it trades on. */
#define LINGERS (1u << 15)

static const unsigned followers = 1u << CH_TRADES | 1u << CH_QUOTES;

static unsigned union_of(struct alpaca *alpaca, const struct sim_symbol *symbol)
{
	unsigned mask = 0;
	lc_list_each (node, &alpaca->sessions) {
		struct session *session = container_of(node, struct session, node);
		for (unsigned channel = 0; channel < CHANNELS; channel++) {
			unsigned bit = 1u << channel;
			mask |= session_follows(session, symbol, bit) ? bit : 0;
		}
	}
	return mask;
}

/* "*" follows every known symbol of the market. */
static void make_known(struct sim *sim)
{
	struct alpaca *alpaca = sim->state;
	bool star = false;
	lc_list_each (node, &alpaca->sessions) {
		star = star || container_of(node, struct session, node)->all != 0;
	}
	const char *name;
	for (size_t i = 0; star && (name = sim_walk_known(SIM_US, i)) != NULL; i++) {
		sim_walk_symbol(sim->walk, name);
	}
}

/* --linger: who was followed trades on for a while, as a market does. */
static unsigned linger(struct sim *sim, const struct sim_symbol *symbol, unsigned mask)
{
	struct alpaca *alpaca = sim->state;
	int64_t now_ns = lc_loop_mono_ns(sim->loop);
	int64_t *until_ns = &alpaca->linger_until_ns[symbol->index];
	if (mask & followers) {
		*until_ns = INT64_MAX;
		return mask;
	}
	if (*until_ns == INT64_MAX) {
		*until_ns = now_ns + sim->options.linger_s * LC_NS_PER_S;
	}
	if (*until_ns <= now_ns) {
		return mask;
	}
	alpaca->linger_look_ns = *until_ns < alpaca->linger_look_ns ? *until_ns
								    : alpaca->linger_look_ns;
	return mask | LINGERS;
}

static void refresh(struct sim *sim)
{
	struct alpaca *alpaca = sim->state;
	make_known(sim);
	alpaca->stale = false;
	alpaca->linger_look_ns = INT64_MAX;
	alpaca->active_count = 0;
	size_t count = sim_walk_count(sim->walk);
	if (count > alpaca->active_capacity) {
		struct sim_symbol **active = realloc(alpaca->active, count * sizeof(*active));
		alpaca->active = active != NULL ? active : alpaca->active;
		uint16_t *mask = realloc(alpaca->active_mask, count * sizeof(*mask));
		alpaca->active_mask = mask != NULL ? mask : alpaca->active_mask;
		if (active == NULL || mask == NULL) {
			return;
		}
		alpaca->active_capacity = count;
	}
	for (size_t i = 0; i < count; i++) {
		struct sim_symbol *symbol = sim_walk_at(sim->walk, i);
		unsigned mask = linger(sim, symbol, union_of(alpaca, symbol));
		if (mask != 0) {
			alpaca->active[alpaca->active_count] = symbol;
			alpaca->active_mask[alpaca->active_count++] = (uint16_t)mask;
		}
	}
}

/* Writes one message for JSON sessions and one for msgpack sessions, when there are any. */
struct cast {
	struct sim *sim;
	const struct sim_symbol *symbol;
	unsigned bit;
	void (*write)(struct enc *enc, const struct cast *cast);
	const struct trade *trade;
	unsigned which;
	int64_t time_ns;
	bool extra;
};

static void broadcast(const struct cast *cast)
{
	struct alpaca *alpaca = cast->sim->state;
	for (int msgpack = 0; msgpack < 2; msgpack++) {
		bool written = false;
		lc_list_each (node, &alpaca->sessions) {
			struct session *session = container_of(node, struct session, node);
			if (session->msgpack != (msgpack != 0) || session->bench != NULL ||
				!session_follows(session, cast->symbol, cast->bit)) {
				continue;
			}
			if (!written) {
				struct enc enc = {.out = &alpaca->message, .msgpack = msgpack != 0};
				lc_buf_clear(&alpaca->message);
				cast->write(&enc, cast);
				written = true;
			}
			session_add(session, 1);
		}
	}
}

static void write_trade(struct enc *enc, const struct cast *cast)
{
	enc_trade(enc, cast->trade, cast->extra);
}

static void write_quote(struct enc *enc, const struct cast *cast)
{
	enc_quote(enc, cast->symbol, cast->time_ns);
}

static void write_rare(struct enc *enc, const struct cast *cast)
{
	enc_rare(enc, cast->which, cast->symbol, cast->trade);
}

static void write_status(struct enc *enc, const struct cast *cast)
{
	enc_status(enc, cast->symbol, cast->which != 0, cast->time_ns);
}

static void write_bar(struct enc *enc, const struct cast *cast)
{
	enc_bar(enc, "b", cast->symbol, &cast->symbol->last_bar);
}

/* Which channel carries the rare message of this number. */
static unsigned rare_bit(unsigned which)
{
	static const unsigned bits[] = {CH_TRADES, CH_TRADES, CH_STATUSES, CH_STATUSES, CH_LULDS,
		CH_IMBALANCES, CH_UPDATED, CH_TRADES};
	return 1u << bits[which % 8];
}

/* Vendors stamp with different precision: ns, us, ms, whole seconds. */
static int64_t vary_precision(struct sim *sim, int64_t time_ns)
{
	static const int64_t steps[] = {1, 1, 1, 1000, 1000000, 100000};
	int64_t step = steps[sim_random(&sim->random) % 6];
	return time_ns - time_ns % step;
}

static void send_rare(
	struct sim *sim, const struct sim_symbol *symbol, const struct trade *trade, unsigned which)
{
	broadcast(&(struct cast){.sim = sim,
		.symbol = symbol,
		.bit = rare_bit(which),
		.write = write_rare,
		.trade = trade,
		.which = which,
		.time_ns = trade->time_ns});
}

static void say_trade(struct sim *sim, const struct trade *trade, const char *mark)
{
	sim_sent_add(sim, &(struct sim_sent){.time_ns = trade->time_ns,
				  .symbol = trade->symbol,
				  .kind = "trade",
				  .id = trade->id,
				  .price = trade->price,
				  .volume = trade->size,
				  .amount = trade->price * trade->size,
				  .mark = mark});
}

static void take_back(
	struct sim *sim, const struct sim_symbol *symbol, const struct trade *trade, unsigned which)
{
	struct alpaca *alpaca = sim->state;
	struct trade instead = *trade;
	instead.id += 1000000000; /* as the message says */
	instead.price += 100;
	if (which % 8 < 2) {
		history_withdraw(
			&alpaca->history, symbol, trade->id, which % 8 == 0 ? &instead : NULL);
	}
	send_rare(sim, symbol, trade, which);
}

/* heard: somebody follows it. */
static void send_trade(
	struct sim *sim, const struct sim_symbol *symbol, struct trade *trade, bool heard)
{
	struct sim_faults *faults = &sim->faults;
	struct alpaca *alpaca = sim->state;
	const char *mark = heard ? NULL : "unsent";
	if (sim_faults_take(&faults->disorder_left)) {
		trade->time_ns -= 3 * LC_NS_PER_S;
		mark = "early";
	}
	if (sim_faults_take(&faults->zero_left)) {
		trade->price = 0;
		mark = "zero";
	}
	int64_t oddities = sim->options.oddities;
	struct cast cast = {.sim = sim,
		.symbol = symbol,
		.bit = 1u << CH_TRADES,
		.write = write_trade,
		.trade = trade,
		.extra = oddities > 0 && trade->id % 3 == 0};
	say_trade(sim, trade, mark);
	history_add(&alpaca->history, symbol, trade);
	broadcast(&cast);
	if (sim_faults_take(&faults->duplicate_left)) {
		say_trade(sim, trade, "again");
		broadcast(&cast);
	}
	if (sim_faults_take(&faults->correct_left)) {
		take_back(sim, symbol, trade, faults->correct_left % 2 == 0 ? 0 : 1);
	}
	if (oddities > 0 && trade->id % oddities == 0) {
		take_back(sim, symbol, trade, (unsigned)(trade->id / oddities));
	}
	sim->stats.trades++;
	sim->stats.ticks++;
}

static void send_quote(struct sim *sim, const struct sim_symbol *symbol, int64_t time_ns)
{
	sim_sent_add(sim, &(struct sim_sent){.time_ns = time_ns,
				  .symbol = symbol->text,
				  .kind = "quote",
				  .id = symbol->bid_size[0],
				  .price = symbol->bid[0],
				  .amount = -1,
				  .bid = symbol->bid[0],
				  .ask = symbol->ask[0],
				  .bid_size = symbol->bid_size[0],
				  .ask_size = symbol->ask_size[0]});
	broadcast(&(struct cast){.sim = sim,
		.symbol = symbol,
		.bit = 1u << CH_QUOTES,
		.write = write_quote,
		.time_ns = time_ns});
	sim->stats.quotes++;
	sim->stats.ticks++;
}

/* The next symbol with a follower of trades or quotes. Those that are followed for their bars alone
 * trade now and then, unseen. */
static bool next_symbol(struct sim *sim, int64_t wall_ns)
{
	struct alpaca *alpaca = sim->state;
	for (size_t i = 0; i < alpaca->active_count; i++) {
		alpaca->next = (alpaca->next + 1) % alpaca->active_count;
		if (alpaca->active_mask[alpaca->next] & (followers | LINGERS)) {
			return true;
		}
		if (sim_random(&sim->random) % 16 == 0) {
			sim_symbol_trade(alpaca->active[alpaca->next], wall_ns);
		}
	}
	return false;
}

static void walk_one(struct sim *sim, int64_t wall_ns)
{
	struct alpaca *alpaca = sim->state;
	if (!next_symbol(sim, wall_ns)) {
		return;
	}
	struct sim_symbol *symbol = alpaca->active[alpaca->next];
	unsigned mask = alpaca->active_mask[alpaca->next] & followers;
	bool trade = mask == 1u << CH_TRADES || mask == 0 ||
		     (mask == followers && sim_random(&sim->random) % 2 == 0);
	if (!trade) {
		sim_symbol_quote(symbol, wall_ns);
		send_quote(sim, symbol, vary_precision(sim, wall_ns));
		return;
	}
	sim_symbol_trade(symbol, wall_ns);
	send_trade(sim, symbol,
		&(struct trade){.symbol = symbol->text,
			.id = alpaca->trade_id++,
			.price = symbol->last,
			.size = symbol->last_size,
			.time_ns = vary_precision(sim, wall_ns),
			.exchange = "V",
			.tape = {symbol->vendor_board == 105 ? 'C' : 'A'},
			.conditions = symbol->last_size < 100 ? "@,I" : "@"},
		mask != 0);
}

/* The tape's condition bits that have a letter on the consolidated tape. */
static const char *conditions_of(uint32_t bits, int64_t size, char out[16])
{
	static const struct {
		uint32_t bit;
		const char *letter;
	} letters[] = {{0x2, ",C"}, {0x4, ",N"}, {0x8, ",R"}, {0x20, ",F"}, {0x40, ",O"},
		{0x80, ",6"}, {0x100, ",5"}, {0x200, ",4"}, {0x2000, ",T"}, {0x4000, ",Z"},
		{0x40000, ",V"}, {0x100000, ",W"}, {0x1000000, ",M"}, {0x2000000, ",P"},
		{0x4000000, ",Q"}};
	strcpy(out, "@");
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]) && strlen(out) < 10; i++) {
		if (bits & letters[i].bit) {
			strcat(out, letters[i].letter);
		}
	}
	return size < 100 ? strcat(out, ",I") : out;
}

/* M and Q, the official close and open, say again what was traded: no volume of the day. */
#define OFFICIAL_PRICES 0x5000000

static void play_row(struct sim *sim, struct sim_symbol *symbol, const struct sim_tape_row *row)
{
	struct alpaca *alpaca = sim->state;
	char conditions[16];
	const int64_t size = row->conditions & OFFICIAL_PRICES ? 0 : row->size;
	symbol->last = row->price;
	symbol->last_size = row->size;
	symbol->lot_last = row->size < 100 ? symbol->lot_last : row->price;
	symbol->trade_ns = row->time_ns;
	symbol->high = row->price > symbol->high ? row->price : symbol->high;
	symbol->low = row->price < symbol->low ? row->price : symbol->low;
	symbol->volume += size;
	symbol->value += size * row->price;
	symbol->time_ns = row->time_ns;
	send_trade(sim, symbol,
		&(struct trade){.symbol = symbol->text,
			.id = alpaca->trade_id++,
			.price = row->price,
			.size = row->size,
			.time_ns = row->time_ns,
			.exchange = {row->exchange},
			.tape = "A",
			.conditions = conditions_of(row->conditions, row->size, conditions)},
		true);
}

/* The tape begins when somebody follows its symbol. */
static void play_tape(struct sim *sim, int64_t mono_ns)
{
	struct alpaca *alpaca = sim->state;
	struct sim_symbol *symbol = sim_walk_symbol(sim->walk, sim->tape->symbol);
	if (symbol == NULL || (union_of(alpaca, symbol) & followers) == 0) {
		return;
	}
	const struct sim_tape_row *row;
	for (int i = 0; i < TAPE_ROWS_A_TURN && !sim_exhausted(sim); i++) {
		row = sim_tape_next(sim->tape, sim->options.speed, mono_ns);
		if (row == NULL) {
			break;
		}
		play_row(sim, symbol, row);
	}
}

static void send_bars(struct sim *sim, int64_t wall_ns)
{
	struct alpaca *alpaca = sim->state;
	int64_t minute = wall_ns / (60 * LC_NS_PER_S);
	if (minute == alpaca->last_minute) {
		return;
	}
	alpaca->last_minute = minute;
	for (size_t i = 0; i < alpaca->active_count; i++) {
		struct sim_symbol *symbol = alpaca->active[i];
		if (symbol->bar.minute == minute - 1) {
			symbol->last_bar = symbol->bar;
			broadcast(&(struct cast){.sim = sim,
				.symbol = symbol,
				.bit = 1u << CH_BARS,
				.write = write_bar});
		}
	}
}

void feed_halt(struct sim *sim, bool resume)
{
	struct alpaca *alpaca = sim->state;
	for (size_t i = 0; i < alpaca->active_count; i++) {
		broadcast(&(struct cast){.sim = sim,
			.symbol = alpaca->active[i],
			.bit = 1u << CH_STATUSES,
			.write = write_status,
			.which = resume,
			.time_ns = lc_loop_wall_ns(sim->loop)});
	}
}

static void write_drip(struct session *session)
{
	size_t written = 0;
	if (session->drip.len == 0) {
		static const char slow[] =
			"\x81\x7e\x01\x00[{\"T\":\"~\",\"S\":\"SLOW\",\"pad\":\"";
		lc_buf_append(&session->drip, slow, sizeof(slow) - 1);
		while (session->drip.len < 4 + 256 - 3) {
			lc_buf_putc(&session->drip, '.');
		}
		lc_buf_puts(&session->drip, "\"}]");
	}
	if (lc_ws_peer_pending(session->peer) == 0) {
		lc_ws_peer_raw(session->peer, session->drip.data, 1, &written);
		lc_buf_consume(&session->drip, written);
	}
}

/* While it drips, one frame trickles out; a frame begun is ended before others follow. */
static bool dripping(struct sim *sim, int64_t mono_ns)
{
	struct alpaca *alpaca = sim->state;
	bool on = sim->faults.drip_until_ns > mono_ns;
	bool unfinished = false;
	lc_list_each (node, &alpaca->sessions) {
		struct session *session = container_of(node, struct session, node);
		if (session->authed && !session->msgpack && (on || session->drip.len > 0)) {
			write_drip(session);
			unfinished = unfinished || session->drip.len > 0;
		}
	}
	return on || unfinished;
}

void feed_turn(struct sim *sim, int64_t mono_ns, int64_t wall_ns)
{
	struct alpaca *alpaca = sim->state;
	if (alpaca->stale || mono_ns >= alpaca->linger_look_ns) {
		refresh(sim);
	}
	uint64_t due = sim_due(sim, mono_ns);
	if (dripping(sim, mono_ns)) {
		return;
	}
	if (sim->tape != NULL) {
		play_tape(sim, mono_ns);
	} else {
		bool max = isinf(sim->options.rate);
		for (uint64_t i = 0; !max && i < due && alpaca->active_count > 0; i++) {
			walk_one(sim, wall_ns);
		}
		send_bars(sim, wall_ns);
	}
	lc_list_each (node, &alpaca->sessions) {
		session_send_batch(container_of(node, struct session, node));
	}
}
