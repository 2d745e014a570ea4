/* Start from what the disk holds, or refuse when it does not fit together.
 *
 * Log, hard state and the note of the newest snapshot are written apart; they
 * must agree, or this node has forgotten something it promised.
 */
#include "raftd/loop_state.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "common/check.h"
#include "common/os/log.h"
#include "common/os/process.h"
#include "raftd/mend.h"

#define INFLIGHT_ENTRIES_MAX 2048
#define INFLIGHT_BYTES_MAX   (8 * MIB)
#define LOG_ENTRIES_SLACK    65536

struct restart {
	char dir[CONFIG_PATH_MAX + 16];
	char wal_dir[CONFIG_PATH_MAX + 32];
	struct wal *wal;
	struct wal_log log;
	struct snapfile_meta noted; /* index 0: none */
};

static enum rfs_err misfit(const struct restart *restart, const char *what)
{
	log_error("%s: %s: parts of the log are missing or from elsewhere; "
		  "this node cannot vouch for what it promised and will not "
		  "start: see DAMAGE in raftfs-raftd(8)",
		  restart->dir, what);
	return RFS_ERR_CORRUPT;
}

static bool is_empty(const struct restart *restart)
{
	return restart->log.entry_count == 0 && restart->log.first_index == 1 &&
	       restart->log.base.index == 0;
}

/* A log and a hard state go together for ever from their first start on. */
static enum rfs_err match_hardstate(struct loop *loop,
				    const struct restart *restart)
{
	struct hardstate *state = &loop->hardstate;
	uint32_t self = config_self(loop->config)->id;

	if (state->log_id == 0) {
		if (!is_empty(restart))
			return misfit(restart, "a log without term and vote");
		state->log_id = restart->log.log_id;
		state->node = self;
		return hardstate_write(loop->hardstate_file, state);
	}
	if (state->log_id != restart->log.log_id)
		return misfit(restart, "term and vote belong to another log");
	if (state->node != self) {
		log_error("%s: this is the log of node %u, we are node %u",
			  restart->dir, state->node, self);
		return RFS_ERR_CORRUPT;
	}
	return RFS_ERR_OK;
}

static enum rfs_err match_snapshot(const struct loop *loop,
				   const struct restart *restart)
{
	const struct wal_log *log = &restart->log;
	const struct raft_snapshot_meta *at = &restart->noted.at;

	if (log->base.index > at->index)
		return misfit(restart, "the log stands on a snapshot that "
				       "snapshot.meta does not name");
	if (log->first_index > at->index + 1)
		return misfit(restart, "the log begins behind the snapshot");
	if (log->entry_count > 0 &&
	    log->entries[log->entry_count - 1].term > loop->hardstate.term)
		return misfit(restart, "the log has a later term than the "
				       "hard state");
	return RFS_ERR_OK;
}

static enum rfs_err open_files(struct loop *loop, struct restart *restart)
{
	char path[sizeof(restart->dir) + 32];
	uint64_t segment_bytes = loop->config->raft.segment_bytes;
	enum rfs_err err;

	/* The configuration's lower end; common/os cannot see the log's. */
	CHECK(segment_bytes >= WAL_SEGMENT_BYTES_MIN);
	segment_bytes &= ~(uint64_t)(WAL_PAGE_BYTES - 1);
	err = process_make_dir(restart->wal_dir);
	if (err != RFS_ERR_OK)
		return err;
	snprintf(path, sizeof(path), "%s/hardstate", restart->dir);
	err = hardstate_open(path, &loop->hardstate_file, &loop->hardstate);
	if (err != RFS_ERR_OK)
		return err;
	snprintf(path, sizeof(path), "%s/snapshot.meta", restart->dir);
	err = snapfile_load_meta(path, &restart->noted);
	if (err != RFS_ERR_OK && err != RFS_ERR_NOENT)
		return err;
	err = wal_open(restart->wal_dir, segment_bytes,
		       &(struct wal_known){
			       .log_id = loop->hardstate.log_id,
			       .covered = restart->noted.at,
			       .floor = loop->hardstate.floor,
		       },
		       &restart->wal, &restart->log);
	if (err == RFS_ERR_NOSPC)
		log_error("%s: no room for the first log segment",
			  restart->wal_dir);
	return err;
}

static enum rfs_err mend(struct loop *loop, const struct restart *restart)
{
	enum rfs_err err;

	if (restart->log.floor.term > loop->hardstate.term)
		return misfit(restart, "the log has a later term than the "
				       "hard state");
	err = mend_log(restart->wal, &restart->log, loop->hardstate_file,
		       &loop->hardstate);
	if (err == RFS_ERR_NOSPC)
		log_error("%s: no room for a log segment", restart->wal_dir);
	return err;
}

static void story_line(void *ctx, const char *text)
{
	(void)ctx;
	log_debug("raft: %s", text);
}

static void fill_config(const struct loop *loop, struct raft_config *raft)
{
	const struct config *config = loop->config;

	memset(raft, 0, sizeof(*raft));
	raft->self = config_self(config)->id;
	/* Who joins is nobody's member, and learns from the log of whom. */
	raft->member_count = config->join ? 0 : config->node_count;
	for (uint32_t i = 0; i < raft->member_count; i++)
		roster_about(&config->nodes[i], &raft->members[i]);
	raft->election_timeout_min_ns = config->raft.election_timeout_min_ns;
	raft->election_timeout_max_ns = config->raft.election_timeout_max_ns;
	raft->heartbeat_min_ns = config->raft.heartbeat_min_ns;
	raft->lease_ns = config->raft.lease_ns;
	raft->max_rate_ppb = (uint32_t)(config->time_sync.max_rate_ppm * 1000);
	raft->inflight_entries_max = INFLIGHT_ENTRIES_MAX;
	raft->inflight_bytes_max = INFLIGHT_BYTES_MAX;
	raft->log_entries_max =
		2 * config->raft.snapshot_after_entries + LOG_ENTRIES_SLACK;
	raft->log_bytes_max = config->raft.log_bytes_max;
	randombytes_buf(&raft->seed, sizeof(raft->seed));
	/* Each line costs its formatting, heard or not. */
	if (config->log_level >= LOG_LEVEL_DEBUG)
		raft->story.line = story_line;
}

static enum rfs_err make_raft(struct loop *loop, const struct restart *restart)
{
	static struct raft_membership membership;
	struct raft_restart from = {
		.term = loop->hardstate.term,
		.voted_for = loop->hardstate.voted_for,
		.supported_term = loop->hardstate.supported_term,
		.snapshot = restart->noted.at,
		.entries = restart->log.entries,
		.entry_count = restart->log.entry_count,
		.floor = loop->hardstate.floor,
		.window = &restart->noted.window,
	};
	struct raft_config config;
	struct raft_now now;

	snapfile_membership(&restart->noted, &membership);
	if (membership.count > 0)
		from.membership = &membership;
	fill_config(loop, &config);
	loop_now(loop, &now);
	loop->raft = raft_new(&config, &from, &now);
	return loop->raft != NULL ? RFS_ERR_OK : RFS_ERR_NOMEM;
}

/* Hand the log to its writer. When the snapshot outran or contradicts what the
 * files hold (a crash in between), the raft goes by the snapshot alone. */
static enum rfs_err start_disk(struct loop *loop, struct restart *restart,
			       disk_persisted *persisted)
{
	uint64_t last_index =
		restart->log.first_index + restart->log.entry_count - 1;
	uint64_t segment_bytes = wal_segment_bytes(restart->wal);

	loop->disk = disk_new(loop->ev, loop->chores, restart->wal,
			      restart->wal_dir, segment_bytes, persisted, loop);
	restart->wal = NULL;
	if (loop->disk == NULL)
		return RFS_ERR_NOMEM;
	if (raft_log_last(loop->raft) != last_index)
		disk_reset(loop->disk, &restart->noted.at);
	return RFS_ERR_OK;
}

enum rfs_err loop_restart(struct loop *loop, disk_persisted *persisted,
			  struct snapfile_meta *noted)
{
	struct restart restart = { 0 };
	enum rfs_err err;

	snprintf(restart.dir, sizeof(restart.dir), "%s/raftd",
		 loop->config->data_dir);
	snprintf(restart.wal_dir, sizeof(restart.wal_dir), "%s/wal",
		 restart.dir);
	err = open_files(loop, &restart);
	if (err == RFS_ERR_OK)
		err = match_hardstate(loop, &restart);
	if (err == RFS_ERR_OK)
		err = match_snapshot(loop, &restart);
	if (err == RFS_ERR_OK)
		err = mend(loop, &restart);
	if (err == RFS_ERR_OK)
		err = make_raft(loop, &restart);
	if (err == RFS_ERR_OK) {
		log_notice("log: term %" PRIu64 ", entries %" PRIu64
			   " to %" PRIu64 ", snapshot %" PRIu64,
			   loop->hardstate.term, restart.log.first_index,
			   raft_log_last(loop->raft), restart.noted.at.index);
		err = start_disk(loop, &restart, persisted);
	}
	*noted = restart.noted;
	wal_close(restart.wal);
	wal_log_free(&restart.log);
	return err;
}
