/* What a log says of leases: entry by entry, and as an image. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/units.h"
#include "raftd/core/window.h"

static void take_lease(struct raft_window *window, uint64_t index,
		       int64_t duration_ns, int64_t past_ns)
{
	uint8_t image[RAFT_LEASE_BYTES];

	raft_lease_encode(&(struct raft_lease){ .duration_ns = duration_ns,
						.past_ns = past_ns },
			  image);
	assert_true(window_take(window, &(struct raft_entry){
						.index = index,
						.term = 9,
						.stamp = { 9, 1000 },
						.kind = RAFT_ENTRY_LEASE,
						.data = image,
						.bytes = sizeof(image) }));
}

static void take_first(struct raft_window *window, uint64_t term,
		       uint64_t old_epoch, struct interval old)
{
	uint8_t image[RAFT_HANDOVER_BYTES];

	raft_handover_encode(&(struct raft_handover){ .old_epoch = old_epoch,
						      .old = old,
						      .new_ts_ns = 77 },
			     image);
	assert_true(window_take(window, &(struct raft_entry){
						.index = term,
						.term = term,
						.kind = RAFT_ENTRY_NOOP,
						.data = image,
						.bytes = sizeof(image) }));
}

static void the_newest_setting_rules(void **state)
{
	struct raft_window window = { 0 };
	(void)state;

	assert_false(window_take(&window, &(struct raft_entry){
						  .kind = RAFT_ENTRY_EXTEND }));
	assert_int_equal(window.lease.duration_ns, 0);
	take_lease(&window, 4, 50, 0);
	take_lease(&window, 7, 20, 50);
	assert_int_equal(window.lease.index, 7);
	assert_int_equal(window.lease.duration_ns, 20);
	assert_int_equal(window.lease.past_ns, 50);
	assert_int_equal(window.lease.stamp.epoch, 9);
	assert_int_equal(window.lease.stamp.ts_ns, 1000);
}

static void the_last_records_that_convert_are_kept(void **state)
{
	struct raft_window window = { 0 };
	(void)state;

	for (uint64_t term = 1; term <= 7; term++)
		take_first(&window, term, term - 1,
			   (struct interval){ (int64_t)term, 100 });
	take_first(&window, 8, 7, (struct interval){ 1, 0 });
	take_first(&window, 9, 0, (struct interval){ 0, 1 });
	take_first(&window, 10, 10, (struct interval){ 0, 1 });
	assert_int_equal(window.handover_count, RAFT_HANDOVERS_MAX);
	for (uint32_t i = 0; i < RAFT_HANDOVERS_MAX; i++) {
		assert_int_equal(window.handovers[i].epoch, 4 + i);
		assert_int_equal(window.handovers[i].record.old_epoch, 3 + i);
		assert_int_equal(window.handovers[i].record.old.low_ns, 4 + i);
	}
}

static uint32_t image_of_all(uint8_t image[RAFT_WINDOW_BYTES_MAX])
{
	struct raft_window window = { 0 };

	for (uint64_t term = 2; term <= 5; term++)
		take_first(&window, term, term - 1, (struct interval){ 3, 4 });
	take_lease(&window, 12, 50 * NS_PER_MS, 200 * NS_PER_MS);
	return raft_window_encode(&window, image);
}

static void an_image_comes_back_as_it_was(void **state)
{
	uint8_t image[RAFT_WINDOW_BYTES_MAX], again[RAFT_WINDOW_BYTES_MAX];
	uint32_t bytes = image_of_all(image);
	struct raft_window window;
	(void)state;

	assert_int_equal(bytes, RAFT_WINDOW_BYTES_MAX);
	assert_int_equal(raft_window_decode(image, bytes, &window), RFS_ERR_OK);
	assert_int_equal(window.lease.index, 12);
	assert_int_equal(window.lease.past_ns, 200 * NS_PER_MS);
	assert_int_equal(raft_window_encode(&window, again), bytes);
	assert_memory_equal(image, again, bytes);
	memset(&window, 0, sizeof(window));
	assert_int_equal(raft_window_encode(&window, image), 48);
	assert_int_equal(raft_window_decode(image, 48, &window), RFS_ERR_OK);
}

static void an_image_of_another_shape_is_refused(void **state)
{
	uint8_t image[RAFT_WINDOW_BYTES_MAX + 1] = { 0 };
	uint32_t bytes = image_of_all(image);
	struct raft_window window;
	(void)state;

	for (uint32_t i = 0; i <= bytes + 1; i++)
		if (i != bytes)
			assert_int_equal(raft_window_decode(image, i, &window),
					 RFS_ERR_CORRUPT);
	image[4] = RAFT_HANDOVERS_MAX + 1;
	assert_int_equal(raft_window_decode(image, bytes, &window),
			 RFS_ERR_CORRUPT);
	image_of_all(image);
	image[39] = 0x80; /* a duration below 0 */
	assert_int_equal(raft_window_decode(image, bytes, &window),
			 RFS_ERR_CORRUPT);
	image_of_all(image);
	image[48 + 48] = 2; /* not after the record before */
	assert_int_equal(raft_window_decode(image, bytes, &window),
			 RFS_ERR_CORRUPT);
	image_of_all(image);
	image[48 + 8] = 2; /* from itself */
	assert_int_equal(raft_window_decode(image, bytes, &window),
			 RFS_ERR_CORRUPT);
	image[0] = 2;
	assert_int_equal(raft_window_decode(image, bytes, &window),
			 RFS_ERR_VERSION);
}

static void a_setting_of_another_shape_is_refused(void **state)
{
	uint8_t image[RAFT_LEASE_BYTES + 1] = { 0 };
	struct raft_lease lease = { .duration_ns = 5, .past_ns = 6 };
	(void)state;

	raft_lease_encode(&lease, image);
	assert_int_equal(raft_lease_decode(image, RAFT_LEASE_BYTES, &lease),
			 RFS_ERR_OK);
	assert_int_equal(raft_lease_decode(image, RAFT_LEASE_BYTES - 1, &lease),
			 RFS_ERR_CORRUPT);
	assert_int_equal(raft_lease_decode(image, RAFT_LEASE_BYTES + 1, &lease),
			 RFS_ERR_CORRUPT);
	image[23] = 0x80;
	assert_int_equal(raft_lease_decode(image, RAFT_LEASE_BYTES, &lease),
			 RFS_ERR_CORRUPT);
	image[23] = 0;
	image[7] = 1;
	assert_int_equal(raft_lease_decode(image, RAFT_LEASE_BYTES, &lease),
			 RFS_ERR_CORRUPT);
	image[0] = 2;
	assert_int_equal(raft_lease_decode(image, RAFT_LEASE_BYTES, &lease),
			 RFS_ERR_VERSION);
	assert_int_equal(lease.past_ns, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_setting_rules),
		cmocka_unit_test(the_last_records_that_convert_are_kept),
		cmocka_unit_test(an_image_comes_back_as_it_was),
		cmocka_unit_test(an_image_of_another_shape_is_refused),
		cmocka_unit_test(a_setting_of_another_shape_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
