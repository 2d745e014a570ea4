/* Least round trips in two windows; slews of the last hour. */
#include "timesyncd/core/guard.h"

void guard_path_init(struct guard_path *path)
{
	*path = (struct guard_path){
		.before_ns = INT64_MAX,
		.now_ns = INT64_MAX,
	};
}

int64_t guard_path_floor_ns(const struct guard_path *path)
{
	return path->before_ns < path->now_ns ? path->before_ns : path->now_ns;
}

bool guard_path_allows(const struct guard_path *path, int64_t delay_ns)
{
	int64_t floor_ns = guard_path_floor_ns(path);

	return floor_ns == INT64_MAX ||
	       delay_ns <= GUARD_TIMES * floor_ns + GUARD_SLACK_NS;
}

bool guard_path_admits(struct guard_path *path, int64_t delay_ns,
		       int64_t raw_ns)
{
	if (path->count >= GUARD_WINDOW_COUNT &&
	    raw_ns - path->since_ns >= GUARD_WINDOW_NS)
		*path = (struct guard_path){
			.before_ns = path->now_ns,
			.now_ns = INT64_MAX,
		};
	if (path->count++ == 0)
		path->since_ns = raw_ns;
	if (delay_ns < path->now_ns)
		path->now_ns = delay_ns;
	return guard_path_allows(path, delay_ns);
}

int64_t guard_doubt_ns(int64_t delay_ns, int64_t tcp_rtt_ns)
{
	if (tcp_rtt_ns <= 0 || tcp_rtt_ns >= delay_ns ||
	    delay_ns <= GUARD_TIMES * tcp_rtt_ns + GUARD_SLACK_NS)
		return 0;
	return (delay_ns - tcp_rtt_ns) / 2;
}

bool guard_doubt_watch(struct guard_doubt *doubt, int64_t delay_ns,
		       int64_t tcp_rtt_ns)
{
	bool doubtful = guard_doubt_ns(delay_ns, tcp_rtt_ns) != 0;

	if (doubtful == doubt->on)
		doubt->otherwise = 0;
	else
		doubt->otherwise++;
	if (doubt->otherwise < GUARD_DOUBT_COUNT)
		return false;
	*doubt = (struct guard_doubt){ .on = doubtful };
	return true;
}

/* Slots between the last one used and this hold nothing. */
static void turn_to(struct guard_budget *budget, int64_t raw_ns)
{
	int64_t slot = raw_ns / GUARD_SLOT_NS;
	int64_t ahead = slot - budget->slot;

	if (ahead > (int64_t)GUARD_SLOTS)
		ahead = GUARD_SLOTS;
	for (int64_t i = 0; i < ahead; i++)
		budget->spent_ns[(uint64_t)(slot - i) % GUARD_SLOTS] = 0;
	if (ahead > 0)
		budget->slot = slot;
}

int64_t guard_budget_spent_ns(struct guard_budget *budget, int64_t raw_ns)
{
	int64_t sum_ns = 0;

	turn_to(budget, raw_ns);
	for (uint32_t i = 0; i < GUARD_SLOTS; i++)
		sum_ns += budget->spent_ns[i];
	return sum_ns;
}

void guard_budget_spend(struct guard_budget *budget, int64_t raw_ns,
			int64_t slewed_ns)
{
	turn_to(budget, raw_ns);
	budget->spent_ns[(uint64_t)budget->slot % GUARD_SLOTS] +=
		slewed_ns < 0 ? -slewed_ns : slewed_ns;
}
