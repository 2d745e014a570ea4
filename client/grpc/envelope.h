/* The one message of a unary request, as gRPC puts it into DATA frames:
 *
 *	u8 compressed | u32 length, big-endian | the message
 *
 * It may come in any pieces. Nothing is allocated, whatever length is claimed.
 */
#ifndef RAFTFS_CLIENT_GRPC_ENVELOPE_H
#define RAFTFS_CLIENT_GRPC_ENVELOPE_H

#include <stddef.h>
#include <stdint.h>

#define ENVELOPE_HEAD_BYTES 5u
/* No request of ours has a tenth of it. */
#define ENVELOPE_BODY_BYTES_MAX 1024u

struct envelope {
	size_t bytes; /* so far, head included */
	uint8_t image[ENVELOPE_HEAD_BYTES + ENVELOPE_BODY_BYTES_MAX];
};

enum envelope_fault {
	ENVELOPE_FINE,
	ENVELOPE_TOO_LARGE,
	ENVELOPE_COMPRESSED,
	ENVELOPE_BAD_FLAG, /* neither 0 nor 1 */
	ENVELOPE_SECOND,   /* more than one message */
	ENVELOPE_CUT,	   /* the stream ended inside it, or before */
};

void envelope_init(struct envelope *envelope);

/* More of it. After a fault the envelope is of no use. */
enum envelope_fault envelope_add(struct envelope *envelope, const uint8_t *data,
				 size_t bytes);

/* Nothing more comes. On ENVELOPE_FINE *body is in the envelope. */
enum envelope_fault envelope_end(const struct envelope *envelope,
				 const uint8_t **body, size_t *body_bytes);

/* The head before a message that is sent, not compressed. */
void envelope_head(size_t body_bytes, uint8_t head[ENVELOPE_HEAD_BYTES]);

#endif
