/* Elections: roles and their moves, pre-vote, check-quorum.
 *
 * Deadlines are raw durations only (I12). Pre-vote (thesis 9.6) asks first
 * whether a quorum would vote; only then the term goes up, so that a node which
 * was cut off disturbs nobody when it returns. Check-quorum (thesis 6.2): a
 * leader that a quorum no longer answers stops being one.
 */
#include "raftd/core/internal.h"

#include <stdio.h>

#include "common/check.h"

#define ELECTION_QUORUM_FACTOR 3

static const char *role_name(enum raft_role role)
{
	static const char *const names[] = {
		[RAFT_FOLLOWER] = "follower",
		[RAFT_PRECANDIDATE] = "precandidate",
		[RAFT_CANDIDATE] = "candidate",
		[RAFT_LEADER] = "leader",
	};

	return names[role];
}

static void role_set(struct raft *raft, enum raft_role role, const char *why)
{
	if (raft->role != role)
		raft_story(raft, "%s -> %s  term %llu%s%s",
			   role_name(raft->role), role_name(role),
			   (unsigned long long)raft->term, *why ? ", " : "",
			   why);
	raft->role = role;
}

/* A vote needs disks as well as the network: ours is known, and who was not
 * elected in time waits twice as long the next time. */
static int64_t candidate_timeout_ns(const struct raft *raft)
{
	int64_t base_ns = rtt_election_timeout_ns(raft);
	int64_t disks_ns = 2 * rtt_high_ns(&raft->disk);

	if (base_ns < disks_ns)
		base_ns = disks_ns;
	if (base_ns > raft->config.election_timeout_max_ns)
		base_ns = raft->config.election_timeout_max_ns;
	for (uint32_t i = 1; i < raft->campaigns; i++) {
		if (base_ns >= raft->config.election_timeout_max_ns / 2)
			return raft->config.election_timeout_max_ns;
		base_ns *= 2;
	}
	return base_ns;
}

void election_timer_reset(struct raft *raft)
{
	int64_t base_ns = raft->role == RAFT_CANDIDATE ?
				  candidate_timeout_ns(raft) :
				  rtt_election_timeout_ns(raft);
	int64_t wait_ns;

	if (!slots_wait_ns(raft, base_ns, &wait_ns))
		wait_ns = (int64_t)prng_below(&raft->prng, (uint64_t)base_ns);
	raft->election_deadline_raw_ns = raft->now.raw_ns + base_ns + wait_ns;
}

/* Who is needed to elect a leader: a voter, or who was one until a membership
 * that is not known committed: the entry may be nowhere else (4.2.2). */
bool election_may_stand(const struct raft *raft)
{
	return !repair_is_active(raft) &&
	       (members_votes(&raft->members, raft->self_position) ||
		(raft->voted_before &&
		 raft->commit_index < raft->membership.index));
}

/* A cluster of one has nobody to wait for. */
void election_timer_start(struct raft *raft)
{
	election_timer_reset(raft);
	if (members_is_alone(&raft->members, raft->config.self))
		raft->election_deadline_raw_ns = raft->now.raw_ns;
}

/* Before anything was measured a node waits as long as it may. */
void election_measured(struct raft *raft)
{
	if (raft->role == RAFT_FOLLOWER && raft->leader == RAFT_NOBODY &&
	    !members_is_alone(&raft->members, raft->config.self) &&
	    raft->election_deadline_raw_ns - raft->now.raw_ns >
		    2 * rtt_election_timeout_ns(raft))
		election_timer_reset(raft);
}

static void leader_lay_down(struct raft *raft)
{
	/* Our own timeline stays known to us exactly, as of now. */
	int64_t ts_ns = timestamp_at(&raft->timeline, raft->now.raw_ns);

	lease_clock_note(&raft->clock, raft->timeline.epoch, raft->now.raw_ns,
			 (struct interval){ ts_ns, ts_ns });
	raft->timeline = (struct timeline){ 0 };
	raft->c1_deadline_raw_ns = RAFT_NEVER;
	for (uint32_t i = 0; i < raft->peer_count; i++)
		raft->peers[i].left_index = 0;
	transfer_end(raft);
}

void become_follower(struct raft *raft, uint64_t term, uint32_t leader)
{
	bool led = raft->role == RAFT_LEADER;
	bool news = term > raft->term || leader != raft->leader || led;

	CHECK(term >= raft->term);
	if (led)
		leader_lay_down(raft);
	if (term > raft->term) {
		raft->term = term;
		raft->voted_for = RAFT_NOBODY;
		raft->hard_state_changed = true;
	}
	role_set(raft, RAFT_FOLLOWER, "");
	raft->votes = 0;
	if (!news)
		return;
	if (leader != RAFT_NOBODY)
		raft_story(raft, "follows %u  term %llu", leader,
			   (unsigned long long)term);
	raft->leader = leader;
	/* What is committed is in every later leader's log. */
	raft->verified_index = raft->commit_index;
	raft->leader_round = 0;
	raft->answered_match = 0;
	reads_fail(raft);
	if (led)
		election_timer_reset(raft);
}

/* R2: the last command that an earlier leader may or may not have committed. */
static uint64_t limbo_find_last_command(const struct raft *raft)
{
	for (uint64_t i = log_last_index(&raft->log); i > raft->commit_index;
	     i--)
		if (log_at(&raft->log, i)->kind == RAFT_ENTRY_COMMAND)
			return i;
	return 0;
}

/* I3: the first entry of the term says where its timeline starts. */
static enum rfs_err append_first_of_term(struct raft *raft)
{
	uint64_t old_epoch = lease_clock_newest(&raft->clock);
	struct interval old = lease_clock_at(&raft->clock, old_epoch,
					     raft->now.raw_ns);
	struct raft_stamp last = log_last_stamp(&raft->log);
	uint8_t image[RAFT_HANDOVER_BYTES];

	raft->timeline = timestamp_open(raft->term, &raft->now, last, old,
					raft->votes_cold);
	if (last.epoch != 0 && raft->timeline.ts_ns == raft->now.wall_ns)
		raft_story(raft, "cold start: time goes on from the wall clock");
	raft_handover_encode(
		&(struct raft_handover){
			.old_epoch = interval_is_empty(old) ? 0 : old_epoch,
			.old = old,
			.new_ts_ns = raft->timeline.ts_ns,
			.max_rate_ppb = raft->config.max_rate_ppb,
		},
		image);
	return raft_append_own(raft, RAFT_ENTRY_NOOP, image, sizeof(image));
}

static void become_leader(struct raft *raft)
{
	char voters[MEMBERS_TEXT_MAX];
	char why[MEMBERS_TEXT_MAX + 32];

	CHECK(members_is_quorum(&raft->members, raft->votes));
	CHECK(raft->voted_for == raft->config.self);
	snprintf(why, sizeof(why), "votes %s of %u",
		 members_text(&raft->members, raft->votes, voters),
		 members_voter_count(&raft->members));
	role_set(raft, RAFT_LEADER, why);
	raft->leader = raft->config.self;
	raft->met_leader = true;
	raft->campaigns = 0;
	raft->supported_term = raft->term;
	raft->counters.elections_won++;
	raft->limbo_last_command = limbo_find_last_command(raft);
	raft->term_first_index = log_last_index(&raft->log) + 1;
	raft->c1_settled = false;
	raft->relinquished_index = 0;
	raft->c1_deadline_raw_ns = RAFT_NEVER;
	for (uint32_t i = 0; i < raft->peer_count; i++)
		raft->peers[i].heard_raw_ns = raft->now.raw_ns;
	if (append_first_of_term(raft) != RFS_ERR_OK) {
		raft_story(raft, "no room for the first entry of a term");
		become_follower(raft, raft->term, RAFT_NOBODY);
		return;
	}
	replicate_start(raft);
	fitness_start_leading(raft);
	replicate_heartbeat(raft);
}

static uint32_t own_vote(const struct raft *raft)
{
	return members_votes(&raft->members, raft->self_position)
		       ? 1u << raft->self_position
		       : 0;
}

static void campaign(struct raft *raft, bool transfer)
{
	raft->term++;
	raft->voted_for = raft->config.self;
	raft->hard_state_changed = true;
	raft->transferred = transfer;
	raft->votes = own_vote(raft);
	raft->votes_cold = !raft->met_leader;
	raft->votes_support = raft->supported_term;
	raft->leader = RAFT_NOBODY;
	raft->counters.elections_started++;
	raft->campaigns++;
	role_set(raft, RAFT_CANDIDATE, "");
	election_timer_reset(raft);
	vote_send_requests(raft);
	election_vote_counted(raft);
}

void election_start(struct raft *raft, bool transfer)
{
	CHECK(raft->role != RAFT_LEADER);
	CHECK(election_may_stand(raft));
	reads_fail(raft);
	if (transfer) {
		campaign(raft, true);
		return;
	}
	raft->leader = RAFT_NOBODY;
	raft->votes = own_vote(raft);
	role_set(raft, RAFT_PRECANDIDATE, "");
	election_timer_reset(raft);
	vote_send_requests(raft);
	election_vote_counted(raft);
}

void election_begin(struct raft *raft)
{
	if (election_may_stand(raft)) {
		election_start(raft, false);
		return;
	}
	if (raft->role != RAFT_FOLLOWER || raft->leader != RAFT_NOBODY)
		become_follower(raft, raft->term, RAFT_NOBODY);
	election_timer_reset(raft);
}

void election_vote_counted(struct raft *raft)
{
	if (!members_is_quorum(&raft->members, raft->votes))
		return;
	if (raft->role == RAFT_PRECANDIDATE)
		campaign(raft, false);
	else if (raft->role == RAFT_CANDIDATE)
		become_leader(raft);
}

bool election_hears_leader(struct raft *raft)
{
	if (raft->role == RAFT_LEADER)
		return true;
	if (raft->leader == RAFT_NOBODY)
		return false;

	return !peer_meet(raft, raft->leader)->lost &&
	       raft->now.raw_ns - raft->leader_heard_raw_ns <
		       rtt_election_timeout_ns(raft);
}

void election_peer_lost(struct raft *raft, uint32_t peer)
{
	struct peer *lost = peer_find(raft, peer);

	if (!lost || peer == raft->config.self) {
		raft->counters.messages_dropped++;
		return;
	}
	lost->lost = true;
	if (raft->role == RAFT_FOLLOWER && raft->leader == peer) {
		raft_story(raft, "leader %u lost", peer);
		election_begin(raft);
	}
}

/* Kept for C1 (replicate.c). The leader we follow is a reason to stand. */
void election_death(struct raft *raft, uint32_t node, uint64_t term_led)
{
	struct peer *dead = peer_find(raft, node);

	if (!dead || node == raft->config.self || term_led == 0) {
		raft->counters.messages_dropped++;
		return;
	}
	if (dead->died_term < term_led)
		dead->died_term = term_led;
	if (term_led == raft->term && raft->leader == node)
		election_peer_lost(raft, node);
}

/* When a quorum, ourselves included, was last heard; then longer than followers
 * wait before they look for another leader, so that an answer or two may be
 * late. */
int64_t election_quorum_deadline_ns(const struct raft *raft)
{
	uint64_t silence[RAFT_NODES_MAX]; /* recent is higher */

	if (members_is_alone(&raft->members, raft->config.self))
		return RAFT_NEVER;
	for (uint32_t i = 0; i < raft->members.count; i++)
		silence[i] = UINT64_MAX - (uint64_t)(raft->now.raw_ns -
						     raft->peers[i].heard_raw_ns);
	if (raft->self_position != MEMBERS_NONE)
		silence[raft->self_position] = UINT64_MAX;

	uint64_t reached = members_reached(&raft->members, silence);

	return raft->now.raw_ns - (int64_t)(UINT64_MAX - reached) +
	       ELECTION_QUORUM_FACTOR * rtt_election_timeout_ns(raft);
}

void election_check_quorum(struct raft *raft)
{
	CHECK(raft->role == RAFT_LEADER);
	if (raft->now.raw_ns < election_quorum_deadline_ns(raft))
		return;
	raft_story(raft, "no quorum answers");
	become_follower(raft, raft->term, RAFT_NOBODY);
}
