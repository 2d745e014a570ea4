/* The log on disk: segments of checksummed records, raftfs-wal(5).
 *
 *	segment   page 0: header   pages 1, 2: marks   then records, then zeros
 *	record    48 bytes of head, the body, padding to 8
 *
 * A segment is written full of zeros and synced before its first record, so a
 * commit overwrites blocks that exist: one fdatasync() and no metadata.
 *
 * Every sum continues the one before it (record on record, first record on
 * header, header on the last record of the segment before), and the header
 * holds the random id of this log. So a record that was misdirected, belongs
 * to another log or survived a cut cannot pass for the next one. A second sum
 * lets a head be believed alone, but only in its own place.
 *
 * A mark, in a page of its own, says how far fdatasync() had returned, and what
 * was promised by then. A record that fails its sum before that point, or before
 * a record that was written after it was synced, is damage: wal_open() says what
 * was promised (the floor), and wal_mend() cuts the log once that is noted. Else
 * it is a torn tail, which nobody was promised, and is cut. The mark catches up
 * when the log is idle (wal_mark()); so only damage to the very last write, in
 * the moment before that, is taken for a torn one.
 *
 * Threads: one at a time, except where a function says otherwise.
 */
#ifndef RAFTFS_RAFTD_WAL_H
#define RAFTFS_RAFTD_WAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "raftd/core/raft.h"

#define WAL_PAGE_BYTES	      4096u
#define WAL_DATA_OFFSET	      (3 * WAL_PAGE_BYTES)
#define WAL_RECORD_HEAD_BYTES 48u
#define WAL_BODY_BYTES_MAX    (4u * 1024 * 1024)
/* Any record fits into any segment. */
#define WAL_SEGMENT_BYTES_MIN (2ull * WAL_BODY_BYTES_MAX)

struct wal;

/* What the log held: entries in order and without gap. Owned by whoever called
 * wal_open(); the entries' data lives in `buffers`. */
struct wal_log {
	uint64_t log_id;
	struct raft_snapshot_meta base; /* of the last reset; index 0: none */
	uint64_t first_index;		/* of entries[0], or where it would be */
	struct raft_entry *entries;
	uint64_t entry_count;
	uint8_t **buffers;
	size_t buffer_count;
	uint64_t cut_bytes; /* of a torn tail; 0: clean */
	bool damaged; /* what followed these entries is gone: wal_mend() */
	struct raft_floor floor; /* then: the last entry that was promised;
				  * index 0: none ever was */
};

/* What its owner knows of the log from elsewhere. All zero: nothing. */
struct wal_known {
	uint64_t log_id;
	struct raft_snapshot_meta covered; /* by a durable snapshot: damage to
					    * entries up to here costs nothing */
	struct raft_floor floor; /* of an earlier damage, still in force */
};

/* Open the log in directory `dir` (which exists), or start one there with its
 * first segment written out. What is returned in *log is durable.
 *
 *   segment_bytes  of new segments; at least WAL_SEGMENT_BYTES_MIN, a multiple
 *                  of WAL_PAGE_BYTES
 *
 * Damage is logged by file and offset. When log->damaged says that something was
 * lost, nothing has been changed yet: make log->floor durable elsewhere, then
 * wal_mend(), before anything is written.
 *
 * CORRUPT: damage, and what was promised cannot be known (logged).
 * VERSION: not a log of this version. NOSPC: no room for the first segment.
 * IO (logged), NOMEM. */
RFS_MUST_USE enum rfs_err wal_open(const char *dir, uint64_t segment_bytes,
				   const struct wal_known *known,
				   struct wal **wal, struct wal_log *log);
/* Cut a damaged log to what wal_open() returned of it, durably. May be killed
 * at any point: the next wal_open() finds the damage again, or the log cut. IO
 * (logged), NOSPC, NOMEM. */
RFS_MUST_USE enum rfs_err wal_mend(struct wal *wal);
/* Marks what is durable. wal may be NULL. */
void wal_close(struct wal *wal);
void wal_log_free(struct wal_log *log);

/* Bytes a record with that body takes. */
size_t wal_record_bytes(uint32_t body_bytes);

/* Write one record at `to`, wal_record_bytes() long (0 for the body of the last
 * two), sums left to wal_write(). Any thread. */
void wal_encode_entry(const struct raft_entry *entry, uint8_t *to);
void wal_encode_truncate(uint64_t from_index, uint8_t *to);
void wal_encode_reset(const struct raft_snapshot_meta *meta, uint8_t *to);

/* Append whole records and make them durable. `records` is changed (sums).
 * *done_bytes: how much of it is durable, always whole records.
 * FULL: the rest needs a new segment and there is no spare: wal_give_spare(),
 * then call again with the rest. IO (logged): final. A descriptor that failed a
 * sync is never tried again: the caller must exit. */
RFS_MUST_USE enum rfs_err wal_write(struct wal *wal, uint8_t *records,
				    size_t bytes, size_t *done_bytes);

/* Make a spare segment: written out and synced under the name "spare". Any
 * thread, one at a time. NOSPC; IO (logged). *fd is owned by the caller. */
RFS_MUST_USE enum rfs_err wal_create_spare(const char *dir,
					   uint64_t segment_bytes, int *fd);
/* Hand it to the log, which owns fd from here. There must be none. */
void wal_give_spare(struct wal *wal, int fd);
bool wal_has_spare(const struct wal *wal);

/* Bytes of records that still fit without a new spare. */
uint64_t wal_room_bytes(const struct wal *wal);

/* Bring the mark up to date, for an idle log; *synced tells whether that took a
 * sync. IO (logged), final. */
RFS_MUST_USE enum rfs_err wal_mark(struct wal *wal, bool *synced);

/* Take the oldest segment out of the log if it holds nothing but entries up to
 * compact_to; false: none such. The file is then the caller's to remove with
 * wal_remove_segment(), oldest first. */
bool wal_drop_segment(struct wal *wal, uint64_t compact_to, uint64_t *seq);
/* Any thread. IO (logged). */
RFS_MUST_USE enum rfs_err wal_remove_segment(const char *dir, uint64_t seq);

/* Syncs of the log so far. */
uint64_t wal_syncs(const struct wal *wal);

/* Of new segments. */
uint64_t wal_segment_bytes(const struct wal *wal);

/* Of all segments in the log, the spare not counted. */
uint64_t wal_bytes(const struct wal *wal);

#endif
