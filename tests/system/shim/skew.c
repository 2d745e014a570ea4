/* A preloaded shim that gives a process a bad clock: LD_PRELOAD'ed into one
 * node, so that a cluster on one machine has clocks that really differ.
 *
 *	SKEW_RAW_PPM	rate of CLOCK_MONOTONIC_RAW, from process start on
 *	SKEW_RAW_NS	its offset
 *	SKEW_WALL_NS	offset of CLOCK_REALTIME
 *
 * The rate starts at boot, not at process start, so that all processes of the
 * node, and restarted ones, share one clock.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static long long setting(const char *name)
{
	const char *text = getenv(name);

	return text ? atoll(text) : 0;
}

static void shift(struct timespec *t, long long by_ns)
{
	long long ns = t->tv_nsec + by_ns % 1000000000;

	t->tv_sec += by_ns / 1000000000 + ns / 1000000000;
	t->tv_nsec = ns % 1000000000;
	if (t->tv_nsec < 0) {
		t->tv_nsec += 1000000000;
		t->tv_sec--;
	}
}

int clock_gettime(clockid_t id, struct timespec *now);

int clock_gettime(clockid_t id, struct timespec *now)
{
	static int (*real)(clockid_t, struct timespec *);

	if (!real)
		real = (int (*)(clockid_t, struct timespec *))dlsym(
			RTLD_NEXT, "clock_gettime");
	int status = real(id, now);

	if (status != 0)
		return status;
	if (id == CLOCK_MONOTONIC_RAW) {
		long long ns = now->tv_sec * 1000000000LL + now->tv_nsec;

		shift(now, setting("SKEW_RAW_NS") +
				   ns / 1000000 * setting("SKEW_RAW_PPM"));
	} else if (id == CLOCK_REALTIME) {
		shift(now, setting("SKEW_WALL_NS"));
	}
	return 0;
}
