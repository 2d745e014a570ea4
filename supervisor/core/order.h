/* Who starts and stops when, and what one child's start means for the others.
 * Pure.
 */
#ifndef RAFTFS_SUPERVISOR_CORE_ORDER_H
#define RAFTFS_SUPERVISOR_CORE_ORDER_H

#include <stdbool.h>

#include "supervisor/core/supervise.h"

/* In the order of starting: time, then agreement, then files; then what only
 * looks at them, where it is wanted. */
enum order_child {
	ORDER_TIMESYNCD,
	ORDER_RAFTD,
	ORDER_STORAGED,
	ORDER_GRPC,
	ORDER_CHILDREN
};

/* Whether a node is a node without it: no more than a line of status comes of
 * its failure. */
bool order_is_optional(enum order_child child);

/* What children share through the supervisor. */
enum order_thing {
	ORDER_CLOCK_PAGE,
	ORDER_CONS_PAGE,
	ORDER_LINK, /* the stream between raftd and storaged */
	ORDER_THINGS
};

enum order_role {
	ORDER_NONE,
	ORDER_READER,
	ORDER_WRITER, /* its start makes a new one: seals bind the old */
	ORDER_END,    /* one end of a link: its start makes a new one */
};

enum order_role order_role(enum order_child child, enum order_thing thing);

/* Whether the start of child makes a new thing, for all who have a role. */
bool order_renews(enum order_child child, enum order_thing thing);

/* The child to stop now: the last in the order of starting that is not down,
 * and only that one; ORDER_CHILDREN when all are down. */
enum order_child
order_stop_next(const enum supervise_state states[ORDER_CHILDREN]);

enum order_health {
	ORDER_ALL_READY,
	ORDER_COMING_UP, /* some start, or wait to be restarted */
	ORDER_DEGRADED,	 /* some are held: the node serves what is left */
	ORDER_STOPPED,
};

/* Of the children that are not optional. */
enum order_health
order_health(const enum supervise_state states[ORDER_CHILDREN]);

#endif
