/* Worker threads for what would hold up the loop: disk syncs, hashing, reads.
 *
 * The loop submits an item; a worker calls run(); the loop calls done(). An
 * item is the caller's, embedded in what it is about, and must stay put until
 * done() is called.
 */
#ifndef RAFTFS_STORAGED_WORK_H
#define RAFTFS_STORAGED_WORK_H

#include <ev.h>

struct work_pool;

struct work {
	void (*run)(struct work *work);	 /* on a worker; may block */
	void (*done)(struct work *work); /* on the loop, in order of ending */
	struct work *next;		 /* the pool's */
};

/* NULL: no threads or memory (logged). */
struct work_pool *work_pool_new(struct ev_loop *loop, unsigned int threads);

/* Finish what is running and queued, done() included, and end the threads.
 * From then on work_submit() does everything at once, on the caller. NULL is
 * fine, here and below. */
void work_pool_drain(struct work_pool *pool);

/* Drains first. */
void work_pool_free(struct work_pool *pool);

/* From the loop's thread only. */
void work_submit(struct work_pool *pool, struct work *work);

#endif
