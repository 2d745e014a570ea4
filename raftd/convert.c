/* Raft's messages and entries as protobuf, and back. */
#include "raftd/convert.h"

#include <string.h>

#include "common/check.h"
#include "raftd/wal.h"

void convert_entry(const struct raft_entry *entry, DistributedFs__LogEntry *out)
{
	distributed_fs__log_entry__init(out);
	out->index = entry->index;
	out->term = entry->term;
	out->epoch = entry->stamp.epoch;
	out->ts_ns = entry->stamp.ts_ns;
	out->kind = entry->kind;
	out->data.data = (uint8_t *)entry->data;
	out->data.len = entry->bytes;
}

size_t convert_entry_bytes(const struct raft_entry *entry)
{
	/* Tags, five varints or fixed fields of up to 10 bytes, lengths. */
	return (size_t)entry->bytes + 64;
}

void convert_meta(const struct raft_snapshot_meta *meta,
		  DistributedFs__SnapshotMeta *out)
{
	distributed_fs__snapshot_meta__init(out);
	out->index = meta->index;
	out->term = meta->term;
	out->epoch = meta->stamp.epoch;
	out->ts_ns = meta->stamp.ts_ns;
}

void convert_parse_meta(const DistributedFs__SnapshotMeta *in,
			struct raft_snapshot_meta *meta)
{
	*meta = (struct raft_snapshot_meta){
		.index = in->index,
		.term = in->term,
		.stamp = { .epoch = in->epoch, .ts_ns = in->ts_ns },
	};
}

void convert_node(const struct config_node *node, DistributedFs__Member *out)
{
	distributed_fs__member__init(out);
	out->name = (char *)node->name;
	out->address = (char *)node->address;
	out->raft_port = node->raft_port;
	out->storage_port = node->storage_port;
	out->time_port = node->time_port;
	out->key.data = (uint8_t *)node->key;
	out->key.len = sizeof(node->key);
}

enum rfs_err convert_parse_node(const DistributedFs__Member *in, uint32_t id,
				struct config_node *node)
{
	if (strlen(in->name) >= sizeof(node->name) ||
	    strlen(in->address) >= sizeof(node->address) ||
	    in->key.len != sizeof(node->key) || in->raft_port > UINT16_MAX ||
	    in->storage_port > UINT16_MAX || in->time_port > UINT16_MAX)
		return RFS_ERR_INVALID;
	memset(node, 0, sizeof(*node));
	node->id = id;
	strcpy(node->name, in->name);
	strcpy(node->address, in->address);
	node->raft_port = (uint16_t)in->raft_port;
	node->storage_port = (uint16_t)in->storage_port;
	node->time_port = (uint16_t)in->time_port;
	memcpy(node->key, in->key.data, sizeof(node->key));
	return RFS_ERR_OK;
}

static void convert_append(const struct raft_message *m,
			   struct convert_out *out)
{
	DistributedFs__RaftMessage *to = &out->message;

	CHECK(m->append.count <= RAFT_ENTRIES_MAX);
	to->previous_index = m->append.previous_index;
	to->previous_term = m->append.previous_term;
	to->commit_index = m->append.commit_index;
	to->round = m->append.round;
	to->rank = m->append.rank;
	for (uint32_t i = 0; i < m->append.count; i++) {
		convert_entry(&m->append.entries[i], &out->entry[i]);
		out->entries[i] = &out->entry[i];
	}
	to->n_entries = m->append.count;
	to->entries = out->entries;
}

void convert_message(const struct raft_message *m, struct convert_out *out)
{
	DistributedFs__RaftMessage *to = &out->message;

	distributed_fs__raft_message__init(to);
	to->type = m->type;
	to->term = m->term;
	switch (m->type) {
	case RAFT_MSG_VOTE:
		to->pre = m->vote.pre;
		to->transfer = m->vote.transfer;
		to->last_index = m->vote.last_index;
		to->last_term = m->vote.last_term;
		break;
	case RAFT_MSG_VOTE_REPLY:
		to->pre = m->vote_reply.pre;
		to->granted = m->vote_reply.granted;
		to->supported_term = m->vote_reply.supported_term;
		to->cold = m->vote_reply.cold;
		break;
	case RAFT_MSG_APPEND:
		convert_append(m, out);
		break;
	case RAFT_MSG_APPEND_REPLY:
		to->accepted = m->append_reply.accepted;
		to->match_index = m->append_reply.match_index;
		to->hint_index = m->append_reply.hint_index;
		to->hint_term = m->append_reply.hint_term;
		to->round = m->append_reply.round;
		to->condition = m->append_reply.condition;
		to->lost = m->append_reply.lost;
		to->lost_after = m->append_reply.lost_after;
		to->filling = m->append_reply.filling;
		break;
	case RAFT_MSG_SNAPSHOT:
		convert_meta(&m->snapshot, &out->snapshot);
		to->snapshot = &out->snapshot;
		break;
	case RAFT_MSG_READ_INDEX:
		to->id = m->read_index.id;
		break;
	case RAFT_MSG_READ_INDEX_REPLY:
		to->id = m->read_index_reply.id;
		to->err = m->read_index_reply.err;
		to->index = m->read_index_reply.index;
		break;
	case RAFT_MSG_TIMEOUT_NOW:
		break;
	}
}

static enum rfs_err parse_append(const DistributedFs__RaftMessage *in,
				 struct raft_entry *entries,
				 struct raft_message *m)
{
	if (in->n_entries > RAFT_ENTRIES_MAX)
		return RFS_ERR_INVALID;
	m->append.previous_index = in->previous_index;
	m->append.previous_term = in->previous_term;
	m->append.commit_index = in->commit_index;
	m->append.round = in->round;
	m->append.rank = in->rank;
	m->append.entries = entries;
	m->append.count = (uint32_t)in->n_entries;
	for (uint32_t i = 0; i < m->append.count; i++) {
		const DistributedFs__LogEntry *from = in->entries[i];

		/* In sequence, and none from the future. */
		if (from->index != in->previous_index + 1 + i ||
		    from->term == 0 || from->term > in->term ||
		    from->kind > RAFT_ENTRY_LAST ||
		    from->data.len > WAL_BODY_BYTES_MAX)
			return RFS_ERR_INVALID;
		entries[i] = (struct raft_entry){
			.index = from->index,
			.term = from->term,
			.stamp = { .epoch = from->epoch,
				   .ts_ns = from->ts_ns },
			.kind = (enum raft_entry_kind)from->kind,
			.data = from->data.data,
			.bytes = (uint32_t)from->data.len,
		};
	}
	return RFS_ERR_OK;
}

enum rfs_err convert_parse(const DistributedFs__RaftMessage *in, uint32_t from,
			   uint32_t to,
			   struct raft_entry entries[RAFT_ENTRIES_MAX],
			   struct raft_message *m)
{
	memset(m, 0, sizeof(*m));
	m->type = (enum raft_message_type)in->type;
	m->from = from;
	m->to = to;
	m->term = in->term;
	switch (in->type) {
	case RAFT_MSG_VOTE:
		m->vote.pre = in->pre;
		m->vote.transfer = in->transfer;
		m->vote.last_index = in->last_index;
		m->vote.last_term = in->last_term;
		return RFS_ERR_OK;
	case RAFT_MSG_VOTE_REPLY:
		m->vote_reply.pre = in->pre;
		m->vote_reply.granted = in->granted;
		m->vote_reply.supported_term = in->supported_term;
		m->vote_reply.cold = in->cold;
		return RFS_ERR_OK;
	case RAFT_MSG_APPEND:
		return parse_append(in, entries, m);
	case RAFT_MSG_APPEND_REPLY:
		m->append_reply.accepted = in->accepted;
		m->append_reply.match_index = in->match_index;
		m->append_reply.hint_index = in->hint_index;
		m->append_reply.hint_term = in->hint_term;
		m->append_reply.round = in->round;
		m->append_reply.condition = in->condition;
		m->append_reply.lost = in->lost;
		m->append_reply.lost_after = in->lost_after;
		m->append_reply.filling = in->filling;
		return RFS_ERR_OK;
	case RAFT_MSG_SNAPSHOT:
		if (in->snapshot == NULL)
			return RFS_ERR_INVALID;
		convert_parse_meta(in->snapshot, &m->snapshot);
		return RFS_ERR_OK;
	case RAFT_MSG_READ_INDEX:
		m->read_index.id = in->id;
		return RFS_ERR_OK;
	case RAFT_MSG_READ_INDEX_REPLY:
		m->read_index_reply.id = in->id;
		m->read_index_reply.err = (enum rfs_err)in->err;
		m->read_index_reply.index = in->index;
		return RFS_ERR_OK;
	case RAFT_MSG_TIMEOUT_NOW:
		return RFS_ERR_OK;
	}
	return RFS_ERR_INVALID;
}
