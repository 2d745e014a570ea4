/* A log that lost entries is made good for starting again. */
#ifndef RAFTFS_RAFTD_MEND_H
#define RAFTFS_RAFTD_MEND_H

#include "raftd/hardstate.h"
#include "raftd/wal.h"

/* Note what the node promised (log->floor) in the hard state, then cut the log
 * to what is good. In this order: a log cut before the floor is durable would
 * be that of a node which promised less. Nothing to do when nothing was lost.
 * IO (logged): final; NOSPC, NOMEM. */
RFS_MUST_USE enum rfs_err mend_log(struct wal *wal, const struct wal_log *log,
				   struct hardstate_file *file,
				   struct hardstate *state);

#endif
