/* The time stamp counter, where it may be used as a clock at all.
 *
 * Two conditions, both necessary: the processor promises that it runs at one
 * rate on all cores, whatever they do (invariant TSC), and the kernel, which
 * watches it, uses it as its own clock. Then CLOCK_MONOTONIC_RAW is a linear
 * function of it, and a reading of one is a reading of the other.
 */
#ifndef RAFTFS_COMMON_OS_TSC_H
#define RAFTFS_COMMON_OS_TSC_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__)
/* Not before anything that comes before it in the program, loads included. */
static inline __attribute__((always_inline)) uint64_t tsc_read(void)
{
	uint32_t low, high, processor;

	__asm__ volatile("rdtscp"
			 : "=a"(low), "=d"(high), "=c"(processor)
			 :
			 : "memory");
	return (uint64_t)high << 32 | low;
}
#else
static inline uint64_t tsc_read(void)
{
	return 0; /* never called: tsc_is_invariant() is false */
}
#endif

/* By cpuid, and this process may read it (PR_SET_TSC). */
bool tsc_is_invariant(void);

/* A descriptor of what the kernel's clock is now, the caller's to close; -1
 * where there is none to ask. */
int tsc_open_clocksource(void);

/* The kernel's clock is the TSC. One read(2). */
bool tsc_is_clocksource(int fd);

#endif
