/* The scrubber's rounds: a timer, a chore, what it found, the next.
 *
 *	rest -> read -> read ... -> read -> next segment ... -> rest
 *		  '-> bad -> rewrite -> read again
 *			 '-> cannot: ask for a snapshot, look further on
 */
#include "raftd/scrub.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/os/log.h"
#include "common/units.h"
#include "raftd/wal_scrub.h"

#define REWRITE_ENTRIES_MAX 4096
#define REWRITE_BYTES_MAX   (8 * MIB)

enum work { WORK_READ, WORK_HEADER, WORK_RECORDS };

struct scrub {
	struct chore chore; /* first: a chore is cast to its scrub */
	struct ev_loop *ev;
	struct chores *chores;
	struct disk *disk;
	char dir[480];
	double interval_sec;
	const struct scrub_events *events;
	void *ctx;
	ev_timer timer;
	struct scrub_counters counters;

	/* The segment being read; seq 0: between two passes. */
	struct wal_extent extent;
	struct wal_cursor cursor;
	bool tried; /* to rewrite what is at the cursor */

	/* The chore under way. */
	enum work work;
	uint8_t *records;
	size_t records_bytes;
	enum rfs_err err;
};

static void again_in(struct scrub *scrub, double sec)
{
	ev_timer_stop(scrub->ev, &scrub->timer);
	ev_timer_set(&scrub->timer, sec, 0.);
	ev_timer_start(scrub->ev, &scrub->timer);
}

static void begin(struct scrub *scrub, enum work work)
{
	scrub->work = work;
	chores_add(scrub->chores, &scrub->chore);
}

/* ---- on the chores' thread ---- */

static void do_work(struct chore *chore)
{
	struct scrub *scrub = (struct scrub *)chore;

	switch (scrub->work) {
	case WORK_READ:
		scrub->err = wal_scrub(scrub->dir, &scrub->extent,
				       &scrub->cursor);
		break;
	case WORK_HEADER:
		scrub->err = wal_rewrite_header(scrub->dir, &scrub->extent);
		break;
	case WORK_RECORDS:
		scrub->err = wal_rewrite(scrub->dir, &scrub->extent,
					 &scrub->cursor, scrub->records,
					 scrub->records_bytes);
		break;
	}
}

/* ---- on the loop ---- */

static void next_segment(struct scrub *scrub)
{
	uint64_t seq = scrub->extent.seq;

	scrub->cursor = (struct wal_cursor){ 0 };
	scrub->tried = false;
	do {
		if (!disk_extent_after(scrub->disk, seq, &scrub->extent)) {
			scrub->extent.seq = 0;
			scrub->counters.passes++;
			again_in(scrub, scrub->interval_sec);
			return;
		}
		seq = scrub->extent.seq;
	} while (scrub->extent.end < WAL_DATA_OFFSET);
	again_in(scrub, SCRUB_STEP_SEC);
}

static void on_timer(struct ev_loop *ev, ev_timer *timer, int revents)
{
	struct scrub *scrub = timer->data;

	(void)ev;
	(void)revents;
	if (scrub->extent.seq == 0)
		next_segment(scrub);
	else
		begin(scrub, WORK_READ);
}

/* Entries from `index` on as records. False: the first is not there. */
static bool gather(struct scrub *scrub, uint64_t index)
{
	size_t bytes = 0;
	uint32_t count = 0;

	free(scrub->records);
	scrub->records = NULL;
	while (count < REWRITE_ENTRIES_MAX && bytes < REWRITE_BYTES_MAX) {
		const struct raft_entry *entry =
			scrub->events->entry(scrub->ctx, index + count);
		uint8_t *grown;

		if (entry == NULL)
			break;
		grown = realloc(scrub->records,
				bytes + wal_record_bytes(entry->bytes));
		if (grown == NULL)
			break;
		scrub->records = grown;
		wal_encode_entry(entry, grown + bytes);
		bytes += wal_record_bytes(entry->bytes);
		count++;
	}
	scrub->records_bytes = bytes;
	return count > 0;
}

/* Look on behind what cannot be put back. */
static void give_up(struct scrub *scrub)
{
	scrub->tried = false;
	if (scrub->cursor.offset == 0) {
		scrub->cursor.offset = WAL_DATA_OFFSET;
		scrub->cursor.lost = true;
	} else {
		scrub->cursor.lost = true;
		scrub->cursor.offset += 8;
	}
	if (scrub->cursor.offset >= scrub->extent.end)
		next_segment(scrub);
	else
		again_in(scrub, SCRUB_STEP_SEC);
}

static void cannot_mend(struct scrub *scrub)
{
	log_warn("scrub: segment %016jx cannot be put right here: asking for a "
		 "snapshot, which makes it superfluous",
		 (uintmax_t)scrub->extent.seq);
	scrub->events->want_snapshot(scrub->ctx);
	give_up(scrub);
}

static void mend(struct scrub *scrub)
{
	uint64_t index = scrub->cursor.last_index + 1;

	scrub->counters.bad += !scrub->tried;
	if (scrub->tried) {
		cannot_mend(scrub);
	} else if (scrub->cursor.offset == 0) {
		scrub->tried = true;
		if (scrub->extent.live)
			disk_remark(scrub->disk);
		begin(scrub, WORK_HEADER);
	} else if (index <= scrub->events->covered_index(scrub->ctx)) {
		log_notice("scrub: no harm: a snapshot covers what was there");
		give_up(scrub);
	} else if (gather(scrub, index)) {
		scrub->tried = true;
		begin(scrub, WORK_RECORDS);
	} else {
		cannot_mend(scrub);
	}
}

static void was_read(struct scrub *scrub)
{
	if (scrub->err == RFS_ERR_CORRUPT) {
		mend(scrub);
	} else if (scrub->err != RFS_ERR_OK ||
		   scrub->cursor.offset >= scrub->extent.end) {
		next_segment(scrub);
	} else {
		scrub->tried = false;
		again_in(scrub, SCRUB_STEP_SEC);
	}
}

static void was_rewritten(struct scrub *scrub)
{
	free(scrub->records);
	scrub->records = NULL;
	if (scrub->err == RFS_ERR_IO)
		disk_die();
	if (scrub->err != RFS_ERR_OK) {
		cannot_mend(scrub);
		return;
	}
	scrub->counters.mended++;
	log_notice("scrub: segment %016jx put right at offset %ju",
		   (uintmax_t)scrub->extent.seq,
		   (uintmax_t)scrub->cursor.offset);
	/* Read again, when the writer has seen to the marks too. */
	again_in(scrub, scrub->work == WORK_HEADER ? 1. : SCRUB_STEP_SEC);
}

static void on_done(struct chore *chore)
{
	struct scrub *scrub = (struct scrub *)chore;

	if (scrub->work == WORK_READ)
		was_read(scrub);
	else
		was_rewritten(scrub);
}

struct scrub *scrub_new(struct ev_loop *ev, struct chores *chores,
			struct disk *disk, const char *dir,
			int64_t interval_ns, const struct scrub_events *events,
			void *ctx)
{
	struct scrub *scrub = calloc(1, sizeof(*scrub));

	if (scrub == NULL)
		return NULL;
	scrub->chore.work = do_work;
	scrub->chore.done = on_done;
	scrub->ev = ev;
	scrub->chores = chores;
	scrub->disk = disk;
	snprintf(scrub->dir, sizeof(scrub->dir), "%s", dir);
	scrub->interval_sec = (double)interval_ns / (double)NS_PER_SEC;
	scrub->events = events;
	scrub->ctx = ctx;
	ev_timer_init(&scrub->timer, on_timer, 0., 0.);
	scrub->timer.data = scrub;
	if (interval_ns > 0)
		again_in(scrub, scrub->interval_sec);
	return scrub;
}

const struct scrub_counters *scrub_counters(const struct scrub *scrub)
{
	return &scrub->counters;
}

void scrub_free(struct scrub *scrub)
{
	if (scrub == NULL)
		return;
	ev_timer_stop(scrub->ev, &scrub->timer);
	free(scrub->records);
	free(scrub);
}
