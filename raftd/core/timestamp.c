/* Timelines: opening one, stamping on it, and the record that converts them. */
#include "raftd/core/timestamp.h"

#include "common/bytes.h"
#include "common/check.h"

struct timeline timestamp_open(uint64_t term, const struct raft_now *now,
			       struct raft_stamp last, struct interval old,
			       bool cold)
{
	struct timeline opened = {
		.epoch = term,
		.raw_ns = now->raw_ns,
		.ts_ns = last.ts_ns + 1,
	};

	if (!interval_is_empty(old) && old.high_ns > opened.ts_ns)
		opened.ts_ns = old.high_ns;
	if ((cold || last.epoch == 0) && interval_is_empty(old) &&
	    now->wall_ns > opened.ts_ns)
		opened.ts_ns = now->wall_ns;
	return opened;
}

int64_t timestamp_at(const struct timeline *timeline, int64_t raw_ns)
{
	CHECK(raw_ns >= timeline->raw_ns);
	return timeline->ts_ns + (raw_ns - timeline->raw_ns);
}

struct raft_stamp timestamp_next(const struct timeline *timeline,
				 int64_t raw_ns, struct raft_stamp last)
{
	int64_t ts_ns = timestamp_at(timeline, raw_ns);

	return (struct raft_stamp){
		.epoch = timeline->epoch,
		.ts_ns = ts_ns > last.ts_ns ? ts_ns : last.ts_ns + 1,
	};
}

bool timestamp_is_ahead(const struct timeline *timeline, int64_t raw_ns,
			struct raft_stamp last)
{
	return last.ts_ns - timestamp_at(timeline, raw_ns) >=
	       TIMESTAMP_LEAD_MAX_NS;
}

void raft_handover_encode(const struct raft_handover *handover,
			  uint8_t image[RAFT_HANDOVER_BYTES])
{
	struct writer w;

	writer_init(&w, image, RAFT_HANDOVER_BYTES);
	writer_u64le(&w, handover->old_epoch);
	writer_u64le(&w, (uint64_t)handover->old.low_ns);
	writer_u64le(&w, (uint64_t)handover->old.high_ns);
	writer_u64le(&w, (uint64_t)handover->new_ts_ns);
	writer_u32le(&w, handover->max_rate_ppb);
	writer_u32le(&w, 0);
	CHECK(!w.bad);
}

enum rfs_err raft_handover_decode(const void *image, size_t bytes,
				  struct raft_handover *handover)
{
	struct reader r;
	struct raft_handover got;

	if (bytes != RAFT_HANDOVER_BYTES)
		return RFS_ERR_CORRUPT;
	reader_init(&r, image, bytes);
	got.old_epoch = reader_u64le(&r);
	got.old.low_ns = (int64_t)reader_u64le(&r);
	got.old.high_ns = (int64_t)reader_u64le(&r);
	got.new_ts_ns = (int64_t)reader_u64le(&r);
	got.max_rate_ppb = reader_u32le(&r);
	if (reader_u32le(&r) != 0 || r.bad)
		return RFS_ERR_CORRUPT;
	*handover = got;
	return RFS_ERR_OK;
}
