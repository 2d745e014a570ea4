/* A growable byte queue: append at the end, consume at the front. */
#ifndef RAFTFS_PROTO_BUFFER_H
#define RAFTFS_PROTO_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is an empty buffer. */
struct buffer {
	uint8_t *data;
	size_t start;
	size_t end;
	size_t capacity;
};

/* Room for `bytes` more at the end; NULL when memory is out. The pointer is
 * valid until the next call; buffer_commit() says how much was filled. */
uint8_t *buffer_reserve(struct buffer *b, size_t bytes);
void buffer_commit(struct buffer *b, size_t bytes);
void buffer_consume(struct buffer *b, size_t bytes);
void buffer_fini(struct buffer *b);

static inline size_t buffer_bytes(const struct buffer *b)
{
	return b->end - b->start;
}

static inline const uint8_t *buffer_front(const struct buffer *b)
{
	return b->data + b->start;
}

#endif
