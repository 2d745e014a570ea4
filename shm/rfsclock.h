/* libraftfs-clock: cluster time, as an interval, for any program.
 *
 * The interval certainly contains cluster time while the quality is SYNCED or
 * HOLDOVER; with any other quality it is everything, and whoever compares with
 * it learns nothing. A read costs about what clock_gettime(2) does: no system
 * call, no lock, and the writer is never delayed. See rfsclock(3).
 *
 * This header stands alone. Functions that can fail return 0 or an errno value.
 * All but rfsclock_open() and rfsclock_close() may be called from any number of
 * threads at once.
 */
#ifndef RAFTFS_SHM_RFSCLOCK_H
#define RAFTFS_SHM_RFSCLOCK_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rfsclock;

enum rfsclock_quality {
	RFSCLOCK_UNSYNCED = 0,	/* no bound: use local time, and say so */
	RFSCLOCK_HOLDOVER = 1,	/* majority lost: the bound holds, and grows */
	RFSCLOCK_SYNCED = 2,
	RFSCLOCK_DISRUPTED = 3, /* this node's own clock broke its promise */
};

/* Nanoseconds of cluster time; INT64_MIN..INT64_MAX when there is no bound. */
struct rfsclock_interval {
	int64_t earliest_ns;
	int64_t latest_ns;
	uint64_t epoch; /* whose timeline; two epochs do not compare exactly */
	uint32_t quality; /* enum rfsclock_quality */
	uint32_t disruptions; /* a change voids what relied on older readings */
};

/* What is published, and where the bound comes from; nanoseconds. */
struct rfsclock_status {
	struct rfsclock_interval now;
	int64_t raw_ns; /* CLOCK_MONOTONIC_RAW of `now` */
	int64_t age_ns; /* of the published sample */
	int64_t offset_ns; /* cluster minus raw */
	int64_t bound_ns;  /* half the interval when it was published... */
	uint32_t growth_ppb; /* ...and what it grows by */
	int32_t drift_ppb;
	int64_t part_delay_ns;
	int64_t part_dispersion_ns;
	int64_t part_drift_ns;
	int64_t part_unslewed_ns;
	uint64_t generation; /* of the page: one per start of timesyncd */
	int64_t tsc_error_ns; /* what reading by TSC adds to the interval now;
			       * -1: readings are by CLOCK_MONOTONIC_RAW */
};

/* path: <run_dir>/clock.page of the node. ENOENT: no timesyncd has run yet;
 * EPROTO: not a clock page of this version; EACCES; ENOMEM. */
int rfsclock_open(const char *path, struct rfsclock **clock);
void rfsclock_close(struct rfsclock *clock); /* may be NULL */

/* EAGAIN: the writer is stopped inside an update and no earlier sample is
 * known; *now is as for UNSYNCED. A page that timesyncd has replaced (it was
 * restarted) is opened again by path, at most ten times a second. */
int rfsclock_now(struct rfsclock *clock, struct rfsclock_interval *now);

/* Whether rfsclock_now() reads the processor's time stamp counter, where this
 * process may and timesyncd publishes how; true from rfsclock_open() on.
 * ENOTSUP: this process may not. */
int rfsclock_use_tsc(struct rfsclock *clock, bool use);

/* Certainly past, certainly not yet reached. Both false: cannot tell. */
bool rfsclock_after(struct rfsclock *clock, int64_t ts_ns);  /* ts < now */
bool rfsclock_before(struct rfsclock *clock, int64_t ts_ns); /* now < ts */

/* Sleep until ts is certainly past. ETIMEDOUT after timeout_ns (of the raw
 * clock; negative: never), also when the clock never becomes usable. */
int rfsclock_wait_until_past(struct rfsclock *clock, int64_t ts_ns,
			     int64_t timeout_ns);

/* EAGAIN as rfsclock_now(). */
int rfsclock_status(struct rfsclock *clock, struct rfsclock_status *status);

#ifdef __cplusplus
}
#endif

#endif
