/* What the parts of this daemon share: one struct, filled in by loop.c.
 *
 * Everything runs on the loop's thread unless a header says otherwise. Each
 * part is made with a pointer to this struct and finds its neighbours here.
 */
#ifndef RAFTFS_STORAGED_STORAGED_H
#define RAFTFS_STORAGED_STORAGED_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/os/config.h"
#include "common/os/keys.h"
#include "common/os/stall.h"
#include "proto/conn.h"
#include "shm/clockpage.h"
#include "shm/conspage.h"
#include "storaged/chunks.h"
#include "storaged/members.h"
#include "storaged/packs.h"
#include "storaged/snapshot.h"
#include "storaged/state.h"
#include "storaged/work.h"

/* An attempt to do something gives up after this. */
#define STORAGED_PATIENCE_NS (12 * INT64_C(1000000000))

struct storaged {
	struct ev_loop *loop;
	struct config config;
	struct node_key key;
	struct tls *tls;
	struct members members; /* changed by cluster_set_members() alone */

	/* Handed out by the supervisor, replaced at any time; may be NULL. */
	const struct conspage *cons;
	const struct clockpage *clock;

	struct work_pool *pool;
	struct packs *packs;
	struct chunks *chunks;
	struct snapshots *snapshots;
	struct state *state;

	struct consensus *consensus;
	struct cluster *cluster;
	struct submit *submit;
	struct inherited *inherited;
	struct gate *gate;
	struct putqueue *putqueue;
	struct grants *grants;
	struct fetch *fetch;
	struct backfill *backfill;
	struct reclaim *reclaim;
	struct checkpoint *checkpoint;
	struct upkeep *upkeep;
	struct serve *serve;

	struct stall stall;

	bool disk_full; /* free space below the reserve: see upkeep.h */
	bool failed;	/* the state cannot go on: leave, not cleanly */

	struct {
		uint64_t reads_by_lease;
		uint64_t reads_by_raftd;
		uint64_t writes;
		uint64_t chunks_fetched;
		uint64_t chunks_bad;
	} counters;
};

/* Stop the loop; the exit code says failure and the supervisor restarts us.
 * The environment is condemned when the state itself is at fault. */
void storaged_fail(struct storaged *s, enum rfs_err why);

/* The state was replaced by a snapshot: what waited for entries that it skipped
 * has to find out anew. */
void storaged_restored(struct storaged *s);

/* The link to raftd broke: nothing can be committed or read here until it is
 * back. */
void storaged_detached(struct storaged *s);

/* Who leads, as far as the consensus page tells; 0: nobody known. */
uint32_t storaged_leader(const struct storaged *s, uint64_t *term);

static inline uint32_t storaged_self(const struct storaged *s)
{
	return config_self(&s->config)->id;
}

#endif
