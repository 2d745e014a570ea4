/* What wal.c writes and wal_open.c reads: the parts of the log that are nobody
 * else's business. Layout in raftfs-wal(5).
 *
 * A record has two sums. The chain continues the record before it and covers
 * all content: nothing can be missing or changed in a row of good records. The
 * place sum covers the head, the log's id, the segment and the offset: a head
 * can be believed alone, so that behind damage it is still known what the log
 * held, and a write that the disk misdirected passes nowhere but where it was
 * meant to go.
 */
#ifndef RAFTFS_RAFTD_WAL_FORMAT_H
#define RAFTFS_RAFTD_WAL_FORMAT_H

#include "raftd/wal.h"

#define WAL_HEADER_MAGIC 0x57534652u /* "RFSW" */
#define WAL_MARK_MAGIC	 0x4d534652u /* "RFSM" */
#define WAL_VERSION	 2u
#define WAL_HEADER_BYTES 64u
#define WAL_MARK_BYTES	 64u
#define WAL_NAME_BYTES	 32
#define WAL_PATH_BYTES	 512
#define WAL_BATCHES	 32768u /* batch numbers come round */

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
	struct raft_floor promised; /* by then */
};

struct wal_mark_image {
	uint64_t count;
	uint64_t durable; /* offset */
	struct raft_floor promised; /* in what is durable */
};

/* Where a record stands. */
struct wal_place {
	uint64_t log_id;
	uint64_t seq;
	uint64_t offset;
};

/* The head of a record. Records written with one sync are a batch; numbers
 * rise by one, so a later batch proves that an earlier one was durable. */
struct wal_record {
	uint32_t chain;
	uint32_t body_bytes;
	enum wal_record_type type;
	unsigned int kind;
	unsigned int batch;
	bool batch_ends; /* the last one of it */
	struct raft_snapshot_meta at; /* its index, term and stamp */
};

struct wal_segment {
	uint64_t seq;
	uint64_t bytes;
	uint64_t last_index; /* highest ever written in it; 0: all void */
	struct wal_header header; /* log_id 0: not known */
	uint64_t end;		  /* of its records; 0: still the active one */
	uint32_t end_chain;
};

/* What of a segment is durable. */
struct wal_extent {
	uint64_t seq;
	struct wal_header header; /* log_id 0: not known */
	uint64_t log_id;
	uint64_t end;
	uint32_t end_chain; /* of the record that ends there */
	bool live;	    /* more may follow */
};

/* Where the good part of a log ends. offset 0: not even in the first segment,
 * whose header is bad. */
struct wal_end {
	size_t segment; /* position in wal->segments */
	uint64_t offset;
	uint32_t chain;
	unsigned int batch; /* of the last record */
	bool batch_ends;
};

struct wal {
	char dir[WAL_PATH_BYTES - WAL_NAME_BYTES];
	int dir_fd;
	uint64_t log_id;
	uint64_t segment_bytes; /* of new ones */
	uint64_t last_index;
	struct raft_floor promised; /* the latest entry ever, in log order */

	struct wal_segment *segments; /* oldest first; the last is active */
	size_t segment_count;

	int fd; /* the active segment's */
	uint64_t active_bytes;
	uint64_t at;	  /* end of what was written */
	uint64_t durable; /* end of what was synced */
	struct raft_floor durable_promised;
	uint64_t marked; /* what the newest mark says */
	uint64_t mark_count;
	uint64_t sync_count;
	uint32_t chain; /* sum of the last record, or of the header */
	unsigned int batch; /* the next one */

	int spare_fd; /* -1: none */

	bool damaged; /* wal_mend() is due: the log is good up to here */
	struct wal_end end;
};

void wal_segment_name(uint64_t seq, char name[WAL_NAME_BYTES]);

/* Of segment i, as of the last sync. */
struct wal_extent wal_extent_of(const struct wal *wal, size_t i);
size_t wal_segments(const struct wal *wal);
/* Write both marks anew. IO (logged), final. */
RFS_MUST_USE enum rfs_err wal_remark(struct wal *wal);

/* The later of two in log order: by term, then by index. */
struct raft_floor wal_later(struct raft_floor a, struct raft_floor b);

/* *sum: where the sums of the records go on from. */
void wal_header_encode(const struct wal_header *header,
		       uint8_t image[WAL_HEADER_BYTES], uint32_t *sum);
/* VERSION: another layout; CORRUPT. */
RFS_MUST_USE enum rfs_err
wal_header_decode(const uint8_t image[WAL_HEADER_BYTES],
		  struct wal_header *header, uint32_t *sum);

void wal_mark_encode(uint64_t log_id, uint64_t seq,
		     const struct wal_mark_image *mark,
		     uint8_t image[WAL_MARK_BYTES]);
/* CORRUPT: not a mark of this very segment and slot (1 or 2). */
RFS_MUST_USE enum rfs_err wal_mark_decode(const uint8_t image[WAL_MARK_BYTES],
					  uint64_t log_id, uint64_t seq,
					  unsigned int slot,
					  struct wal_mark_image *mark);
/* In which slot it belongs, and so its offset in pages. */
unsigned int wal_mark_slot(uint64_t count);

/* Chain of a whole record that follows one with sum `chain`. */
uint32_t wal_record_chain(uint32_t chain, const uint8_t *record,
			  size_t bytes);
/* Set batch, chain and place sum of a whole record; returns the chain. */
uint32_t wal_record_seal(uint32_t chain, const struct wal_place *place,
			 unsigned int batch, bool batch_ends, uint8_t *record,
			 size_t bytes);
/* Read the head of a record if one belongs in this place, with room for all
 * of it in the `bytes` from there on. */
bool wal_record_head(const uint8_t *at, uint64_t bytes,
		     const struct wal_place *place, struct wal_record *head);

/* IO, NOSPC; errno is left. */
RFS_MUST_USE enum rfs_err wal_pwrite(int fd, const void *data, size_t bytes,
				     uint64_t at);
/* Everything written is durable when it returns OK. IO (logged), final. */
RFS_MUST_USE enum rfs_err wal_sync(struct wal *wal);
/* Give the spare a name and a header; it is the active segment then. */
RFS_MUST_USE enum rfs_err wal_activate_spare(struct wal *wal,
					     const struct wal_header *header);

#endif
