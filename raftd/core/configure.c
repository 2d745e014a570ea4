/* Changes of the membership (thesis, chapter 4).
 *
 *	ADD	  learner   .. caught up ..>  joint  -- committed -->  voter
 *	REPLACE	  the same, and the voter it replaces leaves with the joint one
 *	REMOVE	  joint	 -- committed -->  gone	      (a learner: at once)
 *
 * The log is the history: the newest CONFIG entry in it rules, and what was
 * before is looked up when a truncation takes it away. One change at a time: a
 * leader appends the next only when the one before is committed, and an entry of
 * its own term too. So the memberships of any two logs that could elect a leader
 * are the same or neighbours, and neighbours have no two quorums apart.
 *
 * A leader that is no longer among the voters goes on until that is committed,
 * then hands over (4.2.2). Who is left out is told so, so that it need not
 * guess; who never hears it is refused its pre-votes.
 */
#include "raftd/core/internal.h"

#include <stdio.h>
#include <string.h>

#include "common/check.h"

/* How long, in election timeouts, one that left is sent heartbeats that carry
 * the commit of its leaving. */
#define CONFIGURE_TELL_TIMEOUTS 4

/* ---- the newest membership ---- */

static struct raft_membership bootstrap(const struct raft_config *config)
{
	struct raft_membership membership = { .count = config->member_count };

	for (uint32_t i = 0; i < config->member_count; i++) {
		membership.members[i] = config->members[i];
		membership.members[i].voter = true;
		membership.last_id = config->members[i].id;
	}
	return membership;
}

static bool parse(const struct raft_entry *entry,
		  struct raft_membership *membership)
{
	return raft_membership_decode(entry->data, entry->bytes, membership) ==
		       RFS_ERR_OK &&
	       membership->index == entry->index;
}

/* As of an index from the snapshot's on: the newest entry up to there. */
static struct raft_membership look_up(const struct raft *raft, uint64_t index)
{
	struct raft_membership membership;

	for (; index > raft->snapshot.index; index--) {
		const struct raft_entry *entry = log_at(&raft->log, index);

		if (entry->kind == RAFT_ENTRY_CONFIG) {
			CHECK(parse(entry, &membership));
			return membership;
		}
	}
	return raft->membership_base;
}

bool raft_membership_at(const struct raft *raft, uint64_t index,
			struct raft_membership *membership)
{
	if (index < raft->snapshot.index || index > log_last_index(&raft->log))
		return false;
	*membership = index >= raft->membership.index ? raft->membership
						      : look_up(raft, index);
	return true;
}

const struct raft_membership *raft_membership(const struct raft *raft)
{
	return &raft->membership;
}

static void tell_story(const struct raft *raft)
{
	const struct members *m = &raft->members;
	uint32_t learners = ((1u << m->count) - 1) & ~(m->voters | m->before);
	char voters[MEMBERS_TEXT_MAX], before[MEMBERS_TEXT_MAX];
	char others[MEMBERS_TEXT_MAX];

	raft_story(raft, "members: voters %s%s%s%s%s",
		   members_text(m, m->voters, voters),
		   m->before ? "  before " : "",
		   members_text(m, m->before, before),
		   learners ? "  learners " : "",
		   members_text(m, learners, others));
}

static bool votes_in(const struct raft_membership *membership, uint32_t id)
{
	const struct raft_member *member = raft_membership_find(membership, id);

	return member && (member->voter || member->voter_before);
}

/* The membership before the newest; itself, when that is the snapshot's. */
static struct raft_membership membership_before(const struct raft *raft)
{
	if (raft->membership.index <= raft->snapshot.index)
		return raft->membership_base;
	return look_up(raft, raft->membership.index - 1);
}

static void go_by(struct raft *raft, const struct raft_membership *membership)
{
	struct raft_membership before;

	raft->membership = *membership;
	raft->membership_changed = true;
	members_load(&raft->members, membership);
	peers_arrange(raft);
	raft->self_position =
		members_position(&raft->members, raft->config.self);
	before = membership_before(raft);
	raft->voted_before = votes_in(&before, raft->config.self);
}

/* Votes were counted by the membership before, and a timer may stand still that
 * a voter needs. */
static void settle(struct raft *raft)
{
	tell_story(raft);
	if (raft->role == RAFT_PRECANDIDATE || raft->role == RAFT_CANDIDATE)
		become_follower(raft, raft->term, RAFT_NOBODY);
	if (raft->role == RAFT_FOLLOWER)
		election_timer_reset(raft);
}

void configure_load(struct raft *raft, const struct raft_membership *at_base)
{
	struct raft_membership newest;

	raft->membership_base =
		at_base ? *at_base : bootstrap(&raft->config);
	newest = look_up(raft, log_last_index(&raft->log));
	go_by(raft, &newest);
	raft->membership_changed = false;
}

void configure_truncated(struct raft *raft)
{
	struct raft_membership newest;

	if (raft->membership.index <= log_last_index(&raft->log))
		return;
	newest = look_up(raft, log_last_index(&raft->log));
	go_by(raft, &newest);
	settle(raft);
}

void configure_rebased(struct raft *raft, const struct raft_membership *base)
{
	uint32_t count = raft->membership.count;
	uint64_t index = raft->membership.index;
	struct raft_membership newest;

	raft->membership_base = base ? *base : bootstrap(&raft->config);
	newest = look_up(raft, log_last_index(&raft->log));
	go_by(raft, &newest);
	if (newest.index != index || newest.count != count)
		settle(raft);
}

void configure_compacted(struct raft *raft, uint64_t index)
{
	CHECK(raft_membership_at(raft, index, &raft->membership_base));
}

bool configure_is_nobody(const struct raft *raft)
{
	return raft->membership.count == 0 && !repair_is_active(raft);
}

bool configure_was_forgotten(const struct raft *raft,
			     const struct raft_membership *membership)
{
	return configure_is_nobody(raft) &&
	       votes_in(membership, raft->config.self);
}

bool configure_makes_sense(const struct raft *raft,
			   const struct raft_entry *entry)
{
	struct raft_membership membership;

	return parse(entry, &membership) &&
	       !configure_was_forgotten(raft, &membership);
}

/* ---- standing ---- */

static bool is_committed(const struct raft *raft)
{
	return raft->commit_index >= raft->membership.index;
}

/* Ids never come back, so who was given one and is in no committed membership
 * any more will be in none to come. */
bool configure_is_removed(const struct raft *raft, uint32_t id)
{
	return id <= raft->membership.last_id && is_committed(raft) &&
	       members_position(&raft->members, id) == MEMBERS_NONE;
}

enum raft_standing configure_standing(const struct raft *raft)
{
	uint32_t self = raft->config.self;

	if (members_votes(&raft->members, raft->self_position))
		return RAFT_VOTER;
	if (raft->self_position != MEMBERS_NONE)
		return RAFT_LEARNER;
	if (self > raft->membership.last_id)
		return RAFT_JOINER;
	return configure_is_removed(raft, self) ? RAFT_REMOVED : RAFT_LEAVING;
}

/* ---- making one ---- */

static void tell_of_leaving(struct raft *raft,
			    const struct raft_membership *before)
{
	for (uint32_t i = 0; i < before->count; i++) {
		uint32_t id = before->members[i].id;

		if (members_position(&raft->members, id) != MEMBERS_NONE ||
		    id == raft->config.self)
			continue;
		peer_meet(raft, id)->left_index = raft->membership.index;
		peer_meet(raft, id)->left_until_raw_ns = 0;
	}
}

void configure_lead(struct raft *raft)
{
	struct raft_membership before = membership_before(raft);

	for (uint32_t i = 0; i < raft->peer_count; i++) {
		raft->peers[i].catchup.to_index = 0;
		raft->peers[i].left_index = 0;
	}
	if (!is_committed(raft))
		tell_of_leaving(raft, &before);
}

void configure_appended(struct raft *raft, const struct raft_entry *entry)
{
	struct raft_membership before = raft->membership, next;

	CHECK(parse(entry, &next));
	go_by(raft, &next);
	if (raft->role == RAFT_LEADER)
		tell_of_leaving(raft, &before);
	settle(raft);
}

/* Append it; from then on it rules. */
static enum rfs_err make(struct raft *raft, struct raft_membership *next)
{
	uint8_t image[RAFT_MEMBERSHIP_BYTES_MAX];

	CHECK(raft->role == RAFT_LEADER);
	next->index = log_last_index(&raft->log) + 1;
	return raft_append_own(raft, RAFT_ENTRY_CONFIG, image,
			       raft_membership_encode(next, image));
}

/* Everybody votes as before, and next to that as the caller says from here. */
static struct raft_membership make_joint(const struct raft *raft)
{
	struct raft_membership next = raft->membership;

	CHECK(!next.joint);
	next.joint = true;
	for (uint32_t i = 0; i < next.count; i++)
		next.members[i].voter_before = next.members[i].voter;
	return next;
}

static struct raft_member *find(struct raft_membership *membership, uint32_t id)
{
	for (uint32_t i = 0; i < membership->count; i++)
		if (membership->members[i].id == id)
			return &membership->members[i];
	return NULL;
}

static void drop(struct raft_membership *membership, uint32_t at)
{
	membership->count--;
	memmove(&membership->members[at], &membership->members[at + 1],
		(membership->count - at) * sizeof(membership->members[0]));
}

static bool can_change(const struct raft *raft)
{
	return is_committed(raft) && !raft->membership.joint &&
	       raft->commit_index >= raft->term_first_index &&
	       raft->transfer_to == RAFT_NOBODY;
}

/* ---- what is asked for ---- */

static void set_about(struct raft_member *member,
		      const struct raft_configure *request)
{
	member->about_bytes = (uint16_t)request->about_bytes;
	if (request->about_bytes)
		memcpy(member->about, request->about, request->about_bytes);
}

static enum rfs_err add(const struct raft_configure *request,
			struct raft_membership *next)
{
	struct raft_member *member = &next->members[next->count];
	uint32_t replaces = RAFT_NOBODY;

	if (request->node <= next->last_id)
		return RFS_ERR_EXIST;
	if (request->change == RAFT_CHANGE_REPLACE) {
		const struct raft_member *old = find(next, request->replaces);

		if (!old)
			return RFS_ERR_NOENT;
		replaces = request->replaces;
		if (!old->voter)
			return RFS_ERR_INVALID;
		for (uint32_t i = 0; i < next->count; i++)
			if (next->members[i].replaces == replaces)
				return RFS_ERR_INVALID;
	}
	if (next->count == RAFT_NODES_MAX)
		return RFS_ERR_FULL;
	*member = (struct raft_member){
		.id = request->node,
		.promote = request->change != RAFT_CHANGE_ADD_LEARNER,
		.replaces = replaces,
	};
	set_about(member, request);
	next->count++;
	next->last_id = request->node;
	return RFS_ERR_OK;
}

static enum rfs_err remove_member(const struct raft *raft, uint32_t node,
				  struct raft_membership *next)
{
	struct raft_member *member = find(next, node);

	if (!member)
		return RFS_ERR_NOENT;
	if (!member->voter) {
		drop(next, (uint32_t)(member - next->members));
		return RFS_ERR_OK;
	}
	if (members_is_alone(&raft->members, node))
		return RFS_ERR_INVALID;
	*next = make_joint(raft);
	find(next, node)->voter = false;
	/* Whoever was to replace it is welcome all the same. */
	for (uint32_t i = 0; i < next->count; i++)
		if (next->members[i].replaces == node)
			next->members[i].replaces = RAFT_NOBODY;
	return RFS_ERR_OK;
}

static enum rfs_err change_member(const struct raft_configure *request,
				  struct raft_membership *next)
{
	struct raft_member *member = find(next, request->node);

	if (!member)
		return RFS_ERR_NOENT;
	if (request->change == RAFT_CHANGE_ABOUT) {
		set_about(member, request);
		return RFS_ERR_OK;
	}
	if (member->voter || member->promote)
		return RFS_ERR_EXIST;
	member->promote = true;
	return RFS_ERR_OK;
}

/* What the change makes of the present membership. */
static enum rfs_err plan(const struct raft *raft,
			 const struct raft_configure *request,
			 struct raft_membership *next)
{
	*next = raft->membership;
	if (request->node == RAFT_NOBODY ||
	    request->about_bytes > RAFT_ABOUT_MAX)
		return RFS_ERR_INVALID;
	switch (request->change) {
	case RAFT_CHANGE_ADD:
	case RAFT_CHANGE_ADD_LEARNER:
	case RAFT_CHANGE_REPLACE:
		return add(request, next);
	case RAFT_CHANGE_REMOVE:
		return remove_member(raft, request->node, next);
	case RAFT_CHANGE_PROMOTE:
	case RAFT_CHANGE_ABOUT:
		return change_member(request, next);
	}
	return RFS_ERR_INVALID;
}

/* Could the voters to come commit anything, as far as we hear? */
static bool would_answer(const struct raft *raft,
			 const struct raft_membership *next)
{
	int64_t silence_max_ns = 2 * rtt_election_timeout_ns(raft);
	uint32_t voters = 0, heard = 0;

	for (uint32_t i = 0; i < next->count; i++) {
		uint32_t id = next->members[i].id;
		uint32_t at = members_position(&raft->members, id);

		if (!next->members[i].voter)
			continue;
		voters++;
		heard += id == raft->config.self ||
			 (at != MEMBERS_NONE &&
			  raft->now.raw_ns - raft->peers[at].heard_raw_ns <
				  silence_max_ns);
	}
	return 2 * heard > voters;
}

static enum rfs_err try(struct raft *raft, const struct raft_configure *request)
{
	struct raft_membership next;
	enum rfs_err err;

	if (raft->role != RAFT_LEADER || raft->transfer_to != RAFT_NOBODY)
		return RFS_ERR_NOT_LEADER;
	if (!can_change(raft))
		return RFS_ERR_BUSY;
	err = plan(raft, request, &next);
	if (err != RFS_ERR_OK)
		return err;
	if (next.joint && !would_answer(raft, &next))
		return RFS_ERR_NO_QUORUM;
	if (!log_has_room(&raft->log, RAFT_MEMBERSHIP_BYTES_MAX))
		snapshot_compact_fully(raft);
	if (!log_has_room(&raft->log, RAFT_MEMBERSHIP_BYTES_MAX))
		return RFS_ERR_FULL;
	return make(raft, &next);
}

void configure_request(struct raft *raft, const struct raft_configure *request)
{
	enum rfs_err err = try(raft, request);
	bool taken = err == RFS_ERR_OK;

	if (!taken)
		raft_story(raft, "refuses to change the members  %s",
			   rfs_err_name(err));
	raft->proposals_done[raft->proposal_done_count++] =
		(struct raft_proposal_done){
			.id = request->id,
			.err = err,
			.index = taken ? log_last_index(&raft->log) : 0,
			.term = taken ? raft->term : 0,
		};
}

/* ---- what follows by itself ---- */

/* The joint membership is committed: the voters alone from here. */
static void finish_joint(struct raft *raft)
{
	struct raft_membership next = raft->membership;

	next.joint = false;
	for (uint32_t i = next.count; i-- > 0;) {
		struct raft_member *member = &next.members[i];

		if (member->voter_before && !member->voter)
			drop(&next, i);
		else
			member->voter_before = false;
	}
	/* No room for now: the next step tries again. */
	if (make(raft, &next) != RFS_ERR_OK)
		raft_story(raft, "no room to end the change of members");
}

static void promote(struct raft *raft, uint32_t id)
{
	struct raft_membership next = make_joint(raft);
	struct raft_member *member = find(&next, id);

	if (member->replaces != RAFT_NOBODY)
		find(&next, member->replaces)->voter = false;
	member->voter = true;
	member->promote = false;
	member->replaces = RAFT_NOBODY;
	if (would_answer(raft, &next) && make(raft, &next) == RFS_ERR_OK)
		raft_story(raft, "%u has caught up: it will vote", id);
}

/* A round that took no longer than an election may, once it was asked for: what
 * it still lacks by then holds nobody up for longer than one. And its host has
 * the data that commands name: a voter without it would count for nothing when
 * others are lost. */
static bool has_caught_up(struct raft *raft, struct peer *peer)
{
	struct catchup *c = &peer->catchup;
	int64_t took_ns = raft->now.raw_ns - c->began_raw_ns -
			  replicate_round_every_ns(raft);
	bool ended = c->to_index != 0 && peer->progress.acked_round >= c->round &&
		     peer->progress.match_index >= c->to_index;

	if (ended && !peer->filling &&
	    took_ns <= rtt_election_timeout_ns(raft))
		return true;
	if (ended || c->to_index == 0)
		*c = (struct catchup){
			.to_index = log_last_index(&raft->log),
			.round = raft->round + 1,
			.began_raw_ns = raft->now.raw_ns,
		};
	return false;
}

static void look_at_learners(struct raft *raft)
{
	for (uint32_t i = 0; i < raft->members.count; i++)
		if (raft->membership.members[i].promote &&
		    has_caught_up(raft, &raft->peers[i])) {
			promote(raft, raft->members.ids[i]);
			return;
		}
}

static void look_at_leavers(struct raft *raft)
{
	for (uint32_t i = raft->members.count; i < raft->peer_count; i++) {
		struct peer *peer = &raft->peers[i];

		if (peer->left_index == 0 ||
		    peer->left_index > raft->commit_index)
			continue;
		if (peer->left_until_raw_ns == 0)
			peer->left_until_raw_ns =
				raft->now.raw_ns +
				CONFIGURE_TELL_TIMEOUTS *
					rtt_election_timeout_ns(raft);
		else if (raft->now.raw_ns >= peer->left_until_raw_ns)
			peer->left_index = 0;
	}
}

void configure_advance(struct raft *raft)
{
	look_at_leavers(raft);
	if (raft->commit_index < raft->term_first_index ||
	    !is_committed(raft) || raft->transfer_to != RAFT_NOBODY)
		return;
	if (raft->membership.joint)
		finish_joint(raft);
	else if (!members_votes(&raft->members, raft->self_position))
		transfer_to_best(raft);
	else
		look_at_learners(raft);
}
