/* Any protobuf message as a JSON object, by its own description. */
#ifndef RAFTFS_CLIENT_CLI_JSON_MESSAGE_H
#define RAFTFS_CLIENT_CLI_JSON_MESSAGE_H

#include <protobuf-c/protobuf-c.h>

#include "client/cli/json.h"

/* Field names are the keys; bytes are hexadecimal text. message may be NULL:
 * null. Oneofs are not handled (none are used). */
void json_message(struct json *json, const char *key,
		  const ProtobufCMessage *message);

#endif
