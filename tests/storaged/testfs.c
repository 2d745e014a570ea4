/* The pretended host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/storaged/testfs.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define LEASE_NS INT64_C(30000000000)
#define STEP_NS	 INT64_C(1000)

struct bytes testfs_text(const char *text)
{
	return (struct bytes){ (const uint8_t *)text, strlen(text) };
}

void testfs_sha256(const void *data, size_t bytes,
		   uint8_t hash[COMMAND_HASH_BYTES])
{
	crypto_hash_sha256(hash, data, bytes);
}

/* ---- chunks ---------------------------------------------------------- */

static struct testfs_chunk *chunk_find(const struct testfs *fs, uint64_t chunk)
{
	for (size_t i = fs->chunk_count; i-- > 0;)
		if (fs->chunks[i].chunk == chunk)
			return &fs->chunks[i];
	return NULL;
}

bool testfs_holds(const struct testfs *fs, uint64_t chunk)
{
	return chunk_find(fs, chunk) != NULL;
}

static void chunk_keep(struct testfs *fs, uint64_t chunk, const void *data,
		       size_t bytes)
{
	struct testfs_chunk *at;

	assert_null(chunk_find(fs, chunk));
	if (fs->chunk_count == fs->chunk_capacity) {
		fs->chunk_capacity = 2 * fs->chunk_capacity + 16;
		fs->chunks = realloc(fs->chunks, fs->chunk_capacity *
							 sizeof(*fs->chunks));
		assert_non_null(fs->chunks);
	}
	at = &fs->chunks[fs->chunk_count++];
	at->chunk = chunk;
	at->bytes = bytes;
	at->data = malloc(bytes);
	assert_non_null(at->data);
	memcpy(at->data, data, bytes);
}

static void chunk_drop(struct testfs *fs, uint64_t chunk)
{
	struct testfs_chunk *at = chunk_find(fs, chunk);

	assert_non_null(at); /* freed once, and only what was kept */
	free(at->data);
	*at = fs->chunks[--fs->chunk_count];
}

/* ---- applying -------------------------------------------------------- */

static void same_result(const struct store_result *a,
			const struct store_result *b)
{
	assert_int_equal(a->err, b->err);
	assert_int_equal(a->raft_index, b->raft_index);
	assert_int_equal(a->value, b->value);
	assert_int_equal(a->duplicate, b->duplicate);
	assert_int_equal(a->has_attr, b->has_attr);
	assert_memory_equal(&a->attr, &b->attr, sizeof(a->attr));
}

/* Of an expired grant, what the state does not name. */
static void forget_expired(struct testfs *fs,
			   const struct store_effects *effects)
{
	for (uint64_t i = 0; i < effects->expired_count; i++) {
		uint64_t chunk = effects->expired_chunk + i;
		struct kv kv = testfs_begin_read(fs);
		struct query_chunk answer;

		assert_int_equal(query_chunk(&kv, chunk, &answer), RFS_ERR_OK);
		testfs_end_read(fs);
		assert_int_not_equal(answer.state, QUERY_CHUNK_GRANTED);
		if (answer.state == QUERY_CHUNK_UNKNOWN &&
		    chunk_find(fs, chunk))
			chunk_drop(fs, chunk);
	}
}

static void carry_out(struct testfs *fs, const struct store_effects *effects)
{
	uint8_t hash[COMMAND_HASH_BYTES];

	assert_false(effects->replayed);
	if (effects->has_stored) {
		const struct store_chunk *stored = &effects->stored;

		testfs_sha256(stored->data.data, stored->data.bytes, hash);
		assert_memory_equal(hash, stored->sha256, sizeof(hash));
		chunk_keep(fs, stored->chunk, stored->data.data,
			   stored->data.bytes);
	}
	for (size_t i = 0; i < effects->freed_count; i++)
		chunk_drop(fs, effects->freed[i]);
	forget_expired(fs, effects);
	fs->freed_count = effects->freed_count;
	fs->changed_count = effects->changed_count;
	memcpy(fs->changed, effects->changed, sizeof(fs->changed));
}

static enum rfs_err apply_next(struct testfs *fs, bool members,
			       const void *image, size_t bytes)
{
	struct store_entry entry = {
		.index = ++fs->index,
		.term = 1 + fs->index / 100,
		.epoch = 1 + fs->index / 100,
		.ts_ns = fs->ts_ns += STEP_NS,
		.members = members,
		.command = { image, bytes },
	};
	struct store_result results[2];
	struct store_effects effects[2];

	for (int i = 0; i < 2; i++) {
		struct kv kv;

		memkv_begin(fs->memkv[i], &kv);
		assert_int_equal(store_apply(fs->store[i], &kv, &entry,
					     &results[i], &effects[i]),
				 RFS_ERR_OK);
		fs->writes = memkv_writes(fs->memkv[i]);
		fs->operations = memkv_operations(fs->memkv[i]);
		memkv_commit(fs->memkv[i]);
	}
	same_result(&results[0], &results[1]);
	assert_int_equal(effects[0].freed_count, effects[1].freed_count);
	carry_out(fs, &effects[0]);
	fs->result = results[0];
	return fs->result.err;
}

enum rfs_err testfs_apply_image(struct testfs *fs, const void *image,
				size_t bytes)
{
	return apply_next(fs, false, image, bytes);
}

void testfs_change_members(struct testfs *fs)
{
	assert_int_equal(apply_next(fs, true, NULL, 0), RFS_ERR_OK);
}

enum rfs_err testfs_apply(struct testfs *fs, struct command *command)
{
	static uint8_t image[COMMAND_IMAGE_MAX_BYTES];
	size_t bytes;

	if (command_has_session(command->op) && command->session == 0)
		command->session = fs->session;
	if (command_has_seq(command->op) && command->seq == 0) {
		command->seq = ++fs->seq;
		command->acked_below = fs->seq;
	}
	assert_int_equal(command_encode(command, image, sizeof(image), &bytes),
			 RFS_ERR_OK);
	return testfs_apply_image(fs, image, bytes);
}

struct testfs *testfs_new(void)
{
	struct testfs *fs = calloc(1, sizeof(*fs));
	struct command open = { .op = COMMAND_OPEN_SESSION,
				.lease_ns = LEASE_NS,
				.node = 1 };

	assert_non_null(fs);
	fs->ts_ns = 1000;
	for (int i = 0; i < 2; i++) {
		fs->memkv[i] = memkv_new();
		assert_int_equal(store_new(&fs->store[i]), RFS_ERR_OK);
	}
	assert_int_equal(testfs_apply(fs, &open), RFS_ERR_OK);
	fs->session = fs->result.value;
	return fs;
}

void testfs_free(struct testfs *fs)
{
	testfs_check(fs);
	for (int i = 0; i < 2; i++) {
		memkv_free(fs->memkv[i]);
		store_free(fs->store[i]);
	}
	for (size_t i = 0; i < fs->chunk_count; i++)
		free(fs->chunks[i].data);
	free(fs->chunks);
	free(fs);
}

int testfs_setup(void **state)
{
	*state = testfs_new();
	return 0;
}

/* A test that failed may have left a transaction open. */
int testfs_teardown(void **state)
{
	struct testfs *fs = *state;

	for (int i = 0; i < 2; i++)
		memkv_abort(fs->memkv[i]);
	testfs_free(fs);
	return 0;
}

/* ---- shorthands ------------------------------------------------------ */

enum rfs_err testfs_make(struct testfs *fs, enum command_op op,
			 uint64_t parent, const char *name, uint32_t mode,
			 uint64_t *ino)
{
	struct command command = { .op = op,
				   .ino = parent,
				   .name = testfs_text(name),
				   .mode = mode };
	enum rfs_err err = testfs_apply(fs, &command);

	if (!err && ino)
		*ino = fs->result.attr.ino;
	return err;
}

enum rfs_err testfs_remove(struct testfs *fs, enum command_op op,
			   uint64_t parent, const char *name)
{
	struct command command = { .op = op,
				   .ino = parent,
				   .name = testfs_text(name) };

	return testfs_apply(fs, &command);
}

enum rfs_err testfs_rename(struct testfs *fs, uint64_t from_dir,
			   const char *from, uint64_t to_dir, const char *to,
			   uint32_t flags)
{
	struct command command = { .op = COMMAND_RENAME,
				   .ino = from_dir,
				   .name = testfs_text(from),
				   .target = to_dir,
				   .target_name = testfs_text(to),
				   .flags = flags };

	return testfs_apply(fs, &command);
}

enum rfs_err testfs_link(struct testfs *fs, uint64_t parent, const char *name,
			 uint64_t ino)
{
	struct command command = { .op = COMMAND_LINK,
				   .ino = parent,
				   .name = testfs_text(name),
				   .target = ino };

	return testfs_apply(fs, &command);
}

enum rfs_err testfs_symlink(struct testfs *fs, uint64_t parent,
			    const char *name, const char *target)
{
	struct command command = { .op = COMMAND_SYMLINK,
				   .ino = parent,
				   .name = testfs_text(name),
				   .data = testfs_text(target) };

	return testfs_apply(fs, &command);
}

static enum rfs_err write_inline(struct testfs *fs, struct command *command,
				 const void *data, size_t bytes)
{
	command->op = COMMAND_WRITE;
	command->data = (struct bytes){ data, bytes };
	testfs_sha256(data, bytes, command->sha256);
	return testfs_apply(fs, command);
}

enum rfs_err testfs_write(struct testfs *fs, uint64_t ino, uint64_t offset,
			  const void *data, size_t bytes)
{
	struct command command = { .ino = ino, .offset = offset };

	return write_inline(fs, &command, data, bytes);
}

enum rfs_err testfs_append(struct testfs *fs, uint64_t ino, const void *data,
			   size_t bytes)
{
	struct command command = { .ino = ino, .flags = COMMAND_APPEND };

	return write_inline(fs, &command, data, bytes);
}

enum rfs_err testfs_truncate(struct testfs *fs, uint64_t ino, uint64_t size)
{
	struct command command = { .op = COMMAND_SETATTR,
				   .ino = ino,
				   .set_mask = COMMAND_SET_SIZE,
				   .size_bytes = size };

	return testfs_apply(fs, &command);
}

enum rfs_err testfs_open(struct testfs *fs, uint64_t ino)
{
	struct command command = { .op = COMMAND_OPEN, .ino = ino };

	return testfs_apply(fs, &command);
}

enum rfs_err testfs_release(struct testfs *fs, uint64_t ino)
{
	struct command command = { .op = COMMAND_RELEASE, .ino = ino };

	return testfs_apply(fs, &command);
}

static uint64_t next_chunk(struct testfs *fs)
{
	if (fs->grant_next == fs->grant_end) {
		struct command grant = { .op = COMMAND_GRANT,
					 .node = 1,
					 .length = 16 };

		assert_int_equal(testfs_apply(fs, &grant), RFS_ERR_OK);
		fs->grant_next = fs->result.value;
		fs->grant_end = fs->grant_next + 16;
	}
	return fs->grant_next++;
}

void testfs_pieces(struct testfs *fs, struct command *command,
		   const void *data, size_t bytes, size_t chunk_bytes)
{
	const uint8_t *at = data;

	command->piece_count = 0;
	while (bytes > 0) {
		struct command_piece *piece =
			&command->pieces[command->piece_count++];
		size_t part = bytes < chunk_bytes ? bytes : chunk_bytes;

		piece->chunk = next_chunk(fs);
		piece->bytes = (uint32_t)part;
		testfs_sha256(at, part, piece->sha256);
		chunk_keep(fs, piece->chunk, at, part);
		at += part;
		bytes -= part;
	}
}

/* ---- reading --------------------------------------------------------- */

struct kv testfs_begin_read(struct testfs *fs)
{
	struct kv kv;

	memkv_begin(fs->memkv[0], &kv);
	return kv;
}

void testfs_end_read(struct testfs *fs)
{
	assert_int_equal(memkv_writes(fs->memkv[0]), 0);
	memkv_commit(fs->memkv[0]);
}

enum rfs_err testfs_getattr(struct testfs *fs, uint64_t ino,
			    struct inode *attr)
{
	struct kv kv = testfs_begin_read(fs);
	enum rfs_err err = query_getattr(&kv, ino, attr);

	testfs_end_read(fs);
	return err;
}

enum rfs_err testfs_lookup(struct testfs *fs, uint64_t parent,
			   const char *name, struct inode *attr)
{
	struct kv kv = testfs_begin_read(fs);
	enum rfs_err err = query_lookup(&kv, parent, testfs_text(name), attr);

	testfs_end_read(fs);
	return err;
}

struct query_state testfs_state(struct testfs *fs)
{
	struct kv kv = testfs_begin_read(fs);
	struct query_state answer;

	assert_int_equal(query_state(&kv, &answer), RFS_ERR_OK);
	testfs_end_read(fs);
	return answer;
}

struct read_into {
	struct testfs *fs;
	uint8_t *data;
	uint64_t start;
	uint64_t at; /* where the next extent must begin */
};

static bool read_extent(void *ctx, const struct query_extent *extent)
{
	struct read_into *into = ctx;
	uint8_t *data = into->data + (extent->offset - into->start);
	const struct testfs_chunk *chunk;
	uint8_t hash[COMMAND_HASH_BYTES];

	assert_int_equal(extent->offset, into->at);
	assert_true(extent->length > 0);
	into->at += extent->length;
	if (extent->chunk == 0) {
		memset(data, 0, extent->length);
		return true;
	}
	chunk = chunk_find(into->fs, extent->chunk);
	assert_non_null(chunk);
	assert_int_equal(chunk->bytes, extent->chunk_bytes);
	assert_true(extent->chunk_offset + extent->length <= chunk->bytes);
	testfs_sha256(chunk->data, chunk->bytes, hash);
	assert_memory_equal(hash, extent->sha256, sizeof(hash));
	memcpy(data, chunk->data + extent->chunk_offset, extent->length);
	return true;
}

size_t testfs_read(struct testfs *fs, uint64_t ino, uint64_t offset,
		   void *data, size_t bytes)
{
	struct read_into into = { fs, data, offset, offset };
	struct kv kv = testfs_begin_read(fs);

	assert_int_equal(query_map(&kv, ino, offset, bytes, read_extent, &into),
			 RFS_ERR_OK);
	testfs_end_read(fs);
	return (size_t)(into.at - offset);
}

/* ---- checking -------------------------------------------------------- */

static void hash_update(void *ctx, const void *data, size_t bytes)
{
	crypto_hash_sha256_update(ctx, data, bytes);
}

static void digest(struct memkv *memkv, uint8_t hash[COMMAND_HASH_BYTES])
{
	crypto_hash_sha256_state state;
	struct kv kv;

	crypto_hash_sha256_init(&state);
	memkv_begin(memkv, &kv);
	assert_int_equal(query_digest(&kv, hash_update, &state), RFS_ERR_OK);
	memkv_commit(memkv);
	crypto_hash_sha256_final(&state, hash);
}

static uint64_t big_endian(const uint8_t *at)
{
	uint64_t number = 0;

	for (int i = 0; i < 8; i++)
		number = number << 8 | at[i];
	return number;
}

/* What a walk over all keys adds up to; numbers are small in tests. */
struct tally {
	struct kv *kv;
	uint64_t inodes, chunks, chunk_bytes, sessions, trash;
	uint64_t orphans_marked, orphans_found;
	uint64_t extents_named; /* sum over extents */
	uint64_t extents_counted; /* sum over chunk records */
	uint64_t names_of[512]; /* by inode, as found in 'd' */
	uint64_t cookies_of[512]; /* by inode, as found in 'c' */
	uint64_t names_in[512]; /* by directory */
	uint64_t dirs_in[512];
	uint64_t bytes_in[512]; /* by map, from extents */
	uint64_t last_map, last_end;
};

static size_t slot(uint64_t number)
{
	return number % 512;
}

static void tally_extent(struct tally *t, struct bytes key, struct bytes value)
{
	uint64_t map = big_endian(key.data + 1);
	uint64_t end = big_endian(key.data + 9);
	struct query_chunk chunk;
	struct reader r;
	uint32_t length, offset;
	uint64_t id;

	reader_init(&r, value.data, value.bytes);
	length = reader_u32le(&r);
	offset = reader_u32le(&r);
	id = reader_u64le(&r);
	if (map == t->last_map)
		assert_true(end - length >= t->last_end);
	t->last_map = map;
	t->last_end = end;
	assert_int_equal(query_chunk(t->kv, id, &chunk), RFS_ERR_OK);
	assert_int_equal(chunk.state, QUERY_CHUNK_USED);
	assert_true(offset + length <= chunk.bytes);
	t->extents_named++;
	t->bytes_in[slot(map)] += length;
}

/* What belongs to an inode or a session is there only as long as it is. */
static void tally_owned(struct tally *t, uint8_t kind, uint64_t first,
			uint64_t second)
{
	struct query_session session;
	struct inode inode;

	if (kind == 'x' || kind == 'p')
		assert_int_equal(query_session(t->kv, first, &session),
				 RFS_ERR_OK);
	if (kind == 'a' || kind == 'l' || kind == 'o')
		assert_int_equal(inode_load(t->kv, first, &inode), RFS_ERR_OK);
	if (kind == 'p')
		assert_int_equal(inode_load(t->kv, second, &inode),
				 RFS_ERR_OK);
	if (kind == 'o') {
		assert_int_equal(inode.nlink, 0);
		t->orphans_marked++;
	}
}

static void tally_key(struct tally *t, struct bytes key, struct bytes value)
{
	struct reader r;
	uint64_t ino, first = key.bytes >= 9 ? big_endian(key.data + 1) : 0;

	tally_owned(t, key.data[0], first,
		    key.bytes == 17 ? big_endian(key.data + 9) : 0);
	reader_init(&r, value.data, value.bytes);
	switch (key.data[0]) {
	case 'i':
		t->inodes++;
		reader_u32le(&r);
		t->orphans_found += reader_u32le(&r) == 0;
		break;
	case 'k':
		t->chunks++;
		t->extents_counted += reader_u32le(&r);
		t->chunk_bytes += reader_u32le(&r);
		break;
	case 's':
		t->sessions++;
		break;
	case 't':
		t->trash++;
		break;
	case 'e':
		tally_extent(t, key, value);
		break;
	case 'c':
		t->cookies_of[slot(reader_u64le(&r))]++;
		break;
	case 'd':
		ino = reader_u64le(&r);
		reader_u64le(&r);
		t->names_of[slot(ino)]++;
		t->names_in[slot(first)]++;
		if (reader_u32le(&r) == INODE_TYPE_DIR)
			t->dirs_in[slot(first)]++;
		break;
	default:
		break;
	}
}

static void check_inode(struct tally *t, uint64_t ino)
{
	struct inode inode;

	if (inode_load(t->kv, ino, &inode) != RFS_ERR_OK) {
		assert_int_equal(t->names_of[slot(ino)], 0);
		return;
	}
	if (inode_is(&inode, INODE_TYPE_DIR)) {
		assert_int_equal(inode.size_bytes, t->names_in[slot(ino)]);
		if (inode.nlink)
			assert_int_equal(inode.nlink,
					 2 + t->dirs_in[slot(ino)]);
		assert_int_equal(t->names_of[slot(ino)],
				 ino != INODE_ROOT && inode.nlink > 0);
	} else {
		assert_int_equal(inode.nlink, t->names_of[slot(ino)]);
	}
	assert_true(inode.nlink > 0 || inode.pins > 0);
	assert_int_equal(t->cookies_of[slot(ino)], t->names_of[slot(ino)]);
	if (inode_is(&inode, INODE_TYPE_REGULAR))
		assert_int_equal(inode.allocated_bytes,
				 t->bytes_in[slot(inode.map)]);
}

static void check_state(struct kv *kv)
{
	struct tally *t = calloc(1, sizeof(*t));
	struct query_state state;
	struct bytes found, value;
	uint64_t next_ino = 0;
	enum rfs_err err;

	assert_non_null(t);
	t->kv = kv;
	err = kv_seek(kv, (struct bytes){ (const uint8_t *)"\0", 1 }, &found,
		      &value);
	while (!err) {
		tally_key(t, found, value);
		if (found.data[0] == 'i')
			next_ino = big_endian(found.data + 1) + 1;
		err = kv_next(kv, &found, &value);
	}
	assert_int_equal(query_state(kv, &state), RFS_ERR_OK);
	assert_int_equal(state.inode_count, t->inodes);
	assert_int_equal(state.chunk_count, t->chunks);
	assert_int_equal(state.chunk_bytes, t->chunk_bytes);
	assert_int_equal(state.session_count, t->sessions);
	assert_int_equal(state.trash_count, t->trash);
	assert_int_equal(t->extents_named, t->extents_counted);
	assert_int_equal(t->orphans_marked, t->orphans_found);
	/* Beyond 512 numbers slots are shared, and sums say less. */
	for (uint64_t ino = 1; ino < next_ino && next_ino <= 512; ino++)
		check_inode(t, ino);
	free(t);
}

/* What the host keeps is named, or may still be. */
static void check_chunks(struct testfs *fs, struct kv *kv)
{
	uint64_t used = 0;
	struct query_state state;

	for (size_t i = 0; i < fs->chunk_count; i++) {
		struct query_chunk chunk;

		assert_int_equal(query_chunk(kv, fs->chunks[i].chunk, &chunk),
				 RFS_ERR_OK);
		assert_int_not_equal(chunk.state, QUERY_CHUNK_UNKNOWN);
		used += chunk.state == QUERY_CHUNK_USED;
	}
	assert_int_equal(query_state(kv, &state), RFS_ERR_OK);
	assert_int_equal(used, state.chunk_count);
}

void testfs_check(struct testfs *fs)
{
	uint8_t hashes[2][COMMAND_HASH_BYTES];
	struct kv kv;

	for (int i = 0; i < 2; i++)
		digest(fs->memkv[i], hashes[i]);
	assert_memory_equal(hashes[0], hashes[1], sizeof(hashes[0]));
	kv = testfs_begin_read(fs);
	check_state(&kv);
	check_chunks(fs, &kv);
	testfs_end_read(fs);
}
