/* A timer that turns: look at what is due, take some steps of the walk. */
#include "storaged/backfill.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/os/clock.h"
#include "common/os/log.h"
#include "common/units.h"
#include "storaged/cluster.h"
#include "storaged/consensus.h"
#include "storaged/core/query.h"
#include "storaged/fetch.h"

#define TURN_SEC       0.05
#define STEP_CHUNKS    512 /* looked at in one turn of the walk, */
#define STEP_NS	       (5 * NS_PER_MS) /* or so long: a look may need the disk */
#define FETCHES_MAX    16
#define NAMED_WAIT_NS  (2 * NS_PER_SEC)
#define RETRY_WAIT_NS  (10 * NS_PER_SEC)

struct named {
	struct command_piece piece;
	int64_t due_raw_ns;
};

struct backfill {
	struct storaged *s;
	struct ev_timer turn;
	struct named *ring; /* in order of due time */
	size_t first;
	size_t count;
	size_t capacity; /* a power of two, or 0 */

	bool walking;
	uint64_t cursor;
	uint32_t seen; /* in this turn */
	int64_t turn_raw_ns;
	uint64_t missing; /* in this walk, or the last; and of those: */
	uint64_t fetched;
	uint64_t failed;
	uint32_t on_their_way;
	int64_t walk_not_before_ns;
	bool again;
	bool caught_up; /* a walk sees all that was named before it */
	bool whole;
	bool peer_came; /* since the walk began */
};

static bool is_here(struct storaged *s, uint64_t chunk)
{
	return chunk & STORE_CHUNK_INLINE ? packs_has(s->packs, chunk)
					  : chunks_has(s->chunks, chunk);
}

static void grow(struct backfill *b)
{
	size_t capacity = b->capacity ? b->capacity * 2 : 256;
	struct named *ring = malloc(capacity * sizeof(*ring));

	CHECK(ring != NULL);
	for (size_t i = 0; i < b->count; i++)
		ring[i] = b->ring[(b->first + i) & (b->capacity - 1)];
	free(b->ring);
	b->ring = ring;
	b->first = 0;
	b->capacity = capacity;
}

void backfill_named(struct backfill *b, const struct command_piece *piece)
{
	if (b->count == b->capacity)
		grow(b);
	b->ring[(b->first + b->count++) & (b->capacity - 1)] = (struct named){
		.piece = *piece, .due_raw_ns = clock_raw_ns() + NAMED_WAIT_NS
	};
}

/* What could not be had is found again by a walk. */
static void walk_again(struct backfill *b)
{
	if (b->again)
		return;
	b->again = true;
	b->walk_not_before_ns =
		b->peer_came ? 0 : clock_raw_ns() + RETRY_WAIT_NS;
}

static void named_done(void *ctx, enum rfs_err err, const uint8_t *data,
		       uint32_t bytes)
{
	struct backfill *b = ctx;

	(void)data;
	(void)bytes;
	if (err != RFS_ERR_OK)
		walk_again(b);
}

static void look_at_named(struct backfill *b)
{
	int64_t now_ns = clock_raw_ns();

	while (b->count > 0 && fetch_active(b->s->fetch) < FETCHES_MAX) {
		const struct named *named = &b->ring[b->first];

		if (named->due_raw_ns > now_ns)
			return;
		if (!is_here(b->s, named->piece.chunk))
			fetch_chunk(b->s->fetch, named->piece.chunk,
				    named->piece.sha256, named->piece.bytes,
				    named_done, b);
		b->first = (b->first + 1) & (b->capacity - 1);
		b->count--;
	}
}

static void walk_fetched(void *ctx, enum rfs_err err, const uint8_t *data,
			 uint32_t bytes)
{
	struct backfill *b = ctx;

	(void)data;
	(void)bytes;
	b->on_their_way--;
	b->failed += err != RFS_ERR_OK;
	b->fetched += err == RFS_ERR_OK;
	/* One ended: the next may begin at once. */
	ev_feed_event(b->s->loop, &b->turn, EV_TIMER);
}

static bool walk_one(void *ctx, uint64_t chunk, const struct query_chunk *known)
{
	struct backfill *b = ctx;

	if (fetch_active(b->s->fetch) >= FETCHES_MAX ||
	    b->seen >= STEP_CHUNKS ||
	    (b->seen > 0 && clock_raw_ns() - b->turn_raw_ns > STEP_NS))
		return false;
	b->seen++;
	b->cursor = chunk + 1;
	if (is_here(b->s, chunk))
		return true;
	b->missing++;
	b->on_their_way++;
	fetch_chunk(b->s->fetch, chunk, known->sha256, known->bytes,
		    walk_fetched, b);
	return true;
}

static void set_whole(struct backfill *b, bool whole)
{
	if (whole == b->whole)
		return;
	b->whole = whole;
	consensus_tell_filling(b->s->consensus);
}

/* What they have not, no later walk will find either, unless who is away comes
 * back with it: no reason to wait for ever. */
static bool enough_were_asked(const struct backfill *b)
{
	const struct members *members = &b->s->members;
	uint32_t set = 0;

	for (uint32_t i = 0; i < members->count; i++) {
		uint32_t id = members->list[i].node.id;

		if (id == storaged_self(b->s) ||
		    cluster_is_connected(b->s->cluster, id))
			set |= UINT32_C(1) << i;
	}
	return !b->peer_came && members_decide(members, set);
}

static void end_walk(struct backfill *b)
{
	b->walking = false;
	if (b->missing > 0)
		log_notice("backfill: %" PRIu64 " chunks were missing, %" PRIu64
			   " still are",
			   b->missing, b->failed);
	if (b->failed > 0)
		walk_again(b);
	else
		state_unkept_reset(b->s->state);
	if (b->caught_up && (b->failed == 0 || enough_were_asked(b)))
		set_whole(b, true);
}

static void walk(struct backfill *b)
{
	uint64_t before = b->cursor;
	struct kv kv;

	if (state_begin_read(b->s->state, &kv) != RFS_ERR_OK)
		return;
	b->seen = 0;
	b->turn_raw_ns = clock_raw_ns();
	enum rfs_err err = query_chunks(&kv, b->cursor, walk_one, b);
	state_end_read(b->s->state, &kv);
	bool at_end = b->cursor == before &&
		      fetch_active(b->s->fetch) < FETCHES_MAX;
	if (err != RFS_ERR_OK || (at_end && b->on_their_way == 0))
		end_walk(b);
}

static bool may_walk(struct backfill *b)
{
	const struct members *members = &b->s->members;

	for (uint32_t i = 0; i < members->count; i++)
		if (cluster_is_connected(b->s->cluster,
					 members->list[i].node.id))
			return true;
	return members->count == 1;
}

static void begin_walk(struct backfill *b)
{
	b->again = false;
	b->walking = true;
	b->peer_came = false;
	b->cursor = 0;
	b->missing = 0;
	b->fetched = 0;
	b->failed = 0;
}

static void on_turn(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct backfill *b = timer->data;

	(void)loop;
	(void)events;
	look_at_named(b);
	if (!b->walking && !b->s->disk_full &&
	    (b->again || state_unkept_count(b->s->state) > 0) &&
	    clock_raw_ns() >= b->walk_not_before_ns && may_walk(b))
		begin_walk(b);
	if (b->walking)
		walk(b);
}

void backfill_walk(struct backfill *b)
{
	b->caught_up = true;
	if (may_walk(b))
		begin_walk(b);
	else
		b->again = true;
}

void backfill_restart(struct backfill *b)
{
	b->caught_up = false;
	set_whole(b, false);
}

bool backfill_is_whole(const struct backfill *b)
{
	return b->whole;
}

void backfill_peer_came(struct backfill *b)
{
	b->peer_came = true;
	b->walk_not_before_ns = 0;
}

uint64_t backfill_missing(const struct backfill *b)
{
	return b->missing - b->fetched;
}

struct backfill *backfill_new(struct storaged *s)
{
	struct backfill *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->s = s;
	ev_timer_init(&b->turn, on_turn, TURN_SEC, TURN_SEC);
	b->turn.data = b;
	ev_timer_start(s->loop, &b->turn);
	return b;
}

void backfill_free(struct backfill *b)
{
	if (!b)
		return;
	ev_timer_stop(b->s->loop, &b->turn);
	free(b->ring);
	free(b);
}
