/* Polling intervals, reach and retries of one peer. */
#include "timesyncd/core/schedule.h"

/* A packet was lost; more than that in a row, and it is the peer or the way. */
#define RETRIES_AT_ONCE 2
#define PATIENCE_NS	(3 * NS_PER_SEC)

static int64_t min_ns(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t max_ns(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

void schedule_init(struct schedule *schedule, int64_t raw_ns)
{
	*schedule = (struct schedule){.patience_ns = PATIENCE_NS};
	schedule_hurry(schedule, raw_ns);
}

void schedule_hurry(struct schedule *schedule, int64_t raw_ns)
{
	schedule->next_ns = raw_ns;
	schedule->interval_ns = SCHEDULE_FASTEST_NS;
	schedule->burst_left = SCHEDULE_BURST;
	schedule->missed = 0;
}

bool schedule_is_due(const struct schedule *schedule, int64_t raw_ns)
{
	return !schedule->outstanding && raw_ns >= schedule->next_ns;
}

void schedule_sent(struct schedule *schedule, int64_t raw_ns)
{
	schedule->outstanding = true;
	schedule->sent_ns = raw_ns;
	schedule->asked++;
	schedule->reach = (uint8_t)(schedule->reach << 1);
}

/* 5 % to either side, so that nodes started together do not stay in step. */
static int64_t jittered(int64_t interval_ns, struct prng *prng)
{
	int64_t span_ns = interval_ns / 10;

	return interval_ns - span_ns / 2 +
	       (int64_t)prng_below(prng, (uint64_t)span_ns + 1);
}

void schedule_answered(struct schedule *schedule, int64_t raw_ns,
		       int64_t steady_ns, bool wanting, struct prng *prng)
{
	schedule->outstanding = false;
	schedule->answered++;
	schedule->reach |= 1;
	/* It was away: what is known of it is old. */
	if (schedule->missed > RETRIES_AT_ONCE)
		schedule_hurry(schedule, raw_ns);
	schedule->missed = 0;
	if (schedule->burst_left > 0) {
		schedule->burst_left--;
		schedule->next_ns = raw_ns + SCHEDULE_GAP_NS;
		return;
	}
	schedule->interval_ns =
		wanting ? SCHEDULE_FASTEST_NS :
			  min_ns(2 * schedule->interval_ns, steady_ns);
	schedule->patience_ns = PATIENCE_NS + 4 * schedule->interval_ns;
	schedule->next_ns = raw_ns + jittered(schedule->interval_ns, prng);
	if (schedule->round > 1)
		schedule->burst_left = schedule->round - 1;
}

bool schedule_timed_out(struct schedule *schedule, int64_t raw_ns,
			struct prng *prng)
{
	if (!schedule->outstanding)
		return false;
	schedule->outstanding = false;
	schedule->timeouts++;
	/* Twice at once: a packet was lost. Then it is the peer. */
	int64_t wait_ns = schedule->missed < RETRIES_AT_ONCE ? SCHEDULE_GAP_NS :
						 SCHEDULE_FASTEST_NS
							 << min_ns(schedule->missed, 10);

	schedule->missed++;
	schedule->next_ns =
		raw_ns + jittered(min_ns(wait_ns, SCHEDULE_RETRY_MAX_NS), prng);
	return true;
}

bool schedule_is_reachable(const struct schedule *schedule)
{
	/* The newest bit is 0 while a request is under way. */
	return (schedule->reach & (schedule->outstanding ? 0x0f : 0x07)) != 0;
}

int64_t schedule_steady_ns(int64_t fixed_ns, int64_t growth_ppb,
			   int64_t target_bound_ns, int64_t sync_interval_ns)
{
	int64_t budget_ns = max_ns(target_bound_ns - fixed_ns, fixed_ns / 4);
	__int128 steady_ns = growth_ppb > 0 ?
				     (__int128)budget_ns * PPB / growth_ppb :
				     sync_interval_ns;

	if (steady_ns < SCHEDULE_FASTEST_NS)
		steady_ns = SCHEDULE_FASTEST_NS;
	if (steady_ns > sync_interval_ns)
		steady_ns = sync_interval_ns;
	return (int64_t)steady_ns;
}
