/* Requests and replies as bytes. Bulk data is never copied on the way out and
 * copied once, to where it is wanted, on the way in. */
#ifndef RAFTFS_CLIENT_LIB_WIRE_H
#define RAFTFS_CLIENT_LIB_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/err.h"
#include "proto/files.pb-c.h"
#include "proto/frame.h"

/* Everything of a request but its data: two names and numbers. */
#define WIRE_HEAD_BYTES_MAX 1280u

/* Encode into head; parts[0] is then the head, parts[1] the request's own data
 * (borrowed; maybe 0 bytes). Names must not be longer than 255 bytes. */
void wire_encode(const DistributedFs__FileRequest *request,
		 uint8_t head[WIRE_HEAD_BYTES_MAX], struct iovec parts[2]);

/* Where the data field of a reply goes instead of into the message. */
struct wire_sink {
	void *data;
	size_t bytes;
	size_t got; /* set by wire_decode() */
};

/* The id of a reply, found without decoding it; 0 when it has none. */
uint64_t wire_reply_id(const uint8_t *body, size_t bytes);

/* Decode a reply; body is scratch afterwards. sink NULL: data stays in the
 * message. NULL: not a reply, or more data than the sink holds, or no memory.
 * Freed by distributed_fs__file_reply__free_unpacked(). */
DistributedFs__FileReply *wire_decode(uint8_t *body, size_t bytes,
				      struct wire_sink *sink);

#endif
