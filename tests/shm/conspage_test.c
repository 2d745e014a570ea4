/* The consensus page: whole samples, and nothing once its writer is gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "shm/conspage.h"

struct fixture {
	int fd;
	struct conspage *page;
	const struct conspage *view;
};

static int make_page(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	void *map;
	const void *view;

	assert_non_null(f);
	assert_int_equal(page_create("cons", CONSPAGE_MAGIC, CONSPAGE_VERSION,
				     1, &f->fd, &map),
			 RFS_ERR_OK);
	f->page = map;
	assert_int_equal(page_map_reader(f->fd, CONSPAGE_MAGIC,
					 CONSPAGE_VERSION, &view),
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

static struct cons_sample sample_of(uint64_t n)
{
	return (struct cons_sample){
		.term = n,
		.node = (uint32_t)n + 1,
		.role = (enum conspage_role)(n & 3),
		.leader = (uint32_t)n + 2,
		.lease_valid = (n & 1) != 0,
		.lease_disruptions = (uint32_t)n + 3,
		.lease_until_raw_ns = (int64_t)n * 5,
		.commit_index = n * 7,
		.last_index = n * 9,
		.limbo_index = n * 8,
		.epoch = n + 4,
		.epoch_raw_ns = (int64_t)n * 11,
		.epoch_ts_ns = -(int64_t)n,
		.incarnation = n ^ 0xabcdef,
	};
}

static void assert_same(const struct cons_sample *a,
			const struct cons_sample *b)
{
	assert_int_equal(a->term, b->term);
	assert_int_equal(a->node, b->node);
	assert_int_equal(a->role, b->role);
	assert_int_equal(a->leader, b->leader);
	assert_int_equal(a->lease_valid, b->lease_valid);
	assert_int_equal(a->lease_disruptions, b->lease_disruptions);
	assert_int_equal(a->lease_until_raw_ns, b->lease_until_raw_ns);
	assert_int_equal(a->commit_index, b->commit_index);
	assert_int_equal(a->last_index, b->last_index);
	assert_int_equal(a->limbo_index, b->limbo_index);
	assert_int_equal(a->epoch, b->epoch);
	assert_int_equal(a->epoch_raw_ns, b->epoch_raw_ns);
	assert_int_equal(a->epoch_ts_ns, b->epoch_ts_ns);
	assert_int_equal(a->incarnation, b->incarnation);
}

static void what_is_written_is_read(void **state)
{
	struct fixture *f = *state;
	struct cons_sample in = sample_of(77), out;

	conspage_write(f->page, &in);
	assert_int_equal(conspage_read(f->view, &out), RFS_ERR_OK);
	assert_same(&in, &out);
}

static void a_revoked_page_is_stale_at_once(void **state)
{
	struct fixture *f = *state;
	struct cons_sample in = sample_of(1), out;

	conspage_write(f->page, &in);
	conspage_revoke(f->page);
	assert_int_equal(conspage_read(f->view, &out), RFS_ERR_STALE);
}

static void a_superseded_page_is_stale_at_once(void **state)
{
	struct fixture *f = *state;
	struct cons_sample in = sample_of(1), out;

	conspage_write(f->page, &in);
	page_supersede(f->page);
	assert_int_equal(conspage_read(f->view, &out), RFS_ERR_STALE);
}

static void a_writer_stopped_inside_an_update_is_busy(void **state)
{
	struct fixture *f = *state;
	struct cons_sample out;

	atomic_fetch_add(&f->page->seq, 1);
	assert_int_equal(conspage_read(f->view, &out), RFS_ERR_BUSY);
}

static void a_writer_killed_inside_an_update_is_stale(void **state)
{
	struct fixture *f = *state;
	struct cons_sample out;

	atomic_fetch_add(&f->page->seq, 1);
	conspage_revoke(f->page);
	assert_int_equal(conspage_read(f->view, &out), RFS_ERR_STALE);
}

static void another_layout_is_refused(void **state)
{
	struct fixture *f = *state;
	struct cons_sample out;

	f->page->head.version++;
	assert_int_equal(conspage_read(f->view, &out), RFS_ERR_VERSION);
}

struct load {
	struct conspage *page;
	atomic_bool stop;
};

/* Bursts of updates: a reader meets some, and gets a word in between. */
static void *write_in_bursts(void *arg)
{
	struct load *load = arg;

	for (uint64_t n = 1; !atomic_load(&load->stop); n++) {
		struct cons_sample sample = sample_of(n);

		conspage_write(load->page, &sample);
		for (volatile int pause = 0; pause < (int)(n & 255); pause++)
			continue;
	}
	return NULL;
}

static void a_reader_beside_a_busy_writer_never_sees_a_mixture(void **state)
{
	struct fixture *f = *state;
	struct load load = { .page = f->page };
	struct cons_sample zero = sample_of(0);
	pthread_t writer;
	int whole = 0;

	conspage_write(f->page, &zero);
	assert_int_equal(
		pthread_create(&writer, NULL, write_in_bursts, &load), 0);
	for (int i = 0; i < 2000000 && whole < 100000; i++) {
		struct cons_sample got, expected;

		if (conspage_read(f->view, &got) != RFS_ERR_OK)
			continue;
		expected = sample_of(got.term);
		assert_same(&got, &expected);
		whole++;
	}
	atomic_store(&load.stop, true);
	pthread_join(writer, NULL);
	assert_true(whole > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define ON_PAGE(t) cmocka_unit_test_setup_teardown(t, make_page, drop_page)
		ON_PAGE(what_is_written_is_read),
		ON_PAGE(a_revoked_page_is_stale_at_once),
		ON_PAGE(a_superseded_page_is_stale_at_once),
		ON_PAGE(a_writer_stopped_inside_an_update_is_busy),
		ON_PAGE(a_writer_killed_inside_an_update_is_stale),
		ON_PAGE(another_layout_is_refused),
		ON_PAGE(a_reader_beside_a_busy_writer_never_sees_a_mixture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
