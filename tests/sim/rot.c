/* Damage at a random place, found at the next start. */
#include "tests/sim/rot.h"

#include <inttypes.h>

#include "common/check.h"
#include "tests/sim/changes.h"
#include "tests/sim/record.h"

bool rot_is_damaged(const struct disk *disk)
{
	return disk->damaged_from != 0 || disk->floor.index != 0 ||
	       disk->misdirects;
}

static bool is_bearable(const struct world *world, const struct node *node)
{
	return !node->lost && !rot_is_damaged(&node->disk) &&
	       changes_can_spare(world,
				 changes_ailing(world) | 1u << node->index);
}

/* Old entries everybody has; the last ones matter most. */
static void damage(struct world *world, struct node *node, uint64_t last)
{
	const struct factlog *log = &node->disk.log;
	int64_t back = (int64_t)(last - log->first);

	if (world_chance(world, 0.7) && back > 40)
		back = 40;
	node->disk.damaged_from =
		last - (uint64_t)world_between(world, 0, back);
	world_trace(world, node->id,
		    "disk: entry %" PRIu64 " of %" PRIu64 "..%" PRIu64
		    " is bad",
		    node->disk.damaged_from, log->first, factlog_last(log));
}

void rot_strike(struct world *world, struct node *node)
{
	struct disk *disk = &node->disk;

	if (!is_bearable(world, node) || disk->log.count == 0)
		return;
	world_cover(world, COVER_ROT);
	damage(world, node, factlog_last(&disk->log));
}

void rot_misdirect(struct world *world, struct node *node)
{
	if (is_bearable(world, node))
		node->disk.misdirects = true;
}

/* It should have gone behind the log: that place is bad too, but later. */
void rot_flushed(struct world *world, struct node *node)
{
	struct disk *disk = &node->disk;

	if (!disk->misdirects)
		return;
	disk->misdirects = false;
	if (disk->log.count < 2)
		return;
	world_cover(world, COVER_MISDIRECTED);
	damage(world, node, factlog_last(&disk->log) - 1);
}

void rot_open(struct world *world, struct node *node)
{
	struct disk *disk = &node->disk;
	uint64_t from = disk->damaged_from;
	const struct fact *last =
		factlog_at(&disk->log, factlog_last(&disk->log));

	disk->damaged_from = 0;
	/* Covered by a snapshot, compacted or truncated meanwhile. */
	if (from <= disk->snapshot.index || from < disk->log.first ||
	    from > factlog_last(&disk->log))
		return;
	CHECK(last);
	factlog_copy(&disk->promised, &disk->log);
	disk->floor = (struct raft_floor){last->index, last->term};
	factlog_truncate(&disk->log, from);
	world_cover(world, COVER_DAMAGE_FOUND);
	world_trace(world, node->id,
		    "disk: log cut at %" PRIu64 ", promised to %" PRIu64
		    " of term %" PRIu64,
		    from, last->index, last->term);
	record(world, node->id, "damaged");
}

void rot_mended(struct world *world, struct node *node)
{
	struct disk *disk = &node->disk;

	if (disk->floor.index != 0 || disk->promised.count == 0)
		return;
	factlog_reset(&disk->promised, NULL);
	world_cover(world, COVER_DAMAGE_MENDED);
	record(world, node->id, "mended");
}
