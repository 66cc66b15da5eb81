/* What is remembered of the trades at the edges of a hole, while the hole is being filled: a trade
 * there may come from the stream and from the vendor's history, in either order. */
#include "livecore/clock.h"
#include "quality_priv.h"

#include <stdlib.h>
#include <string.h>

/* After the hole's end the stream gives everything: of a history that reaches further than what was
 * remembered of it, the rest is known by its time. */
static bool is_streamed(const struct edge *edge, const struct lc_tick *tick)
{
	return tick->flags & LC_FLAG_BACKFILLED &&
	       (tick->event_ns > edge->sure_ns ||
		       (tick->event_ns > edge->was_sure_ns && tick->event_ns < edge->was_until_ns));
}

bool lc_edge_knows(const struct edge *edge, const struct lc_tick *tick, uint64_t fingerprint)
{
	return is_streamed(edge, tick) || lc_repeats_contain(&edge->before, fingerprint) ||
	       lc_repeats_contain(&edge->after, fingerprint);
}

/* What is asked for again must not push out what the stream may repeat, and what the stream gave
 * at the hole's edges must be known when it comes by the other way. */
bool lc_edge_remember(struct edge *edge, const struct lc_tick *tick, uint64_t fingerprint)
{
	if (tick->flags & LC_FLAG_BACKFILLED) {
		lc_repeats_add(&edge->before, fingerprint);
		return true;
	}
	if (tick->event_ns <= edge->sure_ns) {
		edge->live++;
		lc_repeats_add(&edge->after, fingerprint);
		edge->newest_ns = tick->event_ns > edge->newest_ns ? tick->event_ns
								   : edge->newest_ns;
	}
	if (edge->live >= EDGE_TRADES && edge->sure_ns == INT64_MAX) {
		edge->sure_ns = edge->newest_ns + EDGE_SLACK_NS;
	}
	return false;
}

static void fill_edge(struct symbol_state *state, int64_t was_sure_ns)
{
	struct edge *edge = state->edge;
	memset(edge, 0, sizeof *edge);
	edge->newest_ns = INT64_MIN;
	edge->sure_ns = INT64_MAX;
	edge->was_sure_ns = was_sure_ns;
	edge->was_until_ns = was_sure_ns; /* nothing is between them */
	if (was_sure_ns != INT64_MAX) {
		edge->was_until_ns = state->kinds[LC_TICK_TRADE].event_ns - EDGE_SLACK_NS;
	}
	if (state->repeats) {
		edge->before = *state->repeats;
	}
}

/* The stream may be behind the history: what that gave last may still come. */
static void end_edge(struct symbol_state *state)
{
	struct repeats *repeats = state->edge ? lc_repeats_of(state) : NULL;
	if (repeats) {
		lc_repeats_merge(repeats, &state->edge->before);
	}
	free(state->edge);
	state->edge = NULL;
}

void lc_edge_change(struct symbol_state *state, bool keep)
{
	int64_t was_sure_ns = state->edge ? state->edge->sure_ns : INT64_MAX;
	end_edge(state);
	if (!keep) {
		return;
	}
	/* Once a gap. Without memory only the latest trades are known again. */
	state->edge = aligned_alloc(_Alignof(struct edge), sizeof *state->edge);
	if (state->edge) {
		fill_edge(state, was_sure_ns);
	}
}
