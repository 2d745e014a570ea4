/* A few threads that work off tasks, which may add more tasks.
 *
 * Last in, first out: a tree is walked deep before it is walked wide, which
 * keeps few tasks waiting.
 */
#ifndef RAFTFS_CLIENT_CLI_POOL_H
#define RAFTFS_CLIENT_CLI_POOL_H

#include <stdint.h>

#include "common/err.h"

/* Head of every task; the pool owns a task from pool_add() until run() gets
 * it, which frees it. */
struct pool_task {
	struct pool_task *next;
};

struct pool;

/* run() is called by `threads` threads at once. NULL: no memory or threads. */
struct pool *pool_new(unsigned int threads,
		      void (*run)(void *ctx, struct pool_task *task),
		      void *ctx);

/* Any thread, also from inside run(). */
void pool_add(struct pool *pool, struct pool_task *task);

/* Wait until no task is left or running; tick(ctx) about every 200 ms. */
void pool_drain(struct pool *pool, void (*tick)(void *ctx));

/* Only after pool_drain(). NULL is allowed. */
void pool_free(struct pool *pool);

#endif
