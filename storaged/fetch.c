/* Ask peers in turn; check on a worker; store; tell whoever waits.
 *
 *	ask peer -> answer -> check hash (worker) -> store -> tell
 *	   ^_______________ bad, missing, silent ______'
 */
#include "storaged/fetch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/os/log.h"
#include "storaged/cluster.h"
#include "storaged/core/query.h"
#include "storaged/putqueue.h"

struct waiter {
	fetch_done *done;
	void *ctx;
	struct waiter *next;
};

/* One chunk on its way. */
struct job {
	struct work work; /* first: a work is its job */
	struct put put;
	struct fetch *fetch;
	struct job *next;
	uint64_t chunk;
	uint8_t sha256[HASH_BYTES];
	uint32_t bytes;
	uint8_t *data;
	enum rfs_err checked;
	uint32_t tried[CONFIG_NODES_MAX]; /* peers, by id */
	uint32_t tried_count;
	struct waiter *waiters;
	struct ev_timer start; /* so that nothing is called back at once */
};

struct fetch {
	struct storaged *s;
	struct job *jobs;
	uint32_t active;
};

static void ask_next(struct job *job);

static struct job *job_of_put(struct put *put)
{
	return (struct job *)((char *)put - offsetof(struct job, put));
}

static void finish(struct job *job, enum rfs_err err)
{
	struct fetch *fetch = job->fetch;
	struct job **at = &fetch->jobs;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	fetch->active--;
	if (err == RFS_ERR_OK)
		fetch->s->counters.chunks_fetched++;
	while (job->waiters) {
		struct waiter *waiter = job->waiters;

		job->waiters = waiter->next;
		waiter->done(waiter->ctx, err, job->data, job->bytes);
		free(waiter);
	}
	ev_timer_stop(fetch->s->loop, &job->start);
	free(job->data);
	free(job);
}

/* Kept or not, the data is right: whoever waits gets it. */
static void stored(struct put *put)
{
	struct job *job = job_of_put(put);

	if (put->chunk.err != RFS_ERR_OK)
		log_warn("fetch: chunk %016" PRIx64 " not kept: %s", job->chunk,
			 rfs_err_text(put->chunk.err));
	finish(job, RFS_ERR_OK);
}

static void store_chunk(struct job *job)
{
	struct storaged *s = job->fetch->s;

	job->put.chunk = (struct chunk_put){ .id = job->chunk,
					     .data = job->data,
					     .bytes = job->bytes };
	job->put.done = stored;
	if (!(job->chunk & STORE_CHUNK_INLINE)) {
		/* A whole but wrong copy would be refused as EXIST: the state
		 * says what it must be, so it goes first. */
		uint8_t sha256[HASH_BYTES];
		uint32_t bytes;

		if (chunks_stat(s->chunks, job->chunk, &bytes, sha256) ==
			    RFS_ERR_OK &&
		    memcmp(sha256, job->sha256, HASH_BYTES) != 0)
			chunks_delete(s->chunks, job->chunk);
		putqueue_add(s->putqueue, &job->put);
		return;
	}
	job->put.chunk.err =
		packs_put(s->packs, job->chunk, job->data, job->bytes);
	stored(&job->put);
}

static void check_run(struct work *work)
{
	struct job *job = (struct job *)work;
	uint8_t sha256[HASH_BYTES];

	hash_bytes(job->data, job->bytes, sha256);
	job->checked = memcmp(sha256, job->sha256, HASH_BYTES) == 0
			       ? RFS_ERR_OK
			       : RFS_ERR_CORRUPT;
}

static void check_done(struct work *work)
{
	struct job *job = (struct job *)work;

	if (job->checked == RFS_ERR_OK) {
		store_chunk(job);
		return;
	}
	log_warn("fetch: chunk %016" PRIx64 " came damaged", job->chunk);
	ask_next(job);
}

static void came(void *ctx, enum rfs_err err, const void *data, size_t bytes)
{
	struct job *job = ctx;

	if (err != RFS_ERR_OK || bytes != job->bytes) {
		ask_next(job);
		return;
	}
	if (!job->data)
		job->data = malloc(bytes);
	CHECK(job->data != NULL);
	memcpy(job->data, data, bytes);
	job->work = (struct work){ .run = check_run, .done = check_done };
	work_submit(job->fetch->s->pool, &job->work);
}

static bool was_tried(const struct job *job, uint32_t node)
{
	for (uint32_t i = 0; i < job->tried_count; i++)
		if (job->tried[i] == node)
			return true;
	return false;
}

/* Start at a peer that the chunk's number picks, to spread the load. */
static void ask_next(struct job *job)
{
	struct storaged *s = job->fetch->s;
	uint32_t count = s->members.count;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = (uint32_t)((job->chunk + i) % count);
		uint32_t node = s->members.list[at].node.id;

		if (node == storaged_self(s) || was_tried(job, node) ||
		    job->tried_count == CONFIG_NODES_MAX)
			continue;
		job->tried[job->tried_count++] = node;
		if (cluster_get(s->cluster, node, job->chunk, came, job) ==
		    RFS_ERR_OK)
			return;
	}
	finish(job, RFS_ERR_NOENT);
}

static void on_start(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	ask_next(timer->data);
}

static struct job *job_new(struct fetch *fetch, uint64_t chunk,
			   const uint8_t sha256[HASH_BYTES], uint32_t bytes)
{
	struct job *job = calloc(1, sizeof(*job));

	CHECK(job != NULL);
	job->fetch = fetch;
	job->chunk = chunk;
	job->bytes = bytes;
	memcpy(job->sha256, sha256, HASH_BYTES);
	job->next = fetch->jobs;
	fetch->jobs = job;
	fetch->active++;
	ev_timer_init(&job->start, on_start, 0., 0.);
	job->start.data = job;
	ev_timer_start(fetch->s->loop, &job->start);
	return job;
}

void fetch_chunk(struct fetch *fetch, uint64_t chunk,
		 const uint8_t sha256[HASH_BYTES], uint32_t bytes,
		 fetch_done *done, void *ctx)
{
	struct job *job = fetch->jobs;

	while (job && job->chunk != chunk)
		job = job->next;
	if (!job)
		job = job_new(fetch, chunk, sha256, bytes);
	if (!done)
		return;
	struct waiter *waiter = malloc(sizeof(*waiter));
	CHECK(waiter != NULL);
	*waiter = (struct waiter){ .done = done,
				   .ctx = ctx,
				   .next = job->waiters };
	job->waiters = waiter;
}

void fetch_repair(struct fetch *fetch, uint64_t chunk)
{
	struct query_chunk known;
	struct kv kv;

	fetch->s->counters.chunks_bad++;
	if (state_begin_read(fetch->s->state, &kv) != RFS_ERR_OK)
		return;
	enum rfs_err err = query_chunk(&kv, chunk, &known);
	state_end_read(fetch->s->state, &kv);
	if (err == RFS_ERR_OK && known.state == QUERY_CHUNK_USED)
		fetch_chunk(fetch, chunk, known.sha256, known.bytes, NULL,
			    NULL);
}

uint32_t fetch_active(const struct fetch *fetch)
{
	return fetch->active;
}

struct fetch *fetch_new(struct storaged *s)
{
	struct fetch *fetch = calloc(1, sizeof(*fetch));

	if (fetch)
		fetch->s = s;
	return fetch;
}

/* After the cluster and the workers ended: no answer can come any more. */
void fetch_free(struct fetch *fetch)
{
	if (!fetch)
		return;
	for (struct job *job = fetch->jobs; job;) {
		struct job *next = job->next;

		finish(job, RFS_ERR_CLOSED);
		job = next;
	}
	free(fetch);
}
