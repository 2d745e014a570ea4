/* One peer: exchanges of its own that it tells us of; what TCP's round trips may
 * do to it, and what they may not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/prng.h"
#include "timesyncd/core/peer.h"

static const struct exchange_limits limits = {
	.rho_ppb = 200000,
	.precision_ns = 50,
	.max_rtt_ns = NS_PER_SEC,
};

static struct peer new_peer(void)
{
	struct peer peer;

	peer_init(&peer, 7, 10, 0, 0);
	return peer;
}

/* The second'th exchange of an exact carrier's, up_ns there and down_ns back;
 * its raw clock is one second ahead. */
static struct timesync_exchange exchange_at(int64_t second, int64_t up_ns,
					    int64_t down_ns)
{
	int64_t t1_ns = second * NS_PER_SEC;
	struct timesync_exchange exchange = {
		.peer = 7,
		.t1_ns = t1_ns,
		.t2_ns = t1_ns + NS_PER_SEC + up_ns,
		.t3_ns = t1_ns + NS_PER_SEC + up_ns,
		.t4_ns = t1_ns + up_ns + down_ns,
		.server_boot = 1,
		.server_clock = {
			.quality = TIMESYNC_SYNCED,
			.epoch = 1,
			.void_after_ns = INT64_MAX,
			.stratum = 1,
		},
	};

	return exchange;
}

static void take(struct peer *peer, const struct timesync_exchange *exchange)
{
	struct interval held, met;

	assert_int_equal(peer_take(peer, exchange, &limits, 0,
				   exchange->t4_ns, &held, &met),
			 PEER_TAKEN);
}

static void whatever_tcp_shows_claims_stay_as_they_are(void **state)
{
	(void)state;
	struct peer told = new_peer(), untold = new_peer();
	struct prng prng;

	prng_seed(&prng, 5);
	for (int64_t i = 1; i <= 1000; i++) {
		struct timesync_exchange exchange = exchange_at(
			i, 100 * NS_PER_US + (INT64_C(1) << prng_below(&prng, 24)),
			100 * NS_PER_US);

		take(&untold, &exchange);
		exchange.tcp_rtt_ns = INT64_C(1) << prng_below(&prng, 40);
		take(&told, &exchange);
		assert_memory_equal(&told.claim, &untold.claim,
				    sizeof(told.claim));
	}
	assert_true(told.doubted > 100);
	assert_int_equal(untold.doubted, 0);
}

/* However short the kernel says TCP's round trips are, and however long. */
static void whatever_tcp_shows_no_estimate_is_thought_better_of(void **state)
{
	(void)state;
	struct peer told = new_peer();
	struct prng prng;

	prng_seed(&prng, 6);
	for (int64_t i = 1; i <= 300; i++) {
		struct timesync_exchange exchange = exchange_at(
			i, 100 * NS_PER_US + (INT64_C(1) << prng_below(&prng, 24)),
			100 * NS_PER_US);

		exchange.tcp_rtt_ns = INT64_C(1) << prng_below(&prng, 40);
		take(&told, &exchange);
		assert_true(told.doubt_ns >= 0);
		assert_true(peer_target_doubt_ns(&told, exchange.t4_ns) >=
			    peer_target_sigma_ns(&told, exchange.t4_ns));
	}
}

/* The same link seen from the end that answered, a tenth of a second later. */
static struct timesync_exchange served_at(int64_t second)
{
	int64_t t2_ns = second * NS_PER_SEC + 100 * NS_PER_MS;
	struct timesync_exchange exchange = exchange_at(second, 0, 0);

	exchange.t1_ns = t2_ns + NS_PER_SEC - 100 * NS_PER_US;
	exchange.t2_ns = exchange.t3_ns = t2_ns;
	exchange.t4_ns = t2_ns + NS_PER_SEC + 100 * NS_PER_US;
	return exchange;
}

static enum peer_verdict take_served(struct peer *peer,
				     const struct timesync_exchange *exchange)
{
	struct interval held, met;

	return peer_take_served(peer, exchange, &limits, 0,
				exchange->t3_ns + NS_PER_SEC, &held, &met);
}

static void an_exchange_of_the_peers_counts_like_one_of_ours(void **state)
{
	(void)state;
	struct peer peer = new_peer();
	struct timesync_exchange first =
		exchange_at(1, 150 * NS_PER_US, 150 * NS_PER_US);
	struct timesync_exchange theirs = served_at(1);

	take(&peer, &first);
	assert_int_equal(take_served(&peer, &theirs), PEER_TAKEN);
	assert_int_equal(peer.served, 1);
	assert_int_equal(peer.filter.count, 2);
	assert_int_equal(filter_best(&peer.filter)->delay_ns, 200 * NS_PER_US);
	assert_in_range(filter_offset_at(&peer.filter, theirs.t3_ns),
			NS_PER_SEC - 5 * NS_PER_US, NS_PER_SEC + 5 * NS_PER_US);
}

static void an_exchange_of_the_peers_out_of_turn_is_refused(void **state)
{
	(void)state;
	struct peer peer = new_peer();
	struct timesync_exchange ours =
		exchange_at(2, 100 * NS_PER_US, 100 * NS_PER_US);
	struct timesync_exchange theirs = served_at(2);

	/* Before anything is known of its boot. */
	assert_int_equal(take_served(&peer, &theirs), PEER_REFUSED);
	take(&peer, &ours);
	/* Older than the newest. */
	theirs = served_at(1);
	assert_int_equal(take_served(&peer, &theirs), PEER_REFUSED);
	/* Of another boot, of another clock. */
	theirs = served_at(2);
	theirs.server_boot++;
	assert_int_equal(take_served(&peer, &theirs), PEER_REFUSED);
	theirs = served_at(2);
	theirs.server_clock.disruptions++;
	assert_int_equal(take_served(&peer, &theirs), PEER_REFUSED);
	/* An answer that arrived before its question left. */
	theirs = served_at(2);
	theirs.t4_ns = theirs.t1_ns - 1;
	assert_int_equal(take_served(&peer, &theirs), PEER_REFUSED);
	assert_int_equal(peer.served, 0);
	theirs = served_at(2);
	assert_int_equal(take_served(&peer, &theirs), PEER_TAKEN);
}

static void a_lie_about_an_exchange_of_its_own_contradicts(void **state)
{
	(void)state;
	struct peer peer = new_peer();
	struct timesync_exchange ours =
		exchange_at(2, 100 * NS_PER_US, 100 * NS_PER_US);
	struct timesync_exchange theirs = served_at(2);

	take(&peer, &ours);
	theirs.t1_ns += 10 * NS_PER_MS;
	theirs.t4_ns += 10 * NS_PER_MS;
	assert_int_equal(take_served(&peer, &theirs), PEER_CONTRADICTED);
	assert_int_equal(peer.contradictions, 1);
}

static void what_the_kernel_saw_long_ago_says_nothing(void **state)
{
	(void)state;
	struct peer peer = new_peer();
	struct timesync_exchange exchange =
		exchange_at(1, 5 * NS_PER_MS, 100 * NS_PER_US);

	exchange.tcp_rtt_ns = 200 * NS_PER_US;
	exchange.tcp_age_ns = 61 * NS_PER_SEC;
	take(&peer, &exchange);
	assert_int_equal(peer.tcp_rtt_ns, 0);
	assert_int_equal(peer.doubt_ns, 0);
	exchange = exchange_at(2, 5 * NS_PER_MS, 100 * NS_PER_US);
	exchange.tcp_rtt_ns = 200 * NS_PER_US;
	exchange.tcp_age_ns = 59 * NS_PER_SEC;
	take(&peer, &exchange);
	assert_int_equal(peer.doubt_ns, 2450 * NS_PER_US);
}

/* As long as that is better than the doubt: not for ever. */
static void what_was_measured_before_a_doubt_is_kept(void **state)
{
	(void)state;
	struct peer peer = new_peer();
	int64_t second = 1, estimate_ns;

	for (; second <= 200; second++) {
		struct timesync_exchange exchange = exchange_at(
			second, 100 * NS_PER_US, 100 * NS_PER_US);

		exchange.tcp_rtt_ns = 200 * NS_PER_US;
		take(&peer, &exchange);
	}
	assert_true(peer.filter.drift_known);
	/* So long that the guard takes it for the usual way. */
	for (; second <= 2000; second++) {
		struct timesync_exchange exchange =
			exchange_at(second, 9 * NS_PER_MS, 100 * NS_PER_US);

		exchange.tcp_rtt_ns = 200 * NS_PER_US;
		take(&peer, &exchange);
		estimate_ns = peer_target_at(&peer, exchange.t4_ns);
		assert_in_range(estimate_ns, NS_PER_SEC - 50 * NS_PER_US,
				NS_PER_SEC + 50 * NS_PER_US);
	}
	assert_true(guard_path_floor_ns(&peer.path) > 9 * NS_PER_MS);
	assert_true(peer.way.on);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_tcp_shows_claims_stay_as_they_are),
		cmocka_unit_test(
			whatever_tcp_shows_no_estimate_is_thought_better_of),
		cmocka_unit_test(
			an_exchange_of_the_peers_counts_like_one_of_ours),
		cmocka_unit_test(
			an_exchange_of_the_peers_out_of_turn_is_refused),
		cmocka_unit_test(a_lie_about_an_exchange_of_its_own_contradicts),
		cmocka_unit_test(what_the_kernel_saw_long_ago_says_nothing),
		cmocka_unit_test(what_was_measured_before_a_doubt_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
