#include "manager/holes.h"

#include "livecore/clock.h"

#include <stdlib.h>
#include <string.h>

/* By so much trades of one symbol may be ahead of another's, and answers to polls behind. */
#define SLACK_NS LC_NS_PER_S
/* A vendor's times are not quite in order: what is lost with a connection may be so much older than
 * what came last. */
#define DISORDER_NS (10 * LC_NS_PER_MS)
#define FIRST_HOLES 64

struct seen {
	int64_t until_ns; /* nothing is missing before; 0: never seen */
	uint32_t hole;    /* 1 + its place in list; 0: none */
};

struct lc_holes {
	struct seen *seen; /* owned; by symbol */
	size_t max;
	bool snapshots;
	int64_t newest_ns, subscribed_ns;
	struct lc_hole *list; /* owned */
	size_t count, room, ended;
};

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void end_hole(struct lc_holes *holes, struct seen *seen, int64_t at_ns)
{
	struct lc_hole *hole = &holes->list[seen->hole - 1];
	hole->ended = true;
	hole->until_ns = later(at_ns, hole->from_ns);
	seen->until_ns = later(seen->until_ns, hole->until_ns);
	seen->hole = 0;
	holes->ended++;
}

enum lc_err lc_holes_create(size_t max_symbols, bool snapshots, struct lc_holes **out)
{
	struct lc_holes *holes = calloc(1, sizeof *holes);
	if (!holes) {
		return LC_ERR_NOMEM;
	}
	/* Zero pages until a symbol is seen. */
	holes->seen = calloc(max_symbols + 1, sizeof *holes->seen);
	if (!holes->seen) {
		free(holes);
		return LC_ERR_NOMEM;
	}
	holes->max = max_symbols;
	holes->snapshots = snapshots;
	*out = holes;
	return LC_OK;
}

void lc_holes_destroy(struct lc_holes *holes)
{
	if (holes) {
		free(holes->seen);
		free(holes->list);
		free(holes);
	}
}

void lc_holes_seen(struct lc_holes *holes, const struct lc_tick *tick)
{
	struct seen *seen = &holes->seen[tick->symbol];
	seen->until_ns = later(seen->until_ns, tick->event_ns);
	holes->newest_ns = later(holes->newest_ns, tick->event_ns);
	if (holes->snapshots) {
		lc_holes_same(holes, tick);
	} else if (seen->hole) {
		end_hole(holes, seen, later(tick->event_ns, holes->subscribed_ns));
	}
}

void lc_holes_same(struct lc_holes *holes, const struct lc_tick *tick)
{
	struct seen *seen = &holes->seen[tick->symbol];
	if (!holes->snapshots) {
		return;
	}
	seen->until_ns = later(seen->until_ns, tick->received_ns - SLACK_NS);
	if (seen->hole) {
		end_hole(holes, seen, later(tick->event_ns, tick->received_ns));
	}
}

void lc_holes_subscribed(struct lc_holes *holes, int64_t now_ns)
{
	holes->subscribed_ns = later(holes->subscribed_ns, now_ns);
}

bool lc_holes_open(struct lc_holes *holes, uint32_t symbol, int64_t floor_ns, int64_t now_ns)
{
	struct seen *seen = &holes->seen[symbol];
	if (seen->hole) {
		return false;
	}
	if (holes->count == holes->room) {
		size_t room = holes->room ? holes->room * 2 : FIRST_HOLES;
		struct lc_hole *list = realloc(holes->list, room * sizeof *list);
		if (!list) {
			return false;
		}
		holes->list = list;
		holes->room = room;
	}
	int64_t from_ns = seen->until_ns;
	if (!holes->snapshots) {
		from_ns = later(from_ns - DISORDER_NS, holes->newest_ns - SLACK_NS);
	}
	from_ns = from_ns < now_ns ? from_ns : now_ns;
	holes->list[holes->count++] = (struct lc_hole){
		.symbol = symbol, .from_ns = later(from_ns, floor_ns)};
	seen->hole = (uint32_t)holes->count;
	return true;
}

void lc_holes_back(struct lc_holes *holes, uint32_t symbol)
{
	struct seen *seen = &holes->seen[symbol];
	if (seen->hole && !holes->snapshots) {
		end_hole(holes, seen, holes->subscribed_ns);
	}
}

void lc_holes_all_back(struct lc_holes *holes, int64_t at_ns)
{
	for (size_t i = 0; i < holes->count; i++) {
		struct seen *seen = &holes->seen[holes->list[i].symbol];
		if (seen->hole == i + 1) {
			end_hole(holes, seen, at_ns);
		}
	}
}

static void move_to(struct lc_holes *holes, size_t from, size_t to)
{
	holes->list[to] = holes->list[from];
	if (!holes->list[to].ended) {
		holes->seen[holes->list[to].symbol].hole = (uint32_t)to + 1;
	}
}

void lc_holes_forget(struct lc_holes *holes, uint32_t symbol)
{
	struct seen *seen = &holes->seen[symbol];
	if (seen->hole) {
		size_t at = seen->hole - 1;
		for (size_t i = at + 1; i < holes->count; i++) {
			move_to(holes, i, i - 1);
		}
		holes->count--;
	}
	*seen = (struct seen){0};
}

bool lc_holes_is_open(const struct lc_holes *holes, uint32_t symbol)
{
	return holes->seen[symbol].hole != 0;
}

size_t lc_holes_count(const struct lc_holes *holes)
{
	return holes->count;
}

size_t lc_holes_ended(const struct lc_holes *holes)
{
	return holes->ended;
}

const struct lc_hole *lc_holes_at(const struct lc_holes *holes, size_t i)
{
	return &holes->list[i];
}

size_t lc_holes_take(struct lc_holes *holes, struct lc_hole *out, size_t max)
{
	size_t taken = 0, kept = 0;
	for (size_t i = 0; i < holes->count; i++) {
		if (holes->list[i].ended && taken < max) {
			out[taken++] = holes->list[i];
		} else {
			move_to(holes, i, kept++);
		}
	}
	holes->count = kept;
	holes->ended -= taken;
	return taken;
}
