/* One queue to the workers, one back, an ev_async to wake the loop. */
#include "storaged/work.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/os/log.h"

struct queue {
	struct work *first;
	struct work **last;
};

struct work_pool {
	struct ev_loop *loop;
	struct ev_async wake;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t more;
	struct queue waiting;
	struct queue finished;
	bool stopping;
	unsigned int thread_count;
	pthread_t threads[];
};

static void queue_init(struct queue *queue)
{
	queue->first = NULL;
	queue->last = &queue->first;
}

static void queue_push(struct queue *queue, struct work *work)
{
	work->next = NULL;
	*queue->last = work;
	queue->last = &work->next;
}

static struct work *queue_pop(struct queue *queue)
{
	struct work *work = queue->first;

	if (work) {
		queue->first = work->next;
		if (!queue->first)
			queue->last = &queue->first;
	}
	return work;
}

static void *worker(void *ctx)
{
	struct work_pool *pool = ctx;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		struct work *work = queue_pop(&pool->waiting);

		if (!work && pool->stopping)
			break;
		if (!work) {
			pthread_cond_wait(&pool->more, &pool->lock);
			continue;
		}
		pthread_mutex_unlock(&pool->lock);
		work->run(work);
		pthread_mutex_lock(&pool->lock);
		queue_push(&pool->finished, work);
		ev_async_send(pool->loop, &pool->wake);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

static void deliver(struct work_pool *pool)
{
	struct queue finished;

	pthread_mutex_lock(&pool->lock);
	finished.first = pool->finished.first;
	queue_init(&pool->finished);
	pthread_mutex_unlock(&pool->lock);
	for (struct work *work = finished.first; work;) {
		struct work *next = work->next; /* done() may free it */

		work->done(work);
		work = next;
	}
}

static void on_wake(struct ev_loop *loop, struct ev_async *wake, int events)
{
	(void)loop;
	(void)events;
	deliver(wake->data);
}

/* Signals are the loop's: workers are born with all of them blocked. */
static void start_threads(struct work_pool *pool, unsigned int threads)
{
	sigset_t all;
	sigset_t before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (pool->thread_count < threads &&
	       pthread_create(&pool->threads[pool->thread_count], NULL, worker,
			      pool) == 0)
		pool->thread_count++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct work_pool *work_pool_new(struct ev_loop *loop, unsigned int threads)
{
	struct work_pool *pool =
		calloc(1, sizeof(*pool) + threads * sizeof(pthread_t));

	if (!pool)
		return NULL;
	pool->loop = loop;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->more, NULL);
	queue_init(&pool->waiting);
	queue_init(&pool->finished);
	ev_async_init(&pool->wake, on_wake);
	pool->wake.data = pool;
	ev_async_start(loop, &pool->wake);
	start_threads(pool, threads);
	if (pool->thread_count == 0) {
		log_errno("start worker threads");
		work_pool_free(pool);
		return NULL;
	}
	return pool;
}

void work_pool_drain(struct work_pool *pool)
{
	if (!pool || pool->stopping)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	pthread_cond_broadcast(&pool->more);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned int i = 0; i < pool->thread_count; i++)
		pthread_join(pool->threads[i], NULL);
	deliver(pool);
	ev_async_stop(pool->loop, &pool->wake);
}

void work_pool_free(struct work_pool *pool)
{
	if (!pool)
		return;
	work_pool_drain(pool);
	pthread_cond_destroy(&pool->more);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

void work_submit(struct work_pool *pool, struct work *work)
{
	if (pool->stopping) {
		work->run(work);
		work->done(work);
		return;
	}
	pthread_mutex_lock(&pool->lock);
	queue_push(&pool->waiting, work);
	pthread_cond_signal(&pool->more);
	pthread_mutex_unlock(&pool->lock);
}
