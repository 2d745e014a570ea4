/* Places for the carrier and for whom choose.h draws. */
#include "timesyncd/core/roster.h"

#include "timesyncd/core/choose.h"

static int64_t distance_ns(const struct peer *peer)
{
	if (peer->schedule.asked == 0)
		return 0;
	if (!schedule_is_reachable(&peer->schedule))
		return INT64_MAX;
	return guard_path_floor_ns(&peer->path);
}

static void mark(struct peer *peers, uint32_t count, const uint32_t *ids,
		 uint32_t id_count)
{
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t k = 0; k < id_count; k++)
			peers[i].chosen |= peers[i].id == ids[k];
}

void roster_choose(const struct roster *roster, struct peer *peers,
		   uint32_t count, struct prng *prng)
{
	struct candidate candidates[TIMESYNC_PEERS_MAX] = { 0 };
	uint32_t ids[TIMESYNC_PEERS_MAX] = { 0 };
	uint32_t others = 0, places = roster->places;

	for (uint32_t i = 0; i < count; i++) {
		bool leads = peers[i].id == roster->leader;

		peers[i].chosen = leads || roster->gap_ns[i] > 0;
		if (leads && places > 0)
			places--;
		if (!peers[i].chosen)
			candidates[others++] = (struct candidate){
				.id = peers[i].id,
				.rtt_ns = distance_ns(&peers[i]),
			};
	}
	/* No lots where there is nothing to choose. */
	if (others <= places)
		for (uint32_t i = 0; i < count; i++)
			peers[i].chosen = true;
	else
		mark(peers, count, ids,
		     choose_peers(candidates, others, ids, places, prng));
}
