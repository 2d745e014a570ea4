/* The gate before every read: is the state here fresh enough to answer from?
 *
 * By lease (two pages, no message) or by a read point from raftd, shared by
 * all reads that wait at that moment; then until the state has applied it.
 *
 * A new leader's lease is its predecessor's, and leaves out what commands in
 * limbo may change (R2): only who asks for that takes the long way.
 */
#ifndef RAFTFS_STORAGED_GATE_H
#define RAFTFS_STORAGED_GATE_H

#include <stdint.h>

#include "common/err.h"
#include "storaged/core/limbo.h"
#include "storaged/storaged.h"

struct gate;

struct gate *gate_new(struct storaged *s);
void gate_free(struct gate *gate); /* who waits is told CLOSED */

/* OK: the state as it is now contains everything acknowledged before the gate
 * was asked that the answer to the query depends on. NO_QUORUM: no read point
 * could be had. */
typedef void gate_done(void *ctx, enum rfs_err err);

/* query: what is to be answered, its name borrowed until done; NULL: something
 * that may depend on everything. stale_ns: 0, or how old an answer may be. done
 * may be called from inside. */
void gate_pass(struct gate *gate, const struct limbo_query *query,
	       int64_t stale_ns, gate_done *done, void *ctx);

/* raftd leads, and what is in limbo is known: who waits may try again. */
void gate_retry(struct gate *gate);

/* As state_events.applied. */
void gate_applied(struct gate *gate, uint64_t index);

#endif
