/* Keeps this node's share of the data complete: what the state names and the
 * disk has not is fetched, a few chunks at a time.
 *
 * Two sources: entries just applied (their chunks mostly arrive by themselves,
 * so they are looked at a little later), and a walk over all chunks after a
 * start or a restored snapshot.
 */
#ifndef RAFTFS_STORAGED_BACKFILL_H
#define RAFTFS_STORAGED_BACKFILL_H

#include <stdbool.h>

#include "storaged/core/command.h"
#include "storaged/storaged.h"

struct backfill;

struct backfill *backfill_new(struct storaged *s);
void backfill_free(struct backfill *backfill);

/* As state_events.named. */
void backfill_named(struct backfill *backfill,
		    const struct command_piece *piece);

/* Walk over everything, from the start. */
void backfill_walk(struct backfill *backfill);

/* The state was replaced by another: nothing is known of its data before the
 * next walk. */
void backfill_restart(struct backfill *backfill);

/* A walk since then ended with all data here, or without what nobody has of
 * enough nodes to decide. Raftd hears of each change (LocalFilling). */
bool backfill_is_whole(const struct backfill *backfill);

/* A peer can be asked from now on: what nobody else had, it may have. */
void backfill_peer_came(struct backfill *backfill);

/* Found missing by the walk under way, or the last one, and not here yet. */
uint64_t backfill_missing(const struct backfill *backfill);

#endif
