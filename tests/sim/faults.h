/* What goes wrong, when, and for how long. */
#ifndef RAFTFS_TESTS_SIM_FAULTS_H
#define RAFTFS_TESTS_SIM_FAULTS_H

#include "tests/sim/node.h"

/* Choose which kinds of fault this seed sees; start striking. */
void faults_init(struct world *world);

/* End of the fault phase: undo everything, restart everybody. */
void faults_end(struct world *world);

/* Touchy moments: just after a message left, just after something was
 * committed. May crash the node's raftd. */
void faults_after_send(struct world *world, struct node *node,
		       const struct raft_message *message);
/* It leads, and nobody but its voters knows. */
void faults_after_win(struct world *world, struct node *node);
/* It put a membership into its log, and has sent it to nobody yet. */
void faults_after_change(struct world *world, struct node *node);
void faults_after_setting(struct world *world, struct node *node);
void faults_after_commit(struct world *world, struct node *node);

/* Events, by kind. */
void faults_strike(struct world *world, struct event *event);
void faults_heal(struct world *world, struct event *event);
void faults_suspend_end(struct world *world, struct event *event);

#endif
