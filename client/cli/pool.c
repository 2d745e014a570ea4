/* Worker threads over a stack of tasks. */
#include "client/cli/pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "common/check.h"

#define TICK_NS 200000000L

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work;
	pthread_cond_t idle;
	struct pool_task *top;
	unsigned int waiting_or_running; /* tasks */
	bool stopping;
	void (*run)(void *ctx, struct pool_task *task);
	void *ctx;
	unsigned int thread_count;
	pthread_t threads[];
};

static void *work(void *arg)
{
	struct pool *pool = arg;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		while (pool->top == NULL && !pool->stopping)
			pthread_cond_wait(&pool->work, &pool->lock);
		if (pool->top == NULL)
			break;
		struct pool_task *task = pool->top;

		pool->top = task->next;
		pthread_mutex_unlock(&pool->lock);
		pool->run(pool->ctx, task);
		pthread_mutex_lock(&pool->lock);
		if (--pool->waiting_or_running == 0)
			pthread_cond_broadcast(&pool->idle);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

struct pool *pool_new(unsigned int threads,
		      void (*run)(void *ctx, struct pool_task *task), void *ctx)
{
	struct pool *pool =
		calloc(1, sizeof(*pool) + threads * sizeof(pthread_t));

	if (pool == NULL)
		return NULL;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->work, NULL);
	pthread_cond_init(&pool->idle, NULL);
	pool->run = run;
	pool->ctx = ctx;
	while (pool->thread_count < threads &&
	       pthread_create(&pool->threads[pool->thread_count], NULL, work,
			      pool) == 0)
		pool->thread_count++;
	if (pool->thread_count > 0)
		return pool;
	pool_free(pool);
	return NULL;
}

void pool_add(struct pool *pool, struct pool_task *task)
{
	pthread_mutex_lock(&pool->lock);
	task->next = pool->top;
	pool->top = task;
	pool->waiting_or_running++;
	pthread_cond_signal(&pool->work);
	pthread_mutex_unlock(&pool->lock);
}

void pool_drain(struct pool *pool, void (*tick)(void *ctx))
{
	struct timespec until;

	pthread_mutex_lock(&pool->lock);
	while (pool->waiting_or_running > 0) {
		timespec_get(&until, TIME_UTC);
		until.tv_nsec += TICK_NS;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_nsec -= 1000000000L;
			until.tv_sec++;
		}
		pthread_cond_timedwait(&pool->idle, &pool->lock, &until);
		pthread_mutex_unlock(&pool->lock);
		tick(pool->ctx);
		pthread_mutex_lock(&pool->lock);
	}
	pthread_mutex_unlock(&pool->lock);
}

void pool_free(struct pool *pool)
{
	if (pool == NULL)
		return;
	pthread_mutex_lock(&pool->lock);
	CHECK(pool->top == NULL);
	pool->stopping = true;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned int i = 0; i < pool->thread_count; i++)
		pthread_join(pool->threads[i], NULL);
	pthread_cond_destroy(&pool->work);
	pthread_cond_destroy(&pool->idle);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}
