/* The state on disk: batches, restarts, and the rule after a power cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>

#include "storaged/core/query.h"
#include "tests/storaged/packload.h"
#include "tests/storaged/statedir.h"

static void a_batch_is_seen_whole_when_it_is_committed(void **state)
{
	struct statedir *d = *state;
	struct command a = { .op = COMMAND_MKDIR,
			     .ino = INODE_ROOT,
			     .name = { (const uint8_t *)"a", 1 },
			     .mode = 0755 };
	struct command b = a;
	uint32_t before = d->results;

	b.name.data = (const uint8_t *)"b";
	assert_int_equal(statedir_apply(d, &a), RFS_ERR_OK);
	assert_int_equal(statedir_apply(d, &b), RFS_ERR_OK);
	assert_int_equal(state_batch_count(d->state), 2);
	assert_false(statedir_has(d, "a"));
	assert_int_equal(d->results, before);
	assert_int_equal(state_commit(d->state), RFS_ERR_OK);
	assert_int_equal(d->results, before + 2);
	assert_true(statedir_has(d, "a"));
	assert_true(statedir_has(d, "b"));
	assert_int_equal(state_applied(d->state), d->index);
}

static void a_gap_in_the_log_is_refused(void **state)
{
	struct statedir *d = *state;
	struct command a = { .op = COMMAND_NOOP };

	d->index++;
	assert_int_equal(statedir_apply(d, &a), RFS_ERR_INVALID);
}

static void small_data_is_kept_in_the_packs_before_it_is_seen(void **state)
{
	struct statedir *d = *state;
	uint8_t back[16];
	uint32_t bytes;

	statedir_put(d, "f", "hello", 5);
	uint64_t chunk = STORE_CHUNK_INLINE | d->index << 8;
	assert_int_equal(packs_load(d->packs, chunk, back, sizeof(back), &bytes),
			 RFS_ERR_OK);
	assert_memory_equal(back, "hello", 5);
	assert_int_equal(state_unkept_count(d->state), 0);
	statedir_put(d, "f", "again", 5);
	assert_int_equal(d->freed_count, 1);
	assert_int_equal(d->freed[0], chunk);
}

static void data_that_is_not_what_its_hash_says_is_not_kept(void **state)
{
	struct statedir *d = *state;
	struct command put = { .op = COMMAND_PUT,
			       .ino = INODE_ROOT,
			       .name = { (const uint8_t *)"f", 1 },
			       .data = { (const uint8_t *)"hello", 5 } };

	assert_int_equal(statedir_do(d, &put), RFS_ERR_OK);
	assert_int_equal(state_unkept_count(d->state), 1);
	assert_false(packs_has(d->packs, STORE_CHUNK_INLINE | d->index << 8));
}

static void a_killed_process_goes_on_where_it_was(void **state)
{
	struct statedir *d = *state;

	statedir_mkdir(d, "a");
	statedir_close(d, false);
	statedir_open(d);
	assert_int_equal(state_applied(d->state), d->index);
	assert_true(statedir_has(d, "a"));
}

/* What a power cut does to the mark: it names another boot. */
static void set_mark(struct statedir *d, const char *mark)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/mark", d->dir);
	FILE *file = fopen(path, "w");
	fputs(mark, file);
	fclose(file);
}

static void take_snapshot(struct statedir *d, struct snapshot_meta *meta)
{
	assert_int_equal(
		snapshots_copy(d->snapshots, state_env(d->state), meta),
		RFS_ERR_OK);
	assert_int_equal(snapshots_publish(d->snapshots, meta), RFS_ERR_OK);
}

static void after_a_power_cut_the_last_snapshot_is_the_state(void **state)
{
	struct statedir *d = *state;
	struct snapshot_meta meta;

	statedir_mkdir(d, "before");
	take_snapshot(d, &meta);
	statedir_mkdir(d, "after");
	statedir_close(d, false);
	set_mark(d, "11111111-2222-3333-4444-555555555555 running 0\n");
	statedir_open(d);
	assert_int_equal(state_applied(d->state), meta.index);
	assert_true(statedir_has(d, "before"));
	assert_false(statedir_has(d, "after"));
}

static void after_a_power_cut_without_a_snapshot_the_state_is_empty(
	void **state)
{
	struct statedir *d = *state;

	statedir_mkdir(d, "a");
	statedir_close(d, false);
	set_mark(d, "11111111-2222-3333-4444-555555555555 running 0\n");
	statedir_open(d);
	assert_int_equal(state_applied(d->state), 0);
}

static void a_clean_stop_survives_a_reboot(void **state)
{
	struct statedir *d = *state;
	char path[128];
	char mark[128];
	char word[16];

	statedir_mkdir(d, "a");
	statedir_close(d, true);
	snprintf(path, sizeof(path), "%s/mark", d->dir);
	FILE *file = fopen(path, "r");
	assert_int_equal(fscanf(file, "%127s %15s", mark, word), 2);
	fclose(file);
	assert_string_equal(word, "clean");
	set_mark(d, "11111111-2222-3333-4444-555555555555 clean 0\n");
	statedir_open(d);
	assert_int_equal(state_applied(d->state), d->index);
}

static void a_condemned_state_is_not_used_again(void **state)
{
	struct statedir *d = *state;

	statedir_mkdir(d, "a");
	state_condemn(d->state);
	statedir_close(d, false);
	statedir_open(d);
	assert_int_equal(state_applied(d->state), 0);
}

static void a_process_that_dies_again_and_again_starts_over(void **state)
{
	struct statedir *d = *state;

	statedir_mkdir(d, "a");
	for (int i = 1; i < STATE_DEATHS_MAX; i++) {
		statedir_close(d, false);
		statedir_open(d);
		assert_int_equal(state_applied(d->state), d->index);
	}
	state_settled(d->state);
	statedir_close(d, false);
	statedir_open(d);
	assert_int_equal(state_applied(d->state), d->index);
	for (int i = 2; i <= STATE_DEATHS_MAX; i++) {
		statedir_close(d, false);
		statedir_open(d);
	}
	assert_int_equal(state_applied(d->state), 0);
}

static void a_replay_over_an_older_state_comes_to_the_same(void **state)
{
	struct statedir *d = *state;
	struct snapshot_meta meta;

	statedir_mkdir(d, "before");
	take_snapshot(d, &meta);
	statedir_put(d, "f", "hello", 5);
	uint64_t index = d->index;
	assert_int_equal(state_stage(d->state), RFS_ERR_OK);
	assert_int_equal(state_restore(d->state), RFS_ERR_OK);
	assert_int_equal(state_applied(d->state), meta.index);
	d->index = meta.index;
	d->seq = 1; /* as recorded in the entry that comes again */
	statedir_put(d, "f", "hello", 5);
	assert_int_equal(d->index, index);
	assert_true(statedir_has(d, "f"));
	assert_int_equal(state_unkept_count(d->state), 0);
}

int main(void)
{
#define STATE_TEST(name) \
	cmocka_unit_test_setup_teardown(name, statedir_setup, statedir_teardown)
	const struct CMUnitTest tests[] = {
		STATE_TEST(a_batch_is_seen_whole_when_it_is_committed),
		STATE_TEST(a_gap_in_the_log_is_refused),
		STATE_TEST(small_data_is_kept_in_the_packs_before_it_is_seen),
		STATE_TEST(data_that_is_not_what_its_hash_says_is_not_kept),
		STATE_TEST(a_killed_process_goes_on_where_it_was),
		STATE_TEST(after_a_power_cut_the_last_snapshot_is_the_state),
		STATE_TEST(
			after_a_power_cut_without_a_snapshot_the_state_is_empty),
		STATE_TEST(a_clean_stop_survives_a_reboot),
		STATE_TEST(a_condemned_state_is_not_used_again),
		STATE_TEST(a_process_that_dies_again_and_again_starts_over),
		STATE_TEST(a_replay_over_an_older_state_comes_to_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
