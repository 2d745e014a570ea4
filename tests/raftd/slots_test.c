/* Slots: who stands when, as each follower works it out by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/units.h"
#include "raftd/core/internal.h"

#define TIMEOUT_NS (150 * NS_PER_MS)
#define BOUND_NS   (200 * NS_PER_US)
#define NODES	   5u
#define LEADER	   2u

/* A follower whose clock reads cluster time with an error within the bound. */
static struct raft follower(uint32_t id, int64_t cluster_ns, int64_t error_ns)
{
	struct raft raft = {
		.config = { .self = id },
		.members = { .ids = { 1, 2, 3, 4, 5 },
			     .count = NODES,
			     .voters = 31 },
		.self_position = id - 1,
		.role = RAFT_FOLLOWER,
		.leader = LEADER,
		.now = { .raw_ns = cluster_ns - id * NS_PER_SEC,
			 .usable = true,
			 .epoch = 3 },
	};

	raft.now.cluster.low_ns = cluster_ns + error_ns - BOUND_NS;
	raft.now.cluster.high_ns = cluster_ns + error_ns + BOUND_NS;
	for (uint32_t i = 0; i < NODES; i++)
		raft.peers[i].rtt = (struct rtt){ 500 * NS_PER_US,
						  100 * NS_PER_US };
	return raft;
}

/* Cluster time at which it would stand, hearing the leader last at `heard`. */
static int64_t stands_ns(uint32_t id, int64_t heard_ns, int64_t error_ns)
{
	struct raft raft = follower(id, heard_ns, error_ns);
	int64_t wait_ns;

	assert_true(slots_wait_ns(&raft, TIMEOUT_NS, &wait_ns));
	assert_true(wait_ns >= 0);
	assert_true(wait_ns < TIMEOUT_NS);
	return heard_ns + TIMEOUT_NS + wait_ns;
}

static void two_followers_never_stand_together(void **state)
{
	const int64_t rtt_ns = 900 * NS_PER_US; /* high side of the above */
	struct prng prng;
	(void)state;

	prng_seed(&prng, 1);
	for (int i = 0; i < 20000; i++) {
		int64_t heard_ns = 1700000000 * NS_PER_SEC +
				   (int64_t)prng_below(&prng, NS_PER_SEC);
		int64_t later_ns = (int64_t)prng_below(&prng, NS_PER_SEC / 10);
		uint32_t a = 3 + (uint32_t)prng_below(&prng, 3);
		uint32_t b = a == 5 ? 1 : a + 1;
		int64_t error_a = (int64_t)prng_below(&prng, 2 * BOUND_NS) -
				  BOUND_NS;
		int64_t error_b = (int64_t)prng_below(&prng, 2 * BOUND_NS) -
				  BOUND_NS;
		int64_t apart_ns = stands_ns(a, heard_ns, error_a) -
				   stands_ns(b, heard_ns + later_ns, error_b);

		if (apart_ns < 0)
			apart_ns = -apart_ns;
		assert_true(apart_ns >= rtt_ns);
	}
}

static void the_member_after_the_leader_has_the_first_slot(void **state)
{
	/* A multiple of every slot and turn of powers of two here. */
	int64_t heard_ns = (INT64_C(1) << 50) - TIMEOUT_NS;
	(void)state;

	assert_true(stands_ns(3, heard_ns, 0) < stands_ns(4, heard_ns, 0));
	assert_true(stands_ns(4, heard_ns, 0) < stands_ns(5, heard_ns, 0));
	assert_true(stands_ns(5, heard_ns, 0) < stands_ns(1, heard_ns, 0));
}

static void what_is_not_known_is_drawn_instead(void **state)
{
	struct raft none = follower(3, NS_PER_SEC, 0);
	int64_t wait_ns;
	(void)state;

	none.now.usable = false;
	assert_false(slots_wait_ns(&none, TIMEOUT_NS, &wait_ns));
	none = follower(3, NS_PER_SEC, 0);
	none.leader = RAFT_NOBODY;
	assert_false(slots_wait_ns(&none, TIMEOUT_NS, &wait_ns));
	none = follower(3, NS_PER_SEC, 0);
	for (uint32_t i = 0; i < NODES; i++)
		none.peers[i].rtt.smoothed_ns = 0;
	assert_false(slots_wait_ns(&none, TIMEOUT_NS, &wait_ns));
}

static void a_second_attempt_and_a_wide_slot_are_drawn(void **state)
{
	struct raft again = follower(3, NS_PER_SEC, 0);
	struct raft wide = follower(3, NS_PER_SEC, 0);
	int64_t wait_ns;
	(void)state;

	again.role = RAFT_PRECANDIDATE;
	assert_false(slots_wait_ns(&again, TIMEOUT_NS, &wait_ns));
	wide.now.cluster.high_ns += TIMEOUT_NS;
	assert_false(slots_wait_ns(&wide, TIMEOUT_NS, &wait_ns));
	wide.now.cluster.low_ns = INT64_MIN;
	wide.now.cluster.high_ns = INT64_MAX;
	assert_false(slots_wait_ns(&wide, TIMEOUT_NS, &wait_ns));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_followers_never_stand_together),
		cmocka_unit_test(the_member_after_the_leader_has_the_first_slot),
		cmocka_unit_test(what_is_not_known_is_drawn_instead),
		cmocka_unit_test(a_second_attempt_and_a_wide_slot_are_drawn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
