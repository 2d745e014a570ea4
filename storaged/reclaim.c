/* A list in order of index; deletes of files go to a worker. */
#include "storaged/reclaim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/os/log.h"
#include "storaged/core/query.h"

struct freed {
	uint64_t chunk;
	uint64_t index;
};

struct reclaim {
	struct storaged *s;
	struct freed *list;
	size_t count;
	size_t capacity;
	uint64_t durable_index; /* of the last checkpoint */
	size_t judged;		/* see let_slice_go() */
	size_t kept;
	struct ev_timer letting_go; /* active: slices are left */
	uint64_t file_bytes;
	struct sweep *sweep; /* under way, or NULL */
};

/* A batch of large chunks on its way to a worker. */
struct removal {
	struct work work;
	struct reclaim *reclaim;
	uint64_t *chunks;
	size_t count;
	uint64_t removed_bytes;
};

/* Lists the files on a worker, then judges files and packs a slice a turn. */
struct sweep {
	struct work work;
	struct reclaim *reclaim;
	uint64_t *chunks;
	size_t count;
	size_t capacity;
	uint64_t file_bytes;
	size_t judged; /* of chunks */
	size_t slot;   /* of the packs */
	size_t found;
	struct ev_timer turn;
	struct kv *kv; /* during a turn */
};

#define SLICE	 1024
#define TURN_SEC 0.01

static void on_letting_go(struct ev_loop *loop, struct ev_timer *timer,
			  int events);

struct reclaim *reclaim_new(struct storaged *s)
{
	struct reclaim *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->s = s;
	ev_init(&r->letting_go, on_letting_go);
	r->letting_go.repeat = TURN_SEC;
	r->letting_go.data = r;
	return r;
}

uint64_t reclaim_waiting(const struct reclaim *r)
{
	return r->count - (r->judged - r->kept);
}

uint64_t reclaim_file_bytes(const struct reclaim *r)
{
	return r->file_bytes;
}

void reclaim_count_file(struct reclaim *r, int64_t bytes)
{
	if (bytes < 0 && r->file_bytes < (uint64_t)-bytes)
		r->file_bytes = 0;
	else
		r->file_bytes += (uint64_t)bytes;
}

void reclaim_freed(struct reclaim *r, uint64_t chunk, uint64_t index)
{
	if (r->count == r->capacity) {
		size_t capacity = r->capacity * 2 + 256;
		struct freed *list =
			realloc(r->list, capacity * sizeof(*list));

		if (!list)
			return; /* garbage until the next sweep */
		r->list = list;
		r->capacity = capacity;
	}
	r->list[r->count++] = (struct freed){ .chunk = chunk, .index = index };
}

static bool is_unknown(struct kv *kv, uint64_t chunk)
{
	struct query_chunk answer;

	return query_chunk(kv, chunk, &answer) == RFS_ERR_OK &&
	       answer.state == QUERY_CHUNK_UNKNOWN;
}

void reclaim_expired(struct reclaim *r, uint64_t first, uint64_t count,
		     uint64_t index)
{
	struct kv kv;

	if (state_begin_read(r->s->state, &kv) != RFS_ERR_OK)
		return;
	for (uint64_t i = 0; i < count; i++)
		if (chunks_has(r->s->chunks, first + i) &&
		    is_unknown(&kv, first + i))
			reclaim_freed(r, first + i, index);
	state_end_read(r->s->state, &kv);
}

static void removal_run(struct work *work)
{
	struct removal *removal = (struct removal *)work;
	struct chunks *chunks = removal->reclaim->s->chunks;

	for (size_t i = 0; i < removal->count; i++) {
		uint8_t sha256[HASH_BYTES];
		uint32_t bytes = 0;

		if (chunks_stat(chunks, removal->chunks[i], &bytes, sha256) ==
		    RFS_ERR_OK)
			removal->removed_bytes += bytes + CHUNKFILE_HEAD_BYTES;
		chunks_delete(chunks, removal->chunks[i]);
	}
}

static void removal_done(struct work *work)
{
	struct removal *removal = (struct removal *)work;

	reclaim_count_file(removal->reclaim, -(int64_t)removal->removed_bytes);
	free(removal->chunks);
	free(removal);
}

static void remove_files(struct reclaim *r, const uint64_t *chunks,
			 size_t count)
{
	struct removal *removal = calloc(1, sizeof(*removal));

	if (!removal || count == 0) {
		free(removal);
		return;
	}
	removal->chunks = malloc(count * sizeof(*chunks));
	if (!removal->chunks) {
		free(removal);
		return;
	}
	memcpy(removal->chunks, chunks, count * sizeof(*chunks));
	removal->count = count;
	removal->reclaim = r;
	removal->work = (struct work){ .run = removal_run,
				       .done = removal_done };
	work_submit(r->s->pool, &removal->work);
}

/* Asked once more before it is final: the state that is durable now must not
 * know the chunk. False: it stays on the list. */
static bool let_go(struct reclaim *r, struct kv *kv, const struct freed *freed,
		   uint64_t *files, size_t *file_count)
{
	if (freed->index > r->durable_index)
		return false;
	if (!is_unknown(kv, freed->chunk))
		log_warn("chunk %016" PRIx64 " was freed, yet is known",
			 freed->chunk);
	else if (freed->chunk & STORE_CHUNK_INLINE)
		packs_delete(r->s->packs, freed->chunk);
	else
		files[(*file_count)++] = freed->chunk;
	return true;
}

/* A slice of the list: what is before `kept` stays, what is from `judged` on
 * has not been looked at. True once all was. */
static bool let_slice_go(struct reclaim *r)
{
	uint64_t files[SLICE];
	size_t file_count = 0;
	struct kv kv;

	if (state_begin_read(r->s->state, &kv) != RFS_ERR_OK)
		return false;
	for (int i = 0; i < SLICE && r->judged < r->count; i++) {
		const struct freed freed = r->list[r->judged++];

		if (!let_go(r, &kv, &freed, files, &file_count))
			r->list[r->kept++] = freed;
	}
	state_end_read(r->s->state, &kv);
	remove_files(r, files, file_count);
	if (r->judged < r->count)
		return false;
	r->count = r->kept;
	r->judged = 0;
	r->kept = 0;
	return true;
}

static void on_letting_go(struct ev_loop *loop, struct ev_timer *timer,
			  int events)
{
	(void)events;
	if (let_slice_go(timer->data))
		ev_timer_stop(loop, timer);
}

/* Further ones while a list is being judged count for the rest of it; the next
 * checkpoint looks at those that stayed. */
void reclaim_checkpoint(struct reclaim *r, uint64_t index)
{
	r->durable_index = index;
	if (ev_is_active(&r->letting_go))
		return;
	if (!let_slice_go(r))
		ev_timer_again(r->s->loop, &r->letting_go);
}

static bool sweep_note(void *ctx, uint64_t id, uint64_t file_bytes)
{
	struct sweep *sweep = ctx;

	if (sweep->count == sweep->capacity) {
		size_t capacity = sweep->capacity * 2 + 1024;
		uint64_t *chunks =
			realloc(sweep->chunks, capacity * sizeof(*chunks));

		if (!chunks)
			return false;
		sweep->chunks = chunks;
		sweep->capacity = capacity;
	}
	sweep->chunks[sweep->count++] = id;
	sweep->file_bytes += file_bytes;
	return true;
}

static void sweep_run(struct work *work)
{
	struct sweep *sweep = (struct sweep *)work;

	chunks_each(sweep->reclaim->s->chunks, sweep_note, sweep);
}

/* Nothing is removed here: only noted, to go with the next checkpoint. */
static void judge(void *ctx, uint64_t chunk)
{
	struct sweep *sweep = ctx;
	struct reclaim *r = sweep->reclaim;

	if (!is_unknown(sweep->kv, chunk))
		return;
	sweep->found++;
	reclaim_freed(r, chunk, state_applied(r->s->state));
}

/* True once everything was looked at. */
static bool judge_slice(struct sweep *sweep)
{
	struct reclaim *r = sweep->reclaim;
	size_t end = sweep->judged + SLICE;

	if (sweep->judged < sweep->count) {
		while (sweep->judged < sweep->count && sweep->judged < end)
			judge(sweep, sweep->chunks[sweep->judged++]);
		return false;
	}
	sweep->slot = packs_walk(r->s->packs, sweep->slot, SLICE, judge, sweep);
	return sweep->slot == 0;
}

static void sweep_end(struct sweep *sweep)
{
	struct reclaim *r = sweep->reclaim;

	if (sweep->found > 0)
		log_info("sweep: %zu chunks that no file has", sweep->found);
	ev_timer_stop(r->s->loop, &sweep->turn);
	r->sweep = NULL;
	free(sweep->chunks);
	free(sweep);
}

static void on_turn(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct sweep *sweep = timer->data;
	struct reclaim *r = sweep->reclaim;
	struct kv kv;

	(void)loop;
	(void)events;
	if (state_begin_read(r->s->state, &kv) != RFS_ERR_OK)
		return;
	sweep->kv = &kv;
	bool ended = judge_slice(sweep);
	state_end_read(r->s->state, &kv);
	if (ended)
		sweep_end(sweep);
}

static void sweep_listed(struct work *work)
{
	struct sweep *sweep = (struct sweep *)work;

	sweep->reclaim->file_bytes = sweep->file_bytes;
	ev_timer_init(&sweep->turn, on_turn, 0., TURN_SEC);
	sweep->turn.data = sweep;
	ev_timer_start(sweep->reclaim->s->loop, &sweep->turn);
}

void reclaim_sweep(struct reclaim *r)
{
	struct sweep *sweep = r->sweep ? NULL : calloc(1, sizeof(*sweep));

	if (!sweep)
		return;
	r->sweep = sweep;
	sweep->reclaim = r;
	ev_init(&sweep->turn, on_turn);
	sweep->work = (struct work){ .run = sweep_run, .done = sweep_listed };
	work_submit(r->s->pool, &sweep->work);
}

void reclaim_free(struct reclaim *r)
{
	if (!r)
		return;
	if (r->sweep)
		sweep_end(r->sweep);
	ev_timer_stop(r->s->loop, &r->letting_go);
	free(r->list);
	free(r);
}
