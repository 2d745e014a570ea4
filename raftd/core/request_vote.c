/* RequestVote, both ends, and its pre-vote form.
 *
 * Figure 2, receiver: 1. reply false if term < currentTerm; 2. if votedFor is
 * null or candidateId, and the candidate's log is at least as up-to-date as
 * ours, grant. A pre-vote checks exactly that, and that we hear no leader, but
 * changes nothing here. A refusal carries our term.
 *
 * A vote is not asked of learners, but given by them: who asks may know that we
 * vote by now, and we not yet (thesis 4.2.2). Only who knows of no membership
 * gives none, unless it is because its log lost it (repair.h).
 */
#include "raftd/core/internal.h"

#include "common/check.h"

static void vote_send_request(struct raft *raft, uint32_t to)
{
	struct raft_message *m = raft_send(raft, RAFT_MSG_VOTE, to);
	bool pre = raft->role == RAFT_PRECANDIDATE;

	m->term = pre ? raft->term + 1 : raft->term;
	m->vote.pre = pre;
	m->vote.transfer = !pre && raft->transferred;
	m->vote.last_index = log_last_index(&raft->log);
	m->vote.last_term = log_last_term(&raft->log);
}

void vote_send_requests(struct raft *raft)
{
	for (uint32_t i = 0; i < raft->members.count; i++)
		if (i != raft->self_position &&
		    members_votes(&raft->members, i))
			vote_send_request(raft, raft->members.ids[i]);
}

/* Section 5.4.1: later last term, or the same and not shorter. */
static bool vote_is_up_to_date(const struct raft *raft,
			       const struct raft_message *m)
{
	uint64_t term = log_last_term(&raft->log);

	if (m->vote.last_term != term)
		return m->vote.last_term > term;
	return m->vote.last_index >= log_last_index(&raft->log);
}

static bool vote_would_grant(const struct raft *raft,
			     const struct raft_message *m)
{
	if (m->term < raft->term || configure_is_nobody(raft))
		return false;
	if (m->term == raft->term && raft->voted_for != RAFT_NOBODY &&
	    raft->voted_for != m->from)
		return false;
	return vote_is_up_to_date(raft, m) &&
	       repair_allows_vote(raft, m->vote.last_index, m->vote.last_term);
}

static const char *vote_refusal(const struct raft *raft,
				const struct raft_message *m)
{
	if (m->term < raft->term)
		return "old term";
	if (configure_is_nobody(raft))
		return "no member yet";
	if (!vote_is_up_to_date(raft, m))
		return "log is behind";
	if (!repair_allows_vote(raft, m->vote.last_index, m->vote.last_term))
		return "behind what was promised";
	if (m->vote.pre && configure_is_removed(raft, m->from))
		return "no member any more";
	if (!vote_would_grant(raft, m))
		return "voted already";
	return "hears a leader";
}

/* Two that lost the same leader ask at the same time. The better log, then the
 * lower id, goes on; the other steps back, or they would split the vote. */
static void vote_settle_rivals(struct raft *raft, const struct raft_message *m)
{
	bool same = m->vote.last_term == log_last_term(&raft->log) &&
		    m->vote.last_index == log_last_index(&raft->log);

	if (raft->role != RAFT_PRECANDIDATE ||
	    configure_is_removed(raft, m->from))
		return;
	if (!vote_is_up_to_date(raft, m))
		vote_send_request(raft, m->from); /* it may not have heard us
						   * when we asked */
	else if (!same || m->from < raft->config.self)
		become_follower(raft, raft->term, RAFT_NOBODY);
}

static void vote_answer(struct raft *raft, const struct raft_message *m,
			bool granted)
{
	struct raft_message *reply =
		raft_send(raft, RAFT_MSG_VOTE_REPLY, m->from);

	if (granted)
		reply->term = m->term;
	reply->vote_reply.pre = m->vote.pre;
	reply->vote_reply.granted = granted;
	if (granted && !m->vote.pre)
		reply->vote_reply.supported_term = raft->support_before;
	reply->vote_reply.cold = granted && !raft->met_leader;
	raft_story(raft, "%s %s %u  term %llu%s%s",
		   granted ? "grants" : "refuses",
		   m->vote.pre ? "pre-vote to" : "vote to", m->from,
		   (unsigned long long)m->term, granted ? "" : ", ",
		   granted ? "" : vote_refusal(raft, m));
}

void vote_receive(struct raft *raft, const struct raft_message *m)
{
	bool granted = vote_would_grant(raft, m);

	if (m->vote.pre) {
		granted = granted && !election_hears_leader(raft) &&
			  !configure_is_removed(raft, m->from);
		vote_answer(raft, m, granted);
		vote_settle_rivals(raft, m);
		return;
	}
	if (granted) {
		CHECK(m->term == raft->term);
		if (raft->role == RAFT_PRECANDIDATE)
			become_follower(raft, raft->term, RAFT_NOBODY);
		CHECK(raft->role == RAFT_FOLLOWER);
		if (raft->voted_for != m->from) {
			raft->voted_for = m->from;
			raft->support_before = raft->supported_term;
			raft->supported_term = raft->term;
			raft->hard_state_changed = true;
		}
		election_timer_reset(raft);
	}
	vote_answer(raft, m, granted);
}

void vote_reply_receive(struct raft *raft, const struct raft_message *m)
{
	bool pre = raft->role == RAFT_PRECANDIDATE;
	uint64_t asked = pre ? raft->term + 1 : raft->term;
	uint32_t at = members_position(&raft->members, m->from);

	if (!m->vote_reply.granted || m->vote_reply.pre != pre ||
	    (!pre && raft->role != RAFT_CANDIDATE) || m->term != asked ||
	    !members_votes(&raft->members, at))
		return;
	if (m->vote_reply.supported_term > raft->votes_support)
		raft->votes_support = m->vote_reply.supported_term;
	if (!m->vote_reply.cold)
		raft->votes_cold = false;
	raft->votes |= 1u << at;
	election_vote_counted(raft);
}
