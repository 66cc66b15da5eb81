/* Single markets of a feed that follows several: one may fall silent while the others go on. */
#include "livecore/liveness.h"

#include "liveness_priv.h"

#define GONE_NS (10 * LC_NS_PER_S)

/* Only beside one that speaks is a silence the market's own; else it is the feed's. */
static bool others_flow(const struct live_feed *feed, enum lc_market market)
{
	bool others = false;
	for (int i = 0; i < LC_MARKETS; i++) {
		const struct live_market *other = &feed->markets[i];
		others |= i != (int)market && other->counting && other->part == PART_FINE;
	}
	return others && feed->stage == LC_STAGE_NONE && feed->verdict == LC_LIVE_FLOWS;
}

static void forget_silence(struct live_market *market)
{
	market->expected = 0;
	market->silent_ns = 0;
}

/* What was no chance and ended by itself is no fault the next time. */
static void end_silence(const struct lc_liveness *live, struct live_market *market)
{
	int64_t most_ns = live->config->max_silence * LC_NS_PER_MS;
	if (market->part == PART_FINE && market->expected >= live->config->patience / 2 &&
		market->silent_ns > market->worst_ns) {
		market->worst_ns = market->silent_ns < most_ns ? market->silent_ns : most_ns;
	}
	forget_silence(market);
}

static enum lc_live_part recover(struct live_market *market)
{
	bool said = market->part != PART_FINE;
	if (said) {
		market->waiting_ns = 0; /* a fault's time teaches nothing */
		market->arrivals = 0;
	}
	market->part = PART_FINE;
	return said ? LC_PART_BACK : LC_PART_FINE;
}

static enum lc_live_part enter(
	const struct lc_liveness *live, struct live_market *market, enum live_part part)
{
	market->part = part;
	market->part_ns = live->mono_ns;
	market->expected = 0; /* what comes next must be weighed anew */
	return part == PART_ASKED ? LC_PART_ASK_AGAIN : LC_PART_MUTE;
}

/* Weighs the silence; true: it is no chance. */
static bool weigh(const struct lc_liveness *live, const struct live_market *market,
	enum live_bucket bucket, const struct lc_live_link *link, struct lc_live_step *step)
{
	double rate = live_pace_of(market, bucket);
	double times = live_times_of(
		(double)market->sum / 1e6, (double)market->squares / 1e6, live_unsure(market));
	bool frozen = live_answers_polls(live, market->answered_ns, link);
	double need = live->config->patience * times * (frozen ? LIVE_FROZEN_TIMES : 1);
	double floor_ns = live_floor_ns(live, link, market->worst_ns);
	double chance_ns = rate > 0 ? need / rate * 1e9 : 0;
	step->verdict = frozen ? LC_LIVE_FROZEN : LC_LIVE_MUTE;
	step->expected_ns = (int64_t)(chance_ns > floor_ns ? chance_ns : floor_ns);
	return rate > 0 && market->expected >= need && (double)market->silent_ns >= floor_ns;
}

static enum lc_live_part judge(const struct lc_liveness *live, struct live_market *market,
	enum live_bucket bucket, const struct lc_live_link *link, struct lc_live_step *step)
{
	bool mute = weigh(live, market, bucket, link, step);
	int64_t wait_ns = live->config->resubscribe_wait * LC_NS_PER_MS;
	if (market->part == PART_FINE && mute) {
		return enter(live, market, PART_ASKED);
	}
	if (market->part == PART_ASKED && mute && live->mono_ns - market->part_ns >= wait_ns) {
		return enter(live, market, PART_MUTE);
	}
	return LC_PART_FINE;
}

enum lc_live_part lc_liveness_part(struct lc_liveness *live, uint8_t index, enum lc_market which,
	const struct lc_live_link *link, struct lc_live_step *step)
{
	struct live_feed *feed = &live->feeds[index];
	struct live_market *market = &feed->markets[which];
	enum live_bucket bucket = live->plans[which].bucket;
	/* Subscribing anew takes them away for a moment. */
	bool gone = market->held == 0 && live->mono_ns - market->part_ns > GONE_NS;
	*step = (struct lc_live_step){.socket = feed->socket,
		.silent_ns = market->silent_ns,
		.expected_ticks = market->expected};
	if (market->spoken || bucket == BUCKET_NONE || link->stopped || gone) {
		end_silence(live, market);
		return recover(market);
	}
	if (!market->counting || !others_flow(feed, which)) {
		forget_silence(market);
		return LC_PART_FINE;
	}
	market->silent_ns += live->turn_ns;
	market->expected += live_pace_of(market, bucket) * (double)live->turn_ns / 1e9;
	step->silent_ns = market->silent_ns;
	step->expected_ticks = market->expected;
	return judge(live, market, bucket, link, step);
}
