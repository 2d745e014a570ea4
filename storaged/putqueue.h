/* Chunks waiting to become durable: whatever waits is synced as one group. */
#ifndef RAFTFS_STORAGED_PUTQUEUE_H
#define RAFTFS_STORAGED_PUTQUEUE_H

#include "storaged/chunks.h"
#include "storaged/storaged.h"

struct putqueue;

struct put {
	struct chunk_put chunk; /* results in here when done() is called */
	void (*done)(struct put *put);
	struct put *next; /* the queue's */
};

struct putqueue *putqueue_new(struct storaged *s);
void putqueue_free(struct putqueue *queue);

/* put, and the data it names, stay put until done(), which comes from the
 * loop, never from inside this call. */
void putqueue_add(struct putqueue *queue, struct put *put);

#endif
