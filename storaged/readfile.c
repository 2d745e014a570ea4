/* Map, read what is here, fetch what is not; if a chunk went away meanwhile
 * (overwritten, its last copy reclaimed), map again. */
#include "storaged/readfile.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/os/log.h"
#include "storaged/core/query.h"
#include "storaged/fetch.h"

#define TRIES_MAX 20
#define AGAIN_SEC 0.1

struct stretch {
	struct read_job *job;
	struct query_extent extent;
	uint32_t at; /* in the answer */
	enum rfs_err err; /* BUSY: `packed` waits to be read */
	struct packs_record packed;
};

struct read_job {
	struct work work; /* first: a work is its job */
	struct storaged *s;
	readfile_done *done;
	void *ctx;
	uint64_t ino;
	uint64_t offset;
	uint32_t length;
	uint32_t tries;
	uint32_t fetching;
	bool lost; /* a chunk could not be had */
	struct ev_timer again;

	uint8_t *data;
	uint32_t bytes; /* of the answer so far */
	struct stretch *stretches;
	size_t count;
	size_t capacity;
};

static void map_and_read(struct read_job *job);

static void finish(struct read_job *job, enum rfs_err err)
{
	job->done(job->ctx, err, job->data, err == RFS_ERR_OK ? job->bytes : 0);
	ev_timer_stop(job->s->loop, &job->again);
	free(job->stretches);
	free(job->data);
	free(job);
}

static bool add_stretch(void *ctx, const struct query_extent *extent)
{
	struct read_job *job = ctx;

	CHECK(extent->length <= job->length - job->bytes);
	if (extent->chunk != 0) {
		if (job->count == job->capacity) {
			job->capacity = job->capacity * 2 + 16;
			job->stretches =
				realloc(job->stretches,
					job->capacity *
						sizeof(*job->stretches));
			CHECK(job->stretches != NULL);
		}
		job->stretches[job->count++] =
			(struct stretch){ .job = job,
					  .extent = *extent,
					  .at = job->bytes,
					  .err = RFS_ERR_NOENT };
	}
	job->bytes += (uint32_t)extent->length;
	return true;
}

static enum rfs_err map(struct read_job *job)
{
	struct kv kv;
	enum rfs_err err = state_begin_read(job->s->state, &kv);

	if (err != RFS_ERR_OK)
		return err;
	job->bytes = 0;
	job->count = 0;
	err = query_map(&kv, job->ino, job->offset, job->length, add_stretch,
			job);
	state_end_read(job->s->state, &kv);
	return err;
}

/* A small chunk, from the packs: at once where the disk is not needed. True:
 * it is. */
static bool begin_packed(struct stretch *stretch, uint8_t *whole)
{
	const struct query_extent *extent = &stretch->extent;
	struct packs *packs = stretch->job->s->packs;
	uint32_t bytes = 0;

	stretch->err = packs_get(packs, extent->chunk, whole,
				     extent->chunk_bytes, &bytes);
	if (stretch->err == RFS_ERR_OK && bytes != extent->chunk_bytes)
		stretch->err = RFS_ERR_CORRUPT;
	if (stretch->err == RFS_ERR_OK)
		memcpy(stretch->job->data + stretch->at,
		       whole + extent->chunk_offset, extent->length);
	if (stretch->err != RFS_ERR_BUSY)
		return false;
	enum rfs_err err =
		packs_find(packs, extent->chunk, &stretch->packed);
	if (err != RFS_ERR_OK)
		stretch->err = err;
	return err == RFS_ERR_OK;
}

static bool begin_read(struct stretch *stretch)
{
	if (!(stretch->extent.chunk & STORE_CHUNK_INLINE))
		return true;
	uint8_t *whole = malloc(stretch->extent.chunk_bytes);

	CHECK(whole != NULL);
	bool wait = begin_packed(stretch, whole);
	free(whole);
	return wait;
}

static void read_packed(struct stretch *stretch)
{
	const struct query_extent *extent = &stretch->extent;
	uint8_t *whole = malloc(stretch->packed.bytes);

	CHECK(whole != NULL);
	stretch->err = packs_read(&stretch->packed, whole);
	if (stretch->err == RFS_ERR_OK &&
	    stretch->packed.bytes != extent->chunk_bytes)
		stretch->err = RFS_ERR_CORRUPT;
	if (stretch->err == RFS_ERR_OK)
		memcpy(stretch->job->data + stretch->at,
		       whole + extent->chunk_offset, extent->length);
	free(whole);
}

static void read_files(struct work *work)
{
	struct read_job *job = (struct read_job *)work;

	for (size_t i = 0; i < job->count; i++) {
		struct stretch *stretch = &job->stretches[i];
		const struct query_extent *extent = &stretch->extent;

		if (stretch->err == RFS_ERR_BUSY)
			read_packed(stretch);
		else if (!(extent->chunk & STORE_CHUNK_INLINE))
			stretch->err = chunks_read(
				job->s->chunks, extent->chunk, extent->sha256,
				extent->chunk_offset, (uint32_t)extent->length,
				job->data + stretch->at);
	}
}

static void try_again(struct read_job *job)
{
	if (!job->lost) {
		finish(job, RFS_ERR_OK);
		return;
	}
	if (++job->tries >= TRIES_MAX) {
		finish(job, RFS_ERR_IO);
		return;
	}
	/* At once the first time: most likely the file changed meanwhile. */
	ev_timer_set(&job->again, job->tries == 1 ? 0. : AGAIN_SEC, 0.);
	ev_timer_start(job->s->loop, &job->again);
}

static void fetched(void *ctx, enum rfs_err err, const uint8_t *data,
		    uint32_t bytes)
{
	struct stretch *stretch = ctx;
	struct read_job *job = stretch->job;
	const struct query_extent *extent = &stretch->extent;

	if (err == RFS_ERR_OK && bytes == extent->chunk_bytes)
		memcpy(job->data + stretch->at, data + extent->chunk_offset,
		       extent->length);
	else
		job->lost = true;
	if (--job->fetching == 0)
		try_again(job);
}

static void fetch_rest(struct read_job *job)
{
	job->lost = false;
	job->fetching = 1;
	for (size_t i = 0; i < job->count; i++) {
		struct stretch *stretch = &job->stretches[i];
		const struct query_extent *extent = &stretch->extent;

		if (stretch->err == RFS_ERR_OK)
			continue;
		if (stretch->err != RFS_ERR_NOENT) {
			job->s->counters.chunks_bad++;
			log_warn("chunk %016" PRIx64 ": %s; asking a peer",
				 extent->chunk, rfs_err_text(stretch->err));
		}
		job->fetching++;
		fetch_chunk(job->s->fetch, extent->chunk, extent->sha256,
			    extent->chunk_bytes, fetched, stretch);
	}
	if (--job->fetching == 0)
		try_again(job);
}

static void files_read(struct work *work)
{
	fetch_rest((struct read_job *)work);
}

static void map_and_read(struct read_job *job)
{
	bool wait = false;
	enum rfs_err err = map(job);

	if (err != RFS_ERR_OK) {
		finish(job, err);
		return;
	}
	memset(job->data, 0, job->bytes);
	for (size_t i = 0; i < job->count; i++)
		wait |= begin_read(&job->stretches[i]);
	if (!wait) {
		fetch_rest(job);
		return;
	}
	job->work = (struct work){ .run = read_files, .done = files_read };
	work_submit(job->s->pool, &job->work);
}

static void on_again(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	map_and_read(timer->data);
}

void readfile_start(struct storaged *s, uint64_t ino, uint64_t offset,
		    uint64_t length, readfile_done *done, void *ctx)
{
	struct read_job *job = calloc(1, sizeof(*job));

	CHECK(job != NULL);
	job->s = s;
	job->done = done;
	job->ctx = ctx;
	job->ino = ino;
	job->offset = offset;
	job->length = length < READFILE_MAX_BYTES ? (uint32_t)length
						  : READFILE_MAX_BYTES;
	ev_init(&job->again, on_again);
	job->again.data = job;
	job->data = malloc(job->length + 1);
	CHECK(job->data != NULL);
	map_and_read(job);
}
