/* R2 by keys. First a promise, by random trees, commands and questions: what is
 * said not to change is the same after every prefix of the commands in limbo.
 * Then, by hand, that enough is said not to change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/prng.h"
#include "storaged/core/limbo.h"
#include "tests/storaged/testfs.h"

#define SEEDS	    600
#define BASE_STEPS  120
#define LIMBO_MAX   6
#define INODES_MAX  16
#define QUERIES_MAX 1200
#define ANSWER_MAX  2048
#define IMAGE_BYTES 1024

static const char *const names[] = { "a", "bb", "ccc", "d" };
static const char *const looked_up[] = { "a", "bb", "ccc", "d", ".", ".." };
#define NAMES  (sizeof(names) / sizeof(names[0]))
#define LOOKED (sizeof(looked_up) / sizeof(looked_up[0]))

static const enum command_op ops[] = {
	COMMAND_NOOP,	      COMMAND_OPEN_SESSION,   COMMAND_RENEW_SESSION,
	COMMAND_CLOSE_SESSION, COMMAND_EXPIRE_SESSIONS, COMMAND_GRANT,
	COMMAND_EXPIRE_GRANT, COMMAND_CREATE,	      COMMAND_CREATE,
	COMMAND_MKDIR,	      COMMAND_MKDIR,	      COMMAND_MKNOD,
	COMMAND_SYMLINK,      COMMAND_LINK,	      COMMAND_LINK,
	COMMAND_UNLINK,	      COMMAND_UNLINK,	      COMMAND_RMDIR,
	COMMAND_RENAME,	      COMMAND_RENAME,	      COMMAND_RENAME,
	COMMAND_SETATTR,      COMMAND_SETATTR,	      COMMAND_WRITE,
	COMMAND_WRITE,	      COMMAND_WRITE,	      COMMAND_SETXATTR,
	COMMAND_REMOVEXATTR,  COMMAND_OPEN,	      COMMAND_OPEN,
	COMMAND_RELEASE,      COMMAND_FALLOCATE,      COMMAND_PUT,
	COMMAND_PUT,
};
#define OPS (sizeof(ops) / sizeof(ops[0]))

struct world {
	struct testfs *fs;
	struct limbo *limbo;
	struct prng prng;
	uint64_t session; /* another one, which commands may end */
	struct bytes images[LIMBO_MAX];
	uint8_t image[LIMBO_MAX][IMAGE_BYTES];
	struct asked {
		struct limbo_query query;
		bool promised;
		char answer[ANSWER_MAX]; /* since it was */
	} asked[QUERIES_MAX];
	uint32_t asked_count;
	uint64_t promised, refused; /* over all */
};

static uint64_t below(struct world *w, uint64_t limit)
{
	return prng_below(&w->prng, limit);
}

/* ---- commands ---------------------------------------------------------- */

static struct bytes draw_data(struct world *w, uint8_t data[96])
{
	size_t bytes = 1 + below(w, 96);

	for (size_t i = 0; i < bytes; i++)
		data[i] = (uint8_t)prng_next(&w->prng);
	return (struct bytes){ data, bytes };
}

static void draw_attributes(struct world *w, struct command *c)
{
	static const uint32_t masks[] = {
		COMMAND_SET_SIZE, COMMAND_SET_SIZE, COMMAND_SET_MODE,
		COMMAND_SET_UID,  COMMAND_SET_MTIME_NOW,
	};

	c->set_mask = masks[below(w, 5)];
	if (c->set_mask == COMMAND_SET_SIZE)
		c->size_bytes = below(w, 200);
	if (c->set_mask == COMMAND_SET_MODE)
		c->mode = (uint32_t)below(w, 01000);
	if (c->set_mask == COMMAND_SET_UID)
		c->uid = (uint32_t)below(w, 5);
}

static void draw_fields(struct world *w, struct command *c, uint8_t data[96])
{
	switch (c->op) {
	case COMMAND_MKNOD:
		c->mode = INODE_TYPE_FIFO | 0600;
		break;
	case COMMAND_SYMLINK:
		c->data = testfs_text("over there");
		break;
	case COMMAND_LINK:
		c->target = 1 + below(w, 8);
		break;
	case COMMAND_RENAME:
		c->target = 1 + below(w, 8);
		c->target_name = testfs_text(names[below(w, NAMES)]);
		c->flags = below(w, 3) ? 0 : COMMAND_EXCHANGE;
		break;
	case COMMAND_SETATTR:
		draw_attributes(w, c);
		break;
	case COMMAND_WRITE:
		c->offset = below(w, 300);
		c->flags = below(w, 3) ? 0 : COMMAND_APPEND;
		if (c->flags)
			c->offset = 0;
		/* fall through */
	case COMMAND_PUT:
		c->data = draw_data(w, data);
		testfs_sha256(c->data.data, c->data.bytes, c->sha256);
		if (c->op == COMMAND_PUT && below(w, 2)) {
			c->set_mask = COMMAND_SET_MODE;
			c->mode = (uint32_t)below(w, 01000);
		}
		break;
	case COMMAND_SETXATTR:
		c->data = testfs_text(names[below(w, NAMES)]);
		break;
	case COMMAND_FALLOCATE:
		c->offset = below(w, 200);
		c->length = 1 + below(w, 200);
		if (below(w, 2))
			c->flags = COMMAND_PUNCH | COMMAND_KEEP_SIZE;
		break;
	case COMMAND_OPEN_SESSION:
		c->lease_ns = 5;
		break;
	case COMMAND_GRANT:
		c->length = 4;
		break;
	case COMMAND_EXPIRE_GRANT:
		c->target = 1;
		break;
	default:
		break;
	}
}

static bool takes_name(enum command_op op)
{
	return (op >= COMMAND_CREATE && op <= COMMAND_RENAME) ||
	       op == COMMAND_PUT || op == COMMAND_SETXATTR ||
	       op == COMMAND_REMOVEXATTR;
}

/* A sound command, its image in `image`; whether it can be carried out is as
 * it comes. */
static size_t draw_command(struct world *w, uint8_t image[IMAGE_BYTES])
{
	struct command c = { .op = ops[below(w, OPS)] };
	uint8_t data[96];
	size_t bytes = 0;

	if (c.op >= COMMAND_CREATE)
		c.ino = 1 + below(w, below(w, 2) ? 5 : INODES_MAX - 1);
	if (takes_name(c.op))
		c.name = testfs_text(names[below(w, NAMES)]);
	draw_fields(w, &c, data);
	if (command_has_session(c.op)) {
		bool other = c.op < COMMAND_CREATE || below(w, 3) == 0;

		c.session = other ? w->session : w->fs->session;
	}
	if (command_has_seq(c.op))
		c.seq = c.acked_below = ++w->fs->seq;
	assert_int_equal(command_encode(&c, image, IMAGE_BYTES, &bytes),
			 RFS_ERR_OK);
	return bytes;
}

/* ---- questions and answers --------------------------------------------- */

struct text {
	char *at;
	size_t left;
};

static void __attribute__((format(printf, 2, 3)))
say(struct text *text, const char *format, ...)
{
	va_list arguments;
	int bytes;

	va_start(arguments, format);
	bytes = vsnprintf(text->at, text->left, format, arguments);
	va_end(arguments);
	assert_in_range(bytes, 0, text->left - 1);
	text->at += bytes;
	text->left -= (size_t)bytes;
}

/* What a client is shown of an inode: storaged/convert.c. */
static void say_inode(struct text *text, const struct inode *i)
{
	say(text, " %ju %o %u %u %u %ju %ju %ju %jd %jd %jd %ju",
	    (uintmax_t)i->ino, i->mode, i->nlink, i->uid, i->gid,
	    (uintmax_t)i->rdev, (uintmax_t)i->size_bytes,
	    (uintmax_t)i->allocated_bytes, (intmax_t)i->atime_ns,
	    (intmax_t)i->mtime_ns, (intmax_t)i->ctime_ns,
	    (uintmax_t)i->version);
}

struct saying {
	struct text *text;
	struct kv *kv;
	bool with_attr;
	uint32_t left;
};

static bool say_name(void *ctx, const struct query_name *name)
{
	struct saying *saying = ctx;
	struct inode inode;

	say(saying->text, "; %.*s %ju %o %ju", (int)name->name.bytes,
	    (const char *)name->name.data, (uintmax_t)name->ino, name->mode,
	    (uintmax_t)name->cookie);
	if (saying->with_attr &&
	    query_getattr(saying->kv, name->ino, &inode) == RFS_ERR_OK)
		say_inode(saying->text, &inode);
	return --saying->left > 0;
}

static bool say_extent(void *ctx, const struct query_extent *extent)
{
	struct saying *saying = ctx;

	say(saying->text, "; %ju+%ju of %ju at %u", (uintmax_t)extent->offset,
	    (uintmax_t)extent->length, (uintmax_t)extent->chunk,
	    extent->chunk_offset);
	return true;
}

static bool say_xattr(void *ctx, struct bytes name)
{
	struct saying *saying = ctx;

	say(saying->text, "; %.*s", (int)name.bytes, (const char *)name.data);
	return true;
}

static void answer(struct kv *kv, const struct limbo_query *q,
		   char out[ANSWER_MAX])
{
	struct text text = { out, ANSWER_MAX };
	struct saying saying = { &text, kv, q->with_attr, 1000 };
	enum rfs_err err = RFS_ERR_OK, access;
	struct bytes value = { 0 };
	struct inode inode;
	bool end = false;

	memset(out, 0, ANSWER_MAX);
	switch (q->look) {
	case LIMBO_LOOKUP:
		err = query_lookup(kv, q->ino, q->name, &inode);
		if (err == RFS_ERR_OK)
			say_inode(&text, &inode);
		break;
	case LIMBO_GETATTR:
		err = query_getattr(kv, q->ino, &inode);
		if (err == RFS_ERR_OK)
			say_inode(&text, &inode);
		break;
	case LIMBO_READLINK:
		err = query_readlink(kv, q->ino, &value);
		break;
	case LIMBO_READDIR:
		if (q->with_attr)
			saying.left = q->count;
		err = query_readdir(kv, q->ino, q->cookie, say_name, &saying,
				    &end);
		break;
	case LIMBO_READ:
		err = query_map(kv, q->ino, q->offset, q->length, say_extent,
				&saying);
		break;
	case LIMBO_GETXATTR:
		err = query_getxattr(kv, q->ino, q->name, &value);
		break;
	case LIMBO_LISTXATTR:
		err = query_listxattr(kv, q->ino, say_xattr, &saying);
		break;
	}
	if (err == RFS_ERR_OK)
		say(&text, "%.*s %d", (int)value.bytes,
		    value.bytes ? (const char *)value.data : "", end);
	/* As access_read() looks: who may know? */
	access = query_getattr(kv, q->ino, &inode);
	if (q->look != LIMBO_LISTXATTR && q->look != LIMBO_READLINK &&
	    access == RFS_ERR_OK)
		say(&text, " for %o %u %u", inode.mode & 0777u, inode.uid,
		    inode.gid);
	say(&text, " %s", rfs_err_name(err));
}

static void ask(struct world *w, struct limbo_query query)
{
	assert_true(w->asked_count < QUERIES_MAX);
	w->asked[w->asked_count].query = query;
	w->asked[w->asked_count].promised = false;
	w->asked_count++;
}

static void ask_about(struct world *w, uint64_t ino)
{
	ask(w, (struct limbo_query){ .look = LIMBO_GETATTR, .ino = ino });
	ask(w, (struct limbo_query){ .look = LIMBO_READLINK, .ino = ino });
	ask(w, (struct limbo_query){ .look = LIMBO_LISTXATTR, .ino = ino });
	ask(w, (struct limbo_query){ .look = LIMBO_READDIR, .ino = ino });
	for (uint32_t i = 0; i < 2; i++) {
		ask(w, (struct limbo_query){ .look = LIMBO_GETXATTR,
					     .ino = ino,
					     .name = testfs_text(names[i]) });
		ask(w, (struct limbo_query){ .look = LIMBO_READDIR,
					     .ino = ino,
					     .with_attr = true,
					     .count = i ? 2 : 1000 });
	}
	for (uint32_t i = 0; i < LOOKED; i++)
		ask(w, (struct limbo_query){
				.look = LIMBO_LOOKUP,
				.ino = ino,
				.name = testfs_text(looked_up[i]) });
	for (uint64_t offset = 0; offset < 400; offset += 40)
		ask(w, (struct limbo_query){ .look = LIMBO_READ,
					     .ino = ino,
					     .offset = offset,
					     .length = 40 });
}

/* Each question is asked at every prefix. Once promised, the answer stays. */
static void look(struct world *w, uint32_t applied)
{
	struct kv kv = testfs_begin_read(w->fs);
	static char now[ANSWER_MAX];

	for (uint32_t i = 0; i < w->asked_count; i++) {
		struct asked *asked = &w->asked[i];

		answer(&kv, &asked->query, now);
		if (asked->promised && strcmp(asked->answer, now) != 0)
			fail_msg("look %d of inode %ju name %.*s offset %ju "
				 "after %u commands: was \"%s\" is \"%s\"",
				 (int)asked->query.look,
				 (uintmax_t)asked->query.ino,
				 (int)asked->query.name.bytes,
				 (const char *)asked->query.name.data,
				 (uintmax_t)asked->query.offset, applied,
				 asked->answer, now);
		if (!asked->promised)
			asked->promised = !limbo_may_change(w->limbo, &kv,
							    &asked->query);
		if (applied == 0 && asked->promised)
			w->promised++;
		else if (applied == 0)
			w->refused++;
		memcpy(asked->answer, now, sizeof(now));
	}
	testfs_end_read(w->fs);
}

static void begin_world(struct world *w, uint64_t seed)
{
	struct command open = { .op = COMMAND_OPEN_SESSION, .lease_ns = 1 };
	uint8_t image[IMAGE_BYTES];

	prng_seed(&w->prng, seed);
	w->fs = testfs_new();
	w->asked_count = 0;
	assert_int_equal(testfs_apply(w->fs, &open), RFS_ERR_OK);
	w->session = w->fs->result.value;
	for (int i = 0; i < BASE_STEPS; i++) {
		size_t bytes = draw_command(w, image);

		(void)testfs_apply_image(w->fs, image, bytes);
	}
	for (uint64_t ino = 1; ino < INODES_MAX + LIMBO_MAX; ino++)
		ask_about(w, ino);
}

static void run_seed(struct world *w, uint64_t seed)
{
	uint32_t count;

	begin_world(w, seed);
	count = 1 + (uint32_t)below(w, LIMBO_MAX);

	struct kv kv = testfs_begin_read(w->fs);

	limbo_begin(w->limbo, &kv);
	for (uint32_t i = 0; i < count; i++) {
		w->images[i].data = w->image[i];
		w->images[i].bytes = draw_command(w, w->image[i]);
		limbo_add(w->limbo, &kv, w->images[i]);
	}
	limbo_end(w->limbo);
	testfs_end_read(w->fs);
	look(w, 0);
	for (uint32_t i = 0; i < count; i++) {
		(void)testfs_apply_image(w->fs, w->image[i],
					 w->images[i].bytes);
		look(w, i + 1);
	}
	testfs_free(w->fs);
}

static void what_is_promised_not_to_change_does_not(void **state)
{
	const char *seeds = getenv("RAFTFS_LIMBO_SEEDS");
	uint64_t last = seeds ? (uint64_t)atoll(seeds) : SEEDS;
	struct world *w = calloc(1, sizeof(*w));

	(void)state;
	assert_non_null(w);
	w->limbo = limbo_new();
	assert_non_null(w->limbo);
	for (uint64_t seed = 1; seed <= last; seed++) {
		if (seeds)
			print_message("seed %ju\n", (uintmax_t)seed);
		run_seed(w, seed);
	}
	/* And it is not all refused: a tree of a dozen inodes is small. */
	assert_true(w->promised > w->refused);
	limbo_free(w->limbo);
	free(w);
}

/* ---- by hand ------------------------------------------------------------ */

/* The root holds directory 2 "a" and files 3 "bb" of 100 bytes and 4 "ccc";
 * directory 2 holds file 5 "d". */
struct hand {
	struct testfs *fs;
	struct limbo *limbo;
};

static int setup(void **state)
{
	struct hand *hand = calloc(1, sizeof(*hand));
	uint8_t data[100] = { 1 };
	uint64_t ino;

	assert_non_null(hand);
	hand->fs = testfs_new();
	hand->limbo = limbo_new();
	assert_non_null(hand->limbo);
	assert_int_equal(testfs_make(hand->fs, COMMAND_MKDIR, 1, "a", 0755,
				     &ino),
			 RFS_ERR_OK);
	assert_int_equal(ino, 2);
	for (uint64_t i = 3; i <= 5; i++)
		assert_int_equal(testfs_make(hand->fs, COMMAND_CREATE,
					     i == 5 ? 2 : 1, names[i - 2], 0644,
					     &ino),
				 RFS_ERR_OK);
	assert_int_equal(ino, 5);
	assert_int_equal(testfs_write(hand->fs, 3, 0, data, sizeof(data)),
			 RFS_ERR_OK);
	*state = hand;
	return 0;
}

static int teardown(void **state)
{
	struct hand *hand = *state;

	limbo_free(hand->limbo);
	testfs_free(hand->fs);
	free(hand);
	return 0;
}

/* The one command in limbo. */
static void in_limbo(struct hand *hand, struct command command)
{
	uint8_t image[IMAGE_BYTES];
	struct kv kv = testfs_begin_read(hand->fs);
	size_t bytes;

	if (command_has_session(command.op))
		command.session = hand->fs->session;
	if (command_has_seq(command.op))
		command.seq = command.acked_below = 1000;
	assert_int_equal(command_encode(&command, image, sizeof(image), &bytes),
			 RFS_ERR_OK);
	limbo_begin(hand->limbo, &kv);
	limbo_add(hand->limbo, &kv, (struct bytes){ image, bytes });
	limbo_end(hand->limbo);
	testfs_end_read(hand->fs);
}

static bool may(struct hand *hand, struct limbo_query query)
{
	struct kv kv = testfs_begin_read(hand->fs);
	bool answer = limbo_may_change(hand->limbo, &kv, &query);

	testfs_end_read(hand->fs);
	return answer;
}

static bool may_stat(struct hand *hand, uint64_t ino)
{
	return may(hand, (struct limbo_query){ .look = LIMBO_GETATTR,
					       .ino = ino });
}

static bool may_read(struct hand *hand, uint64_t ino, uint64_t offset,
		     uint64_t length)
{
	return may(hand, (struct limbo_query){ .look = LIMBO_READ,
					       .ino = ino,
					       .offset = offset,
					       .length = length });
}

static bool may_find(struct hand *hand, uint64_t dir, const char *name)
{
	return may(hand, (struct limbo_query){ .look = LIMBO_LOOKUP,
					       .ino = dir,
					       .name = testfs_text(name) });
}

static bool may_list(struct hand *hand, uint64_t dir, bool with_attr)
{
	return may(hand, (struct limbo_query){ .look = LIMBO_READDIR,
					       .ino = dir,
					       .with_attr = with_attr,
					       .count = 100 });
}

static void a_write_leaves_other_blocks_and_other_files_alone(void **state)
{
	struct hand *hand = *state;

	in_limbo(hand, (struct command){ .op = COMMAND_WRITE,
					 .ino = 3,
					 .offset = 40,
					 .data = testfs_text("twenty bytes of it..") });
	assert_true(may_read(hand, 3, 40, 20));
	assert_true(may_read(hand, 3, 0, 41));
	assert_true(may_read(hand, 3, 59, 1));
	assert_false(may_read(hand, 3, 0, 40));
	assert_false(may_read(hand, 3, 60, 1000));
	assert_true(may_stat(hand, 3));
	assert_true(may_find(hand, 1, "bb"));
	assert_false(may_stat(hand, 4));
	assert_false(may_read(hand, 4, 0, 100));
	assert_false(may_find(hand, 1, "ccc"));
	assert_false(may_list(hand, 1, false));
	assert_true(may_list(hand, 1, true));
	assert_false(may_list(hand, 2, true));
}

static void an_append_leaves_what_was_there_alone(void **state)
{
	struct hand *hand = *state;

	in_limbo(hand, (struct command){ .op = COMMAND_WRITE,
					 .ino = 3,
					 .flags = COMMAND_APPEND,
					 .data = testfs_text("more") });
	assert_false(may_read(hand, 3, 0, 100));
	assert_true(may_read(hand, 3, 0, 101));
	assert_true(may_read(hand, 3, 100, 1));
}

static void a_write_past_the_end_makes_a_hole_that_reads_as_zeros(void **state)
{
	struct hand *hand = *state;

	in_limbo(hand, (struct command){ .op = COMMAND_WRITE,
					 .ino = 3,
					 .offset = 500,
					 .data = testfs_text("far") });
	assert_false(may_read(hand, 3, 0, 100));
	assert_true(may_read(hand, 3, 200, 10));
}

static void a_new_name_leaves_the_others_of_its_directory_alone(void **state)
{
	struct hand *hand = *state;

	in_limbo(hand, (struct command){ .op = COMMAND_CREATE,
					 .ino = 1,
					 .name = testfs_text("d"),
					 .mode = 0600 });
	assert_true(may_find(hand, 1, "d"));
	assert_true(may_list(hand, 1, false));
	assert_true(may_stat(hand, 1));
	assert_true(may_stat(hand, 6)); /* its number, if it is there */
	assert_true(may_read(hand, 6, 0, 10));
	assert_false(may_find(hand, 1, "a"));
	assert_false(may_find(hand, 1, "bb"));
	assert_false(may_find(hand, 2, "d"));
	assert_false(may_stat(hand, 3));
	assert_false(may_list(hand, 2, true));
}

static void a_name_that_goes_may_take_its_file_along(void **state)
{
	struct hand *hand = *state;

	in_limbo(hand, (struct command){ .op = COMMAND_UNLINK,
					 .ino = 1,
					 .name = testfs_text("bb") });
	assert_true(may_find(hand, 1, "bb"));
	assert_true(may_read(hand, 3, 0, 1));
	assert_true(may_stat(hand, 3));
	assert_false(may_find(hand, 1, "ccc"));
	assert_false(may_read(hand, 4, 0, 1));
}

static void a_put_changes_a_file_and_perhaps_who_may_read_it(void **state)
{
	struct hand *hand = *state;
	struct command put = { .op = COMMAND_PUT,
			       .ino = 1,
			       .name = testfs_text("bb"),
			       .data = testfs_text("new") };
	const struct limbo_query xattrs = { .look = LIMBO_GETXATTR,
					    .ino = 3,
					    .name = testfs_text("a") };

	in_limbo(hand, put);
	assert_true(may_read(hand, 3, 0, 1));
	assert_false(may(hand, xattrs));
	assert_false(may_list(hand, 1, false));
	assert_false(may_find(hand, 1, "ccc"));
	put.set_mask = COMMAND_SET_MODE;
	put.mode = 0600;
	in_limbo(hand, put);
	assert_true(may(hand, xattrs));
}

static void only_orphans_go_with_a_session(void **state)
{
	struct hand *hand = *state;

	assert_int_equal(testfs_open(hand->fs, 4), RFS_ERR_OK);
	assert_int_equal(testfs_remove(hand->fs, COMMAND_UNLINK, 1, "ccc"),
			 RFS_ERR_OK);
	in_limbo(hand, (struct command){ .op = COMMAND_EXPIRE_SESSIONS });
	assert_true(may_stat(hand, 4));
	assert_true(may_read(hand, 4, 0, 1));
	assert_false(may_stat(hand, 3));
	assert_false(may_find(hand, 1, "bb"));
	in_limbo(hand, (struct command){ .op = COMMAND_RELEASE, .ino = 4 });
	assert_true(may_stat(hand, 4));
	in_limbo(hand, (struct command){ .op = COMMAND_RELEASE, .ino = 3 });
	assert_false(may_stat(hand, 3));
	assert_int_equal(testfs_release(hand->fs, 4), RFS_ERR_OK);
}

static void what_has_a_size_of_its_own_is_given_up_when_full(void **state)
{
	struct hand *hand = *state;
	struct kv kv = testfs_begin_read(hand->fs);
	struct command command = { .op = COMMAND_SETATTR,
				   .ino = 3,
				   .set_mask = COMMAND_SET_MTIME_NOW,
				   .session = hand->fs->session,
				   .seq = 1000,
				   .acked_below = 1000 };
	uint8_t image[IMAGE_BYTES];
	size_t bytes;

	assert_int_equal(command_encode(&command, image, sizeof(image), &bytes),
			 RFS_ERR_OK);
	limbo_begin(hand->limbo, &kv);
	for (uint32_t i = 0; i < LIMBO_TOUCHES_MAX; i++)
		limbo_add(hand->limbo, &kv, (struct bytes){ image, bytes });
	limbo_end(hand->limbo);
	testfs_end_read(hand->fs);
	assert_false(may_stat(hand, 4));

	kv = testfs_begin_read(hand->fs);
	limbo_add(hand->limbo, &kv, (struct bytes){ image, bytes });
	limbo_end(hand->limbo);
	testfs_end_read(hand->fs);
	assert_true(may_stat(hand, 4));
}

static void what_cannot_be_read_may_change_anything(void **state)
{
	struct hand *hand = *state;
	struct kv kv = testfs_begin_read(hand->fs);

	limbo_begin(hand->limbo, &kv);
	limbo_add(hand->limbo, &kv, testfs_text("not a command"));
	limbo_end(hand->limbo);
	testfs_end_read(hand->fs);
	assert_true(may_stat(hand, 3));
	assert_true(may_list(hand, 2, false));
	assert_true(may(hand, (struct limbo_query){ .look = LIMBO_READLINK,
						    .ino = 5 }));
}

int main(void)
{
#define BY_HAND(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_promised_not_to_change_does_not),
		BY_HAND(a_write_leaves_other_blocks_and_other_files_alone),
		BY_HAND(an_append_leaves_what_was_there_alone),
		BY_HAND(a_write_past_the_end_makes_a_hole_that_reads_as_zeros),
		BY_HAND(a_new_name_leaves_the_others_of_its_directory_alone),
		BY_HAND(a_name_that_goes_may_take_its_file_along),
		BY_HAND(a_put_changes_a_file_and_perhaps_who_may_read_it),
		BY_HAND(only_orphans_go_with_a_session),
		BY_HAND(what_has_a_size_of_its_own_is_given_up_when_full),
		BY_HAND(what_cannot_be_read_may_change_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
