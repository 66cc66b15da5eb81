/* For programs under AddressSanitizer that Criterion forks: its own thread may hold a lock of the
 * allocator at that moment (gcc 14 does not wait for it), and the child would wait for ever to take
 * memory of a size of which the forking thread has none left. So it has some of each small size. */
#include <stdlib.h>

#define SMALLEST 16
#define LARGEST 8192

__attribute__((constructor)) static void warm_allocator(void)
{
	for (size_t size = SMALLEST; size <= LARGEST; size += SMALLEST) {
		char *volatile taken = malloc(size);
		free(taken);
	}
}
