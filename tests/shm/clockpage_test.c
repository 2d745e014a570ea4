/* The clock page: whole samples or BUSY, never torn; intervals that hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/clockpage.h"

struct fixture {
	int fd;
	struct clockpage *page;	      /* writer's */
	const struct clockpage *view; /* reader's */
};

static int make_page(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	void *map;
	const void *view;

	assert_non_null(f);
	assert_int_equal(page_create("clock", CLOCKPAGE_MAGIC,
				     CLOCKPAGE_VERSION, 1, &f->fd, &map),
			 RFS_ERR_OK);
	f->page = map;
	assert_int_equal(page_map_reader(f->fd, CLOCKPAGE_MAGIC,
					 CLOCKPAGE_VERSION, &view),
			 RFS_ERR_OK);
	f->view = view;
	*state = f;
	return 0;
}

static int drop_page(void **state)
{
	struct fixture *f = *state;

	page_unmap(f->page);
	page_unmap(f->view);
	close(f->fd);
	free(f);
	return 0;
}

/* Every field follows from n, so that a mixture of two shows. */
static struct clock_sample sample_of(int64_t n)
{
	return (struct clock_sample){
		.quality = (enum clock_quality)(n & 3),
		.disruptions = (uint32_t)n,
		.epoch = (uint64_t)n,
		.asof_ns = n * 2,
		.offset_ns = -n,
		.bound_ns = n * 3,
		.drift_ppb = (int32_t)(n % 1000) - 500,
		.growth_ppb = (uint32_t)(n % 1000),
		.void_after_ns = n * 5,
		.wall_offset_ns = n * 7,
		.part_delay_ns = n,
		.part_dispersion_ns = n + 1,
		.part_drift_ns = n + 2,
		.part_unslewed_ns = n - 3,
		.tsc = { .base = (uint64_t)n + 4,
			 .life = (uint64_t)n + 5,
			 .cluster_ns = n + 6,
			 .half_ns = n + 7,
			 .mult = (uint64_t)n + 8,
			 .growth = (uint64_t)n + 9,
			 .raw_ns = n + 10,
			 .raw_mult = (uint64_t)n + 11,
			 .error_ns = n + 12 },
	};
}

static void assert_same(const struct clock_sample *a,
			const struct clock_sample *b)
{
	assert_int_equal(a->quality, b->quality);
	assert_int_equal(a->disruptions, b->disruptions);
	assert_int_equal(a->epoch, b->epoch);
	assert_int_equal(a->asof_ns, b->asof_ns);
	assert_int_equal(a->offset_ns, b->offset_ns);
	assert_int_equal(a->bound_ns, b->bound_ns);
	assert_int_equal(a->drift_ppb, b->drift_ppb);
	assert_int_equal(a->growth_ppb, b->growth_ppb);
	assert_int_equal(a->void_after_ns, b->void_after_ns);
	assert_int_equal(a->wall_offset_ns, b->wall_offset_ns);
	assert_int_equal(a->part_delay_ns, b->part_delay_ns);
	assert_int_equal(a->part_dispersion_ns, b->part_dispersion_ns);
	assert_int_equal(a->part_drift_ns, b->part_drift_ns);
	assert_int_equal(a->part_unslewed_ns, b->part_unslewed_ns);
	assert_memory_equal(&a->tsc, &b->tsc, sizeof(a->tsc));
}

static void what_is_written_is_read(void **state)
{
	struct fixture *f = *state;
	struct clock_sample in = sample_of(123456789), out;

	clockpage_write(f->page, &in);
	assert_int_equal(clockpage_read(f->view, &out), RFS_ERR_OK);
	assert_same(&in, &out);
}

static void a_fresh_page_is_unsynced(void **state)
{
	struct fixture *f = *state;
	struct clock_sample out;

	assert_int_equal(clockpage_read(f->view, &out), RFS_ERR_OK);
	assert_int_equal(out.quality, CLOCK_UNSYNCED);
	assert_true(interval_is_empty(clock_sample_at(&out, 1)));
}

static void a_writer_dead_inside_an_update_is_busy(void **state)
{
	struct fixture *f = *state;
	struct clock_sample in = sample_of(1), out = sample_of(99);
	struct clock_sample before = out;

	clockpage_write(f->page, &in);
	atomic_fetch_add(&f->page->seq, 1);
	assert_int_equal(clockpage_read(f->view, &out), RFS_ERR_BUSY);
	assert_same(&out, &before); /* untouched */
}

static void another_layout_is_refused(void **state)
{
	struct fixture *f = *state;
	struct clock_sample out;

	f->page->head.version++;
	assert_int_equal(clockpage_read(f->view, &out), RFS_ERR_VERSION);
	f->page->head.version--;
	f->page->head.magic ^= 1;
	assert_int_equal(clockpage_read(f->view, &out), RFS_ERR_VERSION);
}

static void a_superseded_page_ages_validly(void **state)
{
	struct fixture *f = *state;
	struct clock_sample in = sample_of(5), out;

	clockpage_write(f->page, &in);
	page_supersede(f->page);
	assert_int_equal(clockpage_read(f->view, &out), RFS_ERR_OK);
	assert_same(&in, &out);
}

struct load {
	struct clockpage *page;
	atomic_bool stop;
};

/* Bursts of updates: a reader meets some, and gets a word in between. */
static void *write_in_bursts(void *arg)
{
	struct load *load = arg;

	for (int64_t n = 1; !atomic_load(&load->stop); n++) {
		struct clock_sample sample = sample_of(n);

		clockpage_write(load->page, &sample);
		for (volatile int pause = 0; pause < (int)(n & 255); pause++)
			continue;
	}
	return NULL;
}

static void a_reader_beside_a_busy_writer_never_sees_a_mixture(void **state)
{
	struct fixture *f = *state;
	struct load load = { .page = f->page };
	struct clock_sample zero = sample_of(0);
	pthread_t writer;
	int whole = 0;

	clockpage_write(f->page, &zero);
	assert_int_equal(
		pthread_create(&writer, NULL, write_in_bursts, &load), 0);
	for (int i = 0; i < 2000000 && whole < 100000; i++) {
		struct clock_sample got, expected;

		if (clockpage_read(f->view, &got) != RFS_ERR_OK)
			continue;
		expected = sample_of((int64_t)got.epoch);
		assert_same(&got, &expected);
		whole++;
	}
	atomic_store(&load.stop, true);
	pthread_join(writer, NULL);
	assert_true(whole > 0);
}

static const struct clock_sample synced = {
	.quality = CLOCK_SYNCED,
	.epoch = 3,
	.asof_ns = 1000000000,
	.offset_ns = 500,
	.bound_ns = 100,
	.drift_ppb = 1000,
	.growth_ppb = 200000,
	.void_after_ns = 61000000000,
};

/* One second later: 1 us of drift, 200 us of growth. */
static void the_interval_follows_drift_and_grows(void **state)
{
	(void)state;
	struct interval at = clock_sample_at(&synced, 2000000000);
	int64_t middle = 2000000000 + 500 + 1000;

	assert_true(interval_contains(at, middle - 200100));
	assert_true(interval_contains(at, middle + 200100));
	assert_true(at.high_ns - at.low_ns < 2 * 200110);
}

static void there_is_no_interval_without_quality(void **state)
{
	(void)state;
	struct clock_sample sample = synced;
	int64_t t = synced.asof_ns + 1;

	assert_false(interval_is_empty(clock_sample_at(&sample, t)));
	sample.quality = CLOCK_HOLDOVER;
	assert_false(interval_is_empty(clock_sample_at(&sample, t)));
	sample.quality = CLOCK_UNSYNCED;
	assert_true(interval_is_empty(clock_sample_at(&sample, t)));
	sample.quality = CLOCK_DISRUPTED;
	assert_true(interval_is_empty(clock_sample_at(&sample, t)));
}

static void there_is_no_interval_before_asof_or_once_void(void **state)
{
	(void)state;

	assert_true(interval_is_empty(
		clock_sample_at(&synced, synced.asof_ns - 1)));
	assert_false(interval_is_empty(
		clock_sample_at(&synced, synced.void_after_ns - 1)));
	assert_true(interval_is_empty(
		clock_sample_at(&synced, synced.void_after_ns)));
}

/* Rows of raftfs-clockpage(5): ".It OFFSET Ta TYPE Ta NAME Ta ...". */
static void the_layout_is_what_the_manual_says(void **state)
{
	(void)state;
#define HEAD(f) { #f, offsetof(struct page_head, f), \
		  sizeof(((struct page_head *)0)->f) }
#define BODY(f) { #f, offsetof(struct clockpage, f), \
		  sizeof(((struct clockpage *)0)->f) }
	static const struct {
		const char *name;
		size_t offset, bytes;
	} fields[] = {
		HEAD(magic), HEAD(version), HEAD(generation), HEAD(superseded),
		HEAD(revoked), BODY(seq), BODY(quality), BODY(epoch),
		BODY(asof_ns), BODY(offset_ns), BODY(bound_ns),
		BODY(drift_ppb), BODY(growth_ppb), BODY(void_after_ns),
		BODY(disruptions), BODY(low_ns), BODY(high_ns),
		BODY(low_mult), BODY(high_mult), BODY(part_delay_ns),
		BODY(part_dispersion_ns), BODY(part_drift_ns),
		BODY(part_unslewed_ns), BODY(tsc_base), BODY(tsc_life),
		BODY(tsc_cluster_ns), BODY(tsc_half_ns), BODY(tsc_mult),
		BODY(tsc_growth), BODY(tsc_raw_ns), BODY(tsc_raw_mult),
		BODY(tsc_error_ns), BODY(wall_offset_ns),
	};
	const size_t count = sizeof(fields) / sizeof(fields[0]);
	FILE *manual = fopen("man/raftfs-clockpage.5", "r");
	char line[256];
	size_t rows = 0;

	assert_non_null(manual); /* tests run at the top of the tree */
	while (fgets(line, sizeof(line), manual)) {
		size_t offset;
		unsigned int bits;
		char name[64];

		if (sscanf(line, ".It %zu Ta %*[ui]%u Ta %63s Ta", &offset,
			   &bits, name) != 3)
			continue;
		assert_true(rows < count);
		assert_string_equal(name, fields[rows].name);
		assert_int_equal(offset, fields[rows].offset);
		assert_int_equal(bits, 8 * fields[rows].bytes);
		rows++;
	}
	fclose(manual);
	assert_int_equal(rows, count);
}

static void the_ends_move_as_the_manual_says(void **state)
{
	struct fixture *f = *state;

	clockpage_write(f->page, &synced);
	assert_int_equal(f->page->low_ns, 500 - 100 - 2);
	assert_int_equal(f->page->high_ns, 500 + 100 + 2);
	for (int64_t age_ns = 0; age_ns < 60000000000; age_ns += 777777777) {
		int64_t t = synced.asof_ns + age_ns;
		struct interval at = clock_sample_at(&synced, t);
		int64_t low_ns =
			t + f->page->low_ns +
			(int64_t)((__int128)age_ns * f->page->low_mult >> 64);
		int64_t high_ns =
			t + f->page->high_ns +
			(int64_t)((__int128)age_ns * f->page->high_mult >> 64);

		assert_true(low_ns >= at.low_ns - 2 && low_ns <= at.low_ns + 2);
		assert_true(high_ns >= at.high_ns - 2 &&
			    high_ns <= at.high_ns + 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define ON_PAGE(t) cmocka_unit_test_setup_teardown(t, make_page, drop_page)
		ON_PAGE(what_is_written_is_read),
		ON_PAGE(a_fresh_page_is_unsynced),
		ON_PAGE(a_writer_dead_inside_an_update_is_busy),
		ON_PAGE(another_layout_is_refused),
		ON_PAGE(a_superseded_page_ages_validly),
		ON_PAGE(a_reader_beside_a_busy_writer_never_sees_a_mixture),
		ON_PAGE(the_ends_move_as_the_manual_says),
		cmocka_unit_test(the_layout_is_what_the_manual_says),
		cmocka_unit_test(the_interval_follows_drift_and_grows),
		cmocka_unit_test(there_is_no_interval_without_quality),
		cmocka_unit_test(there_is_no_interval_before_asof_or_once_void),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
