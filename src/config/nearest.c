/* "Did you mean": the Damerau-Levenshtein distance in its optimal string alignment form. */
#include "config/config_priv.h"

#include <ctype.h>
#include <string.h>

enum { WORD_MAX = 64 };

static size_t least(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;
	return m < c ? m : c;
}

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Both are at most WORD_MAX long. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];
	for (size_t j = 0; j <= b_len; j++) {
		above[j] = j;
	}
	for (size_t i = 1; i <= a_len; i++) {
		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t cost = same(a[i - 1], b[j - 1]) ? 0 : 1;
			row[j] = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + cost);
			bool swapped = i > 1 && j > 1 && same(a[i - 1], b[j - 2]) &&
				       same(a[i - 2], b[j - 1]);
			if (swapped && before[j - 2] + 1 < row[j]) {
				row[j] = before[j - 2] + 1;
			}
		}
		size_t *free_row = before;
		before = above;
		above = row;
		row = free_row;
	}
	return above[b_len];
}

void lc_config_nearest_begin(struct lc_config_nearest *nearest, const char *word)
{
	/* Farther than this is another word, not a slip: a third of its letters, at least two. */
	size_t reach = strlen(word) / 3;
	*nearest = (struct lc_config_nearest){
		.word = word, .distance = (reach < 2 ? 2 : reach) + 1};
}

void lc_config_nearest_offer(struct lc_config_nearest *nearest, const char *candidate)
{
	size_t word_len = strlen(nearest->word), len = strlen(candidate);
	if (word_len > WORD_MAX || len > WORD_MAX) {
		return;
	}
	size_t d = distance(nearest->word, word_len, candidate, len);
	/* With every letter replaced it is no longer a resemblance. */
	if (d < nearest->distance && d < (word_len > len ? word_len : len)) {
		nearest->distance = d;
		nearest->best = candidate;
	}
}
