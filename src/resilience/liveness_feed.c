/* Feeds: what their silence weighs, and what is done about it, stage by stage. */
#include "livecore/liveness.h"

#include "liveness_priv.h"

#include <math.h>

#define TURN_MAX_NS LC_NS_PER_S /* a loop that stood still is no silence of the vendor's */
#define SEEN_NS (10 * LC_NS_PER_S)
#define SETTLE_MAX_NS (30 * LC_NS_PER_S) /* changes may never end: then they are no excuse */
#define RECENT_S 60.0                    /* the pace of late is a mean over about so long */
#define RECENT_MIN_S 20
#define RECENT_MIN_TICKS 20
#define RECENT_SURE_S 120
#define UNSURE_TIMES 3    /* more patience while the pace of late is hardly known */
#define FEW 3             /* … and the fewer symbols it rests on: one alone is far from chance */
#define CADENCE_TIMES 2.5 /* rounds of polls that may bring nothing */
#define WORST_TIMES 2
#define WORST_DECAY_S 3600.0
#define ANSWER_NS LC_NS_PER_S          /* a probe that was answered waits so long for data */
#define HEALTHY_NS (600 * LC_NS_PER_S) /* after it, waits are short again */
#define WAIT_MAX_MS 600000
#define SOCKET_NS (150 * LC_NS_PER_S) /* two pings of the slowest vendor */

const char *lc_live_socket_name(enum lc_live_socket socket)
{
	static const char *const names[] = {"unknown", "answers", "dead"};
	return names[socket];
}

const char *lc_live_subscription_name(enum lc_live_subscription subscription)
{
	static const char *const names[] = {
		"idle", "grace", "unknown", "flows", "unheard", "mute", "frozen"};
	return names[subscription];
}

const char *lc_live_stage_name(enum lc_live_stage stage)
{
	static const char *const names[] = {
		"none", "probe", "resubscribe", "reconnect", "fail_over", "over"};
	return names[stage];
}

/* --- each turn --- */

void lc_liveness_turn(struct lc_liveness *live, int64_t wall_ns, int64_t mono_ns)
{
	int64_t passed_ns = mono_ns - live->mono_ns;
	live->turn_ns = passed_ns < 0 ? 0 : passed_ns > TURN_MAX_NS ? TURN_MAX_NS : passed_ns;
	live->mono_ns = mono_ns;
	live->now = live_stamp(live, mono_ns);
	for (int market = 0; market < LC_MARKETS; market++) {
		struct live_plan *plan = &live->plans[market];
		live_plan_at(plan, live->options.calendar, (enum lc_market)market, wall_ns);
		live->grace[market] = wall_ns - plan->phase_ns < live->config->grace * LC_NS_PER_MS;
	}
}

/* --- the pace --- */

/* Measures the pace of late, each time data came: so a silence never lowers it while it lasts. */
static void measure(struct live_market *market)
{
	double seconds = (double)(market->watched_ns - market->measured_ns) / 1e9;
	if (seconds < 1) {
		return;
	}
	double seen = market->arrivals / seconds;
	double weight = fmax(1 - exp(-seconds / RECENT_S), seconds / (market->recent_s + seconds));
	market->recent += weight * (seen - market->recent);
	market->recent_s += seconds;
	market->recent_n += market->arrivals;
	market->arrivals = 0;
	market->measured_ns = market->watched_ns;
}

static bool recent_known(const struct live_market *market)
{
	return market->recent_s >= RECENT_MIN_S && market->recent_n >= RECENT_MIN_TICKS;
}

/* The ticks a second that are expected of one market now. Of what is learned and what was seen of
 * late the smaller one: quiet days exist. */
double live_pace_of(const struct live_market *market, enum live_bucket bucket)
{
	double learned = (double)market->sum / 1e6;
	bool recent = recent_known(market);
	if (!market->counting || market->held == 0) {
		return 0;
	}
	if (recent && market->learned > 0) {
		return fmin(learned, market->recent);
	}
	if (!live_in_open(bucket)) {
		return 0; /* the pre-market is judged only where it was learned */
	}
	return recent ? market->recent : learned;
}

bool live_unsure(const struct live_market *market)
{
	return market->recent_s < RECENT_SURE_S;
}

double live_times_of(double rates, double squares, bool unsure)
{
	double symbols = squares > 0 ? rates * rates / squares : 1;
	return (unsure ? UNSURE_TIMES : 1) * (1 + FEW / fmax(symbols, 1));
}

/* Sums up the markets; *times: how much more patience than usual what is known calls for. */
static double pace(const struct lc_liveness *live, const struct live_feed *feed, double *times)
{
	double sum = 0, learned = 0, squares = 0;
	bool unsure = false;
	for (int i = 0; i < LC_MARKETS; i++) {
		const struct live_market *market = &feed->markets[i];
		if (market->part != PART_FINE) {
			continue; /* its silence is known of */
		}
		double pace = live_pace_of(market, live->plans[i].bucket);
		sum += pace;
		unsure |= pace > 0 && live_unsure(market);
		if (market->counting) {
			learned += (double)market->sum / 1e6;
			squares += (double)market->squares / 1e6;
		}
	}
	*times = live_times_of(learned, squares, unsure);
	return sum;
}

/* --- counting --- */

static bool is_ready(
	const struct lc_liveness *live, struct live_feed *feed, const struct lc_live_link *link)
{
	if (!link->connected || link->session != feed->session) {
		feed->up_ns = feed->ready_ns = 0;
		feed->was_down = true;
		feed->session = link->session;
	}
	if (!link->connected) {
		return false;
	}
	feed->up_ns = feed->up_ns ? feed->up_ns : live->mono_ns;
	bool late = live->mono_ns - feed->up_ns > SETTLE_MAX_NS;
	if (!link->reading) {
		feed->ready_ns = 0;
	} else if (feed->ready_ns == 0 && (link->settled || late)) {
		feed->ready_ns = live->mono_ns;
	}
	return feed->ready_ns > 0 &&
	       live->mono_ns - feed->ready_ns >= live->config->grace * LC_NS_PER_MS;
}

/* Which markets' silence means something in this turn. Returns whether any does. */
static bool count_markets(struct lc_liveness *live, struct live_feed *feed, bool ready)
{
	bool any = false;
	for (int i = 0; i < LC_MARKETS; i++) {
		struct live_market *market = &feed->markets[i];
		bool counting = ready && market->held > 0 && live->plans[i].bucket != BUCKET_NONE &&
				!live->grace[i];
		if (counting && !market->counting) {
			market->from = live->now;
			market->arrivals = 0;
			market->measured_ns = market->watched_ns;
		}
		market->counting = counting;
		any |= counting;
	}
	return any;
}

static bool in_session(const struct lc_liveness *live, const struct live_feed *feed, bool open)
{
	for (int i = 0; i < LC_MARKETS; i++) {
		enum live_bucket bucket = live->plans[i].bucket;
		if (feed->markets[i].held > 0 && bucket != BUCKET_NONE &&
			(!open || live_in_open(bucket))) {
			return true;
		}
	}
	return false;
}

static size_t held_of(const struct live_feed *feed)
{
	size_t held = 0;
	for (int i = 0; i < LC_MARKETS; i++) {
		held += feed->markets[i].held;
	}
	return held;
}

/* Time counts as watched once data has come: what is learned must not fade in a silence. */
static void watch(struct live_feed *feed, int64_t passed_ns)
{
	for (int i = 0; i < LC_MARKETS; i++) {
		struct live_market *market = &feed->markets[i];
		market->waiting_ns += market->counting ? passed_ns : 0;
		if (market->spoken && market->part == PART_FINE) {
			market->watched_ns += market->waiting_ns;
			market->waiting_ns = 0;
			measure(market);
		}
	}
	feed->worst_ns = (int64_t)((double)feed->worst_ns *
				   exp(-(double)passed_ns / 1e9 / WORST_DECAY_S));
}

static void forget_silence(struct live_feed *feed)
{
	feed->expected = 0;
	feed->silent_ns = 0;
}

/* A silence has ended by itself. When it was no chance, the next like it is no fault. */
static void end_silence(const struct lc_liveness *live, struct live_feed *feed)
{
	int64_t most_ns = live->config->max_silence * LC_NS_PER_MS;
	if (feed->expected >= live->config->patience / 2 && feed->silent_ns > feed->worst_ns) {
		feed->worst_ns = feed->silent_ns < most_ns ? feed->silent_ns : most_ns;
	}
	forget_silence(feed);
}

/* --- the verdict --- */

bool live_answers_polls(
	const struct lc_liveness *live, int64_t answered_ns, const struct lc_live_link *link)
{
	int64_t recent_ns = (int64_t)(CADENCE_TIMES * (double)link->cadence_ns) +
			    live->config->min_silence * LC_NS_PER_MS;
	return answered_ns > 0 && live->mono_ns - answered_ns < recent_ns;
}

double live_floor_ns(
	const struct lc_liveness *live, const struct lc_live_link *link, int64_t worst_ns)
{
	double floor_ns = (double)(live->config->min_silence * LC_NS_PER_MS);
	floor_ns = fmax(floor_ns, CADENCE_TIMES * (double)link->cadence_ns);
	return fmax(floor_ns, WORST_TIMES * (double)worst_ns);
}

static enum lc_live_subscription weigh(
	struct lc_liveness *live, struct live_feed *feed, const struct lc_live_link *link)
{
	bool frozen = live_answers_polls(live, feed->answered_ns, link);
	double times;
	feed->rate = pace(live, feed, &times);
	double need = live->config->patience * times * (frozen ? LIVE_FROZEN_TIMES : 1);
	double floor_ns = live_floor_ns(live, link, feed->worst_ns);
	double chance_ns = feed->rate > 0 ? need / feed->rate * 1e9 : 0;
	feed->ordinary_ns = (int64_t)fmin(fmax(floor_ns, chance_ns), 1e18);
	if (feed->rate <= 0) {
		int64_t most_ns = live->config->max_silence * LC_NS_PER_MS;
		feed->ordinary_ns = most_ns;
		return in_session(live, feed, true) && feed->silent_ns >= most_ns ? LC_LIVE_UNHEARD
										  : LC_LIVE_UNKNOWN;
	}
	if (feed->expected < need || (double)feed->silent_ns < floor_ns) {
		return LC_LIVE_FLOWS;
	}
	return frozen ? LC_LIVE_FROZEN : LC_LIVE_MUTE;
}

static void judge_socket(
	const struct lc_liveness *live, struct live_feed *feed, const struct lc_live_link *link)
{
	int64_t heard_ns = link->heard_ns > feed->last_ns ? link->heard_ns : feed->last_ns;
	int64_t most_ns = SOCKET_NS + (int64_t)(CADENCE_TIMES * (double)link->cadence_ns);
	bool fresh = link->connected && heard_ns > 0 && heard_ns >= feed->up_ns &&
		     live->mono_ns - heard_ns < most_ns;
	if (fresh && heard_ns >= feed->probed_ns) {
		feed->socket = LC_SOCKET_ANSWERS;
	} else if (!link->connected || (!fresh && feed->socket != LC_SOCKET_DEAD)) {
		feed->socket = LC_SOCKET_UNKNOWN;
	}
}

/* --- the stages --- */

static void enter(struct lc_liveness *live, struct live_feed *feed, enum lc_live_stage stage,
	struct lc_live_step *step)
{
	feed->stage = stage;
	feed->stage_ns = live->mono_ns;
	feed->was_down = false;
	feed->attempt = stage == LC_STAGE_FAIL_OVER ? feed->attempt + 1 : 0;
	feed->growth += stage == LC_STAGE_RECONNECT;
	if (stage == LC_STAGE_PROBE) {
		feed->probed_ns = live->mono_ns;
	}
	step->stage = stage;
}

/* What comes next must be weighed anew. */
static void enter_anew(struct lc_liveness *live, struct live_feed *feed, enum lc_live_stage stage,
	struct lc_live_step *step)
{
	enter(live, feed, stage, step);
	feed->expected = 0;
}

static void end_stages(struct lc_liveness *live, struct live_feed *feed, struct lc_live_step *step)
{
	feed->stage = LC_STAGE_NONE;
	feed->healthy_ns = live->mono_ns;
	feed->attempt = 0;
	feed->probed_ns = 0;
	for (int i = 0; i < LC_MARKETS; i++) {
		feed->markets[i].waiting_ns = 0; /* a fault's time teaches nothing */
		feed->markets[i].arrivals = 0;
	}
	forget_silence(feed);
	step->stage = LC_STAGE_OVER;
}

/* Has the stage under way lasted so long? Each failure doubles it. */
static bool waited(const struct lc_liveness *live, const struct live_feed *feed, int64_t ms,
	unsigned doublings)
{
	int64_t wait_ms = ms << (doublings < 8 ? doublings : 8);
	wait_ms = wait_ms < WAIT_MAX_MS ? wait_ms : WAIT_MAX_MS;
	return live->mono_ns - feed->stage_ns >= wait_ms * LC_NS_PER_MS;
}

static void on_probing(struct lc_liveness *live, struct live_feed *feed,
	const struct lc_live_link *link, struct lc_live_step *step)
{
	int64_t polls_ms = (int64_t)(CADENCE_TIMES * (double)link->cadence_ns) / LC_NS_PER_MS;
	int64_t wait_ms = live->config->probe_wait > polls_ms ? live->config->probe_wait : polls_ms;
	bool answered = link->heard_ns > feed->stage_ns;
	if (answered && live->mono_ns - feed->stage_ns >= ANSWER_NS) {
		enter_anew(live, feed, LC_STAGE_RESUBSCRIBE, step);
	} else if (!answered && waited(live, feed, wait_ms, 0)) {
		/* Without any signs, that there is none says nothing. */
		bool knows = link->heard_ns > 0;
		feed->socket = knows ? LC_SOCKET_DEAD : feed->socket;
		enter_anew(live, feed, knows ? LC_STAGE_RECONNECT : LC_STAGE_RESUBSCRIBE, step);
	}
}

static void on_subscribed(struct lc_liveness *live, struct live_feed *feed,
	enum lc_live_subscription verdict, struct lc_live_step *step)
{
	/* Of what nothing is known no more is done: it may be as quiet as that. */
	if (verdict >= LC_LIVE_MUTE && feed->fault != LC_LIVE_UNHEARD &&
		waited(live, feed, live->config->resubscribe_wait, feed->growth)) {
		enter_anew(live, feed, LC_STAGE_RECONNECT, step);
	}
}

static void on_reconnected(struct lc_liveness *live, struct live_feed *feed,
	const struct lc_live_link *link, enum lc_live_subscription verdict,
	struct lc_live_step *step)
{
	bool late = !link->connected && waited(live, feed, live->config->reconnect_wait, 0);
	bool mute = link->connected && feed->was_down && verdict >= LC_LIVE_MUTE;
	if (late || mute) {
		enter_anew(live, feed, LC_STAGE_FAIL_OVER, step);
	}
}

static bool any_open(const struct lc_liveness *live)
{
	bool open = false;
	for (int i = 0; i < LC_MARKETS; i++) {
		open |= live_in_open(live->plans[i].bucket);
	}
	return open;
}

static void on_failed(struct lc_liveness *live, struct live_feed *feed,
	const struct lc_live_link *link, enum lc_live_subscription verdict,
	struct lc_live_step *step)
{
	/* One whose symbols were moved has nothing to be silent about, and may need a new session
	 * to get well. */
	bool left = link->moved && any_open(live);
	bool mute = link->connected && (verdict >= LC_LIVE_MUTE || left);
	if (mute && waited(live, feed, live->config->reconnect_wait, feed->attempt)) {
		enter_anew(live, feed, LC_STAGE_FAIL_OVER, step);
	}
}

/* Nothing is to be expected any more, so nothing is wrong. A dead vendor stays one over the
 * night. */
static bool is_moot(const struct lc_liveness *live, const struct live_feed *feed,
	const struct lc_live_link *link)
{
	if (link->stopped) {
		return true;
	}
	if (feed->stage >= LC_STAGE_RECONNECT) {
		/* It takes a while to see what a new session holds. */
		return feed->ready_ns > 0 && live->mono_ns - feed->ready_ns > SEEN_NS &&
		       held_of(feed) == 0 && !link->moved;
	}
	return !in_session(live, feed, false);
}

static void advance(struct lc_liveness *live, struct live_feed *feed,
	const struct lc_live_link *link, enum lc_live_subscription verdict,
	struct lc_live_step *step)
{
	if (link->connected && !link->reading) {
		return; /* no answer can be read */
	}
	if (feed->stage != LC_STAGE_NONE && is_moot(live, feed, link)) {
		end_stages(live, feed, step);
		return;
	}
	if (feed->was_down && feed->stage > LC_STAGE_NONE && feed->stage < LC_STAGE_RECONNECT) {
		/* The session ended by itself: the supervisor is at it. */
		enter_anew(live, feed, LC_STAGE_RECONNECT, step);
		feed->was_down = true;
		step->stage = LC_STAGE_NONE;
		return;
	}
	switch (feed->stage) {
	case LC_STAGE_NONE:
		if (verdict >= LC_LIVE_UNHEARD) {
			feed->fault = verdict;
			feed->broken_ns = feed->ordinary_ns;
			enter(live, feed, LC_STAGE_PROBE, step);
		} else if (live->mono_ns - feed->healthy_ns > HEALTHY_NS) {
			feed->growth = 0;
		}
		break;
	case LC_STAGE_PROBE:
		on_probing(live, feed, link, step);
		break;
	case LC_STAGE_RESUBSCRIBE:
		on_subscribed(live, feed, verdict, step);
		break;
	case LC_STAGE_RECONNECT:
		on_reconnected(live, feed, link, verdict, step);
		break;
	default:
		on_failed(live, feed, link, verdict, step);
		break;
	}
}

static enum lc_live_subscription shown(const struct lc_liveness *live, const struct live_feed *feed,
	bool counting, const struct lc_live_link *link, enum lc_live_subscription verdict)
{
	if (feed->stage != LC_STAGE_NONE) {
		return feed->fault;
	}
	if (!link->connected || !in_session(live, feed, false)) {
		return LC_LIVE_IDLE;
	}
	return counting ? verdict : LC_LIVE_GRACE;
}

static void fill(
	const struct live_feed *feed, double expected, int64_t silent_ns, struct lc_live_step *step)
{
	step->verdict = feed->fault;
	step->socket = feed->socket;
	step->attempt = feed->attempt;
	step->expected_ns = feed->stage != LC_STAGE_NONE ? feed->broken_ns : feed->ordinary_ns;
	step->silent_ns = silent_ns;
	step->expected_ticks = expected;
}

void lc_liveness_feed(struct lc_liveness *live, uint8_t index, const struct lc_live_link *link,
	struct lc_live_step *step)
{
	struct live_feed *feed = &live->feeds[index];
	bool spoke = feed->spoke, in_stage = feed->stage != LC_STAGE_NONE;
	*step = (struct lc_live_step){.stage = LC_STAGE_NONE};
	bool counting = count_markets(live, feed, is_ready(live, feed, link));
	feed->spoke = false;
	for (int i = 0; i < LC_MARKETS; i++) {
		feed->markets[i].spoken = feed->markets[i].spoke;
		feed->markets[i].spoke = false;
	}
	judge_socket(live, feed, link);
	double expected = feed->expected;
	int64_t silent_ns = feed->silent_ns;
	if (spoke && in_stage) {
		/* What a remedy ended teaches nothing, what ended before one was tried does. */
		if (feed->stage == LC_STAGE_PROBE) {
			end_silence(live, feed);
		}
		end_stages(live, feed, step);
	} else if (spoke) {
		end_silence(live, feed);
	} else if (counting) {
		feed->silent_ns += live->turn_ns;
		feed->expected += feed->rate * (double)live->turn_ns / 1e9;
	}
	if (!in_stage) {
		watch(feed, live->turn_ns);
	}
	enum lc_live_subscription verdict = weigh(live, feed, link);
	if (step->stage != LC_STAGE_OVER) {
		expected = feed->expected;
		silent_ns = feed->silent_ns;
		advance(live, feed, link, counting ? verdict : LC_LIVE_GRACE, step);
	}
	feed->verdict = shown(live, feed, counting, link, verdict);
	fill(feed, expected, silent_ns, step);
}

void lc_liveness_view(const struct lc_liveness *live, uint8_t index, struct lc_live_view *out)
{
	const struct live_feed *feed = &live->feeds[index];
	*out = (struct lc_live_view){.socket = feed->socket,
		.subscription = feed->verdict,
		.stage = feed->stage,
		.silent_ns = feed->silent_ns,
		.expected_ns = feed->ordinary_ns,
		.rate = feed->rate};
	for (int i = 0; i < LC_MARKETS; i++) {
		out->mute |= feed->markets[i].part == PART_MUTE ? 1u << i : 0;
		out->silent += feed->markets[i].silent;
		out->learned += feed->markets[i].learned;
	}
}
