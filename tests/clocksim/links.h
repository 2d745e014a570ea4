/* What lies between the clock simulator's nodes: delays, queues, losses. */
#ifndef RAFTFS_TESTS_CLOCKSIM_LINKS_H
#define RAFTFS_TESTS_CLOCKSIM_LINKS_H

#include <stdbool.h>
#include <stdint.h>

struct sim;
struct node;

bool links_loses(struct sim *sim);

/* One packet's way from one node (index) to another. */
int64_t links_delay_ns(struct sim *sim, uint32_t from, uint32_t to);

/* TCP's least round trip between two nodes, as the kernel would tell it; 0: it
 * does not. */
int64_t links_tcp_rtt_ns(const struct sim *sim, uint32_t a, uint32_t b);

/* Whom a node may ask: everybody, or where there are too many a choice. */
void links_choose_peers(struct sim *sim, struct node *node);

#endif
