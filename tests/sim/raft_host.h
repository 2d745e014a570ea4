/* raftd around its core: what raftd/loop.c does, over pretended devices. */
#ifndef RAFTFS_TESTS_SIM_RAFT_HOST_H
#define RAFTFS_TESTS_SIM_RAFT_HOST_H

#include "tests/sim/node.h"

/* Read the disk, make a core. */
void raft_host_start(struct world *world, struct node *node);

/* The process died: the core is gone, the disk keeps what it keeps. */
void raft_host_stop(struct world *world, struct node *node);

/* Go on after a pause: first what was decided and not carried out yet. */
void raft_host_resume(struct world *world, struct node *node);

/* Events, by kind. */
void raft_host_tick(struct world *world, struct event *event);
void raft_host_message(struct world *world, struct event *event);
void raft_host_disk(struct world *world, struct event *event);
void raft_host_hint(struct world *world, struct event *event);
void raft_host_death(struct world *world, struct event *event);
void raft_host_propose(struct world *world, struct event *event);
void raft_host_flush(struct world *world, struct event *event);
void raft_host_read(struct world *world, struct event *event);
void raft_host_rtt(struct world *world, struct event *event);
void raft_host_snapshot(struct world *world, struct event *event);

/* One step by an event that somebody else made. */
void raft_host_event(struct world *world, struct node *node,
		     struct raft_event *event);

#endif
