/* The majority of the references. */
#include "timesyncd/core/reference.h"

#include "common/check.h"
#include "timesyncd/core/marzullo.h"

int reference_choose(struct select_voice *voices, const int64_t *gap_ns,
		     uint32_t count)
{
	struct interval claims[TIMESYNC_PEERS_MAX] = { 0 };
	uint32_t index_of[TIMESYNC_PEERS_MAX];
	uint32_t all = 0, heard = 0;
	int64_t narrowest_ns = INT64_MAX;
	struct selection got;
	int chosen = -1;

	CHECK(count <= TIMESYNC_PEERS_MAX);
	for (uint32_t i = 0; i < count; i++) {
		if (gap_ns[i] == 0)
			continue;
		all++;
		if (!voices[i].heard)
			continue;
		index_of[heard] = i;
		claims[heard++] = voices[i].claim;
	}
	got = marzullo_select(claims, heard);
	for (uint32_t k = 0; k < heard; k++) {
		int64_t width_ns = claims[k].high_ns - claims[k].low_ns;

		/* Fewer than a majority of those configured prove nothing,
		 * however well they agree. */
		if (interval_is_empty(got.interval) ||
		    got.truechimers <= all / 2) {
			voices[index_of[k]].heard = false;
		} else if (selection_has(&got, k) && width_ns < narrowest_ns) {
			narrowest_ns = width_ns;
			chosen = (int)index_of[k];
		}
	}
	if (chosen >= 0)
		voices[chosen].claim = got.interval;
	return chosen;
}

bool reference_denies_host(const struct select_voice *voices,
			   const int64_t *gap_ns, uint32_t count, int host,
			   bool disrupted)
{
	struct interval claims[TIMESYNC_PEERS_MAX] = { voices[host].claim };
	uint32_t heard = 1, nodes = 1;
	struct selection got;

	for (uint32_t i = 0; i < count; i++) {
		if (gap_ns[i] > 0)
			continue;
		nodes++;
		if (voices[i].heard)
			claims[heard++] = voices[i].claim;
	}
	got = marzullo_select(claims, heard);
	if (disrupted)
		return !selection_has(&got, 0) || got.truechimers <= nodes / 2;
	return !interval_is_empty(got.interval) && !selection_has(&got, 0);
}
