/* What only looks: attributes, directories, extended attributes, space. */
#include <stdlib.h>
#include <string.h>

#include "client/lib/convert.h"
#include "client/lib/raftfs.h"
#include "client/lib/session.h"

#define PAGE_ENTRIES 1024u

/* Run a call that answers with attributes, and be done with it. */
static enum rfs_err run_for_attr(struct raftfs *fs, struct call *call,
				 struct raftfs_attr *attr)
{
	enum rfs_err err = session_run(fs, call);

	if (err == RFS_ERR_OK && call->reply->attr == NULL)
		err = RFS_ERR_CORRUPT;
	if (err == RFS_ERR_OK)
		convert_attr(call->reply->attr, attr);
	call_fini(call);
	return err;
}

enum rfs_err raftfs_lookup(struct raftfs *fs, uint64_t parent, const char *name,
			   struct raftfs_attr *attr)
{
	ProtobufCBinaryData field;
	struct call call;
	enum rfs_err err = convert_name(name, &field);

	if (err != RFS_ERR_OK)
		return err;
	call_init(&call, DISTRIBUTED_FS__FILE_OP__OP_LOOKUP);
	call.request.ino = parent;
	call.request.name = field;
	return run_for_attr(fs, &call, attr);
}

enum rfs_err raftfs_getattr(struct raftfs *fs, uint64_t ino,
			    struct raftfs_attr *attr)
{
	struct call call;

	call_init(&call, DISTRIBUTED_FS__FILE_OP__OP_GETATTR);
	call.request.ino = ino;
	return run_for_attr(fs, &call, attr);
}

enum rfs_err raftfs_readlink(struct raftfs *fs, uint64_t ino, char **target)
{
	struct call call;

	call_init(&call, DISTRIBUTED_FS__FILE_OP__OP_READLINK);
	call.request.ino = ino;
	enum rfs_err err = session_run(fs, &call);

	if (err == RFS_ERR_OK && call.reply->data.len == 0)
		err = RFS_ERR_CORRUPT; /* no link points at nothing */
	if (err == RFS_ERR_OK) {
		*target = strndup((const char *)call.reply->data.data,
				  call.reply->data.len);
		if (*target == NULL)
			err = RFS_ERR_NOMEM;
	}
	call_fini(&call);
	return err;
}

static enum rfs_err fill_page(DistributedFs__FileReply *reply,
			      struct raftfs_page *page)
{
	page->entries = calloc(reply->n_entries + 1, sizeof(*page->entries));
	if (page->entries == NULL)
		return RFS_ERR_NOMEM;
	for (size_t i = 0; i < reply->n_entries; i++) {
		const DistributedFs__DirEntry *from = reply->entries[i];
		struct raftfs_entry *to = &page->entries[i];

		to->ino = from->ino;
		to->mode = from->mode;
		to->cookie = from->cookie;
		to->name = from->name;
		convert_attr(from->attr, &to->attr);
	}
	page->count = reply->n_entries;
	page->end = reply->end || reply->n_entries == 0;
	page->reply = reply;
	return RFS_ERR_OK;
}

enum rfs_err raftfs_readdir(struct raftfs *fs, uint64_t ino, uint64_t cookie,
			    bool plus, struct raftfs_page *page)
{
	struct call call;

	call_init(&call, DISTRIBUTED_FS__FILE_OP__OP_READDIR);
	call.request.ino = ino;
	call.request.cookie = cookie;
	call.request.count = PAGE_ENTRIES;
	if (plus)
		call.request.flags = DISTRIBUTED_FS__READDIR_FLAG__READDIR_PLUS;
	enum rfs_err err = session_run(fs, &call);

	if (err == RFS_ERR_OK)
		err = fill_page(call.reply, page);
	if (err == RFS_ERR_OK)
		call.reply = NULL; /* the page's now */
	call_fini(&call);
	return err;
}

void raftfs_page_free(struct raftfs_page *page)
{
	free(page->entries);
	distributed_fs__file_reply__free_unpacked(page->reply, NULL);
	*page = (struct raftfs_page){.end = true};
}

enum rfs_err raftfs_getxattr(struct raftfs *fs, uint64_t ino, const char *name,
			     void *value, size_t bytes, size_t *got)
{
	ProtobufCBinaryData field;
	struct call call;
	enum rfs_err err = convert_name(name, &field);

	if (err != RFS_ERR_OK)
		return err;
	call_init(&call, DISTRIBUTED_FS__FILE_OP__OP_GETXATTR);
	call.request.ino = ino;
	call.request.name = field;
	err = session_run(fs, &call);
	if (err == RFS_ERR_OK && bytes > 0 && call.reply->data.len > bytes)
		err = RFS_ERR_RANGE;
	if (err == RFS_ERR_OK) {
		*got = call.reply->data.len;
		if (bytes > 0 && *got > 0)
			memcpy(value, call.reply->data.data, *got);
	}
	call_fini(&call);
	return err;
}

static size_t names_bytes(const DistributedFs__FileReply *reply)
{
	size_t bytes = 0;

	for (size_t i = 0; i < reply->n_names; i++)
		bytes += reply->names[i].len + 1;
	return bytes;
}

static void copy_names(const DistributedFs__FileReply *reply, char *to)
{
	for (size_t i = 0; i < reply->n_names; i++) {
		if (reply->names[i].len > 0)
			memcpy(to, reply->names[i].data, reply->names[i].len);
		to += reply->names[i].len;
		*to++ = '\0';
	}
}

enum rfs_err raftfs_listxattr(struct raftfs *fs, uint64_t ino, char *names,
			      size_t bytes, size_t *got)
{
	struct call call;

	call_init(&call, DISTRIBUTED_FS__FILE_OP__OP_LISTXATTR);
	call.request.ino = ino;
	enum rfs_err err = session_run(fs, &call);

	if (err == RFS_ERR_OK && bytes > 0 && names_bytes(call.reply) > bytes)
		err = RFS_ERR_RANGE;
	if (err == RFS_ERR_OK) {
		*got = names_bytes(call.reply);
		if (bytes > 0)
			copy_names(call.reply, names);
	}
	call_fini(&call);
	return err;
}

enum rfs_err raftfs_statfs(struct raftfs *fs, struct raftfs_space *space)
{
	struct call call;

	call_init(&call, DISTRIBUTED_FS__FILE_OP__OP_STATFS);
	enum rfs_err err = session_run(fs, &call);

	if (err == RFS_ERR_OK) {
		space->total_bytes = call.reply->total_bytes;
		space->free_bytes = call.reply->free_bytes;
		space->files = call.reply->files;
	}
	call_fini(&call);
	return err;
}

enum rfs_err raftfs_sync_point(struct raftfs *fs)
{
	struct call call;

	call_init(&call, DISTRIBUTED_FS__FILE_OP__OP_SYNC_POINT);
	enum rfs_err err = session_run(fs, &call);

	call_fini(&call);
	return err;
}
