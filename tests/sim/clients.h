/* Clients: one operation at a time each, retried until it has an answer.
 *
 * A write whose outcome is unknown is retried with the same identity and
 * sequence. Some clients give up for ever: their write stays open, and they
 * come back under a new identity. Cuts between nodes do not concern clients:
 * a deposed leader still hears them.
 */
#ifndef RAFTFS_TESTS_SIM_CLIENTS_H
#define RAFTFS_TESTS_SIM_CLIENTS_H

#include "tests/sim/node.h"

#define CLIENTS_COUNT 6 /* the other slots are probes of the last phase */

/* Start them; they go on until clients_stop(). */
void clients_init(struct world *world);
void clients_stop(struct world *world);

/* One-way delay between a client and a node. */
int64_t clients_delay(struct world *world);

/* Last phase: one write by any node, one read on every node. */
void clients_probe(struct world *world);
bool clients_probes_done(const struct world *world);

/* Events, by kind. */
void clients_next(struct world *world, struct event *event);
void clients_reply(struct world *world, struct event *event);
void clients_timeout(struct world *world, struct event *event);

#endif
