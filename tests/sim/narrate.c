/* Messages in words. */
#include "tests/sim/narrate.h"

#include <inttypes.h>
#include <stdio.h>

void narrate_message(struct world *world, const char *how, uint32_t node_id,
		     const struct raft_message *m)
{
	char text[160];

	if (!world->options.tracing)
		return;
	switch (m->type) {
	case RAFT_MSG_VOTE:
		snprintf(text, sizeof(text),
			 "vote%s%s last %" PRIu64 "/%" PRIu64,
			 m->vote.pre ? " pre" : "",
			 m->vote.transfer ? " transfer" : "",
			 m->vote.last_index, m->vote.last_term);
		break;
	case RAFT_MSG_VOTE_REPLY:
		snprintf(text, sizeof(text), "vote-reply%s %s",
			 m->vote_reply.pre ? " pre" : "",
			 m->vote_reply.granted ? "granted" : "refused");
		break;
	case RAFT_MSG_APPEND:
		snprintf(text, sizeof(text),
			 "append after %" PRIu64 "/%" PRIu64
			 " +%u commit %" PRIu64 " round %" PRIu64,
			 m->append.previous_index, m->append.previous_term,
			 m->append.count, m->append.commit_index,
			 m->append.round);
		break;
	case RAFT_MSG_APPEND_REPLY:
		snprintf(text, sizeof(text),
			 "append-reply %s match %" PRIu64 " hint %" PRIu64
			 "/%" PRIu64 " round %" PRIu64,
			 m->append_reply.accepted ? "ok" : "no",
			 m->append_reply.match_index,
			 m->append_reply.hint_index, m->append_reply.hint_term,
			 m->append_reply.round);
		break;
	case RAFT_MSG_SNAPSHOT:
		snprintf(text, sizeof(text), "snapshot %" PRIu64 "/%" PRIu64,
			 m->snapshot.index, m->snapshot.term);
		break;
	case RAFT_MSG_READ_INDEX:
		snprintf(text, sizeof(text), "read-index id %" PRIx64,
			 m->read_index.id);
		break;
	case RAFT_MSG_READ_INDEX_REPLY:
		snprintf(text, sizeof(text),
			 "read-index-reply id %" PRIx64 " %s index %" PRIu64,
			 m->read_index_reply.id,
			 rfs_err_name(m->read_index_reply.err),
			 m->read_index_reply.index);
		break;
	default:
		snprintf(text, sizeof(text), "message type %d", (int)m->type);
	}
	world_trace(world, node_id, "%s %u>%u term %" PRIu64 " %s", how,
		    m->from, m->to, m->term, text);
}
