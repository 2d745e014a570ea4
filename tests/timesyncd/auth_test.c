/* MACs, replay windows and buckets: what passes once, and what never does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/units.h"
#include "timesyncd/auth.h"
#include "timesyncd/packet.h"

struct pair {
	struct auth a; /* node 1's view of node 2 */
	struct auth b; /* node 2's view of node 1 */
	struct auth stranger;
};

static struct pair new_pair(void)
{
	struct node_key one, two, three;
	struct pair pair;

	keys_init();
	assert_int_equal(keys_generate(&one), RFS_ERR_OK);
	assert_int_equal(keys_generate(&two), RFS_ERR_OK);
	assert_int_equal(keys_generate(&three), RFS_ERR_OK);
	assert_int_equal(auth_init(&pair.a, &one, two.public_key, "c"),
			 RFS_ERR_OK);
	assert_int_equal(auth_init(&pair.b, &two, one.public_key, "c"),
			 RFS_ERR_OK);
	assert_int_equal(auth_init(&pair.stranger, &three, two.public_key,
				   "c"),
			 RFS_ERR_OK);
	return pair;
}

static struct timepacket_head sealed(const struct auth *auth,
				     uint8_t packet[TIMEPACKET_BYTES])
{
	struct timepacket_head head = {
		.kind = TIMEPACKET_REQUEST,
		.from = 1,
		.to = 2,
		.from_boot = { 1, 2, 3 },
		.to_boot = { 9, 8, 7 },
		.counter = 77,
		.nonce = 0x1122334455667788,
	};

	packet_request(packet, &head, 42);
	auth_seal(auth, &head, packet);
	return head;
}

static void what_one_seals_the_other_accepts(void **state)
{
	(void)state;
	struct pair pair = new_pair();
	uint8_t packet[TIMEPACKET_BYTES];
	struct timepacket_head head;

	sealed(&pair.a, packet);
	assert_int_equal(timepacket_head_decode(packet, sizeof(packet), &head),
			 RFS_ERR_OK);
	assert_int_equal(head.counter, 77);
	assert_int_equal(head.nonce, 0x1122334455667788);
	assert_int_equal(auth_check(&pair.b, &head, packet), RFS_ERR_OK);
	assert_int_equal(packet_parse_request(packet, &head), RFS_ERR_OK);
}

static void every_bit_is_covered(void **state)
{
	(void)state;
	struct pair pair = new_pair();
	uint8_t packet[TIMEPACKET_BYTES];

	sealed(&pair.a, packet);
	for (size_t bit = 0; bit < 8 * sizeof(packet); bit++) {
		struct timepacket_head head;

		packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (timepacket_head_decode(packet, sizeof(packet), &head) ==
		    RFS_ERR_OK)
			assert_int_equal(auth_check(&pair.b, &head, packet),
					 RFS_ERR_DENIED);
		packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void a_stranger_cannot_seal(void **state)
{
	(void)state;
	struct pair pair = new_pair();
	uint8_t packet[TIMEPACKET_BYTES];
	struct timepacket_head head = sealed(&pair.stranger, packet);

	assert_int_equal(auth_check(&pair.b, &head, packet), RFS_ERR_DENIED);
}

static void a_packet_cannot_be_turned_round(void **state)
{
	(void)state;
	struct pair pair = new_pair();
	uint8_t packet[TIMEPACKET_BYTES];
	struct timepacket_head head = sealed(&pair.a, packet);
	struct timepacket_head back = head;

	back.from = head.to;
	back.to = head.from;
	timepacket_head_encode(&back, packet);
	assert_int_equal(auth_check(&pair.a, &back, packet), RFS_ERR_DENIED);
}

static void another_clusters_packets_do_not_pass(void **state)
{
	(void)state;
	struct pair pair = new_pair();
	struct auth other = pair.b;
	uint8_t packet[TIMEPACKET_BYTES];
	struct timepacket_head head = sealed(&pair.a, packet);

	memcpy(other.cluster_id, "d", 2);
	assert_int_equal(auth_check(&other, &head, packet), RFS_ERR_DENIED);
}

static void a_key_that_is_no_key_is_refused(void **state)
{
	(void)state;
	const uint8_t zeros[KEY_PUBLIC_BYTES] = { 0 };
	struct node_key one;
	struct auth auth;

	keys_init();
	assert_int_equal(keys_generate(&one), RFS_ERR_OK);
	assert_int_equal(auth_init(&auth, &one, zeros, "c"), RFS_ERR_INVALID);
}

static void datagrams_of_another_shape_are_refused(void **state)
{
	(void)state;
	struct pair pair = new_pair();
	uint8_t packet[TIMEPACKET_BYTES + 1] = { 0 };
	struct timepacket_head head;

	sealed(&pair.a, packet);
	assert_int_equal(timepacket_head_decode(packet, TIMEPACKET_BYTES - 1,
						&head),
			 RFS_ERR_INVALID);
	assert_int_equal(timepacket_head_decode(packet, TIMEPACKET_BYTES + 1,
						&head),
			 RFS_ERR_INVALID);
	assert_int_equal(timepacket_head_decode(packet, 0, &head),
			 RFS_ERR_INVALID);
	packet[4]++;
	assert_int_equal(timepacket_head_decode(packet, TIMEPACKET_BYTES,
						&head),
			 RFS_ERR_VERSION);
}

static void a_reply_comes_back_as_it_went(void **state)
{
	(void)state;
	uint8_t packet[TIMEPACKET_BYTES];
	struct timepacket_head head = { .kind = TIMEPACKET_REPLY };
	struct packet_answer in = {
		.t2_ns = INT64_MIN,
		.t3_ns = INT64_MAX,
		.cluster_ns = INT64_MIN,
		.rtt_ns = INT64_MIN,
		.hears = UINT32_MAX,
		.previous_nonce = UINT64_MAX,
		.previous_t3_ns = INT64_MAX,
		.asked_nonce = UINT64_MAX,
		.asked_t1_ns = INT64_MIN,
		.asked_elapsed_ns = UINT32_MAX,
		.clock = { .quality = TIMESYNC_DISRUPTED,
			   .epoch = UINT64_MAX,
			   .asof_ns = -1,
			   .offset_ns = INT64_MIN,
			   .bound_ns = INT64_MAX,
			   .drift_ppb = INT32_MIN,
			   .growth_ppb = UINT32_MAX,
			   .void_after_ns = INT64_MAX,
			   .disruptions = UINT32_MAX,
			   .stratum = UINT32_MAX },
	};
	struct packet_answer out;

	packet_reply(packet, &head, &in); /* the largest there is: it fits */
	assert_int_equal(packet_parse_reply(packet, &head, &out), RFS_ERR_OK);
	assert_true(out.t2_ns == in.t2_ns);
	assert_true(out.t3_ns == in.t3_ns);
	assert_true(out.previous_nonce == in.previous_nonce);
	assert_true(out.previous_t3_ns == in.previous_t3_ns);
	assert_true(out.asked_nonce == in.asked_nonce);
	assert_true(out.asked_t1_ns == in.asked_t1_ns);
	assert_true(out.asked_elapsed_ns == in.asked_elapsed_ns);
	assert_true(out.clock.epoch == in.clock.epoch);
	assert_true(out.clock.asof_ns == in.clock.asof_ns);
	assert_true(out.clock.offset_ns == in.clock.offset_ns);
	assert_true(out.clock.bound_ns == in.clock.bound_ns);
	assert_true(out.clock.drift_ppb == in.clock.drift_ppb);
	assert_true(out.clock.growth_ppb == in.clock.growth_ppb);
	assert_true(out.clock.void_after_ns == in.clock.void_after_ns);
	assert_int_equal(out.clock.quality, in.clock.quality);
	assert_true(out.clock.disruptions == in.clock.disruptions);
}

static void a_counter_passes_once_in_any_order(void **state)
{
	(void)state;
	struct replay replay;

	replay_reset(&replay);
	assert_false(replay_accept(&replay, 0));
	for (uint64_t c = 1000; c > 0; c -= 2)
		assert_true(replay_accept(&replay, c));
	for (uint64_t c = 999;; c -= 2) {
		assert_true(replay_accept(&replay, c));
		if (c == 1)
			break;
	}
	for (uint64_t c = 1; c <= 1000; c++)
		assert_false(replay_accept(&replay, c));
}

static void counters_behind_the_window_never_pass(void **state)
{
	(void)state;
	struct replay replay;

	replay_reset(&replay);
	assert_true(replay_accept(&replay, 5000));
	assert_false(replay_accept(&replay, 5000 - REPLAY_WINDOW));
	assert_true(replay_accept(&replay, 5001 - REPLAY_WINDOW));
	assert_true(replay_accept(&replay, 5001));
	/* That moved the window; its bits for the new counters are clean. */
	assert_false(replay_accept(&replay, 5001 - REPLAY_WINDOW));
	assert_true(replay_accept(&replay, 1000000));
	assert_true(replay_accept(&replay, 1000000 - REPLAY_WINDOW + 1));
	assert_false(replay_accept(&replay, UINT64_MAX));
}

static void a_flood_gets_what_the_bucket_holds(void **state)
{
	(void)state;
	struct bucket bucket;
	uint32_t passed = 0;

	bucket_init(&bucket, 10, 100, 0);
	for (int i = 0; i < 1000; i++)
		passed += bucket_take(&bucket, 5);
	assert_int_equal(passed, 10);
	/* A second later: a hundred more would be due, ten is all it holds. */
	for (int i = 0; i < 1000; i++)
		passed += bucket_take(&bucket, NS_PER_SEC);
	assert_int_equal(passed, 20);
	assert_true(bucket_take(&bucket, NS_PER_SEC + 10 * NS_PER_MS));
	assert_false(bucket_take(&bucket, NS_PER_SEC + 15 * NS_PER_MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_one_seals_the_other_accepts),
		cmocka_unit_test(every_bit_is_covered),
		cmocka_unit_test(a_stranger_cannot_seal),
		cmocka_unit_test(a_packet_cannot_be_turned_round),
		cmocka_unit_test(another_clusters_packets_do_not_pass),
		cmocka_unit_test(a_key_that_is_no_key_is_refused),
		cmocka_unit_test(datagrams_of_another_shape_are_refused),
		cmocka_unit_test(a_reply_comes_back_as_it_went),
		cmocka_unit_test(a_counter_passes_once_in_any_order),
		cmocka_unit_test(counters_behind_the_window_never_pass),
		cmocka_unit_test(a_flood_gets_what_the_bucket_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
