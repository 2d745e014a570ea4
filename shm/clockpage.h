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
#define CLOCKPAGE_VERSION   2u
/* disruptions: what one generation of the page counted, above that the
 * generation. */
#define CLOCKPAGE_DISRUPTIONS_BITS 12
#define CLOCKPAGE_RETRY_MAX 64

enum clock_quality {
	CLOCK_UNSYNCED = 0,  /* no majority of truechimers yet: no bound */
	CLOCK_HOLDOVER = 1,  /* majority lost: bound still holds, and grows */
	CLOCK_SYNCED = 2,
	CLOCK_DISRUPTED = 3, /* this node's own clock broke its promise */
};

/* The same line and bound as functions of the time stamp counter, for x86 whose
 * kernel clock is the invariant TSC. For a reading c >= base, age = c - base
 * (cycles), and while age < life:
 *
 *	cluster = cluster_ns + age * mult / 2^64
 *	bound   = half_ns + age * growth / 2^64, which holds all errors of the
 *	          pairing, of its rate and of rounding
 *	raw     = raw_ns + age * raw_mult / 2^64 +- error_ns
 *
 * life 0: there is no such line; read raw instead. */
struct clock_tsc {
	uint64_t base;
	uint64_t life;
	int64_t cluster_ns;
	int64_t half_ns;
	uint64_t mult;
	uint64_t growth;
	int64_t raw_ns;
	uint64_t raw_mult;
	int64_t error_ns; /* at the end of life; part of half_ns and growth */
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
	struct clock_tsc tsc;
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
	/* offset 128: the ends of the interval, for readers that do not divide:
	 * offset_ns -+ (bound_ns + 2), and in 2^-64 drift_ppb -+ growth_ppb,
	 * rounded outwards */
	_Atomic int64_t low_ns;
	_Atomic int64_t high_ns;
	_Atomic int64_t low_mult;
	_Atomic int64_t high_mult;
	_Atomic int64_t part_delay_ns;
	_Atomic int64_t part_dispersion_ns;
	_Atomic int64_t part_drift_ns;
	_Atomic int64_t part_unslewed_ns;
	/* offset 192: struct clock_tsc, one line for the fast reader */
	_Atomic uint64_t tsc_base;
	_Atomic uint64_t tsc_life;
	_Atomic int64_t tsc_cluster_ns;
	_Atomic int64_t tsc_half_ns;
	_Atomic uint64_t tsc_mult;
	_Atomic uint64_t tsc_growth;
	_Atomic int64_t tsc_raw_ns;
	_Atomic uint64_t tsc_raw_mult;
	/* offset 256: the rest */
	_Atomic int64_t tsc_error_ns;
	_Atomic int64_t wall_offset_ns;
	uint8_t reserved1[48];
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct clockpage) == 320, "five cache lines");
_Static_assert(offsetof(struct clockpage, seq) == 64, "layout v2");
_Static_assert(offsetof(struct clockpage, epoch) == 72, "layout v2");
_Static_assert(offsetof(struct clockpage, asof_ns) == 80, "layout v2");
_Static_assert(offsetof(struct clockpage, void_after_ns) == 112, "layout v2");
_Static_assert(offsetof(struct clockpage, low_ns) == 128, "layout v2");
_Static_assert(offsetof(struct clockpage, tsc_base) == 192, "layout v2");
_Static_assert(offsetof(struct clockpage, tsc_error_ns) == 256, "layout v2");
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
