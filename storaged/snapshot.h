/* Snapshots: whole states as files that carry their own proof.
 *
 *	DIR/<index>.<term>.<epoch>.<ts>.<SHA-256>.snap		all in hex
 *
 * A snapshot is a compacted copy of the environment. It appears under its name
 * only when it is durable, and no byte of it is believed before its hash was
 * checked. The newest two are kept.
 *
 * Calls block; the loop leaves them to a worker, one at a time.
 */
#ifndef RAFTFS_STORAGED_SNAPSHOT_H
#define RAFTFS_STORAGED_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "storaged/hash.h"
#include "storaged/lmdbkv.h"

struct snapshot_meta {
	uint64_t index; /* 0: none */
	uint64_t term;
	uint64_t epoch;
	int64_t ts_ns;
	uint64_t bytes;
	uint8_t sha256[HASH_BYTES];
};

struct snapshots;

/* dir is made if absent; leftovers of unfinished work are removed. */
RFS_MUST_USE enum rfs_err snapshots_open(const char *dir,
					 struct snapshots **snapshots);
void snapshots_close(struct snapshots *snapshots);

/* Copy the environment aside and describe it; not under its name yet.
 * IO, NOSPC, CORRUPT (the copy does not open). Logged. */
RFS_MUST_USE enum rfs_err snapshots_copy(struct snapshots *snapshots,
					 struct lmdbkv *env,
					 struct snapshot_meta *meta);

/* Give the last copy its name, durably, and remove all but the newest two. */
RFS_MUST_USE enum rfs_err snapshots_publish(struct snapshots *snapshots,
					    const struct snapshot_meta *meta);

/* Take in a file that came from elsewhere: copied, verified against meta,
 * published. CORRUPT: not what meta says. fd is borrowed. */
RFS_MUST_USE enum rfs_err snapshots_receive(struct snapshots *snapshots, int fd,
					    const struct snapshot_meta *meta);

/* What the name of the newest one says; its content is not looked at. NOENT:
 * none, *meta is all zero; IO (logged). */
RFS_MUST_USE enum rfs_err snapshots_newest(struct snapshots *snapshots,
					   struct snapshot_meta *meta);

/* A descriptor on that snapshot, read-only, the caller's. NOENT, IO. */
RFS_MUST_USE enum rfs_err
snapshots_open_file(struct snapshots *snapshots,
		    const struct snapshot_meta *meta, int *fd);

/* Copy the newest snapshot whose content proves sound to path (replacing it),
 * passing over damaged ones. NOENT: there is none; IO, NOSPC. Logged. */
RFS_MUST_USE enum rfs_err snapshots_restore(struct snapshots *snapshots,
					    const char *path,
					    struct snapshot_meta *meta);

#endif
