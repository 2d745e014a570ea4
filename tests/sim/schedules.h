/* Fault schedules with a purpose: what chance alone would take years to find.
 *
 * figure-8   the paper's figure 8, again and again, in a cluster that sends one
 *	      entry at a time: a leader A is cut off with entries nobody has; B
 *	      is elected and cut off before anybody hears its first entry; A
 *	      returns, its old entries reach a majority; A is cut off at once,
 *	      and B returns. A leader that commits by counting entries of older
 *	      terms has lost them now.
 *
 *	      calm -> a cut -> b wins, all cut -> a with a majority -> a
 *commits: the others with b -> calm
 *
 * forget     two halves that do not hear each other, one node that sees both
 *	      and gives its vote to one. It dies at once, and comes back before
 *	      the other half asks it for a vote in the same term. A vote that
 *was not durable is given twice.
 *
 *	      calm -> split, leader dies -> vote given, voter dies -> calm
 *
 * Phases end when what they wait for has happened, or after a while.
 */
#ifndef RAFTFS_TESTS_SIM_SCHEDULES_H
#define RAFTFS_TESTS_SIM_SCHEDULES_H

#include "tests/sim/node.h"

bool schedules_apply(const struct world *world);

/* Change the profile to one in which the schedule can bite; start it. */
void schedules_profile(struct world *world);
void schedules_init(struct world *world);

/* Event. */
void schedules_look(struct world *world, struct event *event);

/* A node has just won, committed for the first time, sent. */
void schedules_after_win(struct world *world, struct node *node);
void schedules_after_commit(struct world *world, struct node *node);
void schedules_after_send(struct world *world, struct node *node,
			  const struct raft_message *message);

#endif
