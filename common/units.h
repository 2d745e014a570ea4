/* Units: constants, checked text conversions, saturating arithmetic.
 *
 * Inside, time is int64_t nanoseconds and size is uint64_t bytes; text and
 * configuration are converted here, at the edge.
 */
#ifndef RAFTFS_COMMON_UNITS_H
#define RAFTFS_COMMON_UNITS_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "common/err.h"

#define NS_PER_US  INT64_C(1000)
#define NS_PER_MS  INT64_C(1000000)
#define NS_PER_SEC INT64_C(1000000000)
#define PPB        INT64_C(1000000000)

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

/* a * ppb / 1e9 without overflow for |a| < 2^62 and |ppb| < 2^31. */
static inline int64_t units_scale_ppb(int64_t a_ns, int64_t ppb)
{
	return (int64_t)((__int128)a_ns * ppb / PPB);
}

/* Saturating sum: an age or bound that overflows is "for ever". */
static inline int64_t units_add_sat(int64_t a_ns, int64_t b_ns)
{
	int64_t sum;

	if (__builtin_add_overflow(a_ns, b_ns, &sum))
		return b_ns > 0 ? INT64_MAX : INT64_MIN;
	return sum;
}

/* A time as the kernel tells it; what 64 bits cannot hold (before 1677, after
 * 2262) becomes the nearest that they can, as file systems do. */
static inline int64_t units_from_timespec(struct timespec time)
{
	int64_t ns;

	if (__builtin_mul_overflow((int64_t)time.tv_sec, NS_PER_SEC, &ns))
		return time.tv_sec > 0 ? INT64_MAX : INT64_MIN;
	return units_add_sat(ns, time.tv_nsec);
}

/* "250ms", "1.5s", "60" (seconds), "2min", "1h" -> ns.
 * RFS_ERR_INVALID: not a number, unknown unit, negative; RANGE: over 100 y. */
RFS_MUST_USE enum rfs_err units_parse_duration(const char *text, int64_t *ns);

/* "4MiB", "64KiB", "10GB", "512" (bytes) -> bytes. Same errors. */
RFS_MUST_USE enum rfs_err units_parse_size(const char *text, uint64_t *bytes);

/* "+12.3 us", "1.50 ms", "3.2 s": into buf (at least 24 bytes), returned. */
const char *units_format_duration(int64_t ns, char *buf, size_t size);

/* "1.5 MiB": into buf (at least 24 bytes), returned. */
const char *units_format_size(uint64_t bytes, char *buf, size_t size);

#endif
