/* The trace: what can be observed, for the model in tests/replay to judge.
 *
 * Its lines are described in tests/replay/trace.h; nothing else is shared with
 * who reads them.
 */
#ifndef RAFTFS_TESTS_SIM_RECORD_H
#define RAFTFS_TESTS_SIM_RECORD_H

#include "tests/sim/node.h"

/* options.record names the file; NULL: no trace, and nothing below costs. */
void record_open(struct world *world);
void record_close(struct world *world);

/* A line about a node (id; 0: the world), after its time. */
void record_line(struct world *world, uint32_t node_id, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
#define record(world, node_id, ...)                                            \
	do {                                                                   \
		if ((world)->record)                                           \
			record_line(world, node_id, __VA_ARGS__);              \
	} while (0)

/* raftd runs: with what its disk held. */
void record_start(struct world *world, const struct node *node);

/* A step is carried out, nothing of it is done yet: hard state, role, log and
 * commit index. */
void record_step(struct world *world, const struct node *node);

void record_message(struct world *world, const struct node *node,
		    const struct raft_message *message);

#endif
