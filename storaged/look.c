/* Requests that only look: through the gate, then one answer from one state. */
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/units.h"
#include "storaged/convert.h"
#include "storaged/core/query.h"
#include "storaged/disk.h"
#include "storaged/gate.h"
#include "storaged/readfile.h"
#include "storaged/request.h"

#define ENTRIES_DEFAULT 256u
#define ENTRIES_MAX	2048u
#define STALE_MAX_MS	60000u

static struct bytes view(ProtobufCBinaryData field)
{
	return (struct bytes){ .data = field.data, .bytes = field.len };
}

static enum rfs_err look_attr(struct request *request, struct kv *kv,
			      DistributedFs__FileReply *reply,
			      DistributedFs__FileAttr *attr)
{
	const DistributedFs__FileRequest *asked = request->message;
	struct inode inode;
	enum rfs_err err;

	if (asked->op == DISTRIBUTED_FS__FILE_OP__OP_LOOKUP)
		err = query_lookup(kv, asked->ino, view(asked->name), &inode);
	else
		err = query_getattr(kv, asked->ino, &inode);
	if (err != RFS_ERR_OK)
		return err;
	convert_attr(&inode, attr);
	reply->attr = attr;
	return RFS_ERR_OK;
}

static enum rfs_err look_value(struct request *request, struct kv *kv,
			       DistributedFs__FileReply *reply)
{
	const DistributedFs__FileRequest *asked = request->message;
	struct bytes value = { 0 };
	enum rfs_err err;

	if (asked->op == DISTRIBUTED_FS__FILE_OP__OP_READLINK)
		err = query_readlink(kv, asked->ino, &value);
	else
		err = query_getxattr(kv, asked->ino, view(asked->name), &value);
	reply->data.data = (uint8_t *)value.data;
	reply->data.len = value.bytes;
	return err;
}

/* --- listings --- */

struct listing {
	struct kv *kv;
	bool with_attr;
	uint32_t max;
	uint32_t count;
	struct listed {
		DistributedFs__DirEntry entry;
		DistributedFs__FileAttr attr;
		char name[INODE_NAME_MAX + 1];
	} *listed;
};

static bool list_name(void *ctx, const struct query_name *name)
{
	struct listing *listing = ctx;
	struct listed *to = &listing->listed[listing->count];
	struct inode inode;

	if (listing->count == listing->max)
		return false;
	distributed_fs__dir_entry__init(&to->entry);
	memcpy(to->name, name->name.data, name->name.bytes);
	to->name[name->name.bytes] = '\0';
	to->entry.name = to->name;
	to->entry.ino = name->ino;
	to->entry.mode = name->mode;
	to->entry.cookie = name->cookie;
	if (listing->with_attr &&
	    query_getattr(listing->kv, name->ino, &inode) == RFS_ERR_OK) {
		distributed_fs__file_attr__init(&to->attr);
		convert_attr(&inode, &to->attr);
		to->entry.attr = &to->attr;
	}
	listing->count++;
	return true;
}

static bool wants_attr(const DistributedFs__FileRequest *asked)
{
	return asked->flags & DISTRIBUTED_FS__READDIR_FLAG__READDIR_PLUS;
}

static uint32_t entries_max(const DistributedFs__FileRequest *asked)
{
	uint32_t max = asked->count ? asked->count : ENTRIES_DEFAULT;

	return max > ENTRIES_MAX ? ENTRIES_MAX : max;
}

static enum rfs_err look_dir(struct request *request, struct kv *kv)
{
	const DistributedFs__FileRequest *asked = request->message;
	DistributedFs__FileReply reply = DISTRIBUTED_FS__FILE_REPLY__INIT;
	struct listing listing = {
		.kv = kv,
		.with_attr = wants_attr(asked),
		.max = entries_max(asked),
	};
	bool end = false;

	listing.listed = malloc(listing.max * sizeof(*listing.listed));
	reply.entries = malloc(listing.max * sizeof(*reply.entries));
	CHECK(listing.listed != NULL);
	CHECK(reply.entries != NULL);
	enum rfs_err err = query_readdir(kv, asked->ino, asked->cookie,
					 list_name, &listing, &end);
	if (err == RFS_ERR_OK) {
		for (uint32_t i = 0; i < listing.count; i++)
			reply.entries[i] = &listing.listed[i].entry;
		reply.n_entries = listing.count;
		reply.end = end;
		request_reply(request, &reply);
	}
	free(listing.listed);
	free(reply.entries);
	return err;
}

struct naming {
	ProtobufCBinaryData *names;
	size_t count;
	size_t capacity;
};

static bool add_name(void *ctx, struct bytes name)
{
	struct naming *naming = ctx;

	if (naming->count == naming->capacity) {
		naming->capacity = naming->capacity * 2 + 16;
		naming->names = realloc(naming->names,
					naming->capacity *
						sizeof(*naming->names));
		CHECK(naming->names != NULL);
	}
	naming->names[naming->count++] = (ProtobufCBinaryData){
		.data = (uint8_t *)name.data, .len = name.bytes
	};
	return true;
}

/* The names are views into the transaction, which is open until after. */
static enum rfs_err look_xattrs(struct request *request, struct kv *kv)
{
	DistributedFs__FileReply reply = DISTRIBUTED_FS__FILE_REPLY__INIT;
	struct naming naming = { 0 };
	enum rfs_err err = query_listxattr(kv, request->message->ino, add_name,
					   &naming);

	if (err == RFS_ERR_OK) {
		reply.names = naming.names;
		reply.n_names = naming.count;
		request_reply(request, &reply);
	}
	free(naming.names);
	return err;
}

static enum rfs_err look_space(struct request *request, struct kv *kv,
			       DistributedFs__FileReply *reply)
{
	int fd = chunks_dir_fd(request->s->chunks);
	uint64_t reserve = request->s->config.storage.reserve_bytes;
	uint64_t free_bytes = disk_free_bytes(fd);
	struct query_state state;
	enum rfs_err err = query_state(kv, &state);

	reply->total_bytes = disk_total_bytes(fd);
	reply->free_bytes = free_bytes > reserve ? free_bytes - reserve : 0;
	reply->files = state.inode_count;
	return err;
}

static void read_done(void *ctx, enum rfs_err err, const uint8_t *data,
		      uint32_t bytes)
{
	struct request *request = ctx;
	DistributedFs__FileReply reply = DISTRIBUTED_FS__FILE_REPLY__INIT;

	if (err != RFS_ERR_OK) {
		request_fail(request, err,
			     err == RFS_ERR_IO
				     ? "no node has a sound copy of the data"
				     : NULL);
		return;
	}
	reply.data.data = (uint8_t *)data;
	reply.data.len = bytes;
	request_reply(request, &reply);
}

/* Operations that fill one reply; the others end the request themselves. */
static enum rfs_err answer(struct request *request, struct kv *kv)
{
	DistributedFs__FileReply reply = DISTRIBUTED_FS__FILE_REPLY__INIT;
	DistributedFs__FileAttr attr = DISTRIBUTED_FS__FILE_ATTR__INIT;
	enum rfs_err err;

	switch (request->message->op) {
	case DISTRIBUTED_FS__FILE_OP__OP_LOOKUP:
	case DISTRIBUTED_FS__FILE_OP__OP_GETATTR:
		err = look_attr(request, kv, &reply, &attr);
		break;
	case DISTRIBUTED_FS__FILE_OP__OP_READLINK:
	case DISTRIBUTED_FS__FILE_OP__OP_GETXATTR:
		err = look_value(request, kv, &reply);
		break;
	case DISTRIBUTED_FS__FILE_OP__OP_READDIR:
		return look_dir(request, kv);
	case DISTRIBUTED_FS__FILE_OP__OP_LISTXATTR:
		return look_xattrs(request, kv);
	case DISTRIBUTED_FS__FILE_OP__OP_STATFS:
		err = look_space(request, kv, &reply);
		break;
	default: /* SYNC_POINT: the gate was all */
		err = RFS_ERR_OK;
	}
	if (err == RFS_ERR_OK) {
		reply.raft_index = state_applied(request->s->state);
		request_reply(request, &reply);
	}
	return err;
}

static void look(struct request *request)
{
	struct storaged *s = request->s;
	const DistributedFs__FileRequest *asked = request->message;
	bool reads = asked->op == DISTRIBUTED_FS__FILE_OP__OP_READ;
	struct kv kv;
	enum rfs_err err = state_begin_read(s->state, &kv);

	if (err != RFS_ERR_OK) {
		request_fail(request, err, NULL);
		return;
	}
	err = access_read(&kv, &request->client->who, asked);
	if (err == RFS_ERR_OK && !reads)
		err = answer(request, &kv);
	state_end_read(s->state, &kv);
	if (err != RFS_ERR_OK)
		request_fail(request, err, NULL);
	else if (reads)
		readfile_start(s, asked->ino, asked->offset, asked->length,
			       read_done, request);
}

static void on_fresh(void *ctx, enum rfs_err err)
{
	struct request *request = ctx;

	if (err != RFS_ERR_OK)
		request_fail(request, err, NULL);
	else
		look(request);
}

/* What the answer may rest on, for the gate. False: on anything. */
static bool limbo_query_of(const DistributedFs__FileRequest *asked,
			   struct limbo_query *query)
{
	*query = (struct limbo_query){
		.ino = asked->ino,
		.name = view(asked->name),
		.offset = asked->offset,
		.length = asked->length,
		.with_attr = wants_attr(asked),
		.cookie = asked->cookie,
		.count = entries_max(asked),
	};
	switch (asked->op) {
	case DISTRIBUTED_FS__FILE_OP__OP_LOOKUP:
		query->look = LIMBO_LOOKUP;
		return true;
	case DISTRIBUTED_FS__FILE_OP__OP_GETATTR:
		query->look = LIMBO_GETATTR;
		return true;
	case DISTRIBUTED_FS__FILE_OP__OP_READLINK:
		query->look = LIMBO_READLINK;
		return true;
	case DISTRIBUTED_FS__FILE_OP__OP_READDIR:
		query->look = LIMBO_READDIR;
		return true;
	case DISTRIBUTED_FS__FILE_OP__OP_READ:
		query->look = LIMBO_READ;
		return true;
	case DISTRIBUTED_FS__FILE_OP__OP_GETXATTR:
		query->look = LIMBO_GETXATTR;
		return true;
	case DISTRIBUTED_FS__FILE_OP__OP_LISTXATTR:
		query->look = LIMBO_LISTXATTR;
		return true;
	default: /* STATFS, SYNC_POINT */
		return false;
	}
}

void look_start(struct request *request)
{
	uint32_t stale_ms = request->message->stale_ms;
	struct limbo_query query;
	bool known = limbo_query_of(request->message, &query);

	if (stale_ms > STALE_MAX_MS)
		stale_ms = STALE_MAX_MS;
	gate_pass(request->s->gate, known ? &query : NULL,
		  (int64_t)stale_ms * NS_PER_MS, on_fresh, request);
}
