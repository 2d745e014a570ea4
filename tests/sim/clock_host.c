/* One event in, one step of the clock core, its effects carried out. */
#include "tests/sim/clock_host.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "tests/sim/checks.h"
#include "tests/sim/network.h"

#define REPLY_TIMEOUT_NS (200 * NS_PER_MS)

static void schedule(struct world *world, struct node *node)
{
	struct clock_host *timing = &node->timing;
	int64_t at_ns = clocks_true_at(&node->clock, world->now_ns,
				       timing->deadline_raw_ns);

	if (timing->tick_at_ns <= at_ns)
		return;
	timing->tick_at_ns = at_ns;
	node_post(world, node->index, PROC_TIMESYNCD, at_ns - world->now_ns,
		  (struct event){.kind = EVENT_CLOCK_TICK,
				 .a = ++timing->tick_number});
}

static void story_line(void *ctx, const char *text)
{
	struct node *node = ctx;

	world_trace(node->world, node->id, "clock: %s", text);
}

static struct timesync_config config_of(struct world *world, struct node *node)
{
	struct timesync_config config = {
		.self = node->id,
		.sync_interval_ns = 2 * NS_PER_SEC,
		.min_peers = world->node_count < 3
				     ? world->node_count
				     : 3,
		.max_peers = 5,
		.timeout_ns = REPLY_TIMEOUT_NS,
		.drift_threshold = 0.1,
		.adjustment_rate = 0.1,
		.history_size = 10,
		.max_rate_ppb = world->profile.rho_ppb,
		.max_slew_ppb = 500000,
		.max_correction_ns = 250 * NS_PER_MS,
		.target_bound_ns = 2 * world->profile.delay_ns + NS_PER_MS,
		.void_after_ns = 20 * NS_PER_SEC,
		.max_rtt_ns = 500 * NS_PER_MS,
		.precision_ns = 100,
		.seed = prng_next(&world->prng),
	};

	for (uint32_t i = 0; i < world->node_count; i++)
		if (i != node->index)
			config.peers[config.peer_count++] = i + 1;
	if (world->options.tracing)
		config.story = (struct story){story_line, node};
	return config;
}

static void write_page(struct world *world, struct node *node,
		       const struct timesync_clock *clock)
{
	enum timesync_quality before = node->clock_page.quality;

	/* The page it replaces must have held to its last instant. */
	if (node_clock_usable(&node->clock_page, node_raw(world, node)))
		checks_clock(world, node);
	node->clock_page = *clock;
	node->clock_page.disruptions += node->timing.disruptions_base;
	if (clock->quality == before)
		goto out;
	world_trace(world, node->id,
		    "clock quality %d -> %d epoch %" PRIu64 " bound %" PRId64
		    ": %s",
		    (int)before, (int)clock->quality, clock->epoch,
		    clock->bound_ns, timesync_why(node->timing.timesync));
	if (clock->quality == TIMESYNC_SYNCED)
		world_cover(world, COVER_CLOCK_SYNCED);
	else if (clock->quality == TIMESYNC_HOLDOVER)
		world_cover(world, COVER_CLOCK_HOLDOVER);
	else if (clock->quality == TIMESYNC_DISRUPTED)
		world_cover(world, COVER_CLOCK_DISRUPTED);
out:
	if (node_clock_usable(&node->clock_page, node_raw(world, node)))
		checks_clock(world, node);
}

static void ask(struct world *world, struct node *node, uint32_t peer)
{
	struct clock_host *timing = &node->timing;
	struct packet *packet = calloc(1, sizeof(*packet));
	uint64_t number = ++timing->asked_count;

	CHECK(packet);
	CHECK(peer >= 1 && peer <= world->node_count);
	packet->from = node->index;
	packet->to = peer - 1;
	packet->number = number;
	packet->t1_ns = node_raw(world, node);
	timing->asked[peer - 1].number = number;
	timing->asked[peer - 1].t1_ns = packet->t1_ns;
	network_send_packet(world, EVENT_CLOCK_REQUEST, packet);
	node_post(world, node->index, PROC_TIMESYNCD, REPLY_TIMEOUT_NS,
		  (struct event){
			  .kind = EVENT_CLOCK_TIMEOUT, .a = peer, .b = number});
}

static void step(struct world *world, struct node *node,
		 struct timesync_event *event)
{
	struct timesync_effects effects = {0};
	struct clock_host *timing = &node->timing;

	event->raw_ns = node_raw(world, node);
	timesync_step(timing->timesync, event, &effects);
	if (effects.publish)
		write_page(world, node, &effects.clock);
	for (uint32_t i = 0; i < effects.ask_count; i++)
		ask(world, node, effects.ask[i]);
	timing->deadline_raw_ns = effects.deadline_ns;
	schedule(world, node);
}

void clock_host_start(struct world *world, struct node *node)
{
	struct clock_host *timing = &node->timing;
	struct timesync_config config = config_of(world, node);
	struct timesync_event tick = {.type = TIMESYNC_EV_TICK};

	timing->timesync = timesync_new(&config, node_raw(world, node));
	CHECK(timing->timesync);
	/* A new incarnation of the page voids what was computed from the old.
	 */
	timing->disruptions_base = node->clock_page.disruptions + 1;
	memset(timing->asked, 0, sizeof(timing->asked));
	timing->tick_at_ns = INT64_MAX;
	timing->epoch_seen = 0;
	write_page(world, node, timesync_clock(timing->timesync));
	step(world, node, &tick);
	node_post(world, node->index, PROC_TIMESYNCD, NODE_IPC_NS,
		  (struct event){.kind = EVENT_CLOCK_EPOCH});
}

void clock_host_reload(struct world *world, struct node *node)
{
	struct clock_host *timing = &node->timing;
	struct timesync_config config;

	if (!timing->timesync)
		return;
	config = config_of(world, node);
	timesync_configure(timing->timesync, &config);
	timing->deadline_raw_ns = node_raw(world, node);
	timing->tick_at_ns = INT64_MAX;
	schedule(world, node);
}

void clock_host_stop(struct node *node)
{
	timesync_free(node->timing.timesync);
	node->timing.timesync = NULL;
}

void clock_host_disrupt(struct world *world, struct node *node, int64_t jump_ns)
{
	struct timesync_event event = {.type = TIMESYNC_EV_DISRUPTION};

	world_cover(world, COVER_DISRUPTIONS);
	world_trace(world, node->id, "raw clock jumps by %.3f ms",
		    (double)jump_ns / 1e6);
	node->clock.raw_ahead_ns += jump_ns;
	/* The marker is seen before anyone reads the clock again. */
	node->clock_page.quality = TIMESYNC_DISRUPTED;
	if (!node->timing.timesync) {
		node->clock_page.disruptions++;
		return;
	}
	node->timing.tick_at_ns = INT64_MAX;
	step(world, node, &event);
	/* The mark hid from write_page() that this is news. */
	if (node->clock_page.quality == TIMESYNC_DISRUPTED)
		world_cover(world, COVER_CLOCK_DISRUPTED);
}

void clock_host_tick(struct world *world, struct event *event)
{
	struct node *node = &world->nodes[event->node];
	struct timesync_event tick = {.type = TIMESYNC_EV_TICK};

	if (event->a != node->timing.tick_number)
		return;
	node->timing.tick_at_ns = INT64_MAX;
	if (node_raw(world, node) < node->timing.deadline_raw_ns)
		schedule(world, node);
	else
		step(world, node, &tick);
}

void clock_host_epoch(struct world *world, struct event *event)
{
	struct node *node = &world->nodes[event->node];
	const struct consensus_page *page = &node->page;
	struct timesync_event epoch = {.type = TIMESYNC_EV_EPOCH};
	/* An anchor computed before the raw clock broke is of another clock. */
	bool self = page->role == RAFT_LEADER && page->epoch == page->term &&
		    page->epoch != 0 &&
		    page->lease_disruptions == node->clock_page.disruptions;
	uint64_t seen = page->epoch * 64 + page->leader * 2 + self + 1;

	if (seen == node->timing.epoch_seen)
		return;
	node->timing.epoch_seen = seen;
	epoch.epoch.leader = page->leader;
	epoch.epoch.epoch = page->epoch;
	epoch.epoch.self = self;
	epoch.epoch.anchor_raw_ns = page->epoch_raw_ns;
	epoch.epoch.anchor_ts_ns = page->epoch_ts_ns;
	step(world, node, &epoch);
}

void clock_host_request(struct world *world, struct event *event)
{
	struct node *node = &world->nodes[event->node];
	struct packet *packet = event->payload;

	event->payload = NULL;
	packet->t2_ns = node_raw(world, node);
	packet->t3_ns = packet->t2_ns;
	packet->server_clock = node->clock_page;
	packet->server_boot = node->timing.boot;
	packet->to = packet->from;
	packet->from = node->index;
	network_send_packet(world, EVENT_CLOCK_REPLY, packet);
}

void clock_host_reply(struct world *world, struct event *event)
{
	struct node *node = &world->nodes[event->node];
	struct packet *packet = event->payload;
	struct timesync_event reply = {.type = TIMESYNC_EV_REPLY};
	struct timesync_exchange *exchange = &reply.reply;

	if (node->timing.asked[packet->from].number != packet->number) {
		world_drop(event);
		return;
	}
	node->timing.asked[packet->from].number = 0;
	*exchange = (struct timesync_exchange){
		.peer = packet->from + 1,
		.t1_ns = packet->t1_ns,
		.t2_ns = packet->t2_ns,
		.t3_ns = packet->t3_ns,
		.t4_ns = node_raw(world, node),
		.server_clock = packet->server_clock,
		.server_boot = packet->server_boot,
	};
	node_post(world, node->index, PROC_RAFTD, NODE_IPC_NS,
		  (struct event){
			  .kind = EVENT_RAFT_RTT,
			  .a = exchange->peer,
			  .b = (uint64_t)((exchange->t4_ns - exchange->t1_ns) -
					  (exchange->t3_ns - exchange->t2_ns)),
			  .c = packet->number % 2 ? RAFT_RTT_TCP
						  : RAFT_RTT_ANSWERS,
		  });
	world_drop(event);
	step(world, node, &reply);
}

void clock_host_timeout(struct world *world, struct event *event)
{
	struct node *node = &world->nodes[event->node];
	struct timesync_event timeout = {.type = TIMESYNC_EV_TIMEOUT,
					 .peer = (uint32_t)event->a};

	if (node->timing.asked[event->a - 1].number != event->b)
		return;
	node->timing.asked[event->a - 1].number = 0;
	step(world, node, &timeout);
}

void clock_host_wander(struct world *world, struct event *event)
{
	clocks_wander(world, &world->nodes[event->node].clock);
	event->incarnation = 0;
	world_post(world, world_between(world, NS_PER_SEC, 8 * NS_PER_SEC),
		   *event);
}
