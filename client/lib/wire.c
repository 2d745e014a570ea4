/* FileRequest and FileReply on the wire.
 *
 * A protobuf message is its fields in any order, so a request is packed
 * without `data` and the data field is appended as tag, length and the caller's
 * own bytes. In a reply the field is cut out before the rest is unpacked.
 */
#include "client/lib/wire.h"

#include <stdbool.h>
#include <string.h>

#include "common/check.h"

#define REQUEST_DATA_FIELD 21u
#define REPLY_ID_FIELD	   1u
#define REPLY_DATA_FIELD   4u

enum wire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static size_t put_varint(uint8_t *at, uint64_t value)
{
	size_t bytes = 0;

	while (value >= 0x80) {
		at[bytes++] = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	at[bytes++] = (uint8_t)value;
	return bytes;
}

void wire_encode(const DistributedFs__FileRequest *request,
		 uint8_t head[WIRE_HEAD_BYTES_MAX], struct iovec parts[2])
{
	DistributedFs__FileRequest bare = *request;

	bare.data.data = NULL;
	bare.data.len = 0;
	CHECK(bare.name.len <= 255);
	CHECK(bare.target_name.len <= 255);

	size_t bytes = distributed_fs__file_request__get_packed_size(&bare);

	CHECK(FRAME_HEAD_BYTES + bytes + 16 <= WIRE_HEAD_BYTES_MAX);
	distributed_fs__file_request__pack(&bare, head + FRAME_HEAD_BYTES);
	if (request->data.len > 0) {
		uint8_t *body = head + FRAME_HEAD_BYTES;

		bytes += put_varint(body + bytes,
				    REQUEST_DATA_FIELD << 3 | WIRE_BYTES);
		bytes += put_varint(body + bytes, request->data.len);
	}

	const struct frame_head frame = {
		.body_bytes = (uint32_t)(bytes + request->data.len),
		.type = FRAME_FILES_REQUEST,
		.version = FRAME_VERSION,
	};

	frame_head_encode(&frame, head);
	parts[0].iov_base = head;
	parts[0].iov_len = FRAME_HEAD_BYTES + bytes;
	parts[1].iov_base = request->data.data;
	parts[1].iov_len = request->data.len;
}

/* One field of a message: where it starts, its number and its payload. */
struct field {
	const uint8_t *start;
	uint32_t number;
	uint32_t type;
	uint64_t value; /* varint; WIRE_BYTES: the payload's length */
	const uint8_t *payload;
	const uint8_t *end;
};

static bool get_varint(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
	*value = 0;
	for (unsigned int shift = 0; shift < 64 && *at < end; shift += 7) {
		uint8_t byte = *(*at)++;

		*value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return true;
	}
	return false;
}

static bool next_field(const uint8_t *at, const uint8_t *end,
		       struct field *field)
{
	uint64_t tag;

	field->start = at;
	if (!get_varint(&at, end, &tag))
		return false;
	field->number = (uint32_t)(tag >> 3);
	field->type = (uint32_t)(tag & 7);
	field->value = 0;
	switch (field->type) {
	case WIRE_VARINT:
		if (!get_varint(&at, end, &field->value))
			return false;
		break;
	case WIRE_64:
		field->value = 8;
		break;
	case WIRE_32:
		field->value = 4;
		break;
	case WIRE_BYTES:
		if (!get_varint(&at, end, &field->value))
			return false;
		break;
	default:
		return false;
	}
	field->payload = at;
	field->end = at;
	if (field->type == WIRE_VARINT)
		return true;
	if (field->value > (uint64_t)(end - at))
		return false;
	field->end = at + field->value;
	return true;
}

static bool find_field(const uint8_t *body, size_t bytes, uint32_t number,
		       uint32_t type, struct field *field)
{
	const uint8_t *end = body + bytes;

	for (const uint8_t *at = body; at < end; at = field->end) {
		if (!next_field(at, end, field))
			return false;
		if (field->number == number && field->type == type)
			return true;
	}
	return false;
}

uint64_t wire_reply_id(const uint8_t *body, size_t bytes)
{
	struct field field;

	if (!find_field(body, bytes, REPLY_ID_FIELD, WIRE_VARINT, &field))
		return 0;
	return field.value;
}

DistributedFs__FileReply *wire_decode(uint8_t *body, size_t bytes,
				      struct wire_sink *sink)
{
	struct field field;

	if (sink == NULL ||
	    !find_field(body, bytes, REPLY_DATA_FIELD, WIRE_BYTES, &field))
		return distributed_fs__file_reply__unpack(NULL, bytes, body);
	if (field.value > sink->bytes)
		return NULL;
	if (field.value > 0)
		memcpy(sink->data, field.payload, field.value);
	sink->got = field.value;

	/* What stands before the data joins what follows it. */
	size_t before = (size_t)(field.start - body);
	uint8_t *joined = body + (field.end - body) - before;

	memmove(joined, body, before);
	return distributed_fs__file_reply__unpack(
		NULL, bytes - (size_t)(joined - body), joined);
}
