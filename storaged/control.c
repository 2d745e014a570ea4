/* Status, a checkpoint on demand, and the digest of the whole state. */
#include "storaged/control.h"

#include <openssl/evp.h>

#include "common/check.h"
#include "common/os/confine.h"
#include "storaged/backfill.h"
#include "storaged/checkpoint.h"
#include "storaged/cluster.h"
#include "storaged/consensus.h"
#include "storaged/core/query.h"
#include "storaged/disk.h"
#include "storaged/reclaim.h"
#include "storaged/serve.h"
#include "storaged/storaged.h"

/* What the reply points to, until the next one. */
static DistributedFs__StorageStatus status;
static uint32_t connected[CONFIG_NODES_MAX];
static uint8_t digest[HASH_BYTES];

static void fill_peers(const struct storaged *s)
{
	status.peers_connected = connected;
	for (uint32_t i = 0; i < s->members.count; i++) {
		uint32_t id = s->members.list[i].node.id;

		if (cluster_is_connected(s->cluster, id))
			connected[status.n_peers_connected++] = id;
	}
}

static void fill_disk(struct storaged *s)
{
	struct packs_usage packs;

	packs_usage(s->packs, &packs);
	status.chunk_bytes =
		packs.file_bytes + reclaim_file_bytes(s->reclaim);
	status.free_bytes = disk_free_bytes(chunks_dir_fd(s->chunks));
	status.disk_full = s->disk_full;
}

static void fill_state(const struct query_state *state)
{
	status.applied_index = state->applied_index;
	status.files = state->inode_count;
	status.bytes = state->chunk_bytes;
	status.chunks = state->chunk_count;
	status.sessions = state->session_count;
}

static void fill(struct storaged *s, const struct query_state *state)
{
	distributed_fs__storage_status__init(&status);
	status.node = s->config.self;
	status.commit_index = consensus_commit_index(s->consensus);
	status.clients = serve_clients(s->serve);
	status.reads_by_lease = s->counters.reads_by_lease;
	status.reads_by_raftd = s->counters.reads_by_raftd;
	status.writes = s->counters.writes;
	status.chunks_fetched = s->counters.chunks_fetched;
	status.chunks_bad = s->counters.chunks_bad;
	status.confined = (char *)confine_text();
	status.chunks_missing = backfill_missing(s->backfill);
	status.snapshot_index = checkpoint_newest(s->checkpoint)->index;
	status.attached = consensus_is_attached(s->consensus);
	status.loop_stall_max_ns = s->stall.max_ns;
	status.loop_stalls_long = s->stall.long_count;
	fill_state(state);
	fill_disk(s);
	fill_peers(s);
}

static void feed(void *ctx, const void *data, size_t bytes)
{
	CHECK(EVP_DigestUpdate(ctx, data, bytes) == 1);
}

/* Walks the whole state on the loop: for operators and tests. */
static enum rfs_err make_digest(struct kv *kv)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned int length;

	CHECK(md != NULL);
	CHECK(EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1);
	enum rfs_err err = query_digest(kv, feed, md);
	CHECK(EVP_DigestFinal_ex(md, digest, &length) == 1);
	EVP_MD_CTX_free(md);
	status.digest.data = digest;
	status.digest.len = HASH_BYTES;
	return err;
}

enum rfs_err control_reply(void *ctx,
			   const DistributedFs__ControlRequest *request,
			   DistributedFs__ControlReply *reply)
{
	struct storaged *s = ctx;
	struct query_state state;
	struct kv kv;
	enum rfs_err err = state_begin_read(s->state, &kv);

	if (err != RFS_ERR_OK)
		return err;
	err = query_state(&kv, &state);
	if (err == RFS_ERR_OK) {
		fill(s, &state);
		reply->storage = &status;
	}
	if (err == RFS_ERR_OK &&
	    request->kind == DISTRIBUTED_FS__CONTROL_KIND__CONTROL_DIGEST)
		err = make_digest(&kv);
	state_end_read(s->state, &kv);
	switch (request->kind) {
	case DISTRIBUTED_FS__CONTROL_KIND__CONTROL_CHECKPOINT:
		checkpoint_want(s->checkpoint);
		return err;
	case DISTRIBUTED_FS__CONTROL_KIND__CONTROL_STATUS:
	case DISTRIBUTED_FS__CONTROL_KIND__CONTROL_DIGEST:
		return err;
	default:
		return RFS_ERR_NOTSUP;
	}
}
