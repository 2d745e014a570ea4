/* Clock readings, through the vDSO. */
#include "common/os/clock.h"

#include <time.h>

static int64_t read_ns(clockid_t id)
{
	struct timespec now;

	/* Simulated clocks may have no boot time: then raw stands in for it,
	 * and shows no suspend. */
	if (clock_gettime(id, &now) != 0)
		clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_raw_ns(void)
{
	return read_ns(CLOCK_MONOTONIC_RAW);
}

int64_t clock_wall_ns(void)
{
	return read_ns(CLOCK_REALTIME);
}

int64_t clock_boot_ns(void)
{
	return read_ns(CLOCK_BOOTTIME);
}
