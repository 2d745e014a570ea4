/* The committed log in pages, for `raftfs log`: what is in memory, with stamps
 * and how well they compare with the present.
 *
 * A stamp is on the timeline of its epoch. A hand-over (SAFETY.md I3) starts the
 * next one at the high end of what was known of the old, or later: so an entry
 * may be later on the new timeline than its stamp says, by at most the width
 * new - low of that record, and never earlier. Widths of several add up. Where
 * a record says nothing of the epoch before it, no comparison is possible.
 */
#ifndef RAFTFS_RAFTD_LOGPAGE_H
#define RAFTFS_RAFTD_LOGPAGE_H

#include "common/err.h"
#include "proto/control.pb-c.h"
#include "raftd/core/raft.h"

#define LOGPAGE_ENTRIES_MAX 1024
#define LOGPAGE_TEXT_BYTES  1024 /* of a membership */
#define LOGPAGE_BYTES_MAX   (256u * 1024) /* and the entry that exceeds it */

/* One page; make once, fill again and again. NULL: out of memory. */
struct logpage;
struct logpage *logpage_new(void);
void logpage_free(struct logpage *logpage); /* may be NULL */

/* Committed entries from request->from_index on that are not stamped before
 * request->since_ns. The answer belongs to the logpage; what it points to in
 * the log is valid until the raft's next step. */
DistributedFs__RaftLog *
logpage_fill(struct logpage *logpage, const struct raft *raft,
	     const struct raft_now *now,
	     const DistributedFs__ControlRequest *request);

#endif
