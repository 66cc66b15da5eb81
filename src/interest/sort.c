#include "interest_priv.h"

#include <stdlib.h>
#include <string.h>

/* A merge sort from the bottom up, which can stop between any two symbols. */
struct lc_interest_sort {
	const struct lc_interest *interest; /* borrowed */
	uint32_t *from, *to;                /* owned; runs of `width` in from are merged into to */
	size_t room, count, collected;      /* collected: symbols of the registry looked at */
	size_t width, left, middle, right, at; /* of the two runs being merged, and where to */
	size_t run_end;
};

enum lc_err lc_interest_sort_create(
	const struct lc_interest *interest, struct lc_interest_sort **out)
{
	struct lc_interest_sort *sort = calloc(1, sizeof *sort);
	size_t room = interest->followed ? interest->followed : 1;
	if (!sort) {
		return LC_ERR_NOMEM;
	}
	sort->interest = interest;
	sort->room = room;
	sort->from = malloc(room * sizeof *sort->from);
	sort->to = malloc(room * sizeof *sort->to);
	if (!sort->from || !sort->to) {
		lc_interest_sort_destroy(sort);
		return LC_ERR_NOMEM;
	}
	*out = sort;
	return LC_OK;
}

void lc_interest_sort_destroy(struct lc_interest_sort *sort)
{
	if (sort) {
		free(sort->from);
		free(sort->to);
		free(sort);
	}
}

static void begin_pair(struct lc_interest_sort *sort, size_t start)
{
	sort->left = sort->at = start;
	sort->middle = start + sort->width < sort->count ? start + sort->width : sort->count;
	sort->right = sort->middle;
	sort->run_end = sort->middle + sort->width < sort->count ? sort->middle + sort->width
								 : sort->count;
}

/* Looks at up to max symbols; true when all are collected. What came to be followed after the start
 * and finds no room comes with its own follow(). */
static bool collect(struct lc_interest_sort *sort, size_t max)
{
	const struct lc_interest *interest = sort->interest;
	for (; max > 0 && sort->collected < interest->n_wanted; max--) {
		size_t symbol = sort->collected++;
		if (interest->wanted[symbol].followers > 0 && sort->count < sort->room) {
			sort->from[sort->count++] = (uint32_t)symbol;
		}
	}
	if (sort->collected < interest->n_wanted) {
		return false;
	}
	sort->width = 1;
	begin_pair(sort, 0);
	return true;
}

static void merge_one(struct lc_interest_sort *sort)
{
	bool take_left = sort->left < sort->middle &&
			 (sort->right == sort->run_end ||
				 lc_interest_compare(sort->interest, sort->from[sort->left],
					 sort->from[sort->right]) <= 0);
	size_t *source = take_left ? &sort->left : &sort->right;
	sort->to[sort->at++] = sort->from[(*source)++];
	if (sort->at < sort->run_end) {
		return;
	}
	if (sort->at < sort->count) {
		begin_pair(sort, sort->at);
		return;
	}
	uint32_t *sorted = sort->to;
	sort->to = sort->from;
	sort->from = sorted;
	sort->width *= 2;
	begin_pair(sort, 0);
}

bool lc_interest_sort_step(struct lc_interest_sort *sort, size_t max)
{
	if (sort->width == 0 && !collect(sort, max)) {
		return false;
	}
	for (; max > 0 && sort->width < sort->count; max--) {
		merge_one(sort);
	}
	return sort->width >= sort->count;
}

const uint32_t *lc_interest_sorted(const struct lc_interest_sort *sort, size_t *count)
{
	*count = sort->count;
	return sort->from;
}
