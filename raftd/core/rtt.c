/* Timeouts that follow the network that is really there.
 *
 * Per peer a smoothed round trip and its variation (RFC 6298), of what the
 * peer's raftd answered: that is what a vote takes. Before it has answered
 * anything, the least that the kernel saw on the link to it stands in, and
 * before there is a link the round trip of the time exchange, each taken as RFC
 * 6298 takes a first sample. (Not the kernel's smoothed figure: who is only sent
 * heartbeats delays the acknowledgements, by 40 ms.) What matters to
 * an election is the slowest member of the fastest quorum. What matters to
 * believing in a leader is how regularly it is heard (detector.h). Everything
 * here is raw durations (I12): a broken cluster clock changes nothing.
 */
#include "raftd/core/internal.h"

#define RTT_ELECTION_FACTOR 10
#define RTT_LEARNING_FACTOR 3
#define RTT_SAMPLE_MAX_NS   INT64_C(100000000000)

void rtt_note(struct rtt *rtt, int64_t sample_ns, int64_t slack_ns)
{
	/* A process that was stopped, or whose peer was, measures seconds:
	 * once is an accident, and a network that changed is soon learnt. */
	int64_t most_ns = 2 * rtt_high_ns(rtt);

	if (sample_ns <= 0 || sample_ns > RTT_SAMPLE_MAX_NS)
		return;
	if (rtt->smoothed_ns == 0) {
		rtt->smoothed_ns = sample_ns;
		rtt->variation_ns = sample_ns / 2;
		return;
	}
	if (most_ns < slack_ns)
		most_ns = slack_ns;
	if (sample_ns > most_ns)
		sample_ns = most_ns;

	int64_t error_ns = sample_ns - rtt->smoothed_ns;
	int64_t size_ns = error_ns < 0 ? -error_ns : error_ns;

	rtt->variation_ns += (size_ns - rtt->variation_ns) / 4;
	rtt->smoothed_ns += error_ns / 8;
	if (rtt->smoothed_ns < 1)
		rtt->smoothed_ns = 1;
}

int64_t rtt_high_ns(const struct rtt *rtt)
{
	return rtt->smoothed_ns + 4 * rtt->variation_ns;
}

void rtt_measured(struct raft *raft, struct peer *peer,
		  enum raft_rtt_from from, int64_t sample_ns)
{
	if (from == RAFT_RTT_ANSWERS)
		rtt_note(&peer->rtt, sample_ns, 0);
	else if (sample_ns > 0 && sample_ns <= RTT_SAMPLE_MAX_NS)
		peer->tcp_rtt_ns = sample_ns;
	election_measured(raft);
}

enum raft_rtt_from rtt_from(const struct raft *raft, const struct peer *peer)
{
	if (peer->rtt.smoothed_ns != 0)
		return RAFT_RTT_ANSWERS;
	if (peer->tcp_rtt_ns != 0)
		return RAFT_RTT_TCP;
	if (raft->now.exchange_ns > 0 &&
	    raft->now.exchange_ns <= RTT_SAMPLE_MAX_NS)
		return RAFT_RTT_EXCHANGE;
	return RAFT_RTT_UNKNOWN;
}

static int64_t to_peer_ns(const struct raft *raft, const struct peer *peer)
{
	struct rtt first = { 0 };

	switch (rtt_from(raft, peer)) {
	case RAFT_RTT_ANSWERS:
		return rtt_high_ns(&peer->rtt);
	case RAFT_RTT_TCP:
		rtt_note(&first, peer->tcp_rtt_ns, 0);
		break;
	case RAFT_RTT_EXCHANGE:
		rtt_note(&first, raft->now.exchange_ns, 0);
		break;
	case RAFT_RTT_UNKNOWN:
		break;
	}
	return rtt_high_ns(&first);
}

int64_t rtt_over_quorum_ns(const struct raft *raft)
{
	uint64_t speed[RAFT_NODES_MAX]; /* faster is higher, as reached() wants */

	for (uint32_t i = 0; i < raft->members.count; i++) {
		int64_t rtt_ns = to_peer_ns(raft, &raft->peers[i]);

		speed[i] = rtt_ns ? UINT64_MAX - (uint64_t)rtt_ns : 0;
	}
	if (raft->self_position != MEMBERS_NONE)
		speed[raft->self_position] = UINT64_MAX;

	uint64_t reached = members_reached(&raft->members, speed);

	return reached ? (int64_t)(UINT64_MAX - reached) : 0;
}

enum raft_rtt_from rtt_quorum_from(const struct raft *raft)
{
	int64_t quorum_ns = rtt_over_quorum_ns(raft);

	for (uint32_t i = 0; i < raft->members.count && quorum_ns != 0; i++)
		if (i != raft->self_position &&
		    to_peer_ns(raft, &raft->peers[i]) == quorum_ns)
			return rtt_from(raft, &raft->peers[i]);
	return RAFT_RTT_UNKNOWN;
}

/* While nothing was measured the ceiling is the safe guess. */
static int64_t timeout_of(const struct raft *raft, enum raft_timeout_from *from)
{
	const struct raft_config *config = &raft->config;
	int64_t rtt_ns = rtt_over_quorum_ns(raft);
	int64_t limit_ns = detector_limit_ns(&raft->detector);
	int64_t timeout_ns = config->election_timeout_min_ns;

	*from = RAFT_TIMEOUT_FLOOR;
	if (members_is_alone(&raft->members, config->self))
		return timeout_ns;
	if (rtt_ns == 0) {
		*from = RAFT_TIMEOUT_UNMEASURED;
		return config->election_timeout_max_ns;
	}
	if (rtt_ns * RTT_ELECTION_FACTOR > timeout_ns) {
		*from = RAFT_TIMEOUT_ROUND_TRIP;
		timeout_ns = rtt_ns * RTT_ELECTION_FACTOR;
	}
	if (limit_ns > timeout_ns) {
		*from = RAFT_TIMEOUT_SILENCES;
		timeout_ns = limit_ns;
	}
	if (limit_ns == 0 && raft->role == RAFT_FOLLOWER &&
	    raft->leader != RAFT_NOBODY &&
	    timeout_ns < RTT_LEARNING_FACTOR * config->election_timeout_min_ns) {
		*from = RAFT_TIMEOUT_LEARNING;
		timeout_ns = RTT_LEARNING_FACTOR *
			     config->election_timeout_min_ns;
	}
	if (timeout_ns > config->election_timeout_max_ns) {
		*from = RAFT_TIMEOUT_CEILING;
		timeout_ns = config->election_timeout_max_ns;
	}
	return timeout_ns;
}

int64_t rtt_election_timeout_ns(const struct raft *raft)
{
	enum raft_timeout_from from;

	return timeout_of(raft, &from);
}

enum raft_timeout_from rtt_timeout_from(const struct raft *raft)
{
	enum raft_timeout_from from;

	timeout_of(raft, &from);
	return from;
}

/* A fifth of our own timeout, but never so rare that a follower with a better
 * network, whose timeout is at its floor, would give us up. */
int64_t rtt_heartbeat_ns(const struct raft *raft)
{
	int64_t every_ns = rtt_election_timeout_ns(raft) / 5;

	if (every_ns < raft->config.heartbeat_min_ns)
		every_ns = raft->config.heartbeat_min_ns;
	if (every_ns > raft->config.election_timeout_min_ns / 2)
		every_ns = raft->config.election_timeout_min_ns / 2;
	return every_ns > 0 ? every_ns : 1;
}
