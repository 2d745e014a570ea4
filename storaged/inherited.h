/* What this node's raftd inherited when it became the leader, and cannot settle
 * yet: the limbo of rule R2, for exactly one (term, limbo_index] at a time.
 *
 * The commands come over the link; the consensus page says which pair counts.
 * Until they are all here for that very pair, nobody reads past them.
 */
#ifndef RAFTFS_STORAGED_INHERITED_H
#define RAFTFS_STORAGED_INHERITED_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/local.pb-c.h"
#include "storaged/core/limbo.h"
#include "storaged/storaged.h"

struct inherited;

struct inherited *inherited_new(struct storaged *s); /* NULL: no memory */
void inherited_free(struct inherited *inherited);    /* may be NULL */

/* A frame of them; owned from here on. True: that was the last, and whoever
 * waits at the gate may try again. */
bool inherited_take(struct inherited *inherited,
		    DistributedFs__LocalLimbo *limbo);

/* Forget them: the link broke, or the state went past them. The first may be
 * told of NULL. */
void inherited_forget(struct inherited *inherited);
void inherited_applied(struct inherited *inherited, uint64_t index);

/* Are they all here, for this pair? */
bool inherited_is_held(const struct inherited *inherited, uint64_t term,
		       uint64_t limbo_index);

/* May one of them change the answer? True also when they are not held. The
 * state must have applied the commit index that the page showed with the pair,
 * and must not have been replaced by a snapshot since they came. */
bool inherited_may_change(struct inherited *inherited, uint64_t term,
			  uint64_t limbo_index,
			  const struct limbo_query *query);

#endif
