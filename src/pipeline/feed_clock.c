#include "quality_priv.h"

#include "livecore/clock.h"

#include <string.h>

#define SAMPLE_NS (20 * LC_NS_PER_MS)
/* Our clock was set back: what was measured with it before would make the present the future. */
#define SET_BACK_NS LC_NS_PER_S

static unsigned position(const struct feed_clock *clock, int64_t offset_ns)
{
	unsigned at = 0;
	while (at < clock->count && clock->sorted[at] < offset_ns) {
		at++;
	}
	return at;
}

static void forget_oldest(struct feed_clock *clock)
{
	unsigned at = position(clock, clock->ring[clock->next]);
	clock->count--;
	memmove(clock->sorted + at, clock->sorted + at + 1,
		(clock->count - at) * sizeof *clock->sorted);
}

bool lc_feed_clock_sample(struct feed_clock *clock, int64_t offset_ns, int64_t now_ns)
{
	int64_t since = now_ns - clock->sampled_ns;
	if (since < -SET_BACK_NS) {
		lc_feed_clock_reset(clock);
	}
	if (clock->count == CLOCK_WINDOW) {
		/* Our clock may have gone back a little; that is no reason to stop measuring. */
		if (since >= 0 && since < SAMPLE_NS) {
			return false;
		}
		forget_oldest(clock);
	}
	unsigned at = position(clock, offset_ns);
	memmove(clock->sorted + at + 1, clock->sorted + at,
		(clock->count - at) * sizeof *clock->sorted);
	clock->sorted[at] = offset_ns;
	clock->count++;
	clock->ring[clock->next] = offset_ns;
	clock->next = (clock->next + 1) % CLOCK_WINDOW;
	clock->sampled_ns = now_ns;
	return true;
}

bool lc_feed_clock_median(const struct feed_clock *clock, int64_t *median_ns)
{
	if (clock->count < CLOCK_MIN_SAMPLES) {
		return false;
	}
	*median_ns = clock->sorted[clock->count / 2];
	return true;
}

void lc_feed_clock_reset(struct feed_clock *clock)
{
	clock->count = clock->next = 0;
}

bool lc_feed_clock_judge(struct feed_clock *clock, int64_t skew_ns)
{
	int64_t median;
	if (!lc_feed_clock_median(clock, &median)) {
		return false;
	}
	/* It must come well back before it is called good again, so that a median at the limit does
	 * not flap. */
	int64_t limit = clock->skewed ? skew_ns / 4 * 3 : skew_ns;
	bool skewed = median > limit || (median < -limit && !clock->snapshots);
	bool changed = skewed != clock->skewed;
	clock->skewed = skewed;
	return changed;
}
