/* The log on disk, by real files in a scratch directory: what was durable comes
 * back, what was torn is cut, what was damaged is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "raftd/wal.h"

#define SEGMENT WAL_SEGMENT_BYTES_MIN
#define BODY	1000

struct fixture {
	char dir[64];
	struct wal *wal;
	struct wal_log log;
	struct wal_known known;
	uint8_t body[WAL_BODY_BYTES_MAX];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/raftfs-wal-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	for (size_t i = 0; i < sizeof(f->body); i++)
		f->body[i] = (uint8_t)(i * 7 + i / 256);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[96];

	wal_close(f->wal);
	wal_log_free(&f->log);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static enum rfs_err reopen(struct fixture *f)
{
	wal_close(f->wal);
	f->wal = NULL;
	wal_log_free(&f->log);
	return wal_open(f->dir, SEGMENT, &f->known, &f->wal, &f->log);
}

/* As if killed: nothing more is written, nothing is tidied up. */
static void crash(struct fixture *f)
{
	static struct wal *left_behind[64]; /* no leak: reachable */
	static size_t count;

	assert_true(count < 64);
	left_behind[count++] = f->wal;
	assert_non_null(left_behind[count - 1]);
	f->wal = NULL;
}

static void write_all(struct fixture *f, uint8_t *records, size_t bytes)
{
	size_t done, at = 0;
	enum rfs_err err;

	while ((err = wal_write(f->wal, records + at, bytes - at, &done)) ==
	       RFS_ERR_FULL) {
		int fd;

		at += done;
		assert_int_equal(wal_create_spare(f->dir, SEGMENT, &fd),
				 RFS_ERR_OK);
		wal_give_spare(f->wal, fd);
	}
	assert_int_equal(err, RFS_ERR_OK);
	assert_int_equal(at + done, bytes);
}

static void append(struct fixture *f, uint64_t index, uint64_t term,
		   uint32_t bytes)
{
	const struct raft_entry entry = {
		.index = index,
		.term = term,
		.stamp = { .epoch = term, .ts_ns = (int64_t)index * 10 },
		.kind = RAFT_ENTRY_COMMAND,
		.data = f->body,
		.bytes = bytes,
	};
	size_t length = wal_record_bytes(bytes);
	uint8_t *record = malloc(length);

	wal_encode_entry(&entry, record);
	write_all(f, record, length);
	free(record);
}

static void truncate_from(struct fixture *f, uint64_t index)
{
	uint8_t record[WAL_RECORD_HEAD_BYTES];

	wal_encode_truncate(index, record);
	write_all(f, record, sizeof(record));
}

static void append_many(struct fixture *f, uint64_t first, uint64_t last)
{
	for (uint64_t index = first; index <= last; index++)
		append(f, index, 3, BODY);
}

static void flip_at(struct fixture *f, unsigned int seq, uint64_t at)
{
	char path[128];
	uint8_t byte;
	int fd;

	snprintf(path, sizeof(path), "%s/%016x.wal", f->dir, seq);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	close(fd);
}

/* Where the record of entry `index` starts when all are BODY long. */
static uint64_t record_at(uint64_t index)
{
	return WAL_DATA_OFFSET + (index - 1) * wal_record_bytes(BODY);
}

static void a_new_log_is_empty(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_int_equal(f->log.entry_count, 0);
	assert_int_equal(f->log.first_index, 1);
	assert_int_not_equal(f->log.log_id, 0);
	uint64_t id = f->log.log_id;
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_int_equal(f->log.log_id, id);
}

static void entries_come_back_whole(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reopen(f), RFS_ERR_OK);
	append(f, 1, 2, 0);
	append(f, 2, 2, 1);
	append(f, 3, 5, 100000);
	crash(f);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_int_equal(f->log.entry_count, 3);
	assert_int_equal(f->log.entries[0].bytes, 0);
	const struct raft_entry *entry = &f->log.entries[2];
	assert_int_equal(entry->index, 3);
	assert_int_equal(entry->term, 5);
	assert_int_equal(entry->stamp.epoch, 5);
	assert_int_equal(entry->stamp.ts_ns, 30);
	assert_int_equal(entry->kind, RAFT_ENTRY_COMMAND);
	assert_int_equal(entry->bytes, 100000);
	assert_memory_equal(entry->data, f->body, 100000);
	append(f, 4, 5, 10);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_int_equal(f->log.entry_count, 4);
}

static void a_truncation_is_kept(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reopen(f), RFS_ERR_OK);
	append_many(f, 1, 5);
	truncate_from(f, 3);
	append(f, 3, 9, 10);
	crash(f);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_int_equal(f->log.entry_count, 3);
	assert_int_equal(f->log.entries[1].term, 3);
	assert_int_equal(f->log.entries[2].term, 9);
}

static void a_reset_starts_behind_its_snapshot(void **state)
{
	struct fixture *f = *state;
	uint8_t record[WAL_RECORD_HEAD_BYTES];
	const struct raft_snapshot_meta meta = { .index = 70,
						 .term = 8,
						 .stamp = { 8, 4444 } };

	assert_int_equal(reopen(f), RFS_ERR_OK);
	append_many(f, 1, 5);
	wal_encode_reset(&meta, record);
	write_all(f, record, sizeof(record));
	append(f, 71, 8, 10);
	crash(f);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_int_equal(f->log.base.index, 70);
	assert_int_equal(f->log.base.term, 8);
	assert_int_equal(f->log.base.stamp.ts_ns, 4444);
	assert_int_equal(f->log.first_index, 71);
	assert_int_equal(f->log.entry_count, 1);
	assert_int_equal(f->log.entries[0].index, 71);
}

static void a_full_segment_waits_for_a_spare(void **state)
{
	struct fixture *f = *state;
	const uint32_t big = 3 * 1024 * 1024;
	size_t length = wal_record_bytes(big), done;
	uint8_t *records = malloc(2 * length);

	assert_int_equal(reopen(f), RFS_ERR_OK);
	append(f, 1, 1, big);
	for (uint64_t i = 0; i < 2; i++)
		wal_encode_entry(&(struct raft_entry){ .index = 2 + i,
						       .term = 1,
						       .data = f->body,
						       .bytes = big },
				 records + i * length);
	assert_int_equal(wal_write(f->wal, records, 2 * length, &done),
			 RFS_ERR_FULL);
	assert_int_equal(done, length);
	int fd;
	assert_int_equal(wal_create_spare(f->dir, SEGMENT, &fd), RFS_ERR_OK);
	wal_give_spare(f->wal, fd);
	assert_int_equal(wal_write(f->wal, records + length, length, &done),
			 RFS_ERR_OK);
	crash(f);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_int_equal(f->log.entry_count, 3);
	assert_memory_equal(f->log.entries[2].data, f->body, big);
	free(records);
}

static void compaction_drops_whole_segments_and_the_rest_opens(void **state)
{
	struct fixture *f = *state;
	const uint32_t big = 3 * 1024 * 1024; /* two to a segment */
	uint64_t seq;

	assert_int_equal(reopen(f), RFS_ERR_OK);
	for (uint64_t index = 1; index <= 7; index++)
		append(f, index, 1, big);
	assert_int_equal(wal_bytes(f->wal), 4 * SEGMENT);
	assert_false(wal_drop_segment(f->wal, 1, &seq));
	assert_true(wal_drop_segment(f->wal, 5, &seq));
	assert_int_equal(seq, 1);
	assert_int_equal(wal_remove_segment(f->dir, seq), RFS_ERR_OK);
	assert_true(wal_drop_segment(f->wal, 5, &seq));
	assert_int_equal(seq, 2);
	assert_int_equal(wal_remove_segment(f->dir, seq), RFS_ERR_OK);
	assert_false(wal_drop_segment(f->wal, 5, &seq));
	crash(f);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_int_equal(f->log.first_index, 5);
	assert_int_equal(f->log.entry_count, 3);
	/* The active one stays whatever happens. */
	assert_true(wal_drop_segment(f->wal, 100, &seq));
	assert_false(wal_drop_segment(f->wal, 100, &seq));
}

static void a_torn_tail_is_cut_and_stays_cut(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reopen(f), RFS_ERR_OK);
	append_many(f, 1, 2);
	crash(f);
	/* Entry 2 lies behind the mark: nothing vouches for it. */
	flip_at(f, 1, record_at(2) + 100);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_int_equal(f->log.entry_count, 1);
	assert_true(f->log.cut_bytes > 0);
	append(f, 2, 4, 10);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_int_equal(f->log.cut_bytes, 0);
	assert_int_equal(f->log.entry_count, 2);
	assert_int_equal(f->log.entries[1].term, 4);
}

/* The cut must reach all that followed the torn record: here the second of two
 * records is fine, and the first is written again in its very length. */
static void what_followed_a_torn_record_never_returns(void **state)
{
	struct fixture *f = *state;
	size_t length = wal_record_bytes(64);
	uint8_t records[2 * (WAL_RECORD_HEAD_BYTES + 64)];

	assert_int_equal(reopen(f), RFS_ERR_OK);
	for (uint64_t i = 0; i < 2; i++)
		wal_encode_entry(&(struct raft_entry){ .index = 1 + i,
						       .term = 2,
						       .data = f->body,
						       .bytes = 64 },
				 records + i * length);
	write_all(f, records, sizeof(records));
	crash(f);
	flip_at(f, 1, WAL_DATA_OFFSET + 60);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_int_equal(f->log.entry_count, 0);
	append(f, 1, 9, 64);
	crash(f);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_int_equal(f->log.entry_count, 1);
	assert_int_equal(f->log.entries[0].term, 9);
}

/* Entries up to `last` came back, and what was promised is known. */
static void assert_lost_after(const struct fixture *f, uint64_t last,
			      uint64_t promised)
{
	assert_int_equal(f->log.first_index + f->log.entry_count - 1, last);
	assert_true(f->log.damaged);
	assert_int_equal(f->log.floor.index, promised);
	assert_int_equal(f->log.floor.term, 3);
}

/* Cut, it opens without damage, goes on, and opens again. */
static void assert_mends(struct fixture *f, uint64_t last)
{
	uint64_t id = f->log.log_id;

	assert_int_equal(wal_mend(f->wal), RFS_ERR_OK);
	crash(f);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_false(f->log.damaged);
	assert_int_equal(f->log.log_id, id);
	assert_int_equal(f->log.first_index + f->log.entry_count - 1, last);
	append_many(f, last + 1, last + 9);
	crash(f);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_false(f->log.damaged);
	assert_int_equal(f->log.first_index + f->log.entry_count - 1,
			 last + 9);
}

static void damage_is_told_and_touched_only_by_mending(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reopen(f), RFS_ERR_OK);
	append_many(f, 1, 20);
	crash(f);
	flip_at(f, 1, record_at(3) + 500);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_lost_after(f, 2, 20);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_lost_after(f, 2, 20);
	flip_at(f, 1, record_at(3) + 500);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_int_equal(f->log.entry_count, 20);
	assert_int_equal(f->log.floor.index, 0);
	crash(f);
	flip_at(f, 1, record_at(3) + 500);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_mends(f, 2);
}

/* No mark has been written since, but a later batch stands behind it. */
static void a_later_record_proves_that_a_bad_one_was_durable(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reopen(f), RFS_ERR_OK);
	append(f, 1, 3, 50);
	append(f, 2, 3, 50);
	append(f, 3, 3, 50);
	crash(f);
	flip_at(f, 1, WAL_DATA_OFFSET + wal_record_bytes(50) + 60);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_lost_after(f, 1, 3);
}

static void the_mark_catches_up_when_idle(void **state)
{
	struct fixture *f = *state;
	bool synced;

	assert_int_equal(reopen(f), RFS_ERR_OK);
	append_many(f, 1, 2);
	assert_int_equal(wal_mark(f->wal, &synced), RFS_ERR_OK);
	assert_true(synced);
	assert_int_equal(wal_mark(f->wal, &synced), RFS_ERR_OK);
	assert_false(synced);
	crash(f);
	flip_at(f, 1, record_at(2) + 100);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_lost_after(f, 1, 2);
	assert_mends(f, 1);
}

static void one_bad_mark_is_survived_two_are_not(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reopen(f), RFS_ERR_OK);
	append_many(f, 1, 20);
	crash(f);
	flip_at(f, 1, WAL_PAGE_BYTES + 3);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_int_equal(f->log.entry_count, 20);
	append_many(f, 21, 40);
	crash(f);
	flip_at(f, 1, WAL_PAGE_BYTES + 3);
	flip_at(f, 1, 2 * WAL_PAGE_BYTES + 3);
	assert_int_equal(reopen(f), RFS_ERR_CORRUPT);
	/* Unless an earlier floor says enough. */
	f->known.floor = (struct raft_floor){ .index = 70, .term = 3 };
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_lost_after(f, 40, 70);
	assert_mends(f, 40);
}

static void damage_in_an_old_segment_costs_the_later_ones(void **state)
{
	struct fixture *f = *state;
	const uint32_t big = 3 * 1024 * 1024;

	assert_int_equal(reopen(f), RFS_ERR_OK);
	for (uint64_t index = 1; index <= 5; index++)
		append(f, index, 3, big);
	crash(f);
	flip_at(f, 1, WAL_DATA_OFFSET + wal_record_bytes(big) + 500);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_lost_after(f, 1, 5);
	assert_mends(f, 1);
}

static void a_bad_first_header_costs_all(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reopen(f), RFS_ERR_OK);
	f->known.log_id = f->log.log_id;
	append_many(f, 1, 20);
	crash(f);
	flip_at(f, 1, 17);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_lost_after(f, 0, 20);
	assert_mends(f, 0);
}

static void a_bad_header_of_an_empty_log_promised_nothing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reopen(f), RFS_ERR_OK);
	f->known.log_id = f->log.log_id;
	crash(f);
	flip_at(f, 1, 17);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_true(f->log.damaged);
	assert_int_equal(f->log.floor.index, 0);
	assert_mends(f, 0);
}

/* Nobody knows then whose log it is. */
static void no_good_header_and_no_id_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reopen(f), RFS_ERR_OK);
	append_many(f, 1, 20);
	crash(f);
	flip_at(f, 1, 17);
	assert_int_equal(reopen(f), RFS_ERR_CORRUPT);
}

static void the_log_of_another_hard_state_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reopen(f), RFS_ERR_OK);
	append_many(f, 1, 20);
	f->known = (struct wal_known){ .log_id = f->log.log_id + 1,
				       .floor = { 70, 3 } };
	assert_int_equal(reopen(f), RFS_ERR_CORRUPT);
}

static void a_bad_later_header_costs_its_segment(void **state)
{
	struct fixture *f = *state;
	const uint32_t big = 3 * 1024 * 1024;

	assert_int_equal(reopen(f), RFS_ERR_OK);
	for (uint64_t index = 1; index <= 5; index++)
		append(f, index, 3, big);
	crash(f);
	flip_at(f, 2, 30);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_lost_after(f, 2, 5);
	assert_mends(f, 2);
}

static void a_missing_segment_costs_the_later_ones(void **state)
{
	struct fixture *f = *state;
	const uint32_t big = 3 * 1024 * 1024;

	assert_int_equal(reopen(f), RFS_ERR_OK);
	for (uint64_t index = 1; index <= 5; index++)
		append(f, index, 3, big);
	crash(f);
	assert_int_equal(wal_remove_segment(f->dir, 2), RFS_ERR_OK);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_lost_after(f, 2, 5);
	assert_mends(f, 2);
}

/* What was promised does not go back with a truncation. */
static void the_floor_is_the_latest_promise(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reopen(f), RFS_ERR_OK);
	append_many(f, 1, 9);
	truncate_from(f, 4);
	append(f, 4, 5, 10);
	append(f, 5, 5, 10);
	crash(f);
	flip_at(f, 1, record_at(2) + 60);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_int_equal(f->log.entry_count, 1);
	assert_int_equal(f->log.floor.index, 5);
	assert_int_equal(f->log.floor.term, 5);
}

static void damage_that_a_snapshot_covers_costs_nothing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reopen(f), RFS_ERR_OK);
	append_many(f, 1, 20);
	crash(f);
	f->known.covered.index = 10;
	flip_at(f, 1, record_at(3) + 500);
	flip_at(f, 1, record_at(9) + 20); /* its head: 10 cannot be checked */
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_int_equal(f->log.floor.index, 0);
	assert_int_equal(f->log.first_index, 11);
	assert_int_equal(f->log.entry_count, 10);
	append_many(f, 21, 22);
	crash(f);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_int_equal(f->log.entry_count, 12);
	/* Not so beyond it. */
	crash(f);
	flip_at(f, 1, record_at(11) + 500);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_lost_after(f, 10, 22);
}

static void a_bad_header_that_a_snapshot_covers_costs_nothing(void **state)
{
	struct fixture *f = *state;
	const uint32_t big = 3 * 1024 * 1024;

	assert_int_equal(reopen(f), RFS_ERR_OK);
	f->known.log_id = f->log.log_id;
	for (uint64_t index = 1; index <= 5; index++)
		append(f, index, 3, big);
	crash(f);
	flip_at(f, 1, 30);
	f->known.covered.index = 2;
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_int_equal(f->log.floor.index, 0);
	assert_int_equal(f->log.first_index, 2);
	assert_int_equal(f->log.entry_count, 4);
}

static int open_segment(const struct fixture *f, unsigned int seq)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%016x.wal", f->dir, seq);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	return fd;
}

static void copy_bytes(const struct fixture *f, unsigned int from_seq,
		       uint64_t from, unsigned int to_seq, uint64_t to,
		       size_t bytes)
{
	uint8_t *copy = malloc(bytes);
	int fd = open_segment(f, from_seq);

	assert_int_equal(pread(fd, copy, bytes, (off_t)from), bytes);
	close(fd);
	fd = open_segment(f, to_seq);
	assert_int_equal(pwrite(fd, copy, bytes, (off_t)to), bytes);
	close(fd);
	free(copy);
}

/* The disk wrote entry 9 where 5 stood: neither passes for the other. */
static void a_record_in_a_wrong_place_is_damage(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reopen(f), RFS_ERR_OK);
	append_many(f, 1, 20);
	crash(f);
	copy_bytes(f, 1, record_at(9), 1, record_at(5),
		   wal_record_bytes(BODY));
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_lost_after(f, 4, 20);
}

/* The other side of it: where it should have gone nothing was written. */
static void a_write_that_went_elsewhere_is_missed(void **state)
{
	struct fixture *f = *state;
	const size_t bytes = wal_record_bytes(BODY);
	uint8_t zeros[WAL_RECORD_HEAD_BYTES + BODY] = { 0 };
	bool synced;
	int fd;

	assert_int_equal(reopen(f), RFS_ERR_OK);
	append_many(f, 1, 20);
	assert_int_equal(wal_mark(f->wal, &synced), RFS_ERR_OK);
	crash(f);
	fd = open_segment(f, 1);
	assert_int_equal(pwrite(fd, zeros, bytes, (off_t)record_at(20)),
			 bytes);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_lost_after(f, 19, 20);
	crash(f);
	assert_int_equal(pwrite(fd, zeros, bytes, (off_t)record_at(7)),
			 bytes);
	close(fd);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_lost_after(f, 6, 20);
}

/* The same offset of another segment, and a mark in the other's slot. */
static void a_write_to_the_wrong_segment_or_slot_is_damage(void **state)
{
	struct fixture *f = *state;
	const uint32_t big = 3 * 1024 * 1024;

	assert_int_equal(reopen(f), RFS_ERR_OK);
	for (uint64_t index = 1; index <= 5; index++)
		append(f, index, 3, big);
	crash(f);
	copy_bytes(f, 1, WAL_DATA_OFFSET, 2, WAL_DATA_OFFSET,
		   wal_record_bytes(big));
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_lost_after(f, 2, 5);
	assert_mends(f, 2);
	append_many(f, 12, 40);
	crash(f);
	copy_bytes(f, 2, WAL_PAGE_BYTES, 2, 2 * WAL_PAGE_BYTES,
		   WAL_PAGE_BYTES);
	flip_at(f, 2, WAL_PAGE_BYTES);
	assert_int_equal(reopen(f), RFS_ERR_CORRUPT);
}

/* Each byte of headers, marks and some heads, a few of the bodies. */
static uint64_t step(uint64_t at)
{
	uint64_t in = at < WAL_DATA_OFFSET ?
			      at % WAL_PAGE_BYTES :
			      (at - WAL_DATA_OFFSET) % wal_record_bytes(BODY);
	bool whole = at < record_at(2) || at >= record_at(12);

	if (in + 1 < (whole ? 64 : 2))
		return 1;
	/* Behind headers and marks there is nothing. */
	return at < WAL_DATA_OFFSET ? WAL_PAGE_BYTES - in : 127;
}

/* Whatever byte it is: nothing but what was written comes back, and all that
 * is missing is known to be, but for what may have been torn. */
static void any_flipped_byte_is_told(void **state)
{
	struct fixture *f = *state;
	const uint64_t end = record_at(13);
	uint8_t *whole = malloc(end);
	bool synced;
	int fd;

	assert_int_equal(reopen(f), RFS_ERR_OK);
	f->known.log_id = f->log.log_id;
	append_many(f, 1, 12);
	assert_int_equal(wal_mark(f->wal, &synced), RFS_ERR_OK);
	fd = open_segment(f, 1);
	assert_int_equal(pread(fd, whole, end, 0), end);
	for (uint64_t at = 0; at < end; at += step(at)) {
		const uint64_t before =
			at < WAL_DATA_OFFSET ?
				0 :
				(at - WAL_DATA_OFFSET) / wal_record_bytes(BODY);

		wal_close(f->wal);
		f->wal = NULL;
		assert_int_equal(pwrite(fd, whole, end, 0), end);
		flip_at(f, 1, at);
		assert_int_equal(reopen(f), RFS_ERR_OK);
		if (at < WAL_PAGE_BYTES || at >= WAL_DATA_OFFSET)
			assert_lost_after(f, before, 12);
		else
			assert_int_equal(f->log.entry_count, 12);
	}
	close(fd);
	free(whole);
}

static void a_record_of_another_log_is_not_taken(void **state)
{
	struct fixture *f = *state;
	uint8_t page[WAL_PAGE_BYTES];
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%016x.wal", f->dir, 1);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	append(f, 1, 1, 100);
	crash(f);
	fd = open(path, O_RDONLY);
	assert_int_equal(pread(fd, page, sizeof(page), WAL_DATA_OFFSET),
			 sizeof(page));
	close(fd);
	unlink(path);

	assert_int_equal(reopen(f), RFS_ERR_OK);
	crash(f);
	fd = open(path, O_RDWR);
	assert_int_equal(pwrite(fd, page, sizeof(page), WAL_DATA_OFFSET),
			 sizeof(page));
	close(fd);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_int_equal(f->log.entry_count, 0);
	assert_true(f->log.cut_bytes > 0);
}

static void a_named_but_unused_segment_is_dropped(void **state)
{
	struct fixture *f = *state;
	char from[128], to[128];
	int fd;

	assert_int_equal(reopen(f), RFS_ERR_OK);
	append_many(f, 1, 2);
	assert_int_equal(wal_create_spare(f->dir, SEGMENT, &fd), RFS_ERR_OK);
	close(fd);
	crash(f);
	snprintf(from, sizeof(from), "%s/spare", f->dir);
	snprintf(to, sizeof(to), "%s/%016x.wal", f->dir, 2);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_int_equal(f->log.entry_count, 2);
	append_many(f, 3, 4);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_int_equal(f->log.entry_count, 4);
}

static void a_spare_is_found_again(void **state)
{
	struct fixture *f = *state;
	int fd;

	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_false(wal_has_spare(f->wal));
	uint64_t room = wal_room_bytes(f->wal);
	assert_int_equal(wal_create_spare(f->dir, SEGMENT, &fd), RFS_ERR_OK);
	close(fd);
	assert_int_equal(reopen(f), RFS_ERR_OK);
	assert_true(wal_has_spare(f->wal));
	assert_int_equal(wal_room_bytes(f->wal),
			 room + SEGMENT - WAL_DATA_OFFSET);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_log_is_empty),
		TEST(entries_come_back_whole),
		TEST(a_truncation_is_kept),
		TEST(a_reset_starts_behind_its_snapshot),
		TEST(a_full_segment_waits_for_a_spare),
		TEST(compaction_drops_whole_segments_and_the_rest_opens),
		TEST(a_torn_tail_is_cut_and_stays_cut),
		TEST(what_followed_a_torn_record_never_returns),
		TEST(damage_is_told_and_touched_only_by_mending),
		TEST(a_later_record_proves_that_a_bad_one_was_durable),
		TEST(the_mark_catches_up_when_idle),
		TEST(one_bad_mark_is_survived_two_are_not),
		TEST(damage_in_an_old_segment_costs_the_later_ones),
		TEST(a_bad_first_header_costs_all),
		TEST(a_bad_header_of_an_empty_log_promised_nothing),
		TEST(no_good_header_and_no_id_is_refused),
		TEST(the_log_of_another_hard_state_is_refused),
		TEST(a_bad_later_header_costs_its_segment),
		TEST(a_missing_segment_costs_the_later_ones),
		TEST(the_floor_is_the_latest_promise),
		TEST(damage_that_a_snapshot_covers_costs_nothing),
		TEST(a_bad_header_that_a_snapshot_covers_costs_nothing),
		TEST(a_record_in_a_wrong_place_is_damage),
		TEST(a_write_that_went_elsewhere_is_missed),
		TEST(a_write_to_the_wrong_segment_or_slot_is_damage),
		TEST(any_flipped_byte_is_told),
		TEST(a_record_of_another_log_is_not_taken),
		TEST(a_named_but_unused_segment_is_dropped),
		TEST(a_spare_is_found_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
