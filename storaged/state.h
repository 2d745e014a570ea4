/* The state on this disk: the core's store over LMDB, its restart rule, and
 * the batches in which the committed log is applied.
 *
 *	DIR/state.mdb  the environment
 *	DIR/mark       kernel boot id, and whether we stopped cleanly
 *
 * Nothing here is synced while running. After a power cut (another boot id, no
 * clean mark) the environment is discarded and the newest sound snapshot takes
 * its place; the log does the rest.
 *
 * The loop's thread only; lmdbkv_copy() of state_env() excepted.
 */
#ifndef RAFTFS_STORAGED_STATE_H
#define RAFTFS_STORAGED_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "storaged/core/query.h"
#include "storaged/core/store.h"
#include "storaged/lmdbkv.h"
#include "storaged/packs.h"
#include "storaged/snapshot.h"

struct state;

/* What a committed batch came to. Called by state_commit(), in log order, when
 * the batch can be read. */
struct state_events {
	/* The answer of the command at (index, term). */
	void (*result)(void *ctx, const struct store_result *result,
		       uint64_t index, uint64_t term);
	/* The entry made a file of this chunk, stored beforehand. */
	void (*named)(void *ctx, const struct command_piece *piece);
	/* No file has it any more; may go after a checkpoint >= index. */
	void (*freed)(void *ctx, uint64_t chunk, uint64_t index);
	/* A grant ended: [first, first + count). */
	void (*expired)(void *ctx, uint64_t first, uint64_t count,
			uint64_t index);
	/* Last: everything up to index is applied. */
	void (*applied)(void *ctx, uint64_t index);
};

/* Blocks. Logged. NOSPC, IO, NOMEM; CORRUPT: neither environment nor snapshot
 * can be used although there was one. packs and snapshots are borrowed. */
RFS_MUST_USE enum rfs_err state_open(const char *dir, uint64_t map_bytes,
				     struct packs *packs,
				     struct snapshots *snapshots,
				     const struct state_events *events,
				     void *ctx, struct state **state);

/* clean: sync, so that the next start may go on from here. A batch not
 * committed is dropped. */
void state_close(struct state *state, bool clean);

/* Apply one committed entry to the open batch (begun if there is none). NOSPC:
 * abort the batch and try again when there is room. Anything else that is not
 * OK: the state cannot go on; close it, not cleanly, and start over. */
RFS_MUST_USE enum rfs_err state_apply(struct state *state,
				      const struct store_entry *entry);

/* Entries in the open batch. */
uint32_t state_batch_count(const struct state *state);

/* Drop the open batch, if there is one; its entries may be applied again. */
void state_abort(struct state *state);

/* Make the open batch visible and report it; nothing when there is none. Not
 * OK: nothing of it happened; after NOSPC its entries may be applied again. */
RFS_MUST_USE enum rfs_err state_commit(struct state *state);

/* The state answers from here: what state_commit() made visible. */
uint64_t state_applied(const struct state *state);

/* The last committed batch, for reading. One at a time, on this thread. */
RFS_MUST_USE enum rfs_err state_begin_read(struct state *state,
					   struct kv *kv);
void state_end_read(struct state *state, struct kv *kv);

/* Lay the newest sound snapshot beside the state. Blocks as long as copying and
 * hashing it takes: for a worker, one at a time. NOENT: there is none; IO,
 * NOSPC. Logged. */
RFS_MUST_USE enum rfs_err state_stage(const struct state *state);

/* Replace everything by what was staged: a rename. No batch, read or copy may
 * be under way. A death on either side of it leaves one of the two, whole. */
RFS_MUST_USE enum rfs_err state_restore(struct state *state);

/* Before growing the map or copying, the loop makes sure of the other. */
struct lmdbkv *state_env(struct state *state);

/* All is well for a while: deaths before this are forgotten. LMDB trusts the
 * pages it maps, so damaged ones may kill the process; after STATE_DEATHS_MAX
 * deaths in a row, none of them followed by this, the next start begins from
 * the last snapshot. */
#define STATE_DEATHS_MAX 5
void state_settled(struct state *state);

/* The next start shall not trust this environment. */
void state_condemn(struct state *state);

/* Chunk data that could not be kept when it was applied (disk full, or not
 * what its hash says): it has to be fetched before the next checkpoint. */
uint64_t state_unkept_count(const struct state *state);
void state_unkept_reset(struct state *state);

/* Set while lmdbkv_copy() runs elsewhere: the map must not grow meanwhile. */
void state_set_copying(struct state *state, bool copying);

#endif
