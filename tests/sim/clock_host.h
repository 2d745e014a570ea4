/* timesyncd around its core: exchanges, timeouts, the clock page. */
#ifndef RAFTFS_TESTS_SIM_CLOCK_HOST_H
#define RAFTFS_TESTS_SIM_CLOCK_HOST_H

#include "tests/sim/node.h"

void clock_host_start(struct world *world, struct node *node);
/* There are more machines now: ask them too. */
void clock_host_reload(struct world *world, struct node *node);
void clock_host_stop(struct node *node);

/* The raw clock broke its promise by jump_ns; noticed at once, by the page's
 * readers too when no timesyncd runs. */
void clock_host_disrupt(struct world *world, struct node *node,
			int64_t jump_ns);

/* Events, by kind. */
void clock_host_tick(struct world *world, struct event *event);
void clock_host_epoch(struct world *world, struct event *event);
void clock_host_request(struct world *world, struct event *event);
void clock_host_reply(struct world *world, struct event *event);
void clock_host_timeout(struct world *world, struct event *event);
void clock_host_wander(struct world *world, struct event *event);

#endif
