/* Fuzz target: any sequence of requests that clients may make, as entries of
 * the log. No node may stop, two states must stay the same, and what must hold
 * of a state at rest must hold at the end. Every 12 bytes are one request, over
 * few names, inodes and offsets, so that requests meet. libFuzzer's entry
 * point. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "storaged/convert.h"
#include "tests/storaged/testfs.h"

#define STEP_BYTES 12u
#define STEPS_MAX  64u
#define DATA_BYTES 9000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const uint64_t places[] = {
	0,    1,    4095,	    4096,
	4097, 9000, 1u << 20,	    (1u << 20) + 1,
	7,    8192, INODE_SIZE_MAX, INODE_SIZE_MAX - 1,
};

static uint64_t place(uint8_t byte)
{
	return places[byte % (sizeof(places) / sizeof(places[0]))];
}

static ProtobufCBinaryData name(uint8_t byte)
{
	static char names[8][2] = {"a", "b", "c", "d", "e", "f", "", "."};

	return (ProtobufCBinaryData){
		.data = (uint8_t *)names[byte % 8],
		.len = byte % 8 == 6 ? 0 : 1,
	};
}

/* A request as an eager client would make it. */
static void fill(struct testfs *fs, const uint8_t *step,
		 DistributedFs__FileRequest *request,
		 DistributedFs__FileAttr *attr)
{
	static uint8_t content[DATA_BYTES];

	request->op =
		(DistributedFs__FileOp)(step[0] < 16
						? DISTRIBUTED_FS__FILE_OP__OP_OPEN_SESSION +
							  step[0] % 3
						: DISTRIBUTED_FS__FILE_OP__OP_CREATE +
							  step[0] % 16);
	request->session = fs->session + (step[1] > 250);
	request->seq = fs->seq + (step[1] % 8 != 7); /* or a retry */
	request->acked_below = step[1] & 8 ? 0 : request->seq;
	request->ino = step[2] % 8 + 1;
	request->name = name(step[3]);
	request->target_ino = step[4] % 8 + 1;
	request->target_name = name(step[5]);
	request->offset = place(step[6]);
	request->length = place(step[7]);
	request->flags = step[8] & 63;
	request->mode = ((step[9] >> 4) & 15u) << 12 | 0644;
	request->uid = step[9] & 1;
	request->attr_mask = step[10] | (step[11] & 1u) << 8;
	request->attr = attr;
	attr->size = place(step[7]);
	attr->mode = 0755;
	attr->uid = step[9] & 3;
	request->data.data = content;
	request->data.len = step[11] < 128 ? step[11] / 2 : DATA_BYTES;
	if (request->data.len > 0)
		content[0] = step[11];
}

static void one(struct testfs *fs, const uint8_t *step)
{
	static struct command command;
	static uint8_t image[COMMAND_IMAGE_MAX_BYTES];
	DistributedFs__FileRequest request = DISTRIBUTED_FS__FILE_REQUEST__INIT;
	DistributedFs__FileAttr attr = DISTRIBUTED_FS__FILE_ATTR__INIT;
	size_t used;

	fill(fs, step, &request, &attr);
	if (convert_class_of(request.op) != CONVERT_CHANGE ||
	    convert_command(&request, &command) != RFS_ERR_OK)
		return;
	if (convert_has_content(&request) && request.data.len > 0) {
		command.data.data = request.data.data;
		command.data.bytes = request.data.len;
		testfs_sha256(request.data.data, request.data.len,
			      command.sha256);
	}
	if (command_check(&command) != RFS_ERR_OK ||
	    command_encode(&command, image, sizeof(image), &used) != RFS_ERR_OK)
		abort();
	(void)testfs_apply_image(fs, image, used);
	if (command_has_seq(command.op) && command.seq == fs->seq + 1 &&
	    fs->result.err != RFS_ERR_NO_SESSION &&
	    fs->result.err != RFS_ERR_BUSY)
		fs->seq++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct testfs *fs = testfs_new();

	for (size_t i = 0; i < STEPS_MAX && (i + 1) * STEP_BYTES <= bytes; i++)
		one(fs, data + i * STEP_BYTES);
	testfs_free(fs);
	return 0;
}
