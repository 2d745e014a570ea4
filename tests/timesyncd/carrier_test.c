/* The mesh rule: who carries, when it changes hands, and that every bound
 * holds throughout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/units.h"
#include "tests/timesyncd/mesh.h"
#include "timesyncd/core/carrier.h"

static struct mesh *new_mesh(uint32_t count, uint64_t seed)
{
	struct mesh *mesh = malloc(sizeof(*mesh));

	assert_non_null(mesh);
	mesh_init(mesh, count, seed);
	mesh->ruled = true;
	mesh->config.min_peers = 2;
	return mesh;
}

static struct mesh *settled_mesh(uint32_t count, uint64_t seed)
{
	struct mesh *mesh = new_mesh(count, seed);

	mesh_start_all(mesh);
	mesh_run(mesh, 30 * NS_PER_SEC);
	return mesh;
}

static void end_mesh(struct mesh *mesh)
{
	assert_int_equal(mesh->violations, 0);
	assert_int_equal(mesh->steps_back, 0);
	mesh_fini(mesh);
	free(mesh);
}

/* Never below what the old timeline was then, nor far above. */
static void assert_continued(const struct mesh *mesh)
{
	for (uint32_t i = 1; i < mesh->carried_count; i++) {
		assert_true(mesh->carried[i].step_ns >= -4);
		assert_true(mesh->carried[i].step_ns < 20 * NS_PER_MS);
	}
}

static void assert_all_synced(const struct mesh *mesh)
{
	for (uint32_t i = 0; i < mesh->count; i++)
		if (mesh->nodes[i].up)
			assert_true(mesh_is_synced(mesh, i));
}

static void the_lowest_numbered_node_carries_a_new_mesh(void **state)
{
	(void)state;
	for (uint32_t count = 1; count <= 5; count++) {
		struct mesh *mesh = new_mesh(count, count);

		mesh_start_all(mesh);
		mesh_run(mesh, 2 * NS_PER_SEC);
		assert_int_equal(mesh->carried_count, 1);
		assert_int_equal(mesh->leader, 0);
		assert_all_synced(mesh);
		for (uint32_t i = 0; i < count; i++)
			assert_true(mesh_bound_ns(mesh, i) < NS_PER_MS);
		end_mesh(mesh);
	}
}

static void one_whose_first_answers_are_lost_carries_all_the_same(void **state)
{
	(void)state;
	struct mesh *mesh = new_mesh(3, 21);

	mesh_start_all(mesh);
	mesh_isolate(mesh, 0, true);
	mesh_run(mesh, 3 * NS_PER_SEC / 2);
	assert_int_equal(mesh->carried_count, 0);
	mesh_isolate(mesh, 0, false);
	mesh_run(mesh, 3 * NS_PER_SEC);
	assert_int_equal(mesh->carried_count, 1);
	assert_int_equal(mesh->leader, 0);
	assert_all_synced(mesh);
	end_mesh(mesh);
}

static void one_that_never_answers_is_not_waited_for_long(void **state)
{
	(void)state;
	struct mesh *mesh = new_mesh(3, 22);

	mesh_start(mesh, 1);
	mesh_start(mesh, 2);
	mesh_run(mesh, 4 * NS_PER_SEC);
	assert_int_equal(mesh->leader, 1);
	assert_true(mesh_bound_ns(mesh, 1) < NS_PER_MS);
	assert_true(mesh_bound_ns(mesh, 2) < NS_PER_MS);
	end_mesh(mesh);
}

static void count_holdovers(void *ctx, uint32_t id, const char *text)
{
	(void)id;
	*(uint32_t *)ctx += strstr(text, "clock HOLDOVER") != NULL;
}

/* Some packets are: neither they nor asking again at once make it. */
static void lost_packets_are_no_lost_majority(void **state)
{
	(void)state;
	struct mesh *mesh = new_mesh(3, 23);
	uint32_t holdovers = 0;

	mesh->config.min_peers = 2;
	mesh->config.sync_interval_ns = 16 * NS_PER_SEC;
	mesh->config.target_bound_ns = 10 * NS_PER_MS;
	mesh_start_all(mesh);
	mesh_run(mesh, 60 * NS_PER_SEC);
	mesh->told = count_holdovers;
	mesh->told_ctx = &holdovers;
	mesh->loss = 0.1;
	mesh_run(mesh, 7200 * NS_PER_SEC);
	assert_int_equal(holdovers, 0);
	assert_int_equal(mesh->carried_count, 1);
	end_mesh(mesh);
}

static void a_lost_carrier_is_replaced_and_time_goes_on(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(3, 7);

	mesh_stop(mesh, 0);
	mesh_run(mesh, 20 * NS_PER_SEC);
	assert_int_equal(mesh->leader, 1);
	assert_int_equal(mesh->carried_count, 2);
	assert_all_synced(mesh);
	assert_continued(mesh);
	end_mesh(mesh);
}

static void the_lowest_one_takes_over_when_it_is_back(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(3, 8);

	mesh_stop(mesh, 0);
	mesh_run(mesh, 20 * NS_PER_SEC);
	mesh_start(mesh, 0);
	mesh_run(mesh, 5 * NS_PER_SEC);
	assert_int_equal(mesh->leader, 1);
	assert_all_synced(mesh);
	mesh_run(mesh, 30 * NS_PER_SEC);
	assert_int_equal(mesh->leader, 0);
	assert_int_equal(mesh->carried_count, 3);
	assert_all_synced(mesh);
	assert_continued(mesh);
	end_mesh(mesh);
}

static void a_carrier_that_restarts_at_once_goes_on_from_the_others(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(3, 9);

	mesh_stop(mesh, 0);
	mesh_run(mesh, NS_PER_SEC / 5);
	mesh_start(mesh, 0);
	mesh_run(mesh, 60 * NS_PER_SEC);
	assert_int_equal(mesh->leader, 0);
	assert_all_synced(mesh);
	assert_continued(mesh); /* not from the wall clock */
	end_mesh(mesh);
}

static void a_carrier_without_majority_stops_leading(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(3, 10);

	mesh_isolate(mesh, 0, true);
	mesh_run(mesh, 30 * NS_PER_SEC);
	assert_int_equal(mesh_clock(mesh, 0)->quality, TIMESYNC_HOLDOVER);
	assert_int_equal(mesh->leader, 1);
	assert_true(mesh_is_synced(mesh, 1));
	mesh_isolate(mesh, 0, false);
	mesh_run(mesh, 60 * NS_PER_SEC);
	assert_int_equal(mesh->leader, 0);
	assert_all_synced(mesh);
	end_mesh(mesh);
}

static void half_of_two_carries_nothing_new_and_the_pair_goes_on(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(2, 11);
	uint64_t epoch = mesh->epoch;

	mesh_isolate(mesh, 0, true);
	mesh_run(mesh, 30 * NS_PER_SEC);
	assert_int_equal(mesh_clock(mesh, 0)->quality, TIMESYNC_HOLDOVER);
	assert_int_equal(mesh_clock(mesh, 1)->quality, TIMESYNC_HOLDOVER);
	mesh_isolate(mesh, 0, false);
	mesh_run(mesh, 30 * NS_PER_SEC);
	assert_int_equal(mesh->epoch, epoch);
	assert_all_synced(mesh);
	end_mesh(mesh);
}

static void a_cut_between_two_changes_nothing(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(3, 12);

	mesh->cut[0][1] = mesh->cut[1][0] = true;
	mesh_run(mesh, 60 * NS_PER_SEC);
	assert_int_equal(mesh->carried_count, 1);
	assert_true(mesh_bound_ns(mesh, 1) < 10 * NS_PER_MS);
	end_mesh(mesh);
}

static void a_carrier_whose_clock_broke_hands_over(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(3, 13);

	mesh_jump(mesh, 0, NS_PER_SEC, true);
	mesh_run(mesh, 10 * NS_PER_SEC);
	assert_int_equal(mesh->carried[1].index, 1);
	assert_all_synced(mesh);
	assert_continued(mesh);
	end_mesh(mesh);
}

static void a_lone_node_whose_clock_broke_begins_anew(void **state)
{
	(void)state;
	struct mesh *mesh = settled_mesh(1, 14);

	mesh_jump(mesh, 0, NS_PER_SEC, true);
	assert_int_equal(mesh_clock(mesh, 0)->quality, TIMESYNC_DISRUPTED);
	mesh_run(mesh, 2 * NS_PER_SEC);
	assert_int_equal(mesh->carried_count, 2);
	assert_true(mesh->carried[1].epoch > mesh->carried[0].epoch);
	assert_all_synced(mesh);
	end_mesh(mesh);
}

/* -- one node's decisions, by hand ----------------------------------------- */

#define EPOCH(round, rank) ((uint64_t)(round) * 16 + (rank) + 1)
#define ALL 7u

static const uint32_t ids[] = { 30, 10, 20 };

struct desk {
	struct carrier carrier;
	struct timesync_peer_view views[2];
	struct timesync_clock own;
	struct timesync_event event;
};

static void sit(struct desk *desk, uint32_t self)
{
	uint32_t at = 0;

	*desk = (struct desk){ 0 };
	for (uint32_t i = 0; i < 3; i++)
		if (ids[i] != self)
			desk->views[at++] = (struct timesync_peer_view){
				.id = ids[i], .reachable = true
			};
	carrier_init(&desk->carrier, self, ids, 3, 0, (struct story){ 0 });
}

static void report(struct desk *desk, uint32_t id,
		   enum timesync_quality quality, uint64_t epoch,
		   uint32_t hears)
{
	const struct timesync_clock clock = { .quality = quality,
					      .epoch = epoch };

	carrier_heard(&desk->carrier, id, &clock, hears);
}

/* We do not hear it any more. */
static void silence(struct desk *desk, uint32_t id)
{
	for (uint32_t i = 0; i < 2; i++)
		if (desk->views[i].id == id)
			desk->views[i].reachable = false;
}

/* The event of this look that is no HURRY; false: none. */
static bool look(struct desk *desk, int64_t raw_ns)
{
	desk->own.asof_ns = raw_ns;
	desk->own.void_after_ns = INT64_MAX;
	while (carrier_step(&desk->carrier, raw_ns, 99 * NS_PER_SEC, &desk->own,
			    desk->views, 2, &desk->event))
		if (desk->event.type == TIMESYNC_EV_EPOCH)
			return true;
	return false;
}

static void a_timeline_is_taken_only_after_a_majority_was_heard(void **state)
{
	(void)state;
	struct desk desk;

	sit(&desk, 10);
	assert_false(look(&desk, 60 * NS_PER_SEC));
	report(&desk, 20, TIMESYNC_UNSYNCED, 0, 2);
	assert_false(look(&desk, 70 * NS_PER_SEC));
	report(&desk, 20, TIMESYNC_UNSYNCED, 0, 3); /* hears us now */
	assert_false(look(&desk, 80 * NS_PER_SEC));
	assert_true(look(&desk, 80 * NS_PER_SEC + CARRIER_SETTLE_NS));
	assert_true(desk.event.epoch.self);
	assert_int_equal(desk.event.epoch.leader, 10);
	assert_int_equal(desk.event.epoch.epoch, EPOCH(4 * 99, 0));
	assert_int_equal(desk.event.epoch.anchor_ts_ns, 99 * NS_PER_SEC);
}

static void a_restarted_node_uses_no_number_twice(void **state)
{
	(void)state;
	struct desk desk;

	/* Its wall clock says 99 s, and went back: it carried later rounds. */
	sit(&desk, 10);
	carrier_recall(&desk.carrier, EPOCH(5000, 0));
	report(&desk, 20, TIMESYNC_UNSYNCED, 0, ALL);
	assert_false(look(&desk, NS_PER_SEC));
	assert_true(look(&desk, NS_PER_SEC + CARRIER_SETTLE_NS));
	assert_true(desk.event.epoch.self);
	assert_int_equal(desk.event.epoch.epoch, EPOCH(5001, 0));

	/* What it recalls may still be carried by another. */
	sit(&desk, 10);
	carrier_recall(&desk.carrier, EPOCH(5000, 1));
	report(&desk, 20, TIMESYNC_SYNCED, EPOCH(5000, 1), ALL);
	report(&desk, 30, TIMESYNC_SYNCED, EPOCH(5000, 1), ALL);
	assert_true(look(&desk, NS_PER_SEC));
	assert_false(desk.event.epoch.self);
	assert_int_equal(desk.event.epoch.epoch, EPOCH(5000, 1));

	/* A number that no node can have begun is none. */
	carrier_recall(&desk.carrier, UINT64_MAX);
	assert_int_equal(desk.carrier.highest, EPOCH(5000, 1));
}

static void a_late_starter_follows_what_is_there(void **state)
{
	(void)state;
	struct desk desk;

	sit(&desk, 10);
	report(&desk, 20, TIMESYNC_SYNCED, EPOCH(5, 1), ALL);
	report(&desk, 30, TIMESYNC_SYNCED, EPOCH(5, 1), ALL);
	assert_true(look(&desk, NS_PER_SEC));
	assert_false(desk.event.epoch.self);
	assert_int_equal(desk.event.epoch.leader, 20);
	assert_int_equal(desk.event.epoch.epoch, EPOCH(5, 1));
	/* Without a clock of its own it does not take over. */
	assert_false(look(&desk, 100 * NS_PER_SEC));
}

static void a_single_liar_draws_nobody_away(void **state)
{
	(void)state;
	struct desk desk;

	sit(&desk, 20);
	report(&desk, 10, TIMESYNC_SYNCED, EPOCH(5, 0), ALL);
	assert_true(look(&desk, NS_PER_SEC));
	assert_int_equal(desk.event.epoch.leader, 10);
	report(&desk, 30, TIMESYNC_SYNCED, EPOCH(1000, 2), ALL);
	assert_false(look(&desk, 2 * NS_PER_SEC));
	assert_int_equal(desk.carrier.epoch, EPOCH(5, 0));
	/* Nor with a number that names nobody, or is out of all range. */
	report(&desk, 30, TIMESYNC_SYNCED, EPOCH(1000, 7), ALL);
	assert_false(look(&desk, 3 * NS_PER_SEC));
	report(&desk, 30, TIMESYNC_SYNCED, UINT64_MAX - 14, ALL);
	assert_false(look(&desk, 4 * NS_PER_SEC));
}

static void a_carrier_goes_above_a_stray_epoch_but_slowly(void **state)
{
	(void)state;
	struct desk desk;
	uint64_t first;

	sit(&desk, 10);
	report(&desk, 20, TIMESYNC_UNSYNCED, 0, ALL);
	assert_false(look(&desk, NS_PER_SEC));
	assert_true(look(&desk, 2 * NS_PER_SEC));
	first = desk.event.epoch.epoch;
	desk.own = (struct timesync_clock){ .quality = TIMESYNC_SYNCED,
					    .epoch = first };
	report(&desk, 30, TIMESYNC_SYNCED, EPOCH(1000, 2), ALL);
	assert_false(look(&desk, 3 * NS_PER_SEC));
	assert_false(look(&desk, 12 * NS_PER_SEC));
	assert_true(look(&desk, 13 * NS_PER_SEC));
	assert_int_equal(desk.event.epoch.epoch, EPOCH(1001, 0));
	/* The same timeline under another number: its clock was exact. */
	assert_int_equal(desk.event.epoch.anchor_ts_ns -
				 desk.event.epoch.anchor_raw_ns,
			 desk.own.offset_ns);
}

static void one_that_others_hear_is_not_usurped(void **state)
{
	(void)state;
	struct desk desk;

	sit(&desk, 20);
	report(&desk, 10, TIMESYNC_SYNCED, EPOCH(5, 0), ALL);
	report(&desk, 30, TIMESYNC_SYNCED, EPOCH(5, 0), ALL);
	assert_true(look(&desk, NS_PER_SEC));
	desk.own = (struct timesync_clock){ .quality = TIMESYNC_SYNCED,
					    .epoch = EPOCH(5, 0) };
	silence(&desk, 10);
	assert_false(look(&desk, 20 * NS_PER_SEC));
	assert_false(look(&desk, 40 * NS_PER_SEC));
	/* Until the other one says it does not either. */
	report(&desk, 30, TIMESYNC_HOLDOVER, EPOCH(5, 0), 6);
	assert_false(look(&desk, 41 * NS_PER_SEC));
	assert_true(look(&desk, 42 * NS_PER_SEC));
	assert_true(desk.event.epoch.self);
	assert_int_equal(desk.event.epoch.epoch, EPOCH(4 * 99, 1));
}

static void a_hand_over_starts_at_the_upper_bound(void **state)
{
	(void)state;
	struct desk desk;
	struct timesync_clock own = {
		.quality = TIMESYNC_SYNCED,
		.epoch = EPOCH(5, 0),
		.offset_ns = 1000000,
		.bound_ns = 500,
	};

	sit(&desk, 20);
	report(&desk, 10, TIMESYNC_SYNCED, EPOCH(5, 0), ALL);
	report(&desk, 30, TIMESYNC_SYNCED, EPOCH(5, 0), ALL);
	assert_true(look(&desk, NS_PER_SEC));
	desk.own = own;
	silence(&desk, 10);
	report(&desk, 30, TIMESYNC_HOLDOVER, EPOCH(5, 0), 6);
	assert_false(look(&desk, 2 * NS_PER_SEC));
	assert_true(look(&desk, 3 * NS_PER_SEC));
	assert_true(desk.event.epoch.anchor_ts_ns >=
		    3 * NS_PER_SEC + 1000000 + 500);
	assert_true(desk.event.epoch.anchor_ts_ns <
		    3 * NS_PER_SEC + 1000000 + 510);
}

/* -- storms ---------------------------------------------------------------- */

static void stir(struct mesh *mesh)
{
	uint32_t who = (uint32_t)prng_below(&mesh->prng, mesh->count);

	switch (prng_below(&mesh->prng, 7)) {
	case 0:
		mesh_isolate(mesh, who, true);
		break;
	case 1:
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
		mesh->cut[who][prng_below(&mesh->prng, mesh->count)] = true;
		break;
	case 6:
		mesh_jump(mesh, who,
			  (int64_t)prng_below(&mesh->prng, NS_PER_SEC), true);
		break;
	}
}

static void the_bound_holds_through_storms_and_they_end(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct mesh *mesh =
			new_mesh(1 + (uint32_t)(seed % 5), 5000 + seed);

		mesh->loss = 0.1;
		mesh->wander_ppb = 1000;
		mesh->config.precision_ns = 1;
		mesh_start_all(mesh);
		for (int i = 0; i < 40; i++) {
			mesh_run(mesh, (int64_t)prng_below(&mesh->prng,
							   8 * NS_PER_SEC));
			stir(mesh);
		}
		for (uint32_t i = 0; i < mesh->count; i++)
			mesh_isolate(mesh, i, false);
		mesh->loss = 0;
		mesh->asymmetry_ns = 0;
		mesh_run(mesh, 60 * NS_PER_SEC);
		if (mesh->violations || mesh->steps_back || mesh->leader != 0)
			fprintf(stderr, "seed %llu\n",
				(unsigned long long)seed);
		assert_int_equal(mesh->leader, 0);
		assert_all_synced(mesh);
		for (uint32_t i = 1; i < mesh->carried_count; i++)
			assert_true(mesh->carried[i].epoch !=
				    mesh->carried[i - 1].epoch);
		end_mesh(mesh);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_lowest_numbered_node_carries_a_new_mesh),
		cmocka_unit_test(
			one_whose_first_answers_are_lost_carries_all_the_same),
		cmocka_unit_test(one_that_never_answers_is_not_waited_for_long),
		cmocka_unit_test(lost_packets_are_no_lost_majority),
		cmocka_unit_test(a_lost_carrier_is_replaced_and_time_goes_on),
		cmocka_unit_test(the_lowest_one_takes_over_when_it_is_back),
		cmocka_unit_test(
			a_carrier_that_restarts_at_once_goes_on_from_the_others),
		cmocka_unit_test(a_carrier_without_majority_stops_leading),
		cmocka_unit_test(
			half_of_two_carries_nothing_new_and_the_pair_goes_on),
		cmocka_unit_test(a_cut_between_two_changes_nothing),
		cmocka_unit_test(a_carrier_whose_clock_broke_hands_over),
		cmocka_unit_test(a_lone_node_whose_clock_broke_begins_anew),
		cmocka_unit_test(
			a_timeline_is_taken_only_after_a_majority_was_heard),
		cmocka_unit_test(a_restarted_node_uses_no_number_twice),
		cmocka_unit_test(a_late_starter_follows_what_is_there),
		cmocka_unit_test(a_single_liar_draws_nobody_away),
		cmocka_unit_test(a_carrier_goes_above_a_stray_epoch_but_slowly),
		cmocka_unit_test(one_that_others_hear_is_not_usurped),
		cmocka_unit_test(a_hand_over_starts_at_the_upper_bound),
		cmocka_unit_test(the_bound_holds_through_storms_and_they_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
