/* Two groups may be on their way at a time: while one waits for the disk, the
 * next is written. */
#include "storaged/putqueue.h"

#include <stdlib.h>

#include "common/check.h"
#include "storaged/reclaim.h"

#define GROUPS_MAX     2
#define GROUP_PUTS_MAX 32

struct group {
	struct work work; /* first: a work is its group */
	struct putqueue *queue;
	struct chunk_put *chunks[GROUP_PUTS_MAX];
	struct put *puts[GROUP_PUTS_MAX];
	uint32_t count;
	bool busy;
};

struct putqueue {
	struct storaged *s;
	struct put *first;
	struct put **last;
	struct group groups[GROUPS_MAX];
};

static void start_groups(struct putqueue *queue);

static void group_run(struct work *work)
{
	struct group *group = (struct group *)work;

	chunks_put(group->queue->s->chunks, group->chunks, group->count);
}

static void group_done(struct work *work)
{
	struct group *group = (struct group *)work;
	struct putqueue *queue = group->queue;

	for (uint32_t i = 0; i < group->count; i++) {
		struct put *put = group->puts[i];

		if (put->chunk.err == RFS_ERR_OK)
			reclaim_count_file(
				queue->s->reclaim,
				put->chunk.bytes + CHUNKFILE_HEAD_BYTES);
		put->done(put);
	}
	group->busy = false;
	start_groups(queue);
}

static void start_group(struct putqueue *queue, struct group *group)
{
	group->count = 0;
	while (queue->first && group->count < GROUP_PUTS_MAX) {
		struct put *put = queue->first;

		queue->first = put->next;
		group->puts[group->count] = put;
		group->chunks[group->count++] = &put->chunk;
	}
	if (!queue->first)
		queue->last = &queue->first;
	group->busy = true;
	group->work.run = group_run;
	group->work.done = group_done;
	work_submit(queue->s->pool, &group->work);
}

static void start_groups(struct putqueue *queue)
{
	for (int i = 0; i < GROUPS_MAX && queue->first; i++)
		if (!queue->groups[i].busy)
			start_group(queue, &queue->groups[i]);
}

struct putqueue *putqueue_new(struct storaged *s)
{
	struct putqueue *queue = calloc(1, sizeof(*queue));

	if (!queue)
		return NULL;
	queue->s = s;
	queue->last = &queue->first;
	for (int i = 0; i < GROUPS_MAX; i++)
		queue->groups[i].queue = queue;
	return queue;
}

void putqueue_free(struct putqueue *queue)
{
	free(queue);
}

void putqueue_add(struct putqueue *queue, struct put *put)
{
	CHECK(put->done != NULL);
	put->next = NULL;
	*queue->last = put;
	queue->last = &put->next;
	start_groups(queue);
}
