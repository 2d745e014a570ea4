/* Memory for one unpacked message, taken and given back as a whole.
 *
 * protobuf-c allocates a message piece by piece. Here the pieces lie one after
 * another in a block of proto/block.h.
 */
#ifndef RAFTFS_PROTO_ARENA_H
#define RAFTFS_PROTO_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

/* Parse; NULL when it is not such a message, or memory is out. The bytes are
 * not needed afterwards. Free with arena_free(). Threads: any. */
void *arena_unpack(const ProtobufCMessageDescriptor *descriptor,
		   const uint8_t *body, size_t bytes);

/* Only for what arena_unpack() returned; may be NULL. Threads: any. */
void arena_free(void *message);

#endif
