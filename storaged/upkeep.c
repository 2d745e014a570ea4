/* One timer, a list of chores. What goes through the log is proposed by the
 * leader's storaged alone, and decided by the log's time at apply. */
#include "storaged/upkeep.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/os/clock.h"
#include "common/os/log.h"
#include "common/os/process.h"
#include "common/units.h"
#include "storaged/backfill.h"
#include "storaged/checkpoint.h"
#include "storaged/consensus.h"
#include "storaged/core/query.h"
#include "storaged/disk.h"
#include "storaged/gate.h"
#include "storaged/grants.h"
#include "storaged/reclaim.h"
#include "storaged/serve.h"
#include "storaged/submit.h"

#define SECOND		    1.0
#define GRANTS_EVERY	    60u /* seconds */
#define SETTLED_AFTER	    30u
#define GRANT_LIFE_NS	    (24 * 3600 * NS_PER_SEC)
#define RECLAIM_MANY	    256u
#define RECLAIM_MANY_NS	    (30 * NS_PER_SEC)
#define RECLAIM_ANY_NS	    (600 * NS_PER_SEC)
#define COMPACT_SEC	    0.05
#define COMPACT_BYTES	    (128 * KIB) /* a turn: the loop waits for it */
#define OVERDUE_MAX	    32u

struct upkeep {
	struct storaged *s;
	struct ev_timer second;
	struct ev_timer compacting;
	uint64_t turns;
	bool caught_up;
	bool catching_up;
	bool expiring_sessions;
	bool taking_trash_out;
	uint32_t expiring_grants;
	int64_t started_raw_ns;
	char status[128];
};

/* --- disk space --- */

static void watch_disk(struct storaged *s)
{
	uint64_t free_bytes = disk_free_bytes(chunks_dir_fd(s->chunks));
	uint64_t reserve = s->config.storage.reserve_bytes;
	char text[24];

	/* A little more than the reserve ends it, so that it does not flap. */
	bool full = s->disk_full ? free_bytes < reserve + reserve / 8
				 : free_bytes < reserve;
	if (full == s->disk_full)
		return;
	s->disk_full = full;
	units_format_size(free_bytes, text, sizeof(text));
	if (full)
		log_warn("disk full: %s left; no more data is taken in", text);
	else
		log_notice("disk: %s left; data is taken in again", text);
}

/* --- catching up --- */

/* Now this node knows all that was granted and named before it started: what
 * it holds and the state does not know is garbage, what it lacks is missing. */
static void on_caught_up(void *ctx, enum rfs_err err)
{
	struct upkeep *upkeep = ctx;
	struct storaged *s = upkeep->s;

	upkeep->catching_up = false;
	if (err != RFS_ERR_OK)
		return;
	upkeep->caught_up = true;
	log_info("caught up at %" PRIu64, state_applied(s->state));
	reclaim_sweep(s->reclaim);
	backfill_walk(s->backfill);
	grants_prepare(s->grants);
}

static void catch_up(struct upkeep *upkeep)
{
	if (upkeep->caught_up || upkeep->catching_up ||
	    !consensus_is_attached(upkeep->s->consensus))
		return;
	upkeep->catching_up = true;
	gate_pass(upkeep->s->gate, NULL, 0, on_caught_up, upkeep);
}

void upkeep_restart(struct upkeep *upkeep)
{
	upkeep->caught_up = false;
}

/* --- sessions --- */

struct overdue {
	int64_t now_ns;
	bool any;
};

static bool session_overdue(void *ctx, const struct query_session *session)
{
	struct overdue *overdue = ctx;

	overdue->any |= units_add_sat(session->renewed_ts_ns,
				      session->lease_ns) < overdue->now_ns;
	return !overdue->any;
}

static void on_sessions_expired(void *ctx, enum rfs_err err,
				const struct store_result *result)
{
	struct upkeep *upkeep = ctx;

	(void)err;
	(void)result;
	upkeep->expiring_sessions = false;
}

/* The latest that log time can certainly be past; without a clock, the time of
 * the last entry, which stands still while nothing happens. */
static int64_t log_now_ns(const struct storaged *s, int64_t last_ts_ns)
{
	struct clock_sample clock;
	int64_t now_ns = last_ts_ns;

	if (s->clock && clockpage_read(s->clock, &clock) == RFS_ERR_OK) {
		struct interval now = clock_sample_at(&clock, clock_raw_ns());

		if (!interval_is_empty(now) && now.low_ns > now_ns)
			now_ns = now.low_ns;
	}
	return now_ns;
}

static void expire_sessions(struct upkeep *upkeep)
{
	struct storaged *s = upkeep->s;
	const struct command command = { .op = COMMAND_EXPIRE_SESSIONS };
	struct overdue overdue = { 0 };
	struct query_state state;
	struct kv kv;

	if (upkeep->expiring_sessions ||
	    state_begin_read(s->state, &kv) != RFS_ERR_OK)
		return;
	enum rfs_err err = query_state(&kv, &state);
	if (err == RFS_ERR_OK) {
		overdue.now_ns = log_now_ns(s, state.ts_ns);
		err = query_sessions(&kv, session_overdue, &overdue);
	}
	state_end_read(s->state, &kv);
	if (err != RFS_ERR_OK || !overdue.any)
		return;
	upkeep->expiring_sessions = true;
	submit_command(s->submit, &command, on_sessions_expired, upkeep);
}

/* --- grants --- */

struct ending {
	struct upkeep *upkeep;
	bool leads;
	int64_t now_ns;
	uint64_t firsts[OVERDUE_MAX];
	uint32_t count;
};

static void on_grant_expired(void *ctx, enum rfs_err err,
			     const struct store_result *result)
{
	struct upkeep *upkeep = ctx;

	(void)err;
	(void)result;
	upkeep->expiring_grants--;
}

/* Our own that a run before this one left, or that is used up; anyone's that
 * is very old. Its owner, if it lives, is refused and takes another. */
static bool grant_ended(void *ctx, const struct query_grant *grant)
{
	struct ending *ending = ctx;
	struct storaged *s = ending->upkeep->s;
	bool own = grant->node == storaged_self(s) &&
		   !grants_in_use(s->grants, grant->first);
	bool old = ending->leads &&
		   units_add_sat(grant->ts_ns, GRANT_LIFE_NS) < ending->now_ns;

	if (own || old)
		ending->firsts[ending->count++] = grant->first;
	return ending->count < OVERDUE_MAX;
}

static void expire_grants(struct upkeep *upkeep, bool leads)
{
	struct storaged *s = upkeep->s;
	struct ending ending = { .upkeep = upkeep, .leads = leads };
	struct query_state state;
	struct kv kv;

	if (!upkeep->caught_up || upkeep->expiring_grants > 0 ||
	    state_begin_read(s->state, &kv) != RFS_ERR_OK)
		return;
	enum rfs_err err = query_state(&kv, &state);
	if (err == RFS_ERR_OK) {
		ending.now_ns = log_now_ns(s, state.ts_ns);
		err = query_grants(&kv, grant_ended, &ending);
	}
	state_end_read(s->state, &kv);
	for (uint32_t i = 0; err == RFS_ERR_OK && i < ending.count; i++) {
		const struct command command = { .op = COMMAND_EXPIRE_GRANT,
						 .target = ending.firsts[i] };

		upkeep->expiring_grants++;
		submit_command(s->submit, &command, on_grant_expired, upkeep);
	}
}

/* --- trash --- */

static void take_trash_out(struct upkeep *upkeep);

static void on_trash_done(void *ctx, enum rfs_err err,
			  const struct store_result *result)
{
	struct upkeep *upkeep = ctx;

	(void)result;
	upkeep->taking_trash_out = false;
	if (err == RFS_ERR_OK)
		take_trash_out(upkeep);
}

/* Each entry takes a little of what was deleted apart; while there are no
 * others, one without a purpose of its own does. */
static void take_trash_out(struct upkeep *upkeep)
{
	struct storaged *s = upkeep->s;
	const struct command command = { .op = COMMAND_NOOP };
	struct query_state state;
	struct kv kv;

	if (upkeep->taking_trash_out || submit_waiting(s->submit) > 0 ||
	    state_begin_read(s->state, &kv) != RFS_ERR_OK)
		return;
	enum rfs_err err = query_state(&kv, &state);
	state_end_read(s->state, &kv);
	if (err != RFS_ERR_OK || state.trash_count == 0)
		return;
	upkeep->taking_trash_out = true;
	submit_command(s->submit, &command, on_trash_done, upkeep);
}

/* --- space to be had --- */

/* Freed chunks go with a checkpoint: one is worth making for many of them, for
 * any after a while, and at once when the disk is full. */
static void want_checkpoint(struct upkeep *upkeep)
{
	struct storaged *s = upkeep->s;
	uint64_t waiting = reclaim_waiting(s->reclaim);
	int64_t last_ns = checkpoint_last_raw_ns(s->checkpoint);

	if (last_ns == 0)
		last_ns = upkeep->started_raw_ns;
	int64_t age_ns = clock_raw_ns() - last_ns;

	if (waiting == 0 || checkpoint_is_running(s->checkpoint))
		return;
	if ((s->disk_full && age_ns > 2 * NS_PER_SEC) ||
	    (waiting >= RECLAIM_MANY && age_ns > RECLAIM_MANY_NS) ||
	    age_ns > RECLAIM_ANY_NS)
		checkpoint_want(s->checkpoint);
}

/* A compacted pack leaves with the next checkpoint. */
static void on_compact(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct upkeep *upkeep = timer->data;

	(void)events;
	if (!packs_compact(upkeep->s->packs, COMPACT_BYTES))
		ev_timer_stop(loop, timer);
}

/* --- the supervisor --- */

static void tell_status(struct upkeep *upkeep)
{
	struct storaged *s = upkeep->s;
	char status[128];

	process_notify("WATCHDOG=1");
	/* Applied index left out: it would be another line each second. */
	snprintf(status, sizeof(status), "STATUS=%s%s%s",
		 consensus_is_attached(s->consensus) ? "attached to raftd"
						     : "waiting for raftd",
		 upkeep->caught_up ? ", caught up" : "",
		 s->disk_full ? ", disk full" : "");
	if (strcmp(status, upkeep->status) != 0)
		process_notify(status);
	memcpy(upkeep->status, status, sizeof(status));
}

static void on_second(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct upkeep *upkeep = timer->data;
	struct storaged *s = upkeep->s;
	bool leads = storaged_leader(s, NULL) == storaged_self(s);

	(void)events;
	tell_status(upkeep);
	watch_disk(s);
	catch_up(upkeep);
	if (leads) {
		expire_sessions(upkeep);
		take_trash_out(upkeep);
	}
	if (++upkeep->turns % GRANTS_EVERY == 0)
		expire_grants(upkeep, leads);
	if (upkeep->turns == SETTLED_AFTER)
		state_settled(s->state);
	if (!ev_is_active(&upkeep->compacting))
		ev_timer_again(loop, &upkeep->compacting);
	want_checkpoint(upkeep);
}

struct upkeep *upkeep_new(struct storaged *s)
{
	struct upkeep *upkeep = calloc(1, sizeof(*upkeep));

	if (!upkeep)
		return NULL;
	upkeep->s = s;
	upkeep->started_raw_ns = clock_raw_ns();
	ev_timer_init(&upkeep->second, on_second, 0.1, SECOND);
	upkeep->second.data = upkeep;
	ev_timer_start(s->loop, &upkeep->second);
	ev_init(&upkeep->compacting, on_compact);
	upkeep->compacting.repeat = COMPACT_SEC;
	upkeep->compacting.data = upkeep;
	return upkeep;
}

void upkeep_free(struct upkeep *upkeep)
{
	if (!upkeep)
		return;
	ev_timer_stop(upkeep->s->loop, &upkeep->second);
	ev_timer_stop(upkeep->s->loop, &upkeep->compacting);
	free(upkeep);
}
