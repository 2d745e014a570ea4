/* The loop's own state, for loop.c, storage.c, pages.c and control.c. */
#ifndef RAFTFS_RAFTD_LOOP_STATE_H
#define RAFTFS_RAFTD_LOOP_STATE_H

#include <ev.h>

#include "common/os/stall.h"
#include "proto/control_server.h"
#include "raftd/changes.h"
#include "raftd/chores.h"
#include "raftd/clients.h"
#include "raftd/condition.h"
#include "raftd/core/raft.h"
#include "raftd/disk.h"
#include "raftd/guard.h"
#include "raftd/hardstate_writer.h"
#include "raftd/logpage.h"
#include "raftd/loop.h"
#include "raftd/pages.h"
#include "raftd/peers.h"
#include "raftd/questions.h"
#include "raftd/scrub.h"
#include "raftd/transfer.h"

#define LOOP_POSTED_MAX 128

struct loop {
	struct ev_loop *ev;
	const struct config *config;
	uint64_t incarnation;

	struct raft *raft;
	struct raft_view view; /* after the last step */
	struct pages *pages;
	struct chores *chores;
	struct disk *disk;
	struct scrub *scrub;
	struct hardstate_file *hardstate_file;
	struct hardstate hardstate;
	struct hardstate_writer *hardstate_writer;
	struct peers *peers;
	struct clients *clients;
	struct transfer *transfer;
	struct changes changes;
	struct control_server *control;
	struct questions questions;

	/* The answer to a RAFT_EV_CONFIGURE, in its own step. */
	bool configuring;
	struct raft_proposal_done configured;
	struct logpage *logpage;

	/* Steps never nest: what comes up inside one waits here. So does what
	 * comes up while the hard state is being written: the effects of the
	 * step that changed it are held until then. */
	bool stepping;
	bool holding;
	struct raft_effects held;
	/* Of a posted SNAPSHOT_INSTALLED. */
	struct raft_membership installed;
	struct raft_window installed_window;
	struct raft_view view_before; /* that step */
	struct raft_event posted[LOOP_POSTED_MAX];
	uint32_t posted_count;

	/* Snapshots. */
	struct raft_snapshot_meta offered; /* not committed here yet; index 0 */
	uint64_t snapshot_index; /* the log stands on it */
	uint64_t counted_index;	 /* log_bytes counts entries up to here */
	uint64_t log_bytes;	 /* committed since the snapshot */
	int64_t wanted_raw_ns;	 /* when storaged was last asked; 0: never */

	struct condition condition;
	uint32_t unfit; /* what the raft was last told of it */
	uint32_t looks;

	/* Watchers. */
	ev_io deadline; /* a timerfd */
	int64_t armed_raw_ns;
	struct guard *guard; /* NULL: none */
	ev_io channel;
	ev_signal term, interrupt;
	ev_timer heartbeat; /* to the supervisor */
	ev_timer fitness;
	ev_timer farewell;
	bool stopping;
	struct stall stall;
};

/* control.c: answers the control socket; ctx is the loop. */
enum rfs_err loop_answer(void *ctx,
			 const DistributedFs__ControlRequest *request,
			 DistributedFs__ControlReply *reply);

/* control.c: a question for the leader, and its answer; ctx is the loop. */
void control_asked(void *ctx, struct peers_question *question,
		   const DistributedFs__PeerControl *control);
void control_done(void *ctx, uint32_t node,
		  const DistributedFs__PeerControlDone *done);

/* loop.c: give the raft an event, now or when the present step is over. */
void loop_post(struct loop *loop, const struct raft_event *event);

/* restart.c: open log, hard state and note, and make the raft out of them. */
RFS_MUST_USE enum rfs_err loop_restart(struct loop *loop,
				       disk_persisted *persisted,
				       struct snapfile_meta *noted);
void loop_now(struct loop *loop, struct raft_now *now);

#endif
