/* Page generations, revocation and a dead raftd's last words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shm/conspage.h"
#include "shm/page.h"
#include "supervisor/pages.h"

static struct page_slot slot;

static int set_up(void **state)
{
	(void)state;
	pages_init_cons(&slot);
	return pages_renew(&slot) == RFS_ERR_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	pages_fini(&slot);
	return 0;
}

static struct conspage *as_writer(void)
{
	void *map;

	assert_int_equal(page_map_writer(slot.fd, CONSPAGE_MAGIC,
					 CONSPAGE_VERSION, &map),
			 RFS_ERR_OK);
	return map;
}

static const struct conspage *as_reader(void)
{
	const void *map;

	assert_int_equal(page_map_reader(slot.reader_fd, CONSPAGE_MAGIC,
					 CONSPAGE_VERSION, &map),
			 RFS_ERR_OK);
	return map;
}

static void a_reader_cannot_write_even_before_the_seal(void **state)
{
	(void)state;
	assert_false(page_is_sealed(slot.fd));
	assert_ptr_equal(mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE,
			      MAP_SHARED, slot.reader_fd, 0),
			 MAP_FAILED);
	assert_int_equal(write(slot.reader_fd, "x", 1), -1);
}

static void a_page_left_open_is_sealed_for_its_writer(void **state)
{
	(void)state;
	pages_check_sealed(&slot);
	assert_true(page_is_sealed(slot.fd));
	pages_check_sealed(&slot); /* again: nothing to do */
}

static void renewing_marks_the_old_only_when_retired(void **state)
{
	const struct conspage *old = as_reader();

	(void)state;
	assert_int_equal(old->head.generation, 1);
	assert_int_equal(pages_renew(&slot), RFS_ERR_OK);
	assert_int_equal(slot.generation, 2);
	assert_false(page_is_superseded(old));
	pages_retire(&slot);
	assert_true(page_is_superseded(old));
	assert_int_equal(as_reader()->head.generation, 2);
	assert_false(page_is_superseded(as_reader()));
	page_unmap(old);
}

static void revoking_voids_what_readers_see(void **state)
{
	const struct cons_sample sample = { .lease_valid = true };
	struct conspage *writer = as_writer();
	const struct conspage *reader = as_reader();
	struct cons_sample got;

	(void)state;
	assert_int_equal(page_seal(slot.fd), RFS_ERR_OK);
	conspage_write(writer, &sample);
	assert_int_equal(conspage_read(reader, &got), RFS_ERR_OK);
	pages_revoke(&slot);
	assert_int_equal(conspage_read(reader, &got), RFS_ERR_STALE);
	page_unmap(writer);
	page_unmap(reader);
}

static void last_words(uint64_t want_incarnation, uint64_t want_term_led)
{
	uint64_t incarnation = 99;
	uint64_t term_led = 99;

	pages_last_words(&slot, &incarnation, &term_led);
	assert_int_equal(incarnation, want_incarnation);
	assert_int_equal(term_led, want_term_led);
}

static void a_dead_leaders_term_is_told_and_no_others(void **state)
{
	struct cons_sample sample = { .role = CONSPAGE_LEADER,
				      .term = 7,
				      .incarnation = 42 };
	struct conspage *writer = as_writer();

	(void)state;
	last_words(0, 0); /* nothing was ever written */
	conspage_write(writer, &sample);
	pages_revoke(&slot);
	last_words(42, 7);
	sample.role = CONSPAGE_FOLLOWER;
	conspage_write(writer, &sample);
	last_words(42, 0);
	page_unmap(writer);
}

static void one_who_died_while_writing_claims_nothing(void **state)
{
	const struct cons_sample sample = { .role = CONSPAGE_LEADER,
					    .term = 7,
					    .incarnation = 42 };
	struct conspage *writer = as_writer();

	(void)state;
	conspage_write(writer, &sample);
	atomic_fetch_add(&writer->seq, 1);
	last_words(0, 0);
	page_unmap(writer);
}

int main(void)
{
#define MADE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		MADE(a_reader_cannot_write_even_before_the_seal),
		MADE(a_page_left_open_is_sealed_for_its_writer),
		MADE(renewing_marks_the_old_only_when_retired),
		MADE(revoking_voids_what_readers_see),
		MADE(a_dead_leaders_term_is_told_and_no_others),
		MADE(one_who_died_while_writing_claims_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
