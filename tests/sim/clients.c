/* Operations, attempts, answers; every answer goes into the history. */
#include "tests/sim/clients.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/check.h"
#include "tests/sim/changes.h"
#include "tests/sim/history.h"
#include "tests/sim/record.h"
#include "tests/sim/storage.h"

struct client {
	bool busy;
	bool probe;
	bool done;  /* a probe that has its answer */
	int pinned; /* probe: node index it must use; -1: any */
	uint32_t identity, sequence;
	uint64_t token, attempts;
	uint32_t timeouts; /* in a row */
	bool read;
	struct kv_command command;
	struct history_op op;
	uint64_t number; /* of the operation, in the trace */
};

struct clients {
	struct client slots[NODE_CLIENTS];
	uint32_t identities; /* given out */
	uint64_t values;     /* given out */
	uint64_t operations; /* begun */
	bool stopped;
	uint32_t hint; /* node index that led last, as far as clients know */
};

int64_t clients_delay(struct world *world)
{
	return 50 * NS_PER_US + world_exponential(world, 100 * NS_PER_US);
}

static void wake(struct world *world, uint32_t slot, int64_t after_ns)
{
	world_post(world, after_ns,
		   (struct event){.kind = EVENT_CLIENT_NEXT, .node = slot});
}

void clients_init(struct world *world)
{
	struct clients *clients = calloc(1, sizeof(*clients));

	CHECK(clients);
	world->clients = clients;
	for (uint32_t i = 0; i < CLIENTS_COUNT; i++) {
		clients->slots[i].identity = clients->identities++;
		clients->slots[i].pinned = -1;
		wake(world, i, world_exponential(world, NS_PER_SEC));
	}
}

void clients_stop(struct world *world)
{
	world->clients->stopped = true;
}

static uint32_t choose_node(struct world *world, const struct client *client)
{
	if (client->pinned >= 0)
		return (uint32_t)client->pinned;
	/* Writes want the leader; reads go anywhere, old leaders included. */
	if (world_chance(world, client->read ? 0.5 : 0.85))
		return world->clients->hint;
	return (uint32_t)world_between(world, 0, world->node_count - 1);
}

static void attempt(struct world *world, uint32_t slot)
{
	struct client *client = &world->clients->slots[slot];
	struct request *request = calloc(1, sizeof(*request));
	uint32_t index = choose_node(world, client);

	CHECK(request);
	client->token = ((uint64_t)(slot + 1) << 48) | ++client->attempts;
	*request = (struct request){.client = slot,
				    .token = client->token,
				    .read = client->read,
				    .command = client->command};
	world_trace(world, 0,
		    "client %u.%u asks node %u: %s key %u (attempt %" PRIu64
		    ")",
		    client->identity, client->command.sequence, index + 1,
		    client->read			? "get"
		    : client->command.kind == KV_APPEND ? "append"
							: "put",
		    client->command.key, client->attempts);
	world_post(world, clients_delay(world),
		   (struct event){.kind = EVENT_STORE_REQUEST,
				  .node = index,
				  .payload = request});
	world_post(world, world_between(world, 30, 300) * NS_PER_MS,
		   (struct event){.kind = EVENT_CLIENT_TIMEOUT,
				  .node = slot,
				  .a = client->token});
}

static void begin(struct world *world, uint32_t slot, bool read)
{
	struct client *client = &world->clients->slots[slot];

	client->read = read;
	client->busy = true;
	client->timeouts = 0;
	client->command.identity = client->identity;
	client->command.key = (uint32_t)world_between(world, 0, KV_KEYS - 1);
	if (!read) {
		client->command.sequence = ++client->sequence;
		client->command.kind =
			world_chance(world, 0.5) ? KV_APPEND : KV_PUT;
		client->command.value = ++world->clients->values;
	}
	client->op = history_begin(world->history, client->command.key);
	client->number = ++world->clients->operations;
	record(world, 0, "begin %" PRIu64 " %u %s", client->number,
	       client->command.key, read ? "get" : "put");
	attempt(world, slot);
}

void clients_next(struct world *world, struct event *event)
{
	struct client *client = &world->clients->slots[event->node];

	if (client->busy)
		attempt(world, event->node);
	else if (!world->clients->stopped && !client->probe)
		begin(world, event->node, world_chance(world, 0.6));
}

static void finish(struct world *world, struct client *client, uint64_t state)
{
	const char *why = client->read ? history_read_done(world->history,
							   &client->op, state)
				       : history_write_done(world->history,
							    &client->op, state);

	record(world, 0, "end %" PRIu64 " %" PRIu64, client->number, state);
	if (why && !world->clock_rule_broken)
		world_violate(world, 0, "linearizability",
			      "client %u, %s key %u, state %" PRIx64 ": %s",
			      client->identity, client->read ? "get" : "write",
			      client->command.key, state, why);
	if (!client->read)
		world_cover(world, COVER_WRITES);
	client->busy = false;
	client->done = true;
}

void clients_reply(struct world *world, struct event *event)
{
	struct client *client = &world->clients->slots[event->node];

	if (!client->busy || client->token != event->a)
		return;
	if (event->c == ANSWER_OK) {
		finish(world, client, event->b);
		wake(world, event->node,
		     world_exponential(world, world->profile.think_ns));
		return;
	}
	if (client->pinned < 0)
		world->clients->hint = (uint32_t)world_between(
			world, 0, world->node_count - 1);
	client->token = 0;
	wake(world, event->node, world_between(world, 1, 10) * NS_PER_MS);
}

/* Nobody will ever learn how this write ended. */
static void give_up(struct world *world, uint32_t slot)
{
	struct client *client = &world->clients->slots[slot];

	client->busy = false;
	client->identity = world->clients->identities++;
	client->sequence = 0;
	wake(world, slot, world_exponential(world, 50 * NS_PER_MS));
}

void clients_timeout(struct world *world, struct event *event)
{
	struct client *client = &world->clients->slots[event->node];
	struct clients *clients = world->clients;

	if (!client->busy || client->token != event->a)
		return;
	client->timeouts++;
	if (client->pinned < 0)
		clients->hint = (uint32_t)world_between(
			world, 0, world->node_count - 1);
	if (!client->probe && client->timeouts > 2 &&
	    clients->identities < KV_IDENTITIES - NODE_CLIENTS &&
	    world_chance(world, 0.1)) {
		give_up(world, event->node);
		return;
	}
	world_cover(world, COVER_RETRIES);
	attempt(world, event->node);
}

void clients_probe(struct world *world)
{
	struct clients *clients = world->clients;

	for (uint32_t i = 0; i <= world->node_count; i++) {
		struct client *client = &clients->slots[CLIENTS_COUNT + i];

		*client = (struct client){
			.probe = true,
			.identity = clients->identities++,
			.pinned = i == 0 ? -1 : (int)i - 1,
			.done = i > 0 && !changes_takes_part(
						 world, &world->nodes[i - 1]),
		};
		if (client->done)
			continue;
		CHECK(client->identity < KV_IDENTITIES);
		begin(world, CLIENTS_COUNT + i, i > 0);
	}
}

bool clients_probes_done(const struct world *world)
{
	for (uint32_t i = 0; i <= world->node_count; i++)
		if (!world->clients->slots[CLIENTS_COUNT + i].done)
			return false;
	return true;
}
