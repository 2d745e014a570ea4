/* The table of select.h, over Marzullo's majority intersection. */
#include "timesyncd/core/select.h"

#include "common/check.h"
#include "timesyncd/core/marzullo.h"

/* Voices that were heard, in one row for Marzullo: self first. */
struct bench {
	struct interval claims[TIMESYNC_PEERS_MAX + 1];
	int claim_of_peer[TIMESYNC_PEERS_MAX]; /* -1: not heard */
	int claim_of_self;
	uint32_t count;
};

static void seat(struct bench *bench, const struct select_voice *self,
		 const struct select_voice *peers, uint32_t peer_count)
{
	CHECK(peer_count <= TIMESYNC_PEERS_MAX);
	bench->count = 0;
	bench->claim_of_self = -1;
	if (self->heard) {
		bench->claim_of_self = (int)bench->count;
		bench->claims[bench->count++] = self->claim;
	}
	for (uint32_t i = 0; i < peer_count; i++) {
		bench->claim_of_peer[i] = -1;
		if (!peers[i].heard)
			continue;
		bench->claim_of_peer[i] = (int)bench->count;
		bench->claims[bench->count++] = peers[i].claim;
	}
}

static bool agrees(const struct selection *selection, int claim)
{
	return claim >= 0 && selection_has(selection, (uint32_t)claim);
}

static void decide(struct select_result *result, enum select_verdict verdict,
		   struct interval truth)
{
	result->verdict = verdict;
	result->truth = truth;
}

/* What we hold cannot be true together with what they say. */
static void blame_self(struct select_result *result, const struct bench *bench,
		       struct interval met)
{
	result->verdict = SELECT_SELF_BROKE;
	if (bench->claim_of_self >= 0)
		result->held = bench->claims[bench->claim_of_self];
	result->met = met;
}

/* The leader was heard. */
static void judge_with_leader(struct select_result *result,
			      const struct bench *bench,
			      const struct selection *selection,
			      struct interval leader, bool leader_agrees)
{
	bool majority = !interval_is_empty(selection->interval);
	struct interval truth = leader;

	if (majority && !leader_agrees) {
		result->verdict = SELECT_LEADER_BROKE;
		return;
	}
	if (bench->claim_of_self >= 0)
		truth = interval_intersect(
			truth, bench->claims[bench->claim_of_self]);
	if (interval_is_empty(truth)) {
		blame_self(result, bench, leader);
		return;
	}
	decide(result, SELECT_AGREED, truth);
}

static void judge_without_leader(struct select_result *result,
				 const struct bench *bench,
				 const struct selection *selection)
{
	bool majority = !interval_is_empty(selection->interval);

	if (bench->claim_of_self < 0) {
		if (majority)
			decide(result, SELECT_AGREED, selection->interval);
		return;
	}

	struct interval own = bench->claims[bench->claim_of_self];

	if (!majority || bench->count == 1)
		decide(result, SELECT_ALONE, own);
	else if (agrees(selection, bench->claim_of_self))
		decide(result, SELECT_AGREED,
		       interval_intersect(own, selection->interval));
	else
		blame_self(result, bench, selection->interval);
}

static void count_agreeing(struct select_result *result,
			   const struct bench *bench, uint32_t peer_count)
{
	if (result->verdict != SELECT_AGREED)
		return;
	for (uint32_t i = 0; i < peer_count; i++) {
		int claim = bench->claim_of_peer[i];

		if (claim < 0 || interval_is_empty(interval_intersect(
					 bench->claims[claim], result->truth)))
			continue;
		result->agreeing_mask |= UINT32_C(1) << i;
		result->agreeing_count++;
	}
}

struct select_result select_judge(const struct select_voice *self,
				  const struct select_voice *peers,
				  uint32_t peer_count, int leader_index)
{
	struct select_result result = { .verdict = SELECT_NOTHING };
	struct selection selection;
	struct bench bench;

	seat(&bench, self, peers, peer_count);
	selection = marzullo_select(bench.claims, bench.count);
	if (leader_index >= 0 && peers[leader_index].heard)
		judge_with_leader(
			&result, &bench, &selection,
			peers[leader_index].claim,
			agrees(&selection, bench.claim_of_peer[leader_index]));
	else
		judge_without_leader(&result, &bench, &selection);
	count_agreeing(&result, &bench, peer_count);
	return result;
}
