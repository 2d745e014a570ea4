/* The lease setting: operators who change it at any time, on one node or on
 * all, and what must hold of it (I8, I9).
 *
 *  setting	what a core goes by at its commit index, and hands out with a
 *		snapshot, is what the entries before it say: told here by the
 *		facts, from the last one back
 *  one-setting	a leader makes one when an entry of its term is committed, and
 *		the setting before
 */
#ifndef RAFTFS_TESTS_SIM_SETTINGS_H
#define RAFTFS_TESTS_SIM_SETTINGS_H

#include "tests/sim/facts.h"
#include "tests/sim/node.h"

void settings_init(struct world *world);
void settings_next(struct world *world, struct event *event);
/* What the file of a node that is added says. */
int64_t settings_file_ns(const struct world *world);
/* The longest that any file ever said. */
int64_t settings_longest_ns(const struct world *world);

/* EVENT_RAFT_LEASE: it takes the new value from its file. */
void settings_reload(struct world *world, struct event *event);

/* What the log up to a fact (NULL: none) says of leases. */
struct raft_window settings_window(const struct fact *fact);

/* Before a log is cut. */
void settings_truncated(struct world *world, const struct node *node,
			uint64_t from);

/* After each step; and at a snapshot the core is asked about. */
void settings_check(struct world *world, struct node *node);
void settings_check_at(struct world *world, struct node *node, uint64_t index,
		       const struct raft_window *window);

#endif
