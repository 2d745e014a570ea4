/* The link to this node's raftd: proposals and reads go out, the committed log
 * comes in and is applied.
 *
 * The supervisor hands both ends of a fresh socket out whenever one side was
 * restarted; each begins with LOCAL_ATTACH. While a state is being restored or
 * the link is gone, proposals and reads fail with CLOSED.
 */
#ifndef RAFTFS_STORAGED_CONSENSUS_H
#define RAFTFS_STORAGED_CONSENSUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "storaged/snapshot.h"
#include "storaged/storaged.h"

struct consensus;

/* NULL: out of memory. */
struct consensus *consensus_new(struct storaged *s);
void consensus_free(struct consensus *consensus);

/* A new link; fd is owned from here on. The old one is closed. */
void consensus_set_link(struct consensus *consensus, int fd);
bool consensus_is_attached(const struct consensus *consensus);

/* The state is about to be replaced: no copy of it may begin. */
bool consensus_is_restoring(const struct consensus *consensus);

/* Called once: OK with where the entry stands; NOT_LEADER, FULL, BUSY: not
 * appended; CLOSED: it may have been. Never from inside consensus_propose(). */
typedef void consensus_proposed(void *ctx, enum rfs_err err, uint64_t index,
				uint64_t term);
/* OK: the question is on its way, and proposed() will be called. CLOSED, FULL:
 * it is not, and will not be. */
RFS_MUST_USE enum rfs_err consensus_propose(struct consensus *consensus,
					    struct bytes command,
					    consensus_proposed *proposed,
					    void *ctx);

/* Ask for a read point: state that has applied index may answer whatever was
 * asked before this call. Answered as above. */
typedef void consensus_read_point(void *ctx, enum rfs_err err, uint64_t index);
RFS_MUST_USE enum rfs_err consensus_read(struct consensus *consensus,
					 consensus_read_point *done, void *ctx);

/* A checkpoint is durable: raftd may forget what it covers. */
void consensus_tell_snapshot(struct consensus *consensus,
			     const struct snapshot_meta *meta);

/* See LocalFilling. Told again at each attach. */
void consensus_tell_filling(struct consensus *consensus);

/* raftd last said the log is committed up to here. */
uint64_t consensus_commit_index(const struct consensus *consensus);

#endif
