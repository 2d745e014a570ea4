/* A message lies in a chain of parts, and begins where the first one's bytes
 * do. */
#include "proto/arena.h"

#include <stdalign.h>

#include "common/check.h"
#include "proto/block.h"

struct part {
	struct part *next;
	size_t capacity;
	size_t used;
	alignas(max_align_t) uint8_t bytes[];
};

/* Where a message that is being unpacked goes. */
struct arena {
	struct part *first;
	struct part *last;
};

static struct part *part_take(size_t bytes)
{
	size_t capacity;
	struct part *part = block_take(sizeof(*part) + bytes, &capacity);

	if (part == NULL)
		return NULL;
	part->next = NULL;
	part->capacity = capacity - sizeof(*part);
	part->used = 0;
	return part;
}

static void give_back(struct part *part)
{
	while (part != NULL) {
		struct part *next = part->next;

		block_give(part);
		part = next;
	}
}

static void *allocate(void *ctx, size_t bytes)
{
	struct arena *arena = ctx;
	struct part *last = arena->last;
	void *at;

	bytes = (bytes + alignof(max_align_t) - 1) &
		~(alignof(max_align_t) - 1);
	if (last->capacity - last->used < bytes) {
		size_t twice = 2 * last->capacity;

		last->next = part_take(bytes > twice ? bytes : twice);
		if (last->next == NULL)
			return NULL;
		arena->last = last = last->next;
	}
	at = last->bytes + last->used;
	last->used += bytes;
	return at;
}

/* A piece goes with the whole. */
static void forget(void *ctx, void *piece)
{
	(void)ctx;
	(void)piece;
}

void *arena_unpack(const ProtobufCMessageDescriptor *descriptor,
		   const uint8_t *body, size_t bytes)
{
	struct arena arena;
	ProtobufCAllocator allocator = {
		.alloc = allocate,
		.free = forget,
		.allocator_data = &arena,
	};
	void *message;

	/* Most messages are mostly bytes, which are copied. */
	arena.first = part_take(bytes + bytes / 2 + descriptor->sizeof_message);
	arena.last = arena.first;
	if (arena.first == NULL)
		return NULL;
	message =
		protobuf_c_message_unpack(descriptor, &allocator, bytes, body);
	if (message == NULL)
		give_back(arena.first);
	else /* its own piece is the first that protobuf-c asks for */
		CHECK(message == arena.first->bytes);
	return message;
}

void arena_free(void *message)
{
	if (message != NULL)
		give_back((struct part *)((uint8_t *)message -
					  offsetof(struct part, bytes)));
}
