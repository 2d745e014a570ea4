/* Snapshots prove themselves: a damaged one is never restored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/storaged/statedir.h"

static void take(struct statedir *d, struct snapshot_meta *meta)
{
	assert_int_equal(
		snapshots_copy(d->snapshots, state_env(d->state), meta),
		RFS_ERR_OK);
	assert_int_equal(snapshots_publish(d->snapshots, meta), RFS_ERR_OK);
}

/* The path of the snapshot at index. */
static void path_of(struct statedir *d, uint64_t index, char path[512])
{
	char dir[128];
	char prefix[32];
	struct dirent *entry;

	snprintf(dir, sizeof(dir), "%s/snapshots", d->dir);
	snprintf(prefix, sizeof(prefix), "%016lx.", index);
	DIR *list = opendir(dir);
	path[0] = '\0';
	while ((entry = readdir(list)))
		if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
			snprintf(path, 512, "%s/%s", dir, entry->d_name);
	closedir(list);
}

static void it_says_where_in_the_log_it_stands(void **state)
{
	struct statedir *d = *state;
	struct snapshot_meta meta;
	struct snapshot_meta newest;

	statedir_mkdir(d, "a");
	take(d, &meta);
	assert_int_equal(meta.index, d->index);
	assert_int_equal(meta.term, 1);
	assert_int_equal(meta.ts_ns, (int64_t)d->index * 1000);
	assert_int_equal(snapshots_newest(d->snapshots, &newest), RFS_ERR_OK);
	assert_memory_equal(&newest, &meta, sizeof(meta));
}

static void the_newest_two_are_kept(void **state)
{
	struct statedir *d = *state;
	struct snapshot_meta meta[3];
	char path[512];

	for (int i = 0; i < 3; i++) {
		char name[2] = { (char)('a' + i), 0 };

		statedir_mkdir(d, name);
		take(d, &meta[i]);
	}
	path_of(d, meta[0].index, path);
	assert_string_equal(path, "");
	path_of(d, meta[1].index, path);
	assert_string_not_equal(path, "");
	path_of(d, meta[2].index, path);
	assert_string_not_equal(path, "");
}

static void a_damaged_one_is_passed_over_for_an_older(void **state)
{
	struct statedir *d = *state;
	struct snapshot_meta older;
	struct snapshot_meta newer;
	struct snapshot_meta restored;
	char path[512];

	statedir_mkdir(d, "a");
	take(d, &older);
	statedir_mkdir(d, "b");
	take(d, &newer);
	path_of(d, newer.index, path);
	scratch_flip(path, 9000);
	snprintf(path, sizeof(path), "%s/restored", d->dir);
	assert_int_equal(snapshots_restore(d->snapshots, path, &restored),
			 RFS_ERR_OK);
	assert_int_equal(restored.index, older.index);
}

static void none_sound_means_none(void **state)
{
	struct statedir *d = *state;
	struct snapshot_meta meta;
	char path[512];

	snprintf(path, sizeof(path), "%s/restored", d->dir);
	assert_int_equal(snapshots_restore(d->snapshots, path, &meta),
			 RFS_ERR_NOENT);
	statedir_mkdir(d, "a");
	take(d, &meta);
	path_of(d, meta.index, path);
	scratch_flip(path, 9000);
	snprintf(path, sizeof(path), "%s/restored", d->dir);
	assert_int_equal(snapshots_restore(d->snapshots, path, &meta),
			 RFS_ERR_NOENT);
	assert_int_equal(access(path, F_OK), -1);
}

static void one_from_elsewhere_is_taken_in_only_if_it_proves_sound(void **state)
{
	struct statedir *d = *state;
	struct snapshots *others;
	struct snapshot_meta meta;
	struct snapshot_meta newest;
	char dir[128];
	int fd;

	snprintf(dir, sizeof(dir), "%s/others", d->dir);
	assert_int_equal(snapshots_open(dir, &others), RFS_ERR_OK);
	statedir_mkdir(d, "a");
	take(d, &meta);
	assert_int_equal(snapshots_open_file(d->snapshots, &meta, &fd),
			 RFS_ERR_OK);

	struct snapshot_meta wrong = meta;
	wrong.sha256[0] ^= 1;
	assert_int_equal(snapshots_receive(others, fd, &wrong),
			 RFS_ERR_CORRUPT);
	wrong = meta;
	wrong.index++;
	assert_int_equal(snapshots_receive(others, fd, &wrong),
			 RFS_ERR_CORRUPT);
	assert_int_equal(snapshots_newest(others, &newest), RFS_ERR_NOENT);
	assert_int_equal(snapshots_receive(others, fd, &meta), RFS_ERR_OK);
	assert_int_equal(snapshots_newest(others, &newest), RFS_ERR_OK);
	assert_memory_equal(&newest, &meta, sizeof(meta));
	close(fd);
	snapshots_close(others);
}

static void what_was_never_finished_is_gone_after_reopening(void **state)
{
	struct statedir *d = *state;
	struct snapshot_meta meta;
	char path[128];

	statedir_mkdir(d, "a");
	assert_int_equal(
		snapshots_copy(d->snapshots, state_env(d->state), &meta),
		RFS_ERR_OK);
	snprintf(path, sizeof(path), "%s/snapshots/copying.tmp", d->dir);
	assert_int_equal(access(path, F_OK), 0);
	statedir_close(d, false);
	statedir_open(d);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(snapshots_newest(d->snapshots, &meta), RFS_ERR_NOENT);
}

int main(void)
{
#define SNAP_TEST(name) \
	cmocka_unit_test_setup_teardown(name, statedir_setup, statedir_teardown)
	const struct CMUnitTest tests[] = {
		SNAP_TEST(it_says_where_in_the_log_it_stands),
		SNAP_TEST(the_newest_two_are_kept),
		SNAP_TEST(a_damaged_one_is_passed_over_for_an_older),
		SNAP_TEST(none_sound_means_none),
		SNAP_TEST(one_from_elsewhere_is_taken_in_only_if_it_proves_sound),
		SNAP_TEST(what_was_never_finished_is_gone_after_reopening),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
