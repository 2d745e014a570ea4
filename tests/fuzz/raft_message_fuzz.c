/* Fuzz target: any body of a FRAME_PEER_RAFT. What is accepted must survive
 * being sent on, field by field. libFuzzer's entry point. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "raftd/convert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static enum rfs_err parse(const uint8_t *data, size_t bytes,
			  struct raft_entry *entries, struct raft_message *m,
			  DistributedFs__RaftMessage **in)
{
	*in = distributed_fs__raft_message__unpack(NULL, bytes, data);
	if (*in == NULL)
		return RFS_ERR_INVALID;
	return convert_parse(*in, 1, 2, entries, m);
}

/* Pack what was understood, read it again, and compare. */
static void send_on(const struct raft_message *m)
{
	static struct convert_out out;
	static struct raft_entry entries[RAFT_ENTRIES_MAX];
	DistributedFs__RaftMessage *in;
	struct raft_message again;
	size_t bytes;
	uint8_t *wire;

	convert_message(m, &out);
	bytes = distributed_fs__raft_message__get_packed_size(&out.message);
	wire = malloc(bytes + 1);
	if (wire == NULL ||
	    distributed_fs__raft_message__pack(&out.message, wire) != bytes ||
	    parse(wire, bytes, entries, &again, &in) != RFS_ERR_OK ||
	    again.type != m->type || again.term != m->term)
		abort();
	if (m->type == RAFT_MSG_APPEND &&
	    (again.append.count != m->append.count ||
	     again.append.previous_index != m->append.previous_index))
		abort();
	distributed_fs__raft_message__free_unpacked(in, NULL);
	free(wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct raft_entry entries[RAFT_ENTRIES_MAX];
	DistributedFs__RaftMessage *in;
	struct raft_message m;

	if (parse(data, bytes, entries, &m, &in) == RFS_ERR_OK)
		send_on(&m);
	if (in != NULL)
		distributed_fs__raft_message__free_unpacked(in, NULL);
	return 0;
}
