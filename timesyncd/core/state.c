/* Counting nodes; forgetting what a broken clock measured. */
#include "timesyncd/core/state.h"

/* The nodes this one may ask, and itself. */
static uint32_t voters(const struct timesync *t)
{
	uint32_t asked = t->peer_count < t->config.max_peers
				 ? t->peer_count
				 : t->config.max_peers;

	return asked + 1;
}

uint32_t state_majority(const struct timesync *t)
{
	return voters(t) / 2 + 1;
}

uint32_t state_sources_needed(const struct timesync *t)
{
	uint32_t wanted = t->config.min_peers < voters(t) ? t->config.min_peers
							  : voters(t);

	return wanted > state_majority(t) ? wanted : state_majority(t);
}

struct peer *state_peer(struct timesync *t, uint32_t id)
{
	for (uint32_t i = 0; i < t->peer_count; i++)
		if (t->peers[i].id == id)
			return &t->peers[i];
	return NULL;
}

bool state_is_news(const struct timesync *t, int64_t raw_ns,
		   const struct peer *peer)
{
	return !relapse_is_habit(&t->relapse, raw_ns) &&
	       !relapse_is_habit(&peer->relapse, raw_ns);
}

void state_hurry(struct timesync *t, int64_t raw_ns)
{
	for (uint32_t i = 0; i < t->peer_count; i++)
		schedule_hurry(&t->peers[i].schedule, raw_ns);
}

void state_break(struct timesync *t, int64_t raw_ns, const char *why)
{
	bool began = relapse_note(&t->relapse, raw_ns);
	bool habit = relapse_is_habit(&t->relapse, raw_ns);

	if (began)
		story(&t->config.story, "disrupted again and again: this "
					"node's clock has to keep its promise "
					"for a while first");
	else if (!habit)
		story(&t->config.story, "disrupted: %s", why);
	t->disrupted = true;
	t->disruptions++;
	t->trust_since_ns = raw_ns;
	t->has_truth = false;
	t->why = why;
	discipline_restart(&t->discipline);
	for (uint32_t i = 0; i < t->peer_count; i++)
		peer_forget(&t->peers[i]);
	if (!habit)
		state_hurry(t, raw_ns);
}
