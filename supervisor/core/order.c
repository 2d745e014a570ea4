/* Start order timesyncd, raftd, storaged; stop order the reverse: storaged
 * flushes while raftd still commits, raftd hands its leadership over while
 * timesyncd still keeps time.
 *
 * Starting does not wait: each child survives the absence of the others.
 */
#include "supervisor/core/order.h"

#include "common/check.h"

static const enum order_role roles[ORDER_CHILDREN][ORDER_THINGS] = {
	/*                    clock page    consensus page  link        */
	[ORDER_TIMESYNCD] = { ORDER_WRITER, ORDER_READER, ORDER_NONE },
	[ORDER_RAFTD] = { ORDER_READER, ORDER_WRITER, ORDER_END },
	[ORDER_STORAGED] = { ORDER_READER, ORDER_READER, ORDER_END },
	/* It reads the file view of the clock, as any program may. */
	[ORDER_GRPC] = { ORDER_NONE, ORDER_NONE, ORDER_NONE },
};

bool order_is_optional(enum order_child child)
{
	return child == ORDER_GRPC;
}

enum order_role order_role(enum order_child child, enum order_thing thing)
{
	CHECK(child < ORDER_CHILDREN);
	CHECK(thing < ORDER_THINGS);
	return roles[child][thing];
}

bool order_renews(enum order_child child, enum order_thing thing)
{
	enum order_role role = order_role(child, thing);

	return role == ORDER_WRITER || role == ORDER_END;
}

enum order_child
order_stop_next(const enum supervise_state states[ORDER_CHILDREN])
{
	for (int i = ORDER_CHILDREN - 1; i >= 0; i--) {
		if (states[i] != SUPERVISE_DOWN)
			return (enum order_child)i;
	}
	return ORDER_CHILDREN;
}

enum order_health
order_health(const enum supervise_state states[ORDER_CHILDREN])
{
	int counts[SUPERVISE_STATES] = { 0 };
	int needed = 0;

	for (int i = 0; i < ORDER_CHILDREN; i++) {
		if (order_is_optional((enum order_child)i))
			continue;
		counts[states[i]]++;
		needed++;
	}
	if (counts[SUPERVISE_READY] == needed)
		return ORDER_ALL_READY;
	if (counts[SUPERVISE_DOWN] == needed)
		return ORDER_STOPPED;
	return counts[SUPERVISE_HELD] > 0 ? ORDER_DEGRADED : ORDER_COMING_UP;
}
