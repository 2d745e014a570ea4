/* Eight bytes in front of every message. */
#include "proto/frame.h"

#include "common/bytes.h"

void frame_head_encode(const struct frame_head *head,
		       uint8_t image[FRAME_HEAD_BYTES])
{
	struct writer w;

	writer_init(&w, image, FRAME_HEAD_BYTES);
	writer_u32le(&w, head->body_bytes);
	writer_u16le(&w, head->type);
	writer_u16le(&w, head->version);
}

enum rfs_err frame_head_decode(const uint8_t image[FRAME_HEAD_BYTES],
			       struct frame_head *head)
{
	struct reader r;

	reader_init(&r, image, FRAME_HEAD_BYTES);
	head->body_bytes = reader_u32le(&r);
	head->type = reader_u16le(&r);
	head->version = reader_u16le(&r);
	if ((head->version & ~FRAME_WITH_FD) != FRAME_VERSION)
		return RFS_ERR_VERSION;
	if (head->body_bytes > FRAME_BODY_BYTES_MAX)
		return RFS_ERR_INVALID;
	return RFS_ERR_OK;
}
