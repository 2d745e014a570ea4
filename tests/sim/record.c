/* Lines of the trace. */
#include "tests/sim/record.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"

void record_open(struct world *world)
{
	if (!world->options.record)
		return;
	world->record = fopen(world->options.record, "w");
	if (!world->record) {
		perror(world->options.record);
		exit(2);
	}
	record(world, 0, "cluster %u 0 %u %d", world->node_count,
	       world->profile.rho_ppb, !world->clock_rule_broken);
}

void record_close(struct world *world)
{
	if (world->record && fclose(world->record) != 0) {
		perror(world->options.record);
		exit(2);
	}
	world->record = NULL;
}

void record_line(struct world *world, uint32_t node_id, const char *format, ...)
{
	va_list args;

	fprintf(world->record, "%" PRId64 " %u ", world->now_ns, node_id);
	va_start(args, format);
	vfprintf(world->record, format, args);
	va_end(args);
	putc('\n', world->record);
}

void record_start(struct world *world, const struct node *node)
{
	const struct factlog *log = &node->host.log;
	const struct disk *disk = &node->disk;

	if (!world->record)
		return;
	fprintf(world->record,
		"%" PRId64 " %u start %" PRIu64 " %u %" PRIu64 " %" PRIu64,
		world->now_ns, node->id, disk->term, disk->voted_for,
		disk->snapshot.index, disk->snapshot.term);
	for (uint64_t i = 0; i < log->count; i++)
		if (i + 1 == log->count ||
		    log->facts[i + 1]->term != log->facts[i]->term)
			fprintf(world->record, " %" PRIu64 " %" PRIu64,
				log->facts[i]->index, log->facts[i]->term);
	putc('\n', world->record);
}

static uint64_t last_term(const struct factlog *log)
{
	const struct fact *last = factlog_at(log, factlog_last(log));

	return last ? last->term : 0;
}

static void record_roles(struct world *world, const struct node *node)
{
	const struct raft_host *host = &node->host;
	const struct raft_effects *effects = &host->effects;

	if (effects->hard_state_changed) {
		record(world, node->id, "hard %" PRIu64 " %u", effects->term,
		       effects->voted_for);
		if (effects->voted_for == node->id)
			record(world, node->id,
			       "stand %" PRIu64 " %" PRIu64 " %" PRIu64,
			       effects->term, factlog_last(&host->log),
			       last_term(&host->log));
	}
	if (host->view.role == RAFT_LEADER && host->won_term != host->view.term)
		record(world, node->id, "lead %" PRIu64, host->view.term);
}

static void describe_config(char *text, size_t size,
			    const struct raft_entry *entry)
{
	struct raft_membership membership;
	uint32_t voters = 0, before = 0;

	CHECK(raft_membership_decode(entry->data, entry->bytes, &membership) ==
	      RFS_ERR_OK);
	for (uint32_t i = 0; i < membership.count; i++) {
		const struct raft_member *member = &membership.members[i];

		voters |= (uint32_t)member->voter << member->id;
		before |= (uint32_t)member->voter_before << member->id;
	}
	snprintf(text, size, "config %u %u", voters,
		 membership.joint ? before : 0);
}

static void describe(char *text, size_t size, const struct raft_entry *entry)
{
	struct raft_handover over;
	struct raft_lease lease;
	struct kv_command what;

	switch (entry->kind) {
	case RAFT_ENTRY_NOOP:
		CHECK(raft_handover_decode(entry->data, entry->bytes, &over) ==
		      RFS_ERR_OK);
		snprintf(text, size,
			 "first %" PRIu64 " %" PRId64 " %" PRId64 " %" PRId64,
			 over.old_epoch, over.old.low_ns, over.old.high_ns,
			 over.new_ts_ns);
		return;
	case RAFT_ENTRY_COMMAND:
		CHECK(entry->bytes == sizeof(what));
		memcpy(&what, entry->data, sizeof(what));
		snprintf(text, size, "command %u %u %u", what.key,
			 what.identity, what.sequence);
		return;
	case RAFT_ENTRY_EXTEND:
		snprintf(text, size, "extend");
		return;
	case RAFT_ENTRY_RELINQUISH:
		snprintf(text, size, "relinquish");
		return;
	case RAFT_ENTRY_CONFIG:
		describe_config(text, size, entry);
		return;
	case RAFT_ENTRY_LEASE:
		CHECK(raft_lease_decode(entry->data, entry->bytes, &lease) ==
		      RFS_ERR_OK);
		snprintf(text, size, "setting %" PRId64 " %" PRId64,
			 lease.duration_ns, lease.past_ns);
		return;
	default:
		snprintf(text, size, "other");
	}
}

static void record_log(struct world *world, const struct node *node)
{
	const struct raft_host *host = &node->host;
	const struct raft_effects *effects = &host->effects;
	char what[160];

	if (effects->reset_log) {
		record(world, node->id, "snapshot %" PRIu64 " %" PRIu64,
		       effects->reset_to.index, effects->reset_to.term);
		record(world, node->id, "reset %" PRIu64 " %" PRIu64,
		       effects->reset_to.index, effects->reset_to.term);
	}
	if (effects->truncate_from)
		record(world, node->id, "truncate %" PRIu64,
		       effects->truncate_from);
	for (uint32_t i = 0; i < effects->append_count; i++) {
		const struct raft_entry *entry = &effects->append[i];

		describe(what, sizeof(what), entry);
		record(world, node->id,
		       "append %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64
		       " %" PRId64 " %" PRId64 " %s",
		       entry->index, entry->term, entry->stamp.epoch,
		       entry->stamp.ts_ns, host->decided_at_ns,
		       host->decided_raw_ns, what);
	}
}

static void record_commit(struct world *world, const struct node *node)
{
	uint64_t commit = node->host.effects.commit_index;

	if (commit > node->host.commit_index)
		record(world, node->id, "commit %" PRIu64, commit);
}

/* A leader counts before it appends: by the configuration that it had. */
void record_step(struct world *world, const struct node *node)
{
	bool leads = node->host.view.role == RAFT_LEADER;

	if (!world->record)
		return;
	record_roles(world, node);
	if (leads)
		record_commit(world, node);
	record_log(world, node);
	if (!leads)
		record_commit(world, node);
}

void record_message(struct world *world, const struct node *node,
		    const struct raft_message *message)
{
	if (message->type == RAFT_MSG_VOTE_REPLY &&
	    message->vote_reply.granted && !message->vote_reply.pre)
		record(world, node->id, "vote %" PRIu64 " %u", message->term,
		       message->to);
	else if (message->type == RAFT_MSG_APPEND_REPLY &&
		 message->append_reply.accepted)
		record(world, node->id, "ack %" PRIu64,
		       message->append_reply.match_index);
}
