/* Applying entries: in order, once, all or nothing, the same everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include <string.h>

#include "tests/storaged/testfs.h"

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, testfs_setup, testfs_teardown)
#define ROOT INODE_ROOT

static uint8_t image[COMMAND_IMAGE_MAX_BYTES];

static void hash_update(void *ctx, const void *data, size_t bytes)
{
	crypto_hash_sha256_update(ctx, data, bytes);
}

struct hash {
	uint8_t bytes[32];
};

static struct hash digest_of(struct testfs *fs)
{
	struct kv kv = testfs_begin_read(fs);
	crypto_hash_sha256_state state;
	struct hash hash;

	crypto_hash_sha256_init(&state);
	assert_int_equal(query_digest(&kv, hash_update, &state), RFS_ERR_OK);
	crypto_hash_sha256_final(&state, hash.bytes);
	testfs_end_read(fs);
	return hash;
}

/* Apply to the first state alone; commit only when it went well. */
static enum rfs_err apply_raw(struct testfs *fs,
			      const struct store_entry *entry,
			      struct store_result *result,
			      struct store_effects *effects)
{
	struct kv kv;
	enum rfs_err err;

	memkv_begin(fs->memkv[0], &kv);
	err = store_apply(fs->store[0], &kv, entry, result, effects);
	if (err)
		memkv_abort(fs->memkv[0]);
	else
		memkv_commit(fs->memkv[0]);
	return err;
}

static struct store_entry entry_of(struct testfs *fs, struct command *command)
{
	size_t bytes;

	if (command_has_session(command->op))
		command->session = fs->session;
	if (command_has_seq(command->op))
		command->seq = fs->seq + 1;
	assert_int_equal(command_encode(command, image, sizeof(image), &bytes),
			 RFS_ERR_OK);
	return (struct store_entry){ .index = fs->index + 1,
				     .term = 1,
				     .epoch = 1,
				     .ts_ns = fs->ts_ns + 1000,
				     .command = { image, bytes } };
}

static void an_entry_applied_before_is_skipped(void **state)
{
	struct testfs *fs = *state;
	struct command make = { .op = COMMAND_MKDIR,
				.ino = ROOT,
				.name = testfs_text("d") };
	struct store_entry entry = entry_of(fs, &make);
	struct store_result result;
	struct store_effects effects;
	struct hash before;

	entry.index = fs->index;
	before = digest_of(fs);
	assert_int_equal(apply_raw(fs, &entry, &result, &effects), RFS_ERR_OK);
	assert_true(effects.replayed);
	assert_int_equal(effects.changed_count, 0);
	struct hash after = digest_of(fs);

	assert_memory_equal(&before, &after, sizeof(after));
}

static void a_gap_in_the_log_is_refused(void **state)
{
	struct testfs *fs = *state;
	struct command noop = { .op = COMMAND_NOOP };
	struct store_entry entry = entry_of(fs, &noop);
	struct store_result result;
	struct store_effects effects;

	entry.index++;
	assert_int_equal(apply_raw(fs, &entry, &result, &effects),
			 RFS_ERR_INVALID);
}

static void time_that_does_not_rise_is_refused(void **state)
{
	struct testfs *fs = *state;
	struct command noop = { .op = COMMAND_NOOP };
	struct store_entry entry = entry_of(fs, &noop);
	struct store_result result;
	struct store_effects effects;

	entry.ts_ns = fs->ts_ns;
	assert_int_equal(apply_raw(fs, &entry, &result, &effects),
			 RFS_ERR_INVALID);
	entry.ts_ns = -5;
	assert_int_equal(apply_raw(fs, &entry, &result, &effects),
			 RFS_ERR_INVALID);
}

static void an_entry_without_command_only_moves_on(void **state)
{
	struct testfs *fs = *state;
	struct query_state after;

	assert_int_equal(testfs_apply_image(fs, NULL, 0), RFS_ERR_OK);
	after = testfs_state(fs);
	assert_int_equal(after.applied_index, fs->index);
	assert_int_equal(after.ts_ns, fs->ts_ns);
	assert_int_equal(after.inode_count, 1);
	assert_int_equal(fs->result.session, 0);
	assert_int_equal(fs->writes, 1);
}

static void a_malformed_command_is_answered_and_passed_by(void **state)
{
	struct testfs *fs = *state;

	assert_int_equal(testfs_apply_image(fs, "\1\37nonsense", 10),
			 RFS_ERR_INVALID);
	assert_int_equal(testfs_apply_image(fs, "\1\377", 2), RFS_ERR_INVALID);
	assert_int_equal(testfs_state(fs).applied_index, fs->index);
}

/* To guess here would make this node differ from newer ones. */
static void a_command_of_a_newer_format_stops_the_node(void **state)
{
	struct testfs *fs = *state;
	struct command noop = { .op = COMMAND_NOOP };
	struct store_entry entry = entry_of(fs, &noop);
	struct store_result result;
	struct store_effects effects;

	image[0] = 9;
	assert_int_equal(apply_raw(fs, &entry, &result, &effects),
			 RFS_ERR_VERSION);
	assert_int_equal(testfs_state(fs).applied_index, fs->index);
}

static void the_answer_says_whose_it_is_and_where_it_stands(void **state)
{
	struct testfs *fs = *state;

	testfs_make(fs, COMMAND_MKDIR, ROOT, "d", 0755, NULL);
	assert_int_equal(fs->result.op, COMMAND_MKDIR);
	assert_int_equal(fs->result.session, fs->session);
	assert_int_equal(fs->result.seq, fs->seq);
	assert_int_equal(fs->result.raft_index, fs->index);
	assert_int_equal(fs->result.ts_ns, fs->ts_ns);
}

static void what_changed_is_told_to_caches(void **state)
{
	struct testfs *fs = *state;
	uint64_t ino;

	testfs_make(fs, COMMAND_CREATE, ROOT, "f", 0644, &ino);
	assert_int_equal(fs->changed_count, 2);
	assert_int_equal(fs->changed[0], ROOT);
	assert_int_equal(fs->changed[1], ino);
	testfs_append(fs, ino, "x", 1);
	assert_int_equal(fs->changed_count, 1);
	assert_int_equal(fs->changed[0], ino);
	testfs_remove(fs, COMMAND_UNLINK, ROOT, "f");
	assert_int_equal(fs->changed_count, 2);
	testfs_remove(fs, COMMAND_UNLINK, ROOT, "f");
	assert_int_equal(fs->changed_count, 0);
}

/* Dirent, cookie, parent, inode, answer, meta; chunk, extent, inode, answer,
 * meta. */
static void a_command_costs_a_few_writes(void **state)
{
	struct testfs *fs = *state;
	uint64_t ino;

	testfs_make(fs, COMMAND_CREATE, ROOT, "f", 0644, &ino);
	assert_true(fs->writes <= 6);
	assert_true(fs->operations <= 12);
	testfs_append(fs, ino, "x", 1);
	assert_true(fs->writes <= 5);
	assert_true(fs->operations <= 12);
	testfs_truncate(fs, ino, 1);
	assert_true(fs->writes <= 3);
}

/* ---- failing engines ------------------------------------------------- */

struct scene {
	uint64_t dir, file, open_file;
};

static void build_scene(struct testfs *fs, struct scene *scene)
{
	testfs_make(fs, COMMAND_MKDIR, ROOT, "d", 0755, &scene->dir);
	testfs_make(fs, COMMAND_CREATE, ROOT, "f", 0644, &scene->file);
	testfs_make(fs, COMMAND_CREATE, ROOT, "g", 0644, NULL);
	testfs_make(fs, COMMAND_CREATE, ROOT, "o", 0644, &scene->open_file);
	for (int i = 0; i < 40; i++)
		testfs_append(fs, scene->file, "abcdefgh", 8);
	testfs_open(fs, scene->open_file);
	testfs_remove(fs, COMMAND_UNLINK, ROOT, "o");
}

static uint32_t scene_commands(const struct scene *scene,
			       struct command commands[16])
{
	const struct bytes f = testfs_text("f"), g = testfs_text("g"),
			   n = testfs_text("n");
	uint32_t n_commands = 0;
	const struct command list[] = {
		{ .op = COMMAND_CREATE, .ino = ROOT, .name = n },
		{ .op = COMMAND_CREATE, .ino = ROOT, .name = n,
		  .flags = COMMAND_PIN },
		{ .op = COMMAND_UNLINK, .ino = ROOT, .name = f },
		{ .op = COMMAND_LINK, .ino = ROOT, .name = n,
		  .target = scene->file },
		{ .op = COMMAND_RENAME, .ino = ROOT, .name = g,
		  .target = ROOT, .target_name = f },
		{ .op = COMMAND_RENAME, .ino = ROOT, .name = g,
		  .target = scene->dir, .target_name = n },
		{ .op = COMMAND_RENAME, .ino = ROOT, .name = g,
		  .target = ROOT, .target_name = testfs_text("d"),
		  .flags = COMMAND_EXCHANGE },
		{ .op = COMMAND_SETATTR, .ino = scene->file, .size_bytes = 13,
		  .set_mask = COMMAND_SET_SIZE },
		{ .op = COMMAND_WRITE, .ino = scene->file, .offset = 3,
		  .data = testfs_text("0123456789") },
		{ .op = COMMAND_SETXATTR, .ino = scene->file, .name = n },
		{ .op = COMMAND_RELEASE, .ino = scene->open_file },
		{ .op = COMMAND_PUT, .ino = ROOT, .name = f,
		  .data = testfs_text("new") },
		{ .op = COMMAND_GRANT, .length = 10 },
		{ .op = COMMAND_CLOSE_SESSION },
		{ .op = COMMAND_SYMLINK, .ino = ROOT, .name = n,
		  .data = testfs_text("t") },
		{ .op = COMMAND_RMDIR, .ino = ROOT, .name = testfs_text("d") },
	};

	for (; n_commands < sizeof(list) / sizeof(list[0]); n_commands++)
		commands[n_commands] = list[n_commands];
	return n_commands;
}

/* The engine fails at its first, second, ... operation: each time the state is
 * as it was, and the same entry then goes through. */
static void fail_at_every_operation(struct testfs *fs, struct command *command)
{
	struct store_entry entry = entry_of(fs, command);
	struct hash before = digest_of(fs), after;
	struct store_result result;
	struct store_effects effects;
	struct kv kv;
	size_t operation = 0;
	enum rfs_err err;

	for (;; operation++) {
		memkv_begin(fs->memkv[0], &kv);
		memkv_fail_after(fs->memkv[0], operation);
		err = store_apply(fs->store[0], &kv, &entry, &result,
				  &effects);
		memkv_abort(fs->memkv[0]);
		if (err == RFS_ERR_OK)
			break;
		assert_int_equal(err, RFS_ERR_IO);
		after = digest_of(fs);
		assert_memory_equal(&before, &after, sizeof(after));
	}
	assert_int_equal(result.err, RFS_ERR_OK);
	assert_true(operation >= 2);
	after = digest_of(fs);
	assert_memory_equal(&before, &after, sizeof(after));
}

static void an_engine_failure_leaves_nothing_behind(void **state)
{
	struct testfs *fs = *state;
	static struct command commands[16];
	struct scene scene;
	uint32_t count;

	build_scene(fs, &scene);
	count = scene_commands(&scene, commands);
	assert_int_equal(count, 16);
	for (uint32_t i = 0; i < count; i++)
		fail_at_every_operation(fs, &commands[i]);
}

/* ---- damaged states -------------------------------------------------- */

/* Values of one kind of key are cut short; whoever reads one says so. */
static void spoil(struct testfs *fs, char kind, struct command *command)
{
	struct store_entry entry = entry_of(fs, command);
	struct store_result result;
	struct store_effects effects;
	struct kv kv;
	struct bytes found, value;
	uint8_t from[1] = { (uint8_t)kind }, key[KV_KEY_MAX_BYTES];
	size_t bytes;

	memkv_begin(fs->memkv[0], &kv);
	assert_int_equal(kv_seek(&kv, (struct bytes){ from, 1 }, &found,
				 &value),
			 RFS_ERR_OK);
	assert_int_equal(found.data[0], kind);
	while (found.data[0] == kind) {
		uint8_t cut[KV_KEY_MAX_BYTES];
		size_t cut_bytes = value.bytes ? value.bytes - 1 : 0;

		bytes = found.bytes;
		memcpy(key, found.data, bytes);
		memcpy(cut, value.data, cut_bytes);
		kv_put(&kv, (struct bytes){ key, bytes },
		       (struct bytes){ cut, cut_bytes });
		key[bytes++] = 0; /* the next key at all */
		if (kv_seek(&kv, (struct bytes){ key, bytes }, &found, &value))
			break;
	}
	assert_int_equal(store_apply(fs->store[0], &kv, &entry, &result,
				     &effects),
			 RFS_ERR_CORRUPT);
	memkv_abort(fs->memkv[0]);
}

static void a_damaged_record_is_reported_not_guessed(void **state)
{
	struct testfs *fs = *state;
	struct scene scene;

	build_scene(fs, &scene);
	struct command noop = { .op = COMMAND_NOOP };
	struct command unlink = { .op = COMMAND_UNLINK,
				  .ino = ROOT,
				  .name = testfs_text("f") };
	struct command write = { .op = COMMAND_WRITE,
				 .ino = scene.file,
				 .data = testfs_text("x") };
	struct command release = { .op = COMMAND_RELEASE,
				   .ino = scene.open_file };

	spoil(fs, 'm', &noop);
	spoil(fs, 'i', &unlink);
	spoil(fs, 'd', &unlink);
	spoil(fs, 's', &unlink);
	spoil(fs, 'e', &write);
	spoil(fs, 'k', &unlink);
	spoil(fs, 'p', &release);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_entry_applied_before_is_skipped),
		TEST(a_gap_in_the_log_is_refused),
		TEST(time_that_does_not_rise_is_refused),
		TEST(an_entry_without_command_only_moves_on),
		TEST(a_malformed_command_is_answered_and_passed_by),
		TEST(a_command_of_a_newer_format_stops_the_node),
		TEST(the_answer_says_whose_it_is_and_where_it_stands),
		TEST(what_changed_is_told_to_caches),
		TEST(a_command_costs_a_few_writes),
		TEST(an_engine_failure_leaves_nothing_behind),
		TEST(a_damaged_record_is_reported_not_guessed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
