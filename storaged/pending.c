/* A number says its slot: one whose slot is taken is passed over. Numbers that
 * differ in the low bits still do when there are more of those. */
#include "storaged/pending.h"

#include <stdlib.h>

#include "common/check.h"

#define SLOTS_MIN 64u

static struct pending_slot *slot_of(struct pending *pending, uint64_t id)
{
	return &pending->slots[id & (pending->slot_count - 1)];
}

static void grow(struct pending *pending)
{
	struct pending_slot *old = pending->slots;
	size_t old_count = pending->slot_count;

	pending->slot_count = old_count ? old_count * 2 : SLOTS_MIN;
	pending->slots = calloc(pending->slot_count, sizeof(*pending->slots));
	CHECK(pending->slots != NULL);
	for (size_t i = 0; i < old_count; i++)
		if (old[i].id != 0)
			*slot_of(pending, old[i].id) = old[i];
	free(old);
}

uint64_t pending_add(struct pending *pending, void *item)
{
	CHECK(item != NULL);
	if (pending->used * 2 >= pending->slot_count)
		grow(pending);
	do
		pending->next++;
	while (pending->next == 0 || slot_of(pending, pending->next)->id != 0);
	*slot_of(pending, pending->next) =
		(struct pending_slot){ .id = pending->next, .item = item };
	pending->used++;
	return pending->next;
}

void *pending_take(struct pending *pending, uint64_t id)
{
	if (id == 0 || pending->slot_count == 0)
		return NULL;
	struct pending_slot *slot = slot_of(pending, id);
	if (slot->id != id)
		return NULL;
	slot->id = 0;
	pending->used--;
	return slot->item;
}

void *pending_take_any(struct pending *pending)
{
	for (size_t i = 0; pending->used > 0 && i < pending->slot_count; i++)
		if (pending->slots[i].id != 0)
			return pending_take(pending, pending->slots[i].id);
	return NULL;
}

void pending_fini(struct pending *pending)
{
	CHECK(pending->used == 0);
	free(pending->slots);
	*pending = (struct pending){ 0 };
}
