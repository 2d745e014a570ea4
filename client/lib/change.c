/* What changes the tree: one log entry each, exactly once. */
#include <string.h>

#include "client/lib/convert.h"
#include "client/lib/raftfs.h"
#include "client/lib/session.h"

static void change_init(struct call *call, DistributedFs__FileOp op,
			struct raftfs_who who)
{
	call_init(call, op);
	call->mutation = true;
	call->request.uid = who.uid;
	call->request.gid = who.gid;
}

/* Run, take the attributes when wanted, be done. attr may be NULL. */
static enum rfs_err change_run(struct raftfs *fs, struct call *call,
			       struct raftfs_attr *attr)
{
	enum rfs_err err = session_run(fs, call);

	if (err == RFS_ERR_OK && attr != NULL && call->reply->attr == NULL)
		err = RFS_ERR_CORRUPT;
	if (err == RFS_ERR_OK && attr != NULL)
		convert_attr(call->reply->attr, attr);
	call_fini(call);
	return err;
}

static struct raftfs_who nobody(void)
{
	return (struct raftfs_who){0, 0};
}

/* --- names --- */

/* CREATE, MKDIR, MKNOD, SYMLINK and PUT differ only in data. */
static enum rfs_err make(struct raftfs *fs, DistributedFs__FileOp op,
			 uint64_t parent, const char *name, const void *data,
			 size_t bytes, const struct raftfs_new *as,
			 struct raftfs_attr *attr)
{
	DistributedFs__FileAttr dates = DISTRIBUTED_FS__FILE_ATTR__INIT;
	ProtobufCBinaryData field;
	struct call call;
	enum rfs_err err = convert_name(name, &field);

	if (err != RFS_ERR_OK)
		return err;
	change_init(&call, op, as->who);
	call.request.ino = parent;
	call.request.name = field;
	call.request.mode = as->mode;
	call.request.rdev = as->rdev;
	call.request.data.data = (uint8_t *)data;
	call.request.data.len = bytes;
	if (as->exclusive)
		call.request.flags = DISTRIBUTED_FS__FILE_FLAG__FLAG_EXCLUSIVE;
	if (as->dated) {
		dates.atime_ns = as->atime_ns;
		dates.mtime_ns = as->mtime_ns;
		call.request.attr = &dates;
		call.request.attr_mask = RAFTFS_SET_ATIME | RAFTFS_SET_MTIME;
	}
	return change_run(fs, &call, attr);
}

enum rfs_err raftfs_create(struct raftfs *fs, uint64_t parent, const char *name,
			   const struct raftfs_new *as,
			   struct raftfs_attr *attr)
{
	return make(fs, DISTRIBUTED_FS__FILE_OP__OP_CREATE, parent, name, NULL,
		    0, as, attr);
}

enum rfs_err raftfs_mkdir(struct raftfs *fs, uint64_t parent, const char *name,
			  const struct raftfs_new *as, struct raftfs_attr *attr)
{
	return make(fs, DISTRIBUTED_FS__FILE_OP__OP_MKDIR, parent, name, NULL,
		    0, as, attr);
}

enum rfs_err raftfs_mknod(struct raftfs *fs, uint64_t parent, const char *name,
			  const struct raftfs_new *as, struct raftfs_attr *attr)
{
	return make(fs, DISTRIBUTED_FS__FILE_OP__OP_MKNOD, parent, name, NULL,
		    0, as, attr);
}

enum rfs_err raftfs_symlink(struct raftfs *fs, uint64_t parent,
			    const char *name, const char *target,
			    const struct raftfs_new *as,
			    struct raftfs_attr *attr)
{
	return make(fs, DISTRIBUTED_FS__FILE_OP__OP_SYMLINK, parent, name,
		    target, strlen(target), as, attr);
}

enum rfs_err raftfs_put(struct raftfs *fs, uint64_t parent, const char *name,
			const void *data, size_t bytes,
			const struct raftfs_new *as, struct raftfs_attr *attr)
{
	if (bytes > RAFTFS_WINDOW_BYTES)
		return RFS_ERR_FBIG;
	return make(fs, DISTRIBUTED_FS__FILE_OP__OP_PUT, parent, name, data,
		    bytes, as, attr);
}

enum rfs_err raftfs_link(struct raftfs *fs, struct raftfs_who who, uint64_t ino,
			 uint64_t parent, const char *name,
			 struct raftfs_attr *attr)
{
	ProtobufCBinaryData field;
	struct call call;
	enum rfs_err err = convert_name(name, &field);

	if (err != RFS_ERR_OK)
		return err;
	change_init(&call, DISTRIBUTED_FS__FILE_OP__OP_LINK, who);
	call.request.ino = parent;
	call.request.name = field;
	call.request.target_ino = ino;
	return change_run(fs, &call, attr);
}

static enum rfs_err remove_name(struct raftfs *fs, DistributedFs__FileOp op,
				struct raftfs_who who, uint64_t parent,
				const char *name)
{
	ProtobufCBinaryData field;
	struct call call;
	enum rfs_err err = convert_name(name, &field);

	if (err != RFS_ERR_OK)
		return err;
	change_init(&call, op, who);
	call.request.ino = parent;
	call.request.name = field;
	return change_run(fs, &call, NULL);
}

enum rfs_err raftfs_unlink(struct raftfs *fs, struct raftfs_who who,
			   uint64_t parent, const char *name)
{
	return remove_name(fs, DISTRIBUTED_FS__FILE_OP__OP_UNLINK, who, parent,
			   name);
}

enum rfs_err raftfs_rmdir(struct raftfs *fs, struct raftfs_who who,
			  uint64_t parent, const char *name)
{
	return remove_name(fs, DISTRIBUTED_FS__FILE_OP__OP_RMDIR, who, parent,
			   name);
}

enum rfs_err raftfs_rename(struct raftfs *fs, struct raftfs_who who,
			   uint64_t parent, const char *name,
			   uint64_t new_parent, const char *new_name,
			   uint32_t flags)
{
	ProtobufCBinaryData from, to;
	struct call call;
	enum rfs_err err = convert_name(name, &from);

	if (err == RFS_ERR_OK)
		err = convert_name(new_name, &to);
	if (err != RFS_ERR_OK)
		return err;
	change_init(&call, DISTRIBUTED_FS__FILE_OP__OP_RENAME, who);
	call.request.ino = parent;
	call.request.name = from;
	call.request.target_ino = new_parent;
	call.request.target_name = to;
	call.request.flags = flags;
	return change_run(fs, &call, NULL);
}

/* --- one inode --- */

enum rfs_err raftfs_setattr(struct raftfs *fs, struct raftfs_who who,
			    uint64_t ino, const struct raftfs_attr *want,
			    uint32_t set, struct raftfs_attr *attr)
{
	DistributedFs__FileAttr to = DISTRIBUTED_FS__FILE_ATTR__INIT;
	struct call call;

	to.mode = want->mode;
	to.uid = want->uid;
	to.gid = want->gid;
	to.size = want->size;
	to.atime_ns = want->atime_ns;
	to.mtime_ns = want->mtime_ns;
	change_init(&call, DISTRIBUTED_FS__FILE_OP__OP_SETATTR, who);
	call.request.ino = ino;
	call.request.attr = &to;
	call.request.attr_mask = set;
	return change_run(fs, &call, attr);
}

enum rfs_err raftfs_setxattr(struct raftfs *fs, struct raftfs_who who,
			     uint64_t ino, const char *name, const void *value,
			     size_t bytes, uint32_t flags)
{
	ProtobufCBinaryData field;
	struct call call;
	enum rfs_err err = convert_name(name, &field);

	if (err != RFS_ERR_OK)
		return err;
	if (bytes > RAFTFS_WINDOW_BYTES)
		return RFS_ERR_RANGE;
	change_init(&call, DISTRIBUTED_FS__FILE_OP__OP_SETXATTR, who);
	call.request.ino = ino;
	call.request.name = field;
	call.request.data.data = (uint8_t *)value;
	call.request.data.len = bytes;
	call.request.flags = flags;
	return change_run(fs, &call, NULL);
}

enum rfs_err raftfs_removexattr(struct raftfs *fs, struct raftfs_who who,
				uint64_t ino, const char *name)
{
	return remove_name(fs, DISTRIBUTED_FS__FILE_OP__OP_REMOVEXATTR, who,
			   ino, name);
}

enum rfs_err raftfs_pin(struct raftfs *fs, uint64_t ino)
{
	struct call call;

	change_init(&call, DISTRIBUTED_FS__FILE_OP__OP_OPEN, nobody());
	call.request.ino = ino;
	return change_run(fs, &call, NULL);
}

enum rfs_err raftfs_unpin(struct raftfs *fs, uint64_t ino)
{
	struct call call;

	change_init(&call, DISTRIBUTED_FS__FILE_OP__OP_RELEASE, nobody());
	call.request.ino = ino;
	return change_run(fs, &call, NULL);
}

enum rfs_err raftfs_fallocate(struct raftfs *fs, struct raftfs_who who,
			      uint64_t ino, uint64_t offset, uint64_t bytes,
			      uint32_t flags)
{
	struct call call;

	change_init(&call, DISTRIBUTED_FS__FILE_OP__OP_FALLOCATE, who);
	call.request.ino = ino;
	call.request.offset = offset;
	call.request.length = bytes;
	call.request.flags = flags;
	return change_run(fs, &call, NULL);
}
