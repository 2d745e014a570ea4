/* From the core's clock to the page and its file view. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "timesyncd/publish.h"

static void publishing_fills_page_and_file_and_seals(void **state)
{
	(void)state;
	char dir[] = "/tmp/publish.XXXXXX";
	char path[64];
	int fd;
	void *early;
	const void *map;
	struct publish publish;
	struct clock_sample page, view;
	const struct timesync_clock clock = {
		.quality = TIMESYNC_SYNCED,
		.epoch = 4,
		.asof_ns = 10,
		.offset_ns = 20,
		.bound_ns = 30,
		.drift_ppb = -40,
		.growth_ppb = 50,
		.void_after_ns = 60,
		.disruptions = 2,
		.part_delay_ns = 5,
		.part_dispersion_ns = 6,
		.part_drift_ns = 9,
		.part_unslewed_ns = 10,
	};

	assert_non_null(mkdtemp(dir));
	assert_int_equal(page_create("clock", CLOCKPAGE_MAGIC,
				     CLOCKPAGE_VERSION, 3, &fd, &early),
			 RFS_ERR_OK);
	assert_int_equal(publish_init(&publish, fd, 3, dir), RFS_ERR_OK);
	assert_true(page_is_sealed(fd));
	assert_int_equal(clockpage_read(early, &page), RFS_ERR_OK);
	assert_int_equal(page.quality, CLOCK_UNSYNCED);
	assert_int_equal(page.disruptions, 3 << 12);
	publish_clock(&publish, &clock);
	assert_int_equal(clockpage_read(early, &page), RFS_ERR_OK);
	assert_int_equal(page.quality, CLOCK_SYNCED);
	assert_int_equal(page.epoch, 4);
	assert_int_equal(page.asof_ns, 10);
	assert_int_equal(page.offset_ns, 20);
	assert_int_equal(page.bound_ns, 30);
	assert_int_equal(page.drift_ppb, -40);
	assert_int_equal(page.growth_ppb, 50);
	assert_int_equal(page.void_after_ns, 60);
	assert_int_equal(page.part_delay_ns, 5);
	assert_int_equal(page.part_dispersion_ns, 6);
	assert_int_equal(page.part_drift_ns, 9);
	assert_int_equal(page.part_unslewed_ns, 10);
	assert_true(page.wall_offset_ns > 0);
	/* Never the same in two generations. */
	assert_int_equal(page.disruptions, (3 << 12) + 2);
	assert_int_equal(publish_disruptions(&publish, &clock),
			 page.disruptions);

	snprintf(path, sizeof(path), "%s/%s", dir, PUBLISH_FILE);
	int file = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(file >= 0);
	assert_int_equal(page_map_reader(file, CLOCKPAGE_MAGIC,
					 CLOCKPAGE_VERSION, &map),
			 RFS_ERR_OK);
	assert_int_equal(clockpage_read(map, &view), RFS_ERR_OK);
	assert_memory_equal(&page, &view, sizeof(page));

	page_unmap(map);
	close(file);
	publish_fini(&publish);
	page_unmap(early);
	close(fd);
	unlink(path);
	rmdir(dir);
}

static void a_page_that_was_sealed_is_not_taken(void **state)
{
	(void)state;
	int fd;
	void *early;
	struct publish publish;

	assert_int_equal(page_create("clock", CLOCKPAGE_MAGIC,
				     CLOCKPAGE_VERSION, 3, &fd, &early),
			 RFS_ERR_OK);
	assert_int_equal(page_seal(fd), RFS_ERR_OK);
	assert_int_equal(publish_init(&publish, fd, 3, "/tmp"),
			 RFS_ERR_DENIED);
	page_unmap(early);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(publishing_fills_page_and_file_and_seals),
		cmocka_unit_test(a_page_that_was_sealed_is_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
