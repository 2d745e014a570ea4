/* A pretended host for tests of the storaged core: it makes log entries of
 * commands, applies each on two independent states, keeps the chunks, and
 * checks after each entry what must always hold between the two and the core.
 *
 * Everything fails the running test on a broken promise. Single-threaded.
 */
#ifndef RAFTFS_TESTS_STORAGED_TESTFS_H
#define RAFTFS_TESTS_STORAGED_TESTFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storaged/core/query.h"
#include "storaged/core/store.h"
#include "tests/storaged/memkv.h"

struct testfs_chunk {
	uint64_t chunk;
	uint8_t *data; /* NULL: freed */
	size_t bytes;
};

struct testfs {
	struct memkv *memkv[2];
	struct store *store[2];
	uint64_t index; /* of the last entry */
	int64_t ts_ns;
	uint64_t session;
	uint64_t seq; /* last one used */
	uint64_t grant_next, grant_end; /* chunk ids at hand */
	struct testfs_chunk *chunks;
	size_t chunk_count;
	size_t chunk_capacity;
	/* of the last apply */
	struct store_result result;
	size_t freed_count;
	uint64_t changed[STORE_CHANGED_MAX];
	size_t changed_count;
	size_t writes; /* puts and dels it cost */
	size_t operations;
};

/* With an open session, and the log at its entry. */
struct testfs *testfs_new(void);

/* Checks everything once more. */
void testfs_free(struct testfs *fs);

/* cmocka setup and teardown; *state is the testfs. */
int testfs_setup(void **state);
int testfs_teardown(void **state);

/* The command as the next entry, under the next seq of the session if it takes
 * one and has none. fs->result is the answer, and its err is returned. */
enum rfs_err testfs_apply(struct testfs *fs, struct command *command);

/* An entry that changes the members. */
void testfs_change_members(struct testfs *fs);

/* An image as the next entry. */
enum rfs_err testfs_apply_image(struct testfs *fs, const void *image,
				size_t bytes);

/* Shorthands. Numbers of inodes; names are C strings. */
struct bytes testfs_text(const char *text);
enum rfs_err testfs_make(struct testfs *fs, enum command_op op,
			 uint64_t parent, const char *name, uint32_t mode,
			 uint64_t *ino);
enum rfs_err testfs_remove(struct testfs *fs, enum command_op op,
			   uint64_t parent, const char *name);
enum rfs_err testfs_rename(struct testfs *fs, uint64_t from_dir,
			   const char *from, uint64_t to_dir, const char *to,
			   uint32_t flags);
enum rfs_err testfs_link(struct testfs *fs, uint64_t parent, const char *name,
			 uint64_t ino);
enum rfs_err testfs_symlink(struct testfs *fs, uint64_t parent,
			    const char *name, const char *target);
enum rfs_err testfs_write(struct testfs *fs, uint64_t ino, uint64_t offset,
			  const void *data, size_t bytes);
enum rfs_err testfs_append(struct testfs *fs, uint64_t ino, const void *data,
			   size_t bytes);
enum rfs_err testfs_truncate(struct testfs *fs, uint64_t ino, uint64_t size);
enum rfs_err testfs_open(struct testfs *fs, uint64_t ino);
enum rfs_err testfs_release(struct testfs *fs, uint64_t ino);

/* Data stored beforehand: as chunks of at most chunk_bytes each, ids from a
 * grant (made when needed).  testfs_pieces() fills command->pieces. */
void testfs_pieces(struct testfs *fs, struct command *command,
		   const void *data, size_t bytes, size_t chunk_bytes);

void testfs_sha256(const void *data, size_t bytes,
		   uint8_t hash[COMMAND_HASH_BYTES]);

/* Reads, on the first state. Read verifies chunks; returns bytes read. */
enum rfs_err testfs_getattr(struct testfs *fs, uint64_t ino,
			    struct inode *attr);
enum rfs_err testfs_lookup(struct testfs *fs, uint64_t parent,
			   const char *name, struct inode *attr);
size_t testfs_read(struct testfs *fs, uint64_t ino, uint64_t offset,
		   void *data, size_t bytes);
struct query_state testfs_state(struct testfs *fs);
bool testfs_holds(const struct testfs *fs, uint64_t chunk);

/* Begin and end a read on the first state. */
struct kv testfs_begin_read(struct testfs *fs);
void testfs_end_read(struct testfs *fs);

/* Everything that must hold of a state at rest: names, link counts, sizes,
 * extents, reference counts, totals; chunks kept are the chunks named; both
 * states are the same, byte for byte. */
void testfs_check(struct testfs *fs);

#endif
