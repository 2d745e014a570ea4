/* The log in memory: recent entries, their payloads, and when they came.
 *
 * Entries lie in one array, in order, so that any run of them can be handed out
 * as a plain pointer. Payloads lie in a byte ring. Both are fixed at start;
 * memory is touched only as the log first reaches it.
 *
 * "base" is the entry just before the first one held: what a snapshot or a
 * compaction left. Index 0 and term 0 mean "none".
 */
#ifndef RAFTFS_RAFTD_CORE_LOG_H
#define RAFTFS_RAFTD_CORE_LOG_H

#include "raftd/core/raft.h"

/* Room beyond the configured capacity, for what must never be refused: the
 * first entry of a term, and a follower one batch ahead of its leader. */
#define LOG_RESERVE_ENTRIES 1024
#define LOG_RESERVE_BYTES   (1024 * 1024)

struct log {
	struct raft_entry *entries;
	int64_t *received_raw_ns; /* same slots; the leader's: when created */
	uint64_t *ring_start;	  /* same slots; where its payload begins */
	uint64_t slot_count;	  /* twice the capacity, so moves are rare */
	uint64_t first_slot;
	uint64_t count;
	uint64_t capacity;
	uint64_t entries_max; /* for commands */
	uint64_t bytes_max;

	uint8_t *ring;
	uint64_t ring_bytes;
	uint64_t ring_head; /* virtual positions: only ever grow, modulo size */
	uint64_t ring_tail;

	struct raft_snapshot_meta base;
	int64_t base_received_raw_ns;
	int64_t received_floor_raw_ns; /* nothing counts as older than this */
};

/* RFS_ERR_NOMEM: nothing is left behind. */
RFS_MUST_USE enum rfs_err log_setup(struct log *log, uint64_t entries_max,
				   uint64_t bytes_max);
void log_fini(struct log *log);

uint64_t log_first_index(const struct log *log); /* base + 1 */
uint64_t log_last_index(const struct log *log);
uint64_t log_last_term(const struct log *log);
struct raft_stamp log_last_stamp(const struct log *log);

/* NULL when not held. Valid until the log next changes. */
const struct raft_entry *log_at(const struct log *log, uint64_t index);

/* For base and every entry held; 0 for index 0 and for what is not known. */
uint64_t log_term_at(const struct log *log, uint64_t index);

/* When this node received (or created) the entry, on its own raw clock. The
 * index is base's or held. Never decreases along the log. */
int64_t log_received_raw_ns(const struct log *log, uint64_t index);
struct raft_stamp log_stamp_at(const struct log *log, uint64_t index);

/* Payload bytes in [from, to); both within first .. last + 1. */
uint64_t log_bytes_between(const struct log *log, uint64_t from, uint64_t to);

/* May a command of so many bytes be appended and the reserve kept? */
bool log_has_room(const struct log *log, uint32_t bytes);

/* Append a copy; entry->index is last + 1. RFS_ERR_FULL: nothing changed. */
RFS_MUST_USE enum rfs_err log_append(struct log *log,
				     const struct raft_entry *entry,
				     int64_t raw_ns);

/* Drop entries >= from; from is above base. */
void log_truncate(struct log *log, uint64_t from);

/* Drop entries <= index, which becomes base; it is held or already below. */
void log_compact(struct log *log, uint64_t index);

/* Forget everything: the log now begins after this snapshot. */
void log_reset(struct log *log, const struct raft_snapshot_meta *base,
	       int64_t raw_ns);

/* Where two logs may still agree: the highest index <= limit whose term is
 * <= term; base's index when nothing held qualifies. */
uint64_t log_agreement(const struct log *log, uint64_t limit, uint64_t term);

#endif
