/* Timeouts from round trips: over a quorum, within floor and ceiling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/units.h"
#include "raftd/core/internal.h"

static struct raft five_nodes(void)
{
	return (struct raft){
		.config = { .election_timeout_min_ns = 50 * NS_PER_MS,
			    .election_timeout_max_ns = 1000 * NS_PER_MS,
			    .heartbeat_min_ns = 5 * NS_PER_MS },
		.members = { { 1, 2, 3, 4, 5 }, 5, 31, 0 },
		.peer_count = 5,
		.self_position = 0,
	};
}

static void measure(struct raft *raft, uint32_t position, int64_t rtt_ns)
{
	for (int i = 0; i < 100; i++)
		rtt_note(&raft->peers[position].rtt, rtt_ns, 0);
}

static void the_first_sample_counts_in_full(void **state)
{
	struct rtt rtt = { 0 };
	(void)state;

	rtt_note(&rtt, 1000, 0);
	assert_int_equal(rtt.smoothed_ns, 1000);
	assert_int_equal(rtt.variation_ns, 500);
}

static void a_steady_network_has_no_variation(void **state)
{
	struct raft raft = five_nodes();
	(void)state;

	measure(&raft, 1, NS_PER_MS);
	assert_int_equal(raft.peers[1].rtt.smoothed_ns, NS_PER_MS);
	assert_true(raft.peers[1].rtt.variation_ns < 100);
}

static void samples_that_make_no_sense_are_ignored(void **state)
{
	struct rtt rtt = { 0 };
	(void)state;

	rtt_note(&rtt, 0, 0);
	rtt_note(&rtt, -5, 0);
	rtt_note(&rtt, INT64_MAX, 0);
	assert_int_equal(rtt.smoothed_ns, 0);
}

static void tcp_stands_in_until_the_peer_answers(void **state)
{
	struct raft raft = five_nodes();
	(void)state;

	for (int i = 1; i < 5; i++)
		rtt_measured(&raft, &raft.peers[i], RAFT_RTT_TCP,
			     10 * NS_PER_MS);
	assert_int_equal(rtt_quorum_from(&raft), RAFT_RTT_TCP);
	/* As a first sample: three times that at most. */
	assert_int_equal(rtt_over_quorum_ns(&raft), 30 * NS_PER_MS);
	assert_int_equal(rtt_election_timeout_ns(&raft), 300 * NS_PER_MS);
	measure(&raft, 1, NS_PER_MS);
	measure(&raft, 2, NS_PER_MS);
	assert_int_equal(rtt_quorum_from(&raft), RAFT_RTT_ANSWERS);
	assert_in_range(rtt_over_quorum_ns(&raft), NS_PER_MS, 2 * NS_PER_MS);
}

static void tcp_never_overrides_what_the_peer_answered(void **state)
{
	struct raft raft = five_nodes();
	(void)state;

	for (uint32_t i = 1; i < 5; i++)
		measure(&raft, i, NS_PER_MS);
	for (int i = 1; i < 5; i++)
		rtt_measured(&raft, &raft.peers[i], RAFT_RTT_TCP,
			     90 * NS_PER_MS);
	assert_int_equal(rtt_quorum_from(&raft), RAFT_RTT_ANSWERS);
	assert_in_range(rtt_over_quorum_ns(&raft), NS_PER_MS, 2 * NS_PER_MS);
}

static void the_time_exchange_stands_in_before_there_is_a_link(void **state)
{
	struct raft raft = five_nodes();
	(void)state;

	raft.now.exchange_ns = 4 * NS_PER_MS;
	assert_int_equal(rtt_quorum_from(&raft), RAFT_RTT_EXCHANGE);
	assert_int_equal(rtt_over_quorum_ns(&raft), 12 * NS_PER_MS);
	assert_int_equal(rtt_election_timeout_ns(&raft), 120 * NS_PER_MS);
	/* One link is not a quorum of five: the rest is as before. */
	rtt_measured(&raft, &raft.peers[1], RAFT_RTT_TCP, NS_PER_MS);
	assert_int_equal(rtt_quorum_from(&raft), RAFT_RTT_EXCHANGE);
	rtt_measured(&raft, &raft.peers[2], RAFT_RTT_TCP, NS_PER_MS);
	assert_int_equal(rtt_quorum_from(&raft), RAFT_RTT_TCP);
	raft.now.exchange_ns = 0;
	assert_int_equal(rtt_quorum_from(&raft), RAFT_RTT_TCP);
}

static void samples_of_any_source_must_make_sense(void **state)
{
	struct raft raft = five_nodes();
	(void)state;

	rtt_measured(&raft, &raft.peers[1], RAFT_RTT_TCP, -1);
	rtt_measured(&raft, &raft.peers[2], RAFT_RTT_TCP, INT64_MAX);
	raft.now.exchange_ns = INT64_MAX;
	assert_int_equal(rtt_quorum_from(&raft), RAFT_RTT_UNKNOWN);
	assert_int_equal(rtt_over_quorum_ns(&raft), 0);
}

static void nothing_measured_means_the_ceiling(void **state)
{
	struct raft raft = five_nodes();
	(void)state;

	assert_int_equal(rtt_election_timeout_ns(&raft), 1000 * NS_PER_MS);
	measure(&raft, 1, NS_PER_MS);
	assert_int_equal(rtt_election_timeout_ns(&raft), 1000 * NS_PER_MS);
}

static void the_slowest_of_the_fastest_quorum_decides(void **state)
{
	struct raft raft = five_nodes();
	(void)state;

	measure(&raft, 1, NS_PER_MS);
	measure(&raft, 2, 20 * NS_PER_MS);
	measure(&raft, 3, 90 * NS_PER_MS);
	assert_true(rtt_election_timeout_ns(&raft) >= 200 * NS_PER_MS);
	assert_true(rtt_election_timeout_ns(&raft) < 210 * NS_PER_MS);
}

static void floor_and_ceiling_hold(void **state)
{
	struct raft raft = five_nodes();
	(void)state;

	measure(&raft, 1, 10000);
	measure(&raft, 2, 10000);
	assert_int_equal(rtt_election_timeout_ns(&raft), 50 * NS_PER_MS);
	assert_int_equal(rtt_heartbeat_ns(&raft), 10 * NS_PER_MS);
	measure(&raft, 1, 900 * NS_PER_MS);
	measure(&raft, 2, 900 * NS_PER_MS);
	assert_int_equal(rtt_election_timeout_ns(&raft), 1000 * NS_PER_MS);
}

static void one_accident_changes_little(void **state)
{
	struct raft raft = five_nodes();
	(void)state;

	measure(&raft, 1, NS_PER_MS);
	measure(&raft, 2, NS_PER_MS);
	rtt_note(&raft.peers[1].rtt, 3 * NS_PER_SEC, 0);
	assert_int_equal(rtt_election_timeout_ns(&raft), 50 * NS_PER_MS);
	/* But a network that became slow is learnt. */
	for (int i = 0; i < 30; i++)
		rtt_note(&raft.peers[1].rtt, 40 * NS_PER_MS, 0);
	for (int i = 0; i < 30; i++)
		rtt_note(&raft.peers[2].rtt, 40 * NS_PER_MS, 0);
	assert_true(rtt_election_timeout_ns(&raft) >= 400 * NS_PER_MS);
}

static void a_leader_that_stutters_is_given_longer(void **state)
{
	struct raft raft = five_nodes();
	int64_t now_ns = NS_PER_SEC;
	(void)state;

	measure(&raft, 1, NS_PER_MS);
	measure(&raft, 2, NS_PER_MS);
	assert_int_equal(rtt_timeout_from(&raft), RAFT_TIMEOUT_FLOOR);
	detector_heard(&raft.detector, true, now_ns);
	for (int i = 0; i < 100; i++)
		detector_heard(&raft.detector, false,
			       now_ns += 100 * NS_PER_MS);
	assert_int_equal(rtt_timeout_from(&raft), RAFT_TIMEOUT_SILENCES);
	assert_true(rtt_election_timeout_ns(&raft) >= 200 * NS_PER_MS);
}

static void a_leader_is_given_longer_until_its_silences_are_known(void **state)
{
	struct raft raft = five_nodes();
	int64_t now_ns = NS_PER_SEC;
	(void)state;

	measure(&raft, 1, NS_PER_MS);
	measure(&raft, 2, NS_PER_MS);
	raft.leader = 2;
	assert_int_equal(rtt_timeout_from(&raft), RAFT_TIMEOUT_LEARNING);
	assert_int_equal(rtt_election_timeout_ns(&raft), 150 * NS_PER_MS);
	detector_heard(&raft.detector, true, now_ns);
	for (int i = 0; i < 100; i++)
		detector_heard(&raft.detector, false,
			       now_ns += 20 * NS_PER_MS);
	assert_int_equal(rtt_timeout_from(&raft), RAFT_TIMEOUT_FLOOR);
	assert_int_equal(rtt_election_timeout_ns(&raft), 50 * NS_PER_MS);
}

static void heartbeats_suit_the_most_impatient_follower(void **state)
{
	struct raft raft = five_nodes();
	(void)state;

	assert_int_equal(rtt_heartbeat_ns(&raft), 25 * NS_PER_MS);
	raft.config.heartbeat_min_ns = 400 * NS_PER_MS;
	assert_int_equal(rtt_heartbeat_ns(&raft), 25 * NS_PER_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_sample_counts_in_full),
		cmocka_unit_test(a_steady_network_has_no_variation),
		cmocka_unit_test(samples_that_make_no_sense_are_ignored),
		cmocka_unit_test(tcp_stands_in_until_the_peer_answers),
		cmocka_unit_test(tcp_never_overrides_what_the_peer_answered),
		cmocka_unit_test(
			the_time_exchange_stands_in_before_there_is_a_link),
		cmocka_unit_test(samples_of_any_source_must_make_sense),
		cmocka_unit_test(nothing_measured_means_the_ceiling),
		cmocka_unit_test(the_slowest_of_the_fastest_quorum_decides),
		cmocka_unit_test(floor_and_ceiling_hold),
		cmocka_unit_test(one_accident_changes_little),
		cmocka_unit_test(a_leader_that_stutters_is_given_longer),
		cmocka_unit_test(
			a_leader_is_given_longer_until_its_silences_are_known),
		cmocka_unit_test(heartbeats_suit_the_most_impatient_follower),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
