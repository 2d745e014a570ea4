/* Shared pages: who can map what, before and after the seal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/page.h"

#define MAGIC 0x11223344u

struct fixture {
	int fd;
	void *early;
};

static int make_page(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(page_create("test", MAGIC, 1, 7, &f->fd, &f->early),
			 RFS_ERR_OK);
	*state = f;
	return 0;
}

static int drop_page(void **state)
{
	struct fixture *f = *state;

	page_unmap(f->early);
	close(f->fd);
	free(f);
	return 0;
}

static void a_new_page_has_its_head_and_zeros(void **state)
{
	struct fixture *f = *state;
	const struct page_head *head = f->early;
	const uint8_t *body = f->early;

	assert_int_equal(head->magic, MAGIC);
	assert_int_equal(head->version, 1);
	assert_int_equal(head->generation, 7);
	for (size_t i = sizeof(*head); i < PAGE_BYTES; i++)
		assert_int_equal(body[i], 0);
}

static void what_the_writer_writes_readers_see(void **state)
{
	struct fixture *f = *state;
	void *writer;
	const void *reader;

	assert_int_equal(page_map_writer(f->fd, MAGIC, 1, &writer),
			 RFS_ERR_OK);
	assert_int_equal(page_seal(f->fd), RFS_ERR_OK);
	assert_int_equal(page_map_reader(f->fd, MAGIC, 1, &reader),
			 RFS_ERR_OK);

	((uint8_t *)writer)[100] = 42;
	assert_int_equal(((const uint8_t *)reader)[100], 42);

	page_unmap(writer);
	page_unmap(reader);
}

static void a_sealed_page_refuses_every_later_writer(void **state)
{
	struct fixture *f = *state;
	char self[64];
	void *map;

	assert_false(page_is_sealed(f->fd));
	assert_int_equal(page_seal(f->fd), RFS_ERR_OK);
	assert_true(page_is_sealed(f->fd));
	assert_int_equal(page_seal(f->fd), RFS_ERR_OK);

	assert_int_equal(page_map_writer(f->fd, MAGIC, 1, &map),
			 RFS_ERR_DENIED);
	assert_int_equal(pwrite(f->fd, "x", 1, 100), -1);
	assert_int_equal(ftruncate(f->fd, 0), -1);
	assert_int_equal(ftruncate(f->fd, 2 * PAGE_BYTES), -1);
	assert_int_equal(fallocate(f->fd,
				   FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   0, PAGE_BYTES),
			 -1);

	/* Neither by opening it again, nor by changing a reader's mapping. */
	snprintf(self, sizeof(self), "/proc/self/fd/%d", f->fd);
	int again = open(self, O_RDWR | O_CLOEXEC);
	if (again >= 0) {
		assert_int_equal(page_map_writer(again, MAGIC, 1, &map),
				 RFS_ERR_DENIED);
		close(again);
	}
	const void *reader;
	assert_int_equal(page_map_reader(f->fd, MAGIC, 1, &reader),
			 RFS_ERR_OK);
	assert_int_equal(mprotect((void *)(uintptr_t)reader, PAGE_BYTES,
				  PROT_READ | PROT_WRITE),
			 -1);
	page_unmap(reader);
}

static void the_creators_mapping_outlives_the_seal(void **state)
{
	struct fixture *f = *state;
	const void *reader;

	assert_int_equal(page_seal(f->fd), RFS_ERR_OK);
	assert_int_equal(page_map_reader(f->fd, MAGIC, 1, &reader),
			 RFS_ERR_OK);
	assert_false(page_is_superseded(reader));
	page_supersede(f->early);
	assert_true(page_is_superseded(reader));
	page_unmap(reader);
}

static void an_unsealed_page_cannot_change_size_either(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(ftruncate(f->fd, 0), -1);
	assert_int_equal(ftruncate(f->fd, 2 * PAGE_BYTES), -1);
}

static void a_page_of_another_kind_or_layout_is_refused(void **state)
{
	struct fixture *f = *state;
	const void *map = NULL;
	void *writable = NULL;

	assert_int_equal(page_map_reader(f->fd, MAGIC + 1, 1, &map),
			 RFS_ERR_VERSION);
	assert_int_equal(page_map_reader(f->fd, MAGIC, 2, &map),
			 RFS_ERR_VERSION);
	assert_int_equal(page_map_writer(f->fd, MAGIC + 1, 1, &writable),
			 RFS_ERR_VERSION);
	assert_null(map);
	assert_null(writable);
}

static void a_file_of_another_size_is_refused(void **state)
{
	(void)state;
	int fd = memfd_create("short", MFD_CLOEXEC);
	const uint32_t head[2] = { MAGIC, 1 };
	const void *map = NULL;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, head, sizeof(head)), sizeof(head));
	assert_int_equal(page_map_reader(fd, MAGIC, 1, &map), RFS_ERR_VERSION);
	assert_null(map);
	close(fd);
}

static void a_new_file_view_supersedes_the_old_one(void **state)
{
	(void)state;
	char dir[] = "/tmp/page_test.XXXXXX";
	char path[64];
	void *first, *second;
	const void *old_reader, *new_reader;
	struct stat status;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/clock.page", dir);

	assert_int_equal(page_create_file(path, MAGIC, 1, 1, &first),
			 RFS_ERR_OK);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0644);
	assert_int_equal(page_map_reader(fd, MAGIC, 1, &old_reader),
			 RFS_ERR_OK);
	close(fd);

	assert_int_equal(page_create_file(path, MAGIC, 1, 2, &second),
			 RFS_ERR_OK);
	assert_true(page_is_superseded(old_reader));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(page_map_reader(fd, MAGIC, 1, &new_reader),
			 RFS_ERR_OK);
	close(fd);
	assert_false(page_is_superseded(new_reader));
	assert_int_equal(((const struct page_head *)new_reader)->generation,
			 2);

	page_unmap(old_reader);
	page_unmap(new_reader);
	page_unmap(first);
	page_unmap(second);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define ON_PAGE(t) cmocka_unit_test_setup_teardown(t, make_page, drop_page)
		ON_PAGE(a_new_page_has_its_head_and_zeros),
		ON_PAGE(what_the_writer_writes_readers_see),
		ON_PAGE(a_sealed_page_refuses_every_later_writer),
		ON_PAGE(the_creators_mapping_outlives_the_seal),
		ON_PAGE(an_unsealed_page_cannot_change_size_either),
		ON_PAGE(a_page_of_another_kind_or_layout_is_refused),
		cmocka_unit_test(a_file_of_another_size_is_refused),
		cmocka_unit_test(a_new_file_view_supersedes_the_old_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
