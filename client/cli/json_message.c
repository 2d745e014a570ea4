/* Reflection over protobuf-c descriptors. */
#include "client/cli/json_message.h"

#include <stdlib.h>

static void put_bytes(struct json *json, const char *key,
		      const ProtobufCBinaryData *bytes)
{
	char *text = malloc(2 * bytes->len + 1);

	if (text == NULL) {
		json_text(json, key, NULL);
		return;
	}
	for (size_t i = 0; i < bytes->len; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes->data[i]);
	text[2 * bytes->len] = '\0';
	json_text(json, key, text);
	free(text);
}

/* Returns the size of one element in an array of them. */
static size_t put_value(struct json *json, const char *key,
			const ProtobufCFieldDescriptor *field, const void *at)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_ENUM:
		json_int(json, key, *(const int32_t *)at);
		return sizeof(int32_t);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		json_int(json, key, *(const int64_t *)at);
		return sizeof(int64_t);
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		json_uint(json, key, *(const uint32_t *)at);
		return sizeof(uint32_t);
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		json_uint(json, key, *(const uint64_t *)at);
		return sizeof(uint64_t);
	case PROTOBUF_C_TYPE_BOOL:
		json_bool(json, key, *(const protobuf_c_boolean *)at);
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_STRING:
		json_text(json, key, *(char *const *)at);
		return sizeof(char *);
	case PROTOBUF_C_TYPE_BYTES:
		put_bytes(json, key, at);
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_MESSAGE:
		json_message(json, key, *(ProtobufCMessage *const *)at);
		return sizeof(ProtobufCMessage *);
	default:
		json_text(json, key, NULL);
		return sizeof(double);
	}
}

static void put_field(struct json *json, const ProtobufCMessage *message,
		      const ProtobufCFieldDescriptor *field)
{
	const char *base = (const char *)message;
	const void *at = base + field->offset;

	if (field->label != PROTOBUF_C_LABEL_REPEATED) {
		put_value(json, field->name, field, at);
		return;
	}
	size_t count = *(const size_t *)(base + field->quantifier_offset);
	const char *element = *(const char *const *)at;

	json_open(json, field->name, '[');
	for (size_t i = 0; i < count; i++)
		element += put_value(json, NULL, field, element);
	json_close(json, ']');
}

void json_message(struct json *json, const char *key,
		  const ProtobufCMessage *message)
{
	if (message == NULL) {
		json_text(json, key, NULL);
		return;
	}
	json_open(json, key, '{');
	for (unsigned int i = 0; i < message->descriptor->n_fields; i++)
		put_field(json, message, &message->descriptor->fields[i]);
	json_close(json, '}');
}
