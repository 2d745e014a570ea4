/* What wal.c writes and wal_open.c reads: the parts of the log that are nobody
 * else's business. Layout in raftfs-wal(5). */
#ifndef RAFTFS_RAFTD_WAL_FORMAT_H
#define RAFTFS_RAFTD_WAL_FORMAT_H

#include "raftd/wal.h"

#define WAL_HEADER_MAGIC 0x57534652u /* "RFSW" */
#define WAL_MARK_MAGIC	 0x4d534652u /* "RFSM" */
#define WAL_VERSION	 1u
#define WAL_HEADER_BYTES 64u
#define WAL_MARK_BYTES	 48u
#define WAL_NAME_BYTES	 32
#define WAL_PATH_BYTES	 512

enum wal_record_type {
	WAL_ENTRY = 1,
	WAL_TRUNCATE = 2, /* entries from index on are void */
	WAL_RESET = 3,	  /* a snapshot at index replaced all there was */
};

struct wal_header {
	uint64_t log_id;
	uint64_t seq;
	uint64_t prev_end;   /* where the segment before ended; 0: none */
	uint32_t prev_chain; /* and with which sum */
	uint64_t last_index; /* of the log when this segment began */
};

struct wal_segment {
	uint64_t seq;
	uint64_t bytes;
	uint64_t last_index; /* highest ever written in it; 0: all void */
};

struct wal {
	char dir[WAL_PATH_BYTES - WAL_NAME_BYTES];
	int dir_fd;
	uint64_t log_id;
	uint64_t segment_bytes; /* of new ones */
	uint64_t last_index;

	struct wal_segment *segments; /* oldest first; the last is active */
	size_t segment_count;

	int fd; /* the active segment's */
	uint64_t active_bytes;
	uint64_t at;	  /* end of what was written */
	uint64_t durable; /* end of what was synced */
	uint64_t marked;  /* what the newest mark says */
	uint64_t mark_count;
	uint64_t sync_count;
	uint32_t chain; /* sum of the last record, or of the header */

	int spare_fd; /* -1: none */
};

void wal_segment_name(uint64_t seq, char name[WAL_NAME_BYTES]);

/* *sum: where the sums of the records go on from. */
void wal_header_encode(const struct wal_header *header,
		       uint8_t image[WAL_HEADER_BYTES], uint32_t *sum);
/* VERSION: another layout; CORRUPT. */
RFS_MUST_USE enum rfs_err
wal_header_decode(const uint8_t image[WAL_HEADER_BYTES],
		  struct wal_header *header, uint32_t *sum);

void wal_mark_encode(uint64_t log_id, uint64_t seq, uint64_t count,
		     uint64_t durable, uint8_t image[WAL_MARK_BYTES]);
/* CORRUPT: not a mark of this very segment. */
RFS_MUST_USE enum rfs_err wal_mark_decode(const uint8_t image[WAL_MARK_BYTES],
					  uint64_t log_id, uint64_t seq,
					  uint64_t *count, uint64_t *durable);

/* IO, NOSPC; errno is left. */
RFS_MUST_USE enum rfs_err wal_pwrite(int fd, const void *data, size_t bytes,
				     uint64_t at);
/* Everything written is durable when it returns OK. IO (logged), final. */
RFS_MUST_USE enum rfs_err wal_sync(struct wal *wal);
/* Give the spare a name and a header; it is the active segment then. */
RFS_MUST_USE enum rfs_err wal_activate_spare(struct wal *wal,
					     const struct wal_header *header);

#endif
