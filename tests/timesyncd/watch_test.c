/* From the consensus page to epoch events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "timesyncd/watch.h"

struct fixture {
	int fd;
	struct conspage *page;
	struct watch watch;
};

static void new_page(struct fixture *f, uint64_t generation)
{
	void *map;

	assert_int_equal(page_create("cons", CONSPAGE_MAGIC, CONSPAGE_VERSION,
				     generation, &f->fd, &map),
			 RFS_ERR_OK);
	f->page = map;
	assert_int_equal(watch_page(&f->watch, f->fd), RFS_ERR_OK);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	new_page(f, 1);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	watch_fini(&f->watch);
	page_unmap(f->page);
	close(f->fd);
	free(f);
	return 0;
}

static const struct cons_sample leading = {
	.role = CONSPAGE_LEADER,
	.node = 1,
	.leader = 1,
	.term = 7,
	.epoch = 7,
	.lease_disruptions = 4096,
	.epoch_raw_ns = 1000,
	.epoch_ts_ns = 5000,
};

static void a_change_is_told_once(void **state)
{
	struct fixture *f = *state;
	struct timesync_event event;
	struct cons_sample sample = { .leader = 2, .term = 7, .epoch = 7 };

	conspage_write(f->page, &sample);
	assert_true(watch_poll(&f->watch, 4096, &event));
	assert_int_equal(event.type, TIMESYNC_EV_EPOCH);
	assert_int_equal(event.epoch.leader, 2);
	assert_int_equal(event.epoch.epoch, 7);
	assert_false(event.epoch.self);
	assert_false(watch_poll(&f->watch, 4096, &event));
	sample.commit_index = 99; /* nothing of ours */
	conspage_write(f->page, &sample);
	assert_false(watch_poll(&f->watch, 4096, &event));
}

static void the_leader_is_told_its_anchor(void **state)
{
	struct fixture *f = *state;
	struct timesync_event event;

	conspage_write(f->page, &leading);
	assert_true(watch_poll(&f->watch, 4096, &event));
	assert_true(event.epoch.self);
	assert_int_equal(event.epoch.anchor_raw_ns, 1000);
	assert_int_equal(event.epoch.anchor_ts_ns, 5000);
}

static void an_anchor_set_on_a_clock_that_broke_is_not_used(void **state)
{
	struct fixture *f = *state;
	struct timesync_event event;

	conspage_write(f->page, &leading);
	assert_true(watch_poll(&f->watch, 4097, &event));
	assert_false(event.epoch.self);
}

static void a_leader_of_a_term_without_a_timeline_is_no_reference(
	void **state)
{
	struct fixture *f = *state;
	struct timesync_event event;
	struct cons_sample sample = leading;

	sample.epoch = 6; /* its first entry is not there yet */
	conspage_write(f->page, &sample);
	assert_true(watch_poll(&f->watch, 4096, &event));
	assert_false(event.epoch.self);
	assert_int_equal(event.epoch.epoch, 6);
}

static void a_reaped_raftd_leads_no_more(void **state)
{
	struct fixture *f = *state;
	struct timesync_event event;

	conspage_write(f->page, &leading);
	assert_true(watch_poll(&f->watch, 4096, &event));
	conspage_revoke(f->page);
	assert_true(watch_poll(&f->watch, 4096, &event));
	assert_false(event.epoch.self);
	assert_int_equal(event.epoch.leader, 0);
	assert_int_equal(event.epoch.epoch, 7);
	assert_false(watch_poll(&f->watch, 4096, &event));
}

static void the_next_generation_is_looked_at(void **state)
{
	struct fixture *f = *state;
	struct timesync_event event;
	struct cons_sample sample = { .leader = 3, .term = 8, .epoch = 8 };
	struct conspage *old = f->page;

	conspage_write(f->page, &leading);
	assert_true(watch_poll(&f->watch, 4096, &event));
	close(f->fd);
	new_page(f, 2);
	page_supersede(old);
	conspage_write(f->page, &sample);
	assert_true(watch_poll(&f->watch, 4096, &event));
	assert_int_equal(event.epoch.leader, 3);
	assert_int_equal(event.epoch.epoch, 8);
	page_unmap(old);
}

static void without_a_page_there_is_nothing_to_tell(void **state)
{
	(void)state;
	struct watch watch = { 0 };
	struct timesync_event event;

	assert_false(watch_poll(&watch, 0, &event));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define ON_PAGE(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
		ON_PAGE(a_change_is_told_once),
		ON_PAGE(the_leader_is_told_its_anchor),
		ON_PAGE(an_anchor_set_on_a_clock_that_broke_is_not_used),
		ON_PAGE(a_leader_of_a_term_without_a_timeline_is_no_reference),
		ON_PAGE(a_reaped_raftd_leads_no_more),
		ON_PAGE(the_next_generation_is_looked_at),
		cmocka_unit_test(without_a_page_there_is_nothing_to_tell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
