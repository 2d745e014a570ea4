/* The clock page: cluster time, shared with every process of the node.
 *
 * timesyncd is the only writer; any number of processes read, without locks
 * and without ever delaying the writer (seqlock: odd seq = update under way).
 *
 * Model (RFC 5905 terms).  For a local CLOCK_MONOTONIC_RAW reading t >= asof:
 *
 *	cluster(t) = t + offset_ns + drift_ppb * (t - asof_ns) / 1e9
 *	|cluster(t) - true(t)| <= bound_ns + growth_ppb * (t - asof_ns) / 1e9
 *
 * where true(t) is the timeline of `epoch`, carried by the raw clock of the
 * Raft leader of that term. Sign: offset_ns > 0 means the cluster is ahead of
 * this node's raw clock. From void_after_ns on, and while quality is UNSYNCED
 * or DISRUPTED, there is no bound. Layout: raftfs-clockpage(5).
 */
#ifndef RAFTFS_SHM_CLOCKPAGE_H
#define RAFTFS_SHM_CLOCKPAGE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/interval.h"
#include "shm/page.h"

#define CLOCKPAGE_MAGIC     0x52465343u /* "RFSC" */
#define CLOCKPAGE_VERSION   1u
#define CLOCKPAGE_RETRY_MAX 64

enum clock_quality {
	CLOCK_UNSYNCED = 0,  /* no majority of truechimers yet: no bound */
	CLOCK_HOLDOVER = 1,  /* majority lost: bound still holds, and grows */
	CLOCK_SYNCED = 2,
	CLOCK_DISRUPTED = 3, /* this node's own clock broke its promise */
};

/* What a reader gets. Plain values, the caller's to keep. */
struct clock_sample {
	enum clock_quality quality;
	uint32_t disruptions; /* counts; a change voids whatever relied on it */
	uint64_t epoch;
	int64_t asof_ns;
	int64_t offset_ns;
	int64_t bound_ns;
	int32_t drift_ppb;
	uint32_t growth_ppb;
	int64_t void_after_ns;
	int64_t wall_offset_ns; /* wall - raw at asof, for humans */
	int64_t part_delay_ns;
	int64_t part_dispersion_ns;
	int64_t part_drift_ns;
	int64_t part_unslewed_ns;
};

/* What is mapped. Never grows: a new field is a new CLOCKPAGE_VERSION. */
struct clockpage {
	struct page_head head;
	/* offset 64: all that a reading of the interval needs */
	_Atomic uint32_t seq;
	_Atomic uint32_t quality; /* enum clock_quality */
	_Atomic uint64_t epoch;
	_Atomic int64_t asof_ns;
	_Atomic int64_t offset_ns;
	_Atomic int64_t bound_ns;
	_Atomic int32_t drift_ppb;
	_Atomic uint32_t growth_ppb;
	_Atomic int64_t void_after_ns;
	_Atomic uint32_t disruptions;
	_Atomic uint32_t reserved0;
	/* offset 128: the rest */
	_Atomic int64_t wall_offset_ns;
	_Atomic int64_t part_delay_ns;
	_Atomic int64_t part_dispersion_ns;
	_Atomic int64_t part_drift_ns;
	_Atomic int64_t part_unslewed_ns;
	/* TSC parameters of the fast reader; all zero: use the portable path */
	_Atomic uint64_t tsc_base;
	_Atomic int64_t tsc_base_raw_ns;
	_Atomic uint32_t tsc_mult;
	_Atomic uint32_t tsc_shift;
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct clockpage) == 192, "three cache lines");
_Static_assert(offsetof(struct clockpage, seq) == 64, "layout v1");
_Static_assert(offsetof(struct clockpage, epoch) == 72, "layout v1");
_Static_assert(offsetof(struct clockpage, asof_ns) == 80, "layout v1");
_Static_assert(offsetof(struct clockpage, void_after_ns) == 112, "layout v1");
_Static_assert(offsetof(struct clockpage, wall_offset_ns) == 128, "layout v1");
_Static_assert(offsetof(struct clockpage, tsc_base) == 168, "layout v1");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "readers must not take a lock");

/* Copy one consistent sample out of a mapped page.
 *
 *   page    mapped by page_map_reader(); stays owned by the caller
 *   sample  written only on RFS_ERR_OK
 *
 * Returns RFS_ERR_OK;
 *         RFS_ERR_VERSION  not a clock page, or another layout;
 *         RFS_ERR_BUSY     CLOCKPAGE_RETRY_MAX torn reads in a row: the writer
 *                          is descheduled or dead inside an update; retry
 *                          once, then treat the clock as CLOCK_UNSYNCED.
 * Threads: any. Never blocks, allocates, or touches errno.
 */
RFS_MUST_USE enum rfs_err clockpage_read(const struct clockpage *page,
					 struct clock_sample *sample);

/* Publish a sample. Writer process only; one thread; never fails. */
void clockpage_write(struct clockpage *page, const struct clock_sample *sample);

/* Cluster time at raw instant raw_ns as a sure interval; empty (low > high)
 * when the sample has no bound then, or raw_ns lies before asof. */
struct interval clock_sample_at(const struct clock_sample *sample,
				int64_t raw_ns);

#endif
