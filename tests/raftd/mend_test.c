/* What happens to a damaged log, and in which order. */
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

#include "raftd/mend.h"

struct fixture {
	char dir[64];
	char hardstate[96];
	char segment[96];
	struct hardstate_file *file;
	struct hardstate state;
	struct wal *wal;
	struct wal_log log;
};

static void open_both(struct fixture *f)
{
	const struct wal_known known = { .log_id = f->state.log_id };

	assert_int_equal(hardstate_open(f->hardstate, &f->file, &f->state),
			 RFS_ERR_OK);
	assert_int_equal(wal_open(f->dir, WAL_SEGMENT_BYTES_MIN, &known,
				  &f->wal, &f->log),
			 RFS_ERR_OK);
}

static void close_both(struct fixture *f)
{
	hardstate_close(f->file);
	wal_close(f->wal);
	wal_log_free(&f->log);
}

static void append(struct fixture *f, uint64_t index)
{
	uint8_t record[WAL_RECORD_HEAD_BYTES];
	size_t done;

	wal_encode_entry(&(struct raft_entry){ .index = index, .term = 2 },
			 record);
	assert_int_equal(wal_write(f->wal, record, sizeof(record), &done),
			 RFS_ERR_OK);
}

/* Nine entries of term 2, the fourth damaged. */
static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const off_t at = WAL_DATA_OFFSET + 3 * WAL_RECORD_HEAD_BYTES + 20;
	uint8_t byte;
	int fd;

	strcpy(f->dir, "/tmp/raftfs-mend-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->hardstate, sizeof(f->hardstate), "%s/hardstate", f->dir);
	snprintf(f->segment, sizeof(f->segment), "%s/%016x.wal", f->dir, 1);
	open_both(f);
	f->state = (struct hardstate){ .log_id = f->log.log_id,
				       .node = 1,
				       .term = 2 };
	assert_int_equal(hardstate_write(f->file, &f->state), RFS_ERR_OK);
	for (uint64_t index = 1; index <= 9; index++)
		append(f, index);
	close_both(f);
	fd = open(f->segment, O_RDWR);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
	open_both(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[96];

	close_both(f);
	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static void a_mended_log_goes_on_and_the_floor_stays(void **state)
{
	struct fixture *f = *state;

	assert_true(f->log.damaged);
	assert_int_equal(f->log.floor.index, 9);
	assert_int_equal(mend_log(f->wal, &f->log, f->file, &f->state),
			 RFS_ERR_OK);
	append(f, 4);
	close_both(f);
	open_both(f);
	assert_int_equal(f->log.floor.index, 0);
	assert_int_equal(f->log.entry_count, 4);
	assert_int_equal(f->state.floor.index, 9);
	assert_int_equal(f->state.floor.term, 2);
}

/* It dies while it cuts: what was promised is known already. */
static void the_floor_is_durable_before_the_log_is_cut(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(unlink(f->segment), 0);
	assert_int_equal(mend_log(f->wal, &f->log, f->file, &f->state),
			 RFS_ERR_IO);
	hardstate_close(f->file);
	assert_int_equal(hardstate_open(f->hardstate, &f->file, &f->state),
			 RFS_ERR_OK);
	assert_int_equal(f->state.floor.index, 9);
	assert_int_equal(f->state.floor.term, 2);
}

static void a_good_log_is_left_alone(void **state)
{
	struct fixture *f = *state;
	const struct wal_log good = { .first_index = 1 };
	const uint64_t syncs = hardstate_syncs(f->file);

	assert_int_equal(mend_log(f->wal, &good, f->file, &f->state),
			 RFS_ERR_OK);
	assert_int_equal(hardstate_syncs(f->file), syncs);
	assert_int_equal(f->state.floor.index, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_mended_log_goes_on_and_the_floor_stays),
		TEST(the_floor_is_durable_before_the_log_is_cut),
		TEST(a_good_log_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
