/* What disks do to entries that were durable: rot, and writes that land in the
 * wrong place.
 *
 * Nothing notices before raftd reads its log again. Then the log ends before
 * the first bad record, and what the node had promised is its floor
 * (raftd/core/repair.h); disk.promised remembers it for the checks. At most a
 * minority of nodes is damaged at a time: with more, what was committed may be
 * nowhere, and the cluster rightly waits for ever.
 *
 * Not here, because assumed away (docs/SAFETY.md): a write that was synced and
 * is not there, with a disk that says it never was.
 */
#ifndef RAFTFS_TESTS_SIM_ROT_H
#define RAFTFS_TESTS_SIM_ROT_H

#include "tests/sim/node.h"

/* A durable entry goes bad, if there is one and the damage is bearable. */
bool rot_is_damaged(const struct disk *disk);

void rot_strike(struct world *world, struct node *node);

/* The next flush overwrites an entry it should not, under the same terms. */
void rot_misdirect(struct world *world, struct node *node);
void rot_flushed(struct world *world, struct node *node);

/* raftd opens its log: what was bad is cut off, and the floor noted. */
void rot_open(struct world *world, struct node *node);

/* The hard state is durable: a floor it no longer has is reached. */
void rot_mended(struct world *world, struct node *node);

#endif
