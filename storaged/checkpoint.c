/* Four steps, two on a worker; one checkpoint at a time. */
#include "storaged/checkpoint.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/os/clock.h"
#include "common/os/log.h"
#include "storaged/consensus.h"
#include "storaged/reclaim.h"

struct checkpoint {
	struct work work; /* first: a work is its checkpoint */
	struct storaged *s;
	bool running;
	bool wanted;
	struct lmdbkv *env;
	struct packs_sync *sync;
	struct snapshot_meta meta; /* of the one being made */
	struct snapshot_meta newest;
	enum rfs_err err;
	int64_t last_raw_ns;
};

static void start(struct checkpoint *cp);

static void finish(struct checkpoint *cp)
{
	cp->running = false;
	cp->last_raw_ns = clock_raw_ns();
	if (cp->err == RFS_ERR_OK && cp->meta.index > 0) {
		cp->newest = cp->meta;
		log_info("checkpoint at %" PRIu64 ", %" PRIu64 " bytes",
			 cp->meta.index, cp->meta.bytes);
		consensus_tell_snapshot(cp->s->consensus, &cp->meta);
		reclaim_checkpoint(cp->s->reclaim, cp->meta.index);
	} else if (cp->err != RFS_ERR_OK) {
		log_warn("checkpoint: %s", rfs_err_text(cp->err));
	}
	if (cp->wanted)
		start(cp);
}

static void publish_run(struct work *work)
{
	struct checkpoint *cp = (struct checkpoint *)work;

	cp->err = packs_sync_run(cp->sync);
	if (cp->err == RFS_ERR_OK)
		cp->err = snapshots_publish(cp->s->snapshots, &cp->meta);
}

static void publish_done(struct work *work)
{
	struct checkpoint *cp = (struct checkpoint *)work;

	packs_sync_end(cp->s->packs, cp->sync, cp->err);
	finish(cp);
}

static void copy_run(struct work *work)
{
	struct checkpoint *cp = (struct checkpoint *)work;

	cp->err = snapshots_copy(cp->s->snapshots, cp->env, &cp->meta);
}

/* What the copy names was put into the packs before it was committed: a sync
 * that begins now covers it. */
static void copy_done(struct work *work)
{
	struct checkpoint *cp = (struct checkpoint *)work;

	state_set_copying(cp->s->state, false);
	if (cp->err == RFS_ERR_OK) {
		cp->sync = packs_sync_begin(cp->s->packs);
		if (!cp->sync)
			cp->err = RFS_ERR_NOMEM;
	}
	if (cp->err != RFS_ERR_OK) {
		finish(cp);
		return;
	}
	cp->work = (struct work){ .run = publish_run, .done = publish_done };
	work_submit(cp->s->pool, &cp->work);
}

/* Data that an entry brought and that is not kept yet is durable in the log
 * alone: no checkpoint before it has been fetched. */
static void start(struct checkpoint *cp)
{
	if (consensus_is_restoring(cp->s->consensus) ||
	    state_unkept_count(cp->s->state) > 0 ||
	    state_applied(cp->s->state) <= cp->newest.index)
		return;
	cp->wanted = false;
	cp->running = true;
	cp->env = state_env(cp->s->state);
	state_set_copying(cp->s->state, true);
	cp->work = (struct work){ .run = copy_run, .done = copy_done };
	work_submit(cp->s->pool, &cp->work);
}

struct checkpoint *checkpoint_new(struct storaged *s)
{
	struct checkpoint *cp = calloc(1, sizeof(*cp));

	if (!cp)
		return NULL;
	cp->s = s;
	if (snapshots_newest(s->snapshots, &cp->newest) != RFS_ERR_OK)
		cp->newest.index = 0;
	return cp;
}

void checkpoint_free(struct checkpoint *cp)
{
	free(cp);
}

void checkpoint_want(struct checkpoint *cp)
{
	cp->wanted = true;
	if (!cp->running)
		start(cp);
}

bool checkpoint_is_running(const struct checkpoint *cp)
{
	return cp->running;
}

void checkpoint_received(struct checkpoint *cp,
			 const struct snapshot_meta *meta)
{
	if (meta->index > cp->newest.index)
		cp->newest = *meta;
}

const struct snapshot_meta *checkpoint_newest(const struct checkpoint *cp)
{
	return &cp->newest;
}

int64_t checkpoint_last_raw_ns(const struct checkpoint *cp)
{
	return cp->last_raw_ns;
}
