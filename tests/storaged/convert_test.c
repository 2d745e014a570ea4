/* Requests to commands: every operation keeps what it uses and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "storaged/convert.h"

#define OP(name) DISTRIBUTED_FS__FILE_OP__OP_##name

static DistributedFs__FileAttr attr;

/* Every field set, as a careless client might. */
static DistributedFs__FileRequest full(DistributedFs__FileOp op)
{
	DistributedFs__FileRequest request =
		DISTRIBUTED_FS__FILE_REQUEST__INIT;

	distributed_fs__file_attr__init(&attr);
	attr.mode = 0100640;
	attr.uid = 5;
	attr.gid = 6;
	attr.size = 77;
	attr.atime_ns = 11;
	attr.mtime_ns = 12;
	request.op = op;
	request.session = 9;
	request.seq = 4;
	request.acked_below = 3;
	request.ino = 1;
	request.name.data = (uint8_t *)"name";
	request.name.len = 4;
	request.target_ino = 2;
	request.target_name.data = (uint8_t *)"other";
	request.target_name.len = 5;
	request.offset = 100;
	request.length = 200;
	request.mode = 0644;
	request.uid = 1000;
	request.gid = 1001;
	request.attr = &attr;
	request.data.data = (uint8_t *)"data";
	request.data.len = 4;
	return request;
}

static void every_operation_with_every_field_set_makes_a_sound_command(
	void **state)
{
	const DistributedFs__FileOp ops[] = {
		OP(RENEW_SESSION), OP(CLOSE_SESSION), OP(CREATE), OP(MKDIR),
		OP(SYMLINK),	   OP(LINK),	      OP(UNLINK), OP(RMDIR),
		OP(RENAME),	   OP(SETATTR),	      OP(WRITE),  OP(SETXATTR),
		OP(REMOVEXATTR),   OP(OPEN),	      OP(RELEASE),
		OP(FALLOCATE),	   OP(PUT),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		DistributedFs__FileRequest request = full(ops[i]);
		static uint8_t image[COMMAND_IMAGE_MAX_BYTES];
		struct command command;
		struct command back;
		size_t bytes;

		if (ops[i] == OP(SETATTR))
			request.attr_mask =
				DISTRIBUTED_FS__ATTR_MASK__ATTR_MODE;
		assert_int_equal(convert_command(&request, &command),
				 RFS_ERR_OK);
		assert_int_equal(command_encode(&command, image, sizeof(image),
						&bytes),
				 RFS_ERR_OK);
		assert_int_equal(command_decode(image, bytes, &back),
				 RFS_ERR_OK);
		assert_int_equal(back.op, (int)ops[i]);
		assert_int_equal(back.session, 9);
	}
}

static void setattr_takes_what_the_mask_names_and_nothing_else(void **state)
{
	DistributedFs__FileRequest request = full(OP(SETATTR));
	struct command command;

	(void)state;
	request.attr_mask = DISTRIBUTED_FS__ATTR_MASK__ATTR_SIZE |
			    DISTRIBUTED_FS__ATTR_MASK__ATTR_MTIME;
	assert_int_equal(convert_command(&request, &command), RFS_ERR_OK);
	assert_int_equal(command.size_bytes, 77);
	assert_int_equal(command.mtime_ns, 12);
	assert_int_equal(command.atime_ns, 0);
	assert_int_equal(command.mode, 0);
	assert_int_equal(command.uid, 0);
	request.attr_mask = DISTRIBUTED_FS__ATTR_MASK__ATTR_MODE |
			    DISTRIBUTED_FS__ATTR_MASK__ATTR_UID;
	assert_int_equal(convert_command(&request, &command), RFS_ERR_OK);
	assert_int_equal(command.mode, 0640);
	assert_int_equal(command.uid, 5);
	assert_int_equal(command.size_bytes, 0);
}

static void a_copy_keeps_its_dates_in_one_step(void **state)
{
	DistributedFs__FileRequest request = full(OP(PUT));
	struct command command;

	(void)state;
	request.attr_mask = DISTRIBUTED_FS__ATTR_MASK__ATTR_MTIME |
			    DISTRIBUTED_FS__ATTR_MASK__ATTR_ATIME;
	assert_int_equal(convert_command(&request, &command), RFS_ERR_OK);
	assert_int_equal(command.mtime_ns, 12);
	assert_int_equal(command.atime_ns, 11);
	assert_int_equal(command.mode, 0644);
	assert_int_equal(command.uid, 1000);
	assert_int_equal(command.data.bytes, 0); /* placed by the caller */
}

static void bad_requests_never_become_commands(void **state)
{
	DistributedFs__FileRequest request = full(OP(UNLINK));
	struct command command;

	(void)state;
	request.name.data = (uint8_t *)"a/b";
	request.name.len = 3;
	assert_int_equal(convert_command(&request, &command), RFS_ERR_INVALID);
	request.name.len = 0;
	assert_int_equal(convert_command(&request, &command), RFS_ERR_INVALID);
	request = full(OP(WRITE));
	request.acked_below = 5;
	assert_int_equal(convert_command(&request, &command), RFS_ERR_INVALID);
	request = full(OP(WRITE));
	request.seq = 0;
	request.acked_below = 0;
	assert_int_equal(convert_command(&request, &command), RFS_ERR_INVALID);
	request = full(OP(RENAME));
	request.flags = 0x80;
	assert_int_equal(convert_command(&request, &command), RFS_ERR_INVALID);
	request = full((DistributedFs__FileOp)999);
	assert_int_equal(convert_class_of(request.op), CONVERT_BAD);
	assert_int_equal(convert_class_of(OP(NONE)), CONVERT_BAD);
	assert_int_equal(convert_class_of(OP(READ)), CONVERT_READ);
	assert_int_equal(convert_class_of(OP(PUT)), CONVERT_CHANGE);
}

static void a_write_past_the_largest_file_is_refused_before_the_log(void **state)
{
	DistributedFs__FileRequest request = full(OP(WRITE));
	static struct command command;

	(void)state;
	request.offset = INODE_SIZE_MAX - request.data.len;
	assert_int_equal(convert_command(&request, &command), RFS_ERR_OK);
	request.offset++;
	assert_int_equal(convert_command(&request, &command), RFS_ERR_FBIG);
	request.offset = UINT64_MAX;
	assert_int_equal(convert_command(&request, &command), RFS_ERR_FBIG);
}

static void an_answer_carries_attributes_only_when_there_are_any(void **state)
{
	DistributedFs__FileReply reply = DISTRIBUTED_FS__FILE_REPLY__INIT;
	DistributedFs__FileAttr to = DISTRIBUTED_FS__FILE_ATTR__INIT;
	struct store_result result = { .op = COMMAND_CREATE,
				       .raft_index = 8,
				       .ts_ns = 99,
				       .has_attr = true,
				       .attr = { .ino = 7,
						 .size_bytes = 10,
						 .allocated_bytes = 513 } };

	(void)state;
	convert_result(&result, &reply, &to);
	assert_ptr_equal(reply.attr, &to);
	assert_int_equal(to.ino, 7);
	assert_int_equal(to.blocks, 2);
	assert_int_equal(reply.raft_index, 8);
	assert_int_equal(reply.ts_ns, 99);
	distributed_fs__file_reply__init(&reply);
	result.err = RFS_ERR_EXIST;
	convert_result(&result, &reply, &to);
	assert_null(reply.attr);
	assert_int_equal(reply.err, RFS_ERR_EXIST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_operation_with_every_field_set_makes_a_sound_command),
		cmocka_unit_test(
			setattr_takes_what_the_mask_names_and_nothing_else),
		cmocka_unit_test(a_copy_keeps_its_dates_in_one_step),
		cmocka_unit_test(bad_requests_never_become_commands),
		cmocka_unit_test(
			a_write_past_the_largest_file_is_refused_before_the_log),
		cmocka_unit_test(
			an_answer_carries_attributes_only_when_there_are_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
