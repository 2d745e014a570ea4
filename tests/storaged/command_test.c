/* Commands: what is well formed, one encoding each, and nothing that arrives
 * can harm the decoder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/prng.h"
#include "storaged/core/command.h"
#include "storaged/core/inode.h"
#include "tests/storaged/testfs.h"

static uint8_t image[COMMAND_IMAGE_MAX_BYTES];

/* One sound command of each op. */
static const enum command_op all_ops[] = {
	COMMAND_NOOP,	      COMMAND_OPEN_SESSION,   COMMAND_RENEW_SESSION,
	COMMAND_CLOSE_SESSION, COMMAND_EXPIRE_SESSIONS, COMMAND_GRANT,
	COMMAND_EXPIRE_GRANT, COMMAND_CREATE,	      COMMAND_MKDIR,
	COMMAND_MKNOD,	      COMMAND_SYMLINK,	      COMMAND_LINK,
	COMMAND_UNLINK,	      COMMAND_RMDIR,	      COMMAND_RENAME,
	COMMAND_SETATTR,      COMMAND_WRITE,	      COMMAND_SETXATTR,
	COMMAND_REMOVEXATTR,  COMMAND_OPEN,	      COMMAND_RELEASE,
	COMMAND_FALLOCATE,    COMMAND_PUT,
};
#define OPS (sizeof(all_ops) / sizeof(all_ops[0]))

static void use_pieces(struct command *command)
{
	command->data = (struct bytes){ 0 };
	command->piece_count = 2;
	for (uint32_t i = 0; i < 2; i++) {
		command->pieces[i].chunk = 70 + i;
		command->pieces[i].bytes = 1000 + i;
		memset(command->pieces[i].sha256, (int)(0xa0 + i),
		       COMMAND_HASH_BYTES);
	}
}

static void identify(struct command *command)
{
	if (command_has_session(command->op))
		command->session = 99;
	if (command_has_seq(command->op)) {
		command->seq = 12;
		command->acked_below = 11;
	}
}

static void fill_namespace(struct command *command)
{
	command->ino = 5;
	command->name = testfs_text("name");
	command->uid = 1000;
	command->gid = 100;
	if (command->op == COMMAND_CREATE || command->op == COMMAND_MKDIR ||
	    command->op == COMMAND_PUT)
		command->mode = 0640;
	if (command->op == COMMAND_MKNOD) {
		command->mode = INODE_TYPE_CHAR | 0600;
		command->rdev = 0x501;
	}
	if (command->op == COMMAND_LINK || command->op == COMMAND_RENAME)
		command->target = 7;
	if (command->op == COMMAND_RENAME)
		command->target_name = testfs_text("other");
}

static void make_sound(enum command_op op, struct command *command)
{
	memset(command, 0, sizeof(*command));
	command->op = op;
	identify(command);
	if (op >= COMMAND_CREATE && op <= COMMAND_RENAME)
		fill_namespace(command);
	else if (op == COMMAND_PUT)
		fill_namespace(command);
	else if (op > COMMAND_RENAME)
		command->ino = 5;
	switch (op) {
	case COMMAND_OPEN_SESSION:
		command->lease_ns = 5;
		command->node = 3;
		command->name = testfs_text("mount of node 3");
		break;
	case COMMAND_GRANT:
		command->length = 64;
		command->node = 2;
		break;
	case COMMAND_EXPIRE_GRANT:
		command->target = 65;
		break;
	case COMMAND_SYMLINK:
	case COMMAND_WRITE:
	case COMMAND_PUT:
		command->data = testfs_text("some content");
		break;
	case COMMAND_SETXATTR:
	case COMMAND_REMOVEXATTR:
		command->name = testfs_text("user.x");
		break;
	case COMMAND_SETATTR:
		command->set_mask = COMMAND_SET_ALL & ~(COMMAND_SET_ATIME_NOW |
							COMMAND_SET_MTIME_NOW);
		command->size_bytes = 77;
		command->atime_ns = -5;
		command->mtime_ns = 6;
		command->mode = 0100755;
		break;
	case COMMAND_FALLOCATE:
		command->offset = 10;
		command->length = 20;
		break;
	default:
		break;
	}
}

static size_t encode(const struct command *command)
{
	size_t bytes = 0;

	assert_int_equal(command_encode(command, image, sizeof(image), &bytes),
			 RFS_ERR_OK);
	return bytes;
}

static void assert_same_view(struct bytes a, struct bytes b)
{
	assert_int_equal(a.bytes, b.bytes);
	if (a.bytes)
		assert_memory_equal(a.data, b.data, a.bytes);
}

static void assert_same(const struct command *a, const struct command *b)
{
	assert_int_equal(a->op, b->op);
	assert_int_equal(a->session, b->session);
	assert_int_equal(a->seq, b->seq);
	assert_int_equal(a->acked_below, b->acked_below);
	assert_int_equal(a->ino, b->ino);
	assert_same_view(a->name, b->name);
	assert_int_equal(a->target, b->target);
	assert_same_view(a->target_name, b->target_name);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->mode, b->mode);
	assert_int_equal(a->rdev, b->rdev);
	assert_int_equal(a->set_mask, b->set_mask);
	assert_int_equal(a->size_bytes, b->size_bytes);
	assert_int_equal(a->atime_ns, b->atime_ns);
	assert_int_equal(a->mtime_ns, b->mtime_ns);
	assert_int_equal(a->offset, b->offset);
	assert_int_equal(a->length, b->length);
	assert_same_view(a->data, b->data);
	assert_memory_equal(a->sha256, b->sha256, sizeof(a->sha256));
	assert_int_equal(a->lease_ns, b->lease_ns);
	assert_int_equal(a->node, b->node);
	assert_int_equal(a->piece_count, b->piece_count);
	for (uint32_t i = 0; i < a->piece_count; i++) {
		assert_int_equal(a->pieces[i].chunk, b->pieces[i].chunk);
		assert_int_equal(a->pieces[i].bytes, b->pieces[i].bytes);
		assert_memory_equal(a->pieces[i].sha256, b->pieces[i].sha256,
				    COMMAND_HASH_BYTES);
	}
}

static void what_was_encoded_is_decoded(void **state)
{
	struct command in, out;

	(void)state;
	memset(&out, 0xee, sizeof(out));
	for (size_t i = 0; i < OPS; i++) {
		make_sound(all_ops[i], &in);
		assert_int_equal(command_check(&in), RFS_ERR_OK);
		size_t bytes = encode(&in);

		assert_int_equal(command_decode(image, bytes, &out),
				 RFS_ERR_OK);
		assert_same(&in, &out);
	}
}

static void pieces_travel_too(void **state)
{
	struct command in, out;

	(void)state;
	make_sound(COMMAND_WRITE, &in);
	use_pieces(&in);
	in.base_version = 1234;
	assert_int_equal(command_content_bytes(&in), 2001);
	size_t bytes = encode(&in);

	assert_int_equal(command_decode(image, bytes, &out), RFS_ERR_OK);
	assert_same(&in, &out);
	assert_int_equal(out.base_version, 1234);
}

static void an_image_cut_short_or_padded_is_refused(void **state)
{
	struct command in, out;

	(void)state;
	for (size_t i = 0; i < OPS; i++) {
		make_sound(all_ops[i], &in);
		size_t bytes = encode(&in);

		for (size_t cut = 0; cut < bytes; cut++)
			assert_int_equal(command_decode(image, cut, &out),
					 RFS_ERR_INVALID);
		image[bytes] = 0;
		assert_int_equal(command_decode(image, bytes + 1, &out),
				 RFS_ERR_INVALID);
	}
}

static void a_newer_format_is_told_apart_from_garbage(void **state)
{
	struct command in, out;

	(void)state;
	make_sound(COMMAND_MKDIR, &in);
	size_t bytes = encode(&in);

	image[0] = 2;
	assert_int_equal(command_decode(image, bytes, &out), RFS_ERR_VERSION);
	image[0] = 0;
	assert_int_equal(command_decode(image, bytes, &out), RFS_ERR_INVALID);
	image[0] = 1;
	image[1] = 200;
	assert_int_equal(command_decode(image, bytes, &out), RFS_ERR_INVALID);
}

static void a_buffer_too_small_is_full(void **state)
{
	struct command in;
	size_t bytes, used = 0;

	(void)state;
	make_sound(COMMAND_RENAME, &in);
	bytes = encode(&in);
	assert_int_equal(command_encode(&in, image, bytes - 1, &used),
			 RFS_ERR_FULL);
	assert_int_equal(used, 0);
	assert_int_equal(command_encode(&in, image, bytes, &used), RFS_ERR_OK);
}

static void the_largest_commands_fit_the_largest_image(void **state)
{
	static uint8_t data[COMMAND_INLINE_MAX_BYTES];
	char name[INODE_NAME_MAX + 1];
	struct command in, out;

	(void)state;
	memset(name, 'n', sizeof(name));
	make_sound(COMMAND_PUT, &in);
	in.name = (struct bytes){ (const uint8_t *)name, INODE_NAME_MAX };
	in.data = (struct bytes){ data, sizeof(data) };
	assert_int_equal(command_check(&in), RFS_ERR_OK);
	assert_int_equal(command_decode(image, encode(&in), &out), RFS_ERR_OK);

	in.data.bytes = 0;
	in.piece_count = COMMAND_PIECES_MAX;
	for (uint32_t i = 0; i < COMMAND_PIECES_MAX; i++)
		in.pieces[i] = (struct command_piece){
			.chunk = i + 1, .bytes = COMMAND_CHUNK_MAX_BYTES
		};
	assert_int_equal(command_check(&in), RFS_ERR_OK);
	assert_int_equal(command_decode(image, encode(&in), &out), RFS_ERR_OK);
	assert_int_equal(command_content_bytes(&out),
			 64ull * COMMAND_CHUNK_MAX_BYTES);
}

static void names_that_are_no_names_are_refused(void **state)
{
	char name[INODE_NAME_MAX + 1];

	(void)state;
	memset(name, 'n', sizeof(name));
	assert_int_equal(command_check_name(testfs_text("")), RFS_ERR_INVALID);
	assert_int_equal(command_check_name(testfs_text(".")), RFS_ERR_INVALID);
	assert_int_equal(command_check_name(testfs_text("..")),
			 RFS_ERR_INVALID);
	assert_int_equal(command_check_name(testfs_text("a/b")),
			 RFS_ERR_INVALID);
	assert_int_equal(command_check_name((struct bytes){
				 (const uint8_t *)"a\0b", 3 }),
			 RFS_ERR_INVALID);
	assert_int_equal(command_check_name(testfs_text("...")), RFS_ERR_OK);
	assert_int_equal(command_check_name(testfs_text(".x")), RFS_ERR_OK);
	assert_int_equal(command_check_name((struct bytes){
				 (const uint8_t *)name, INODE_NAME_MAX }),
			 RFS_ERR_OK);
	assert_int_equal(command_check_name((struct bytes){
				 (const uint8_t *)name, INODE_NAME_MAX + 1 }),
			 RFS_ERR_NAMETOOLONG);
}

static enum rfs_err check_with(enum command_op op,
			       void (*spoil)(struct command *command))
{
	struct command command;

	make_sound(op, &command);
	assert_int_equal(command_check(&command), RFS_ERR_OK);
	spoil(&command);
	return command_check(&command);
}

static void no_session(struct command *c)
{
	c->session = 0;
}
static void no_seq(struct command *c)
{
	c->seq = c->acked_below = 0;
}
static void acked_ahead(struct command *c)
{
	c->acked_below = c->seq + 1;
}
static void no_ino(struct command *c)
{
	c->ino = 0;
}
static void bad_flag(struct command *c)
{
	c->flags = 1u << 20;
}
static void bad_mask(struct command *c)
{
	c->set_mask = 1u << 20;
}
static void both_atimes(struct command *c)
{
	c->set_mask = COMMAND_SET_ATIME | COMMAND_SET_ATIME_NOW;
}
static void too_big(struct command *c)
{
	c->size_bytes = INODE_SIZE_MAX + 1;
}
static void far_away(struct command *c)
{
	c->offset = UINT64_MAX - 2;
}
static void nothing_long(struct command *c)
{
	c->length = 0;
}
static void too_long(struct command *c)
{
	c->length = UINT64_MAX;
}
static void punch_and_grow(struct command *c)
{
	c->flags = COMMAND_PUNCH;
}
static void both_flags(struct command *c)
{
	c->flags = 3;
}
static void wrong_type(struct command *c)
{
	c->mode = INODE_TYPE_SYMLINK | 0600;
}
static void twice_the_same_chunk(struct command *c)
{
	use_pieces(c);
	c->pieces[1].chunk = c->pieces[0].chunk;
}
static void chunk_zero(struct command *c)
{
	use_pieces(c);
	c->pieces[1].chunk = 0;
}
static void empty_piece(struct command *c)
{
	use_pieces(c);
	c->pieces[1].bytes = 0;
}
static void huge_piece(struct command *c)
{
	use_pieces(c);
	c->pieces[1].bytes = COMMAND_CHUNK_MAX_BYTES + 1;
}
static void inline_and_pieces(struct command *c)
{
	use_pieces(c);
	c->data = testfs_text("x");
}
static void no_target(struct command *c)
{
	c->data.bytes = 0;
}
static void target_with_nul(struct command *c)
{
	c->data = (struct bytes){ (const uint8_t *)"a\0b", 3 };
}
static void no_lease(struct command *c)
{
	c->lease_ns = 0;
}
static void too_many(struct command *c)
{
	c->length = COMMAND_GRANT_MAX + 1;
}
static void unknown_op(struct command *c)
{
	c->op = (enum command_op)29;
}

static void what_makes_no_sense_is_refused(void **state)
{
	static const struct {
		enum command_op op;
		void (*spoil)(struct command *command);
		enum rfs_err err;
	} cases[] = {
		{ COMMAND_UNLINK, no_session, RFS_ERR_INVALID },
		{ COMMAND_RENEW_SESSION, no_session, RFS_ERR_INVALID },
		{ COMMAND_UNLINK, no_seq, RFS_ERR_INVALID },
		{ COMMAND_UNLINK, acked_ahead, RFS_ERR_INVALID },
		{ COMMAND_UNLINK, unknown_op, RFS_ERR_INVALID },
		{ COMMAND_WRITE, no_ino, RFS_ERR_INVALID },
		{ COMMAND_CREATE, bad_flag, RFS_ERR_INVALID },
		{ COMMAND_WRITE, bad_flag, RFS_ERR_INVALID },
		{ COMMAND_SETATTR, bad_mask, RFS_ERR_INVALID },
		{ COMMAND_MKDIR, bad_mask, RFS_ERR_INVALID },
		{ COMMAND_SETATTR, both_atimes, RFS_ERR_INVALID },
		{ COMMAND_SETATTR, too_big, RFS_ERR_FBIG },
		{ COMMAND_WRITE, far_away, RFS_ERR_FBIG },
		{ COMMAND_FALLOCATE, far_away, RFS_ERR_FBIG },
		{ COMMAND_FALLOCATE, nothing_long, RFS_ERR_INVALID },
		{ COMMAND_FALLOCATE, too_long, RFS_ERR_FBIG },
		{ COMMAND_FALLOCATE, punch_and_grow, RFS_ERR_INVALID },
		{ COMMAND_RENAME, both_flags, RFS_ERR_INVALID },
		{ COMMAND_SETXATTR, both_flags, RFS_ERR_INVALID },
		{ COMMAND_MKNOD, wrong_type, RFS_ERR_INVALID },
		{ COMMAND_MKDIR, wrong_type, RFS_ERR_INVALID },
		{ COMMAND_PUT, twice_the_same_chunk, RFS_ERR_INVALID },
		{ COMMAND_WRITE, chunk_zero, RFS_ERR_INVALID },
		{ COMMAND_WRITE, empty_piece, RFS_ERR_INVALID },
		{ COMMAND_WRITE, huge_piece, RFS_ERR_INVALID },
		{ COMMAND_WRITE, inline_and_pieces, RFS_ERR_INVALID },
		{ COMMAND_SYMLINK, no_target, RFS_ERR_INVALID },
		{ COMMAND_SYMLINK, target_with_nul, RFS_ERR_INVALID },
		{ COMMAND_OPEN_SESSION, no_lease, RFS_ERR_INVALID },
		{ COMMAND_GRANT, too_many, RFS_ERR_INVALID },
		{ COMMAND_GRANT, nothing_long, RFS_ERR_INVALID },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(check_with(cases[i].op, cases[i].spoil),
				 cases[i].err);
}

static void long_targets_and_values_have_their_errors(void **state)
{
	static uint8_t bytes[INODE_XATTR_VALUE_MAX + 1];
	struct command command;

	(void)state;
	memset(bytes, 'v', sizeof(bytes));
	make_sound(COMMAND_SYMLINK, &command);
	command.data = (struct bytes){ bytes, INODE_SYMLINK_MAX };
	assert_int_equal(command_check(&command), RFS_ERR_OK);
	command.data.bytes++;
	assert_int_equal(command_check(&command), RFS_ERR_NAMETOOLONG);

	make_sound(COMMAND_SETXATTR, &command);
	command.data = (struct bytes){ bytes, INODE_XATTR_VALUE_MAX };
	assert_int_equal(command_check(&command), RFS_ERR_OK);
	command.data.bytes++;
	assert_int_equal(command_check(&command), RFS_ERR_RANGE);
	command.data.bytes = 0;
	command.name = (struct bytes){ bytes, INODE_XATTR_NAME_MAX + 1 };
	assert_int_equal(command_check(&command), RFS_ERR_RANGE);
}

/* Decoded from memory of exactly its size, so that the sanitizer sees a byte
 * read too many; and what decodes encodes to the same bytes again. */
static void mutated_images_never_harm_and_have_one_meaning(void **state)
{
	static uint8_t again[COMMAND_IMAGE_MAX_BYTES];
	static struct command in, out;
	struct prng prng;
	unsigned int sound = 0;

	(void)state;
	prng_seed(&prng, 20240607);
	for (int round = 0; round < 60000; round++) {
		make_sound(all_ops[prng_below(&prng, OPS)], &in);
		if (in.op == COMMAND_WRITE && prng_below(&prng, 2))
			use_pieces(&in);
		size_t bytes = encode(&in);
		size_t flips = prng_below(&prng, 4);
		uint8_t *mutant;
		size_t used;

		for (size_t i = 0; i < flips; i++)
			image[prng_below(&prng, bytes)] =
				(uint8_t)prng_next(&prng);
		if (prng_below(&prng, 4) == 0)
			bytes = prng_below(&prng, bytes + 1);
		mutant = malloc(bytes ? bytes : 1);
		assert_non_null(mutant);
		memcpy(mutant, image, bytes);
		if (command_decode(mutant, bytes, &out) == RFS_ERR_OK) {
			sound++;
			assert_int_equal(command_encode(&out, again,
							sizeof(again), &used),
					 RFS_ERR_OK);
			assert_int_equal(used, bytes);
			assert_memory_equal(again, mutant, bytes);
		}
		free(mutant);
	}
	assert_true(sound > 10000);
}

static void every_op_has_a_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS; i++)
		assert_string_not_equal(command_name(all_ops[i]), "unknown");
	assert_string_equal(command_name((enum command_op)7), "unknown");
	assert_string_equal(command_name((enum command_op)46), "unknown");
	assert_string_equal(command_name((enum command_op)-1), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_encoded_is_decoded),
		cmocka_unit_test(pieces_travel_too),
		cmocka_unit_test(an_image_cut_short_or_padded_is_refused),
		cmocka_unit_test(a_newer_format_is_told_apart_from_garbage),
		cmocka_unit_test(a_buffer_too_small_is_full),
		cmocka_unit_test(the_largest_commands_fit_the_largest_image),
		cmocka_unit_test(names_that_are_no_names_are_refused),
		cmocka_unit_test(what_makes_no_sense_is_refused),
		cmocka_unit_test(long_targets_and_values_have_their_errors),
		cmocka_unit_test(mutated_images_never_harm_and_have_one_meaning),
		cmocka_unit_test(every_op_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
