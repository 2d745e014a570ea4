/* Measuring, judging, choosing: see fitness.h. */
#include "raftd/core/fitness.h"

#include "common/check.h"
#include "common/units.h"
#include "raftd/core/internal.h"

#define FITNESS_LOOK_NS	      (50 * NS_PER_MS)
#define FITNESS_CLOCK_NS      (2 * NS_PER_SEC) /* unusable for so long */
#define FITNESS_CONTRADICT_NS (1 * NS_PER_SEC) /* a report stands so long */
#define FITNESS_LASTS_NS      (500 * NS_PER_MS)
#define FITNESS_AGAIN_NS      (5 * NS_PER_SEC)
#define FITNESS_AGAIN_MAX_NS  (320 * NS_PER_SEC)
#define FITNESS_DISK_MIN_NS   (20 * NS_PER_MS) /* quicker is quick enough */
#define FITNESS_DISK_FACTOR   4
#define FITNESS_HEARD_FACTOR  3 /* election timeouts */

void fitness_start_leading(struct raft *raft)
{
	struct fitness *fitness = &raft->fitness;

	fitness->look_raw_ns = raft->now.raw_ns;
	fitness->reasons = 0;
	fitness->since_raw_ns = raft->now.raw_ns;
	fitness->rank = 0;
	for (uint32_t i = 0; i < raft->peer_count; i++) {
		raft->peers[i].condition = 0;
		raft->peers[i].disk = (struct rtt){ 0 };
	}
}

/* ---- what is known ---- */

uint32_t fitness_condition(const struct raft *raft)
{
	const struct fitness *fitness = &raft->fitness;
	int64_t now_ns = raft->now.raw_ns;
	uint32_t condition = fitness->host;

	if (fitness->clock_lost_raw_ns != 0 &&
	    now_ns - fitness->clock_lost_raw_ns >= FITNESS_CLOCK_NS)
		condition |= RAFT_UNFIT_CLOCK;
	if (fitness->contradicted_raw_ns != 0 &&
	    now_ns - fitness->contradicted_raw_ns < FITNESS_CONTRADICT_NS)
		condition |= RAFT_CONTRADICTS;
	return condition;
}

void fitness_contradict(struct raft *raft)
{
	raft->counters.stamps_disagreed++;
	raft->fitness.contradicted_raw_ns = raft->now.raw_ns;
}

void fitness_hear(struct raft *raft, struct peer *peer, uint32_t condition)
{
	uint32_t news = condition & ~peer->condition;

	peer->condition = condition;
	/* It would not take over: do not keep the clients waiting. */
	if (raft->transfer_to != RAFT_NOBODY &&
	    raft->transfer_to == peer->id &&
	    (news & RAFT_UNFIT_HOST) != 0)
		transfer_end(raft);
}

void fitness_note_disk(struct rtt *disk, int64_t took_ns)
{
	rtt_note(disk, took_ns, 3 * FITNESS_DISK_MIN_NS);
}

/* The oldest entry of ours that is not durable after `index` has waited. */
static int64_t waited_ns(const struct raft *raft, uint64_t index)
{
	if (index >= log_last_index(&raft->log) ||
	    index + 1 < raft->term_first_index ||
	    index + 1 < log_first_index(&raft->log))
		return 0;
	return raft->now.raw_ns - log_received_raw_ns(&raft->log, index + 1);
}

static int64_t later(int64_t a_ns, int64_t b_ns)
{
	return a_ns > b_ns ? a_ns : b_ns;
}

int64_t fitness_disk_ns(const struct raft *raft)
{
	int64_t waited = raft->role == RAFT_LEADER ?
				 waited_ns(raft, raft->durable_index) :
				 0;

	return later(raft->disk.smoothed_ns, waited);
}

int64_t fitness_peer_disk_ns(const struct raft *raft, uint32_t position)
{
	const struct peer *peer = &raft->peers[position];

	return later(peer->disk.smoothed_ns,
		     waited_ns(raft, peer->progress.match_index));
}

/* ---- who ---- */

static bool is_alive(const struct raft *raft, const struct peer *peer)
{
	return !peer->lost && raft->now.raw_ns - peer->heard_raw_ns <
				      FITNESS_HEARD_FACTOR *
					      rtt_election_timeout_ns(raft);
}

/* A voter, other than us. */
static bool may_lead(const struct raft *raft, uint32_t position)
{
	return position != raft->self_position &&
	       members_votes(&raft->members, position);
}

/* Of use and near enough: others come last in line, and never by our choice. */
static bool is_eligible(const struct raft *raft, uint32_t position)
{
	const struct peer *peer = &raft->peers[position];

	return may_lead(raft, position) && is_alive(raft, peer) &&
	       (peer->condition & RAFT_UNFIT_HOST) == 0 &&
	       peer->progress.state != PROGRESS_SNAPSHOT;
}

static bool has_clock(const struct raft *raft, uint32_t position)
{
	return (raft->peers[position].condition & RAFT_UNFIT_CLOCK) == 0;
}

/* Durations within a factor of four are alike, and all quick ones. */
static uint32_t disk_class(int64_t disk_ns)
{
	uint32_t class = 0;

	for (; disk_ns > FITNESS_DISK_MIN_NS; disk_ns /= FITNESS_DISK_FACTOR)
		class++;
	return class;
}

/* By id from this leader on, so that each leader's successor is another. */
static uint32_t distance(const struct raft *raft, uint32_t position)
{
	return raft->peers[position].id - raft->config.self;
}

/* Does a go before b? By use, clock, disk and log. */
static bool goes_before(const struct raft *raft, uint32_t a, uint32_t b)
{
	uint64_t commit = raft->commit_index;
	bool useful_a = is_eligible(raft, a), useful_b = is_eligible(raft, b);
	bool fresh_a = raft->peers[a].progress.match_index >= commit;
	bool fresh_b = raft->peers[b].progress.match_index >= commit;
	uint32_t disk_a = disk_class(fitness_peer_disk_ns(raft, a));
	uint32_t disk_b = disk_class(fitness_peer_disk_ns(raft, b));

	if (useful_a != useful_b)
		return useful_a;
	if (has_clock(raft, a) != has_clock(raft, b))
		return has_clock(raft, a);
	if (disk_a != disk_b)
		return disk_a < disk_b;
	if (fresh_a != fresh_b)
		return fresh_a;
	return distance(raft, a) < distance(raft, b);
}

uint32_t fitness_rank(const struct raft *raft, uint32_t position)
{
	uint32_t rank = 1;

	if (position >= raft->members.count || !may_lead(raft, position))
		return 0;
	for (uint32_t i = 0; i < raft->members.count; i++)
		if (i != position && may_lead(raft, i) &&
		    goes_before(raft, i, position))
			rank++;
	return rank;
}

static uint32_t first_in_line(const struct raft *raft)
{
	for (uint32_t i = 0; i < raft->members.count; i++)
		if (fitness_rank(raft, i) == 1)
			return i;
	return MEMBERS_NONE;
}

static uint32_t best_position(const struct raft *raft)
{
	uint32_t first = first_in_line(raft);

	return first != MEMBERS_NONE && is_eligible(raft, first) ? first :
								   MEMBERS_NONE;
}

uint32_t fitness_heir(const struct raft *raft)
{
	uint32_t first = first_in_line(raft);

	return first == MEMBERS_NONE ? RAFT_NOBODY : raft->peers[first].id;
}

uint32_t fitness_successor(const struct raft *raft)
{
	uint32_t best = best_position(raft);

	return best == MEMBERS_NONE ? RAFT_NOBODY : raft->peers[best].id;
}

/* ---- why ---- */

static bool is_much_slower(int64_t ours_ns, int64_t theirs_ns)
{
	return ours_ns > FITNESS_DISK_MIN_NS &&
	       ours_ns > FITNESS_DISK_FACTOR * theirs_ns;
}

static bool most_contradict(const struct raft *raft)
{
	uint32_t bits = 0;

	for (uint32_t i = 0; i < raft->members.count; i++)
		if (i != raft->self_position &&
		    raft->peers[i].condition & RAFT_CONTRADICTS)
			bits |= 1u << i;
	return members_is_quorum(&raft->members, bits);
}

/* Why the best of the others would be better. */
static uint32_t reasons_to_go(const struct raft *raft, uint32_t best)
{
	uint32_t reasons = fitness_condition(raft) & ~RAFT_CONTRADICTS;
	int64_t ours_ns = fitness_disk_ns(raft);
	int64_t theirs_ns = fitness_peer_disk_ns(raft, best);

	if (!has_clock(raft, best))
		reasons &= ~RAFT_UNFIT_CLOCK;
	if (most_contradict(raft))
		reasons |= RAFT_UNFIT_CONTRADICTED;
	if (is_much_slower(theirs_ns, ours_ns))
		reasons &= RAFT_UNFIT_HOST;
	if (raft->peers[best].disk.smoothed_ns != 0 &&
	    is_much_slower(ours_ns, theirs_ns))
		reasons |= RAFT_UNFIT_SLOW_DISK;
	return reasons;
}

/* What the host says of itself it has seen last already. */
static bool is_due(const struct raft *raft)
{
	const struct fitness *fitness = &raft->fitness;
	int64_t lasted_ns = raft->now.raw_ns - fitness->since_raw_ns;

	if (raft->transfer_to != RAFT_NOBODY || fitness->reasons == 0 ||
	    raft->now.raw_ns < fitness->again_raw_ns)
		return false;
	return (fitness->reasons & RAFT_UNFIT_HOST) != 0 ||
	       lasted_ns >= FITNESS_LASTS_NS;
}

static void hand_over(struct raft *raft, uint32_t to)
{
	struct fitness *fitness = &raft->fitness;
	int64_t now_ns = raft->now.raw_ns;

	/* A quiet spell pays the debt off. */
	if (fitness->again_ns < FITNESS_AGAIN_NS ||
	    now_ns - fitness->again_raw_ns > 2 * FITNESS_AGAIN_MAX_NS)
		fitness->again_ns = FITNESS_AGAIN_NS;
	fitness->again_raw_ns = now_ns + fitness->again_ns;
	if (fitness->again_ns < FITNESS_AGAIN_MAX_NS)
		fitness->again_ns *= 2;
	fitness->last = (struct raft_handed_over){
		.to = to, .why = fitness->reasons, .raw_ns = now_ns
	};
	raft->counters.handed_over++;
	raft_story(raft, "should not lead: %s",
		   raft_unfit_text(fitness->reasons));
	transfer_start(raft, to);
}

void fitness_kept(struct raft *raft)
{
	if (raft->fitness.reasons != 0)
		raft->fitness.again_raw_ns =
			raft->now.raw_ns + FITNESS_LASTS_NS;
}

void fitness_look(struct raft *raft)
{
	struct fitness *fitness = &raft->fitness;
	uint32_t best, reasons;

	CHECK(raft->role == RAFT_LEADER);
	if (raft->now.raw_ns < fitness->look_raw_ns)
		return;
	fitness->look_raw_ns = raft->now.raw_ns + FITNESS_LOOK_NS;
	best = best_position(raft);
	reasons = best == MEMBERS_NONE ? fitness_condition(raft) :
					 reasons_to_go(raft, best);
	if (reasons == 0 || (reasons & fitness->reasons) == 0)
		fitness->since_raw_ns = raft->now.raw_ns;
	fitness->reasons = reasons;
	if (best != MEMBERS_NONE && is_due(raft))
		hand_over(raft, raft->peers[best].id);
}

const char *raft_unfit_text(uint32_t unfit)
{
	if (unfit & RAFT_UNFIT_DISK_FULL)
		return "its disk is full";
	if (unfit & RAFT_UNFIT_UNSERVED)
		return "its storaged does not serve";
	if (unfit & RAFT_UNFIT_HUNG)
		return "its storaged hangs";
	if (unfit & RAFT_UNFIT_CONTRADICTED)
		return "most of the others' clocks contradict its stamps";
	if (unfit & RAFT_UNFIT_CLOCK)
		return "its clock is of no use";
	if (unfit & RAFT_UNFIT_SLOW_DISK)
		return "its disk is much slower than another one's";
	return "";
}

enum raft_transfer raft_transfer_answer(const struct raft *raft, uint32_t peer)
{
	uint32_t at = members_position(&raft->members, peer);

	if (raft->role != RAFT_LEADER)
		return RAFT_TRANSFER_NOT_LEADER;
	if (peer == raft->config.self)
		return RAFT_TRANSFER_SELF;
	if (at == MEMBERS_NONE || !may_lead(raft, at))
		return RAFT_TRANSFER_NO_VOTER;
	if (!is_alive(raft, &raft->peers[at]))
		return RAFT_TRANSFER_SILENT;
	if (raft->peers[at].progress.state == PROGRESS_SNAPSHOT)
		return RAFT_TRANSFER_BEHIND;
	if (!is_eligible(raft, at))
		return RAFT_TRANSFER_UNFIT;
	return is_much_slower(fitness_peer_disk_ns(raft, at),
			      fitness_disk_ns(raft)) ?
		       RAFT_TRANSFER_SLOW :
		       RAFT_TRANSFER_OK;
}
