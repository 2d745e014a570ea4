/* The queue, the hosts around the cores, the truth. */
#include "tests/clocksim/sim.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "tests/clocksim/links.h"

#define TIMEOUT_NS NS_PER_SEC
/* The daemon compares raw with CLOCK_BOOTTIME this often. */
#define DETECTOR_NS (20 * NS_PER_MS)
/* From election to the other nodes' consensus pages. */
#define TELL_NS (2 * NS_PER_MS)
#define LIE_NS	(100 * NS_PER_MS)
/* A lone daemon's look at the mesh. */
#define LOOK_NS (250 * NS_PER_MS)
/* The wall clock at true time 0. */
#define WALL_NS (INT64_C(1700000000) * NS_PER_SEC)

/* -- the queue ----------------------------------------------------------- */

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void swap(struct sim *sim, uint32_t a, uint32_t b)
{
	struct sim_event *held = sim->heap[a];

	sim->heap[a] = sim->heap[b];
	sim->heap[b] = held;
}

static void post(struct sim *sim, int64_t after_ns,
		 const struct sim_event *event)
{
	uint32_t at = sim->heap_count++;
	struct sim_event *copy = malloc(sizeof(*copy));

	CHECK(copy != NULL && after_ns >= 0);
	*copy = *event;
	copy->at_ns = sim->now_ns + after_ns;
	copy->order = sim->posted++;
	if (sim->heap_count > sim->heap_capacity) {
		sim->heap_capacity = sim->heap_capacity * 2 + 256;
		sim->heap = realloc(sim->heap,
				    sim->heap_capacity * sizeof(*sim->heap));
		CHECK(sim->heap != NULL);
	}
	sim->heap[at] = copy;
	while (at > 0 && is_before(sim->heap[at], sim->heap[(at - 1) / 2])) {
		swap(sim, at, (at - 1) / 2);
		at = (at - 1) / 2;
	}
}

static struct sim_event *take(struct sim *sim)
{
	struct sim_event *first = sim->heap[0];
	uint32_t at = 0;

	sim->heap[0] = sim->heap[--sim->heap_count];
	for (;;) {
		uint32_t least = at;

		for (uint32_t child = 2 * at + 1;
		     child < 2 * at + 3 && child < sim->heap_count; child++)
			if (is_before(sim->heap[child], sim->heap[least]))
				least = child;
		if (least == at)
			return first;
		swap(sim, at, least);
		at = least;
	}
}

/* -- hosts ----------------------------------------------------------------- */

static int64_t raw(const struct sim *sim, const struct node *node)
{
	return clocks_raw(&node->clock, sim->now_ns);
}

static void send(struct sim *sim, const struct sim_event *packet)
{
	int64_t after_ns;

	sim->nodes[packet->from].packets++;
	if (sim->nodes[packet->from].cut || sim->nodes[packet->node].cut ||
	    links_loses(sim))
		return;
	after_ns = links_delay_ns(sim, packet->from, packet->node);
	post(sim, after_ns, packet);
}

static uint32_t slot_of(const struct node *node, uint32_t peer_id)
{
	uint32_t slot = 0;

	while (slot < node->peer_count && node->peers[slot] != peer_id)
		slot++;
	CHECK(slot < node->peer_count);
	return slot;
}

static void ask(struct sim *sim, struct node *node, uint32_t peer_id)
{
	struct pending *pending = &node->pending[slot_of(node, peer_id)];
	struct sim_event request = {
		.kind = SIM_REQUEST,
		.node = peer_id - 1,
		.from = node->index,
		.number = ++sim->numbers,
		.exchange.t1_ns = raw(sim, node),
	};
	struct sim_event timeout = request;

	pending->number = request.number;
	pending->t1_ns = request.exchange.t1_ns;
	node->requests++;
	send(sim, &request);
	timeout.kind = SIM_TIMEOUT;
	timeout.node = node->index;
	timeout.from = peer_id - 1;
	timeout.boot = node->boot;
	post(sim, TIMEOUT_NS, &timeout);
}

static void wait_until(struct sim *sim, struct node *node, int64_t raw_ns)
{
	struct sim_event tick = {
		.kind = SIM_TICK,
		.node = node->index,
		.number = ++node->tick_number,
		.boot = node->boot,
	};

	post(sim,
	     clocks_true_at(&node->clock, sim->now_ns, raw_ns) - sim->now_ns,
	     &tick);
}

static void add_epoch(struct sim *sim, uint64_t number, uint32_t carrier,
		      int64_t cluster_ns)
{
	CHECK(sim->epoch_count < SIM_EPOCHS_MAX);
	if (number > sim->epoch)
		sim->epoch = number;
	sim->epochs[sim->epoch_count++] = (struct epoch_truth){
		.number = number,
		.carrier = carrier,
		.offset_ns = cluster_ns -
			     clocks_oscillator(&sim->nodes[carrier].clock,
					       sim->now_ns),
	};
}

static const struct epoch_truth *find_epoch(const struct sim *sim,
					    uint64_t number)
{
	for (uint32_t i = sim->epoch_count; i > 0; i--)
		if (sim->epochs[i - 1].number == number)
			return &sim->epochs[i - 1];
	return NULL;
}

uint32_t sim_carrier(const struct sim *sim)
{
	const struct epoch_truth *truth = find_epoch(sim, sim->epoch);

	return truth != NULL ? truth->carrier : sim->count;
}

static void look_at_mesh(struct sim *sim, struct node *node);

static void step(struct sim *sim, struct node *node,
		 struct timesync_event *event)
{
	struct timesync_effects effects;

	event->raw_ns = raw(sim, node);
	timesync_step(node->timesync, event, &effects);
	for (uint32_t i = 0; i < effects.ask_count; i++)
		ask(sim, node, effects.ask[i]);
	wait_until(sim, node, effects.deadline_ns);
	if (sim->scenario->ruled)
		look_at_mesh(sim, node);
}

/* Each event of the carrier's makes a step, after which it is asked again. */
static void look_at_mesh(struct sim *sim, struct node *node)
{
	struct timesync_peer_view views[TIMESYNC_PEERS_MAX];
	uint32_t count = timesync_peers(node->timesync, views);
	struct timesync_event event;

	if (!carrier_step(&node->carrier, raw(sim, node), WALL_NS + sim->now_ns,
			  timesync_clock(node->timesync), views, count,
			  &event))
		return;
	if (event.type == TIMESYNC_EV_EPOCH && event.epoch.self &&
	    find_epoch(sim, event.epoch.epoch) == NULL)
		add_epoch(sim, event.epoch.epoch, node->index,
			  event.epoch.anchor_ts_ns);
	step(sim, node, &event);
}

/* As the daemon's timer does, whatever else happens. */
static void look_and_wait(struct sim *sim, struct node *node)
{
	struct sim_event next = {
		.kind = SIM_LOOK, .node = node->index, .boot = node->boot};

	look_at_mesh(sim, node);
	post(sim, LOOK_NS, &next);
}

static void tell_epoch(struct sim *sim, struct node *node)
{
	const struct epoch_truth *truth = find_epoch(sim, sim->epoch);
	struct timesync_event event = {.type = TIMESYNC_EV_EPOCH};

	if (truth == NULL || node->told_epoch == sim->epoch)
		return;
	event.epoch.leader = truth->carrier + 1;
	event.epoch.epoch = sim->epoch;
	event.epoch.self = truth->carrier == node->index;
	node->told_epoch = sim->epoch;
	event.epoch.anchor_raw_ns = raw(sim, node);
	event.epoch.anchor_ts_ns =
		clocks_oscillator(&node->clock, sim->now_ns) + truth->offset_ns;
	step(sim, node, &event);
}

static int64_t round_trip_ns(const struct timesync_exchange *exchange)
{
	return exchange->t4_ns - exchange->t1_ns -
	       (exchange->t3_ns - exchange->t2_ns);
}

static void remember_asked(struct timesync_exchange *asked,
			   const struct timesync_exchange *exchange)
{
	if (asked->peer == 0 || round_trip_ns(exchange) <= round_trip_ns(asked))
		*asked = *exchange;
}

/* Who answers tells of a question of its own, too. */
static void tell_asked(struct node *node, struct sim_event *reply)
{
	for (uint32_t i = 0; i < node->peer_count; i++) {
		if (node->peers[i] != reply->node + 1)
			continue;
		reply->told = node->asked[i];
		node->asked[i].peer = 0;
	}
}

static void learn_served(struct sim *sim, struct node *node,
			 const struct sim_event *reply)
{
	struct timesync_event event = {.type = TIMESYNC_EV_SERVED,
				       .reply = reply->told};

	if (reply->told.peer == 0)
		return;
	event.reply.peer = reply->from + 1;
	event.reply.server_boot = reply->exchange.server_boot;
	event.reply.server_clock = reply->exchange.server_clock;
	step(sim, node, &event);
}

static void serve(struct sim *sim, const struct sim_event *request)
{
	struct node *node = &sim->nodes[request->node];
	struct sim_event reply = *request;

	reply.kind = SIM_REPLY;
	reply.node = request->from;
	reply.from = node->index;
	reply.exchange.peer = node->index + 1;
	reply.exchange.t2_ns = raw(sim, node);
	reply.exchange.t3_ns = reply.exchange.t2_ns;
	reply.exchange.server_boot = node->boot;
	reply.exchange.server_clock = *timesync_clock(node->timesync);
	reply.exchange.server_clock.disruptions += node->disruptions_base;
	if (sim->scenario->ruled)
		reply.exchange.server_hears = carrier_hears(&node->carrier);
	tell_asked(node, &reply);
	if (node->lies)
		reply.exchange.server_clock.offset_ns +=
			node->two_faced && request->from % 2 ? -LIE_NS : LIE_NS;
	send(sim, &reply);
}

static void take_reply(struct sim *sim, const struct sim_event *reply)
{
	struct node *node = &sim->nodes[reply->node];
	struct pending *pending =
		&node->pending[slot_of(node, reply->from + 1)];
	struct timesync_event event = {.type = TIMESYNC_EV_REPLY};

	if (pending->number != reply->number)
		return;
	pending->number = 0;
	event.reply = reply->exchange;
	event.reply.t1_ns = pending->t1_ns;
	event.reply.t4_ns = raw(sim, node);
	event.reply.tcp_rtt_ns =
		links_tcp_rtt_ns(sim, reply->node, reply->from);
	learn_served(sim, node, reply);
	remember_asked(&node->asked[slot_of(node, reply->from + 1)],
		       &event.reply);
	if (sim->scenario->ruled)
		carrier_heard(&node->carrier, reply->from + 1,
			      &event.reply.server_clock,
			      event.reply.server_hears);
	step(sim, node, &event);
}

static void time_out(struct sim *sim, const struct sim_event *timeout)
{
	struct node *node = &sim->nodes[timeout->node];
	struct pending *pending =
		&node->pending[slot_of(node, timeout->from + 1)];
	struct timesync_event event = {.type = TIMESYNC_EV_TIMEOUT,
				       .peer = timeout->from + 1};

	if (timeout->boot != node->boot || pending->number != timeout->number)
		return;
	pending->number = 0;
	step(sim, node, &event);
}

static void happen(struct sim *sim, const struct sim_event *event)
{
	struct node *node = &sim->nodes[event->node];
	struct timesync_event tick = {.type = TIMESYNC_EV_TICK};

	if (node->timesync == NULL)
		return;
	switch (event->kind) {
	case SIM_TICK:
		if (event->boot == node->boot &&
		    event->number == node->tick_number)
			step(sim, node, &tick);
		break;
	case SIM_REQUEST:
		serve(sim, event);
		break;
	case SIM_REPLY:
		take_reply(sim, event);
		break;
	case SIM_TIMEOUT:
		time_out(sim, event);
		break;
	case SIM_TOLD:
		if (event->boot == 0) {
			tell_epoch(sim, node);
			break;
		}
		memset(node->asked, 0, sizeof(node->asked));
		tick.type = TIMESYNC_EV_DISRUPTION;
		step(sim, node, &tick);
		break;
	case SIM_LOOK:
		if (event->boot == node->boot)
			look_and_wait(sim, node);
		break;
	}
}

/* -- oscillators ----------------------------------------------------------- */

static double normal(struct sim *sim)
{
	double u = prng_unit(&sim->prng);
	double v = prng_unit(&sim->prng);

	return sqrt(-2 * log(1 - u)) * cos(2 * M_PI * v);
}

static void wander(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->count; i++) {
		struct node *node = &sim->nodes[i];
		double step_ppb = normal(sim) * sim->scenario->wander_ppb;
		double limit_ppb = (double)node->clock.limit_ppb;

		if (i == 0 && !sim->scenario->leader_wanders)
			continue;
		node->rate_ppb += step_ppb;
		node->rate_ppb =
			fmin(fmax(node->rate_ppb, -limit_ppb), limit_ppb);
		clocks_set_rate(&node->clock, sim->now_ns,
				lround(node->rate_ppb));
	}
}

void sim_rate_step(struct sim *sim, uint32_t index, double by_ppb)
{
	struct node *node = &sim->nodes[index];

	node->rate_ppb += by_ppb;
	CHECK(fabs(node->rate_ppb) <= (double)node->clock.limit_ppb);
	clocks_set_rate(&node->clock, sim->now_ns, lround(node->rate_ppb));
	sim->fault_ns = sim->now_ns;
}

void sim_jump(struct sim *sim, uint32_t index, int64_t by_ns)
{
	struct node *node = &sim->nodes[index];
	struct sim_event told = {
		.kind = SIM_TOLD, .node = index, .boot = node->boot};

	node->clock.raw_ahead_ns += by_ns;
	sim->fault_ns = sim->now_ns;
	post(sim, DETECTOR_NS, &told);
}

/* -- the whole ------------------------------------------------------------- */

static void tell_story(void *ctx, const char *text)
{
	const struct node *node = ctx;

	if (node->sim->tracing)
		printf("%10.3f %u: %s\n", (double)node->sim->now_ns / 1e9,
		       node->index + 1, text);
}

static struct timesync_config config_of(struct sim *sim, struct node *node)
{
	const struct scenario *s = sim->scenario;
	struct timesync_config config = {
		.self = node->index + 1,
		.peer_count = node->peer_count,
		.sync_interval_ns = (int64_t)(s->sync_interval_s * 1e9),
		.min_peers = 3,
		.max_peers = SIM_MAX_PEERS,
		.timeout_ns = TIMEOUT_NS,
		.drift_threshold = 0.1,
		.adjustment_rate = 0.1,
		.history_size = 10,
		.max_rate_ppb = s->max_rate_ppm * 1000,
		.max_slew_ppb = 500000,
		.max_correction_ns = 250 * NS_PER_MS,
		.target_bound_ns = (int64_t)(s->target_bound_us * 1e3),
		.void_after_ns = 600 * NS_PER_SEC,
		.max_rtt_ns = 500 * NS_PER_MS,
		.precision_ns = 50,
		.burst = s->burst,
		.seed = prng_next(&sim->prng),
		.story = {.line = tell_story, .ctx = node},
	};

	for (uint32_t i = 0; i < node->peer_count; i++)
		config.peers[i] = node->peers[i];
	return config;
}

static void rule(struct sim *sim, struct node *node, struct story story)
{
	uint32_t ids[CARRIER_NODES_MAX];

	for (uint32_t i = 0; i < sim->count; i++)
		ids[i] = i + 1;
	carrier_init(&node->carrier, node->index + 1, ids, sim->count,
		     raw(sim, node), story);
	look_and_wait(sim, node);
}

void sim_start(struct sim *sim, uint32_t index)
{
	struct node *node = &sim->nodes[index];
	struct timesync_config config = config_of(sim, node);
	struct timesync_event tick = {.type = TIMESYNC_EV_TICK};

	CHECK(node->timesync == NULL);
	node->timesync = timesync_new(&config, raw(sim, node));
	CHECK(node->timesync != NULL);
	node->boot++;
	node->told_epoch = 0;
	if (sim->scenario->ruled)
		rule(sim, node, config.story);
	step(sim, node, &tick);
	if (!sim->scenario->ruled)
		tell_epoch(sim, node);
}

void sim_stop(struct sim *sim, uint32_t index)
{
	struct node *node = &sim->nodes[index];

	node->disruptions_base +=
		timesync_clock(node->timesync)->disruptions + 1;
	timesync_free(node->timesync);
	node->timesync = NULL;
	for (uint32_t i = 0; i < TIMESYNC_PEERS_MAX; i++)
		node->pending[i].number = 0;
	memset(node->asked, 0, sizeof(node->asked));
}

static int64_t truth_now(const struct sim *sim, uint64_t epoch)
{
	const struct epoch_truth *truth = find_epoch(sim, epoch);

	CHECK(truth != NULL);
	return clocks_oscillator(&sim->nodes[truth->carrier].clock,
				 sim->now_ns) +
	       truth->offset_ns;
}

void sim_elect(struct sim *sim, uint32_t index)
{
	int64_t cluster_ns =
		sim->epoch > 0 ? truth_now(sim, sim->epoch) : WALL_NS;

	add_epoch(sim, sim->epoch + 1, index, cluster_ns);
	for (uint32_t i = 0; i < sim->count; i++) {
		struct sim_event told = {.kind = SIM_TOLD, .node = i};

		post(sim, i == index ? 0 : TELL_NS, &told);
	}
}

static void init_node(struct sim *sim, uint32_t index)
{
	struct node *node = &sim->nodes[index];
	double span_ppb = 2e3 * sim->scenario->start_ppm;

	node->sim = sim;
	node->index = index;
	node->region = index % 3;
	node->rate_ppb = (prng_unit(&sim->prng) - 0.5) * span_ppb;
	if (index == 0 && !sim->scenario->leader_wanders)
		node->rate_ppb = 0;
	node->clock = (struct sim_clock){
		.oscillator_ns =
			(int64_t)prng_below(&sim->prng, 1000 * NS_PER_SEC),
		.rate_ppb = lround(node->rate_ppb),
		.limit_ppb = sim->scenario->max_rate_ppm * 1000 / 2 - 10,
	};
	links_choose_peers(sim, node);
}

struct sim *sim_new(const struct scenario *scenario, uint64_t seed,
		    bool tracing)
{
	struct sim *sim = calloc(1, sizeof(*sim));

	CHECK(sim != NULL);
	sim->scenario = scenario;
	sim->tracing = tracing;
	sim->count = scenario->nodes;
	prng_seed(&sim->prng, seed);
	sim->nodes = calloc(sim->count, sizeof(*sim->nodes));
	CHECK(sim->nodes != NULL);
	for (uint32_t i = 0; i < sim->count; i++)
		init_node(sim, i);
	if (!scenario->ruled)
		sim_elect(sim, 0);
	for (uint32_t i = 0; i < sim->count; i++)
		sim_start(sim, i);
	return sim;
}

void sim_free(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->count; i++)
		timesync_free(sim->nodes[i].timesync);
	while (sim->heap_count > 0)
		free(take(sim));
	free(sim->heap);
	free(sim->nodes);
	free(sim);
}

/* Wander and the scenario's script happen at whole seconds. */
void sim_run(struct sim *sim, int64_t until_ns)
{
	while (sim->now_ns < until_ns) {
		int64_t second_ns = (sim->now_ns / NS_PER_SEC + 1) * NS_PER_SEC;
		int64_t stop_ns = second_ns < until_ns ? second_ns : until_ns;

		while (sim->heap_count > 0 && sim->heap[0]->at_ns <= stop_ns) {
			struct sim_event *event = take(sim);

			sim->now_ns = event->at_ns;
			happen(sim, event);
			free(event);
		}
		sim->now_ns = stop_ns;
		if (stop_ns != second_ns)
			continue;
		wander(sim);
		if (sim->scenario->each_second != NULL)
			sim->scenario->each_second(
				sim, (uint32_t)(second_ns / NS_PER_SEC));
	}
}

struct sim_reading sim_read(const struct sim *sim, uint32_t index)
{
	const struct node *node = &sim->nodes[index];
	struct sim_reading reading = {.usable = false};

	if (node->timesync == NULL)
		return reading;

	const struct timesync_clock *clock = timesync_clock(node->timesync);
	struct interval at = timesync_clock_at(clock, raw(sim, node));

	reading.quality = clock->quality;
	if (interval_is_empty(at))
		return reading;
	int64_t truth_ns = truth_now(sim, clock->epoch);

	reading.usable = true;
	reading.current = clock->epoch == sim->epoch;
	/* Raw readings are whole nanoseconds, at both ends. */
	reading.holds = interval_contains(interval_widen(at, 1), truth_ns);
	reading.bound_ns = (at.high_ns - at.low_ns) / 2;
	reading.error_ns = at.low_ns + reading.bound_ns - truth_ns;
	return reading;
}
