/* The pretended world of cluster.h: one queue of things to come. */
#include "tests/raftd/cluster.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/prng.h"
#include "common/units.h"

#define MESSAGE_DELAY_NS  NS_PER_MS
#define DISK_DELAY_NS     (100 * NS_PER_US)
#define SNAPSHOT_DELAY_NS (5 * NS_PER_MS)
#define CLOCK_BOUND_NS	  (100 * NS_PER_US)

#define TERMS_MAX   4096
#define INDEXES_MAX 65536
#define READS_MAX   65536
#define CHANGES_MAX 4096

enum coming_type { COMING_MESSAGE, COMING_PERSISTED, COMING_INSTALLED };

/* Something that will reach a node. */
struct coming {
	struct coming *next; /* by time, then in order of arrival */
	int64_t at_ns;
	enum coming_type type;
	uint32_t node;
	uint64_t life; /* of the node it was meant for, for its own disk */
	struct raft_message message;
	struct raft_entry *entries; /* owned, payloads too */
	uint64_t index, term;	    /* PERSISTED */
	struct raft_snapshot_meta snapshot;
};

struct node {
	uint32_t id;
	struct cluster *cluster;
	struct raft *raft;
	struct raft_config config;
	uint64_t life; /* counts restarts and truncations */
	bool usable;
	int64_t disk_ns;  /* until an entry is durable */
	int64_t wrong_ns; /* what its page adds to cluster time */
	uint32_t disruptions;
	uint64_t epoch; /* the timeline its clock page shows */
	int64_t rate_ppb; /* of its raw clock, against true time */
	int64_t raw_start_ns;
	uint64_t term_led; /* when it last crashed; 0: none */
	struct raft_view page; /* what a reader beside it last saw */

	/* Its disk. */
	struct raft_restart disk;
	struct raft_entry *entries;
	uint64_t entry_capacity;
	uint64_t persisted; /* what a crash leaves */

	struct raft_read_done last_read;
	struct raft_proposal_done last_proposal;
};

struct cluster {
	struct cluster_options options; /* node_count grows by joiners */
	uint32_t first_count;
	int64_t now_ns;
	struct coming *queue;
	struct node nodes[RAFT_NODES_MAX];
	bool down[RAFT_NODES_MAX + 1][RAFT_NODES_MAX + 1];
	uint64_t next_id;
	uint64_t message_count;
	uint64_t entry_count;
	uint32_t lossy_percent;
	int64_t exchange_ns;
	struct prng prng;
	FILE *lines;
	char *text;
	size_t text_bytes;
	/* First instant of each epoch, as its leader said. */
	struct {
		const struct node *leader;
		int64_t raw_ns, ts_ns;
	} epochs[TERMS_MAX];
	/* What must never change. */
	uint32_t leaders[TERMS_MAX]; /* by term */
	struct {
		uint64_t term;
		int64_t ts_ns;
	} committed[INDEXES_MAX];
	uint64_t committed_last;
	uint64_t committed_command; /* the last that changed what is read */
	struct {
		uint64_t at_least; /* committed when it was asked */
	} reads[READS_MAX];
	/* Memberships, as they were committed; the first is the bootstrap. */
	struct raft_membership memberships[CHANGES_MAX];
	uint32_t membership_count;
	/* What the log says of leases, as it was committed; the first: nothing. */
	struct {
		uint64_t index;
		struct raft_window window;
	} windows[CHANGES_MAX];
	uint32_t window_count;
};

static const struct raft_membership *
membership_at(const struct cluster *cluster, uint64_t index)
{
	uint32_t at = cluster->membership_count - 1;

	while (cluster->memberships[at].index > index)
		at--;
	return &cluster->memberships[at];
}

static const struct raft_window *window_at(const struct cluster *cluster,
					   uint64_t index)
{
	uint32_t at = cluster->window_count - 1;

	while (cluster->windows[at].index > index)
		at--;
	return &cluster->windows[at].window;
}

/* By the core that committed it first; all others must say the same. */
static void window_committed(struct cluster *cluster, const struct raft *raft,
			     uint64_t index)
{
	CHECK(cluster->window_count < CHANGES_MAX);
	cluster->windows[cluster->window_count].index = index;
	CHECK(raft_window_at(
		raft, index,
		&cluster->windows[cluster->window_count++].window));
}

static bool same_window(const struct raft_window *a,
			const struct raft_window *b)
{
	uint8_t x[RAFT_WINDOW_BYTES_MAX], y[RAFT_WINDOW_BYTES_MAX];
	uint32_t bytes = raft_window_encode(a, x);

	return bytes == raft_window_encode(b, y) && memcmp(x, y, bytes) == 0;
}

static void membership_committed(struct cluster *cluster,
				 const struct raft_entry *entry)
{
	CHECK(cluster->membership_count < CHANGES_MAX);
	CHECK(raft_membership_decode(
		      entry->data, entry->bytes,
		      &cluster->memberships[cluster->membership_count++]) ==
	      RFS_ERR_OK);
}

static struct node *node_at(struct cluster *cluster, uint32_t id)
{
	CHECK(id >= 1);
	CHECK(id <= cluster->options.node_count);
	return &cluster->nodes[id - 1];
}

static void entries_free(struct raft_entry *entries, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		free((void *)(uintptr_t)entries[i].data);
}

static struct raft_entry entry_copy(const struct raft_entry *entry)
{
	struct raft_entry copy = *entry;
	void *data = malloc(entry->bytes + 1);

	CHECK(data);
	if (entry->bytes)
		memcpy(data, entry->data, entry->bytes);
	copy.data = data;
	return copy;
}

static struct coming *coming_add(struct cluster *cluster, int64_t delay_ns,
				 enum coming_type type, uint32_t node)
{
	struct coming *one = calloc(1, sizeof(*one));
	struct coming **at = &cluster->queue;

	CHECK(one);
	one->at_ns = cluster->now_ns + delay_ns;
	one->type = type;
	one->node = node;
	one->life = node_at(cluster, node)->life;
	while (*at && (*at)->at_ns <= one->at_ns)
		at = &(*at)->next;
	one->next = *at;
	*at = one;
	return one;
}

static void coming_free(struct coming *one)
{
	if (one->entries)
		entries_free(one->entries, one->message.append.count);
	free(one->entries);
	free(one);
}

static void node_line(void *ctx, const char *text)
{
	const struct node *node = ctx;

	fprintf(node->cluster->lines, "%u: %s\n", node->id, text);
}

static int64_t node_raw_ns(const struct node *node)
{
	int64_t now_ns = node->cluster->now_ns;

	return node->raw_start_ns + now_ns +
	       units_scale_ppb(now_ns, node->rate_ppb);
}

/* True time at which its raw clock has surely reached raw_ns. */
static int64_t node_true_ns(const struct node *node, int64_t raw_ns)
{
	int64_t ns = raw_ns - node->raw_start_ns;

	return (int64_t)((__int128)ns * PPB / (PPB + node->rate_ppb)) + 1;
}

static struct raft_now node_now(const struct node *node)
{
	const struct cluster *cluster = node->cluster;
	struct raft_now now = {
		.raw_ns = node_raw_ns(node),
		.wall_ns = 1000 * NS_PER_SEC + cluster->now_ns,
		.disruptions = node->disruptions,
	};

	if (!node->usable || node->epoch == 0)
		return now;

	int64_t ts_ns = cluster->epochs[node->epoch].ts_ns +
			node_raw_ns(cluster->epochs[node->epoch].leader) -
			cluster->epochs[node->epoch].raw_ns;

	now.usable = true;
	now.exchange_ns = cluster->exchange_ns;
	now.epoch = node->epoch;
	ts_ns += node->wrong_ns;
	now.cluster = (struct interval){ ts_ns - CLOCK_BOUND_NS,
					 ts_ns + CLOCK_BOUND_NS };
	return now;
}

/* The clock daemon's part: follow the timeline of the leader in force. */
static void node_follow_clock(struct node *node)
{
	struct raft_view view;

	raft_view(node->raft, &view);
	if (view.role == RAFT_LEADER) {
		CHECK(view.epoch < TERMS_MAX);
		node->cluster->epochs[view.epoch].leader = node;
		node->cluster->epochs[view.epoch].raw_ns = view.epoch_raw_ns;
		node->cluster->epochs[view.epoch].ts_ns = view.epoch_ts_ns;
		node->epoch = view.epoch;
	} else if (view.leader != RAFT_NOBODY &&
		   node->cluster->epochs[view.epoch].leader) {
		node->epoch = view.epoch;
	}
}

static void disk_append(struct node *node, const struct raft_entry *entry)
{
	if (node->disk.entry_count == node->entry_capacity) {
		node->entry_capacity = 2 * node->entry_capacity + 16;
		node->entries = realloc(node->entries,
					node->entry_capacity *
						sizeof(*node->entries));
		CHECK(node->entries);
		node->disk.entries = node->entries;
	}
	node->entries[node->disk.entry_count++] = entry_copy(entry);
}

static void disk_truncate(struct node *node, uint64_t from)
{
	while (node->disk.entry_count &&
	       node->entries[node->disk.entry_count - 1].index >= from)
		entries_free(&node->entries[--node->disk.entry_count], 1);
	if (node->persisted >= from)
		node->persisted = from ? from - 1 : 0;
	node->life++;
}

static void disk_compact(struct node *node, uint64_t to)
{
	struct raft_entry *entries = node->entries;
	uint64_t count = 0;

	while (count < node->disk.entry_count && entries[count].index <= to) {
		node->disk.snapshot = (struct raft_snapshot_meta){
			.index = entries[count].index,
			.term = entries[count].term,
			.stamp = entries[count].stamp,
		};
		count++;
	}
	if (node->persisted < to)
		node->persisted = to;
	entries_free(entries, count);
	node->disk.entry_count -= count;
	memmove(entries, entries + count,
		node->disk.entry_count * sizeof(*entries));
}

static void node_send(struct node *node, const struct raft_message *message)
{
	struct cluster *cluster = node->cluster;
	struct coming *one;

	cluster->message_count++;
	if (message->type == RAFT_MSG_SNAPSHOT) /* I9 */
		CHECK(message->snapshot.stamp.ts_ns ==
		      cluster->committed[message->snapshot.index].ts_ns);
	if (message->type == RAFT_MSG_APPEND)
		cluster->entry_count += message->append.count;
	if (cluster->down[node->id][message->to] ||
	    prng_below(&cluster->prng, 100) < cluster->lossy_percent)
		return;
	one = coming_add(cluster, MESSAGE_DELAY_NS, COMING_MESSAGE,
			 message->to);
	one->message = *message;
	if (message->type == RAFT_MSG_SNAPSHOT) {
		struct coming *body = coming_add(cluster, SNAPSHOT_DELAY_NS,
						 COMING_INSTALLED, message->to);

		body->snapshot = message->snapshot;
	}
	if (message->type != RAFT_MSG_APPEND || message->append.count == 0)
		return;
	one->entries = calloc(message->append.count, sizeof(*one->entries));
	CHECK(one->entries);
	for (uint32_t i = 0; i < message->append.count; i++)
		one->entries[i] = entry_copy(&message->append.entries[i]);
	one->message.append.entries = one->entries;
}

static void node_write(struct node *node, const struct raft_effects *effects)
{
	node->disk.term = effects->term;
	node->disk.voted_for = effects->voted_for;
	if (effects->hard_state_changed) {
		node->disk.supported_term = effects->supported_term;
		node->disk.floor = effects->floor;
	}
	if (effects->reset_log) {
		disk_truncate(node, 0);
		node->disk.snapshot = effects->reset_to;
		node->persisted = effects->reset_to.index;
	}
	if (effects->truncate_from) {
		const struct raft_conflict *conflict = &effects->conflict;
		const struct raft_entry *kept =
			raft_log_at(node->raft, effects->truncate_from);

		CHECK(conflict->count > 0);
		CHECK(conflict->kept_term != conflict->dropped_term);
		CHECK(kept->term == conflict->kept_term);
		CHECK(kept->stamp.ts_ns == conflict->kept.ts_ns);
		disk_truncate(node, effects->truncate_from);
	}
	for (uint32_t i = 0; i < effects->append_count; i++)
		disk_append(node, &effects->append[i]);
	if (effects->append_count) {
		struct coming *done = coming_add(node->cluster, node->disk_ns,
						 COMING_PERSISTED, node->id);
		const struct raft_entry *last =
			&effects->append[effects->append_count - 1];

		done->index = last->index;
		done->term = last->term;
	}
}

/* May a reader that sees only the two pages answer right now? */
static bool page_allows_read(const struct node *node)
{
	return node->page.lease_valid && node->usable &&
	       node->page.lease_disruptions == node->disruptions &&
	       node_raw_ns(node) <= node->page.lease_until_raw_ns;
}

static void check_committed(struct node *node, uint64_t from, uint64_t to)
{
	struct cluster *cluster = node->cluster;

	CHECK(to < INDEXES_MAX);
	for (uint64_t i = from + 1; i <= to; i++) {
		const struct raft_entry *e = raft_log_at(node->raft, i);

		if (!e) /* came within a snapshot */
			continue;
		if (i <= cluster->committed_last) {
			CHECK(cluster->committed[i].term == e->term);
			CHECK(cluster->committed[i].ts_ns == e->stamp.ts_ns);
			continue;
		}
		CHECK(i == cluster->committed_last + 1);
		CHECK(e->stamp.ts_ns > cluster->committed[i - 1].ts_ns);
		cluster->committed[i].term = e->term;
		cluster->committed[i].ts_ns = e->stamp.ts_ns;
		cluster->committed_last = i;
		if (e->kind == RAFT_ENTRY_COMMAND)
			cluster->committed_command = i;
		if (e->kind == RAFT_ENTRY_CONFIG)
			membership_committed(cluster, e);
		if (e->kind == RAFT_ENTRY_LEASE || e->kind == RAFT_ENTRY_NOOP)
			window_committed(cluster, node->raft, i);
	}
	CHECK(to <= cluster->committed_last);
}

static void check_step(struct node *node)
{
	struct cluster *cluster = node->cluster;
	uint64_t commit = node->page.commit_index;

	raft_view(node->raft, &node->page);
	CHECK(node->page.term < TERMS_MAX);
	if (node->page.role == RAFT_LEADER) {
		uint32_t *leader = &cluster->leaders[node->page.term];

		CHECK(*leader == 0 || *leader == node->id);
		*leader = node->id;
	}
	if (node->page.commit_index > commit)
		check_committed(node, commit, node->page.commit_index);
	for (uint32_t i = 0; i < cluster->options.node_count; i++) {
		const struct node *reader = &cluster->nodes[i];

		/* R2 leaves commands in limbo to who knows their keys. */
		CHECK(!page_allows_read(reader) ||
		      reader->page.commit_index >= cluster->committed_command ||
		      reader->page.limbo_index >= cluster->committed_command);
	}
}

static void check_reads(struct node *node, const struct raft_effects *effects)
{
	for (uint32_t i = 0; i < effects->read_count; i++) {
		const struct raft_read_done *done = &effects->reads[i];

		CHECK(done->err != RFS_ERR_OK ||
		      done->index >= node->cluster->reads[done->id].at_least);
		node->last_read = *done;
	}
}

static void node_step(struct node *node, struct raft_event *event)
{
	struct raft_effects effects;

	event->now = node_now(node);
	raft_step(node->raft, event, &effects);
	node_write(node, &effects);
	for (uint32_t i = 0; i < effects.send_count; i++)
		node_send(node, &effects.send[i]);
	for (uint32_t i = 0; i < effects.proposal_count; i++)
		node->last_proposal = effects.proposals[i];
	check_reads(node, &effects);
	check_step(node);
	if (effects.compact_to)
		disk_compact(node, effects.compact_to);
	node_follow_clock(node);
}

static void node_start(struct node *node)
{
	struct raft_now now = node_now(node);

	now.usable = false;
	node->disk.membership =
		membership_at(node->cluster, node->disk.snapshot.index);
	node->disk.window =
		window_at(node->cluster, node->disk.snapshot.index);
	if (node->disk.snapshot.index == 0)
		node->disk.membership = NULL;
	node->raft = raft_new(&node->config, &node->disk, &now);
	CHECK(node->raft);
}

/* Seeds such that deadlines come in the order of ids, well apart. */
static void node_start_in_order(struct node *node)
{
	int64_t base_ns = node->config.election_timeout_max_ns;
	int64_t count = node->cluster->options.node_count;
	int64_t low_ns = base_ns + base_ns * (node->id - 1) / count;

	for (node->config.seed = node->id;; node->config.seed += 100) {
		node_start(node);
		int64_t at = raft_deadline_ns(node->raft) - node_raw_ns(node);
		if (count == 1 ||
		    (at >= low_ns && at < low_ns + base_ns / count / 2))
			return;
		raft_free(node->raft);
	}
}

/* The machine by that number, not started. */
static struct node *node_make(struct cluster *cluster, uint32_t id)
{
	const struct cluster_options *options = &cluster->options;
	struct node *node = &cluster->nodes[id - 1];
	int64_t first_count = cluster->first_count;
	int64_t election_timeout_ns = options->election_timeout_ns
					      ? options->election_timeout_ns
					      : 100 * NS_PER_MS;

	node->id = id;
	node->cluster = cluster;
	node->usable = true;
	node->disk_ns = DISK_DELAY_NS;
	/* Spread over nine tenths of what rho allows. */
	if (first_count > 1)
		node->rate_ppb = (int64_t)options->max_rate_ppb *
				 ((id - 1) % first_count * 10 /
					  (first_count - 1) -
				  5) * 9 / 100;
	node->raw_start_ns = id * 1000 * NS_PER_SEC;
	node->config = (struct raft_config){
		.self = id,
		.seed = id,
		.election_timeout_min_ns = election_timeout_ns,
		.election_timeout_max_ns = election_timeout_ns,
		.heartbeat_min_ns = 20 * NS_PER_MS,
		.lease_ns = options->lease_ns,
		.max_rate_ppb = options->max_rate_ppb,
		.inflight_entries_max = options->inflight_entries_max,
		.inflight_bytes_max = 4 * MIB,
		.log_entries_max = options->log_entries_max,
		.log_bytes_max = 4 * MIB,
		.story = { node_line, node },
	};
	return node;
}

struct cluster *cluster_new(const struct cluster_options *options)
{
	struct cluster *cluster = calloc(1, sizeof(*cluster));

	CHECK(cluster);
	cluster->options = *options;
	cluster->first_count = options->node_count;
	cluster->now_ns = 100 * NS_PER_SEC;
	prng_seed(&cluster->prng, 1);
	cluster->lines =
		open_memstream(&cluster->text, &cluster->text_bytes);
	CHECK(cluster->lines);
	cluster->memberships[0] = (struct raft_membership){
		.last_id = options->node_count,
		.count = options->node_count,
	};
	for (uint32_t i = 0; i < options->node_count; i++)
		cluster->memberships[0].members[i] = (struct raft_member){
			.id = i + 1,
			.voter = true,
		};
	cluster->membership_count = 1;
	cluster->window_count = 1;
	for (uint32_t i = 1; i <= options->node_count; i++) {
		struct node *node = node_make(cluster, i);

		node->config.member_count = options->node_count;
		memcpy(node->config.members, cluster->memberships[0].members,
		       sizeof(node->config.members));
		node_start_in_order(node);
	}
	return cluster;
}

void cluster_free(struct cluster *cluster)
{
	while (cluster->queue) {
		struct coming *one = cluster->queue;

		cluster->queue = one->next;
		coming_free(one);
	}
	for (uint32_t i = 0; i < cluster->options.node_count; i++) {
		struct node *node = &cluster->nodes[i];

		raft_free(node->raft);
		entries_free(node->entries, node->disk.entry_count);
		free(node->entries);
	}
	fclose(cluster->lines);
	free(cluster->text);
	free(cluster);
}

int64_t cluster_now_ns(const struct cluster *cluster)
{
	return cluster->now_ns;
}

static void coming_arrive(struct cluster *cluster, const struct coming *one)
{
	struct node *node = node_at(cluster, one->node);
	struct raft_event event = { .type = RAFT_EV_TICK };

	if (!node->raft)
		return;
	switch (one->type) {
	case COMING_MESSAGE:
		if (cluster->down[one->message.from][node->id])
			return;
		event.type = RAFT_EV_RECEIVE;
		event.message = &one->message;
		break;
	case COMING_PERSISTED:
		if (one->life != node->life)
			return;
		if (node->persisted < one->index)
			node->persisted = one->index;
		event.type = RAFT_EV_PERSISTED;
		event.persisted.index = one->index;
		event.persisted.term = one->term;
		break;
	case COMING_INSTALLED:
		if (one->snapshot.index <= node->page.commit_index)
			return;
		event.type = RAFT_EV_SNAPSHOT_INSTALLED;
		event.snapshot = one->snapshot;
		event.membership = membership_at(cluster, one->snapshot.index);
		event.window = window_at(cluster, one->snapshot.index);
		break;
	}
	node_step(node, &event);
}

/* The next deadline of any node; INT64_MAX: none. */
static struct node *cluster_next_tick(struct cluster *cluster, int64_t *at_ns)
{
	struct node *next = NULL;

	*at_ns = INT64_MAX;
	for (uint32_t i = 0; i < cluster->options.node_count; i++) {
		struct node *node = &cluster->nodes[i];

		if (!node->raft)
			continue;

		int64_t due_ns =
			node_true_ns(node, raft_deadline_ns(node->raft));

		if (due_ns < *at_ns) {
			*at_ns = due_ns;
			next = node;
		}
	}
	return next;
}

void cluster_run(struct cluster *cluster, int64_t ns)
{
	int64_t end_ns = cluster->now_ns + ns;

	for (;;) {
		int64_t tick_ns;
		struct node *node = cluster_next_tick(cluster, &tick_ns);
		struct coming *one = cluster->queue;

		if (one && one->at_ns <= tick_ns && one->at_ns <= end_ns) {
			cluster->queue = one->next;
			cluster->now_ns = one->at_ns;
			coming_arrive(cluster, one);
			coming_free(one);
		} else if (node && tick_ns <= end_ns) {
			if (tick_ns > cluster->now_ns)
				cluster->now_ns = tick_ns;
			node_step(node, &(struct raft_event){
						.type = RAFT_EV_TICK });
		} else {
			break;
		}
	}
	cluster->now_ns = end_ns;
}

void cluster_settle(struct cluster *cluster)
{
	cluster_run(cluster, CLUSTER_STEP_NS);
}

void cluster_propose(struct cluster *cluster, uint32_t node, const char *text)
{
	struct raft_proposal one = { .id = ++cluster->next_id,
				     .data = text,
				     .bytes = (uint32_t)strlen(text) };
	struct raft_event event = { .type = RAFT_EV_PROPOSE };

	event.propose.proposals = &one;
	event.propose.count = 1;
	node_step(node_at(cluster, node), &event);
}

void cluster_read(struct cluster *cluster, uint32_t node)
{
	uint64_t id = ++cluster->next_id;

	CHECK(id < READS_MAX);
	cluster->reads[id].at_least = cluster->committed_command;
	node_step(node_at(cluster, node),
		  &(struct raft_event){ .type = RAFT_EV_READ, .read.id = id });
}

void cluster_page(struct cluster *cluster, uint32_t node)
{
	const struct node *shown = node_at(cluster, node);
	const struct raft_view *page = &shown->page;

	fprintf(cluster->lines, "%u: page shows ", node);
	if (page_allows_read(shown))
		fprintf(cluster->lines, "a lease of %lld ms at commit %llu",
			(long long)((page->lease_until_raw_ns -
				     node_raw_ns(shown)) /
				    NS_PER_MS),
			(unsigned long long)page->commit_index);
	else
		fprintf(cluster->lines, "no lease");
	if (page->limbo_index)
		fprintf(cluster->lines, ", limbo to %llu",
			(unsigned long long)page->limbo_index);
	fprintf(cluster->lines, "\n");
}

void cluster_peer_lost(struct cluster *cluster, uint32_t node, uint32_t peer)
{
	node_step(node_at(cluster, node),
		  &(struct raft_event){ .type = RAFT_EV_PEER_LOST,
					.peer = peer });
}

void cluster_notice(struct cluster *cluster, uint32_t node, uint32_t peer,
		    uint64_t term_led)
{
	struct raft_event event = { .type = RAFT_EV_DEATH };

	event.death.node = peer;
	event.death.term_led = term_led;
	node_step(node_at(cluster, node), &event);
}

void cluster_death(struct cluster *cluster, uint32_t node, uint32_t peer)
{
	struct node *dead = node_at(cluster, peer);

	dead->page.lease_valid = false;
	cluster_notice(cluster, node, peer, dead->term_led);
}

void cluster_exchange(struct cluster *cluster, int64_t rtt_ns)
{
	cluster->exchange_ns = rtt_ns;
}

void cluster_rtt(struct cluster *cluster, uint32_t node,
		 enum raft_rtt_from from, int64_t rtt_ns)
{
	for (uint32_t i = 1; i <= cluster->options.node_count; i++)
		if (i != node)
			node_step(node_at(cluster, node),
				  &(struct raft_event){
					  .type = RAFT_EV_RTT,
					  .rtt = { i, rtt_ns, from } });
}

void cluster_disk(struct cluster *cluster, uint32_t node, int64_t sync_ns)
{
	node_at(cluster, node)->disk_ns = sync_ns;
}

void cluster_wrong_clock(struct cluster *cluster, uint32_t node,
			 int64_t wrong_ns)
{
	node_at(cluster, node)->wrong_ns = wrong_ns;
}

void cluster_host(struct cluster *cluster, uint32_t node, uint32_t unfit)
{
	node_step(node_at(cluster, node),
		  &(struct raft_event){ .type = RAFT_EV_HOST, .unfit = unfit });
}

void cluster_transfer(struct cluster *cluster, uint32_t node, uint32_t to)
{
	node_step(node_at(cluster, node),
		  &(struct raft_event){ .type = RAFT_EV_TRANSFER, .peer = to });
}

void cluster_filling(struct cluster *cluster, uint32_t node, bool filling)
{
	node_step(node_at(cluster, node),
		  &(struct raft_event){ .type = RAFT_EV_FILLING,
					.filling = filling });
}

void cluster_snapshot(struct cluster *cluster, uint32_t node)
{
	struct raft_view view = cluster_view(cluster, node);
	const struct raft_entry *entry =
		raft_log_at(node_at(cluster, node)->raft, view.commit_index);
	struct raft_event event = { .type = RAFT_EV_SNAPSHOT_TAKEN };
	struct raft_membership membership;
	struct raft_window window;

	CHECK(entry);
	CHECK(raft_window_at(node_at(cluster, node)->raft, entry->index,
			     &window));
	CHECK(same_window(&window, window_at(cluster, entry->index)));
	CHECK(raft_membership_at(node_at(cluster, node)->raft, entry->index,
				 &membership));
	CHECK(membership.index ==
	      membership_at(cluster, entry->index)->index);
	event.snapshot = (struct raft_snapshot_meta){
		entry->index, entry->term, entry->stamp
	};
	node_step(node_at(cluster, node), &event);
}

void cluster_lease(struct cluster *cluster, uint32_t node, int64_t lease_ns)
{
	node_at(cluster, node)->config.lease_ns = lease_ns;
	if (node_at(cluster, node)->raft)
		node_step(node_at(cluster, node),
			  &(struct raft_event){ .type = RAFT_EV_LEASE,
						.lease_ns = lease_ns });
}

void cluster_configure(struct cluster *cluster, uint32_t node,
		       enum raft_change change, uint32_t member,
		       uint32_t replaces)
{
	struct raft_event event = { .type = RAFT_EV_CONFIGURE };

	event.configure = (struct raft_configure){
		.id = ++cluster->next_id,
		.change = change,
		.node = member,
		.replaces = replaces,
	};
	node_step(node_at(cluster, node), &event);
}

void cluster_join(struct cluster *cluster)
{
	CHECK(cluster->options.node_count < RAFT_NODES_MAX);
	node_start(node_make(cluster, ++cluster->options.node_count));
}

void cluster_crash(struct cluster *cluster, uint32_t id)
{
	struct node *node = node_at(cluster, id);

	node->term_led = node->page.role == RAFT_LEADER ? node->page.term : 0;
	raft_free(node->raft);
	node->raft = NULL;
	disk_truncate(node, node->persisted + 1);
}

/* As raftd does: the floor is the last entry that was durable. */
void cluster_rot(struct cluster *cluster, uint32_t id, uint64_t after)
{
	struct node *node = node_at(cluster, id);
	struct raft_restart *disk = &node->disk;
	const struct raft_entry *last;

	CHECK(!node->raft);
	CHECK(disk->entry_count > 0);
	last = &node->entries[disk->entry_count - 1];
	CHECK(last->index > after);
	if (last->term > disk->floor.term ||
	    (last->term == disk->floor.term &&
	     last->index > disk->floor.index))
		disk->floor = (struct raft_floor){ last->index, last->term };
	disk_truncate(node, after + 1);
}

void cluster_restart(struct cluster *cluster, uint32_t id)
{
	node_start(node_at(cluster, id));
}

void cluster_link(struct cluster *cluster, uint32_t from, uint32_t to, bool up)
{
	cluster->down[from][to] = !up;
}

void cluster_isolate(struct cluster *cluster, uint32_t node, bool cut)
{
	for (uint32_t i = 1; i <= cluster->options.node_count; i++)
		if (i != node)
			cluster->down[i][node] = cluster->down[node][i] = cut;
}

void cluster_clock(struct cluster *cluster, uint32_t node, bool usable)
{
	node_at(cluster, node)->usable = usable;
}

void cluster_disrupt(struct cluster *cluster, uint32_t node)
{
	node_at(cluster, node)->disruptions++;
}

void cluster_lossy(struct cluster *cluster, uint32_t percent, uint64_t seed)
{
	cluster->lossy_percent = percent;
	prng_seed(&cluster->prng, seed);
}

bool cluster_has(const struct cluster *cluster, uint32_t node)
{
	return node >= 1 && node <= cluster->options.node_count;
}

const struct raft *cluster_raft(const struct cluster *cluster, uint32_t node)
{
	return cluster->nodes[node - 1].raft;
}

struct raft_view cluster_view(const struct cluster *cluster, uint32_t node)
{
	struct raft_view view = { 0 };

	if (cluster_raft(cluster, node))
		raft_view(cluster_raft(cluster, node), &view);
	return view;
}

uint32_t cluster_leader(const struct cluster *cluster)
{
	uint32_t leader = RAFT_NOBODY;
	uint64_t term = 0;

	for (uint32_t i = 1; i <= cluster->options.node_count; i++) {
		struct raft_view view = cluster_view(cluster, i);

		if (view.role == RAFT_LEADER && view.term > term) {
			leader = i;
			term = view.term;
		}
	}
	return leader;
}

struct raft_read_done cluster_last_read(const struct cluster *cluster,
					uint32_t node)
{
	return cluster->nodes[node - 1].last_read;
}

struct raft_proposal_done cluster_last_proposal(const struct cluster *cluster,
						uint32_t node)
{
	return cluster->nodes[node - 1].last_proposal;
}

uint64_t cluster_committed(const struct cluster *cluster)
{
	return cluster->committed_last;
}

uint64_t cluster_messages(const struct cluster *cluster)
{
	return cluster->message_count;
}

uint64_t cluster_entries_sent(const struct cluster *cluster)
{
	return cluster->entry_count;
}

char *cluster_take_lines(struct cluster *cluster)
{
	char *text;

	fclose(cluster->lines);
	text = cluster->text;
	cluster->lines =
		open_memstream(&cluster->text, &cluster->text_bytes);
	CHECK(cluster->lines);
	return text;
}
