/* A folder of a test's own. */
#ifndef TESTS_UNIT_SCRATCH_H
#define TESTS_UNIT_SCRATCH_H

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

static inline int scratch_on_entry(
	const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status;
	(void)kind;
	(void)where;
	return remove(path);
}

/* Removes it with what stands in it. */
static inline void scratch_remove(const char *dir)
{
	cr_assert_eq(nftw(dir, scratch_on_entry, 16, FTW_DEPTH | FTW_PHYS), 0, "%s", dir);
}

#endif
