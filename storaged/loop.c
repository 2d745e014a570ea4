/* The wiring: who is made in which order, and who hears of what. */
#include "storaged/loop.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/os/log.h"
#include "common/os/process.h"
#include "common/units.h"
#include "proto/control_server.h"
#include "proto/sockets.h"
#include "storaged/backfill.h"
#include "storaged/calls.h"
#include "storaged/checkpoint.h"
#include "storaged/cluster.h"
#include "storaged/consensus.h"
#include "storaged/control.h"
#include "storaged/fetch.h"
#include "storaged/gate.h"
#include "storaged/inherited.h"
#include "storaged/grants.h"
#include "storaged/putqueue.h"
#include "storaged/reclaim.h"
#include "storaged/serve.h"
#include "storaged/submit.h"
#include "storaged/upkeep.h"

#define WORKERS	   4u
#define PACK_BYTES (64 * MIB)

/* --- what the parts ask of each other --- */

void storaged_fail(struct storaged *s, enum rfs_err why)
{
	if (s->failed)
		return;
	log_error("the state cannot go on: %s", rfs_err_text(why));
	/* What is wrong inside it is wrong at the next start too. */
	if (why == RFS_ERR_CORRUPT || why == RFS_ERR_INVALID)
		state_condemn(s->state);
	s->failed = true;
	ev_break(s->loop, EVBREAK_ALL);
}

void storaged_restored(struct storaged *s)
{
	submit_restart(s->submit);
	inherited_forget(s->inherited);
	gate_applied(s->gate, state_applied(s->state));
	upkeep_restart(s->upkeep);
	backfill_restart(s->backfill);
}

void storaged_detached(struct storaged *s)
{
	if (s->serve)
		serve_hang_up(s->serve);
}

uint32_t storaged_leader(const struct storaged *s, uint64_t *term)
{
	struct cons_sample cons;

	if (!s->cons || conspage_read(s->cons, &cons) != RFS_ERR_OK)
		return 0;
	if (term)
		*term = cons.term;
	return cons.leader;
}

/* --- what the state reports --- */

static void on_result(void *ctx, const struct store_result *result,
		      uint64_t index, uint64_t term)
{
	struct storaged *s = ctx;

	submit_result(s->submit, result, index, term);
}

static void on_named(void *ctx, const struct command_piece *piece)
{
	struct storaged *s = ctx;

	backfill_named(s->backfill, piece);
}

static void on_freed(void *ctx, uint64_t chunk, uint64_t index)
{
	struct storaged *s = ctx;

	reclaim_freed(s->reclaim, chunk, index);
}

static void on_expired(void *ctx, uint64_t first, uint64_t count,
		       uint64_t index)
{
	struct storaged *s = ctx;

	reclaim_expired(s->reclaim, first, count, index);
}

static void on_applied(void *ctx, uint64_t index)
{
	struct storaged *s = ctx;

	submit_applied(s->submit, index);
	gate_applied(s->gate, index);
	inherited_applied(s->inherited, index);
}

static const struct state_events state_events = {
	.result = on_result,
	.named = on_named,
	.freed = on_freed,
	.expired = on_expired,
	.applied = on_applied,
};

/* --- opening and closing --- */

static enum rfs_err open_disk(struct storaged *s)
{
	char base[CONFIG_PATH_MAX + 16];
	char path[CONFIG_PATH_MAX + 32];

	snprintf(base, sizeof(base), "%s/storaged", s->config.data_dir);
	enum rfs_err err = process_make_dir(base);
	if (err != RFS_ERR_OK)
		return err;
	snprintf(path, sizeof(path), "%s/chunks", base);
	err = chunks_open(path, &s->chunks);
	if (err != RFS_ERR_OK)
		return err;
	snprintf(path, sizeof(path), "%s/packs", base);
	err = packs_open(path, PACK_BYTES, &s->packs);
	if (err != RFS_ERR_OK)
		return err;
	snprintf(path, sizeof(path), "%s/snapshots", base);
	err = snapshots_open(path, &s->snapshots);
	if (err != RFS_ERR_OK)
		return err;
	return state_open(base, s->config.storage.map_bytes, s->packs,
			  s->snapshots, &state_events, s, &s->state);
}

/* Inner parts first: whoever is made may use those before. */
static bool make_parts(struct storaged *s)
{
	return (s->pool = work_pool_new(s->loop, WORKERS)) &&
	       (s->reclaim = reclaim_new(s)) &&
	       (s->putqueue = putqueue_new(s)) &&
	       (s->checkpoint = checkpoint_new(s)) &&
	       (s->consensus = consensus_new(s)) &&
	       (s->submit = submit_new(s)) &&
	       (s->inherited = inherited_new(s)) && (s->gate = gate_new(s)) &&
	       (s->grants = grants_new(s)) && (s->fetch = fetch_new(s)) &&
	       (s->backfill = backfill_new(s)) &&
	       (s->tls = tls_new(&s->key)) && (s->cluster = cluster_new(s)) &&
	       (s->upkeep = upkeep_new(s)) && (s->serve = serve_new(s));
}

enum rfs_err loop_open(struct storaged *s)
{
	enum rfs_err err = open_disk(s);

	if (err != RFS_ERR_OK) {
		log_error("open %s/storaged: %s", s->config.data_dir,
			  rfs_err_text(err));
		return err;
	}
	if (!make_parts(s)) {
		log_error("not all parts could be started");
		return RFS_ERR_IO;
	}
	log_info("state at %" PRIu64, state_applied(s->state));
	return RFS_ERR_OK;
}

static void sync_packs(struct storaged *s)
{
	struct packs_sync *sync = packs_sync_begin(s->packs);

	if (sync)
		packs_sync_end(s->packs, sync, packs_sync_run(sync));
}

/* No new requests, then nothing under way, then whoever might be told of an
 * end after whoever tells. */
void loop_close(struct storaged *s, bool clean)
{
	serve_free(s->serve);
	work_pool_drain(s->pool);
	consensus_free(s->consensus);
	cluster_free(s->cluster);
	fetch_free(s->fetch);
	submit_free(s->submit);
	gate_free(s->gate);
	inherited_free(s->inherited);
	backfill_free(s->backfill);
	grants_free(s->grants);
	upkeep_free(s->upkeep);
	checkpoint_free(s->checkpoint);
	putqueue_free(s->putqueue);
	reclaim_free(s->reclaim);
	work_pool_free(s->pool);
	tls_free(s->tls);
	if (clean && s->packs)
		sync_packs(s);
	state_close(s->state, clean);
	snapshots_close(s->snapshots);
	packs_close(s->packs);
	chunks_close(s->chunks);
}

/* --- running --- */

struct running {
	struct storaged *s;
	struct handouts *handouts;
	struct control_server *control;
	struct ev_io channel;
	struct ev_signal term;
	struct ev_signal interrupt;
};

static void use_link(struct running *running)
{
	if (running->handouts->link_fd < 0)
		return;
	consensus_set_link(running->s->consensus, running->handouts->link_fd);
	running->handouts->link_fd = -1;
}

static void on_channel(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct running *running = io->data;
	enum rfs_err err;

	(void)events;
	do
		err = handouts_take(running->handouts, running->s);
	while (err == RFS_ERR_OK);
	use_link(running);
	if (err == RFS_ERR_BUSY)
		return;
	if (err == RFS_ERR_CLOSED) {
		log_notice("the supervisor is gone: stopping");
		ev_break(loop, EVBREAK_ALL);
	} else {
		log_error("handout: %s", rfs_err_text(err));
	}
}

static void on_stop(struct ev_loop *loop, struct ev_signal *watcher, int events)
{
	(void)watcher;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

static void start_watchers(struct running *running)
{
	struct ev_loop *loop = running->s->loop;

	ev_signal_init(&running->term, on_stop, SIGTERM);
	ev_signal_start(loop, &running->term);
	ev_signal_init(&running->interrupt, on_stop, SIGINT);
	ev_signal_start(loop, &running->interrupt);
	ev_io_init(&running->channel, on_channel, running->handouts->channel_fd,
		   EV_READ);
	running->channel.data = running;
	ev_io_start(loop, &running->channel);
}

static void stop_watchers(struct running *running)
{
	struct ev_loop *loop = running->s->loop;

	ev_signal_stop(loop, &running->term);
	ev_signal_stop(loop, &running->interrupt);
	ev_io_stop(loop, &running->channel);
	control_server_free(running->control);
}

static int run(struct running *running)
{
	struct storaged *s = running->s;
	char path[CONFIG_PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/%s", s->config.run_dir,
		 SOCKETS_STORAGED);
	running->control =
		control_server_new(s->loop, path, control_reply, s);
	if (!running->control)
		return 1;
	start_watchers(running);
	use_link(running);
	stall_start(&s->stall, s->loop);
	calls_confine();
	process_notify("READY=1\nSTATUS=serving");
	ev_run(s->loop, 0);
	process_notify("STOPPING=1");
	stall_stop(&s->stall, s->loop);
	stop_watchers(running);
	return s->failed ? 1 : 0;
}

int loop_run(struct storaged *s, struct handouts *handouts)
{
	struct running running = { .s = s, .handouts = handouts };
	int code = 1;

	s->loop = ev_default_loop(EVFLAG_AUTO);
	CHECK(s->loop != NULL);
	if (loop_open(s) == RFS_ERR_OK)
		code = run(&running);
	loop_close(s, code == 0);
	ev_loop_destroy(s->loop);
	return code;
}
