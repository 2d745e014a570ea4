/* The log's writer thread: group commit beside the loop.
 *
 * The loop adds records to a batch; the thread writes a batch with one sync
 * while the next one gathers, and reports how far the disk got. Nothing here
 * blocks the loop. A sync that failed ends the process: what is on the disk is
 * unknown then, and must be read anew.
 *
 * Space: one spare segment is kept written out. When the next cannot be made,
 * disk_is_full() turns true, so that the loop refuses proposals; the room left
 * is for what Raft itself must write. It is tried again every second.
 */
#ifndef RAFTFS_RAFTD_DISK_H
#define RAFTFS_RAFTD_DISK_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "raftd/chores.h"
#include "raftd/core/raft.h"
#include "raftd/wal.h"

struct disk;
struct wal_extent; /* raftd/wal_format.h */

struct disk_status {
	uint64_t sync_count;
	uint64_t wal_bytes;
	uint64_t queued_bytes; /* not durable yet */
	bool full;
	int64_t sync_p50_ns; /* a batch: write and sync */
	int64_t sync_p99_ns;
};

/* Durable up to and including the entry (index, term), never one that was
 * truncated since. Called on the loop. */
typedef void disk_persisted(void *ctx, uint64_t index, uint64_t term);

/* wal is owned from here, also on NULL (no thread or memory; logged). dir and
 * segment_bytes as given to wal_open(). */
struct disk *disk_new(struct ev_loop *ev, struct chores *chores,
		      struct wal *wal, const char *dir, uint64_t segment_bytes,
		      disk_persisted *persisted, void *ctx);

/* What was added is written at the end of the loop's turn, after what the turn
 * sends to those who are served first; disk_begin() has it begun at once. */
void disk_begin(struct disk *disk);

/* In the order of the calls. Copied. */
void disk_truncate(struct disk *disk, uint64_t from_index);
void disk_reset(struct disk *disk, const struct raft_snapshot_meta *meta);
void disk_append(struct disk *disk, const struct raft_entry *entries,
		 uint32_t count);
/* Entries up to here may go, once what was added before is durable. */
void disk_compact(struct disk *disk, uint64_t index);

bool disk_is_full(const struct disk *disk);
/* What may still be appended without waiting for space. */
uint64_t disk_room_bytes(struct disk *disk);
void disk_get_status(struct disk *disk, struct disk_status *status);

/* The first segment behind `seq`, and what of it is durable; false: none. */
bool disk_extent_after(struct disk *disk, uint64_t seq,
		       struct wal_extent *extent);
/* A mark of the live segment has gone bad: write both anew, soon. */
void disk_remark(struct disk *disk);

/* A sync failed, here or elsewhere on the log: that is final. Any thread. */
void disk_die(void) __attribute__((noreturn));

/* Make durable what was added, then stop. disk may be NULL. Free the chores
 * first. */
void disk_free(struct disk *disk);

#endif
