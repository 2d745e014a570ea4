/* Slide to the front before growing; give memory back when a burst is over. */
#include "proto/buffer.h"

#include <string.h>

#include "common/check.h"
#include "proto/block.h"

#define BUFFER_BYTES_MIN  2048u
#define BUFFER_BYTES_KEEP (256u * 1024)

uint8_t *buffer_reserve(struct buffer *b, size_t bytes)
{
	size_t used = buffer_bytes(b);

	if (b->capacity - b->end >= bytes && b->data)
		return b->data + b->end;

	/* Sliding is worth it only while it frees at least what it moves. */
	if (b->capacity - used >= bytes && b->start >= used && b->data) {
		memmove(b->data, b->data + b->start, used);
	} else {
		size_t capacity = b->capacity ? b->capacity : BUFFER_BYTES_MIN;

		while (capacity - used < bytes)
			capacity *= 2;
		uint8_t *data = block_take(capacity, &capacity);

		if (!data)
			return NULL;
		if (b->data && used)
			memcpy(data, b->data + b->start, used);
		block_give(b->data);
		b->data = data;
		b->capacity = capacity;
	}
	b->start = 0;
	b->end = used;
	return b->data + b->end;
}

void buffer_commit(struct buffer *b, size_t bytes)
{
	CHECK(b->capacity - b->end >= bytes);
	b->end += bytes;
}

void buffer_consume(struct buffer *b, size_t bytes)
{
	CHECK(buffer_bytes(b) >= bytes);
	b->start += bytes;
	if (b->start < b->end)
		return;
	b->start = b->end = 0;
	if (b->capacity > BUFFER_BYTES_KEEP) {
		block_give(b->data);
		b->data = NULL;
		b->capacity = 0;
	}
}

void buffer_fini(struct buffer *b)
{
	block_give(b->data);
	*b = (struct buffer){ 0 };
}
