/* Timelines: where one starts, and that stamps only ever rise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "raftd/core/timestamp.h"

static const struct interval unknown = { 1, 0 };
static const struct raft_now now = { .raw_ns = 500, .wall_ns = 9000 };

static void the_wall_clock_seeds_only_what_nobody_carries(void **state)
{
	struct raft_stamp none = { 0, 0 };
	struct raft_stamp last = { 3, 100 };
	struct raft_stamp later = { 3, 9500 };
	struct interval old = { 150, 250 };
	(void)state;

	assert_int_equal(timestamp_open(1, &now, none, unknown, false).ts_ns,
			 9000);
	assert_int_equal(timestamp_open(4, &now, last, unknown, true).ts_ns,
			 9000);
	assert_int_equal(timestamp_open(4, &now, later, unknown, true).ts_ns,
			 9501);
	assert_int_equal(timestamp_open(4, &now, last, unknown, false).ts_ns,
			 101);
	assert_int_equal(timestamp_open(4, &now, last, old, true).ts_ns, 250);
}

static void a_new_timeline_starts_above_what_was_promised(void **state)
{
	struct raft_stamp last = { 3, 100 };
	struct interval old = { 150, 250 };
	struct interval past = { 10, 20 };
	(void)state;

	assert_int_equal(timestamp_open(4, &now, last, old, false).ts_ns, 250);
	assert_int_equal(timestamp_open(4, &now, last, past, false).ts_ns, 101);
}

static void stamps_follow_the_leaders_raw_clock(void **state)
{
	struct timeline line = { .epoch = 4, .raw_ns = 500, .ts_ns = 250 };
	struct raft_stamp stamp =
		timestamp_next(&line, 530, (struct raft_stamp){ 3, 100 });
	(void)state;

	assert_int_equal(stamp.epoch, 4);
	assert_int_equal(stamp.ts_ns, 280);
	assert_int_equal(timestamp_at(&line, 500), 250);
}

static void two_entries_in_one_nanosecond_still_rise(void **state)
{
	struct timeline line = { .epoch = 4, .raw_ns = 500, .ts_ns = 250 };
	struct raft_stamp stamp = { 4, 250 };
	(void)state;

	for (int i = 1; i <= 5; i++) {
		stamp = timestamp_next(&line, 500, stamp);
		assert_int_equal(stamp.ts_ns, 250 + i);
	}
	assert_false(timestamp_is_ahead(&line, 500, stamp));
	stamp.ts_ns = 250 + TIMESTAMP_LEAD_MAX_NS;
	assert_true(timestamp_is_ahead(&line, 500, stamp));
	assert_false(timestamp_is_ahead(&line, 501, stamp));
}

static void a_handover_reads_back_as_written(void **state)
{
	struct raft_handover in = {
		.old_epoch = 7,
		.old = { -5, 12345678901 },
		.new_ts_ns = 12345678902,
		.max_rate_ppb = 200000,
	};
	struct raft_handover out;
	uint8_t image[RAFT_HANDOVER_BYTES];
	(void)state;

	raft_handover_encode(&in, image);
	assert_int_equal(raft_handover_decode(image, sizeof(image), &out),
			 RFS_ERR_OK);
	assert_int_equal(out.old_epoch, in.old_epoch);
	assert_int_equal(out.old.low_ns, in.old.low_ns);
	assert_int_equal(out.old.high_ns, in.old.high_ns);
	assert_int_equal(out.new_ts_ns, in.new_ts_ns);
	assert_int_equal(out.max_rate_ppb, in.max_rate_ppb);
}

static void a_handover_of_another_shape_is_refused(void **state)
{
	uint8_t image[RAFT_HANDOVER_BYTES] = { 0 };
	struct raft_handover out;
	(void)state;

	assert_int_equal(raft_handover_decode(image, 39, &out),
			 RFS_ERR_CORRUPT);
	image[39] = 1;
	assert_int_equal(raft_handover_decode(image, 40, &out),
			 RFS_ERR_CORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_wall_clock_seeds_only_what_nobody_carries),
		cmocka_unit_test(a_new_timeline_starts_above_what_was_promised),
		cmocka_unit_test(stamps_follow_the_leaders_raw_clock),
		cmocka_unit_test(two_entries_in_one_nanosecond_still_rise),
		cmocka_unit_test(a_handover_reads_back_as_written),
		cmocka_unit_test(a_handover_of_another_shape_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
