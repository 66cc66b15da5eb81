#include "alpaca_subs.h"

#include "alpaca_out.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What is known of one symbol. The first three are the channels' own bits, shifted: which of them
 * the reply under way holds. */
enum {
	SEEN_ALL = LC_ALPACA_STATUSES | LC_ALPACA_PRICES,
	IN_FLIGHT = 1 << 3, /* named by the message in flight */
	ASKED = 1 << 4,  /* by a subscribe in flight: its ticks may come before the reply is read */
	PRICES = 1 << 5, /* trades and quotes are subscribed */
	STATUSES = 1 << 6,
	LISTED = 1 << 7, /* while a list of a change is made: it stands there already */
};

/* The stages of a change, in order. RELEASE comes in between when a limit is met. */
enum stage { STAGE_IDLE, STAGE_REMOVE, STAGE_ADD, STAGE_RELEASE, STAGE_STATUSES };

struct lc_alpaca_subs {
	const struct lc_symbols *symbols;           /* borrowed */
	const struct lc_alpaca_subs_events *events; /* borrowed */
	void *arg;
	struct lc_alpaca_subs_options options;

	uint8_t *flags; /* by symbol index; owned, n_flags long */
	size_t n_flags;
	uint32_t *held; /* with PRICES, in the order they were followed; owned, capacity n_flags */
	size_t n_held, n_statuses;

	enum stage stage;
	uint32_t *add, *remove; /* owned, capacity n_flags each */
	size_t n_add, n_remove;
	size_t at;       /* place in the stage's list */
	size_t add_at;   /* where adding goes on after a release */
	size_t window;   /* at most this many symbols in the next message */
	size_t fail_end; /* the place behind a batch that failed: windows are small up to it */

	uint32_t *batch; /* named by the message in flight; owned, capacity n_flags */
	size_t n_batch;
	size_t batch_end;    /* the place behind it in the stage's list */
	unsigned batch_mask; /* its channels */
	bool in_flight;

	bool tight;       /* the limit was met in this session: statuses come last */
	bool released;    /* in this change */
	bool no_statuses; /* this feed does not offer them */
};

static const struct {
	unsigned channel;
	const char *name;
} channel_names[] = {
	{LC_ALPACA_STATUSES, "statuses"},
	{LC_ALPACA_TRADES, "trades"},
	{LC_ALPACA_QUOTES, "quotes"},
};

#define N_CHANNELS (sizeof(channel_names) / sizeof(channel_names[0]))

/* --- messages --- */

static enum lc_err write_message(const struct lc_alpaca_subs *subs, struct lc_buf *out)
{
	bool subscribe = subs->stage == STAGE_ADD || subs->stage == STAGE_STATUSES;
	lc_alpaca_out_open(out, subs->options.msgpack, subscribe ? "subscribe" : "unsubscribe",
		(size_t)__builtin_popcount(subs->batch_mask));
	for (size_t i = 0; i < N_CHANNELS; i++) {
		if (subs->batch_mask & channel_names[i].channel) {
			lc_alpaca_out_symbols(out, subs->options.msgpack, channel_names[i].name,
				subs->symbols, subs->batch, subs->n_batch);
		}
	}
	lc_alpaca_out_close(out, subs->options.msgpack);
	return out->failed ? LC_ERR_NOMEM : LC_OK;
}

/* Bytes of a message around its symbols (the JSON form, the longer one). */
static size_t frame_bytes(unsigned mask)
{
	size_t bytes = sizeof("{\"action\":\"unsubscribe\"}") - 1;
	for (size_t i = 0; i < N_CHANNELS; i++) {
		if (mask & channel_names[i].channel) {
			bytes += strlen(channel_names[i].name) + sizeof(",\"\":[]") - 1;
		}
	}
	return bytes;
}

/* --- stages --- */

static unsigned status_mask(const struct lc_alpaca_subs *subs)
{
	return subs->no_statuses ? 0 : subs->options.channels & LC_ALPACA_STATUSES;
}

static unsigned stage_mask(const struct lc_alpaca_subs *subs)
{
	switch (subs->stage) {
	case STAGE_ADD:
		return (subs->options.channels & LC_ALPACA_PRICES) |
		       (subs->tight ? 0 : status_mask(subs));
	case STAGE_REMOVE:
		return (subs->options.channels & LC_ALPACA_PRICES) |
		       (subs->n_statuses > 0 ? LC_ALPACA_STATUSES : 0);
	default:
		return LC_ALPACA_STATUSES;
	}
}

static const uint32_t *stage_list(const struct lc_alpaca_subs *subs, size_t *count)
{
	switch (subs->stage) {
	case STAGE_REMOVE:
		*count = subs->n_remove;
		return subs->remove;
	case STAGE_ADD:
		*count = subs->n_add;
		return subs->add;
	default:
		*count = subs->n_held;
		return subs->held;
	}
}

static bool stage_takes(const struct lc_alpaca_subs *subs, uint32_t symbol)
{
	uint8_t flags = subs->flags[symbol];
	switch (subs->stage) {
	case STAGE_REMOVE:
		return flags & PRICES;
	case STAGE_ADD:
		return !(flags & PRICES);
	case STAGE_RELEASE:
		return flags & STATUSES;
	default:
		return !(flags & STATUSES);
	}
}

static void enter(struct lc_alpaca_subs *subs, enum stage stage, size_t at)
{
	subs->stage = stage;
	subs->at = at;
	subs->window = subs->options.max_symbols;
	subs->fail_end = 0;
}

/* Which stage follows; a RELEASE goes back to where adding stopped. */
static void advance(struct lc_alpaca_subs *subs)
{
	switch (subs->stage) {
	case STAGE_REMOVE:
		enter(subs, STAGE_ADD, 0);
		break;
	case STAGE_RELEASE:
		enter(subs, STAGE_ADD, subs->add_at);
		break;
	case STAGE_ADD:
		enter(subs, subs->tight && status_mask(subs) ? STAGE_STATUSES : STAGE_IDLE, 0);
		break;
	default:
		enter(subs, STAGE_IDLE, 0);
		break;
	}
}

/* How many more symbols symbol_limit allows in the next message. */
static size_t room(const struct lc_alpaca_subs *subs)
{
	size_t limit = subs->options.symbol_limit;
	if (subs->stage != STAGE_ADD || limit == 0) {
		return SIZE_MAX;
	}
	return limit > subs->n_held ? limit - subs->n_held : 0;
}

/* Fills the batch from the stage's list. */
static void collect(struct lc_alpaca_subs *subs)
{
	size_t count;
	const uint32_t *list = stage_list(subs, &count);
	subs->batch_mask = stage_mask(subs);
	size_t lists = (size_t)__builtin_popcount(subs->batch_mask);
	size_t bytes = frame_bytes(subs->batch_mask);
	size_t most = subs->window < room(subs) ? subs->window : room(subs);
	subs->n_batch = 0;
	size_t i = subs->at;
	for (; i < count && subs->n_batch < most; i++) {
		if (!stage_takes(subs, list[i])) {
			continue;
		}
		size_t more = lists *
			      (lc_symbols_get(subs->symbols, list[i])->len + sizeof("\"\",") - 1);
		if (subs->n_batch > 0 && bytes + more > subs->options.max_message) {
			break;
		}
		bytes += more;
		subs->batch[subs->n_batch++] = list[i];
	}
	subs->batch_end = i;
}

static void mark_batch(struct lc_alpaca_subs *subs, uint8_t set, uint8_t clear)
{
	for (size_t i = 0; i < subs->n_batch; i++) {
		uint8_t *flags = &subs->flags[subs->batch[i]];
		*flags = (uint8_t)((*flags & ~clear) | set);
	}
}

static void reject(struct lc_alpaca_subs *subs, uint32_t symbol, bool limit, const char *reason)
{
	subs->events->rejected(subs->arg, symbol, limit, reason);
}

/* The plan is full: what is left of the additions is refused without asking. */
static void reject_rest(struct lc_alpaca_subs *subs, const char *reason)
{
	for (; subs->at < subs->n_add; subs->at++) {
		if (!(subs->flags[subs->add[subs->at]] & PRICES)) {
			reject(subs, subs->add[subs->at], true, reason);
		}
	}
}

/* A batch is dealt with. Within a batch that failed before, the rest of that one is tried next. */
static void pass_batch(struct lc_alpaca_subs *subs)
{
	subs->at = subs->batch_end;
	subs->window = subs->options.max_symbols;
	if (subs->at >= subs->fail_end) {
		subs->fail_end = 0;
	} else if (subs->fail_end - subs->at < subs->window) {
		subs->window = subs->fail_end - subs->at;
	}
}

static void halve(struct lc_alpaca_subs *subs)
{
	subs->fail_end = subs->batch_end;
	subs->window = subs->n_batch / 2;
}

/* --- answers --- */

/* The vendor's reply lists all that is subscribed, of which the batch is a small part: what cannot
 * be in it is told by a few bits, because a look-up of 20,000 names would hold the loop. */
struct filter {
	uint64_t bits[64];
};

static unsigned filter_bit(const char *text, size_t len)
{
	uint64_t word = 0;
	memcpy(&word, text, len < sizeof(word) ? len : sizeof(word));
	return (unsigned)(((word ^ len) * UINT64_C(0x9e3779b97f4a7c15)) >> 52);
}

static void make_filter(const struct lc_alpaca_subs *subs, struct filter *filter)
{
	memset(filter, 0, sizeof(*filter));
	for (size_t i = 0; i < subs->n_batch; i++) {
		const struct lc_symbol *symbol = lc_symbols_get(subs->symbols, subs->batch[i]);
		unsigned bit = filter_bit(symbol->text, symbol->len);
		filter->bits[bit / 64] |= UINT64_C(1) << bit % 64;
	}
}

static bool may_be_in(const struct filter *filter, const struct lc_value *name)
{
	unsigned bit = filter_bit(name->v.text, name->len);
	return filter->bits[bit / 64] >> bit % 64 & 1;
}

static void note_seen(struct lc_alpaca_subs *subs, const struct filter *filter,
	const struct lc_value *list, unsigned channel)
{
	const struct lc_value *name;
	lc_value_each (name, list) {
		if (name->type != LC_VALUE_STRING) {
			continue;
		}
		if (lc_value_is(name, "*")) {
			mark_batch(subs, (uint8_t)channel, 0);
			continue;
		}
		if (!may_be_in(filter, name)) {
			continue;
		}
		uint32_t symbol = lc_symbols_find(subs->symbols, name->v.text, name->len);
		if (symbol < subs->n_flags && subs->flags[symbol] & IN_FLIGHT) {
			subs->flags[symbol] |= (uint8_t)channel;
		}
	}
}

/* A symbol that the reply to a subscribe holds in every price channel is followed. */
static bool settle_added(struct lc_alpaca_subs *subs, uint32_t symbol)
{
	uint8_t seen = subs->flags[symbol] & subs->batch_mask;
	unsigned prices = subs->batch_mask & LC_ALPACA_PRICES;
	if ((seen & LC_ALPACA_PRICES) != prices) {
		reject(subs, symbol, false, "the vendor's reply to subscribe leaves it out");
		return false;
	}
	if (prices) {
		subs->flags[symbol] |= PRICES;
		subs->held[subs->n_held++] = symbol;
	}
	if (seen & LC_ALPACA_STATUSES) {
		subs->flags[symbol] |= STATUSES;
		subs->n_statuses++;
	}
	if (prices) {
		subs->events->accepted(subs->arg, symbol);
	}
	return true;
}

static bool settle_removed(struct lc_alpaca_subs *subs, uint32_t symbol)
{
	uint8_t *flags = &subs->flags[symbol];
	bool gone = !(*flags & subs->batch_mask);
	if (*flags & STATUSES) {
		subs->n_statuses--;
	}
	*flags &= (uint8_t) ~(STATUSES | (subs->stage == STAGE_REMOVE ? PRICES : 0));
	return gone;
}

/* Takes the symbols that left out of the list of those held. */
static void compact_held(struct lc_alpaca_subs *subs)
{
	size_t kept = 0;
	for (size_t i = 0; i < subs->n_held; i++) {
		if (subs->flags[subs->held[i]] & PRICES) {
			subs->held[kept++] = subs->held[i];
		}
	}
	subs->n_held = kept;
}

static void on_refused_single(struct lc_alpaca_subs *subs, int64_t code)
{
	if (subs->stage == STAGE_STATUSES) {
		size_t lost = subs->n_held - subs->n_statuses;
		if (code == 405) {
			enter(subs, STAGE_IDLE, 0);
			subs->events->statuses_lost(
				subs->arg, lost, "the plan's symbol limit leaves no room for them");
		} else {
			pass_batch(subs);
			subs->events->statuses_lost(subs->arg, 1, "the vendor refuses them");
		}
		return;
	}
	if (code == 405) {
		reject_rest(subs, "405 symbol limit exceeded: the plan allows no more");
		return;
	}
	reject(subs, subs->batch[0], false,
		"400 invalid syntax: the vendor does not take this symbol");
	pass_batch(subs);
}

/* The limit is met. True when giving statuses back may still make room, so that the batch is asked
 * for again. */
static bool give_statuses_back(struct lc_alpaca_subs *subs)
{
	if (subs->stage != STAGE_ADD) {
		return false;
	}
	bool had = subs->batch_mask & LC_ALPACA_STATUSES;
	subs->tight = true;
	if (subs->n_statuses > 0 && !subs->released) {
		subs->released = true;
		subs->add_at = subs->at;
		enter(subs, STAGE_RELEASE, 0);
		return true;
	}
	return had;
}

static enum lc_err on_no_channel(struct lc_alpaca_subs *subs)
{
	if (!(subs->batch_mask & LC_ALPACA_STATUSES)) {
		return LC_ERR_UNSUPPORTED;
	}
	subs->no_statuses = true;
	subs->events->statuses_lost(subs->arg, subs->n_batch, "410: this feed does not offer them");
	if (subs->stage == STAGE_STATUSES) {
		enter(subs, STAGE_IDLE, 0);
	}
	return LC_OK;
}

/* --- public --- */

enum lc_err lc_alpaca_subs_create(const struct lc_symbols *symbols,
	const struct lc_alpaca_subs_events *events, void *arg, struct lc_alpaca_subs **out)
{
	struct lc_alpaca_subs *subs = calloc(1, sizeof(*subs));
	if (!subs) {
		return LC_ERR_NOMEM;
	}
	subs->symbols = symbols;
	subs->events = events;
	subs->arg = arg;
	*out = subs;
	return LC_OK;
}

void lc_alpaca_subs_destroy(struct lc_alpaca_subs *subs)
{
	if (!subs) {
		return;
	}
	free(subs->flags);
	free(subs->held);
	free(subs->add);
	free(subs->remove);
	free(subs->batch);
	free(subs);
}

void lc_alpaca_subs_reset(struct lc_alpaca_subs *subs, const struct lc_alpaca_subs_options *options)
{
	assert(options->max_symbols > 0 && options->channels & LC_ALPACA_PRICES);
	subs->options = *options;
	if (subs->n_flags > 0) {
		memset(subs->flags, 0, subs->n_flags);
	}
	subs->n_held = subs->n_statuses = 0;
	subs->n_add = subs->n_remove = subs->n_batch = 0;
	subs->in_flight = subs->tight = subs->released = subs->no_statuses = false;
	enter(subs, STAGE_IDLE, 0);
}

static bool grow_list(uint32_t **list, size_t count)
{
	uint32_t *bigger = reallocarray(*list, count, sizeof(**list));
	if (bigger) {
		*list = bigger;
	}
	return bigger != NULL;
}

/* Room for every symbol of the table, so that nothing is allocated between changes. */
static enum lc_err grow(struct lc_alpaca_subs *subs, size_t count)
{
	if (count <= subs->n_flags) {
		return LC_OK;
	}
	count += count / 2;
	if (!grow_list(&subs->held, count) || !grow_list(&subs->add, count) ||
		!grow_list(&subs->remove, count) || !grow_list(&subs->batch, count)) {
		return LC_ERR_NOMEM;
	}
	uint8_t *flags = realloc(subs->flags, count);
	if (!flags) {
		return LC_ERR_NOMEM;
	}
	memset(flags + subs->n_flags, 0, count - subs->n_flags);
	subs->flags = flags;
	subs->n_flags = count;
	return LC_OK;
}

/* Each symbol once: the lists have room for the table and no more. */
static size_t take_once(
	struct lc_alpaca_subs *subs, const uint32_t *from, size_t count, uint32_t *to)
{
	size_t taken = 0;
	for (size_t i = 0; i < count; i++) {
		assert(from[i] < subs->n_flags);
		if (!(subs->flags[from[i]] & LISTED)) {
			subs->flags[from[i]] |= LISTED;
			to[taken++] = from[i];
		}
	}
	for (size_t i = 0; i < taken; i++) {
		subs->flags[to[i]] &= (uint8_t)~LISTED;
	}
	return taken;
}

enum lc_err lc_alpaca_subs_change(struct lc_alpaca_subs *subs, const uint32_t *add, size_t n_add,
	const uint32_t *remove, size_t n_remove)
{
	assert(subs->stage == STAGE_IDLE && !subs->in_flight);
	enum lc_err code = grow(subs, lc_symbols_count(subs->symbols));
	if (code != LC_OK) {
		return code;
	}
	subs->n_add = take_once(subs, add, n_add, subs->add);
	subs->n_remove = take_once(subs, remove, n_remove, subs->remove);
	subs->released = false;
	enter(subs, STAGE_REMOVE, 0);
	return LC_OK;
}

enum lc_err lc_alpaca_subs_next(struct lc_alpaca_subs *subs, struct lc_buf *out)
{
	if (subs->in_flight) {
		return LC_ERR_AGAIN;
	}
	while (subs->stage != STAGE_IDLE) {
		if (room(subs) == 0) {
			reject_rest(subs, "alpaca.symbol_limit is reached");
		}
		collect(subs);
		if (subs->n_batch > 0) {
			bool adding = subs->stage == STAGE_ADD;
			mark_batch(subs, (uint8_t)(IN_FLIGHT | (adding ? ASKED : 0)), SEEN_ALL);
			subs->in_flight = true;
			return write_message(subs, out);
		}
		advance(subs);
	}
	return LC_ERR_END;
}

enum lc_err lc_alpaca_subs_again(struct lc_alpaca_subs *subs, struct lc_buf *out)
{
	return subs->in_flight ? write_message(subs, out) : LC_ERR_END;
}

bool lc_alpaca_subs_in_flight(const struct lc_alpaca_subs *subs)
{
	return subs->in_flight;
}

bool lc_alpaca_subs_reply(struct lc_alpaca_subs *subs, const struct lc_value *item, size_t *missing)
{
	*missing = 0;
	if (!subs->in_flight) {
		return false;
	}
	struct filter filter;
	make_filter(subs, &filter);
	for (size_t i = 0; i < N_CHANNELS; i++) {
		const struct lc_value *list = lc_value_find(item, channel_names[i].name);
		if (list && subs->batch_mask & channel_names[i].channel) {
			note_seen(subs, &filter, list, channel_names[i].channel);
		}
	}
	bool adding = subs->stage == STAGE_ADD || subs->stage == STAGE_STATUSES;
	for (size_t i = 0; i < subs->n_batch; i++) {
		uint32_t symbol = subs->batch[i];
		bool settled = adding ? settle_added(subs, symbol) : settle_removed(subs, symbol);
		*missing += settled ? 0 : 1;
	}
	if (subs->stage == STAGE_REMOVE) {
		compact_held(subs);
	}
	mark_batch(subs, 0, IN_FLIGHT | ASKED | SEEN_ALL);
	subs->in_flight = false;
	pass_batch(subs);
	return true;
}

enum lc_err lc_alpaca_subs_error(struct lc_alpaca_subs *subs, int64_t code)
{
	if (!subs->in_flight) {
		return LC_ERR_END;
	}
	mark_batch(subs, 0, IN_FLIGHT | ASKED | SEEN_ALL);
	subs->in_flight = false;
	if (subs->stage == STAGE_REMOVE || subs->stage == STAGE_RELEASE) {
		/* An unsubscribe has no culprit worth looking for: ticks of what we left are
		 * dropped anyway. */
		for (size_t i = 0; i < subs->n_batch; i++) {
			settle_removed(subs, subs->batch[i]);
		}
		compact_held(subs);
		pass_batch(subs);
		return LC_OK;
	}
	if (code == 410) {
		return on_no_channel(subs);
	}
	if (code == 405 && give_statuses_back(subs)) {
		return LC_OK;
	}
	if (subs->n_batch > 1) {
		halve(subs);
	} else {
		on_refused_single(subs, code);
	}
	return LC_OK;
}

bool lc_alpaca_subs_wants(const struct lc_alpaca_subs *subs, uint32_t symbol)
{
	return symbol < subs->n_flags && subs->flags[symbol] & (PRICES | ASKED);
}
