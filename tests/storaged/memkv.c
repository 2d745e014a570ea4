/* A sorted array of records, a list of copies lent, and an undo list. */
#include "tests/storaged/memkv.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

struct record {
	uint8_t *key;
	size_t key_bytes;
	uint8_t *value;
	size_t value_bytes;
};

/* What a key was before a write; value NULL: it was not there. */
struct undo {
	struct record before;
};

struct memkv {
	struct record *records;
	size_t count;
	size_t capacity;

	struct undo *undo;
	size_t undo_count;
	size_t undo_capacity;

	void **lent;
	size_t lent_count;
	size_t lent_capacity;

	bool cursor_valid;
	size_t cursor;

	size_t operations;
	size_t writes;
	size_t fail_after;
};

static void *must(void *allocated)
{
	CHECK(allocated != NULL);
	return allocated;
}

static void *copy_of(const void *data, size_t bytes)
{
	void *copy = must(malloc(bytes ? bytes : 1));

	if (bytes)
		memcpy(copy, data, bytes);
	return copy;
}

static void lent_end(struct memkv *memkv)
{
	for (size_t i = 0; i < memkv->lent_count; i++)
		free(memkv->lent[i]);
	memkv->lent_count = 0;
}

static struct bytes lend(struct memkv *memkv, const void *data, size_t bytes)
{
	if (memkv->lent_count == memkv->lent_capacity) {
		memkv->lent_capacity = 2 * memkv->lent_capacity + 16;
		memkv->lent = must(realloc(memkv->lent,
					   memkv->lent_capacity *
						   sizeof(*memkv->lent)));
	}
	memkv->lent[memkv->lent_count] = copy_of(data, bytes);
	return (struct bytes){ memkv->lent[memkv->lent_count++], bytes };
}

static int compare(const struct record *record, struct bytes key)
{
	size_t shared = record->key_bytes < key.bytes ? record->key_bytes :
							key.bytes;
	int order = memcmp(record->key, key.data, shared);

	if (order)
		return order;
	return (record->key_bytes > key.bytes) -
	       (record->key_bytes < key.bytes);
}

/* The first record >= key. */
static size_t find(const struct memkv *memkv, struct bytes key)
{
	size_t low = 0, high = memkv->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (compare(&memkv->records[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct memkv *memkv, size_t at, struct bytes key)
{
	return at < memkv->count && compare(&memkv->records[at], key) == 0;
}

static void insert_at(struct memkv *memkv, size_t at, struct record record)
{
	if (memkv->count == memkv->capacity) {
		memkv->capacity = 2 * memkv->capacity + 64;
		memkv->records = must(realloc(
			memkv->records,
			memkv->capacity * sizeof(*memkv->records)));
	}
	memmove(&memkv->records[at + 1], &memkv->records[at],
		(memkv->count - at) * sizeof(*memkv->records));
	memkv->records[at] = record;
	memkv->count++;
}

/* The caller owns the record's buffers afterwards. */
static struct record remove_at(struct memkv *memkv, size_t at)
{
	struct record record = memkv->records[at];

	memkv->count--;
	memmove(&memkv->records[at], &memkv->records[at + 1],
		(memkv->count - at) * sizeof(*memkv->records));
	return record;
}

static void remember(struct memkv *memkv, struct record before)
{
	if (memkv->undo_count == memkv->undo_capacity) {
		memkv->undo_capacity = 2 * memkv->undo_capacity + 16;
		memkv->undo = must(realloc(memkv->undo,
					   memkv->undo_capacity *
						   sizeof(*memkv->undo)));
	}
	memkv->undo[memkv->undo_count++].before = before;
}

/* ---- operations ------------------------------------------------------ */

static bool fails(struct memkv *memkv)
{
	return memkv->operations++ >= memkv->fail_after;
}

static enum rfs_err op_get(void *txn, struct bytes key, struct bytes *value)
{
	struct memkv *memkv = txn;
	size_t at;

	CHECK(key.bytes > 0);
	CHECK(key.bytes <= KV_KEY_MAX_BYTES);
	if (fails(memkv))
		return RFS_ERR_IO;
	at = find(memkv, key);
	if (!is_at(memkv, at, key))
		return RFS_ERR_NOENT;
	*value = lend(memkv, memkv->records[at].value,
		      memkv->records[at].value_bytes);
	return RFS_ERR_OK;
}

static enum rfs_err op_put(void *txn, struct bytes key, struct bytes value)
{
	struct memkv *memkv = txn;
	struct record record;
	size_t at;

	CHECK(key.bytes > 0);
	CHECK(key.bytes <= KV_KEY_MAX_BYTES);
	CHECK(value.bytes <= KV_VALUE_MAX_BYTES);
	if (fails(memkv))
		return RFS_ERR_IO;
	memkv->writes++;
	memkv->cursor_valid = false;
	record = (struct record){ copy_of(key.data, key.bytes), key.bytes,
				  copy_of(value.data, value.bytes),
				  value.bytes };
	at = find(memkv, key);
	if (is_at(memkv, at, key)) {
		remember(memkv, memkv->records[at]);
		memkv->records[at] = record;
	} else {
		remember(memkv, (struct record){ copy_of(key.data, key.bytes),
						 key.bytes, NULL, 0 });
		insert_at(memkv, at, record);
	}
	lent_end(memkv);
	return RFS_ERR_OK;
}

static enum rfs_err op_del(void *txn, struct bytes key)
{
	struct memkv *memkv = txn;
	size_t at;

	if (fails(memkv))
		return RFS_ERR_IO;
	memkv->writes++;
	memkv->cursor_valid = false;
	at = find(memkv, key);
	if (!is_at(memkv, at, key))
		return RFS_ERR_NOENT;
	remember(memkv, remove_at(memkv, at));
	lent_end(memkv);
	return RFS_ERR_OK;
}

static enum rfs_err give_cursor(struct memkv *memkv, struct bytes *found,
				struct bytes *value)
{
	const struct record *record;

	if (memkv->cursor >= memkv->count)
		return RFS_ERR_NOENT;
	record = &memkv->records[memkv->cursor];
	*found = lend(memkv, record->key, record->key_bytes);
	*value = lend(memkv, record->value, record->value_bytes);
	return RFS_ERR_OK;
}

static enum rfs_err op_seek(void *txn, struct bytes key, struct bytes *found,
			    struct bytes *value)
{
	struct memkv *memkv = txn;

	CHECK(key.bytes > 0);
	if (fails(memkv))
		return RFS_ERR_IO;
	memkv->cursor = find(memkv, key);
	memkv->cursor_valid = true;
	return give_cursor(memkv, found, value);
}

static enum rfs_err op_next(void *txn, struct bytes *found,
			    struct bytes *value)
{
	struct memkv *memkv = txn;

	CHECK(memkv->cursor_valid);
	if (fails(memkv))
		return RFS_ERR_IO;
	memkv->cursor++;
	return give_cursor(memkv, found, value);
}

static const struct kv_ops memkv_ops = {
	.get = op_get,
	.put = op_put,
	.del = op_del,
	.seek = op_seek,
	.next = op_next,
};

/* ---- transactions ---------------------------------------------------- */

struct memkv *memkv_new(void)
{
	struct memkv *memkv = must(calloc(1, sizeof(*memkv)));

	memkv->fail_after = SIZE_MAX;
	return memkv;
}

static void record_free(struct record *record)
{
	free(record->key);
	free(record->value);
}

void memkv_free(struct memkv *memkv)
{
	memkv_commit(memkv);
	for (size_t i = 0; i < memkv->count; i++)
		record_free(&memkv->records[i]);
	free(memkv->records);
	free(memkv->undo);
	free(memkv->lent);
	free(memkv);
}

void memkv_begin(struct memkv *memkv, struct kv *kv)
{
	CHECK(memkv->undo_count == 0);
	memkv->operations = 0;
	memkv->writes = 0;
	*kv = (struct kv){ .ops = &memkv_ops, .txn = memkv };
}

static void end(struct memkv *memkv)
{
	lent_end(memkv);
	memkv->undo_count = 0;
	memkv->cursor_valid = false;
	memkv->fail_after = SIZE_MAX;
}

void memkv_commit(struct memkv *memkv)
{
	for (size_t i = 0; i < memkv->undo_count; i++)
		record_free(&memkv->undo[i].before);
	end(memkv);
}

void memkv_abort(struct memkv *memkv)
{
	while (memkv->undo_count > 0) {
		struct record before =
			memkv->undo[--memkv->undo_count].before;
		struct bytes key = { before.key, before.key_bytes };
		size_t at = find(memkv, key);

		if (is_at(memkv, at, key)) {
			struct record now = remove_at(memkv, at);

			record_free(&now);
		}
		if (before.value)
			insert_at(memkv, at, before);
		else
			record_free(&before);
	}
	end(memkv);
}

void memkv_fail_after(struct memkv *memkv, size_t count)
{
	memkv->fail_after = memkv->operations + count;
}

size_t memkv_operations(const struct memkv *memkv)
{
	return memkv->operations;
}

size_t memkv_writes(const struct memkv *memkv)
{
	return memkv->writes;
}

size_t memkv_count(const struct memkv *memkv)
{
	return memkv->count;
}
