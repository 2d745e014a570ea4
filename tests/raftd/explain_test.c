/* The words for what is in force. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/units.h"
#include "raftd/explain.h"

static const struct config config = {
	.raft = { .election_timeout_min_ns = 50 * NS_PER_MS,
		  .election_timeout_max_ns = 3 * NS_PER_SEC,
		  .heartbeat_min_ns = 20 * NS_PER_MS },
};

static struct raft_view following(void)
{
	return (struct raft_view){
		.role = RAFT_FOLLOWER,
		.leader = 2,
		.lease_why = "only the leader has one",
		.slots_why = "",
		.rank = 1,
	};
}

static void the_timeout_names_its_cause_and_all_its_parts(void **state)
{
	struct raft_view view = following();
	struct explain out;

	(void)state;
	view.election_timeout_from = RAFT_TIMEOUT_SILENCES;
	view.rtt_quorum_ns = 600 * NS_PER_US;
	view.leader_silence_ns = 31 * NS_PER_MS;
	view.leader_silence_max_ns = 44 * NS_PER_MS;
	explain(&view, &config, "", NS_PER_SEC, &out);
	assert_string_equal(out.timeout,
			    "twice the usual longest silence; round trip to a "
			    "quorum 600.0 us (answers), usual longest silence "
			    "31.00 ms, longest 44.00 ms, floor 50.00 ms, "
			    "ceiling 3.00 s");
	view = following();
	view.election_timeout_from = RAFT_TIMEOUT_UNMEASURED;
	view.rtt_quorum_from = RAFT_RTT_UNKNOWN;
	explain(&view, &config, "", NS_PER_SEC, &out);
	assert_non_null(strstr(out.timeout, "as long as unmeasured"));
	assert_non_null(strstr(out.timeout, "round trip to a quorum unknown"));
}

static void a_round_trip_that_nobody_answered_yet_names_its_source(void **state)
{
	struct raft_view view = following();
	struct explain out;

	(void)state;
	view.rtt_quorum_ns = 600 * NS_PER_US;
	view.rtt_quorum_from = RAFT_RTT_TCP;
	explain(&view, &config, "", NS_PER_SEC, &out);
	assert_non_null(strstr(out.timeout, "600.0 us (the kernel's TCP),"));
	view.rtt_quorum_from = RAFT_RTT_EXCHANGE;
	explain(&view, &config, "", NS_PER_SEC, &out);
	assert_non_null(strstr(out.timeout, "600.0 us (the time exchange),"));
}

static void slots_say_the_place_or_why_there_is_none(void **state)
{
	struct raft_view view = following();
	struct explain out;

	(void)state;
	explain(&view, &config, "", NS_PER_SEC, &out);
	assert_string_equal(out.slots,
			    "in turn on cluster time: number 1 in line");
	view.slots_why = "there is no cluster time";
	explain(&view, &config, "", NS_PER_SEC, &out);
	assert_string_equal(out.slots, "randomised: there is no cluster time");
}

static void the_setting_says_where_it_is_from(void **state)
{
	struct raft_view view = following();
	struct explain out;

	(void)state;
	view.lease_wanted_ns = 50 * NS_PER_MS;
	explain_setting(&view, &out);
	assert_string_equal(out.setting,
			    "off, for no leader has set it; raft.lease here is "
			    "50.00 ms and takes effect when this node leads");
	view.lease = (struct raft_lease){ .index = 12,
					  .stamp = { .epoch = 3 },
					  .duration_ns = 50 * NS_PER_MS };
	explain_setting(&view, &out);
	assert_string_equal(out.setting, "50.00 ms, by log entry 12 of term 3");
	view.lease_wanted_ns = 0;
	explain(&view, &config, "", NS_PER_SEC, &out);
	assert_string_equal(out.setting,
			    "50.00 ms, by log entry 12 of term 3; raft.lease "
			    "here is 0, off, and takes effect when this node "
			    "leads");
	view.lease.duration_ns = 0;
	explain_setting(&view, &out);
	assert_string_equal(out.setting, "off, by log entry 12 of term 3");
}

static void the_lease_says_why_it_is_off(void **state)
{
	struct raft_view view = following();
	struct explain out;

	(void)state;
	explain(&view, &config, "", NS_PER_SEC, &out);
	assert_string_equal(out.lease, "off: only the leader has one");
	view.lease_valid = true;
	view.lease_until_raw_ns = NS_PER_SEC + 30 * NS_PER_MS;
	explain(&view, &config, "", NS_PER_SEC, &out);
	assert_string_equal(out.lease, "on: 30.00 ms left");
}

static void a_hand_over_is_remembered(void **state)
{
	struct raft_view view = following();
	struct explain out;

	(void)state;
	explain(&view, &config, "n3", 9 * NS_PER_SEC, &out);
	assert_string_equal(out.handed_over, "");
	view.handed_over = (struct raft_handed_over){
		.to = 3, .why = RAFT_UNFIT_HUNG, .raw_ns = NS_PER_SEC
	};
	explain(&view, &config, "n3", 9 * NS_PER_SEC, &out);
	assert_string_equal(out.handed_over,
			    "to n3 8.00 s ago: its storaged hangs");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_timeout_names_its_cause_and_all_its_parts),
		cmocka_unit_test(
			a_round_trip_that_nobody_answered_yet_names_its_source),
		cmocka_unit_test(slots_say_the_place_or_why_there_is_none),
		cmocka_unit_test(the_lease_says_why_it_is_off),
		cmocka_unit_test(the_setting_says_where_it_is_from),
		cmocka_unit_test(a_hand_over_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
