/* Asking the processor and the kernel about the time stamp counter. */
#include "common/os/tsc.h"

#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>

#define LEAF_FEATURES 0x80000001u
#define LEAF_POWER    0x80000007u
#define HAS_RDTSCP    (1u << 27) /* edx of LEAF_FEATURES */
#define IS_INVARIANT  (1u << 8)	 /* edx of LEAF_POWER */

static bool may_read(void)
{
	int mode = 0;

	return prctl(PR_GET_TSC, &mode) == 0 && mode == PR_TSC_ENABLE;
}

bool tsc_is_invariant(void)
{
	unsigned int a, b, c, features, power;

	return __get_cpuid(LEAF_FEATURES, &a, &b, &c, &features) &&
	       (features & HAS_RDTSCP) &&
	       __get_cpuid(LEAF_POWER, &a, &b, &c, &power) &&
	       (power & IS_INVARIANT) && may_read();
}
#else
bool tsc_is_invariant(void)
{
	return false;
}
#endif

int tsc_open_clocksource(void)
{
	return open("/sys/devices/system/clocksource/clocksource0/"
		    "current_clocksource",
		    O_RDONLY | O_CLOEXEC);
}

bool tsc_is_clocksource(int fd)
{
	char name[32];
	ssize_t bytes = fd < 0 ? -1 : pread(fd, name, sizeof(name), 0);

	return bytes == 4 && memcmp(name, "tsc\n", 4) == 0;
}
