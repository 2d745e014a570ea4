/* The one place that reads a clock. */
#ifndef RAFTFS_COMMON_OS_CLOCK_H
#define RAFTFS_COMMON_OS_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC_RAW: nobody steers it; every duration is on it. */
int64_t clock_raw_ns(void);

/* CLOCK_REALTIME: for humans. */
int64_t clock_wall_ns(void);

/* CLOCK_BOOTTIME: goes on through suspend; shows that one happened. Raw, where
 * there is no such clock. */
int64_t clock_boot_ns(void);

#endif
