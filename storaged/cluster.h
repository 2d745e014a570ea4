/* The other nodes' storaged: what we ask them, and what they ask us.
 *
 * Each node dials every other one over TLS and sends its questions there; the
 * answers come back on the same connection. An accepted connection carries the
 * other's questions. The handshake compares what all nodes must agree on. Who
 * the others are changes at run time (members.h).
 */
#ifndef RAFTFS_STORAGED_CLUSTER_H
#define RAFTFS_STORAGED_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "storaged/consensus.h"
#include "storaged/storaged.h"

struct cluster;

/* Listens and begins to dial the nodes of the configuration. NULL: the port is
 * taken, or no memory (logged). */
struct cluster *cluster_new(struct storaged *s);
void cluster_free(struct cluster *cluster);

/* From here on the cluster is this: s->members. Who is not in it, or is to be
 * reached or known otherwise, is hung up on: its questions end with CLOSED from
 * inside this call. Who is new is dialled. */
void cluster_set_members(struct cluster *cluster,
			 const struct members *members);

/* May questions be sent to that node now? */
bool cluster_is_connected(const struct cluster *cluster, uint32_t node);

/* In all three: OK means the question was sent and the callback will be
 * called, once, from the loop; err CLOSED there: no answer came. CLOSED, FULL:
 * nothing was sent and nothing will be called. */

/* Have that node's raftd append a command; as consensus_propose(). */
RFS_MUST_USE enum rfs_err cluster_forward(struct cluster *cluster,
					  uint32_t node, struct bytes command,
					  consensus_proposed *proposed,
					  void *ctx);

/* Have it store a chunk durably; sha256 is what it computed, valid if OK.
 * BUSY: it does not know the grant yet. NOSPC, IO. */
typedef void cluster_put_done(void *ctx, enum rfs_err err,
			      const uint8_t *sha256);
RFS_MUST_USE enum rfs_err cluster_put(struct cluster *cluster, uint32_t node,
				      uint64_t chunk, const void *data,
				      uint32_t bytes, cluster_put_done *done,
				      void *ctx);

/* Have it send a chunk; data is not verified here, and borrowed for the call.
 * NOENT: it has none. CORRUPT: it has a damaged one. */
typedef void cluster_get_done(void *ctx, enum rfs_err err, const void *data,
			      size_t bytes);
RFS_MUST_USE enum rfs_err cluster_get(struct cluster *cluster, uint32_t node,
				      uint64_t chunk, cluster_get_done *done,
				      void *ctx);

#endif
