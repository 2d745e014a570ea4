/* Turns among peers, by their schedules and the roster. */
#include "timesyncd/core/asking.h"

#include "timesyncd/core/roster.h"
#include "timesyncd/core/schedule.h"

/* Among more peers than max_peers. Anew each sync_interval, and when the
 * leader is another. */
static void choose_whom(struct timesync *t, int64_t raw_ns)
{
	const struct roster roster = {
		.places = t->config.max_peers,
		.leader = t->epoch.carried ? 0 : t->epoch.leader,
		.gap_ns = t->config.peer_gap_ns,
	};

	if (raw_ns < t->choose_ns && roster.leader == t->chosen_leader)
		return;
	t->choose_ns = raw_ns + t->config.sync_interval_ns;
	t->chosen_leader = roster.leader;
	roster_choose(&roster, t->peers, t->peer_count, &t->prng);
}

/* A reference outside is not asked more often than its gap allows. */
static int64_t due_ns(const struct timesync *t, uint32_t index)
{
	const struct schedule *schedule = &t->peers[index].schedule;
	int64_t gap_ns = t->config.peer_gap_ns[index];

	if (gap_ns == 0 || schedule->asked == 0 ||
	    schedule->next_ns > schedule->sent_ns + gap_ns)
		return schedule->next_ns;
	return schedule->sent_ns + gap_ns;
}

void asking_due(struct timesync *t, int64_t raw_ns,
		struct timesync_effects *effects)
{
	choose_whom(t, raw_ns);
	for (uint32_t i = 0; i < t->peer_count; i++) {
		struct peer *peer = &t->peers[i];

		if (!peer->chosen || raw_ns < due_ns(t, i) ||
		    !schedule_is_due(&peer->schedule, raw_ns))
			continue;
		schedule_sent(&peer->schedule, raw_ns);
		effects->ask[effects->ask_count++] = peer->id;
	}
}

int64_t asking_deadline_ns(const struct timesync *t)
{
	int64_t deadline_ns = t->refresh_ns;

	for (uint32_t i = 0; i < t->peer_count; i++) {
		const struct schedule *schedule = &t->peers[i].schedule;

		if (t->peers[i].chosen && !schedule->outstanding &&
		    due_ns(t, i) < deadline_ns)
			deadline_ns = due_ns(t, i);
	}
	return deadline_ns;
}
