/* What becomes of one child: start, ready, crash, back off, hold, stop. Pure.
 *
 * Facts go in as events with the time they were seen (local, monotonic); what
 * the shell must do comes back as a set of effects.
 */
#ifndef RAFTFS_SUPERVISOR_CORE_SUPERVISE_H
#define RAFTFS_SUPERVISOR_CORE_SUPERVISE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/prng.h"

#define SUPERVISE_RESTARTS_MAX 64

enum supervise_state {
	SUPERVISE_DOWN,	    /* not started, or stopped for good */
	SUPERVISE_STARTING, /* runs, has not said READY=1 */
	SUPERVISE_READY,
	SUPERVISE_ABORTING, /* its heartbeat stopped: dumped, then killed */
	SUPERVISE_BACKOFF,  /* died early: waits to be started again */
	SUPERVISE_HELD,	    /* died too often: waits for an operator */
	SUPERVISE_STOPPING, /* was asked to stop, will be killed */
	SUPERVISE_STATES
};

enum supervise_event {
	SUPERVISE_EV_START,
	SUPERVISE_EV_SAID_READY,
	SUPERVISE_EV_HEARTBEAT,
	SUPERVISE_EV_EXIT, /* reaped, or could not be started at all */
	SUPERVISE_EV_TICK, /* supervise_deadline_ns() may have passed */
	SUPERVISE_EV_STOP,
	SUPERVISE_EV_RESUME, /* an operator asks: try what is held again */
	SUPERVISE_EVENTS
};

/* Effects, or-ed. SPAWN that fails is answered by SUPERVISE_EV_EXIT. */
enum supervise_effect {
	SUPERVISE_DO_SPAWN = 1,
	SUPERVISE_DO_TERM = 2,
	SUPERVISE_DO_ABORT = 4, /* SIGABRT: leave a dump */
	SUPERVISE_DO_KILL = 8,
};

struct supervise_policy {
	int64_t settled_ns;	  /* ready for longer: restart at once */
	int64_t backoff_first_ns; /* doubles with each early death... */
	int64_t backoff_max_ns;	  /* ...up to this */
	uint32_t restarts_max;	  /* in restarts_window_ns, then held */
	int64_t restarts_window_ns;
	int64_t watchdog_ns;	 /* between heartbeats; 0: none expected */
	int64_t stop_timeout_ns; /* TERM or ABRT to KILL */
	bool stopping;		 /* the node stops: nothing is restarted */
};

struct supervise {
	const struct supervise_policy *policy; /* borrowed; may change */
	enum supervise_state state;
	struct prng prng;
	int64_t deadline_ns; /* INT64_MAX: none */
	int64_t started_ns;
	int64_t ready_ns;	/* of this run; INT64_MIN: not yet */
	uint32_t early_deaths;	/* in a row */
	uint32_t restart_count; /* since supervise_init() */
	int64_t restarts_ns[SUPERVISE_RESTARTS_MAX]; /* ring of the latest */
};

/* policy->restarts_max is at most SUPERVISE_RESTARTS_MAX. */
void supervise_init(struct supervise *child,
		    const struct supervise_policy *policy, uint64_t seed);

/* Never fails; an event that means nothing in a state changes nothing. */
unsigned int supervise_step(struct supervise *child, enum supervise_event event,
			    int64_t mono_ns);

/* When the next SUPERVISE_EV_TICK is due; INT64_MAX: never. */
int64_t supervise_deadline_ns(const struct supervise *child);

/* "down", "starting", ...: static. */
const char *supervise_state_name(enum supervise_state state);

/* Whether a process exists in this state. */
bool supervise_runs(enum supervise_state state);

#endif
