/* Rule R1: every condition that must forbid a local read does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include "common/os/clock.h"
#include "common/units.h"
#include "storaged/lease.h"

static const struct cons_sample good_cons = {
	.term = 3,
	.node = 1,
	.role = CONSPAGE_LEADER,
	.leader = 1,
	.lease_valid = true,
	.lease_disruptions = 7,
	.lease_until_raw_ns = 1000,
	.commit_index = 42,
	.limbo_index = 45,
};
static const struct clock_sample good_clock = {
	.quality = CLOCK_SYNCED,
	.disruptions = 7,
};

static void a_valid_lease_holds_until_its_end(void **state)
{
	(void)state;
	assert_true(lease_holds(&good_cons, &good_clock, 999));
	assert_false(lease_holds(&good_cons, &good_clock, 1000));
	assert_false(lease_holds(&good_cons, &good_clock, 5000));
}

static void a_lease_not_marked_valid_does_not_hold(void **state)
{
	struct cons_sample cons = good_cons;

	(void)state;
	cons.lease_valid = false;
	assert_false(lease_holds(&cons, &good_clock, 1));
}

static void a_disruption_of_the_clock_voids_the_lease(void **state)
{
	struct clock_sample clock = good_clock;

	(void)state;
	clock.disruptions = 8;
	assert_false(lease_holds(&good_cons, &clock, 1));
	clock = good_clock;
	clock.quality = CLOCK_DISRUPTED;
	assert_false(lease_holds(&good_cons, &clock, 1));
}

struct pages {
	int cons_fd;
	int clock_fd;
	void *cons;
	void *clock;
};

static int make_pages(void **state)
{
	static struct pages pages;

	assert_int_equal(page_create("cons", CONSPAGE_MAGIC, CONSPAGE_VERSION,
				     1, &pages.cons_fd, &pages.cons),
			 RFS_ERR_OK);
	assert_int_equal(page_create("clock", CLOCKPAGE_MAGIC,
				     CLOCKPAGE_VERSION, 1, &pages.clock_fd,
				     &pages.clock),
			 RFS_ERR_OK);
	struct cons_sample cons = good_cons;

	cons.lease_until_raw_ns = clock_raw_ns() + 3600 * NS_PER_SEC;
	conspage_write(pages.cons, &cons);
	clockpage_write(pages.clock, &good_clock);
	*state = &pages;
	return 0;
}

static int drop_pages(void **state)
{
	struct pages *pages = *state;

	page_unmap(pages->cons);
	page_unmap(pages->clock);
	close(pages->cons_fd);
	close(pages->clock_fd);
	return 0;
}

static void both_pages_together_say_what_a_read_needs(void **state)
{
	struct pages *pages = *state;
	struct lease_point point = { 0 };

	assert_true(lease_check(pages->cons, pages->clock, &point));
	assert_int_equal(point.commit_index, 42);
	assert_int_equal(point.term, 3);
	assert_int_equal(point.limbo_index, 45);
	assert_in_range(point.left_ns, 1, 3600 * NS_PER_SEC);
}

static void a_missing_page_means_no_lease(void **state)
{
	struct pages *pages = *state;
	struct lease_point point = { 0 };

	assert_false(lease_check(NULL, pages->clock, &point));
	assert_false(lease_check(pages->cons, NULL, &point));
	assert_int_equal(point.commit_index, 0);
}

static void a_revoked_or_superseded_page_means_no_lease(void **state)
{
	struct pages *pages = *state;
	struct lease_point point;

	conspage_revoke(pages->cons);
	assert_false(lease_check(pages->cons, pages->clock, &point));
	drop_pages(state);
	make_pages(state);
	page_supersede(pages->cons);
	assert_false(lease_check(pages->cons, pages->clock, &point));
}

static void a_lease_in_the_past_means_no_lease(void **state)
{
	struct pages *pages = *state;
	struct cons_sample cons = good_cons;
	struct lease_point point;

	cons.lease_until_raw_ns = clock_raw_ns() - 1;
	conspage_write(pages->cons, &cons);
	assert_false(lease_check(pages->cons, pages->clock, &point));
}

int main(void)
{
#define PAGE_TEST(name) \
	cmocka_unit_test_setup_teardown(name, make_pages, drop_pages)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_valid_lease_holds_until_its_end),
		cmocka_unit_test(a_lease_not_marked_valid_does_not_hold),
		cmocka_unit_test(a_disruption_of_the_clock_voids_the_lease),
		PAGE_TEST(both_pages_together_say_what_a_read_needs),
		PAGE_TEST(a_missing_page_means_no_lease),
		PAGE_TEST(a_revoked_or_superseded_page_means_no_lease),
		PAGE_TEST(a_lease_in_the_past_means_no_lease),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
