/* The log in memory: one sliding array of entries over one ring of bytes.
 *
 * The array is twice as long as what it may hold. Compaction moves first_slot
 * up; when an append reaches the end, what is held moves back to the start:
 * at most one copy per append, spread over time.
 */
#include "raftd/core/log.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

enum rfs_err log_setup(struct log *log, uint64_t entries_max, uint64_t bytes_max)
{
	*log = (struct log){
		.capacity = entries_max + LOG_RESERVE_ENTRIES,
		.entries_max = entries_max,
		.bytes_max = bytes_max,
		.ring_bytes = bytes_max + LOG_RESERVE_BYTES,
		.received_floor_raw_ns = INT64_MIN,
	};
	log->slot_count = 2 * log->capacity;
	log->entries = calloc(log->slot_count, sizeof(*log->entries));
	log->received_raw_ns =
		calloc(log->slot_count, sizeof(*log->received_raw_ns));
	log->ring_start = calloc(log->slot_count, sizeof(*log->ring_start));
	log->ring = malloc(log->ring_bytes);
	if (!log->entries || !log->received_raw_ns || !log->ring_start ||
	    !log->ring) {
		log_fini(log);
		return RFS_ERR_NOMEM;
	}
	return RFS_ERR_OK;
}

void log_fini(struct log *log)
{
	free(log->entries);
	free(log->received_raw_ns);
	free(log->ring_start);
	free(log->ring);
	*log = (struct log){ 0 };
}

uint64_t log_first_index(const struct log *log)
{
	return log->base.index + 1;
}

uint64_t log_last_index(const struct log *log)
{
	return log->base.index + log->count;
}

uint64_t log_last_term(const struct log *log)
{
	return log_term_at(log, log_last_index(log));
}

struct raft_stamp log_last_stamp(const struct log *log)
{
	return log_stamp_at(log, log_last_index(log));
}

static bool log_holds(const struct log *log, uint64_t index)
{
	return index > log->base.index && index <= log_last_index(log);
}

static uint64_t log_slot(const struct log *log, uint64_t index)
{
	CHECK(log_holds(log, index));
	return log->first_slot + (index - log->base.index - 1);
}

const struct raft_entry *log_at(const struct log *log, uint64_t index)
{
	return log_holds(log, index) ? &log->entries[log_slot(log, index)]
				     : NULL;
}

uint64_t log_term_at(const struct log *log, uint64_t index)
{
	if (index == log->base.index)
		return log->base.term;
	return log_holds(log, index) ? log_at(log, index)->term : 0;
}

int64_t log_received_raw_ns(const struct log *log, uint64_t index)
{
	int64_t received = log->base_received_raw_ns;

	if (index != log->base.index)
		received = log->received_raw_ns[log_slot(log, index)];
	return received > log->received_floor_raw_ns
		       ? received
		       : log->received_floor_raw_ns;
}

struct raft_stamp log_stamp_at(const struct log *log, uint64_t index)
{
	if (index == log->base.index)
		return log->base.stamp;
	return log->entries[log_slot(log, index)].stamp;
}

static uint64_t log_ring_position(const struct log *log, uint64_t index)
{
	if (index == log_last_index(log) + 1)
		return log->ring_tail;
	return log->ring_start[log_slot(log, index)];
}

uint64_t log_bytes_between(const struct log *log, uint64_t from, uint64_t to)
{
	return log_ring_position(log, to) - log_ring_position(log, from);
}

bool log_has_room(const struct log *log, uint32_t bytes)
{
	return log->count < log->entries_max &&
	       log->ring_tail - log->ring_head + bytes <= log->bytes_max;
}

/* A payload never wraps: one that would not fit before the end starts over. */
static bool log_ring_place(const struct log *log, uint32_t bytes,
			   uint64_t *start)
{
	uint64_t at = log->ring_tail;
	uint64_t to_end = log->ring_bytes - at % log->ring_bytes;

	if (bytes > to_end)
		at += to_end;
	if (at + bytes - log->ring_head > log->ring_bytes)
		return false;
	*start = at;
	return true;
}

/* Bring what is held back to the start of the array. */
static void log_slide(struct log *log)
{
	uint64_t from = log->first_slot;

	memmove(log->entries, log->entries + from,
		log->count * sizeof(*log->entries));
	memmove(log->received_raw_ns, log->received_raw_ns + from,
		log->count * sizeof(*log->received_raw_ns));
	memmove(log->ring_start, log->ring_start + from,
		log->count * sizeof(*log->ring_start));
	log->first_slot = 0;
}

enum rfs_err log_append(struct log *log, const struct raft_entry *entry,
			int64_t raw_ns)
{
	uint64_t start;

	CHECK(entry->index == log_last_index(log) + 1);
	CHECK(entry->term >= log_last_term(log));
	if (log->count == 0) /* nothing held: the ring may start over */
		log->ring_head = log->ring_tail = 0;
	if (log->count == log->capacity ||
	    !log_ring_place(log, entry->bytes, &start))
		return RFS_ERR_FULL;
	if (log->first_slot + log->count == log->slot_count)
		log_slide(log);

	uint64_t slot = log->first_slot + log->count;
	uint8_t *data = log->ring + start % log->ring_bytes;

	if (entry->bytes)
		memcpy(data, entry->data, entry->bytes);
	log->entries[slot] = *entry;
	log->entries[slot].data = entry->bytes ? data : NULL;
	log->received_raw_ns[slot] = raw_ns;
	log->ring_start[slot] = start;
	log->ring_tail = start + entry->bytes;
	log->count++;
	return RFS_ERR_OK;
}

void log_truncate(struct log *log, uint64_t from)
{
	CHECK(from > log->base.index);
	if (from > log_last_index(log))
		return;
	log->ring_tail = log_ring_position(log, from);
	log->count = from - log->base.index - 1;
}

void log_compact(struct log *log, uint64_t index)
{
	if (index <= log->base.index)
		return;
	CHECK(index <= log_last_index(log));

	uint64_t slot = log_slot(log, index);

	log->ring_head = log_ring_position(log, index + 1);
	log->base_received_raw_ns = log->received_raw_ns[slot];
	log->count -= index - log->base.index;
	log->base = (struct raft_snapshot_meta){
		.index = index,
		.term = log->entries[slot].term,
		.stamp = log->entries[slot].stamp,
	};
	log->first_slot = slot + 1;
	if (log->count == 0)
		log->first_slot = 0;
}

void log_reset(struct log *log, const struct raft_snapshot_meta *base,
	       int64_t raw_ns)
{
	log->base = *base;
	log->base_received_raw_ns = raw_ns;
	log->count = 0;
	log->first_slot = 0;
	log->ring_head = log->ring_tail;
}

uint64_t log_agreement(const struct log *log, uint64_t limit, uint64_t term)
{
	uint64_t index = limit < log_last_index(log) ? limit
						     : log_last_index(log);

	while (index > log->base.index && log_term_at(log, index) > term)
		index--;
	return index > log->base.index ? index : log->base.index;
}
