/* The clock core in a small world: quality, bound and recovery, as promised. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "common/units.h"
#include "tests/timesyncd/mesh.h"

static struct mesh *new_mesh(uint32_t count, uint64_t seed)
{
	struct mesh *mesh = malloc(sizeof(*mesh));

	assert_non_null(mesh);
	mesh_init(mesh, count, seed);
	return mesh;
}

static void end_mesh(struct mesh *mesh)
{
	assert_int_equal(mesh->violations, 0);
	assert_int_equal(mesh->steps_back, 0);
	mesh_fini(mesh);
	free(mesh);
}

/* Up, elected, and long enough for the drifts to be known. */
static struct mesh *settled_mesh(uint32_t count, uint64_t seed)
{
	struct mesh *mesh = new_mesh(count, seed);

	mesh_start_all(mesh);
	mesh_run(mesh, NS_PER_SEC);
	mesh_elect(mesh, 0);
	mesh_run(mesh, 60 * NS_PER_SEC);
	return mesh;
}

static void without_a_leader_there_is_no_bound(void **state)
{
	(void)state;
	struct mesh *mesh = new_mesh(3, 1);

	mesh_start_all(mesh);
	mesh_run(mesh, 5 * NS_PER_SEC);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(mesh_clock(mesh, i)->quality,
				 TIMESYNC_UNSYNCED);
	end_mesh(mesh);
}

static void the_leader_is_exact_at_once(void **state)
{
	(void)state;
	struct mesh *mesh = new_mesh(3, 2);

	mesh_start_all(mesh);
	mesh_elect(mesh, 1);
	assert_true(mesh_is_synced(mesh, 1));
	assert_int_equal(mesh_clock(mesh, 1)->bound_ns, 0);
	assert_int_equal(mesh_clock(mesh, 1)->growth_ppb, 0);
	end_mesh(mesh);
}

static void a_cluster_of(uint32_t count)
{
	struct mesh *mesh = new_mesh(count, 10 + count);

	mesh_start_all(mesh);
	mesh_run(mesh, NS_PER_SEC);
	mesh_elect(mesh, 0);
	mesh_run(mesh, 2 * NS_PER_SEC);
	for (uint32_t i = 0; i < count; i++)
		assert_true(mesh_is_synced(mesh, i));
	mesh_run(mesh, 300 * NS_PER_SEC);
	for (uint32_t i = 0; i < count; i++) {
		assert_true(mesh_is_synced(mesh, i));
		assert_true(mesh_bound_ns(mesh, i) < 2 * NS_PER_MS);
	}
	assert_true(mesh->checks > 0);
	end_mesh(mesh);
}

static void one_node_alone_is_synced_to_itself(void **state)
{
	(void)state;
	a_cluster_of(1);
}

static void two_three_five_and_nine_nodes_synchronise(void **state)
{
	(void)state;
	a_cluster_of(2);
	a_cluster_of(3);
	a_cluster_of(5);
	a_cluster_of(9);
}

/* The raw clocks are known already: one answer carries the new anchor. */
static void a_new_leader_is_followed_within_a_few_round_trips(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(3, 20);

	mesh_elect(mesh, 2);
	assert_int_equal(mesh_clock(mesh, 0)->quality, TIMESYNC_UNSYNCED);
	assert_true(mesh_is_synced(mesh, 2));
	mesh_run(mesh, 30 * NS_PER_MS);
	assert_true(mesh_is_synced(mesh, 0));
	assert_true(mesh_is_synced(mesh, 1));
	end_mesh(mesh);
}

static void the_estimate_is_far_better_than_the_bound(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(3, 21);

	for (int i = 0; i < 60; i++) {
		mesh_run(mesh, NS_PER_SEC);
		assert_true(llabs(mesh_error_ns(mesh, 1)) < 50 * NS_PER_US);
		assert_true(llabs(mesh_error_ns(mesh, 2)) < 50 * NS_PER_US);
	}
	end_mesh(mesh);
}

static void the_parts_add_up_to_the_bound(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(3, 22);

	for (int i = 0; i < 50; i++) {
		mesh_run(mesh, 700 * NS_PER_MS);
		const struct timesync_clock *clock = mesh_clock(mesh, 1);

		assert_int_equal(clock->bound_ns,
				 clock->part_delay_ns +
					 clock->part_dispersion_ns +
					 clock->part_drift_ns +
					 clock->part_unslewed_ns);
		assert_true(clock->part_delay_ns >= 0);
		assert_true(clock->part_dispersion_ns >= 0);
		assert_true(clock->part_drift_ns >= 0);
		assert_true(clock->part_unslewed_ns >= 0);
	}
	end_mesh(mesh);
}

static void a_cut_off_node_holds_over_then_gives_up(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(3, 30);
	int64_t before_ns = mesh_bound_ns(mesh, 2);

	mesh_isolate(mesh, 2, true);
	mesh_run(mesh, 30 * NS_PER_SEC);
	assert_int_equal(mesh_clock(mesh, 2)->quality, TIMESYNC_HOLDOVER);
	assert_true(mesh_bound_ns(mesh, 2) >
		    before_ns + 3 * NS_PER_MS); /* 30 s at 200 ppm: 6 ms */
	mesh_run(mesh, 45 * NS_PER_SEC);
	assert_int_equal(mesh_clock(mesh, 2)->quality, TIMESYNC_UNSYNCED);
	assert_int_equal(mesh_bound_ns(mesh, 2), INT64_MAX);

	mesh_isolate(mesh, 2, false);
	mesh_run(mesh, 10 * NS_PER_SEC);
	assert_true(mesh_is_synced(mesh, 2));
	end_mesh(mesh);
}

static void a_page_nobody_rewrites_expires_by_itself(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(3, 31);
	struct timesync_clock page = *mesh_clock(mesh, 1);

	assert_false(interval_is_empty(
		timesync_clock_at(&page, page.asof_ns + NS_PER_SEC)));
	assert_true(interval_is_empty(timesync_clock_at(
		&page, page.asof_ns + mesh->config.void_after_ns)));
	end_mesh(mesh);
}

static void with_one_node_down_the_others_hold_over_but_do_not_expire(
	void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(3, 32);

	mesh_stop(mesh, 2);
	mesh_run(mesh, 200 * NS_PER_SEC);
	assert_int_equal(mesh_clock(mesh, 1)->quality, TIMESYNC_HOLDOVER);
	assert_true(mesh_bound_ns(mesh, 1) < 2 * NS_PER_MS);
	end_mesh(mesh);
}

static void min_peers_of_two_stays_synced_with_one_node_down(void **state)
{
	(void)state;
	struct mesh *mesh = new_mesh(3, 33);

	mesh->config.min_peers = 2;
	mesh_start_all(mesh);
	mesh_elect(mesh, 0);
	mesh_run(mesh, 10 * NS_PER_SEC);
	mesh_stop(mesh, 2);
	mesh_run(mesh, 20 * NS_PER_SEC);
	assert_true(mesh_is_synced(mesh, 1));
	end_mesh(mesh);
}

static void without_the_leader_the_others_still_hold(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(5, 34);

	mesh_isolate(mesh, 0, true);
	mesh_run(mesh, 40 * NS_PER_SEC);
	for (uint32_t i = 1; i < 5; i++)
		assert_true(mesh_bound_ns(mesh, i) != INT64_MAX);
	end_mesh(mesh);
}

static void a_deposed_leader_carries_its_timeline_on(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(3, 35);

	mesh_depose(mesh);
	mesh_run(mesh, 10 * NS_PER_SEC);
	assert_int_equal(mesh_clock(mesh, 0)->quality, TIMESYNC_HOLDOVER);
	assert_int_equal(mesh_clock(mesh, 0)->bound_ns, 0);
	mesh_run(mesh, 120 * NS_PER_SEC);
	assert_int_equal(mesh_clock(mesh, 0)->quality, TIMESYNC_UNSYNCED);
	end_mesh(mesh);
}

static void a_noticed_jump_is_disrupted_then_measured_again(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(3, 40);

	mesh_jump(mesh, 1, 100 * NS_PER_MS, true);
	assert_int_equal(mesh_clock(mesh, 1)->quality, TIMESYNC_DISRUPTED);
	assert_int_equal(mesh_clock(mesh, 1)->disruptions, 1);
	assert_int_equal(mesh_bound_ns(mesh, 1), INT64_MAX);
	mesh_run(mesh, NS_PER_SEC);
	assert_true(mesh_is_synced(mesh, 1));
	assert_int_equal(mesh_clock(mesh, 1)->disruptions, 1);
	end_mesh(mesh);
}

/* Nobody told it: the others' answers do. */
static void an_unnoticed_jump_is_found_by_the_majority(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(3, 41);

	mesh->quiet = true;
	mesh_jump(mesh, 1, 100 * NS_PER_MS, false);
	/* Until the next poll it cannot know; that is what rho excludes. */
	mesh_run(mesh, 20 * NS_PER_SEC);
	mesh->violations = 0;
	mesh->steps_back = 0;
	assert_int_equal(mesh_clock(mesh, 1)->disruptions, 1);
	assert_true(mesh_is_synced(mesh, 1));
	mesh_run(mesh, 20 * NS_PER_SEC);
	end_mesh(mesh);
}

static void a_jumped_leader_is_disrupted_until_the_next_epoch(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(3, 42);

	mesh->quiet = true;
	mesh_jump(mesh, 0, -50 * NS_PER_MS, true);
	mesh_run(mesh, 10 * NS_PER_SEC);
	mesh->violations = 0; /* until the others heard of it */
	assert_int_equal(mesh_clock(mesh, 0)->quality, TIMESYNC_DISRUPTED);
	assert_int_equal(mesh_clock(mesh, 1)->quality, TIMESYNC_UNSYNCED);
	assert_int_equal(mesh_clock(mesh, 2)->quality, TIMESYNC_UNSYNCED);

	mesh_elect(mesh, 0);
	mesh_run(mesh, NS_PER_SEC);
	for (uint32_t i = 0; i < 3; i++)
		assert_true(mesh_is_synced(mesh, i));
	end_mesh(mesh);
}

static void a_lying_peer_is_named_and_moves_nobody(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(3, 43);
	struct timesync_peer_view views[TIMESYNC_PEERS_MAX];

	mesh->nodes[2].lies = true;
	mesh->lie_ns = 100 * NS_PER_MS;
	mesh_run(mesh, 60 * NS_PER_SEC);
	assert_int_equal(timesync_peers(mesh->nodes[1].timesync, views), 2);
	assert_int_equal(views[1].id, 3);
	assert_false(views[1].truechimer);
	assert_string_equal(views[1].why,
			    "falseticker: disagrees with the majority");
	assert_true(views[0].truechimer);
	assert_int_equal(mesh_clock(mesh, 1)->quality, TIMESYNC_HOLDOVER);
	assert_int_equal(mesh_clock(mesh, 1)->disruptions, 0);
	assert_true(llabs(mesh_error_ns(mesh, 1)) < 50 * NS_PER_US);
	end_mesh(mesh);
}

static void a_restarted_peer_is_measured_afresh(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(3, 44);

	mesh_stop(mesh, 0);
	mesh->nodes[0].raw_ns = 1e9; /* its host booted */
	mesh_start(mesh, 0);
	mesh->epoch_offset_ns = 0; /* what it carried is gone */
	mesh->epoch++;
	mesh->epoch_offset_ns = INT64_C(2000000000000000);
	mesh->leader = 1;
	mesh_elect(mesh, 1);
	mesh_run(mesh, 5 * NS_PER_SEC);
	for (uint32_t i = 0; i < 3; i++) {
		assert_true(mesh_is_synced(mesh, i));
		assert_int_equal(mesh_clock(mesh, i)->disruptions, 0);
	}
	end_mesh(mesh);
}

static void steady_polling_is_as_slow_as_the_target_allows(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(3, 50);
	uint64_t before = mesh->nodes[1].requests;

	mesh_run(mesh, 100 * NS_PER_SEC);
	/* 1 ms at 200 ppm: about 4 s between polls of two peers. */
	assert_in_range(mesh->nodes[1].requests - before, 30, 70);
	for (int i = 0; i < 100; i++) {
		mesh_run(mesh, 300 * NS_PER_MS);
		assert_true(mesh_bound_ns(mesh, 1) < 1100 * NS_PER_US);
	}
	end_mesh(mesh);
}

static void sync_interval_is_the_slow_end(void **state)
{
	(void)state;
	struct mesh *mesh = new_mesh(3, 51);

	mesh->config.target_bound_ns = NS_PER_SEC / 2;
	mesh->config.sync_interval_ns = 20 * NS_PER_SEC;
	mesh_start_all(mesh);
	mesh_elect(mesh, 0);
	mesh_run(mesh, 60 * NS_PER_SEC);
	uint64_t before = mesh->nodes[1].requests;
	mesh_run(mesh, 200 * NS_PER_SEC);
	assert_in_range(mesh->nodes[1].requests - before, 18, 24);
	end_mesh(mesh);
}

static void at_most_max_peers_are_asked(void **state)
{
	(void)state;
	struct mesh *mesh = new_mesh(9, 52);

	mesh->config.max_peers = 3;
	mesh_start_all(mesh);
	mesh_elect(mesh, 4);
	mesh_run(mesh, 30 * NS_PER_SEC);
	uint64_t before = mesh->nodes[1].requests;
	mesh_run(mesh, 40 * NS_PER_SEC);
	/* And with two who were not measured before a burst of 8, and intervals
	 * that double six times. */
	assert_true(mesh->nodes[1].requests - before <= 3 * 14 + 2 * 14);
	assert_true(mesh_is_synced(mesh, 1));

	/* Chosen anew each minute: in a while everybody is measured, three at
	 * a time, the leader always. */
	struct timesync_peer_view views[TIMESYNC_PEERS_MAX];

	for (int minute = 0; minute < 12; minute++) {
		uint32_t chosen = 0;

		mesh_run(mesh, 60 * NS_PER_SEC);
		assert_true(mesh_is_synced(mesh, 1));
		assert_int_equal(timesync_peers(mesh->nodes[1].timesync, views),
				 8);
		for (uint32_t i = 0; i < 8; i++)
			chosen += views[i].chosen;
		assert_int_equal(chosen, 3);
		assert_true(views[3].chosen); /* index 4, the leader */
	}
	for (uint32_t i = 0; i < 8; i++)
		assert_true(views[i].answered > 0);
	end_mesh(mesh);
}

static void nodes_come_and_go_while_the_clock_goes_on(void **state)
{
	(void)state;
	struct timesync_peer_view before[TIMESYNC_PEERS_MAX];
	struct timesync_peer_view after[TIMESYNC_PEERS_MAX];
	struct mesh *mesh = new_mesh(5, 54);

	mesh_start_all(mesh);
	for (uint32_t i = 0; i < 5; i++)
		mesh_list(mesh, i, 0x0f);
	mesh_elect(mesh, 0);
	mesh_run(mesh, 60 * NS_PER_SEC);
	assert_int_equal(timesync_peers(mesh->nodes[1].timesync, before), 3);

	/* Node 5 joins: the others are known as they were. */
	mesh_list(mesh, 1, 0x1f);
	assert_int_equal(timesync_peers(mesh->nodes[1].timesync, after), 4);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(after[i].id, before[i].id);
		assert_int_equal(after[i].answered, before[i].answered);
		assert_int_equal(after[i].drift_ppb, before[i].drift_ppb);
	}
	assert_true(mesh_is_synced(mesh, 1));
	mesh_run(mesh, 10 * NS_PER_SEC);
	timesync_peers(mesh->nodes[1].timesync, after);
	assert_int_equal(after[3].id, 5);
	assert_true(after[3].truechimer);

	/* Nodes 3 and 4 leave, the leader and node 5 stay. */
	mesh_list(mesh, 1, 0x13);
	assert_int_equal(timesync_peers(mesh->nodes[1].timesync, after), 2);
	assert_int_equal(after[0].id, 1);
	assert_int_equal(after[1].id, 5);
	assert_true(after[0].answered >= before[0].answered);
	mesh_run(mesh, 10 * NS_PER_SEC);
	assert_true(mesh_is_synced(mesh, 1));
	assert_int_equal(mesh_clock(mesh, 1)->disruptions, 0);
	end_mesh(mesh);
}

static void the_bound_holds_whoever_is_listed(void **state)
{
	(void)state;

	for (uint64_t seed = 0; seed < 20; seed++) {
		struct mesh *mesh = new_mesh(6, 900 + seed);

		mesh->config.max_peers = 2 + (uint32_t)seed % 4;
		mesh_start_all(mesh);
		mesh_elect(mesh, 0);
		for (int i = 0; i < 60; i++) {
			mesh_run(mesh,
				 (int64_t)prng_below(&mesh->prng,
						     3 * NS_PER_SEC));
			mesh_list(mesh,
				  (uint32_t)prng_below(&mesh->prng, 6),
				  (uint32_t)prng_below(&mesh->prng, 64));
			if (i % 20 == 19)
				mesh_elect(mesh, (uint32_t)i / 20);
		}
		end_mesh(mesh);
	}
}

static void nonsense_in_a_reply_is_dropped(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(3, 53);
	struct timesync *t = mesh->nodes[1].timesync;
	const int64_t extremes[] = { INT64_MIN, INT64_MIN / 2, -1, 0, 1,
				     INT64_MAX / 2, INT64_MAX };
	struct prng prng;

	prng_seed(&prng, 7);
	for (int i = 0; i < 20000; i++) {
		int64_t v[10];
		struct timesync_effects effects;
		struct timesync_event event = { .type = TIMESYNC_EV_REPLY };
		struct timesync_peer_view views[TIMESYNC_PEERS_MAX];

		for (int k = 0; k < 10; k++)
			v[k] = prng_below(&prng, 3) ?
				       extremes[prng_below(&prng, 7)] :
				       (int64_t)prng_next(&prng);
		event.raw_ns = (int64_t)mesh->nodes[1].raw_ns + i;
		event.reply = (struct timesync_exchange){
			.peer = (uint32_t)prng_below(&prng, 5),
			.t1_ns = prng_below(&prng, 2) ? v[0] : event.raw_ns - 9,
			.t2_ns = v[1],
			.t3_ns = prng_below(&prng, 2) ? v[1] : v[2],
			.t4_ns = prng_below(&prng, 2) ? v[3] : event.raw_ns,
			.server_boot = prng_below(&prng, 3),
			.server_clock = {
				.quality = (enum timesync_quality)
					prng_below(&prng, 4),
				.epoch = prng_below(&prng, 3),
				.asof_ns = v[4],
				.offset_ns = v[5],
				.bound_ns = v[6],
				.drift_ppb = (int32_t)v[7],
				.growth_ppb = (uint32_t)v[8],
				.void_after_ns = v[9],
			},
		};
		timesync_step(t, &event, &effects);
		event.type = TIMESYNC_EV_REFINED;
		event.reply.t3_ns = v[9];
		timesync_step(t, &event, &effects);
		event.type = TIMESYNC_EV_TICK;
		timesync_step(t, &event, &effects);
		timesync_peers(t, views);
	}
	mesh->violations = 0; /* it may well believe a liar's clock by now */
	mesh->steps_back = 0;
	mesh_fini(mesh);
	free(mesh);
}

/* An answer leaves 25 to 50 us after its T3: half of that in the estimate, unless
 * the next answer tells when. */
static void a_late_departure_told_later_leaves_no_bias(void **state)
{
	(void)state;
	struct timesync_peer_view views[TIMESYNC_PEERS_MAX];
	struct mesh *mesh = new_mesh(3, 56);
	int64_t sum_ns = 0;

	mesh->seal_ns = 50 * NS_PER_US;
	mesh->jitter_ns = NS_PER_US;
	mesh->config.target_bound_ns = 300 * NS_PER_US;
	mesh_start_all(mesh);
	mesh_elect(mesh, 0);
	mesh_run(mesh, 120 * NS_PER_SEC);
	for (int i = 0; i < 60; i++) {
		mesh_run(mesh, NS_PER_SEC);
		sum_ns += mesh_error_ns(mesh, 1);
	}
	assert_true(llabs(sum_ns / 60) < 2 * NS_PER_US);
	timesync_peers(mesh->nodes[1].timesync, views);
	assert_true(views[0].refined + 10 > views[0].answered);
	end_mesh(mesh);
}

/* Only of the exchange taken last, and of the clock it was taken from. */
static void a_departure_of_another_exchange_is_refused(void **state)
{
	(void)state;
	struct timesync_peer_view views[TIMESYNC_PEERS_MAX];
	struct mesh *mesh = settled_mesh(3, 57);
	struct timesync *t = mesh->nodes[1].timesync;
	struct timesync_event event = { .type = TIMESYNC_EV_REFINED };
	struct timesync_effects effects;
	const struct timesync_exchange last = mesh->learnt[1][0].exchange;

	for (int wrong = 0; wrong < 5; wrong++) {
		event.raw_ns = (int64_t)mesh->nodes[1].raw_ns + wrong;
		event.reply = last;
		event.reply.t3_ns += 1000;
		event.reply.t4_ns -= wrong == 0;
		event.reply.server_boot += wrong == 1;
		event.reply.server_clock.disruptions += wrong == 2;
		event.reply.peer += wrong == 3 ? 7 : 0;
		event.reply.t2_ns += wrong == 4 ? 2000 : 0;
		timesync_step(t, &event, &effects);
		timesync_peers(t, views);
		assert_int_equal(views[0].refined, 0);
		assert_int_equal(views[0].contradictions, 0);
	}
	event.reply = last;
	event.reply.t3_ns += 1000;
	timesync_step(t, &event, &effects);
	timesync_peers(t, views);
	assert_int_equal(views[0].refined, 1);
	end_mesh(mesh);
}

/* Everything at once, many seeds: the bound holds at every event. */
static void stir(struct mesh *mesh)
{
	uint32_t who = (uint32_t)prng_below(&mesh->prng, mesh->count);

	switch (prng_below(&mesh->prng, 8)) {
	case 0:
		mesh_elect(mesh, who);
		break;
	case 1:
		mesh_isolate(mesh, who, true);
		break;
	case 2:
		mesh_isolate(mesh, who, false);
		break;
	case 3: /* of the process: its raw clock goes on */
		mesh_stop(mesh, who);
		mesh_start(mesh, who);
		break;
	case 4:
		mesh->asymmetry_ns =
			(int64_t)prng_below(&mesh->prng, 20 * NS_PER_MS);
		break;
	case 5:
		mesh->jitter_ns =
			(int64_t)prng_below(&mesh->prng, 5 * NS_PER_MS) + 1;
		break;
	case 6:
		mesh->cut[who][prng_below(&mesh->prng, mesh->count)] = true;
		break;
	case 7:
		if (who != mesh->leader)
			mesh_jump(mesh, who,
				  (int64_t)prng_below(&mesh->prng,
						      NS_PER_SEC), true);
		break;
	}
}

static void the_bound_holds_whatever_happens(void **state)
{
	(void)state;
	uint64_t checks = 0, refined = 0, served = 0;

	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct mesh *mesh = new_mesh(
			1 + (uint32_t)(seed % 5), 1000 + seed);

		mesh->loss = 0.1;
		mesh->wander_ppb = seed % 3 == 0 ? 100000 : 100;
		mesh->config.precision_ns = 1;
		mesh->seal_ns = seed % 2 == 0 ? 50 * NS_PER_US : 0;
		mesh->tcp_is_random = seed % 4 == 0;
		mesh_start_all(mesh);
		mesh_run(mesh, NS_PER_SEC);
		mesh_elect(mesh, 0);
		for (int i = 0; i < 40; i++) {
			mesh_run(mesh, (int64_t)prng_below(&mesh->prng,
							   8 * NS_PER_SEC));
			stir(mesh);
		}
		if (mesh->violations || mesh->steps_back)
			fprintf(stderr, "seed %llu\n",
				(unsigned long long)seed);
		checks += mesh->checks;
		refined += mesh->refined;
		served += mesh->served;
		end_mesh(mesh);
	}
	assert_true(checks > 10000);
	assert_true(refined > 1000);
	assert_true(served > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_leader_there_is_no_bound),
		cmocka_unit_test(the_leader_is_exact_at_once),
		cmocka_unit_test(one_node_alone_is_synced_to_itself),
		cmocka_unit_test(two_three_five_and_nine_nodes_synchronise),
		cmocka_unit_test(
			a_new_leader_is_followed_within_a_few_round_trips),
		cmocka_unit_test(the_estimate_is_far_better_than_the_bound),
		cmocka_unit_test(the_parts_add_up_to_the_bound),
		cmocka_unit_test(a_cut_off_node_holds_over_then_gives_up),
		cmocka_unit_test(a_page_nobody_rewrites_expires_by_itself),
		cmocka_unit_test(
			with_one_node_down_the_others_hold_over_but_do_not_expire),
		cmocka_unit_test(
			min_peers_of_two_stays_synced_with_one_node_down),
		cmocka_unit_test(without_the_leader_the_others_still_hold),
		cmocka_unit_test(a_deposed_leader_carries_its_timeline_on),
		cmocka_unit_test(
			a_noticed_jump_is_disrupted_then_measured_again),
		cmocka_unit_test(an_unnoticed_jump_is_found_by_the_majority),
		cmocka_unit_test(
			a_jumped_leader_is_disrupted_until_the_next_epoch),
		cmocka_unit_test(a_lying_peer_is_named_and_moves_nobody),
		cmocka_unit_test(a_restarted_peer_is_measured_afresh),
		cmocka_unit_test(
			steady_polling_is_as_slow_as_the_target_allows),
		cmocka_unit_test(sync_interval_is_the_slow_end),
		cmocka_unit_test(at_most_max_peers_are_asked),
		cmocka_unit_test(nodes_come_and_go_while_the_clock_goes_on),
		cmocka_unit_test(the_bound_holds_whoever_is_listed),
		cmocka_unit_test(nonsense_in_a_reply_is_dropped),
		cmocka_unit_test(a_late_departure_told_later_leaves_no_bias),
		cmocka_unit_test(a_departure_of_another_exchange_is_refused),
		cmocka_unit_test(the_bound_holds_whatever_happens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
