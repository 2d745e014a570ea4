/* One child's life, as a table of state x event.
 *
 *	         START        READY=1
 *	  DOWN --------> STARTING -------> READY
 *	   ^    start()   ^  | |   ready()  | |
 *	   |              |  | |  EXIT      | |  TICK, no heartbeat
 *	   |  TICK wake() |  | +------+-----+ +--------> ABORTING
 *	   |              |  |        | crashed()  hung()   | TICK kill()
 *	   |           BACKOFF <------+<--------------------+ EXIT
 *	   |   RESUME     ^           |                       crashed()
 *	   |   retry()    |           | died restarts_max times
 *	   |              +-- HELD <--+ in restarts_window
 *	   |
 *	   +--- STOPPING <--- STOP, from any state with a process: stop()
 *	   gone()  | TICK     and from BACKOFF or HELD straight to DOWN: drop()
 *	           +-> kill()
 *
 * crashed() restarts at once, without BACKOFF, what had been ready for longer
 * than settled_ns. The watchdog runs from READY=1 or the first heartbeat on:
 * a child that recovers for minutes before it is ready is not hung.
 */
#include "supervisor/core/supervise.h"

#include <string.h>

#include "common/check.h"
#include "common/units.h"

#define NEVER INT64_MAX

void supervise_init(struct supervise *child,
		    const struct supervise_policy *policy, uint64_t seed)
{
	CHECK(policy->restarts_max > 0);
	CHECK(policy->restarts_max <= SUPERVISE_RESTARTS_MAX);
	memset(child, 0, sizeof(*child));
	child->policy = policy;
	child->deadline_ns = NEVER;
	child->ready_ns = INT64_MIN;
	prng_seed(&child->prng, seed);
}

static unsigned int move(struct supervise *child, enum supervise_state to,
			 int64_t deadline_ns, unsigned int effects)
{
	child->state = to;
	child->deadline_ns = deadline_ns;
	return effects;
}

static unsigned int start(struct supervise *child, int64_t mono_ns)
{
	child->started_ns = mono_ns;
	child->ready_ns = INT64_MIN;
	return move(child, SUPERVISE_STARTING, NEVER, SUPERVISE_DO_SPAWN);
}

static unsigned int restart(struct supervise *child, int64_t mono_ns)
{
	child->restarts_ns[child->restart_count % SUPERVISE_RESTARTS_MAX] =
		mono_ns;
	child->restart_count++;
	return start(child, mono_ns);
}

/* Watchdog: the next sign of life is due by then. */
static unsigned int beat(struct supervise *child, int64_t mono_ns)
{
	int64_t watchdog_ns = child->policy->watchdog_ns;

	child->deadline_ns =
		watchdog_ns > 0 ? units_add_sat(mono_ns, watchdog_ns) : NEVER;
	return 0;
}

static unsigned int ready(struct supervise *child, int64_t mono_ns)
{
	child->ready_ns = mono_ns;
	child->state = SUPERVISE_READY;
	return beat(child, mono_ns);
}

static unsigned int hung(struct supervise *child, int64_t mono_ns)
{
	return move(child, SUPERVISE_ABORTING,
		    units_add_sat(mono_ns, child->policy->stop_timeout_ns),
		    SUPERVISE_DO_ABORT);
}

/* How many restarts lie within the window that ends now. */
static uint32_t recent_restarts(const struct supervise *child, int64_t mono_ns)
{
	uint32_t known = child->restart_count < SUPERVISE_RESTARTS_MAX ?
				 child->restart_count :
				 SUPERVISE_RESTARTS_MAX;
	uint32_t recent = 0;

	for (uint32_t i = 0; i < known; i++) {
		if (mono_ns - child->restarts_ns[i] <
		    child->policy->restarts_window_ns)
			recent++;
	}
	return recent;
}

/* first * 2^early_deaths up to max, then a quarter more or less, so that
 * nodes that fell together do not rise together for ever. */
static int64_t backoff_ns(struct supervise *child)
{
	const struct supervise_policy *policy = child->policy;
	int64_t delay_ns = policy->backoff_first_ns;

	for (uint32_t i = 0;
	     i < child->early_deaths && delay_ns < policy->backoff_max_ns; i++)
		delay_ns *= 2;
	if (delay_ns > policy->backoff_max_ns)
		delay_ns = policy->backoff_max_ns;
	return delay_ns - delay_ns / 4 +
	       (int64_t)prng_below(&child->prng, (uint64_t)delay_ns / 2 + 1);
}

static bool was_settled(const struct supervise *child, int64_t mono_ns)
{
	return child->ready_ns != INT64_MIN &&
	       mono_ns - child->ready_ns > child->policy->settled_ns;
}

static unsigned int crashed(struct supervise *child, int64_t mono_ns)
{
	int64_t delay_ns;

	if (child->policy->stopping)
		return move(child, SUPERVISE_DOWN, NEVER, 0);
	if (recent_restarts(child, mono_ns) >= child->policy->restarts_max)
		return move(child, SUPERVISE_HELD, NEVER, 0);
	if (was_settled(child, mono_ns)) {
		child->early_deaths = 0;
		return restart(child, mono_ns);
	}
	delay_ns = backoff_ns(child);
	child->early_deaths++;
	return move(child, SUPERVISE_BACKOFF, units_add_sat(mono_ns, delay_ns),
		    0);
}

/* An operator repaired something: the past no longer counts. */
static unsigned int retry(struct supervise *child, int64_t mono_ns)
{
	child->early_deaths = 0;
	for (int i = 0; i < SUPERVISE_RESTARTS_MAX; i++)
		child->restarts_ns[i] = INT64_MIN / 2;
	return restart(child, mono_ns);
}

static unsigned int stop(struct supervise *child, int64_t mono_ns)
{
	return move(child, SUPERVISE_STOPPING,
		    units_add_sat(mono_ns, child->policy->stop_timeout_ns),
		    SUPERVISE_DO_TERM);
}

/* SIGKILL cannot be refused; its exit follows. */
static unsigned int kill_it(struct supervise *child, int64_t mono_ns)
{
	(void)mono_ns;
	child->deadline_ns = NEVER;
	return SUPERVISE_DO_KILL;
}

static unsigned int drop(struct supervise *child, int64_t mono_ns)
{
	(void)mono_ns;
	return move(child, SUPERVISE_DOWN, NEVER, 0);
}

typedef unsigned int step(struct supervise *child, int64_t mono_ns);

/* Rows: states. An empty field: the event means nothing there. TICK fields
 * are called only once the deadline has passed. */
/* clang-format off */
static step *const table[SUPERVISE_STATES][SUPERVISE_EVENTS] = {
	/*                      START  SAID_READY HEARTBEAT EXIT     TICK
	 *                      STOP   RESUME                                */
	[SUPERVISE_DOWN] =     { start, NULL,      NULL,     NULL,    NULL,
				 NULL,  NULL },
	[SUPERVISE_STARTING] = { NULL,  ready,     beat,     crashed, hung,
				 stop,  NULL },
	[SUPERVISE_READY] =    { NULL,  beat,      beat,     crashed, hung,
				 stop,  NULL },
	[SUPERVISE_ABORTING] = { NULL,  NULL,      NULL,     crashed, kill_it,
				 stop,  NULL },
	[SUPERVISE_BACKOFF] =  { NULL,  NULL,      NULL,     NULL,    restart,
				 drop,  retry },
	[SUPERVISE_HELD] =     { NULL,  NULL,      NULL,     NULL,    NULL,
				 drop,  retry },
	[SUPERVISE_STOPPING] = { NULL,  NULL,      NULL,     drop,    kill_it,
				 NULL,  NULL },
};
/* clang-format on */

unsigned int supervise_step(struct supervise *child, enum supervise_event event,
			    int64_t mono_ns)
{
	step *act;

	CHECK(child->state < SUPERVISE_STATES);
	CHECK(event < SUPERVISE_EVENTS);
	if (event == SUPERVISE_EV_TICK && mono_ns < child->deadline_ns)
		return 0;
	act = table[child->state][event];
	return act != NULL ? act(child, mono_ns) : 0;
}

int64_t supervise_deadline_ns(const struct supervise *child)
{
	return child->deadline_ns;
}

const char *supervise_state_name(enum supervise_state state)
{
	static const char *const names[SUPERVISE_STATES] = {
		"down",	   "starting", "ready",	   "aborting",
		"backoff", "held",     "stopping",
	};

	CHECK(state < SUPERVISE_STATES);
	return names[state];
}

bool supervise_runs(enum supervise_state state)
{
	return state == SUPERVISE_STARTING || state == SUPERVISE_READY ||
	       state == SUPERVISE_ABORTING || state == SUPERVISE_STOPPING;
}
