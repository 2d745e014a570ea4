/* The wiring of raftd: readiness in, one raft_step(), its effects out.
 *
 * One thread that never waits for a disk. The order in which effects are carried out:
 *
 *	1. the page, if this step lost the lease: storaged stops first
 *	2. term and vote, durable before anything that depends on them: beside
 *	   the loop, and meanwhile the raft stands still: peers and storaged are
 *	   not heard, what else comes up waits in line
 *	3. the page in full: nothing it claims can be forgotten by a crash now
 *	4. the log (beside the loop), messages, committed entries, answers
 *
 * A vote granted elsewhere can thus never be on its way while the page still
 * claims a lease; and a term led is never seen before it is on the disk.
 */
#ifndef RAFTFS_RAFTD_LOOP_H
#define RAFTFS_RAFTD_LOOP_H

#include "common/err.h"
#include "common/os/config.h"
#include "common/os/keys.h"
#include "proto/handout.h"

struct loop;

/* Read the disk, listen, begin to dial. config and key are borrowed for its
 * life. Any error was logged with its cause; CORRUPT: damage, see raftfs-raftd(8). */
RFS_MUST_USE enum rfs_err loop_new(const struct config *config,
				   const struct node_key *key,
				   struct loop **loop);

/* What the supervisor handed out; fd is owned from here. */
void loop_handout(struct loop *loop, const struct handout *handout, int fd);

/* Until SIGTERM, SIGINT or the end of channel_fd. READY is told at once. */
void loop_run(struct loop *loop, int channel_fd);

/* Makes durable what is queued. loop may be NULL. */
void loop_free(struct loop *loop);

#endif
