/* A wall clock that is set, by LD_PRELOAD: what the executable itself reads of CLOCK_REALTIME is
 * off by the seconds that stand as an int64 in the file JUMP_FILE, which may change at any time.
 * Libraries, which wait for absolute times, read the kernel's. The lab compiles it (cc -shared). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <time.h>

static int64_t seconds_off(void)
{
	static const int64_t none;
	static const int64_t *off;
	if (off == NULL) {
		const char *path = getenv("JUMP_FILE");
		int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
		void *map = fd >= 0 ? mmap(NULL, sizeof(none), PROT_READ, MAP_SHARED, fd, 0)
				    : MAP_FAILED;
		off = map != MAP_FAILED ? map : &none;
	}
	return __atomic_load_n(off, __ATOMIC_RELAXED);
}

static bool is_of_executable(const void *caller)
{
	Dl_info executable, called;
	return dladdr((const void *)getauxval(AT_ENTRY), &executable) != 0 &&
	       dladdr(caller, &called) != 0 && called.dli_fbase == executable.dli_fbase;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
	static __typeof__(&clock_gettime) next;
	if (next == NULL) {
		next = (__typeof__(next))dlsym(RTLD_NEXT, "clock_gettime");
	}
	int rc = next(clock, time);
	if (rc == 0 && clock == CLOCK_REALTIME && is_of_executable(__builtin_return_address(0))) {
		time->tv_sec += seconds_off();
	}
	return rc;
}
