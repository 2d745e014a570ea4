/* A disk under one raftd: hard state, snapshot header, and a log written
 * asynchronously, in order.
 *
 * What was queued but not flushed is lost at a crash, except for a random
 * prefix (torn tail): a truncation that was not flushed may be undone too.
 */
#ifndef RAFTFS_TESTS_SIM_DISKS_H
#define RAFTFS_TESTS_SIM_DISKS_H

#include "tests/sim/facts.h"

struct world;

struct disk_write {
	bool truncate;
	uint64_t from;		 /* truncate: drop entries >= from */
	const struct fact *fact; /* else: append */
};

struct disk {
	uint64_t term;
	uint32_t voted_for;
	uint64_t supported_term;
	struct raft_floor floor;
	struct raft_snapshot_meta snapshot;
	bool snapshot_knows; /* who was a member there; a joiner's may not */
	struct factlog log;	 /* durable */
	struct factlog promised; /* while there is a floor: as it was */
	uint64_t damaged_from;	 /* bad record, not noticed yet; 0: none */
	bool misdirects;	 /* the next flush does (rot.h) */
	bool fails;		 /* the next flush does, which is final */
	int64_t full_until_ns;	 /* true time */
	struct disk_write *queue;
	uint64_t queue_count, queue_capacity;
	uint64_t flushing; /* writes a running flush covers; 0: none */
	int64_t slow_ns;   /* extra per flush, while the disk is slow */
};

void disks_init(struct disk *disk);
void disks_append(struct disk *disk, const struct fact *fact);
void disks_truncate(struct disk *disk, uint64_t from);

/* A snapshot replaced the log; durable at once, queued writes are void. */
void disks_reset(struct disk *disk, const struct raft_snapshot_meta *meta,
		 const struct fact *base);

/* Entries up to here may go (asynchronously in truth; at once here). */
void disks_compact(struct disk *disk, uint64_t to);

/* Start a flush when there is something to write and none is running; then
 * *after_ns says how long it takes. */
bool disks_start_flush(struct world *world, struct disk *disk,
		       int64_t *after_ns);
/* It finished: the writes it covered are durable. */
void disks_finish_flush(struct disk *disk);

/* The last durable entry that no queued truncation will take back. */
uint64_t disks_settled(const struct disk *disk);

/* How long a write of the hard state takes. */
int64_t disks_hard_state_ns(struct world *world, const struct disk *disk);

/* Power or process lost: a random prefix of the queue survives. */
void disks_crash(struct world *world, uint32_t node, struct disk *disk);

#endif
