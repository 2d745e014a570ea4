/* Machines that come and go, while everything else goes wrong.
 *
 * An operator adds, removes, replaces and promotes nodes, now and then on a node
 * that does not lead. A machine may be lost for good first; then the operator
 * insists until another one has its place. Removed machines stay up and must
 * disturb nobody. As operators should, this one takes no healthy machine away
 * while another is lost or damaged.
 *
 * What the membership is, and what a quorum of it, is worked out here from the
 * facts alone, not by the core's arithmetic.
 */
#ifndef RAFTFS_TESTS_SIM_CHANGES_H
#define RAFTFS_TESTS_SIM_CHANGES_H

#include "tests/sim/node.h"

void changes_init(struct world *world);
void changes_end(struct world *world);

/* Events: the operator's next idea; its request reaches a raftd. */
void changes_next(struct world *world, struct event *event);
void changes_request(struct world *world, struct event *event);
/* Was this answer to one of its requests? */
bool changes_answered(struct world *world, struct node *node,
		      const struct raft_proposal_done *done);

/* The membership that a log ending in `last` (NULL: empty) goes by; count 0:
 * none, as a machine that was added later began with. */
struct raft_membership changes_by(const struct world *world,
				  const struct node *node,
				  const struct fact *last);
/* The same of a node's own log. */
struct raft_membership changes_held(const struct world *world,
				    const struct node *node);
/* The newest that is committed. */
struct raft_membership changes_committed(const struct world *world);
bool changes_is_member(const struct world *world, const struct node *node);
/* A member whose machine is there. */
bool changes_takes_part(const struct world *world, const struct node *node);

/* Do these nodes (1 << index) form a quorum? */
bool changes_is_quorum(const struct raft_membership *membership,
		       uint32_t nodes);

/* Would a quorum be left, now and after what is under way, without these? */
bool changes_can_spare(const struct world *world, uint32_t nodes);
/* Lost or damaged. */
uint32_t changes_ailing(const struct world *world);

/* Rules of changing, after a step's effects on the log. */
void changes_check(struct world *world, struct node *node);

/* A node grants a vote, or stands. */
void changes_check_vote(struct world *world, const struct node *node);

/* Does the core say the same of a log index, for a snapshot taken there? */
void changes_check_at(struct world *world, struct node *node, uint64_t index,
		      const struct raft_membership *membership);

/* Does it know of any membership there? */
bool changes_known_at(const struct node *node, uint64_t index);

/* Last phase: nothing is under way, and nothing more will be. */
bool changes_settled(const struct world *world);

#endif
