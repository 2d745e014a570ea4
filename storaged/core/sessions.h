/* Sessions: who asked what; a retry gets the first answer; expiry by log time.
 *
 * A session record keeps its floor: answers to lower seqs were acknowledged
 * and are gone.  The floor moves in steps of SESSIONS_PRUNE, so that most
 * commands write their answer and nothing else here.
 */
#ifndef RAFTFS_STORAGED_CORE_SESSIONS_H
#define RAFTFS_STORAGED_CORE_SESSIONS_H

#include "storaged/core/apply.h"
#include "storaged/core/query.h"

#define SESSIONS_PRUNE 32u

struct session {
	uint64_t session;
	uint32_t node;
	int64_t lease_ns;
	int64_t opened_ts_ns;
	int64_t renewed_ts_ns;
	uint64_t floor;
	uint8_t label[COMMAND_LABEL_MAX];
	uint32_t label_bytes;
};

/* Before a command with a seq: may it run?  OK: it may. Else *answered says
 * whether the first answer was put into the result; if not, the error is the
 * answer, and nothing is recorded. */
RFS_MUST_USE enum rfs_err sessions_begin(struct apply *a,
					 struct session *session,
					 bool *answered);

/* After it ran: record the answer, forget acknowledged ones. */
void sessions_record(struct apply *a, struct session *session);

/* COMMAND_OPEN_SESSION, _RENEW_, _CLOSE_, COMMAND_EXPIRE_SESSIONS.
 * NO_SESSION: unknown or ended. BUSY: the lease still runs. */
enum rfs_err sessions_open(struct apply *a);
enum rfs_err sessions_renew(struct apply *a);
enum rfs_err sessions_close(struct apply *a);
enum rfs_err sessions_expire(struct apply *a);

/* Errors: NO_SESSION, CORRUPT, the engine's. */
RFS_MUST_USE enum rfs_err sessions_load(struct kv *kv, uint64_t number,
					struct session *session);
RFS_MUST_USE enum rfs_err sessions_decode(struct kv *kv, uint64_t number,
					  struct bytes value,
					  struct session *session);

#endif
