/* members.conf: the members for who comes after us, written whole or not.
 *
 * The supervisor lays it over the node sections of raftfs.conf and hands the
 * result to the daemons (config_overlay()); a person may read it, or copy it
 * into raftfs.conf.
 */
#ifndef RAFTFS_RAFTD_MEMBERSFILE_H
#define RAFTFS_RAFTD_MEMBERSFILE_H

#include "common/err.h"
#include "common/os/config.h"

/* Those whose ports another, newer one (a higher id) took over, as one that
 * stands in for a lost node may, are left out: two cannot be at one place. */
void membersfile_settle(struct config_members *members);

/* As of log entry `index`. Nothing is written when it says that already.
 * Durable when it returns OK. Any thread, one at a time; may block.
 * NOSPC, IO (logged). */
RFS_MUST_USE enum rfs_err membersfile_save(const char *path, uint64_t index,
					   const struct config_members *members);

#endif
