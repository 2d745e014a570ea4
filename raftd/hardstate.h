/* Term, vote and floor on disk: one record, two copies, written together.
 *
 * Both copies are written, then synced, before anything else may happen: so a
 * copy that cannot be read costs nothing, the other says the same or was never
 * acted upon. (Copies written in turns would let damage to the newer one bring
 * back an older vote.) A record fits one disk sector: it is old or new, never
 * half. Layout in raftfs-wal(5).
 *
 * The record names the log it belongs to, so that a node whose log was lost or
 * replaced is noticed: it must not vote as if it had forgotten nothing.
 */
#ifndef RAFTFS_RAFTD_HARDSTATE_H
#define RAFTFS_RAFTD_HARDSTATE_H

#include <stdint.h>

#include "common/err.h"
#include "raftd/core/raft.h"

struct hardstate {
	uint64_t log_id; /* wal_log.log_id */
	uint32_t node;	 /* whose it is */
	uint32_t voted_for;
	uint64_t term;
	uint64_t supported_term; /* raftd/core/raft.h, struct raft_effects */
	struct raft_floor floor; /* index 0: the log lost nothing */
};

struct hardstate_file;

/* Open or create the file at path. *state: what it holds; all zero when it is
 * new. CORRUPT: neither copy is good (logged with what to do); VERSION; IO
 * (logged); NOMEM. */
RFS_MUST_USE enum rfs_err hardstate_open(const char *path,
					 struct hardstate_file **file,
					 struct hardstate *state);

/* Durable when it returns. Blocks for one sync. IO (logged): final, exit. */
RFS_MUST_USE enum rfs_err hardstate_write(struct hardstate_file *file,
					  const struct hardstate *state);

uint64_t hardstate_syncs(const struct hardstate_file *file);

/* file may be NULL. */
void hardstate_close(struct hardstate_file *file);

#endif
