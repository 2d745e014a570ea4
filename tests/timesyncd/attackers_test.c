/* Attackers who pass the MAC, or own the path: what they can do to the clock.
 *
 * The sorts of the threat model in docs/SAFETY.md. Strangers, forgers, replayers
 * and flooders never reach the core: peers_test.c, with real packets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/units.h"
#include "tests/timesyncd/mesh.h"

/* Node 0 leads, and all drifts are known. */
static struct mesh *settled_mesh(uint32_t count, uint64_t seed)
{
	struct mesh *mesh = malloc(sizeof(*mesh));

	assert_non_null(mesh);
	mesh_init(mesh, count, seed);
	mesh_start_all(mesh);
	mesh_run(mesh, NS_PER_SEC);
	mesh_elect(mesh, 0);
	mesh_run(mesh, 60 * NS_PER_SEC);
	return mesh;
}

/* Every clock, between any two events, held the truth and never went back. */
static void end_mesh(struct mesh *mesh)
{
	assert_true(mesh->checks > 0);
	assert_int_equal(mesh->violations, 0);
	assert_int_equal(mesh->steps_back, 0);
	mesh_fini(mesh);
	free(mesh);
}

/* The honest ones between leader and liar. */
static void assert_unmoved(struct mesh *mesh, uint32_t liar)
{
	for (uint32_t i = 1; i < mesh->count; i++) {
		if (i == liar)
			continue;
		assert_int_equal(mesh_clock(mesh, i)->disruptions, 0);
		assert_true(llabs(mesh_error_ns(mesh, i)) < 50 * NS_PER_US);
	}
}

static const struct timesync_peer_view *
view_of(struct timesync_peer_view *views, struct mesh *mesh, uint32_t who,
	uint32_t whom)
{
	uint32_t count = timesync_peers(mesh->nodes[who].timesync, views);

	for (uint32_t i = 0; i < count; i++)
		if (views[i].id == whom + 1)
			return &views[i];
	fail();
	return NULL;
}

static void a_two_faced_liar_is_named_by_all_and_moves_nobody(void **state)
{
	(void)state;

	for (uint32_t count = 3; count <= 5; count++) {
		struct timesync_peer_view views[TIMESYNC_PEERS_MAX];
		struct mesh *mesh = settled_mesh(count, 100 + count);
		uint32_t liar = count - 1;

		mesh->nodes[liar].lies = true;
		mesh->two_faced = true;
		mesh->lie_ns = 20 * NS_PER_MS;
		mesh_run(mesh, 60 * NS_PER_SEC);
		assert_unmoved(mesh, liar);
		for (uint32_t i = 1; i < liar; i++) {
			const struct timesync_peer_view *view =
				view_of(views, mesh, i, liar);

			assert_false(view->truechimer);
			assert_string_equal(
				view->why,
				"falseticker: disagrees with the majority");
		}
		end_mesh(mesh);
	}
}

/* Too small to be seen: smaller than the bounds. */
static void a_lie_that_nobody_can_name_moves_nobody(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(5, 7);

	mesh->nodes[4].lies = true;
	mesh->two_faced = true;
	for (mesh->lie_ns = 5 * NS_PER_US; mesh->lie_ns < 5 * NS_PER_MS;
	     mesh->lie_ns *= 2) {
		mesh_run(mesh, 20 * NS_PER_SEC);
		assert_unmoved(mesh, 4);
	}
	end_mesh(mesh);
}

/* How far a clock moved against the truth in a tenth of a second, at most. */
static int64_t fastest_ns(struct mesh *mesh, uint32_t index, int64_t for_ns)
{
	int64_t before_ns = mesh_error_ns(mesh, index), most_ns = 0;

	for (int64_t t = 0; t < for_ns; t += 100 * NS_PER_MS) {
		mesh_run(mesh, 100 * NS_PER_MS);
		int64_t now_ns = mesh_error_ns(mesh, index);

		if (llabs(now_ns - before_ns) > most_ns)
			most_ns = llabs(now_ns - before_ns);
		before_ns = now_ns;
	}
	return most_ns;
}

/* All that goes up takes 40 ms more from now on, all that goes down does not.
 * Offsets look wrong by 20 ms, and so do they to everybody alike. */
static void a_delayer_widens_bounds_and_steers_no_faster_than_a_slew(
	void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(3, 11);

	mesh->asymmetry_ns = 40 * NS_PER_MS;
	for (uint32_t i = 1; i < 3; i++) {
		int64_t most_ns = fastest_ns(mesh, i, 30 * NS_PER_SEC);

		/* max_slew, and the drift that is being learnt. */
		assert_true(most_ns <=
			    units_scale_ppb(100 * NS_PER_MS,
					    500000 + 2 * 200000) +
				    10 * NS_PER_US);
		assert_int_equal(mesh_clock(mesh, i)->disruptions, 0);
	}
	end_mesh(mesh);
}

/* A mesh's attacker of the path up, to node 1's clock and the third's. */
static int64_t worst_error_ns(struct mesh *mesh, int64_t for_ns)
{
	int64_t worst_ns = 0;

	for (int64_t t = 0; t < for_ns; t += NS_PER_SEC) {
		mesh_run(mesh, NS_PER_SEC);
		for (uint32_t i = 1; i < mesh->count; i++)
			if (llabs(mesh_error_ns(mesh, i)) > worst_ns)
				worst_ns = llabs(mesh_error_ns(mesh, i));
	}
	return worst_ns;
}

static void a_delay_far_above_the_least_steers_nothing(void **state)
{
	(void)state;
	struct timesync_peer_view views[TIMESYNC_PEERS_MAX];
	struct mesh *mesh = settled_mesh(3, 17);

	mesh_run(mesh, 60 * NS_PER_SEC);
	mesh->asymmetry_ns = 40 * NS_PER_MS;
	/* Without the guard it is 20 ms. */
	assert_true(worst_error_ns(mesh, 120 * NS_PER_SEC) < 50 * NS_PER_US);
	assert_true(view_of(views, mesh, 2, 0)->withheld > 2);
	assert_int_equal(view_of(views, mesh, 2, 0)->rejected, 0);
	assert_true(view_of(views, mesh, 2, 0)->truechimer);
	end_mesh(mesh);
}

/* What the guard lets through: half of twice the least delay and 200 us. */
static void a_delay_within_the_limit_moves_no_more_than_half_of_it(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(3, 19);

	mesh_run(mesh, 60 * NS_PER_SEC);
	mesh->asymmetry_ns = 550 * NS_PER_US;
	assert_true(worst_error_ns(mesh, 300 * NS_PER_SEC) < 330 * NS_PER_US);
	end_mesh(mesh);
}

/* A delayer with patience: from the start, and changing sides. What it moves
 * the clock by in all is capped. */
static void a_patient_delayer_is_held_by_the_budget(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(3, 23);

	mesh->config.max_correction_ns = 5 * NS_PER_MS;
	for (uint32_t i = 0; i < 3; i++) {
		mesh_stop(mesh, i);
		mesh_start(mesh, i);
	}
	mesh->delay_ns = 40 * NS_PER_MS;
	mesh_elect(mesh, 0);
	mesh_run(mesh, 60 * NS_PER_SEC);
	for (int i = 0; i < 8; i++) {
		mesh->asymmetry_ns = i % 2 == 0 ? 30 * NS_PER_MS : 0;
		mesh_run(mesh, 120 * NS_PER_SEC);
	}
	for (uint32_t i = 1; i < 3; i++) {
		struct timesync_corrections spent = timesync_corrections(
			mesh->nodes[i].timesync,
			(int64_t)mesh->nodes[i].raw_ns);

		assert_true(spent.held_back > 0);
		assert_in_range(spent.spent_ns, 4 * NS_PER_MS,
				5 * NS_PER_MS + NS_PER_MS / 1000);
	}
	end_mesh(mesh);
}

/* Longer than max_rtt: refused, and with it the attacker's influence. */
static void a_delay_beyond_max_rtt_is_not_listened_to(void **state)
{
	(void)state;
	struct timesync_peer_view views[TIMESYNC_PEERS_MAX];
	struct mesh *mesh = settled_mesh(3, 13);
	uint64_t rejected = view_of(views, mesh, 2, 0)->rejected;
	int64_t drift_ppb = mesh_clock(mesh, 2)->drift_ppb;

	mesh->asymmetry_ns = 600 * NS_PER_MS;
	mesh_run(mesh, 40 * NS_PER_SEC);
	assert_true(view_of(views, mesh, 2, 0)->rejected > rejected);
	/* It runs on what it knew. */
	assert_true(llabs(mesh_clock(mesh, 2)->drift_ppb - drift_ppb) < 5000);
	assert_true(llabs(mesh_error_ns(mesh, 2)) < 200 * NS_PER_US);
	assert_int_equal(mesh_clock(mesh, 2)->disruptions, 0);
	end_mesh(mesh);
}

/* Somebody who picks time packets, from their first on: to node 1's clock. */
static struct mesh *attacked_mesh(int64_t tcp_rtt_ns)
{
	struct mesh *mesh = malloc(sizeof(*mesh));

	assert_non_null(mesh);
	mesh_init(mesh, 3, 29);
	mesh->attack_ns = 5 * NS_PER_MS;
	mesh->tcp_rtt_ns = tcp_rtt_ns;
	mesh_start_all(mesh);
	mesh_run(mesh, NS_PER_SEC);
	mesh_elect(mesh, 0);
	mesh_run(mesh, 120 * NS_PER_SEC);
	return mesh;
}

static void a_delay_from_the_first_packet_on_is_seen_beside_tcp(void **state)
{
	(void)state;
	struct timesync_peer_view views[TIMESYNC_PEERS_MAX];
	struct mesh *mesh = attacked_mesh(0);

	/* Nothing to compare with: half of the delay, within the bound. */
	assert_in_range(worst_error_ns(mesh, 60 * NS_PER_SEC), 2 * NS_PER_MS,
			3 * NS_PER_MS);
	assert_false(view_of(views, mesh, 1, 0)->doubtful_path);
	end_mesh(mesh);

	mesh = attacked_mesh(220 * NS_PER_US);
	assert_true(worst_error_ns(mesh, 60 * NS_PER_SEC) < 50 * NS_PER_US);
	assert_true(view_of(views, mesh, 1, 0)->doubtful_path);
	assert_in_range(view_of(views, mesh, 1, 0)->doubt_ns,
			2400 * NS_PER_US, 2700 * NS_PER_US);
	assert_false(view_of(views, mesh, 1, 2)->doubtful_path);
	assert_int_equal(view_of(views, mesh, 2, 0)->doubted, 0);

	mesh->attack_ns = 0;
	mesh_run(mesh, 60 * NS_PER_SEC);
	assert_false(view_of(views, mesh, 1, 0)->doubtful_path);
	assert_int_equal(view_of(views, mesh, 1, 0)->doubt_ns, 0);
	assert_true(worst_error_ns(mesh, 60 * NS_PER_SEC) < 50 * NS_PER_US);
	end_mesh(mesh);
}

/* With two nodes there is no other way round: it follows, as it did without. */
static void a_doubtful_way_is_followed_where_there_is_no_other(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(2, 31);

	mesh->tcp_rtt_ns = 5 * NS_PER_US;
	mesh->asymmetry_ns = 5 * NS_PER_MS;
	mesh_stop(mesh, 1);
	mesh_start(mesh, 1);
	mesh_run(mesh, 60 * NS_PER_SEC);
	mesh_elect(mesh, 0);
	assert_true(worst_error_ns(mesh, 300 * NS_PER_SEC) < 3 * NS_PER_MS);
	assert_true(mesh_is_synced(mesh, 1) ||
		    mesh_clock(mesh, 1)->quality == TIMESYNC_HOLDOVER);
	end_mesh(mesh);
}

static void count_lines(void *ctx, uint32_t id, const char *text)
{
	uint32_t *lines = ctx;

	(void)text;
	lines[id - 1]++;
}

/* Nobody's attack, but as bad: an oscillator that keeps no promise, so that no
 * two of its measurements agree. It is not believed in between, asks no more
 * than others do, and fills nobody's log. */
static void a_clock_beyond_rho_stays_disrupted_and_costs_little(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(3, 29);
	uint32_t lines[3] = { 0 };
	uint64_t requests;

	mesh->quiet = true;
	mesh->told = count_lines;
	mesh->told_ctx = lines;
	mesh->config.max_rate_ppb = 4000000; /* of the world, not the cores */
	mesh->nodes[2].rate = 1 + 1e-3;
	mesh_run(mesh, 300 * NS_PER_SEC);
	requests = mesh->nodes[2].requests;
	for (int i = 0; i < 600; i++) {
		mesh_run(mesh, NS_PER_SEC);
		assert_int_equal(mesh_clock(mesh, 2)->quality,
				 TIMESYNC_DISRUPTED);
	}
	assert_int_equal(mesh_clock(mesh, 1)->disruptions, 0);
	assert_true(mesh_bound_ns(mesh, 1) < 2 * NS_PER_MS);
	assert_true(mesh->nodes[2].requests - requests < 1000);
	for (int i = 0; i < 3; i++)
		assert_true(lines[i] < 60);

	/* It is repaired, and believed again after a while. */
	mesh->nodes[2].rate = 1 + 1e-5;
	mesh_run(mesh, 60 * NS_PER_SEC);
	assert_false(mesh_is_synced(mesh, 2));
	mesh_run(mesh, 60 * NS_PER_SEC);
	assert_true(mesh_is_synced(mesh, 2));
	assert_true(llabs(mesh_error_ns(mesh, 2)) < 50 * NS_PER_US);
	mesh_fini(mesh);
	free(mesh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_two_faced_liar_is_named_by_all_and_moves_nobody),
		cmocka_unit_test(a_lie_that_nobody_can_name_moves_nobody),
		cmocka_unit_test(
			a_delayer_widens_bounds_and_steers_no_faster_than_a_slew),
		cmocka_unit_test(a_delay_far_above_the_least_steers_nothing),
		cmocka_unit_test(
			a_delay_within_the_limit_moves_no_more_than_half_of_it),
		cmocka_unit_test(a_patient_delayer_is_held_by_the_budget),
		cmocka_unit_test(a_delay_beyond_max_rtt_is_not_listened_to),
		cmocka_unit_test(
			a_delay_from_the_first_packet_on_is_seen_beside_tcp),
		cmocka_unit_test(
			a_doubtful_way_is_followed_where_there_is_no_other),
		cmocka_unit_test(
			a_clock_beyond_rho_stays_disrupted_and_costs_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
