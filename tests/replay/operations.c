/* What clients saw, against the order in which writes took effect. */
#include "tests/replay/state.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

#define U(x) ((unsigned long long)(x))

static struct place *place_slot(const struct model *model, uint64_t state)
{
	uint64_t at = state * 0x9e3779b97f4a7c15u >> 20;

	for (;; at++) {
		struct place *place =
			&model->places[at % model->place_capacity];

		if (place->state == 0 || place->state == state)
			return place;
	}
}

static void place_add(struct model *model, const struct place *place)
{
	if (model->place_count * 2 >= model->place_capacity) {
		struct place *old = model->places;
		uint64_t count = model->place_capacity;

		model->place_capacity = count * 2 + 1024;
		model->places =
			calloc(model->place_capacity, sizeof(*model->places));
		CHECK(model->places);
		for (uint64_t i = 0; i < count; i++)
			if (old[i].state)
				*place_slot(model, old[i].state) = old[i];
		free(old);
	}
	*place_slot(model, place->state) = *place;
	model->place_count++;
}

void on_applied(struct model *model, struct line *line)
{
	struct place place = {
		.index = line_u64(line, 0),
		.key = (uint32_t)line_u64(line, 1),
		.state = line_u64(line, 2),
	};
	const struct entry *entry = NULL;

	if (place.index > 0 && place.index <= model->committed_last)
		entry = entry_find(model, place.index,
				   model->committed[place.index]);
	if (!entry || entry->kind != KIND_COMMAND || place.state == 0 ||
	    entry->key != place.key || place.key >= KEYS_MAX ||
	    entry->identity >= IDENTITIES_MAX) {
		broken(model, "nonsense", "%llu applied is no such command",
		       U(place.index));
		return;
	}
	if (entry->sequence <= model->sequences[entry->identity])
		broken(model, "exactly-once",
		       "command %u.%u takes effect at %llu again",
		       entry->identity, entry->sequence, U(place.index));
	model->sequences[entry->identity] = entry->sequence;
	place_add(model, &place);
}

void on_begin(struct model *model, struct line *line)
{
	uint32_t key = (uint32_t)line_u64(line, 1);
	uint32_t at = 0;

	while (at < OPERATIONS_MAX && model->operations[at].open)
		at++;
	if (at == OPERATIONS_MAX || key >= KEYS_MAX) {
		broken(model, "nonsense", "too many operations, or keys");
		return;
	}
	model->operations[at] = (struct operation){
		.open = true,
		.id = line_u64(line, 0),
		.key = key,
		.put = strcmp(line->words[2], "put") == 0,
		.floor = model->ended[key],
	};
}

static struct operation *operation_of(struct model *model, uint64_t id)
{
	for (uint32_t i = 0; i < OPERATIONS_MAX; i++)
		if (model->operations[i].open && model->operations[i].id == id)
			return &model->operations[i];
	return NULL;
}

/* A write stands at its entry, a read just after the one it saw. The order of
 * writes is given, so nothing else can be a legal order. */
void on_end(struct model *model, struct line *line)
{
	struct operation *operation = operation_of(model, line_u64(line, 0));
	uint64_t state = line_u64(line, 1);
	struct place nothing = {0};
	const struct place *place = &nothing;

	if (!operation) {
		broken(model, "nonsense", "an operation ends that never began");
		return;
	}
	operation->open = false;
	model->counts.operations++;
	if (state && model->place_capacity)
		place = place_slot(model, state);
	if (!model->clocks_trusted)
		return;
	if ((state || operation->put) &&
	    (place->state == 0 || place->key != operation->key))
		broken(model, "history", "key %u: the answer %llu is no state",
		       operation->key, U(state));
	else if (place->index < operation->floor ||
		 (operation->put && place->index == operation->floor))
		broken(model, "history",
		       "key %u: answered from entry %llu, %llu was known",
		       operation->key, U(place->index), U(operation->floor));
	if (model->ended[operation->key] < place->index)
		model->ended[operation->key] = place->index;
}
