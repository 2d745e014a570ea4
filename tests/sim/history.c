/* Floors per key, and positions by state. */
#include "tests/sim/history.h"

#include <stdlib.h>

#include "common/check.h"

struct place {
	uint64_t state; /* 0: empty slot */
	uint64_t position;
	uint32_t key;
};

struct history {
	uint64_t *finished; /* per key: greatest place of a finished op */
	uint64_t *newest;   /* per key: position of the last write */
	uint32_t key_count;
	struct place *places; /* open addressing by state */
	uint64_t count, capacity;
};

struct history *history_new(uint32_t key_count)
{
	struct history *history = calloc(1, sizeof(*history));

	CHECK(history);
	history->key_count = key_count;
	history->finished = calloc(key_count, sizeof(uint64_t));
	history->newest = calloc(key_count, sizeof(uint64_t));
	CHECK(history->finished && history->newest);
	return history;
}

void history_free(struct history *history)
{
	free(history->finished);
	free(history->newest);
	free(history->places);
	free(history);
}

static struct place *place_slot(const struct history *history, uint64_t state)
{
	uint64_t at = (state * 0x9e3779b97f4a7c15u) & (history->capacity - 1);

	while (history->places[at].state != 0 &&
	       history->places[at].state != state)
		at = (at + 1) & (history->capacity - 1);
	return &history->places[at];
}

static void places_grow(struct history *history)
{
	struct history old = *history;

	if (history->count * 2 < history->capacity)
		return;
	history->capacity = old.capacity ? old.capacity * 2 : 256;
	history->places = calloc(history->capacity, sizeof(struct place));
	CHECK(history->places);
	for (uint64_t i = 0; i < old.capacity; i++)
		if (old.places[i].state != 0)
			*place_slot(history, old.places[i].state) =
				old.places[i];
	free(old.places);
}

void history_committed(struct history *history, uint32_t key, uint64_t position,
		       uint64_t state)
{
	CHECK(key < history->key_count && state != 0);
	CHECK(position > history->newest[key]);
	places_grow(history);
	history->newest[key] = position;

	struct place *place = place_slot(history, state);

	CHECK(place->state == 0);
	*place = (struct place){state, position, key};
	history->count++;
}

struct history_op history_begin(const struct history *history, uint32_t key)
{
	CHECK(key < history->key_count);
	return (struct history_op){key, history->finished[key]};
}

static const struct place *place_of(const struct history *history, uint32_t key,
				    uint64_t state)
{
	const struct place *place;

	if (history->capacity == 0)
		return NULL;
	place = place_slot(history, state);
	return place->state != 0 && place->key == key ? place : NULL;
}

static void finish(struct history *history, uint32_t key, uint64_t position)
{
	if (position > history->finished[key])
		history->finished[key] = position;
}

const char *history_write_done(struct history *history,
			       const struct history_op *op, uint64_t state)
{
	const struct place *place = place_of(history, op->key, state);

	if (!place)
		return "an acknowledged write never took effect";
	if (place->position <= op->floor)
		return "a write took effect before it was asked for";
	finish(history, op->key, place->position);
	return NULL;
}

const char *history_read_done(struct history *history,
			      const struct history_op *op, uint64_t state)
{
	const struct place *place = NULL;

	if (state != 0) {
		place = place_of(history, op->key, state);
		if (!place)
			return "a read returned what was never committed";
	}
	if ((place ? place->position : 0) < op->floor)
		return "a stale read: older than what was already known";
	finish(history, op->key, place ? place->position : 0);
	return NULL;
}
