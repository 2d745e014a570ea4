/* Reading the durable log back from the disk while it is in use, and putting
 * right what has gone bad there.
 *
 * What was read or written lately sits in the page cache, where no damage
 * shows; so the cache is told to drop each range before it is read. Records are
 * judged as at a start. A bad one is rewritten in its place from entries the
 * caller still has: they are the right ones if and only if the chain of sums
 * then fits what follows.
 *
 * Threads: any, for what the writer has declared durable. Everything may block.
 */
#ifndef RAFTFS_RAFTD_WAL_SCRUB_H
#define RAFTFS_RAFTD_WAL_SCRUB_H

#include "raftd/wal_format.h"

#define WAL_SCRUB_BYTES (256u * 1024) /* read in one go */

/* How far a scrub of one segment has come. All zero: at its start. */
struct wal_cursor {
	uint64_t offset; /* the next record; 0: header and marks */
	uint32_t chain;
	uint64_t last_index; /* of the log there */
	unsigned int batch;
	bool lost; /* what is at offset is given up: find the next good head */
};

/* Look at the next part of a segment, and move the cursor behind what is good;
 * at extent->end all was.
 *
 * CORRUPT: what is at the cursor is bad, or cannot be read (logged). NOENT: the
 * segment is gone. IO: it cannot be opened (logged). NOMEM. */
RFS_MUST_USE enum rfs_err wal_scrub(const char *dir,
				    const struct wal_extent *extent,
				    struct wal_cursor *cursor);

/* Put back the header. CORRUPT: what it should say is not known, or it cannot be
 * written (logged). IO (logged): a sync failed, final. */
RFS_MUST_USE enum rfs_err wal_rewrite_header(const char *dir,
					     const struct wal_extent *extent);

/* Put back records at the cursor. `records`: whole entries in the order of the
 * log, as by wal_encode_entry(), more than may be needed; changed.
 * CORRUPT: they are not what stood there, or cannot be written (logged). IO
 * (logged): a sync failed, final. */
RFS_MUST_USE enum rfs_err wal_rewrite(const char *dir,
				      const struct wal_extent *extent,
				      const struct wal_cursor *cursor,
				      uint8_t *records, size_t bytes);

#endif
