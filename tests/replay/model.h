/* A second, small Raft with leases, to judge what the first one did.
 *
 * Written from the paper and the lease rules alone: it shares no line with
 * raftd/core, sees only a trace (trace.h), and has what no node has: true
 * time, and all nodes at once. So its rules are short, and stronger:
 *
 *  two-votes		one vote per term, through every crash
 *  vote-behind		for a log that is not behind the voter's, nor
 *			behind what it had promised before a damage
 *  two-leaders		one leader per term
 *  no-majority		which a majority voted for; of both sets, if joint
 *  one-change		the set of voters changes by committed, joint steps
 *  incomplete-leader	and holds all that was committed in earlier terms
 *  not-its-entry	only its leader makes entries of a term
 *  log-matching	same index and term: same entry, same entry before
 *  forgets		a disk loses nothing that it held durably
 *  promise		no acknowledgement, no vote, beyond what disks hold
 *  commit-term		a leader commits first an entry of its own term
 *  commit-majority	that a majority of disks holds
 *  commit-differs	all nodes commit the same entries
 *  stamp		stamps rise; those of a term follow its leader's clock
 *  hand-over		a new timeline is not behind what it knew of the old
 *  C1			no commit while an older entry is younger than its own
 *			D, but for a lease given up or dead with P and K
 *  setting		which says of the entries before it no less than that
 *  late-leader		nobody leads in a term that P said nobody can have led
 *  R1			no lease read from an entry older than its own D
 *  R2			nor with an unsettled command of another term after it
 *  I10			nor once the lease was given up
 *  lease-stale		nor beside a newer commit
 *  read-stale		a read point covers what was committed when asked
 *  exactly-once	no command takes effect twice
 *  history		clients' operations are linearizable
 *  nonsense		a line that says nothing, or cannot be
 */
#ifndef RAFTFS_TESTS_REPLAY_MODEL_H
#define RAFTFS_TESTS_REPLAY_MODEL_H

#include <stdint.h>

struct model;

/* Never NULL. */
struct model *model_new(void);
void model_free(struct model *model);

/* The next line of the trace; changed by parsing. NULL, or which rule was
 * broken and how, valid until the next call. Nothing may follow that. */
const char *model_line(struct model *model, char *line);

/* How often each thing was judged, for people. */
struct model_counts {
	uint64_t lines, votes, leaders, appends, commits, waits_skipped;
	uint64_t settings, lease_reads, inherited_reads, points, operations;
};
const struct model_counts *model_counts(const struct model *model);

#endif
