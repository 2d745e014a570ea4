/* The questions of other nodes' storaged: forwarded commands, chunks to store,
 * chunks to send. Part of cluster.h, which owns it. */
#ifndef RAFTFS_STORAGED_SERVE_PEERS_H
#define RAFTFS_STORAGED_SERVE_PEERS_H

#include "storaged/storaged.h"

struct serve_peers;

/* Listens on this node's storage port. NULL: logged. */
struct serve_peers *serve_peers_new(struct storaged *s);
void serve_peers_free(struct serve_peers *serving);

/* Hang up on whoever is not in s->members any more. */
void serve_peers_drop_strangers(struct serve_peers *serving);

#endif
