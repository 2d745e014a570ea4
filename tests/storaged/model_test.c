/* The whole state machine against a model: a plain tree in memory that knows
 * nothing of keys, extents or sessions.  Random operations from printed seeds,
 * on living and dead inodes alike; every answer and then every attribute,
 * listing, content and link must agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/prng.h"
#include "tests/storaged/testfs.h"

#define NODES	 400
#define NAMES	 5
#define CONTENT	 2048
#define SEEDS	 60
#define STEPS	 250
#define NOBODY	 (-1)

enum kind { DIRECTORY, REGULAR, SYMLINK };

struct node {
	enum kind kind;
	uint64_t ino;
	uint32_t perm;
	int links; /* names of it; a directory has one or none */
	int opens; /* by the session */
	int parent; /* directories */
	int children[NAMES]; /* by name; NOBODY */
	uint8_t content[CONTENT];
	size_t size;
	char xattr[8];
	bool has_xattr;
};

struct model {
	struct testfs *fs;
	struct prng prng;
	struct node nodes[NODES];
	int count;
	struct command last; /* for retries */
	enum rfs_err last_err;
	uint8_t last_content[CONTENT];
};

static const char *const names[NAMES] = { "a", "bb", "ccc", "d.d", "e" };

static int pick(struct model *m, int below)
{
	return (int)prng_below(&m->prng, (uint64_t)below);
}

static bool exists(const struct node *n)
{
	return n->links > 0 || n->opens > 0;
}

static int add_node(struct model *m, enum kind kind, uint32_t perm, int parent)
{
	struct node *n = &m->nodes[m->count];

	assert_true(m->count < NODES);
	memset(n, 0, sizeof(*n));
	n->kind = kind;
	n->perm = perm;
	n->parent = parent;
	for (int i = 0; i < NAMES; i++)
		n->children[i] = NOBODY;
	return m->count++;
}

/* A node to work on: often a living directory, else anything. */
static int pick_node(struct model *m)
{
	int at = pick(m, m->count);

	for (int tries = 0; tries < 6 && pick(m, 4); tries++) {
		if (m->nodes[at].links > 0)
			break;
		at = pick(m, m->count);
	}
	return at;
}

static int pick_dir(struct model *m)
{
	int at = pick_node(m);

	for (int tries = 0; tries < 8 && pick(m, 10); tries++) {
		if (m->nodes[at].kind == DIRECTORY && m->nodes[at].links > 0)
			break;
		at = pick(m, m->count);
	}
	return at;
}

/* Apply, compare the answer's error, remember for a retry. */
static void expect(struct model *m, struct command *command, enum rfs_err err)
{
	assert_int_equal(testfs_apply(m->fs, command), err);
	assert_false(m->fs->result.duplicate);
	m->last = *command;
	m->last_err = err;
}

static struct command on(struct model *m, enum command_op op, int node,
			 int name)
{
	struct command command = { .op = op, .ino = m->nodes[node].ino };

	if (name != NOBODY)
		command.name = testfs_text(names[name]);
	return command;
}

static enum rfs_err parent_err(const struct node *n)
{
	if (!exists(n))
		return RFS_ERR_NOENT;
	if (n->kind != DIRECTORY)
		return RFS_ERR_NOTDIR;
	return n->links ? RFS_ERR_OK : RFS_ERR_NOENT;
}

static bool is_empty(const struct node *n)
{
	for (int i = 0; i < NAMES; i++)
		if (n->children[i] != NOBODY)
			return false;
	return true;
}

static int subdirs(struct model *m, const struct node *n)
{
	int count = 0;

	for (int i = 0; i < NAMES; i++)
		if (n->children[i] != NOBODY)
			count += m->nodes[n->children[i]].kind == DIRECTORY;
	return count;
}

/* ---- making ---------------------------------------------------------- */

static void do_make(struct model *m)
{
	static const enum command_op ops[] = { COMMAND_CREATE, COMMAND_CREATE,
					       COMMAND_MKDIR, COMMAND_MKDIR,
					       COMMAND_SYMLINK };
	enum command_op op = ops[pick(m, 5)];
	int dir = pick_dir(m), name = pick(m, NAMES);
	struct command command = on(m, op, dir, name);
	enum rfs_err err = parent_err(&m->nodes[dir]);
	int there = err ? NOBODY : m->nodes[dir].children[name];

	command.mode = op == COMMAND_SYMLINK ? 0 : (uint32_t)pick(m, 01000);
	if (op == COMMAND_SYMLINK)
		command.data = testfs_text("some/where");
	if (op == COMMAND_CREATE && pick(m, 3) == 0)
		command.flags = COMMAND_EXCL;
	if (!err && there != NOBODY) {
		err = RFS_ERR_EXIST;
		if (op == COMMAND_CREATE && !(command.flags & COMMAND_EXCL))
			err = m->nodes[there].kind == DIRECTORY ?
				      RFS_ERR_ISDIR :
				      RFS_ERR_OK;
	}
	expect(m, &command, err);
	if (err)
		return;
	if (there == NOBODY) {
		enum kind kind = op == COMMAND_MKDIR   ? DIRECTORY :
				 op == COMMAND_SYMLINK ? SYMLINK :
							 REGULAR;

		there = add_node(m, kind,
				 kind == SYMLINK ? 0777 : command.mode, dir);
		m->nodes[there].ino = m->fs->result.attr.ino;
		m->nodes[there].links = 1;
		m->nodes[dir].children[name] = there;
	}
	assert_int_equal(m->fs->result.attr.ino, m->nodes[there].ino);
}

static void do_link(struct model *m)
{
	int dir = pick_dir(m), name = pick(m, NAMES), target = pick_node(m);
	struct command command = on(m, COMMAND_LINK, dir, name);
	struct node *n = &m->nodes[target];
	enum rfs_err err = parent_err(&m->nodes[dir]);

	command.target = n->ino;
	if (!err && !exists(n))
		err = RFS_ERR_NOENT;
	if (!err && n->kind == DIRECTORY)
		err = RFS_ERR_PERM;
	if (!err && n->links == 0)
		err = RFS_ERR_NOENT;
	if (!err && m->nodes[dir].children[name] != NOBODY)
		err = RFS_ERR_EXIST;
	expect(m, &command, err);
	if (err)
		return;
	n->links++;
	m->nodes[dir].children[name] = target;
}

static void do_remove(struct model *m)
{
	bool rmdir = pick(m, 3) == 0;
	int dir = pick_dir(m), name = pick(m, NAMES);
	struct command command =
		on(m, rmdir ? COMMAND_RMDIR : COMMAND_UNLINK, dir, name);
	enum rfs_err err = parent_err(&m->nodes[dir]);
	int there = err ? NOBODY : m->nodes[dir].children[name];

	if (!err && there == NOBODY)
		err = RFS_ERR_NOENT;
	if (!err && !rmdir && m->nodes[there].kind == DIRECTORY)
		err = RFS_ERR_ISDIR;
	if (!err && rmdir && m->nodes[there].kind != DIRECTORY)
		err = RFS_ERR_NOTDIR;
	if (!err && rmdir && !is_empty(&m->nodes[there]))
		err = RFS_ERR_NOTEMPTY;
	expect(m, &command, err);
	if (err)
		return;
	m->nodes[there].links--;
	m->nodes[dir].children[name] = NOBODY;
}

/* ---- rename ---------------------------------------------------------- */

static bool is_within(struct model *m, int node, int ancestor)
{
	while (node != ancestor) {
		if (node == 0)
			return false;
		node = m->nodes[node].parent;
	}
	return true;
}

struct move {
	int from_dir, from_name, to_dir, to_name;
	uint32_t flags;
	int from, to; /* nodes, or NOBODY */
};

static enum rfs_err move_err(struct model *m, const struct move *v)
{
	const struct node *from, *to;
	bool exchange = v->flags & COMMAND_EXCHANGE;

	if (v->from == NOBODY)
		return RFS_ERR_NOENT;
	if (v->to != NOBODY && (v->flags & COMMAND_NOREPLACE))
		return RFS_ERR_EXIST;
	if (v->to == NOBODY && exchange)
		return RFS_ERR_NOENT;
	from = &m->nodes[v->from];
	to = v->to == NOBODY ? NULL : &m->nodes[v->to];
	if (from->kind == DIRECTORY && is_within(m, v->to_dir, v->from))
		return RFS_ERR_INVALID;
	if (exchange && to->kind == DIRECTORY &&
	    is_within(m, v->from_dir, v->to))
		return RFS_ERR_INVALID;
	if (exchange || !to || from == to)
		return RFS_ERR_OK;
	if (from->kind != DIRECTORY && to->kind == DIRECTORY)
		return RFS_ERR_ISDIR;
	if (from->kind == DIRECTORY && to->kind != DIRECTORY)
		return RFS_ERR_NOTDIR;
	return to->kind == DIRECTORY && !is_empty(to) ? RFS_ERR_NOTEMPTY :
							RFS_ERR_OK;
}

static void move_do(struct model *m, const struct move *v)
{
	if (v->from == v->to)
		return;
	m->nodes[v->to_dir].children[v->to_name] = v->from;
	m->nodes[v->from].parent = v->to_dir;
	if (v->flags & COMMAND_EXCHANGE) {
		m->nodes[v->from_dir].children[v->from_name] = v->to;
		m->nodes[v->to].parent = v->from_dir;
		return;
	}
	m->nodes[v->from_dir].children[v->from_name] = NOBODY;
	if (v->to != NOBODY)
		m->nodes[v->to].links--;
}

static void do_rename(struct model *m)
{
	struct move v = { .from_dir = pick_dir(m),
			  .from_name = pick(m, NAMES),
			  .to_dir = pick_dir(m),
			  .to_name = pick(m, NAMES),
			  .flags = (uint32_t)pick(m, 3) };
	struct command command =
		on(m, COMMAND_RENAME, v.from_dir, v.from_name);
	enum rfs_err err;

	if (pick(m, 3) == 0)
		v.to_dir = v.from_dir;
	command.target = m->nodes[v.to_dir].ino;
	command.target_name = testfs_text(names[v.to_name]);
	command.flags = v.flags;
	err = parent_err(&m->nodes[v.from_dir]);
	if (!err)
		err = parent_err(&m->nodes[v.to_dir]);
	if (!err) {
		v.from = m->nodes[v.from_dir].children[v.from_name];
		v.to = m->nodes[v.to_dir].children[v.to_name];
		err = move_err(m, &v);
	}
	expect(m, &command, err);
	if (!err)
		move_do(m, &v);
}

/* ---- content --------------------------------------------------------- */

static enum rfs_err file_err(const struct node *n)
{
	if (!exists(n))
		return RFS_ERR_NOENT;
	if (n->kind == DIRECTORY)
		return RFS_ERR_ISDIR;
	return n->kind == REGULAR ? RFS_ERR_OK : RFS_ERR_INVALID;
}

static void fill(struct model *m, struct command *command, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		m->last_content[i] = (uint8_t)prng_next(&m->prng);
	if (pick(m, 2)) {
		testfs_pieces(m->fs, command, m->last_content, bytes,
			      1 + (size_t)pick(m, 100) + bytes / 50);
		return;
	}
	command->data = (struct bytes){ m->last_content, bytes };
	testfs_sha256(m->last_content, bytes, command->sha256);
}

static void node_write(struct node *n, size_t offset, const uint8_t *data,
		       size_t bytes)
{
	if (bytes == 0)
		return;
	if (offset > n->size)
		memset(n->content + n->size, 0, offset - n->size);
	memcpy(n->content + offset, data, bytes);
	if (offset + bytes > n->size)
		n->size = offset + bytes;
}

static void do_write(struct model *m)
{
	int at = pick_node(m);
	struct node *n = &m->nodes[at];
	struct command command = on(m, COMMAND_WRITE, at, NOBODY);
	size_t bytes = (size_t)pick(m, 500);
	size_t offset = (size_t)pick(m, (int)(CONTENT - bytes));
	enum rfs_err err = file_err(n);

	/* Data for a file that cannot take it would be left ungranted. */
	if (err)
		command.data = testfs_text("lost");
	else
		fill(m, &command, bytes);
	command.offset = offset;
	if (n->size + bytes <= CONTENT && pick(m, 3) == 0) {
		command.flags = COMMAND_APPEND;
		offset = n->size;
	}
	expect(m, &command, err);
	if (!err)
		node_write(n, offset, m->last_content, bytes);
}

static void do_truncate(struct model *m)
{
	int at = pick_node(m);
	struct node *n = &m->nodes[at];
	struct command command = on(m, COMMAND_SETATTR, at, NOBODY);
	enum rfs_err err = file_err(n);

	command.set_mask = COMMAND_SET_SIZE;
	command.size_bytes = pick(m, 4) ? (uint64_t)pick(m, CONTENT) : 0;
	expect(m, &command, err);
	if (err)
		return;
	if (command.size_bytes > n->size)
		memset(n->content + n->size, 0, command.size_bytes - n->size);
	n->size = command.size_bytes;
}

static void do_put(struct model *m)
{
	int dir = pick_dir(m), name = pick(m, NAMES);
	struct command command = on(m, COMMAND_PUT, dir, name);
	enum rfs_err err = parent_err(&m->nodes[dir]);
	int there = err ? NOBODY : m->nodes[dir].children[name];
	size_t bytes = (size_t)pick(m, 500);

	command.mode = (uint32_t)pick(m, 01000);
	if (there != NOBODY && m->nodes[there].kind == DIRECTORY)
		err = RFS_ERR_ISDIR;
	if (there != NOBODY && m->nodes[there].kind == SYMLINK)
		err = RFS_ERR_EXIST;
	if (!err)
		fill(m, &command, bytes);
	expect(m, &command, err);
	if (err)
		return;
	if (there == NOBODY) {
		there = add_node(m, REGULAR, command.mode, dir);
		m->nodes[there].ino = m->fs->result.attr.ino;
		m->nodes[there].links = 1;
		m->nodes[dir].children[name] = there;
	}
	m->nodes[there].size = 0;
	node_write(&m->nodes[there], 0, m->last_content, bytes);
}

/* ---- attributes, pins, sessions -------------------------------------- */

static void do_chmod(struct model *m)
{
	int at = pick_node(m);
	struct command command = on(m, COMMAND_SETATTR, at, NOBODY);
	enum rfs_err err = exists(&m->nodes[at]) ? RFS_ERR_OK : RFS_ERR_NOENT;

	command.set_mask = COMMAND_SET_MODE;
	command.mode = (uint32_t)pick(m, 01000);
	expect(m, &command, err);
	if (!err)
		m->nodes[at].perm = command.mode;
}

static void do_xattr(struct model *m)
{
	static const char *const values[] = { "", "v", "vw", "vwx" };
	int at = pick_node(m);
	struct node *n = &m->nodes[at];
	bool set = pick(m, 3) > 0;
	struct command command =
		on(m, set ? COMMAND_SETXATTR : COMMAND_REMOVEXATTR, at, 0);
	const char *value = values[pick(m, 4)];
	enum rfs_err err = exists(n) ? RFS_ERR_OK : RFS_ERR_NOENT;

	if (set)
		command.data = testfs_text(value);
	else if (!err && !n->has_xattr)
		err = RFS_ERR_NODATA;
	expect(m, &command, err);
	if (err)
		return;
	n->has_xattr = set;
	strcpy(n->xattr, value);
}

static void do_open(struct model *m)
{
	int at = pick_node(m);
	struct command command = on(m, COMMAND_OPEN, at, NOBODY);
	enum rfs_err err = exists(&m->nodes[at]) ? RFS_ERR_OK : RFS_ERR_NOENT;

	expect(m, &command, err);
	if (!err)
		m->nodes[at].opens++;
}

static void do_release(struct model *m)
{
	int at = pick_node(m);
	struct command command = on(m, COMMAND_RELEASE, at, NOBODY);
	enum rfs_err err = m->nodes[at].opens ? RFS_ERR_OK : RFS_ERR_NOENT;

	expect(m, &command, err);
	if (!err)
		m->nodes[at].opens--;
}

/* Another session takes over; the old one's pins go with it. */
static void do_new_session(struct model *m)
{
	struct command close = { .op = COMMAND_CLOSE_SESSION };
	struct command open = { .op = COMMAND_OPEN_SESSION, .lease_ns = 1000 };

	assert_int_equal(testfs_apply(m->fs, &close), RFS_ERR_OK);
	assert_int_equal(testfs_apply(m->fs, &open), RFS_ERR_OK);
	m->fs->session = m->fs->result.value;
	m->fs->seq = 0;
	m->last.op = COMMAND_NOOP;
	for (int i = 0; i < m->count; i++)
		m->nodes[i].opens = 0;
}

static void do_retry(struct model *m)
{
	if (m->last.op == COMMAND_NOOP)
		return;
	assert_int_equal(testfs_apply(m->fs, &m->last), m->last_err);
	assert_true(m->fs->result.duplicate);
}

static void step(struct model *m)
{
	static void (*const ops[])(struct model *m) = {
		do_make,   do_make,   do_make,	   do_make,    do_link,
		do_link,   do_remove, do_remove,   do_rename,  do_rename,
		do_rename, do_write,  do_write,	   do_write,   do_truncate,
		do_put,	   do_chmod,  do_xattr,	   do_open,    do_release,
		do_retry,
	};

	if (pick(m, 80) == 0)
		do_new_session(m);
	else
		ops[pick(m, sizeof(ops) / sizeof(ops[0]))](m);
}

/* ---- comparing ------------------------------------------------------- */

struct seen {
	struct model *m;
	const struct node *dir;
	int count;
};

static bool see_name(void *ctx, const struct query_name *name)
{
	struct seen *seen = ctx;

	for (int i = 0; i < NAMES; i++) {
		int child = seen->dir->children[i];

		if (strlen(names[i]) != name->name.bytes ||
		    memcmp(names[i], name->name.data, name->name.bytes) != 0)
			continue;
		assert_int_not_equal(child, NOBODY);
		assert_int_equal(name->ino, seen->m->nodes[child].ino);
		seen->count++;
	}
	return true;
}

static void compare_dir(struct model *m, const struct node *n)
{
	struct seen seen = { m, n, 0 };
	struct kv kv = testfs_begin_read(m->fs);
	int expected = 0;
	bool end;

	assert_int_equal(query_readdir(&kv, n->ino, 0, see_name, &seen, &end),
			 RFS_ERR_OK);
	assert_true(end);
	for (int i = 0; i < NAMES; i++) {
		struct inode attr;
		int child = n->children[i];
		enum rfs_err err = query_lookup(&kv, n->ino,
						testfs_text(names[i]), &attr);

		assert_int_equal(err, child == NOBODY ? RFS_ERR_NOENT :
							RFS_ERR_OK);
		if (child != NOBODY)
			assert_int_equal(attr.ino, m->nodes[child].ino);
		expected += child != NOBODY;
	}
	assert_int_equal(seen.count, expected);
	testfs_end_read(m->fs);
}

static void compare_xattr(struct model *m, const struct node *n)
{
	struct kv kv = testfs_begin_read(m->fs);
	struct bytes value;
	enum rfs_err err = query_getxattr(&kv, n->ino, testfs_text(names[0]),
					  &value);

	assert_int_equal(err, n->has_xattr ? RFS_ERR_OK : RFS_ERR_NODATA);
	if (n->has_xattr) {
		assert_int_equal(value.bytes, strlen(n->xattr));
		if (value.bytes)
			assert_memory_equal(value.data, n->xattr, value.bytes);
	}
	testfs_end_read(m->fs);
}

static void compare_node(struct model *m, const struct node *n)
{
	static const uint32_t types[] = { INODE_TYPE_DIR, INODE_TYPE_REGULAR,
					  INODE_TYPE_SYMLINK };
	uint8_t got[CONTENT + 1];
	struct inode attr;
	enum rfs_err err = testfs_getattr(m->fs, n->ino, &attr);

	assert_int_equal(err, exists(n) ? RFS_ERR_OK : RFS_ERR_NOENT);
	if (err)
		return;
	assert_int_equal(attr.mode, types[n->kind] | n->perm);
	compare_xattr(m, n);
	if (n->kind == DIRECTORY) {
		assert_int_equal(attr.nlink,
				 n->links ? 2 + subdirs(m, n) : 0);
		compare_dir(m, n);
		return;
	}
	assert_int_equal(attr.nlink, n->links);
	if (n->kind == SYMLINK)
		return;
	assert_int_equal(attr.size_bytes, n->size);
	assert_int_equal(testfs_read(m->fs, n->ino, 0, got, sizeof(got)),
			 n->size);
	assert_memory_equal(got, n->content, n->size);
}

static void run_seed(uint64_t seed)
{
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	print_message("seed %d\n", (int)seed);
	prng_seed(&m->prng, seed);
	m->fs = testfs_new();
	add_node(m, DIRECTORY, 0755, 0);
	m->nodes[0].ino = INODE_ROOT;
	m->nodes[0].links = 1;
	for (int i = 0; i < STEPS; i++) {
		step(m);
		if (i % 25 == 24) {
			testfs_check(m->fs);
			for (int n = 0; n < m->count; n++)
				compare_node(m, &m->nodes[n]);
		}
	}
	testfs_free(m->fs);
	free(m);
}

static void random_operations_agree_with_a_plain_tree(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		run_seed(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations_agree_with_a_plain_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
