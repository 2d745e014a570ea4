/* TCP's round trips out of a mapping: which row counts, and when none does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "common/units.h"
#include "timesyncd/core/guard.h"
#include "timesyncd/paths.h"

struct fixture {
	struct path_rtt *rows;
	struct paths paths;
};

static int set_up(void **state)
{
	const size_t bytes = PATH_RTT_ROWS * sizeof(struct path_rtt);
	struct fixture *f = calloc(1, sizeof(*f));
	int fd = memfd_create("paths", MFD_CLOEXEC);

	assert_non_null(f);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	f->rows = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(f->rows, MAP_FAILED);
	paths_take(&f->paths, fd);
	assert_non_null(f->paths.rows);
	close(fd);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	paths_fini(&f->paths);
	munmap(f->rows, PATH_RTT_ROWS * sizeof(struct path_rtt));
	free(f);
	return 0;
}

static int64_t least_ns(const struct fixture *f, uint32_t node)
{
	int64_t rtt_ns, age_ns;

	paths_least(&f->paths, node, &rtt_ns, &age_ns);
	assert_true(age_ns >= 0);
	return rtt_ns;
}

static void a_nodes_least_row_counts(void **state)
{
	struct fixture *f = *state;
	uint64_t now_ns = (uint64_t)clock_boot_ns();

	f->rows[0] = (struct path_rtt){ 2, 0, 300, now_ns };
	f->rows[1] = (struct path_rtt){ 2, 0, 200, now_ns };
	f->rows[2] = (struct path_rtt){ 3, 0, 100, now_ns };
	f->rows[PATH_RTT_ROWS - 1] = (struct path_rtt){ 4, 0, 7, now_ns };
	assert_int_equal(least_ns(f, 2), 200 * NS_PER_US);
	assert_int_equal(least_ns(f, 3), 100 * NS_PER_US);
	assert_int_equal(least_ns(f, 4), 7 * NS_PER_US);
	assert_int_equal(least_ns(f, 5), 0);
}

static void rows_too_old_or_never_filled_say_nothing(void **state)
{
	struct fixture *f = *state;
	int64_t now_ns = clock_boot_ns();
	int64_t old_ns = now_ns - GUARD_TCP_AGE_MAX_NS - NS_PER_SEC;

	f->rows[0] = (struct path_rtt){ 2, 0, 100, (uint64_t)old_ns };
	f->rows[1] = (struct path_rtt){ 3, 0, 0, (uint64_t)now_ns };
	f->rows[2] = (struct path_rtt){ 4, 0, UINT64_MAX, (uint64_t)now_ns };
	for (uint32_t node = 2; node <= 4; node++)
		assert_int_equal(least_ns(f, node), 0);
	f->rows[3] = (struct path_rtt){ 2, 0, 900, (uint64_t)now_ns };
	assert_int_equal(least_ns(f, 2), 900 * NS_PER_US);
}

static void without_a_mapping_nothing_is_known(void **state)
{
	struct fixture *f = *state;

	/* A descriptor that cannot be mapped changes nothing. */
	paths_take(&f->paths, -1);
	assert_non_null(f->paths.rows);
	paths_fini(&f->paths);
	assert_int_equal(least_ns(f, 2), 0);
	paths_fini(&f->paths);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_nodes_least_row_counts,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			rows_too_old_or_never_filled_say_nothing, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			without_a_mapping_nothing_is_known, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("paths", tests, NULL, NULL);
}
