/* The table of events. */
#include "tests/sim/events.h"

#include "common/check.h"
#include "tests/sim/changes.h"
#include "tests/sim/clients.h"
#include "tests/sim/clock_host.h"
#include "tests/sim/faults.h"
#include "tests/sim/node.h"
#include "tests/sim/raft_host.h"
#include "tests/sim/schedules.h"
#include "tests/sim/settings.h"
#include "tests/sim/storage.h"

struct row {
	void (*serve)(struct world *world, struct event *event);
	enum proc proc;
	bool bound; /* belongs to one life of the process */
};

static const struct row rows[EVENT_COUNT] = {
	[EVENT_RAFT_TICK] = {raft_host_tick, PROC_RAFTD, true},
	[EVENT_RAFT_MESSAGE] = {raft_host_message, PROC_RAFTD, false},
	[EVENT_RAFT_DISK] = {raft_host_disk, PROC_RAFTD, true},
	[EVENT_RAFT_PEER_LOST] = {raft_host_hint, PROC_RAFTD, true},
	[EVENT_RAFT_DEATH] = { raft_host_death, PROC_RAFTD, true },
	[EVENT_RAFT_PROPOSE] = {raft_host_propose, PROC_RAFTD, true},
	[EVENT_RAFT_FLUSH] = {raft_host_flush, PROC_RAFTD, true},
	[EVENT_RAFT_READ] = {raft_host_read, PROC_RAFTD, true},
	[EVENT_RAFT_TRANSFER] = {raft_host_hint, PROC_RAFTD, true},
	[EVENT_RAFT_CONFIGURE] = {changes_request, PROC_RAFTD, true},
	[EVENT_RAFT_LEASE] = {settings_reload, PROC_RAFTD, true},
	[EVENT_RAFT_RTT] = {raft_host_rtt, PROC_RAFTD, true},
	[EVENT_RAFT_SNAPSHOT_TAKEN] = {raft_host_snapshot, PROC_RAFTD, true},
	[EVENT_RAFT_SNAPSHOT_INSTALLED] = {raft_host_snapshot, PROC_RAFTD,
					   true},
	[EVENT_RAFT_SNAPSHOT_FAILED] = {raft_host_hint, PROC_RAFTD, true},
	[EVENT_STORE_COMMITTED] = {storage_committed, PROC_STORAGED, true},
	[EVENT_STORE_PROPOSED] = {storage_proposed, PROC_STORAGED, true},
	[EVENT_STORE_LIMBO] = {storage_limbo, PROC_STORAGED, true},
	[EVENT_STORE_READ] = {storage_read, PROC_STORAGED, true},
	[EVENT_STORE_REQUEST] = {storage_request, PROC_STORAGED, false},
	[EVENT_STORE_SNAPSHOT] = {storage_body, PROC_NONE, false},
	[EVENT_CLOCK_TICK] = {clock_host_tick, PROC_TIMESYNCD, true},
	[EVENT_CLOCK_EPOCH] = {clock_host_epoch, PROC_TIMESYNCD, true},
	[EVENT_CLOCK_REQUEST] = {clock_host_request, PROC_TIMESYNCD, false},
	[EVENT_CLOCK_REPLY] = {clock_host_reply, PROC_TIMESYNCD, false},
	[EVENT_CLOCK_TIMEOUT] = {clock_host_timeout, PROC_TIMESYNCD, true},
	[EVENT_CLOCK_WANDER] = {clock_host_wander, PROC_NONE, false},
	[EVENT_CLIENT_NEXT] = {clients_next, PROC_NONE, false},
	[EVENT_CLIENT_REPLY] = {clients_reply, PROC_NONE, false},
	[EVENT_CLIENT_TIMEOUT] = {clients_timeout, PROC_NONE, false},
	[EVENT_PROC_RESUME] = {node_resume, PROC_NONE, false},
	[EVENT_PROC_RESTART] = {node_restart, PROC_NONE, false},
	[EVENT_CHANGE] = {changes_next, PROC_NONE, false},
	[EVENT_SETTING] = {settings_next, PROC_NONE, false},
	[EVENT_FAULT] = {faults_strike, PROC_NONE, false},
	[EVENT_HEAL] = {faults_heal, PROC_NONE, false},
	[EVENT_SCHEDULE] = {schedules_look, PROC_NONE, false},
	[EVENT_SUSPEND_END] = {faults_suspend_end, PROC_NONE, false},
};

void events_serve(struct world *world, struct event *event)
{
	const struct row *row = &rows[event->kind];
	struct process *process;

	CHECK(row->serve);
	if (row->proc != PROC_NONE) {
		process = &world->nodes[event->node].procs[row->proc];
		if (!process->alive ||
		    (row->bound &&
		     event->incarnation != process->incarnation)) {
			world_drop(event);
			return;
		}
		/* At the very instant too: what it left undone comes first. */
		if (process->paused_until_ns > 0 &&
		    process->paused_until_ns >= world->now_ns) {
			node_defer(process, event);
			return;
		}
	}
	row->serve(world, event);
}
