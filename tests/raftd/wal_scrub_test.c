/* The log read back while it is in use: what went bad is found and put right,
 * and nothing that is right is ever touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "raftd/wal_scrub.h"

#define ENTRIES 40
#define BODY	700

struct fixture {
	char dir[64];
	char segment[96];
	struct wal *wal;
	struct wal_log log;
	uint8_t body[BODY];
	uint64_t index; /* the last */
	uint8_t *whole; /* the segment as it was */
	uint64_t end;
};

static struct raft_entry entry_at(const struct fixture *f, uint64_t index)
{
	return (struct raft_entry){
		.index = index,
		.term = 3,
		.stamp = { .epoch = 3, .ts_ns = (int64_t)index },
		.kind = RAFT_ENTRY_COMMAND,
		.data = f->body,
		.bytes = index % 5 == 0 ? 0 : BODY - (uint32_t)index,
	};
}

static void write_record(struct fixture *f, uint8_t *record, size_t bytes)
{
	size_t done;

	assert_int_equal(wal_write(f->wal, record, bytes, &done), RFS_ERR_OK);
}

static void append(struct fixture *f)
{
	struct raft_entry entry = entry_at(f, ++f->index);
	uint8_t record[WAL_RECORD_HEAD_BYTES + BODY + 8];

	wal_encode_entry(&entry, record);
	write_record(f, record, wal_record_bytes(entry.bytes));
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	bool synced;
	int fd;

	strcpy(f->dir, "/tmp/raftfs-scrub-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->segment, sizeof(f->segment), "%s/%016x.wal", f->dir, 1);
	for (size_t i = 0; i < BODY; i++)
		f->body[i] = (uint8_t)(i * 13 + 1);
	assert_int_equal(wal_open(f->dir, WAL_SEGMENT_BYTES_MIN,
				  &(struct wal_known){ 0 }, &f->wal, &f->log),
			 RFS_ERR_OK);
	for (int i = 0; i < ENTRIES; i++)
		append(f);
	assert_int_equal(wal_mark(f->wal, &synced), RFS_ERR_OK);
	f->end = wal_extent_of(f->wal, 0).end;
	f->whole = malloc(f->end);
	fd = open(f->segment, O_RDONLY);
	assert_int_equal(pread(fd, f->whole, f->end, 0), f->end);
	close(fd);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[96];

	wal_close(f->wal);
	wal_log_free(&f->log);
	free(f->whole);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static void flip(const struct fixture *f, uint64_t at, size_t bytes)
{
	int fd = open(f->segment, O_RDWR);
	uint8_t byte;

	for (size_t i = 0; i < bytes; i++) {
		assert_int_equal(pread(fd, &byte, 1, (off_t)(at + i)), 1);
		byte ^= 0x55;
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)(at + i)), 1);
	}
	close(fd);
}

/* Scrub until the end or what is bad. */
static enum rfs_err scrub(const struct fixture *f, struct wal_cursor *cursor)
{
	const struct wal_extent extent = wal_extent_of(f->wal, 0);
	enum rfs_err err = RFS_ERR_OK;

	for (int i = 0; i < 100 && err == RFS_ERR_OK &&
			cursor->offset < extent.end; i++)
		err = wal_scrub(f->dir, &extent, cursor);
	return err;
}

/* All entries that are in memory from the cursor on. */
static enum rfs_err rewrite(const struct fixture *f,
			    const struct wal_cursor *cursor)
{
	const struct wal_extent extent = wal_extent_of(f->wal, 0);
	uint8_t *records = malloc(ENTRIES * (WAL_RECORD_HEAD_BYTES + BODY));
	size_t bytes = 0;
	enum rfs_err err;

	for (uint64_t i = cursor->last_index + 1; i <= f->index; i++) {
		const struct raft_entry entry = entry_at(f, i);

		wal_encode_entry(&entry, records + bytes);
		bytes += wal_record_bytes(entry.bytes);
	}
	err = wal_rewrite(f->dir, &extent, cursor, records, bytes);
	free(records);
	return err;
}

static void assert_whole(struct fixture *f)
{
	struct wal_cursor cursor = { 0 };

	assert_int_equal(scrub(f, &cursor), RFS_ERR_OK);
	assert_int_equal(cursor.offset, f->end);
	assert_int_equal(cursor.last_index, f->index);
}

static void a_good_log_is_read_to_its_end(void **state)
{
	struct fixture *f = *state;

	assert_whole(f);
	append(f);
	f->end = wal_extent_of(f->wal, 0).end;
	assert_whole(f);
}

/* One byte, and a whole page of records. */
static void what_went_bad_is_put_back(void **state)
{
	struct fixture *f = *state;
	const size_t sizes[] = { 1, 4096 };

	for (size_t s = 0; s < 2; s++) {
		for (uint64_t at = WAL_DATA_OFFSET; at + sizes[s] <= f->end;
		     at += sizes[s] == 1 ? 5 : 1777) {
			struct wal_cursor cursor = { 0 };

			flip(f, at, sizes[s]);
			assert_int_equal(scrub(f, &cursor), RFS_ERR_CORRUPT);
			assert_true(cursor.offset <= at);
			assert_true(cursor.offset + wal_record_bytes(BODY) >
				    at);
			assert_int_equal(rewrite(f, &cursor), RFS_ERR_OK);
			assert_int_equal(scrub(f, &cursor), RFS_ERR_OK);
			assert_int_equal(cursor.offset, f->end);
		}
	}
	/* It goes on, and is as whole at the next start. */
	append(f);
	wal_close(f->wal);
	wal_log_free(&f->log);
	assert_int_equal(wal_open(f->dir, WAL_SEGMENT_BYTES_MIN,
				  &(struct wal_known){ 0 }, &f->wal, &f->log),
			 RFS_ERR_OK);
	assert_int_equal(f->log.floor.index, 0);
	assert_int_equal(f->log.entry_count, ENTRIES + 1);
	for (uint64_t i = 0; i < f->log.entry_count; i++) {
		const struct raft_entry want = entry_at(f, i + 1);

		assert_int_equal(f->log.entries[i].bytes, want.bytes);
		assert_memory_equal(f->log.entries[i].data, want.data,
				    want.bytes);
	}
}

static void the_header_is_put_back(void **state)
{
	struct fixture *f = *state;
	const struct wal_extent extent = wal_extent_of(f->wal, 0);

	for (uint64_t at = 0; at < WAL_HEADER_BYTES; at++) {
		struct wal_cursor cursor = { 0 };

		flip(f, at, 1);
		assert_int_equal(scrub(f, &cursor), RFS_ERR_CORRUPT);
		assert_int_equal(cursor.offset, 0);
		assert_int_equal(wal_rewrite_header(f->dir, &extent),
				 RFS_ERR_OK);
		assert_whole(f);
	}
}

static void bad_marks_are_written_anew(void **state)
{
	struct fixture *f = *state;
	struct wal_cursor cursor = { 0 };

	flip(f, WAL_PAGE_BYTES + 20, 1);
	flip(f, 2 * WAL_PAGE_BYTES + 20, 1);
	assert_int_equal(scrub(f, &cursor), RFS_ERR_CORRUPT);
	assert_int_equal(cursor.offset, 0);
	assert_int_equal(wal_remark(f->wal), RFS_ERR_OK);
	assert_whole(f);
}

/* Nothing is written when the entries are not what stood there. */
static void wrong_entries_are_not_put_in(void **state)
{
	struct fixture *f = *state;
	struct wal_cursor cursor = { 0 };
	uint8_t byte, again;
	int fd;

	flip(f, WAL_DATA_OFFSET + 2000, 1);
	assert_int_equal(scrub(f, &cursor), RFS_ERR_CORRUPT);
	f->body[7]++;
	fd = open(f->segment, O_RDONLY);
	assert_int_equal(pread(fd, &byte, 1, WAL_DATA_OFFSET + 2000), 1);
	assert_int_equal(rewrite(f, &cursor), RFS_ERR_CORRUPT);
	assert_int_equal(pread(fd, &again, 1, WAL_DATA_OFFSET + 2000), 1);
	assert_int_equal(byte, again);
	close(fd);
	f->body[7]--;
	assert_int_equal(rewrite(f, &cursor), RFS_ERR_OK);
	assert_whole(f);
}

/* A truncation is not in memory: looked on behind it. */
static void what_cannot_be_put_back_is_stepped_over(void **state)
{
	struct fixture *f = *state;
	struct wal_cursor cursor = { 0 };
	uint8_t record[WAL_RECORD_HEAD_BYTES];
	uint64_t at = f->end;

	wal_encode_truncate(20, record);
	write_record(f, record, sizeof(record));
	f->index = 19;
	append(f);
	append(f);
	f->end = wal_extent_of(f->wal, 0).end;
	assert_whole(f);
	flip(f, at + 20, 1);
	assert_int_equal(scrub(f, &cursor), RFS_ERR_CORRUPT);
	assert_int_equal(cursor.offset, at);
	assert_int_equal(rewrite(f, &cursor), RFS_ERR_CORRUPT);
	cursor.lost = true;
	assert_int_equal(scrub(f, &cursor), RFS_ERR_OK);
	assert_int_equal(cursor.offset, f->end);
	assert_int_equal(cursor.last_index, 21);
}

static void a_segment_that_is_gone_is_no_error(void **state)
{
	struct fixture *f = *state;
	struct wal_cursor cursor = { 0 };

	assert_int_equal(unlink(f->segment), 0);
	assert_int_equal(scrub(f, &cursor), RFS_ERR_NOENT);
}

static void records_longer_than_a_window_are_read(void **state)
{
	struct fixture *f = *state;
	const uint32_t big = 3 * WAL_SCRUB_BYTES + 5;
	uint8_t *record = calloc(1, wal_record_bytes(big));
	struct wal_cursor cursor = { 0 };
	uint8_t *body = calloc(1, big);
	uint64_t at = f->end;

	wal_encode_entry(&(struct raft_entry){ .index = ++f->index,
					       .term = 3,
					       .data = body,
					       .bytes = big },
			 record);
	write_record(f, record, wal_record_bytes(big));
	append(f);
	f->end = wal_extent_of(f->wal, 0).end;
	assert_whole(f);
	flip(f, at + big, 1);
	assert_int_equal(scrub(f, &cursor), RFS_ERR_CORRUPT);
	assert_int_equal(cursor.offset, at);
	free(record);
	free(body);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_good_log_is_read_to_its_end),
		TEST(what_went_bad_is_put_back),
		TEST(the_header_is_put_back),
		TEST(bad_marks_are_written_anew),
		TEST(wrong_entries_are_not_put_in),
		TEST(what_cannot_be_put_back_is_stepped_over),
		TEST(a_segment_that_is_gone_is_no_error),
		TEST(records_longer_than_a_window_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
