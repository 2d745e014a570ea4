/* Snapshots as files: the note of the newest one, and one coming in.
 *
 * The snapshots themselves belong to storaged; raftd keeps a small note beside
 * its log, snapshot.meta, so that it knows after a restart what the log was
 * compacted behind, and receives a leader's snapshot into incoming.snap.
 * Formats in raftfs-wal(5).
 *
 * Threads: any, one at a time for one file. Everything may block.
 */
#ifndef RAFTFS_RAFTD_SNAPFILE_H
#define RAFTFS_RAFTD_SNAPFILE_H

#include <stdint.h>

#include "common/err.h"
#include "raftd/core/raft.h"

#define SNAPFILE_HASH_BYTES 32

struct snapfile_meta {
	struct raft_snapshot_meta at;
	uint64_t bytes;
	uint8_t sha256[SNAPFILE_HASH_BYTES];
	/* Who were the members at that index: raft_membership_encode()'s image,
	 * as it is sent on; none (0) on a node that knew of nobody yet. */
	uint32_t membership_bytes;
	uint8_t membership[RAFT_MEMBERSHIP_BYTES_MAX];
	struct raft_window window; /* of leases, at that index */
};

/* The image read. Zero members: there is none. */
void snapfile_membership(const struct snapfile_meta *meta,
			 struct raft_membership *membership);
/* Take an image that came from elsewhere. CORRUPT, VERSION: it is none. */
RFS_MUST_USE enum rfs_err snapfile_set_membership(struct snapfile_meta *meta,
						  const void *image,
						  size_t bytes);

/* Durable, old or new whatever happens. IO, NOSPC (logged). */
RFS_MUST_USE enum rfs_err snapfile_save_meta(const char *path,
					     const struct snapfile_meta *meta);
/* NOENT: none was saved. CORRUPT, IO (logged). */
RFS_MUST_USE enum rfs_err snapfile_load_meta(const char *path,
					     struct snapfile_meta *meta);

/* Hash and length of a whole file; its offset is not moved. IO (logged). */
RFS_MUST_USE enum rfs_err snapfile_hash(int fd, uint64_t *bytes,
					uint8_t sha256[SNAPFILE_HASH_BYTES]);

/* An empty file in place of what was there. -1: logged. */
int snapfile_create(const char *path);

/* Make the file durable and compare it. CORRUPT: another length or hash; IO,
 * NOSPC (logged). */
RFS_MUST_USE enum rfs_err snapfile_finish(int fd,
					  const struct snapfile_meta *meta);

#endif
