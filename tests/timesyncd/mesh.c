/* Nodes, packets and clocks of the small world. */
#include "tests/timesyncd/mesh.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/units.h"

/* The daemon's look, when it is alone. */
#define MESH_LOOK_NS (250 * NS_PER_MS)

void mesh_init(struct mesh *mesh, uint32_t count, uint64_t seed)
{
	memset(mesh, 0, sizeof(*mesh));
	CHECK(count <= MESH_NODES_MAX);
	prng_seed(&mesh->prng, seed);
	mesh->count = count;
	mesh->delay_ns = 100 * NS_PER_US;
	mesh->jitter_ns = 20 * NS_PER_US;
	mesh->config = (struct timesync_config){
		.sync_interval_ns = 60 * NS_PER_SEC,
		.min_peers = 3,
		.max_peers = 5,
		.timeout_ns = NS_PER_SEC,
		.drift_threshold = 0.1,
		.adjustment_rate = 0.1,
		.history_size = 10,
		.max_rate_ppb = 200000,
		.max_slew_ppb = 500000,
		.max_correction_ns = 250 * NS_PER_MS,
		.target_bound_ns = NS_PER_MS,
		.void_after_ns = 60 * NS_PER_SEC,
		.max_rtt_ns = 500 * NS_PER_MS,
		.precision_ns = 50,
	};
	for (uint32_t i = 0; i < count; i++) {
		struct mesh_node *node = &mesh->nodes[i];

		node->mesh = mesh;
		node->raw_ns = (double)prng_below(&mesh->prng, 1u << 30) * 1e3;
		node->rate = 1 + (prng_unit(&mesh->prng) - 0.5) * 200e-6;
	}
}

void mesh_fini(struct mesh *mesh)
{
	for (uint32_t i = 0; i < mesh->count; i++)
		mesh_stop(mesh, i);
}

static int64_t raw_of(const struct mesh *mesh, uint32_t index)
{
	return (int64_t)mesh->nodes[index].raw_ns;
}

static double truth_of(const struct mesh *mesh)
{
	return mesh->nodes[mesh->leader].raw_ns +
	       (double)mesh->epoch_offset_ns;
}

static struct mesh_packet *new_packet(struct mesh *mesh)
{
	for (uint32_t i = 0; i < MESH_PACKETS_MAX; i++)
		if (mesh->packets[i].kind == MESH_FREE)
			return &mesh->packets[i];
	CHECK(!"room for another packet");
	return NULL;
}

static int64_t one_way_ns(struct mesh *mesh, uint32_t from, uint32_t to)
{
	double queue = -log(1 - prng_unit(&mesh->prng));

	return mesh->delay_ns + (int64_t)(queue * (double)mesh->jitter_ns) +
	       (from < to ? mesh->asymmetry_ns : 0) +
	       (from == 0 && to == 1 ? mesh->attack_ns : 0);
}

static int64_t tcp_rtt_ns(struct mesh *mesh)
{
	if (!mesh->tcp_is_random)
		return mesh->tcp_rtt_ns;
	return INT64_C(1) << prng_below(&mesh->prng, 40);
}

static void post(struct mesh *mesh, const struct mesh_packet *packet,
		 int64_t delay_ns)
{
	struct mesh_packet *slot = new_packet(mesh);

	*slot = *packet;
	slot->due_ns = mesh->now_ns + delay_ns;
}

static void transmit(struct mesh *mesh, const struct mesh_packet *packet)
{
	if (mesh->cut[packet->from][packet->to] ||
	    prng_unit(&mesh->prng) < mesh->loss)
		return;
	post(mesh, packet, one_way_ns(mesh, packet->from, packet->to));
}

static bool ruled_truth(const struct mesh *mesh, uint64_t epoch, double *truth)
{
	for (uint32_t i = 0; i < mesh->carried_count; i++) {
		const struct mesh_carried *carried = &mesh->carried[i];

		if (carried->epoch != epoch)
			continue;
		*truth = mesh->nodes[carried->index].raw_ns +
			 (double)carried->offset_ns;
		return true;
	}
	return false;
}

static void check_clock(struct mesh *mesh, uint32_t index)
{
	struct mesh_node *node = &mesh->nodes[index];
	const struct timesync_clock *clock = timesync_clock(node->timesync);
	int64_t raw_ns = raw_of(mesh, index);
	struct interval at = timesync_clock_at(clock, raw_ns);
	double truth = truth_of(mesh);

	if (mesh->ruled && !ruled_truth(mesh, clock->epoch, &truth))
		return;
	if (interval_is_empty(at) ||
	    (!mesh->ruled && clock->epoch != mesh->epoch))
		return;
	mesh->checks++;
	/* Doubles carry a few ns of their own at these magnitudes. */
	if (truth < (double)at.low_ns - 4 || truth > (double)at.high_ns + 4) {
		if (!mesh->quiet)
			fprintf(stderr,
				"node %u at %.3f s: [%lld, %lld] +%.0f\n",
				index, (double)mesh->now_ns / 1e9,
				(long long)at.low_ns, (long long)at.high_ns,
				truth - (double)at.low_ns);
		mesh->violations++;
	}

	int64_t middle_ns = at.low_ns + (at.high_ns - at.low_ns) / 2;
	if (node->seen_epoch == clock->epoch &&
	    node->seen_disruptions == clock->disruptions &&
	    middle_ns < node->seen_ns - 1)
		mesh->steps_back++;
	node->seen_epoch = clock->epoch;
	node->seen_disruptions = clock->disruptions;
	node->seen_ns = middle_ns;
}

static void step_unchecked(struct mesh *mesh, uint32_t index,
			   struct timesync_event *event)
{
	struct mesh_node *node = &mesh->nodes[index];

	event->raw_ns = raw_of(mesh, index);
	timesync_step(node->timesync, event, &node->last);
	CHECK(node->last.deadline_ns > event->raw_ns);
	node->deadline_true_ns =
		mesh->now_ns + 1 +
		(int64_t)((double)(node->last.deadline_ns - event->raw_ns) /
			  node->rate);
	for (uint32_t i = 0; i < node->last.ask_count; i++) {
		uint32_t to = node->last.ask[i] - 1;
		struct mesh_packet request = {
			.kind = MESH_REQUEST,
			.from = index,
			.to = to,
			.number = ++mesh->next_number,
			.exchange = { .t1_ns = event->raw_ns },
		};
		struct mesh_packet timeout = request;

		node->requests++;
		timeout.kind = MESH_TIMEOUT;
		mesh->pending[index][to] = request.number;
		transmit(mesh, &request);
		post(mesh, &timeout, mesh->config.timeout_ns);
	}
}

static void note_carried(struct mesh *mesh, uint32_t index,
			 const struct timesync_event *event)
{
	double truth;

	if (event->type != TIMESYNC_EV_EPOCH || !event->epoch.self ||
	    ruled_truth(mesh, event->epoch.epoch, &truth))
		return;
	CHECK(mesh->carried_count < MESH_CARRIED_MAX);
	int64_t offset_ns =
		event->epoch.anchor_ts_ns - event->epoch.anchor_raw_ns;
	int64_t step_ns = (int64_t)(mesh->nodes[index].raw_ns +
				    (double)offset_ns - truth_of(mesh));

	mesh->carried[mesh->carried_count++] = (struct mesh_carried){
		event->epoch.epoch, index, offset_ns, step_ns
	};
	mesh->epoch = event->epoch.epoch;
	mesh->leader = index;
	mesh->epoch_offset_ns = offset_ns;
}

static void look_at_mesh(struct mesh *mesh, uint32_t index)
{
	struct mesh_node *node = &mesh->nodes[index];
	struct timesync_peer_view views[TIMESYNC_PEERS_MAX];
	struct timesync_event event;

	while (carrier_step(&node->carrier, raw_of(mesh, index),
			    mesh->now_ns + INT64_C(1000000000000000),
			    timesync_clock(node->timesync), views,
			    timesync_peers(node->timesync, views), &event)) {
		note_carried(mesh, index, &event);
		step_unchecked(mesh, index, &event);
	}
}

static void step(struct mesh *mesh, uint32_t index,
		 struct timesync_event *event)
{
	if (mesh->epoch != 0)
		check_clock(mesh, index);
	step_unchecked(mesh, index, event);
	if (mesh->ruled)
		look_at_mesh(mesh, index);
	if (mesh->epoch != 0)
		check_clock(mesh, index);
}

static void tell_epoch(struct mesh *mesh, uint32_t index, bool led)
{
	struct timesync_event event = {
		.type = TIMESYNC_EV_EPOCH,
		.epoch = { .leader = led ? mesh->leader + 1 : 0,
			   .epoch = mesh->epoch,
			   .self = led && mesh->leader == index },
	};

	if (event.epoch.self) {
		event.epoch.anchor_raw_ns = raw_of(mesh, index);
		event.epoch.anchor_ts_ns =
			event.epoch.anchor_raw_ns + mesh->epoch_offset_ns;
	}
	step(mesh, index, &event);
}

static void tell(void *ctx, const char *text)
{
	struct mesh_node *node = ctx;
	struct mesh *mesh = node->mesh;

	if (mesh->told != NULL)
		mesh->told(mesh->told_ctx, (uint32_t)(node - mesh->nodes) + 1,
			   text);
}

static struct timesync_config config_of(struct mesh *mesh, uint32_t index,
					uint32_t mask)
{
	struct timesync_config config = mesh->config;

	config.self = index + 1;
	config.seed = prng_next(&mesh->prng);
	config.story = (struct story){ .line = tell,
				       .ctx = &mesh->nodes[index] };
	for (uint32_t i = 0; i < mesh->count; i++)
		if (i != index && (mask >> i & 1) != 0)
			config.peers[config.peer_count++] = i + 1;
	return config;
}

void mesh_list(struct mesh *mesh, uint32_t index, uint32_t mask)
{
	struct timesync_config config = config_of(mesh, index, mask);
	struct timesync_event tick = { .type = TIMESYNC_EV_TICK };

	timesync_configure(mesh->nodes[index].timesync, &config);
	step(mesh, index, &tick);
}

void mesh_start(struct mesh *mesh, uint32_t index)
{
	struct mesh_node *node = &mesh->nodes[index];
	struct timesync_config config = config_of(mesh, index, UINT32_MAX);
	struct timesync_event tick = { .type = TIMESYNC_EV_TICK };

	node->timesync = timesync_new(&config, raw_of(mesh, index));
	CHECK(node->timesync != NULL);
	if (mesh->ruled) {
		uint32_t ids[MESH_NODES_MAX];

		for (uint32_t i = 0; i < mesh->count; i++)
			ids[i] = i + 1;
		carrier_init(&node->carrier, index + 1, ids, mesh->count,
			     raw_of(mesh, index), config.story);
	}
	node->boot++;
	node->up = true;
	step(mesh, index, &tick);
	if (mesh->epoch != 0 && !mesh->ruled)
		tell_epoch(mesh, index, true);
}

void mesh_stop(struct mesh *mesh, uint32_t index)
{
	struct mesh_node *node = &mesh->nodes[index];

	timesync_free(node->timesync);
	node->timesync = NULL;
	node->up = false;
	node->seen_epoch = 0;
	memset(mesh->pending[index], 0, sizeof(mesh->pending[index]));
	memset(mesh->answered[index], 0, sizeof(mesh->answered[index]));
	memset(mesh->asked[index], 0, sizeof(mesh->asked[index]));
}

void mesh_start_all(struct mesh *mesh)
{
	for (uint32_t i = 0; i < mesh->count; i++)
		mesh_start(mesh, i);
}

void mesh_elect(struct mesh *mesh, uint32_t leader)
{
	double truth = mesh->epoch == 0 ? 1e15 : truth_of(mesh);

	mesh->epoch++;
	mesh->leader = leader;
	mesh->epoch_offset_ns =
		(int64_t)(truth - mesh->nodes[leader].raw_ns);
	for (uint32_t i = 0; i < mesh->count; i++)
		if (mesh->nodes[i].up)
			tell_epoch(mesh, i, true);
}

void mesh_depose(struct mesh *mesh)
{
	for (uint32_t i = 0; i < mesh->count; i++)
		if (mesh->nodes[i].up)
			tell_epoch(mesh, i, false);
}

void mesh_jump(struct mesh *mesh, uint32_t index, int64_t by_ns, bool told)
{
	struct timesync_event event = { .type = TIMESYNC_EV_DISRUPTION };

	mesh->nodes[index].raw_ns += (double)by_ns;
	/* A timeline goes on as if its carrier's clock had not jumped. */
	for (uint32_t i = 0; i < mesh->carried_count; i++)
		if (mesh->carried[i].index == index)
			mesh->carried[i].offset_ns -= by_ns;
	if (mesh->ruled && mesh->leader == index)
		mesh->epoch_offset_ns -= by_ns;
	if (!told)
		return;
	memset(mesh->asked[index], 0, sizeof(mesh->asked[index]));
	step_unchecked(mesh, index, &event);
}

void mesh_isolate(struct mesh *mesh, uint32_t index, bool cut)
{
	for (uint32_t i = 0; i < mesh->count; i++)
		mesh->cut[index][i] = mesh->cut[i][index] = cut;
}

/* The departure of this reply goes with the next one; it leaves after T3. */
static void interleave(struct mesh *mesh, struct mesh_packet *reply)
{
	struct mesh_told *told = &mesh->answered[reply->from][reply->to];
	int64_t least_ns = mesh->seal_ns / 2;
	int64_t seal_ns =
		least_ns +
		(int64_t)prng_below(&mesh->prng, (uint64_t)least_ns + 1);

	reply->previous_number = told->number;
	reply->previous_t3_ns = told->departed_ns;
	told->number = reply->number;
	told->departed_ns = (int64_t)(mesh->nodes[reply->from].raw_ns +
				      (double)seal_ns *
					      mesh->nodes[reply->from].rate);
	if (!mesh->cut[reply->from][reply->to] &&
	    prng_unit(&mesh->prng) >= mesh->loss)
		post(mesh, reply,
		     seal_ns + one_way_ns(mesh, reply->from, reply->to));
}

static void serve(struct mesh *mesh, const struct mesh_packet *request)
{
	uint32_t index = request->to;
	struct mesh_node *node = &mesh->nodes[index];
	struct mesh_packet reply = *request;

	if (!node->up)
		return;
	reply.kind = MESH_REPLY;
	reply.from = index;
	reply.to = request->from;
	reply.exchange.peer = index + 1;
	reply.exchange.t2_ns = raw_of(mesh, index);
	reply.exchange.t3_ns = reply.exchange.t2_ns;
	reply.exchange.server_boot = node->boot;
	reply.exchange.server_clock = *timesync_clock(node->timesync);
	reply.told = mesh->asked[index][request->from];
	mesh->asked[index][request->from].peer = 0;
	if (mesh->ruled)
		reply.exchange.server_hears = carrier_hears(&node->carrier);
	if (node->lies)
		reply.exchange.server_clock.offset_ns +=
			mesh->two_faced && request->from % 2 ? -mesh->lie_ns :
							       mesh->lie_ns;
	if (mesh->seal_ns > 0)
		interleave(mesh, &reply);
	else
		transmit(mesh, &reply);
}

static void forget_timeout(struct mesh *mesh, uint64_t number)
{
	for (uint32_t i = 0; i < MESH_PACKETS_MAX; i++)
		if (mesh->packets[i].kind == MESH_TIMEOUT &&
		    mesh->packets[i].number == number)
			mesh->packets[i].kind = MESH_FREE;
}

static void refine(struct mesh *mesh, const struct mesh_packet *reply)
{
	struct mesh_told *told = &mesh->learnt[reply->to][reply->from];
	struct timesync_event event = { .type = TIMESYNC_EV_REFINED };

	if (told->number == 0 || told->number != reply->previous_number)
		return;
	event.reply = told->exchange;
	event.reply.t3_ns = reply->previous_t3_ns;
	mesh->refined++;
	step(mesh, reply->to, &event);
}

/* What the answerer says it saw of our answer to a question of its own. */
static void learn_served(struct mesh *mesh, const struct mesh_packet *reply)
{
	struct timesync_event event = { .type = TIMESYNC_EV_SERVED,
					.reply = reply->told };

	if (reply->told.peer == 0)
		return;
	event.reply.peer = reply->from + 1;
	event.reply.server_boot = reply->exchange.server_boot;
	event.reply.server_clock = reply->exchange.server_clock;
	mesh->served++;
	step(mesh, reply->to, &event);
}

static void deliver(struct mesh *mesh, const struct mesh_packet *packet)
{
	struct timesync_event event = { 0 };
	uint32_t asker = packet->kind == MESH_TIMEOUT ? packet->from :
							packet->to;
	uint32_t asked = packet->kind == MESH_TIMEOUT ? packet->to :
							packet->from;

	if (packet->kind == MESH_REQUEST) {
		serve(mesh, packet);
		return;
	}
	if (mesh->pending[asker][asked] != packet->number)
		return;
	mesh->pending[asker][asked] = 0;
	if (packet->kind == MESH_TIMEOUT) {
		event.type = TIMESYNC_EV_TIMEOUT;
		event.peer = asked + 1;
	} else {
		forget_timeout(mesh, packet->number);
		event.type = TIMESYNC_EV_REPLY;
		event.reply = packet->exchange;
		event.reply.t4_ns = raw_of(mesh, asker);
		event.reply.tcp_rtt_ns = tcp_rtt_ns(mesh);
		if (mesh->seal_ns > 0)
			refine(mesh, packet);
		learn_served(mesh, packet);
		mesh->asked[asker][asked] = event.reply;
		mesh->learnt[asker][asked].number = packet->number;
		mesh->learnt[asker][asked].exchange = event.reply;
		if (mesh->ruled)
			carrier_heard(&mesh->nodes[asker].carrier, asked + 1,
				      &event.reply.server_clock,
				      event.reply.server_hears);
	}
	step(mesh, asker, &event);
}

static void advance(struct mesh *mesh, int64_t to_ns)
{
	double seconds = (double)(to_ns - mesh->now_ns);

	for (uint32_t i = 0; i < mesh->count; i++)
		mesh->nodes[i].raw_ns += seconds * mesh->nodes[i].rate;
	mesh->now_ns = to_ns;
}

/* Rates walk, reflected at half of rho: any two differ by at most rho. */
static void wander(struct mesh *mesh)
{
	double limit = (double)mesh->config.max_rate_ppb / 2e9;

	for (uint32_t i = 0; i < mesh->count; i++) {
		double change = (prng_unit(&mesh->prng) - 0.5) * 2 *
				mesh->wander_ppb / 1e9;
		double rate = mesh->nodes[i].rate - 1 + change;

		if (rate > limit)
			rate = limit;
		if (rate < -limit)
			rate = -limit;
		mesh->nodes[i].rate = 1 + rate;
	}
}

static int64_t next_event_ns(const struct mesh *mesh, int64_t until_ns)
{
	int64_t next_ns = until_ns;

	if (mesh->ruled && mesh->look_ns < next_ns)
		next_ns = mesh->look_ns;
	for (uint32_t i = 0; i < MESH_PACKETS_MAX; i++)
		if (mesh->packets[i].kind != MESH_FREE &&
		    mesh->packets[i].due_ns < next_ns)
			next_ns = mesh->packets[i].due_ns;
	for (uint32_t i = 0; i < mesh->count; i++)
		if (mesh->nodes[i].up &&
		    mesh->nodes[i].deadline_true_ns < next_ns)
			next_ns = mesh->nodes[i].deadline_true_ns;
	return next_ns;
}

static void fire(struct mesh *mesh)
{
	for (uint32_t i = 0; i < MESH_PACKETS_MAX; i++) {
		struct mesh_packet packet = mesh->packets[i];

		if (packet.kind == MESH_FREE || packet.due_ns > mesh->now_ns)
			continue;
		mesh->packets[i].kind = MESH_FREE;
		if (packet.kind == MESH_REQUEST || mesh->nodes[packet.to].up ||
		    packet.kind == MESH_TIMEOUT)
			deliver(mesh, &packet);
	}
	for (uint32_t i = 0; i < mesh->count; i++) {
		struct timesync_event tick = { .type = TIMESYNC_EV_TICK };

		if (mesh->nodes[i].up &&
		    mesh->nodes[i].deadline_true_ns <= mesh->now_ns)
			step(mesh, i, &tick);
	}
	if (!mesh->ruled || mesh->now_ns < mesh->look_ns)
		return;
	mesh->look_ns = mesh->now_ns + MESH_LOOK_NS;
	for (uint32_t i = 0; i < mesh->count; i++)
		if (mesh->nodes[i].up)
			look_at_mesh(mesh, i);
}

void mesh_run(struct mesh *mesh, int64_t for_ns)
{
	int64_t end_ns = mesh->now_ns + for_ns;

	while (mesh->now_ns < end_ns) {
		int64_t second_ns =
			(mesh->now_ns / NS_PER_SEC + 1) * NS_PER_SEC;
		int64_t until_ns = second_ns < end_ns ? second_ns : end_ns;

		advance(mesh, next_event_ns(mesh, until_ns));
		if (mesh->now_ns == second_ns)
			wander(mesh);
		fire(mesh);
	}
}

const struct timesync_clock *mesh_clock(const struct mesh *mesh, uint32_t index)
{
	return timesync_clock(mesh->nodes[index].timesync);
}

int64_t mesh_bound_ns(const struct mesh *mesh, uint32_t index)
{
	struct interval at = timesync_clock_at(mesh_clock(mesh, index),
					       raw_of(mesh, index));

	if (interval_is_empty(at))
		return INT64_MAX;
	return (at.high_ns - at.low_ns) / 2;
}

bool mesh_is_synced(const struct mesh *mesh, uint32_t index)
{
	return mesh_clock(mesh, index)->quality == TIMESYNC_SYNCED &&
	       mesh_clock(mesh, index)->epoch == mesh->epoch &&
	       mesh_bound_ns(mesh, index) != INT64_MAX;
}

int64_t mesh_error_ns(const struct mesh *mesh, uint32_t index)
{
	struct interval at = timesync_clock_at(mesh_clock(mesh, index),
					       raw_of(mesh, index));

	int64_t middle_ns = at.low_ns + (at.high_ns - at.low_ns) / 2;

	return (int64_t)((double)middle_ns - truth_of(mesh));
}
