/* Entries made by hand; the reports are kept for the test to look at. */
#include "tests/storaged/statedir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "common/units.h"
#include "storaged/core/query.h"
#include "storaged/hash.h"

static void on_result(void *ctx, const struct store_result *result,
		      uint64_t index, uint64_t term)
{
	struct statedir *d = ctx;

	assert_int_equal(term, 1);
	assert_true(index <= d->index);
	d->result = *result;
	d->results++;
}

static void on_named(void *ctx, const struct command_piece *piece)
{
	(void)ctx;
	(void)piece;
}

static void on_freed(void *ctx, uint64_t chunk, uint64_t index)
{
	struct statedir *d = ctx;

	assert_true(index <= d->index);
	assert_true(d->freed_count < 16);
	d->freed[d->freed_count++] = chunk;
}

static void on_expired(void *ctx, uint64_t first, uint64_t count,
		       uint64_t index)
{
	(void)ctx;
	(void)first;
	(void)count;
	(void)index;
}

static void on_applied(void *ctx, uint64_t index)
{
	struct statedir *d = ctx;

	d->applied = index;
}

static const struct state_events events = {
	.result = on_result,
	.named = on_named,
	.freed = on_freed,
	.expired = on_expired,
	.applied = on_applied,
};

void statedir_open(struct statedir *d)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/packs", d->dir);
	assert_int_equal(packs_open(path, 64 * MIB, &d->packs), RFS_ERR_OK);
	snprintf(path, sizeof(path), "%s/snapshots", d->dir);
	assert_int_equal(snapshots_open(path, &d->snapshots), RFS_ERR_OK);
	assert_int_equal(state_open(d->dir, 64 * MIB, d->packs, d->snapshots,
				    &events, d, &d->state),
			 RFS_ERR_OK);
}

void statedir_close(struct statedir *d, bool clean)
{
	state_close(d->state, clean);
	snapshots_close(d->snapshots);
	packs_close(d->packs);
}

enum rfs_err statedir_apply(struct statedir *d, struct command *command)
{
	static uint8_t image[COMMAND_IMAGE_MAX_BYTES];
	struct store_entry entry = { .index = ++d->index, .term = 1 };

	if (command_has_session(command->op))
		command->session = d->session;
	if (command_has_seq(command->op))
		command->seq = ++d->seq;
	assert_int_equal(command_encode(command, image, sizeof(image),
					&entry.command.bytes),
			 RFS_ERR_OK);
	entry.command.data = image;
	entry.epoch = 1;
	entry.ts_ns = (int64_t)d->index * 1000;
	return state_apply(d->state, &entry);
}

enum rfs_err statedir_do(struct statedir *d, struct command *command)
{
	uint32_t before = d->results;

	assert_int_equal(statedir_apply(d, command), RFS_ERR_OK);
	assert_int_equal(state_commit(d->state), RFS_ERR_OK);
	assert_int_equal(d->results, before + 1);
	assert_int_equal(d->applied, d->index);
	return d->result.err;
}

static struct bytes text(const char *s)
{
	return (struct bytes){ .data = (const uint8_t *)s, .bytes = strlen(s) };
}

void statedir_mkdir(struct statedir *d, const char *name)
{
	struct command command = { .op = COMMAND_MKDIR,
				   .ino = INODE_ROOT,
				   .name = text(name),
				   .mode = 0755 };

	assert_int_equal(statedir_do(d, &command), RFS_ERR_OK);
}

void statedir_put(struct statedir *d, const char *name, const void *data,
		  size_t bytes)
{
	struct command command = { .op = COMMAND_PUT,
				   .ino = INODE_ROOT,
				   .name = text(name),
				   .mode = 0644,
				   .data = { data, bytes } };

	hash_bytes(data, bytes, command.sha256);
	assert_int_equal(statedir_do(d, &command), RFS_ERR_OK);
}

bool statedir_has(struct statedir *d, const char *name)
{
	struct inode inode;
	struct kv kv;

	assert_int_equal(state_begin_read(d->state, &kv), RFS_ERR_OK);
	enum rfs_err err = query_lookup(&kv, INODE_ROOT, text(name), &inode);
	state_end_read(d->state, &kv);
	return err == RFS_ERR_OK;
}

int statedir_setup(void **state)
{
	struct statedir *d = calloc(1, sizeof(*d));
	struct command open = { .op = COMMAND_OPEN_SESSION,
				.lease_ns = 60 * NS_PER_SEC,
				.node = 1,
				.name = text("test") };

	scratch_make(d->dir);
	statedir_open(d);
	assert_int_equal(statedir_do(d, &open), RFS_ERR_OK);
	d->session = d->result.value;
	*state = d;
	return 0;
}

int statedir_teardown(void **state)
{
	struct statedir *d = *state;

	statedir_close(d, false);
	scratch_remove(d->dir);
	free(d);
	return 0;
}
