/* Linear probing; a removal moves later entries up, so there are no graves. */
#include "storaged/packindex.h"

#include <stdlib.h>

#include "common/check.h"

#define SLOTS_MIN 1024u

static size_t home(const struct packindex *index, uint64_t id)
{
	uint64_t mixed = id * UINT64_C(0x9e3779b97f4a7c15);

	return (size_t)(mixed >> 20) & (index->slot_count - 1);
}

/* The slot of id, or the empty one where it belongs. */
static struct pack_place *slot_of(const struct packindex *index, uint64_t id)
{
	size_t i = home(index, id);

	while (index->slots[i].bytes && index->slots[i].id != id)
		i = (i + 1) & (index->slot_count - 1);
	return &index->slots[i];
}

static enum rfs_err grow(struct packindex *index)
{
	struct packindex wider = {
		.slot_count = index->slot_count ? index->slot_count * 2
						: SLOTS_MIN,
		.used = index->used,
	};

	wider.slots = calloc(wider.slot_count, sizeof(*wider.slots));
	if (!wider.slots)
		return RFS_ERR_NOMEM;
	for (size_t i = 0; i < index->slot_count; i++)
		if (index->slots[i].bytes)
			*slot_of(&wider, index->slots[i].id) = index->slots[i];
	free(index->slots);
	*index = wider;
	return RFS_ERR_OK;
}

void packindex_fini(struct packindex *index)
{
	free(index->slots);
	*index = (struct packindex){ 0 };
}

enum rfs_err packindex_set(struct packindex *index,
			   const struct pack_place *place)
{
	CHECK(place->bytes > 0);
	if ((index->used + 1) * 4 > index->slot_count * 3) {
		enum rfs_err err = grow(index);

		if (err != RFS_ERR_OK)
			return err;
	}
	struct pack_place *slot = slot_of(index, place->id);

	index->used += slot->bytes == 0;
	*slot = *place;
	return RFS_ERR_OK;
}

const struct pack_place *packindex_find(const struct packindex *index,
					uint64_t id)
{
	if (index->slot_count == 0)
		return NULL;
	const struct pack_place *slot = slot_of(index, id);

	return slot->bytes ? slot : NULL;
}

/* May the entry at slot `at`, whose home is `from`, not move up to `hole`? It
 * may when its home is not inside (hole, at], cyclically. */
static bool must_stay(size_t hole, size_t from, size_t at)
{
	if (hole <= at)
		return hole < from && from <= at;
	return hole < from || from <= at;
}

bool packindex_remove(struct packindex *index, uint64_t id)
{
	size_t mask = index->slot_count - 1;

	if (index->slot_count == 0)
		return false;
	size_t hole = (size_t)(slot_of(index, id) - index->slots);
	if (index->slots[hole].bytes == 0)
		return false;
	for (size_t i = (hole + 1) & mask; index->slots[i].bytes;
	     i = (i + 1) & mask) {
		if (must_stay(hole, home(index, index->slots[i].id), i))
			continue;
		index->slots[hole] = index->slots[i];
		hole = i;
	}
	index->slots[hole].bytes = 0;
	index->used--;
	return true;
}
