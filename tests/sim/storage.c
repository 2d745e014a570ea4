/* The lease check on two pages, and everything that waits for the log. */
#include "tests/sim/storage.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/check.h"
#include "tests/sim/checks.h"
#include "tests/sim/clients.h"
#include "tests/sim/network.h"
#include "tests/sim/record.h"

void storage_start(struct world *world, struct node *node)
{
	struct storage *storage = &node->storage;

	for (uint32_t i = 0; i < NODE_CLIENTS; i++)
		storage->requests[i].state = REQUEST_NONE;
	storage->limbo = (struct limbo_set){0};
	/* Its database survived, or is as old as its last snapshot. */
	if (world_chance(world, 0.5)) {
		if (storage->snapshots[0].meta.index)
			storage->kv = storage->snapshots[0].kv;
		else
			storage->kv = (struct kv){0};
	}
	node_post(world, node->index, PROC_STORAGED, NODE_IPC_NS,
		  (struct event){.kind = EVENT_STORE_COMMITTED,
				 .a = node->host.commit_index});
}

const struct stored_snapshot *storage_snapshot(const struct node *node,
					       uint64_t index)
{
	for (uint32_t i = 0; i < NODE_SNAPSHOTS; i++)
		if (index && node->storage.snapshots[i].meta.index == index)
			return &node->storage.snapshots[i];
	return NULL;
}

static void reply(struct world *world, struct node *node,
		  struct request *request, enum answer answer, uint64_t digest)
{
	request->state = REQUEST_NONE;
	world_trace(world, node->id, "reply to client %u: %s %" PRIx64,
		    request->client, answer == ANSWER_OK ? "ok" : "try again",
		    digest);
	world_post(world, clients_delay(world),
		   (struct event){.kind = EVENT_CLIENT_REPLY,
				  .node = request->client,
				  .a = request->token,
				  .b = digest,
				  .c = answer});
}

/* The page may be older than the process: who wrote it is not asked. */
static bool lease_holds(struct world *world, struct node *node)
{
	const struct consensus_page *page = &node->page;

	return page->lease_valid &&
	       page->lease_disruptions == node->clock_page.disruptions &&
	       node_raw(world, node) < page->lease_until_raw_ns &&
	       node->storage.kv.applied >= page->commit_index;
}

/* R2: may what this leader inherited, and cannot settle yet, write the key? */
static bool limbo_spares(const struct node *node, uint32_t key)
{
	const struct limbo_set *set = &node->storage.limbo;

	if (node->page.limbo_index == 0)
		return true;
	return set->term == node->page.term &&
	       set->limbo_index == node->page.limbo_index &&
	       (set->keys >> key & 1) == 0;
}

void storage_limbo(struct world *world, struct event *event)
{
	struct storage *storage = &world->nodes[event->node].storage;

	storage->limbo = *(struct limbo_set *)event->payload;
	world_drop(event);
}

static void start_read(struct world *world, struct node *node,
		       struct request *request)
{
	const struct consensus_page *page = &node->page;
	const struct fact *last = facts_committed(world, page->commit_index);
	bool foreign =
		last && page->role == RAFT_LEADER && last->term != page->term;

	if (lease_holds(world, node) &&
	    limbo_spares(node, request->command.key)) {
		world_cover(world, COVER_READS_LEASE);
		if (page->limbo_index > 0)
			world_cover(world, COVER_LIMBO_READS);
		if (foreign)
			world_cover(world, COVER_READS_INHERITED);
		world_trace(world, node->id, "read by lease, commit %" PRIu64,
			    page->commit_index);
		record(world, node->id, "lease-read %" PRIu64 " %u",
		       page->commit_index, request->command.key);
		reply(world, node, request, ANSWER_OK,
		      node->storage.kv.keys[request->command.key]);
		return;
	}
	request->state = REQUEST_ASKED;
	node_post(world, node->index, PROC_RAFTD, NODE_IPC_NS,
		  (struct event){.kind = EVENT_RAFT_READ, .a = request->token});
}

static void start_write(struct world *world, struct node *node,
			struct request *request)
{
	const struct kv *kv = &node->storage.kv;
	const struct kv_command *command = &request->command;
	struct gathered *proposal;

	if (kv->last[command->identity].sequence >= command->sequence) {
		world_cover(world, COVER_DUPLICATES);
		reply(world, node, request, ANSWER_OK,
		      kv->last[command->identity].result);
		return;
	}
	proposal = malloc(sizeof(*proposal));
	CHECK(proposal);
	*proposal = (struct gathered){request->token, *command};
	request->state = REQUEST_PROPOSED;
	node_post(world, node->index, PROC_RAFTD, NODE_IPC_NS,
		  (struct event){.kind = EVENT_RAFT_PROPOSE,
				 .payload = proposal});
}

void storage_request(struct world *world, struct event *event)
{
	struct node *node = &world->nodes[event->node];
	const struct request *asked = event->payload;
	struct request *request = &node->storage.requests[asked->client];

	*request = *asked;
	world_drop(event);
	if (!node->procs[PROC_RAFTD].alive)
		reply(world, node, request, ANSWER_TRY_AGAIN, 0);
	else if (request->read)
		start_read(world, node, request);
	else
		start_write(world, node, request);
}

static struct request *request_of(struct node *node, uint64_t token,
				  enum request_state state)
{
	for (uint32_t i = 0; i < NODE_CLIENTS; i++) {
		struct request *request = &node->storage.requests[i];

		if (request->state == state && request->token == token)
			return request;
	}
	return NULL;
}

static void try_read(struct world *world, struct node *node,
		     struct request *request)
{
	if (node->storage.kv.applied < request->index)
		return;
	if (node->page.role != RAFT_LEADER)
		world_cover(world, COVER_READS_FOLLOWER);
	reply(world, node, request, ANSWER_OK,
	      node->storage.kv.keys[request->command.key]);
}

/* An appended write is decided once its index is applied: it took effect if
 * the committed entry there is of the term it was appended in. */
static void try_write(struct world *world, struct node *node,
		      struct request *request)
{
	const struct kv *kv = &node->storage.kv;
	const struct fact *fact;

	if (kv->applied < request->index)
		return;
	fact = facts_committed(world, request->index);
	CHECK(fact);
	if (fact->term == request->term &&
	    kv->last[request->command.identity].sequence ==
		    request->command.sequence)
		reply(world, node, request, ANSWER_OK,
		      kv->last[request->command.identity].result);
	else
		reply(world, node, request, ANSWER_TRY_AGAIN, 0);
}

static void answer_waiting(struct world *world, struct node *node)
{
	for (uint32_t i = 0; i < NODE_CLIENTS; i++) {
		struct request *request = &node->storage.requests[i];

		if (request->state == REQUEST_READING)
			try_read(world, node, request);
		else if (request->state == REQUEST_APPENDED)
			try_write(world, node, request);
	}
}

static void keep_snapshot(struct node *node, const struct kv *kv,
			  const struct raft_snapshot_meta *meta)
{
	struct storage *storage = &node->storage;

	storage->snapshots[1] = storage->snapshots[0];
	storage->snapshots[0].meta = *meta;
	storage->snapshots[0].kv = *kv;
}

static void take_snapshot(struct world *world, struct node *node)
{
	struct storage *storage = &node->storage;
	const struct fact *fact = facts_committed(world, storage->kv.applied);
	struct raft_snapshot_meta meta = {
		.index = fact->index, .term = fact->term, .stamp = fact->stamp};

	keep_snapshot(node, &storage->kv, &meta);
	node_post(world, node->index, PROC_RAFTD,
		  world_exponential(world, 5 * NS_PER_MS),
		  (struct event){.kind = EVENT_RAFT_SNAPSHOT_TAKEN,
				 .a = fact->index});
}

void storage_committed(struct world *world, struct event *event)
{
	struct node *node = &world->nodes[event->node];
	struct storage *storage = &node->storage;

	while (storage->kv.applied < event->a) {
		const struct fact *fact =
			facts_committed(world, storage->kv.applied + 1);
		struct kv_outcome outcome;

		CHECK(fact);
		kv_apply(&storage->kv, fact, &outcome);
		checks_applied(world, node, &outcome);
	}
	answer_waiting(world, node);
	if (storage->kv.applied >=
	    storage->snapshots[0].meta.index + world->profile.snapshot_every)
		take_snapshot(world, node);
}

void storage_proposed(struct world *world, struct event *event)
{
	struct node *node = &world->nodes[event->node];
	struct request *request = request_of(node, event->a, REQUEST_PROPOSED);

	if (!request)
		return;
	if (event->b == 0) {
		reply(world, node, request, ANSWER_TRY_AGAIN, 0);
		return;
	}
	request->state = REQUEST_APPENDED;
	request->index = event->b;
	request->term = event->c;
	try_write(world, node, request);
}

void storage_read(struct world *world, struct event *event)
{
	struct node *node = &world->nodes[event->node];
	struct request *request = request_of(node, event->a, REQUEST_ASKED);

	if (!request)
		return;
	if (event->c != RFS_ERR_OK) {
		reply(world, node, request, ANSWER_TRY_AGAIN, 0);
		return;
	}
	request->state = REQUEST_READING;
	request->index = event->b;
	try_read(world, node, request);
}

static bool body_arrived(struct world *world, const struct snapshot_body *body)
{
	const struct network *network = world->network;
	const struct node *node = &world->nodes[body->to];

	/* The header went before it, on the same stream: its term is known. */
	return node->disk.term >= body->meta.term &&
	       !node->host.hard_in_flight && node->procs[PROC_STORAGED].alive &&
	       node->procs[PROC_RAFTD].alive &&
	       network->blocked[body->from][body->to] == 0 &&
	       network->streams[body->from][body->to].generation ==
		       body->generation &&
	       !(world->faults_on && world_chance(world, 0.1));
}

/* The sender's host has sent the last byte, if it still lives. */
static void body_ended(struct world *world, const struct snapshot_body *body)
{
	struct node *sender = &world->nodes[body->from];

	if (sender->procs[PROC_RAFTD].incarnation == body->incarnation)
		sender->host.streaming[body->to] = false;
}

/* The sender's host notices that its stream broke, if it still lives. */
static void body_failed(struct world *world, const struct snapshot_body *body)
{
	if (world->nodes[body->from].procs[PROC_RAFTD].incarnation ==
	    body->incarnation)
		node_post(world, body->from, PROC_RAFTD,
			  world_exponential(world, 100 * NS_PER_MS),
			  (struct event){.kind = EVENT_RAFT_SNAPSHOT_FAILED,
					 .a = body->to + 1});
}

void storage_body(struct world *world, struct event *event)
{
	struct node *node = &world->nodes[event->node];
	struct storage *storage = &node->storage;
	struct snapshot_body *body = event->payload;

	if (!body_arrived(world, body)) {
		body_failed(world, body);
		world_drop(event);
		return;
	}
	if (node->procs[PROC_STORAGED].paused_until_ns > world->now_ns) {
		world_post(world, 20 * NS_PER_MS, *event);
		return;
	}
	body_ended(world, body);
	if (body->meta.index > storage->kv.applied) {
		checks_snapshot(world, node, &body->kv);
		storage->kv = body->kv;
	}
	if (body->meta.index > storage->snapshots[0].meta.index)
		keep_snapshot(node, &body->kv, &body->meta);
	world_cover(world, COVER_SNAPSHOTS_INSTALLED);
	node_post(world, node->index, PROC_RAFTD,
		  world_exponential(world, NS_PER_MS),
		  (struct event){.kind = EVENT_RAFT_SNAPSHOT_INSTALLED,
				 .a = storage->snapshots[0].meta.index});
	world_drop(event);
	answer_waiting(world, node);
}
