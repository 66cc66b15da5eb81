#include "quality_priv.h"

#include <stdlib.h>
#include <string.h>

#define K0 UINT64_C(0x9e3779b97f4a7c15)
#define K1 UINT64_C(0xe7037ed1a0b428db)

/* Folds two words into a hash: a 64 x 64 bit product, its halves joined. */
static inline uint64_t mix(uint64_t hash, uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)(hash ^ a) * (b ^ K1 ^ hash >> 17);
	return ((uint64_t)product ^ (uint64_t)(product >> 64)) + K0;
}

static inline uint64_t mix_decimal(
	uint64_t hash, const struct lc_tick *tick, uint32_t field, struct lc_decimal value)
{
	return tick->has & field
		       ? mix(hash, (uint64_t)value.mantissa, (uint64_t)(uint32_t)value.exponent)
		       : hash;
}

/* The set is chosen by bits that the comparison within it does not need. */
static size_t set_of(uint64_t fingerprint)
{
	return fingerprint >> 32 & (REPEAT_SETS - 1);
}

struct repeats *lc_repeats_of(struct symbol_state *state)
{
	if (!state->repeats) {
		state->repeats = aligned_alloc(_Alignof(struct repeats), sizeof *state->repeats);
		if (state->repeats) {
			memset(state->repeats, 0, sizeof *state->repeats);
		}
	}
	return state->repeats;
}

bool lc_repeats_contain(const struct repeats *repeats, uint64_t fingerprint)
{
	const uint64_t *set = repeats->sets[set_of(fingerprint)];
	bool found = false;
	for (int i = 0; i < REPEAT_WAYS; i++) {
		found |= set[i] == fingerprint;
	}
	return found;
}

void lc_repeats_prefetch(const struct repeats *repeats, uint64_t fingerprint)
{
	__builtin_prefetch(repeats->sets[set_of(fingerprint)], 1);
}

void lc_repeats_add(struct repeats *repeats, uint64_t fingerprint)
{
	uint64_t *set = repeats->sets[set_of(fingerprint)];
	memmove(set + 1, set, (REPEAT_WAYS - 1) * sizeof *set);
	set[0] = fingerprint;
}

void lc_repeats_merge(struct repeats *repeats, const struct repeats *others)
{
	for (size_t i = 0; i < REPEAT_SETS; i++) {
		for (size_t n = REPEAT_MERGED; n-- > 0;) {
			uint64_t other = others->sets[i][n];
			if (other && !lc_repeats_contain(repeats, other)) {
				lc_repeats_add(repeats, other);
			}
		}
	}
}

uint64_t lc_trade_fingerprint(const struct lc_tick *tick, int32_t day, uint64_t seed)
{
	uint32_t exchange;
	memcpy(&exchange, tick->exchange, sizeof exchange);
	uint64_t place = (uint64_t)exchange << 32 | (uint64_t)(uint8_t)tick->tape[0];
	uint64_t hash = mix(seed ^ K0, tick->trade_id, place);
	hash = mix(hash, (uint64_t)(uint32_t)day, K0);
	return hash ? hash : 1;
}

uint64_t lc_content_fingerprint(const struct lc_tick *tick, uint64_t seed)
{
	/* A source without event times stamps arrival, which is never the same twice. */
	uint64_t event = tick->has & LC_HAS_EVENT_TIME ? (uint64_t)tick->event_ns : 0;
	uint64_t hash = mix(seed ^ K0, event, tick->has);
	hash = mix_decimal(hash, tick, LC_HAS_BID, tick->bid);
	hash = mix_decimal(hash, tick, LC_HAS_ASK, tick->ask);
	hash = mix_decimal(hash, tick, LC_HAS_BID_VOLUME, tick->bid_volume);
	hash = mix_decimal(hash, tick, LC_HAS_ASK_VOLUME, tick->ask_volume);
	uint32_t exchange;
	memcpy(&exchange, tick->exchange, sizeof exchange);
	hash = mix(hash, exchange, tick->conditions.count);
	for (unsigned i = 0; i < tick->conditions.count && i < LC_TICK_CONDITIONS; i++) {
		const char *code = tick->conditions.code[i];
		uint64_t second = code[0] ? (uint8_t)code[1] : 0;
		hash = mix(hash, (uint8_t)code[0] | second << 8, i);
	}
	if (tick->kind == LC_TICK_QUOTE) {
		return hash ? hash : 1;
	}
	hash = mix_decimal(hash, tick, LC_HAS_PRICE, tick->price);
	hash = mix_decimal(hash, tick, LC_HAS_VOLUME, tick->volume);
	hash = mix_decimal(hash, tick, LC_HAS_AMOUNT, tick->amount);
	hash = mix_decimal(hash, tick, LC_HAS_OPEN, tick->open);
	hash = mix_decimal(hash, tick, LC_HAS_HIGH, tick->high);
	hash = mix_decimal(hash, tick, LC_HAS_LOW, tick->low);
	hash = mix_decimal(hash, tick, LC_HAS_PREV_CLOSE, tick->prev_close);
	hash = mix_decimal(hash, tick, LC_HAS_LIMIT_UP, tick->limit_up);
	hash = mix_decimal(hash, tick, LC_HAS_LIMIT_DOWN, tick->limit_down);
	return hash ? hash : 1;
}
