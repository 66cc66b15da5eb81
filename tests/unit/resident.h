/* How much memory this process has touched. */
#pragma once

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

static inline double resident_mb(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");
	cr_assert(file);
	cr_assert_eq(fscanf(file, "%*u %lu", &pages), 1);
	fclose(file);
	return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6;
}
