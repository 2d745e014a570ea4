/* The invariants, each by name; looked at after every step.
 *
 *  1 election-safety     one leader per term, by a quorum of the membership
 *			   its log holds
 *  2 log-matching        same index and term: same entry, same entries before
 *  3 leader-completeness a new leader holds all that was committed before
 *  4 state-safety        all state machines apply the same entries in order
 *  5 committed-durable   what is committed is on a quorum of disks, and those
 *                        that lose it are never one; never truncated. A
 *                        damaged disk keeps its promise by its floor
 *  6 commit-rule         a leader commits by counting only its own term;
 *                        nobody knows a commit before a leader made it
 *  7 stamps-rise         stamps strictly rise along every log (I4)
 *  8 promises            no message promises what the disk does not hold
 *  9 hard-state          term never goes back, one vote per term
 * 10 clock-bound         a usable clock page contains the true timeline (I2)
 * 11 anchor              a leader's timeline does not move under it (I1)
 *    hand-over           the record in a term's first entry contains the old
 *                        timeline, and the new one is not behind it (I3, I4)
 *    cold-start          the wall clock seeds a timeline only where no quorum
 *                        of the voters had met a leader since it started
 * 12 lease-exclusive     while a lease lets a node read, nobody has committed
 *                        a command it does not know of
 * 13 read-point          a read point covers all that was committed before
 *                        the read was asked for
 * 14 linearizability     of the whole client history (history.h)
 * 15 mirror              the core's log and view are what its effects said
 * 16 liveness            after the faults a leader, a write, reads on every
 *                        node, and equal logs within bounded time
 *    membership	   a core goes by the newest its log holds; joint: one
 *    one-change	   follows another only as it may, and only once that
 *    joiner		   is committed, and an entry of the leader's term too;
 *			   who is in none yet votes for nobody
 * 17 busy-loop, addressing: ticks without end, messages to nobody
 */
#ifndef RAFTFS_TESTS_SIM_CHECKS_H
#define RAFTFS_TESTS_SIM_CHECKS_H

#include "tests/sim/node.h"

void checks_init(struct world *world);

/* In the order in which a step is carried out. */
void checks_hard_state(struct world *world, struct node *node, uint64_t term,
		       uint32_t voted_for);
void checks_reset(struct world *world, struct node *node,
		  const struct raft_snapshot_meta *meta,
		  const struct fact *base);
void checks_truncate(struct world *world, struct node *node, uint64_t from);
void checks_step(struct world *world, struct node *node);
void checks_send(struct world *world, struct node *node,
		 const struct raft_message *message);
void checks_commit(struct world *world, struct node *node, uint64_t from,
		   uint64_t to);
void checks_read_asked(struct world *world, struct node *node, uint64_t token);
void checks_read(struct world *world, struct node *node,
		 const struct raft_read_done *done);
void checks_log(struct world *world, struct node *node);
void checks_page(struct world *world, struct node *node);

/* After a crash took its part of the log. */
void checks_crashed(struct world *world, struct node *node);

/* The clock page, now; call only while it is usable. */
void checks_clock(struct world *world, struct node *node);

/* storaged applied one entry, or put a snapshot in place. */
void checks_applied(struct world *world, struct node *node,
		    const struct kv_outcome *outcome);
void checks_snapshot(struct world *world, struct node *node,
		     const struct kv *kv);

/* Last phase: do all nodes agree on everything? */
bool checks_converged(struct world *world);

#endif
