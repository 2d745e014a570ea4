/* storaged: the state machine, reads by lease from the two pages, proposals
 * and read points from raftd, snapshots. */
#ifndef RAFTFS_TESTS_SIM_STORAGE_H
#define RAFTFS_TESTS_SIM_STORAGE_H

#include "tests/sim/node.h"

enum answer {
	ANSWER_OK = 0,	  /* digest of the key's state */
	ANSWER_TRY_AGAIN, /* did not happen here; ask another node */
};

void storage_start(struct world *world, struct node *node);

/* The durable snapshot at that index, or NULL. */
const struct stored_snapshot *storage_snapshot(const struct node *node,
					       uint64_t index);

/* Events, by kind. */
void storage_request(struct world *world, struct event *event);
void storage_committed(struct world *world, struct event *event);
void storage_proposed(struct world *world, struct event *event);
void storage_limbo(struct world *world, struct event *event);
void storage_read(struct world *world, struct event *event);
void storage_body(struct world *world, struct event *event);

#endif
