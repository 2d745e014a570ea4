/* Requests and replies as bytes: what is cut out and joined again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "client/lib/wire.h"

static void a_request_with_data_reads_back_whole(void **state)
{
	(void)state;
	DistributedFs__FileRequest request = DISTRIBUTED_FS__FILE_REQUEST__INIT;
	uint8_t head[WIRE_HEAD_BYTES_MAX];
	uint8_t body[WIRE_HEAD_BYTES_MAX + 300];
	uint8_t data[300];
	struct iovec parts[2];
	struct frame_head frame;

	memset(data, 0xa5, sizeof(data));
	request.id = 77;
	request.op = DISTRIBUTED_FS__FILE_OP__OP_WRITE;
	request.name.data = (uint8_t *)"name";
	request.name.len = 4;
	request.stale_ms = 5; /* a field numbered after data */
	request.data.data = data;
	request.data.len = sizeof(data);
	wire_encode(&request, head, parts);
	assert_int_equal(frame_head_decode(head, &frame), RFS_ERR_OK);
	assert_int_equal(frame.type, FRAME_FILES_REQUEST);
	assert_int_equal(frame.body_bytes + FRAME_HEAD_BYTES,
			 parts[0].iov_len + parts[1].iov_len);
	assert_ptr_equal(parts[1].iov_base, data);

	size_t before = parts[0].iov_len - FRAME_HEAD_BYTES;

	memcpy(body, head + FRAME_HEAD_BYTES, before);
	memcpy(body + before, data, sizeof(data));
	DistributedFs__FileRequest *back = distributed_fs__file_request__unpack(
		NULL, frame.body_bytes, body);

	assert_non_null(back);
	assert_int_equal(back->id, 77);
	assert_int_equal(back->stale_ms, 5);
	assert_int_equal(back->name.len, 4);
	assert_int_equal(back->data.len, sizeof(data));
	assert_memory_equal(back->data.data, data, sizeof(data));
	distributed_fs__file_request__free_unpacked(back, NULL);
}

static size_t pack_reply(uint8_t *body, uint8_t *data, size_t bytes)
{
	DistributedFs__FileAttr attr = DISTRIBUTED_FS__FILE_ATTR__INIT;
	DistributedFs__FileReply reply = DISTRIBUTED_FS__FILE_REPLY__INIT;

	attr.ino = 5;
	reply.id = 300;
	reply.attr = &attr;
	reply.data.data = data;
	reply.data.len = bytes;
	reply.raft_index = 99;
	return distributed_fs__file_reply__pack(&reply, body);
}

static void data_goes_to_the_sink_and_the_rest_to_the_message(void **state)
{
	(void)state;
	uint8_t data[200], sunk[200], body[400];
	struct wire_sink sink = {.data = sunk, .bytes = sizeof(sunk)};

	memset(data, 0x5a, sizeof(data));
	size_t bytes = pack_reply(body, data, sizeof(data));

	assert_int_equal(wire_reply_id(body, bytes), 300);
	DistributedFs__FileReply *reply = wire_decode(body, bytes, &sink);

	assert_non_null(reply);
	assert_int_equal(reply->id, 300);
	assert_int_equal(reply->attr->ino, 5);
	assert_int_equal(reply->raft_index, 99);
	assert_int_equal(reply->data.len, 0);
	assert_int_equal(sink.got, sizeof(data));
	assert_memory_equal(sunk, data, sizeof(data));
	distributed_fs__file_reply__free_unpacked(reply, NULL);
}

static void more_data_than_was_asked_for_is_refused(void **state)
{
	(void)state;
	uint8_t data[200] = {0}, sunk[200], body[400];
	struct wire_sink sink = {.data = sunk, .bytes = sizeof(sunk) - 1};
	size_t bytes = pack_reply(body, data, sizeof(data));

	assert_null(wire_decode(body, bytes, &sink));
}

/* Every shortening and every changed byte is refused or read, never more. */
static void damaged_replies_never_reach_beyond_their_bytes(void **state)
{
	(void)state;
	uint8_t data[20] = {1}, sunk[20], body[200];
	size_t bytes = pack_reply(body, data, sizeof(data));

	for (size_t cut = 0; cut < bytes; cut++) {
		for (int flip = 0; flip < 256; flip += 5) {
			uint8_t *copy = malloc(cut + 1);
			struct wire_sink sink = {.data = sunk,
						 .bytes = sizeof(sunk)};

			memcpy(copy, body, cut + 1);
			copy[cut] ^= (uint8_t)flip;
			(void)wire_reply_id(copy, cut + 1);
			DistributedFs__FileReply *reply =
				wire_decode(copy, cut + 1, &sink);

			assert_true(reply == NULL || sink.got <= sizeof(sunk));
			if (reply != NULL)
				distributed_fs__file_reply__free_unpacked(reply,
									  NULL);
			free(copy);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_with_data_reads_back_whole),
		cmocka_unit_test(
			data_goes_to_the_sink_and_the_rest_to_the_message),
		cmocka_unit_test(more_data_than_was_asked_for_is_refused),
		cmocka_unit_test(
			damaged_replies_never_reach_beyond_their_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
