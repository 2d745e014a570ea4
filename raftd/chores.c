/* One worker thread with a queue in and a queue out. */
#include "raftd/chores.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/os/log.h"

struct queue {
	struct chore *head;
	struct chore **tail;
};

struct chores {
	struct ev_loop *ev;
	ev_async ready;
	pthread_t thread;
	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t wake;
	struct queue todo;
	struct queue finished;
	bool stop;
};

static void queue_put(struct queue *queue, struct chore *chore)
{
	chore->next = NULL;
	*queue->tail = chore;
	queue->tail = &chore->next;
}

static struct chore *queue_take(struct queue *queue)
{
	struct chore *chore = queue->head;

	if (chore == NULL)
		return NULL;
	queue->head = chore->next;
	if (queue->head == NULL)
		queue->tail = &queue->head;
	return chore;
}

static void *run(void *ctx)
{
	struct chores *chores = ctx;

	/* The loop may have been given priority; this can wait. */
	setpriority(PRIO_PROCESS, (id_t)gettid(), 0);
	pthread_mutex_lock(&chores->mutex);
	while (!chores->stop) {
		struct chore *chore = queue_take(&chores->todo);

		if (chore == NULL) {
			pthread_cond_wait(&chores->wake, &chores->mutex);
			continue;
		}
		pthread_mutex_unlock(&chores->mutex);
		chore->work(chore);
		pthread_mutex_lock(&chores->mutex);
		queue_put(&chores->finished, chore);
		ev_async_send(chores->ev, &chores->ready);
	}
	pthread_mutex_unlock(&chores->mutex);
	return NULL;
}

static void on_ready(struct ev_loop *ev, ev_async *watcher, int revents)
{
	struct chores *chores = watcher->data;
	struct chore *chore;

	(void)ev;
	(void)revents;
	for (;;) {
		pthread_mutex_lock(&chores->mutex);
		chore = queue_take(&chores->finished);
		pthread_mutex_unlock(&chores->mutex);
		if (chore == NULL)
			return;
		chore->done(chore);
	}
}

struct chores *chores_new(struct ev_loop *ev)
{
	struct chores *chores = calloc(1, sizeof(*chores));

	if (chores == NULL)
		return NULL;
	chores->ev = ev;
	chores->todo.tail = &chores->todo.head;
	chores->finished.tail = &chores->finished.head;
	pthread_mutex_init(&chores->mutex, NULL);
	pthread_cond_init(&chores->wake, NULL);
	if (pthread_create(&chores->thread, NULL, run, chores) != 0) {
		log_error("chores: no thread");
		free(chores);
		return NULL;
	}
	ev_async_init(&chores->ready, on_ready);
	chores->ready.data = chores;
	ev_async_start(ev, &chores->ready);
	return chores;
}

void chores_add(struct chores *chores, struct chore *chore)
{
	pthread_mutex_lock(&chores->mutex);
	queue_put(&chores->todo, chore);
	pthread_cond_signal(&chores->wake);
	pthread_mutex_unlock(&chores->mutex);
}

void chores_free(struct chores *chores)
{
	if (chores == NULL)
		return;
	pthread_mutex_lock(&chores->mutex);
	chores->stop = true;
	pthread_cond_signal(&chores->wake);
	pthread_mutex_unlock(&chores->mutex);
	pthread_join(chores->thread, NULL);
	ev_async_stop(chores->ev, &chores->ready);
	pthread_cond_destroy(&chores->wake);
	pthread_mutex_destroy(&chores->mutex);
	free(chores);
}
