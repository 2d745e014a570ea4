/* Delays, losses, resets, cuts. */
#include "tests/sim/network.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "tests/sim/node.h"

void network_init(struct world *world)
{
	struct network *network = calloc(1, sizeof(*network));
	int64_t typical = world->profile.delay_ns;

	CHECK(network);
	for (uint32_t i = 0; i < SIM_NODES_MAX; i++)
		for (uint32_t j = 0; j < SIM_NODES_MAX; j++)
			network->delay_ns[i][j] =
				world_between(world, typical / 2, typical * 2);
	world->network = network;
}

static int64_t delay(struct world *world, uint32_t from, uint32_t to)
{
	const struct network *network = world->network;
	int64_t ns = network->delay_ns[from][to] +
		     world_exponential(world, world->profile.jitter_ns);

	if (world->now_ns < network->rough_until_ns)
		ns += world_exponential(world, 20 * NS_PER_MS);
	else if (world_chance(world, 0.001))
		ns += world_exponential(world, 30 * NS_PER_MS);
	return ns;
}

static void hold(struct stream *stream, const struct event *event)
{
	if (stream->held_count == stream->held_capacity) {
		stream->held_capacity = stream->held_capacity * 2 + 16;
		stream->held = realloc(stream->held,
				       stream->held_capacity * sizeof(*event));
		CHECK(stream->held);
	}
	stream->held[stream->held_count++] = *event;
}

void network_reset(struct world *world, uint32_t from, uint32_t to)
{
	struct stream *stream = &world->network->streams[from][to];

	world_cover(world, COVER_STREAM_RESETS);
	/* Half of the time what is in flight still arrives, but late. */
	if (world_chance(world, 0.5))
		stream->generation++;
	stream->last_delivery_ns = 0;
	stream->broken_until_ns =
		world->now_ns + world_between(world, 0, 30 * NS_PER_MS);
	for (uint32_t i = 0; i < stream->held_count; i++)
		world_drop(&stream->held[i]);
	stream->held_count = 0;
	if (world_chance(world, 0.5))
		node_peer_lost(world, to, from);
	if (world_chance(world, 0.5))
		node_peer_lost(world, from, to);
}

static struct flight *flight_new(struct world *world, uint32_t from,
				 uint32_t to,
				 const struct raft_message *message,
				 const struct fact *const *facts)
{
	uint32_t count =
		message->type == RAFT_MSG_APPEND ? message->append.count : 0;
	size_t row = count * sizeof(struct fact *);
	struct flight *flight = malloc(sizeof(*flight) + row);

	CHECK(flight);
	*flight = (struct flight){
		.message = *message,
		.from = from,
		.to = to,
		.generation = world->network->streams[from][to].generation,
		.incarnation = world->nodes[to].procs[PROC_RAFTD].incarnation,
	};
	if (count)
		memcpy(flight->facts, facts, row);
	return flight;
}

static bool wild(const struct world *world)
{
	return world->faults_on &&
	       (world->options.scenario == SCENARIO_HOSTILE ||
		world->now_ns < world->network->wild_until_ns);
}

/* Streams that behave like datagrams: what the core must also survive. */
static bool hostile(struct world *world, const struct flight *flight)
{
	if (!wild(world))
		return false;
	if (world_chance(world, 0.03))
		return true;
	if (flight->doubled || !world_chance(world, 0.05))
		return false;
	world_cover(world, COVER_DOUBLED);

	struct flight *twin = flight_new(world, flight->from, flight->to,
					 &flight->message, flight->facts);

	twin->doubled = true;
	world_post(world, delay(world, flight->from, flight->to) * 4,
		   (struct event){.kind = EVENT_RAFT_MESSAGE,
				  .node = flight->to,
				  .payload = twin});
	return false;
}

void network_send_raft(struct world *world, uint32_t from, uint32_t to,
		       const struct raft_message *message,
		       const struct fact *const *facts)
{
	struct network *network = world->network;
	struct stream *stream = &network->streams[from][to];
	struct event event = {.kind = EVENT_RAFT_MESSAGE, .node = to};
	int64_t after = delay(world, from, to);

	if (!world->nodes[to].procs[PROC_RAFTD].alive ||
	    world->now_ns < stream->broken_until_ns)
		return;
	if (world->faults_on &&
	    world_chance(world, world->profile.stream_reset)) {
		network_reset(world, from, to);
		return;
	}
	if (network->blocked[from][to] && !network->stalling)
		return;
	event.payload = flight_new(world, from, to, message, facts);
	if (network->blocked[from][to]) {
		hold(stream, &event);
		return;
	}
	if (hostile(world, event.payload)) {
		world_drop(&event);
		return;
	}
	if (!wild(world)) {
		if (world->now_ns + after <= stream->last_delivery_ns)
			after = stream->last_delivery_ns - world->now_ns + 1;
		stream->last_delivery_ns = world->now_ns + after;
	}
	world_post(world, after, event);
}

bool network_arrives(struct world *world, struct event *event)
{
	struct network *network = world->network;
	const struct flight *flight = event->payload;
	struct stream *stream = &network->streams[flight->from][flight->to];
	const struct process *raftd =
		&world->nodes[flight->to].procs[PROC_RAFTD];

	if (flight->generation == stream->generation && raftd->alive &&
	    flight->incarnation == raftd->incarnation) {
		if (!network->blocked[flight->from][flight->to])
			return true;
		if (network->stalling) {
			hold(stream, event);
			event->payload = NULL;
			return false;
		}
	}
	world_drop(event);
	return false;
}

void network_send_snapshot(struct world *world, uint32_t from, uint32_t to,
			   const struct raft_snapshot_meta *meta,
			   const struct kv *kv)
{
	struct snapshot_body *body = malloc(sizeof(*body));
	int64_t after = 4 * delay(world, from, to);

	CHECK(body);
	after += world_between(world, NS_PER_MS, 200 * NS_PER_MS);
	*body = (struct snapshot_body){
		.meta = *meta,
		.kv = *kv,
		.from = from,
		.to = to,
		.generation = world->network->streams[from][to].generation,
		.incarnation = world->nodes[from].procs[PROC_RAFTD].incarnation,
	};
	world_cover(world, COVER_SNAPSHOTS_SENT);
	world_post(world, after,
		   (struct event){.kind = EVENT_STORE_SNAPSHOT,
				  .node = to,
				  .payload = body});
}

void network_send_packet(struct world *world, enum event_kind kind,
			 struct packet *packet)
{
	struct network *network = world->network;
	struct event event = {.kind = kind, .node = packet->to};
	double loss = world->faults_on ? world->profile.packet_loss : 0;

	if (world->now_ns < network->rough_until_ns)
		loss += 0.3;
	if (network->blocked[packet->from][packet->to] ||
	    world_chance(world, loss)) {
		world_cover(world, COVER_PACKETS_LOST);
		free(packet);
		return;
	}
	if (world_chance(world, world->profile.packet_twice)) {
		struct packet *twin = malloc(sizeof(*twin));

		CHECK(twin);
		*twin = *packet;
		event.payload = twin;
		world_post(world, delay(world, packet->from, packet->to) * 2,
			   event);
	}
	event.payload = packet;
	world_post(world, delay(world, packet->from, packet->to), event);
}

bool network_cut(struct world *world,
		 const bool cut[SIM_NODES_MAX][SIM_NODES_MAX],
		 int64_t duration_ns)
{
	struct network *network = world->network;
	uint32_t number = 0;

	while (number < NETWORK_PARTITIONS &&
	       network->partitions[number].active)
		number++;
	if (number == NETWORK_PARTITIONS)
		return false;
	network->partitions[number].active = true;
	memcpy(network->partitions[number].cut, cut,
	       sizeof(network->partitions[number].cut));
	for (uint32_t i = 0; i < SIM_NODES_MAX; i++)
		for (uint32_t j = 0; j < SIM_NODES_MAX; j++)
			network->blocked[i][j] += cut[i][j];
	network->stalling = world_chance(world, 0.5);
	world_post(world, duration_ns,
		   (struct event){.kind = EVENT_HEAL, .a = number});
	return true;
}

static void release(struct world *world, uint32_t from, uint32_t to)
{
	struct stream *stream = &world->network->streams[from][to];

	for (uint32_t i = 0; i < stream->held_count; i++) {
		int64_t after = delay(world, from, to);

		if (world->now_ns + after <= stream->last_delivery_ns)
			after = stream->last_delivery_ns - world->now_ns + 1;
		stream->last_delivery_ns = world->now_ns + after;
		world_post(world, after, stream->held[i]);
		world_cover(world, COVER_STALE_DELIVERIES);
	}
	stream->held_count = 0;
}

void network_heal(struct world *world, uint32_t partition)
{
	struct network *network = world->network;
	struct partition *healed = &network->partitions[partition];

	if (!healed->active)
		return;
	healed->active = false;
	world_trace(world, 0, "partition %u heals", partition);
	for (uint32_t i = 0; i < world->node_count; i++)
		for (uint32_t j = 0; j < world->node_count; j++) {
			if (!healed->cut[i][j])
				continue;
			if (--network->blocked[i][j] == 0)
				release(world, i, j);
		}
}

void network_heal_all(struct world *world)
{
	for (uint32_t i = 0; i < NETWORK_PARTITIONS; i++)
		network_heal(world, i);
	world->network->rough_until_ns = 0;
	world->network->wild_until_ns = 0;
}
