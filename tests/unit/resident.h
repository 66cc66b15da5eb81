/* How much memory this process has touched. */
#pragma once

#include <criterion/criterion.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

/* MALLOC_PERTURB_, which meson sets, would touch all that is allocated: from the first call on it does
 * not. */
static inline double resident_mb(void)
{
	mallopt(M_PERTURB, 0);
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");
	cr_assert(file);
	cr_assert_eq(fscanf(file, "%*u %lu", &pages), 1);
	fclose(file);
	return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6;
}
