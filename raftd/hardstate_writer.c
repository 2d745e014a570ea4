/* One record at a time, handed over under a mutex. */
#include "raftd/hardstate_writer.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/check.h"
#include "common/os/log.h"

struct hardstate_writer {
	struct ev_loop *ev;
	struct hardstate_file *file;
	hardstate_written *written;
	void *ctx;
	ev_async done;
	bool begun; /* the loop's own: not told yet */
	pthread_t thread;

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t wake;
	struct hardstate state;
	bool wanted;
	bool durable;
	bool stop;
};

static void write_one(struct hardstate_writer *writer,
		      const struct hardstate *state)
{
	if (hardstate_write(writer->file, state) == RFS_ERR_OK)
		return;
	log_error("stopping: a failed write or sync is final");
	_exit(EXIT_FAILURE);
}

static void *run(void *ctx)
{
	struct hardstate_writer *writer = ctx;

	pthread_mutex_lock(&writer->mutex);
	while (writer->wanted || !writer->stop) {
		struct hardstate state = writer->state;

		if (!writer->wanted) {
			pthread_cond_wait(&writer->wake, &writer->mutex);
			continue;
		}
		writer->wanted = false;
		pthread_mutex_unlock(&writer->mutex);
		write_one(writer, &state);
		pthread_mutex_lock(&writer->mutex);
		writer->durable = true;
		ev_async_send(writer->ev, &writer->done);
	}
	pthread_mutex_unlock(&writer->mutex);
	return NULL;
}

static void on_done(struct ev_loop *ev, ev_async *watcher, int revents)
{
	struct hardstate_writer *writer = watcher->data;
	bool durable;

	(void)ev;
	(void)revents;
	pthread_mutex_lock(&writer->mutex);
	durable = writer->durable;
	writer->durable = false;
	pthread_mutex_unlock(&writer->mutex);
	if (!durable)
		return;
	writer->begun = false;
	writer->written(writer->ctx);
}

struct hardstate_writer *hardstate_writer_new(struct ev_loop *ev,
					      struct hardstate_file *file,
					      hardstate_written *written,
					      void *ctx)
{
	struct hardstate_writer *writer = calloc(1, sizeof(*writer));

	if (writer == NULL)
		return NULL;
	writer->ev = ev;
	writer->file = file;
	writer->written = written;
	writer->ctx = ctx;
	pthread_mutex_init(&writer->mutex, NULL);
	pthread_cond_init(&writer->wake, NULL);
	if (pthread_create(&writer->thread, NULL, run, writer) != 0) {
		log_error("hardstate: no writer thread");
		free(writer);
		return NULL;
	}
	ev_async_init(&writer->done, on_done);
	writer->done.data = writer;
	ev_async_start(ev, &writer->done);
	return writer;
}

void hardstate_writer_begin(struct hardstate_writer *writer,
			    const struct hardstate *state)
{
	CHECK(!writer->begun);
	writer->begun = true;
	pthread_mutex_lock(&writer->mutex);
	writer->state = *state;
	writer->wanted = true;
	pthread_mutex_unlock(&writer->mutex);
	pthread_cond_signal(&writer->wake);
}

void hardstate_writer_free(struct hardstate_writer *writer)
{
	if (writer == NULL)
		return;
	pthread_mutex_lock(&writer->mutex);
	writer->stop = true;
	pthread_mutex_unlock(&writer->mutex);
	pthread_cond_signal(&writer->wake);
	pthread_join(writer->thread, NULL);
	ev_async_stop(writer->ev, &writer->done);
	pthread_cond_destroy(&writer->wake);
	pthread_mutex_destroy(&writer->mutex);
	free(writer);
}
