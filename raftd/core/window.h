/* What a log says of leases up to an index: a function of the log alone. */
#ifndef RAFTFS_RAFTD_CORE_WINDOW_H
#define RAFTFS_RAFTD_CORE_WINDOW_H

#include "raftd/core/raft.h"

/* One entry further. False: it says nothing of leases. A RAFT_ENTRY_LEASE has
 * been looked at before: its image is good. */
bool window_take(struct raft_window *window, const struct raft_entry *entry);

#endif
