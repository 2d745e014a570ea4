/* What a log says of leases up to an index, and its images: in entries of the
 * log and beside snapshots.
 *
 *	setting  u32 version, u32 0, i64 duration, i64 past
 *	window	 u32 version, u32 count, u64 index, u64 epoch, i64 ts,
 *		 i64 duration, i64 past; count times: u64 epoch, hand-over
 */
#include "raftd/core/window.h"

#include <string.h>

#include "common/bytes.h"
#include "common/check.h"

#define SETTING_VERSION 1
#define WINDOW_VERSION	1

void raft_lease_encode(const struct raft_lease *lease,
		       uint8_t image[RAFT_LEASE_BYTES])
{
	struct writer w;

	writer_init(&w, image, RAFT_LEASE_BYTES);
	writer_u32le(&w, SETTING_VERSION);
	writer_u32le(&w, 0);
	writer_u64le(&w, (uint64_t)lease->duration_ns);
	writer_u64le(&w, (uint64_t)lease->past_ns);
	CHECK(!w.bad);
}

enum rfs_err raft_lease_decode(const void *image, size_t bytes,
			       struct raft_lease *lease)
{
	struct raft_lease got = { 0 };
	struct reader r;

	if (bytes != RAFT_LEASE_BYTES)
		return RFS_ERR_CORRUPT;
	reader_init(&r, image, bytes);
	if (reader_u32le(&r) != SETTING_VERSION)
		return RFS_ERR_VERSION;
	if (reader_u32le(&r) != 0)
		return RFS_ERR_CORRUPT;
	got.duration_ns = (int64_t)reader_u64le(&r);
	got.past_ns = (int64_t)reader_u64le(&r);
	if (got.duration_ns < 0 || got.past_ns < 0)
		return RFS_ERR_CORRUPT;
	*lease = got;
	return RFS_ERR_OK;
}

uint32_t raft_window_encode(const struct raft_window *window,
			    uint8_t image[RAFT_WINDOW_BYTES_MAX])
{
	uint8_t handover[RAFT_HANDOVER_BYTES];
	struct writer w;

	CHECK(window->handover_count <= RAFT_HANDOVERS_MAX);
	writer_init(&w, image, RAFT_WINDOW_BYTES_MAX);
	writer_u32le(&w, WINDOW_VERSION);
	writer_u32le(&w, window->handover_count);
	writer_u64le(&w, window->lease.index);
	writer_u64le(&w, window->lease.stamp.epoch);
	writer_u64le(&w, (uint64_t)window->lease.stamp.ts_ns);
	writer_u64le(&w, (uint64_t)window->lease.duration_ns);
	writer_u64le(&w, (uint64_t)window->lease.past_ns);
	for (uint32_t i = 0; i < window->handover_count; i++) {
		writer_u64le(&w, window->handovers[i].epoch);
		raft_handover_encode(&window->handovers[i].record, handover);
		writer_put(&w, handover, sizeof(handover));
	}
	CHECK(!w.bad);
	return (uint32_t)writer_bytes(&w);
}

/* In order, each from an older timeline to a newer one. */
static bool makes_sense(const struct raft_window *window)
{
	uint64_t epoch = 0;

	if (window->lease.duration_ns < 0 || window->lease.past_ns < 0)
		return false;
	for (uint32_t i = 0; i < window->handover_count; i++) {
		if (window->handovers[i].epoch <= epoch ||
		    window->handovers[i].record.old_epoch >=
			    window->handovers[i].epoch)
			return false;
		epoch = window->handovers[i].epoch;
	}
	return true;
}

enum rfs_err raft_window_decode(const void *image, size_t bytes,
				struct raft_window *window)
{
	struct raft_window got = { 0 };
	const uint8_t *record;
	struct reader r;

	reader_init(&r, image, bytes);
	if (reader_u32le(&r) != WINDOW_VERSION)
		return r.bad ? RFS_ERR_CORRUPT : RFS_ERR_VERSION;
	got.handover_count = reader_u32le(&r);
	got.lease.index = reader_u64le(&r);
	got.lease.stamp.epoch = reader_u64le(&r);
	got.lease.stamp.ts_ns = (int64_t)reader_u64le(&r);
	got.lease.duration_ns = (int64_t)reader_u64le(&r);
	got.lease.past_ns = (int64_t)reader_u64le(&r);
	if (r.bad || got.handover_count > RAFT_HANDOVERS_MAX)
		return RFS_ERR_CORRUPT;
	for (uint32_t i = 0; i < got.handover_count; i++) {
		got.handovers[i].epoch = reader_u64le(&r);
		record = reader_take(&r, RAFT_HANDOVER_BYTES);
		if (record == NULL ||
		    raft_handover_decode(record, RAFT_HANDOVER_BYTES,
					 &got.handovers[i].record) !=
			    RFS_ERR_OK)
			return RFS_ERR_CORRUPT;
	}
	if (reader_left(&r) != 0 || !makes_sense(&got))
		return RFS_ERR_CORRUPT;
	*window = got;
	return RFS_ERR_OK;
}

/* The oldest makes room. */
static void take_handover(struct raft_window *window,
			  const struct raft_entry *entry)
{
	struct raft_handover record;

	if (raft_handover_decode(entry->data, entry->bytes, &record) !=
		    RFS_ERR_OK ||
	    interval_is_empty(record.old) || record.old_epoch == 0 ||
	    record.old_epoch >= entry->term)
		return;
	if (window->handover_count == RAFT_HANDOVERS_MAX)
		memmove(&window->handovers[0], &window->handovers[1],
			--window->handover_count *
				sizeof(window->handovers[0]));
	window->handovers[window->handover_count].epoch = entry->term;
	window->handovers[window->handover_count++].record = record;
}

bool window_take(struct raft_window *window, const struct raft_entry *entry)
{
	if (entry->kind == RAFT_ENTRY_NOOP) {
		take_handover(window, entry);
		return true;
	}
	if (entry->kind != RAFT_ENTRY_LEASE)
		return false;
	CHECK(raft_lease_decode(entry->data, entry->bytes, &window->lease) ==
	      RFS_ERR_OK);
	window->lease.index = entry->index;
	window->lease.stamp = entry->stamp;
	return true;
}
