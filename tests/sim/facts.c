/* Facts by (index, term), rows of them, and the one committed row. */
#include "tests/sim/facts.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "tests/sim/world.h"

void facts_init(struct world *world)
{
	world->facts = calloc(1, sizeof(*world->facts));
	CHECK(world->facts);
}

static uint64_t slot_of(const struct facts *facts, uint64_t index,
			uint64_t term)
{
	uint64_t x = index * 0x9e3779b97f4a7c15u ^ term * 0xff51afd7ed558ccdu;

	return (x ^ (x >> 31)) & (facts->capacity - 1);
}

static struct fact **facts_slot(const struct facts *facts, uint64_t index,
				uint64_t term)
{
	uint64_t at = slot_of(facts, index, term);

	while (facts->table[at] && (facts->table[at]->index != index ||
				    facts->table[at]->term != term))
		at = (at + 1) & (facts->capacity - 1);
	return &facts->table[at];
}

static void facts_grow(struct facts *facts)
{
	struct facts old = *facts;

	if (facts->count * 2 < facts->capacity)
		return;
	facts->capacity = old.capacity ? old.capacity * 2 : 4096;
	facts->table = calloc(facts->capacity, sizeof(struct fact *));
	CHECK(facts->table);
	for (uint64_t i = 0; i < old.capacity; i++)
		if (old.table[i])
			*facts_slot(facts, old.table[i]->index,
				    old.table[i]->term) = old.table[i];
	free(old.table);
}

const struct fact *facts_find(const struct world *world, uint64_t index,
			      uint64_t term)
{
	if (world->facts->capacity == 0)
		return NULL;
	return *facts_slot(world->facts, index, term);
}

static bool same(const struct fact *fact, const struct raft_entry *entry)
{
	return fact->stamp.epoch == entry->stamp.epoch &&
	       fact->stamp.ts_ns == entry->stamp.ts_ns &&
	       fact->kind == entry->kind && fact->bytes == entry->bytes &&
	       (entry->bytes == 0 ||
		memcmp(fact->data, entry->data, entry->bytes) == 0);
}

static const struct fact *facts_add(struct world *world, uint32_t node,
				    struct fact **slot,
				    const struct raft_entry *entry,
				    const struct fact *previous)
{
	struct fact *fact = calloc(1, sizeof(*fact));

	CHECK(fact);
	if (entry->index > 1 && (entry->stamp.ts_ns <= previous->stamp.ts_ns ||
				 entry->stamp.epoch < previous->stamp.epoch))
		world_violate(world, node, "stamps-rise",
			      "entry %llu term %llu: stamp %llu:%lld after "
			      "%llu:%lld",
			      (unsigned long long)entry->index,
			      (unsigned long long)entry->term,
			      (unsigned long long)entry->stamp.epoch,
			      (long long)entry->stamp.ts_ns,
			      (unsigned long long)previous->stamp.epoch,
			      (long long)previous->stamp.ts_ns);
	CHECK(entry->bytes <= FACT_BYTES);
	*fact = (struct fact){.index = entry->index,
			      .term = entry->term,
			      .stamp = entry->stamp,
			      .kind = entry->kind,
			      .bytes = entry->bytes,
			      .previous = previous};
	if (previous) {
		fact->config = previous->config;
		fact->lease = previous->lease;
		fact->first = previous->first;
	}
	if (entry->kind == RAFT_ENTRY_CONFIG)
		fact->config = fact;
	if (entry->kind == RAFT_ENTRY_LEASE)
		fact->lease = fact;
	if (entry->kind == RAFT_ENTRY_NOOP)
		fact->first = fact;
	if (entry->bytes)
		memcpy(fact->data, entry->data, entry->bytes);
	*slot = fact;
	world->facts->count++;
	return fact;
}

const struct fact *facts_intern(struct world *world, uint32_t node,
				const struct raft_entry *entry,
				const struct fact *previous)
{
	facts_grow(world->facts);

	struct fact **slot =
		facts_slot(world->facts, entry->index, entry->term);

	if (entry->index != (previous ? previous->index : 0) + 1)
		world_violate(
			world, node, "log-matching",
			"entry %llu put after entry %llu",
			(unsigned long long)entry->index,
			(unsigned long long)(previous ? previous->index : 0));
	if (!*slot)
		return facts_add(world, node, slot, entry, previous);
	if (!same(*slot, entry) || (*slot)->previous != previous)
		world_violate(world, node, "log-matching",
			      "two entries %llu of term %llu differ in %s",
			      (unsigned long long)entry->index,
			      (unsigned long long)entry->term,
			      same(*slot, entry) ? "what precedes them"
						 : "content");
	return *slot;
}

struct raft_entry facts_entry(const struct fact *fact)
{
	return (struct raft_entry){
		.index = fact->index,
		.term = fact->term,
		.stamp = fact->stamp,
		.kind = fact->kind,
		.data = fact->bytes ? fact->data : NULL,
		.bytes = fact->bytes,
	};
}

void facts_commit(struct world *world, const struct fact *fact,
		  uint64_t leader_term)
{
	struct facts *facts = world->facts;

	CHECK(fact->index == facts->committed_last + 1);
	if (fact->index >= facts->committed_capacity) {
		uint64_t capacity = facts->committed_capacity * 2 + 4096;

		facts->committed = realloc(facts->committed,
					   capacity * sizeof(struct fact *));
		facts->commit_term = realloc(facts->commit_term,
					     capacity * sizeof(uint64_t));
		CHECK(facts->committed && facts->commit_term);
		facts->committed_capacity = capacity;
	}
	facts->committed[fact->index] = fact;
	facts->commit_term[fact->index] = leader_term;
	facts->committed_last = fact->index;
	world_cover(world, COVER_COMMITS);
}

const struct fact *facts_committed(const struct world *world, uint64_t index)
{
	if (index == 0 || index > world->facts->committed_last)
		return NULL;
	return world->facts->committed[index];
}

void factlog_reset(struct factlog *log, const struct fact *base)
{
	log->base = base;
	log->first = base ? base->index + 1 : 1;
	log->count = 0;
}

void factlog_append(struct factlog *log, const struct fact *fact)
{
	CHECK(fact->index == log->first + log->count);
	if (log->count == log->capacity) {
		log->capacity = log->capacity * 2 + 256;
		log->facts = realloc(log->facts,
				     log->capacity * sizeof(struct fact *));
		CHECK(log->facts);
	}
	log->facts[log->count++] = fact;
}

void factlog_copy(struct factlog *to, const struct factlog *from)
{
	factlog_reset(to, from->base);
	for (uint64_t i = 0; i < from->count; i++)
		factlog_append(to, from->facts[i]);
}

void factlog_truncate(struct factlog *log, uint64_t from)
{
	if (from < log->first)
		from = log->first;
	if (from < log->first + log->count)
		log->count = from - log->first;
}

void factlog_compact(struct factlog *log, uint64_t to)
{
	uint64_t dropped;

	if (to < log->first)
		return;
	CHECK(to < log->first + log->count);
	dropped = to - log->first + 1;
	log->base = log->facts[dropped - 1];
	log->count -= dropped;
	log->first += dropped;
	memmove(log->facts, log->facts + dropped,
		log->count * sizeof(struct fact *));
}

uint64_t factlog_last(const struct factlog *log)
{
	return log->first + log->count - 1;
}

const struct fact *factlog_at(const struct factlog *log, uint64_t index)
{
	if (index >= log->first && index < log->first + log->count)
		return log->facts[index - log->first];
	return log->base && log->base->index == index ? log->base : NULL;
}
