/* Blocks by class: the power of two that each is large. */
#include "proto/block.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

#define CLASS_MIN 6u  /* 64 bytes */
#define CLASS_MAX 24u /* 16 MiB */

#if defined(__SANITIZE_ADDRESS__)
#define KEEPS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEPS 0
#endif
#endif
#ifndef KEEPS
#define KEEPS 1
#endif

_Static_assert((size_t)1 << CLASS_MAX == 4 * BLOCK_KEEP_BYTES, "as promised");

struct block {
	struct block *next; /* in the pool */
	unsigned int class;
	alignas(max_align_t) uint8_t bytes[];
};

static struct {
	pthread_mutex_t mutex;
	struct block *head[CLASS_MAX + 1];
	size_t count[CLASS_MAX + 1];
} pool = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static struct block *take_kept(unsigned int class)
{
	struct block *block;

	if (class > CLASS_MAX)
		return NULL;
	pthread_mutex_lock(&pool.mutex);
	block = pool.head[class];
	if (block != NULL) {
		pool.head[class] = block->next;
		pool.count[class]--;
	}
	pthread_mutex_unlock(&pool.mutex);
	return block;
}

static unsigned int class_for(size_t bytes)
{
	unsigned int class = CLASS_MIN;

	while (((size_t)1 << class) - sizeof(struct block) < bytes)
		class ++;
	return class;
}

void *block_take(size_t bytes, size_t *capacity)
{
	unsigned int class = class_for(bytes);
	struct block *block = take_kept(class);

	if (block == NULL)
		block = malloc((size_t)1 << class);
	if (block == NULL)
		return NULL;
	block->class = class;
	*capacity = ((size_t)1 << class) - sizeof(struct block);
	return block->bytes;
}

static struct block *block_of(const void *bytes)
{
	return (struct block *)((uintptr_t)bytes -
				offsetof(struct block, bytes));
}

size_t block_capacity(const void *bytes)
{
	return ((size_t)1 << block_of(bytes)->class) - sizeof(struct block);
}

/* Under the mutex. */
static int is_kept(unsigned int class)
{
	return KEEPS && class <= CLASS_MAX &&
	       (pool.count[class] == 0 ||
		(pool.count[class] + 1) << class <= BLOCK_KEEP_BYTES);
}

void block_give(void *bytes)
{
	struct block *block;

	if (bytes == NULL)
		return;
	block = block_of(bytes);
	pthread_mutex_lock(&pool.mutex);
	if (is_kept(block->class)) {
		block->next = pool.head[block->class];
		pool.head[block->class] = block;
		pool.count[block->class]++;
		block = NULL;
	}
	pthread_mutex_unlock(&pool.mutex);
	free(block);
}
