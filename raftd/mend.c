/* Floor first, then the cut. */
#include "raftd/mend.h"

#include <inttypes.h>

#include "common/check.h"
#include "common/os/log.h"

enum rfs_err mend_log(struct wal *wal, const struct wal_log *log,
		      struct hardstate_file *file, struct hardstate *state)
{
	enum rfs_err err;

	if (!log->damaged)
		return RFS_ERR_OK;
	CHECK(log->floor.term <= state->term);
	state->floor = log->floor;
	err = hardstate_write(file, state);
	if (err == RFS_ERR_OK)
		err = wal_mend(wal);
	if (err != RFS_ERR_OK)
		return err;
	if (log->floor.index == 0)
		return RFS_ERR_OK; /* nothing was ever promised */
	log_warn("log: entries from %" PRIu64 " to %" PRIu64 " of term %" PRIu64
		 " are lost here; the other nodes have to send them, and until "
		 "then this one neither stands for election nor votes for a "
		 "node that lacks them",
		 log->first_index + log->entry_count, log->floor.index,
		 log->floor.term);
	return RFS_ERR_OK;
}
