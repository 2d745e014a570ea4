/* Durable row, queue of writes, and what a crash leaves of them. */
#include "tests/sim/disks.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "tests/sim/world.h"

void disks_init(struct disk *disk)
{
	*disk = (struct disk){0};
	factlog_reset(&disk->log, NULL);
}

static void queue_push(struct disk *disk, struct disk_write write)
{
	if (disk->queue_count == disk->queue_capacity) {
		disk->queue_capacity = disk->queue_capacity * 2 + 64;
		disk->queue = realloc(disk->queue,
				      disk->queue_capacity * sizeof(write));
		CHECK(disk->queue);
	}
	disk->queue[disk->queue_count++] = write;
}

void disks_append(struct disk *disk, const struct fact *fact)
{
	queue_push(disk, (struct disk_write){.fact = fact});
}

void disks_truncate(struct disk *disk, uint64_t from)
{
	queue_push(disk, (struct disk_write){.truncate = true, .from = from});
}

static void queue_apply(struct disk *disk, uint64_t count)
{
	CHECK(count <= disk->queue_count);
	if (count == 0)
		return;
	for (uint64_t i = 0; i < count; i++) {
		const struct disk_write *write = &disk->queue[i];

		if (write->truncate)
			factlog_truncate(&disk->log, write->from);
		else if (write->fact->index >= disk->log.first)
			factlog_append(&disk->log, write->fact);
	}
	disk->queue_count -= count;
	memmove(disk->queue, disk->queue + count,
		disk->queue_count * sizeof(*disk->queue));
}

void disks_reset(struct disk *disk, const struct raft_snapshot_meta *meta,
		 const struct fact *base)
{
	disk->snapshot = *meta;
	disk->queue_count = 0;
	disk->flushing = 0;
	factlog_reset(&disk->log, base);
}

void disks_compact(struct disk *disk, uint64_t to)
{
	CHECK(to <= disk->snapshot.index);
	if (to > factlog_last(&disk->log))
		to = factlog_last(&disk->log);
	factlog_compact(&disk->log, to);
}

bool disks_start_flush(struct world *world, struct disk *disk,
		       int64_t *after_ns)
{
	if (disk->flushing > 0 || disk->queue_count == 0)
		return false;
	disk->flushing = disk->queue_count;
	*after_ns = world->profile.disk_ns / 2 +
		    world_exponential(world, world->profile.disk_ns / 2) +
		    disk->slow_ns;
	return true;
}

void disks_finish_flush(struct disk *disk)
{
	queue_apply(disk, disk->flushing);
	disk->flushing = 0;
}

uint64_t disks_settled(const struct disk *disk)
{
	uint64_t last = factlog_last(&disk->log);

	for (uint64_t i = 0; i < disk->queue_count; i++)
		if (disk->queue[i].truncate && disk->queue[i].from <= last)
			last = disk->queue[i].from - 1;
	return last;
}

int64_t disks_hard_state_ns(struct world *world, const struct disk *disk)
{
	return world->profile.disk_ns / 2 +
	       world_exponential(world, world->profile.disk_ns / 2) +
	       disk->slow_ns;
}

void disks_crash(struct world *world, uint32_t node, struct disk *disk)
{
	uint64_t survive =
		(uint64_t)world_between(world, 0, (int64_t)disk->queue_count);

	if (survive < disk->queue_count) {
		world_cover(world, COVER_TORN_TAILS);
		world_trace(world, node,
			    "disk: %llu of %llu queued writes lost",
			    (unsigned long long)(disk->queue_count - survive),
			    (unsigned long long)disk->queue_count);
	}
	queue_apply(disk, survive);
	disk->queue_count = 0;
	disk->flushing = 0;
}
