#include "livecore/market.h"

#include <string.h>

enum {
	VOLUME_ONLY = LC_UPDATES_VOLUME,
	LAST_IF_FIRST = LC_UPDATES_VOLUME | LC_UPDATES_HIGH_LOW | LC_UPDATES_LAST_IF_FIRST,
	NO_VOLUME = LC_UPDATES_LAST | LC_UPDATES_HIGH_LOW,
	LAST_BITS = LC_UPDATES_LAST | LC_UPDATES_LAST_IF_FIRST,
};

/* What one code lets a trade update. *known: it is a code of the tapes. */
static uint8_t effect_of(const char *code, char tape, bool *known)
{
	*known = true;
	char c = code[0];
	if (c == '\0' || (c == ' ' && code[1] == '\0')) {
		return LC_UPDATES_ALL;
	}
	if (code[1] != '\0') {
		*known = false;
		return LC_UPDATES_ALL;
	}
	if (c == 'B') {
		/* Average price on the tapes of NYSE's issues, bunched on Nasdaq's. */
		return tape == 'A' || tape == 'B' ? VOLUME_ONLY : LC_UPDATES_ALL;
	}
	if (strchr("CHINRTUVW7", c)) {
		return VOLUME_ONLY;
	}
	if (strchr("GLPZ4", c)) {
		return LAST_IF_FIRST;
	}
	if (c == 'M' || c == 'Q') {
		return 0;
	}
	if (c == '9') {
		return NO_VOLUME;
	}
	*known = strchr("@ADEFKOSXY123568", c) != NULL;
	return LC_UPDATES_ALL;
}

/* Of two effects the strictest: whole bits by and, and "last if first" between last and not. */
static uint8_t strictest(uint8_t a, uint8_t b)
{
	uint8_t rest = a & b & (LC_UPDATES_HIGH_LOW | LC_UPDATES_VOLUME);
	if ((a & LAST_BITS) == 0 || (b & LAST_BITS) == 0) {
		return rest;
	}
	bool conditional = ((a | b) & LC_UPDATES_LAST_IF_FIRST) != 0;
	return rest | (conditional ? LC_UPDATES_LAST_IF_FIRST : LC_UPDATES_LAST);
}

static bool first_seen(struct lc_conditions_seen *seen, const char *code)
{
	uint8_t byte = (uint8_t)code[0];
	uint64_t bit = UINT64_C(1) << (byte % 64);
	bool first = (seen->codes[byte / 64] & bit) == 0;
	seen->codes[byte / 64] |= bit;
	return first;
}

uint8_t lc_conditions_effect(const struct lc_conditions *conditions, char tape,
	struct lc_conditions_seen *seen, const char **unknown)
{
	uint8_t effect = LC_UPDATES_ALL;
	const char *report = NULL;
	for (unsigned i = 0; i < conditions->count && i < LC_TICK_CONDITIONS; i++) {
		bool known;
		effect = strictest(effect, effect_of(conditions->code[i], tape, &known));
		if (!known && !report && first_seen(seen, conditions->code[i])) {
			report = conditions->code[i];
		}
	}
	if (unknown) {
		*unknown = report;
	}
	return effect;
}

enum lc_conditions_class lc_conditions_class(const struct lc_conditions *conditions)
{
	bool extended = false, ordinary = true;
	for (unsigned i = 0; i < conditions->count && i < LC_TICK_CONDITIONS; i++) {
		const char *code = conditions->code[i];
		bool known;
		if (code[0] == '6' && code[1] == '\0') {
			return LC_CONDITIONS_CLOSING;
		}
		if (code[0] == 'T' && code[1] == '\0') {
			extended = true;
		} else {
			ordinary = ordinary && effect_of(code, '\0', &known) == LC_UPDATES_ALL;
		}
	}
	return extended && ordinary ? LC_CONDITIONS_EXTENDED : LC_CONDITIONS_ORDINARY;
}
