/* The public reader, over a page file as timesyncd leaves it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "common/os/tsc.h"
#include "common/units.h"
#include "shm/clockpage.h"
#include "shm/rfsclock.h"

struct fixture {
	char dir[32];
	char path[64];
	struct clockpage *page;
	struct rfsclock *clock;
};

static struct clockpage *new_page(struct fixture *f, uint64_t generation)
{
	void *map;

	assert_int_equal(page_create_file(f->path, CLOCKPAGE_MAGIC,
					  CLOCKPAGE_VERSION, generation, &map),
			 RFS_ERR_OK);
	return map;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->dir, sizeof(f->dir), "/tmp/rfsclock.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/clock.page", f->dir);
	f->page = new_page(f, 1);
	assert_int_equal(rfsclock_open(f->path, &f->clock), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	rfsclock_close(f->clock);
	page_unmap(f->page);
	unlink(f->path);
	rmdir(f->dir);
	free(f);
	return 0;
}

/* Cluster time is raw + 1000 s, known to 50 us. */
static struct clock_sample synced_sample(void)
{
	int64_t raw_ns = clock_raw_ns();

	return (struct clock_sample){
		.quality = CLOCK_SYNCED,
		.disruptions = 3,
		.epoch = 9,
		.asof_ns = raw_ns,
		.offset_ns = 1000 * NS_PER_SEC,
		.bound_ns = 50 * NS_PER_US,
		.growth_ppb = 200000,
		.void_after_ns = raw_ns + 60 * NS_PER_SEC,
	};
}

static void publish(struct fixture *f)
{
	struct clock_sample sample = synced_sample();

	clockpage_write(f->page, &sample);
}

static void the_interval_holds_cluster_time(void **state)
{
	struct fixture *f = *state;
	struct rfsclock_interval now;

	publish(f);
	int64_t before_ns = clock_raw_ns() + 1000 * NS_PER_SEC;
	assert_int_equal(rfsclock_now(f->clock, &now), 0);
	int64_t after_ns = clock_raw_ns() + 1000 * NS_PER_SEC;

	assert_int_equal(now.quality, RFSCLOCK_SYNCED);
	assert_int_equal(now.epoch, 9);
	assert_int_equal(now.disruptions, 3);
	assert_true(now.earliest_ns <= after_ns);
	assert_true(now.latest_ns >= before_ns);
	assert_true(now.latest_ns - now.earliest_ns >= 100 * NS_PER_US);
}

static void without_a_bound_the_interval_is_everything(void **state)
{
	struct fixture *f = *state;
	struct rfsclock_interval now;

	assert_int_equal(rfsclock_now(f->clock, &now), 0);
	assert_int_equal(now.quality, RFSCLOCK_UNSYNCED);
	assert_true(now.earliest_ns == INT64_MIN);
	assert_true(now.latest_ns == INT64_MAX);
	assert_false(rfsclock_after(f->clock, 0));
	assert_false(rfsclock_before(f->clock, INT64_MAX - 1));
}

static void a_page_its_writer_left_behind_becomes_unsynced(void **state)
{
	struct fixture *f = *state;
	struct clock_sample sample = synced_sample();
	struct rfsclock_interval now;

	sample.asof_ns -= 61 * NS_PER_SEC;
	sample.void_after_ns -= 61 * NS_PER_SEC;
	clockpage_write(f->page, &sample);
	assert_int_equal(rfsclock_now(f->clock, &now), 0);
	assert_int_equal(now.quality, RFSCLOCK_UNSYNCED);
	assert_true(now.latest_ns == INT64_MAX);
}

static void disrupted_is_told_and_has_no_interval(void **state)
{
	struct fixture *f = *state;
	struct clock_sample sample = synced_sample();
	struct rfsclock_interval now;

	sample.quality = CLOCK_DISRUPTED;
	clockpage_write(f->page, &sample);
	assert_int_equal(rfsclock_now(f->clock, &now), 0);
	assert_int_equal(now.quality, RFSCLOCK_DISRUPTED);
	assert_true(now.earliest_ns == INT64_MIN);
}

static void before_and_after_are_certain_or_silent(void **state)
{
	struct fixture *f = *state;
	struct rfsclock_interval now;

	publish(f);
	assert_int_equal(rfsclock_now(f->clock, &now), 0);
	assert_true(rfsclock_after(f->clock, now.earliest_ns - 1));
	assert_true(rfsclock_before(f->clock, now.latest_ns + NS_PER_SEC));
	/* Inside the interval neither is certain; it moves on meanwhile. */
	int64_t soon_ns = now.latest_ns - 1;
	assert_false(rfsclock_after(f->clock, soon_ns) &&
		     rfsclock_before(f->clock, soon_ns));
	assert_false(rfsclock_after(f->clock, now.latest_ns + NS_PER_SEC));
	assert_false(rfsclock_before(f->clock, now.earliest_ns));
}

static void waiting_ends_when_the_instant_is_certainly_past(void **state)
{
	struct fixture *f = *state;
	struct rfsclock_interval now;

	publish(f);
	assert_int_equal(rfsclock_now(f->clock, &now), 0);
	int64_t ts_ns = now.latest_ns + 2 * NS_PER_MS;

	assert_int_equal(
		rfsclock_wait_until_past(f->clock, ts_ns, 5 * NS_PER_SEC), 0);
	assert_int_equal(rfsclock_now(f->clock, &now), 0);
	assert_true(now.earliest_ns > ts_ns);
}

static void waiting_gives_up_at_its_timeout(void **state)
{
	struct fixture *f = *state;
	struct rfsclock_interval now;

	/* Unsynced, and an instant too far away. */
	assert_int_equal(rfsclock_wait_until_past(f->clock, 1, NS_PER_MS),
			 ETIMEDOUT);
	publish(f);
	assert_int_equal(rfsclock_now(f->clock, &now), 0);
	assert_int_equal(
		rfsclock_wait_until_past(f->clock,
					 now.latest_ns + 60 * NS_PER_SEC,
					 NS_PER_MS),
		ETIMEDOUT);
	assert_int_equal(rfsclock_wait_until_past(f->clock, INT64_MAX, 0),
			 ETIMEDOUT);
}

static void a_writer_killed_inside_an_update_leaves_the_last_sample(
	void **state)
{
	struct fixture *f = *state;
	struct rfsclock_interval now;

	publish(f);
	assert_int_equal(rfsclock_now(f->clock, &now), 0);
	atomic_fetch_add(&f->page->seq, 1);
	assert_int_equal(rfsclock_now(f->clock, &now), 0);
	assert_int_equal(now.quality, RFSCLOCK_SYNCED);
}

static void a_reader_that_never_saw_a_sample_is_told_so(void **state)
{
	struct fixture *f = *state;
	struct rfsclock_interval now;

	atomic_fetch_add(&f->page->seq, 1);
	assert_int_equal(rfsclock_now(f->clock, &now), EAGAIN);
	assert_int_equal(now.quality, RFSCLOCK_UNSYNCED);
	assert_true(now.latest_ns == INT64_MAX);
}

static void a_restarted_writer_is_followed_by_path(void **state)
{
	struct fixture *f = *state;
	struct rfsclock_status status;
	struct clockpage *first = f->page;

	publish(f);
	assert_int_equal(rfsclock_status(f->clock, &status), 0);
	assert_int_equal(status.generation, 1);
	f->page = new_page(f, 2);
	publish(f);
	assert_int_equal(rfsclock_status(f->clock, &status), 0);
	assert_int_equal(status.generation, 2);
	assert_int_equal(status.now.quality, RFSCLOCK_SYNCED);
	page_unmap(first);
}

static void the_status_tells_the_parts(void **state)
{
	struct fixture *f = *state;
	struct clock_sample sample = synced_sample();
	struct rfsclock_status status;

	sample.part_delay_ns = 20;
	sample.part_dispersion_ns = 15;
	sample.part_drift_ns = 10;
	sample.part_unslewed_ns = 5;
	sample.drift_ppb = -77;
	clockpage_write(f->page, &sample);
	assert_int_equal(rfsclock_status(f->clock, &status), 0);
	assert_int_equal(status.part_delay_ns, 20);
	assert_int_equal(status.part_dispersion_ns, 15);
	assert_int_equal(status.part_drift_ns, 10);
	assert_int_equal(status.part_unslewed_ns, 5);
	assert_int_equal(status.drift_ppb, -77);
	assert_int_equal(status.offset_ns, 1000 * NS_PER_SEC);
	assert_true(status.age_ns >= 0);
}

static void what_is_no_clock_page_is_refused(void **state)
{
	struct fixture *f = *state;
	struct rfsclock *clock = NULL;
	char path[80];

	snprintf(path, sizeof(path), "%s/other", f->dir);
	assert_int_equal(rfsclock_open(path, &clock), ENOENT);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(rfsclock_open(path, &clock), EPROTO);
	assert_int_equal(ftruncate(fd, PAGE_BYTES), 0);
	assert_int_equal(rfsclock_open(path, &clock), EPROTO);
	assert_null(clock);
	close(fd);
	unlink(path);
}

/* -- the time stamp counter ---------------------------------------------- */

/* raw as a line over the TSC, to within a microsecond: what timesyncd finds
 * better and with proof. life 0 where there is none. */
static struct clock_tsc measured_line(const struct clock_sample *sample)
{
	const int64_t error_ns = 20 * NS_PER_US;
	struct clock_tsc line = { 0 };

	if (!tsc_is_invariant())
		return line;
	uint64_t first = tsc_read();
	int64_t first_ns = clock_raw_ns();

	usleep(20000);
	line.base = tsc_read();
	line.raw_ns = clock_raw_ns();
	line.raw_mult = (uint64_t)(((unsigned __int128)(line.raw_ns - first_ns)
				    << 64) / (line.base - first));
	line.life = 3000000000;
	line.cluster_ns = line.raw_ns + sample->offset_ns;
	line.half_ns = sample->bound_ns + error_ns;
	line.mult = line.raw_mult;
	/* 0.1 %: two readings 20 ms apart, each off by a few microseconds */
	line.growth = line.raw_mult / 1000;
	line.error_ns = error_ns;
	return line;
}

static bool by_tsc(struct fixture *f)
{
	struct rfsclock_status status;

	assert_int_equal(rfsclock_status(f->clock, &status), 0);
	return status.tsc_error_ns >= 0;
}

/* What was published holds 1000 s + raw; whichever way it is read. */
static void assert_right(struct fixture *f)
{
	struct rfsclock_interval now;
	int64_t before_ns = clock_raw_ns() + 1000 * NS_PER_SEC;

	assert_int_equal(rfsclock_now(f->clock, &now), 0);
	int64_t after_ns = clock_raw_ns() + 1000 * NS_PER_SEC;

	assert_int_equal(now.quality, RFSCLOCK_SYNCED);
	assert_true(now.earliest_ns <= after_ns);
	assert_true(now.latest_ns >= before_ns);
}

static void a_line_over_the_tsc_is_read_once_it_agrees(void **state)
{
	struct fixture *f = *state;
	struct clock_sample sample = synced_sample();

	sample.tsc = measured_line(&sample);
	if (sample.tsc.life == 0)
		skip();
	clockpage_write(f->page, &sample);
	for (int i = 0; i < 1000; i++)
		assert_right(f);
	assert_true(by_tsc(f));
	assert_int_equal(rfsclock_use_tsc(f->clock, false), 0);
	assert_right(f);
	assert_false(by_tsc(f));
	assert_int_equal(rfsclock_use_tsc(f->clock, true), 0);
	assert_right(f);
	assert_true(by_tsc(f));
}

static void a_line_that_disagrees_with_raw_is_not_read(void **state)
{
	struct fixture *f = *state;
	struct clock_sample sample = synced_sample();

	sample.tsc = measured_line(&sample);
	if (sample.tsc.life == 0)
		skip();
	sample.tsc.raw_ns += 500 * NS_PER_US;
	sample.tsc.cluster_ns += 500 * NS_PER_US;
	clockpage_write(f->page, &sample);
	for (int i = 0; i < 100; i++)
		assert_right(f);
	assert_false(by_tsc(f));
}

static void a_line_is_not_read_beyond_its_life(void **state)
{
	struct fixture *f = *state;
	struct clock_sample sample = synced_sample();

	sample.tsc = measured_line(&sample);
	if (sample.tsc.life == 0)
		skip();
	sample.tsc.life = 60000000; /* some 20 ms */
	clockpage_write(f->page, &sample);
	assert_right(f);
	usleep(100000);
	/* Anything the line said now would be wrong. */
	assert_right(f);
	assert_false(by_tsc(f));
}

static void a_counter_that_went_back_is_not_read(void **state)
{
	struct fixture *f = *state;
	struct clock_sample sample = synced_sample();

	sample.tsc = measured_line(&sample);
	if (sample.tsc.life == 0)
		skip();
	sample.tsc.base += UINT64_C(1) << 40;
	clockpage_write(f->page, &sample);
	assert_right(f);
	assert_false(by_tsc(f));
}

/* As seen from another time namespace, or another machine. */
static void a_page_of_another_raw_clock_says_nothing(void **state)
{
	struct fixture *f = *state;
	struct clock_sample sample = synced_sample();
	struct rfsclock_interval now;

	sample.tsc = measured_line(&sample);
	if (sample.tsc.life == 0)
		skip();
	sample.tsc.raw_ns += NS_PER_SEC;
	sample.tsc.cluster_ns += NS_PER_SEC;
	clockpage_write(f->page, &sample);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(rfsclock_now(f->clock, &now), 0);
		assert_int_equal(now.quality, RFSCLOCK_UNSYNCED);
		assert_true(now.latest_ns == INT64_MAX);
	}
	sample = synced_sample();
	sample.tsc = measured_line(&sample);
	clockpage_write(f->page, &sample);
	assert_right(f);
}

static void a_sample_that_lost_its_bound_is_not_read_by_its_number(
	void **state)
{
	struct fixture *f = *state;
	struct clock_sample sample = synced_sample();
	struct rfsclock_interval now;

	publish(f);
	assert_right(f);
	sample.quality = CLOCK_DISRUPTED;
	clockpage_write(f->page, &sample);
	assert_int_equal(rfsclock_now(f->clock, &now), 0);
	assert_int_equal(now.quality, RFSCLOCK_DISRUPTED);
	sample.quality = CLOCK_SYNCED;
	sample.void_after_ns = sample.asof_ns - 1;
	clockpage_write(f->page, &sample);
	assert_int_equal(rfsclock_now(f->clock, &now), 0);
	assert_int_equal(now.quality, RFSCLOCK_UNSYNCED);
}

/* -- threads ------------------------------------------------------------- */

struct readers {
	struct rfsclock *clock;
	atomic_bool stop;
	atomic_int wrong;
	atomic_long reads;
};

static void *read_on(void *arg)
{
	struct readers *readers = arg;

	while (!atomic_load(&readers->stop)) {
		struct rfsclock_interval now;
		int64_t early_ns = clock_raw_ns() + 1000 * NS_PER_SEC;

		if (rfsclock_now(readers->clock, &now) != 0)
			continue;
		int64_t late_ns = clock_raw_ns() + 1000 * NS_PER_SEC;
		if (now.quality == RFSCLOCK_SYNCED &&
		    (now.latest_ns < early_ns || now.earliest_ns > late_ns))
			atomic_fetch_add(&readers->wrong, 1);
		atomic_fetch_add(&readers->reads, 1);
	}
	return NULL;
}

static void threads_read_while_the_page_changes_and_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct readers readers = { .clock = f->clock };
	struct clock_sample first = synced_sample();
	struct clock_tsc line = measured_line(&first);
	pthread_t threads[3];

	publish(f);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, read_on, &readers),
			0);
	for (uint64_t generation = 2; generation < 6; generation++) {
		struct clockpage *old = f->page;

		for (int i = 0; i < 2000; i++) {
			struct clock_sample sample = synced_sample();

			/* With a line, and without, in turn. */
			if (i % 2)
				sample.tsc = line;
			clockpage_write(f->page, &sample);
		}
		f->page = new_page(f, generation);
		publish(f);
		page_unmap(old);
		usleep(20000);
	}
	atomic_store(&readers.stop, true);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(readers.wrong, 0);
	assert_true(readers.reads > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define ON_PAGE(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
		ON_PAGE(the_interval_holds_cluster_time),
		ON_PAGE(without_a_bound_the_interval_is_everything),
		ON_PAGE(a_page_its_writer_left_behind_becomes_unsynced),
		ON_PAGE(disrupted_is_told_and_has_no_interval),
		ON_PAGE(before_and_after_are_certain_or_silent),
		ON_PAGE(waiting_ends_when_the_instant_is_certainly_past),
		ON_PAGE(waiting_gives_up_at_its_timeout),
		ON_PAGE(a_writer_killed_inside_an_update_leaves_the_last_sample),
		ON_PAGE(a_reader_that_never_saw_a_sample_is_told_so),
		ON_PAGE(a_restarted_writer_is_followed_by_path),
		ON_PAGE(the_status_tells_the_parts),
		ON_PAGE(what_is_no_clock_page_is_refused),
		ON_PAGE(a_line_over_the_tsc_is_read_once_it_agrees),
		ON_PAGE(a_line_that_disagrees_with_raw_is_not_read),
		ON_PAGE(a_line_is_not_read_beyond_its_life),
		ON_PAGE(a_counter_that_went_back_is_not_read),
		ON_PAGE(a_page_of_another_raw_clock_says_nothing),
		ON_PAGE(a_sample_that_lost_its_bound_is_not_read_by_its_number),
		ON_PAGE(threads_read_while_the_page_changes_and_is_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
