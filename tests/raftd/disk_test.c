/* The writer thread, on a real loop: what is reported durable is on the disk
 * and was not truncated since; a full disk is told and got over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "raftd/disk.h"

#define SEGMENT WAL_SEGMENT_BYTES_MIN

struct fixture {
	char dir[64];
	struct ev_loop *ev;
	struct chores *chores;
	struct disk *disk;
	struct wal_log log;
	uint64_t index; /* last reported */
	uint64_t term;
	uint64_t report_count;
	uint8_t body[1024 * 1024];
};

static void on_persisted(void *ctx, uint64_t index, uint64_t term)
{
	struct fixture *f = ctx;

	assert_true(index > 0);
	f->index = index;
	f->term = term;
	f->report_count++;
}

static void open_disk(struct fixture *f)
{
	struct wal *wal;

	wal_log_free(&f->log);
	assert_int_equal(wal_open(f->dir, SEGMENT, &(struct wal_known){ 0 },
				  &wal, &f->log),
			 RFS_ERR_OK);
	f->ev = ev_loop_new(EVFLAG_AUTO);
	f->chores = chores_new(f->ev);
	f->disk = disk_new(f->ev, f->chores, wal, f->dir, SEGMENT,
			   on_persisted, f);
	assert_non_null(f->disk);
}

static void close_disk(struct fixture *f)
{
	chores_free(f->chores);
	disk_free(f->disk);
	ev_loop_destroy(f->ev);
	f->disk = NULL;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/raftfs-disk-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[96];

	if (f->disk != NULL)
		close_disk(f);
	wal_log_free(&f->log);
	umount2(f->dir, MNT_DETACH);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

/* Turn the loop until `done`, or for so long that the test has failed. */
static void turn_until(struct fixture *f, bool (*done)(struct fixture *f))
{
	for (int i = 0; i < 2000 && !done(f); i++) {
		ev_run(f->ev, EVRUN_NOWAIT);
		usleep(5000);
	}
	assert_true(done(f));
}

static void append(struct fixture *f, uint64_t index, uint64_t term,
		   uint32_t bytes)
{
	const struct raft_entry entry = { .index = index,
					  .term = term,
					  .stamp = { term, (int64_t)index },
					  .kind = RAFT_ENTRY_COMMAND,
					  .data = f->body,
					  .bytes = bytes };

	disk_append(f->disk, &entry, 1);
}

static bool reported_100(struct fixture *f)
{
	return f->index == 100;
}

static void what_was_reported_is_on_the_disk(void **state)
{
	struct fixture *f = *state;
	struct disk_status status;

	open_disk(f);
	for (uint64_t index = 1; index <= 100; index++)
		append(f, index, 2, 300);
	turn_until(f, reported_100);
	assert_int_equal(f->term, 2);
	disk_get_status(f->disk, &status);
	assert_int_equal(status.queued_bytes, 0);
	/* Many entries, few syncs: that is what a batch is for. */
	assert_in_range(status.sync_count, 1, 99);
	assert_true(status.sync_p50_ns > 0);
	close_disk(f);
	open_disk(f);
	assert_int_equal(f->log.entry_count, 100);
}

static void what_is_queued_is_written_before_the_end(void **state)
{
	struct fixture *f = *state;

	open_disk(f);
	for (uint64_t index = 1; index <= 50; index++)
		append(f, index, 2, 3000);
	close_disk(f);
	open_disk(f);
	assert_int_equal(f->log.entry_count, 50);
}

static bool reported_3(struct fixture *f)
{
	return f->index == 3;
}

/* Whatever the thread was doing when the truncation came: the one thing that
 * may be reported afterwards is what was written after it. */
static void nothing_truncated_is_reported(void **state)
{
	struct fixture *f = *state;

	open_disk(f);
	for (uint64_t round = 0; round < 20; round++) {
		for (uint64_t index = 3; index <= 9; index++) {
			if (round == 0 && index == 3) {
				append(f, 1, 1, 10);
				append(f, 2, 1, 10);
			}
			append(f, index, 2 + round, 10);
		}
		f->index = 0;
		disk_truncate(f->disk, 3);
		usleep(200 * (unsigned int)round);
		append(f, 3, 100 + round, 10);
		turn_until(f, reported_3);
		assert_int_equal(f->term, 100 + round);
		disk_truncate(f->disk, 3);
	}
	close_disk(f);
	open_disk(f);
	assert_int_equal(f->log.entry_count, 2);
}

static bool is_small(struct fixture *f)
{
	struct disk_status status;

	disk_get_status(f->disk, &status);
	return status.wal_bytes <= 2 * SEGMENT;
}

static bool reported_40(struct fixture *f)
{
	return f->index == 40;
}

static void compacted_segments_leave(void **state)
{
	struct fixture *f = *state;
	char path[128];
	struct stat st;

	open_disk(f);
	for (uint64_t index = 1; index <= 40; index++)
		append(f, index, 1, sizeof(f->body));
	turn_until(f, reported_40);
	assert_false(is_small(f));
	disk_compact(f->disk, 38);
	turn_until(f, is_small);
	close_disk(f);
	snprintf(path, sizeof(path), "%s/%016x.wal", f->dir, 6);
	assert_int_equal(stat(path, &st), 0);
	open_disk(f);
	assert_true(f->log.first_index <= 39);
	assert_int_equal(f->log.first_index + f->log.entry_count - 1, 40);
}

static bool is_full(struct fixture *f)
{
	return disk_is_full(f->disk);
}

static bool is_not_full(struct fixture *f)
{
	return !disk_is_full(f->disk);
}

static bool reported_8(struct fixture *f)
{
	return f->index == 8;
}

static void a_full_disk_is_told_and_got_over(void **state)
{
	struct fixture *f = *state;
	uint64_t index;

	/* Room for two segments and half of a third. */
	if (mount("none", f->dir, "tmpfs", 0, "size=20m") != 0)
		skip();
	open_disk(f);
	/* Into the second segment: the third cannot be made. */
	for (index = 1; index <= 8; index++)
		append(f, index, 1, sizeof(f->body));
	turn_until(f, is_full);
	turn_until(f, reported_8);
	assert_true(disk_room_bytes(f->disk) > sizeof(f->body));
	assert_true(disk_room_bytes(f->disk) < SEGMENT);
	/* Beyond what fits nothing is reported, and nothing breaks. */
	for (; index <= 20; index++)
		append(f, index, 1, sizeof(f->body));
	for (int i = 0; i < 50; i++) {
		ev_run(f->ev, EVRUN_NOWAIT);
		usleep(5000);
	}
	assert_true(f->index < 20);
	assert_int_equal(disk_room_bytes(f->disk), 0);

	assert_int_equal(mount("none", f->dir, "tmpfs", MS_REMOUNT, "size=80m"),
			 0);
	turn_until(f, is_not_full);
	close_disk(f);
	open_disk(f);
	assert_true(f->log.entry_count >= 14);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_reported_is_on_the_disk),
		TEST(what_is_queued_is_written_before_the_end),
		TEST(nothing_truncated_is_reported),
		TEST(compacted_segments_leave),
		TEST(a_full_disk_is_told_and_got_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
