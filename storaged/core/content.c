/* Attributes, size, data, holes. */
#include "storaged/core/content.h"

#include "storaged/core/chunkmap.h"

static enum rfs_err check_regular(const struct inode *inode)
{
	if (inode_is(inode, INODE_TYPE_REGULAR))
		return RFS_ERR_OK;
	return inode_is(inode, INODE_TYPE_DIR) ? RFS_ERR_ISDIR :
						 RFS_ERR_INVALID;
}

static enum rfs_err load_regular(struct apply *a, struct inode *inode)
{
	enum rfs_err err = inode_load(a->kv, a->command->ino, inode);

	return err ? err : check_regular(inode);
}

/* ---- setattr --------------------------------------------------------- */

static void resize(struct apply *a, struct inode *inode, uint64_t size_bytes)
{
	if (size_bytes == 0)
		chunkmap_empty(a, inode);
	else if (size_bytes < inode->size_bytes)
		chunkmap_punch(a, inode, size_bytes, inode->size_bytes);
	inode->size_bytes = size_bytes;
	inode->mtime_ns = a->ts_ns;
}

static void set_owner_and_mode(const struct command *command,
			       struct inode *inode)
{
	uint32_t mask = command->set_mask;

	if (mask & (COMMAND_SET_UID | COMMAND_SET_GID))
		inode_drop_privileges(inode);
	if (mask & COMMAND_SET_UID)
		inode->uid = command->uid;
	if (mask & COMMAND_SET_GID)
		inode->gid = command->gid;
	if (mask & COMMAND_SET_MODE)
		inode->mode = (inode->mode & INODE_TYPE_MASK) |
			      (command->mode & INODE_PERM_MASK);
}

static void set_times(const struct apply *a, struct inode *inode)
{
	const struct command *command = a->command;
	uint32_t mask = command->set_mask;

	if (mask & COMMAND_SET_ATIME)
		inode->atime_ns = command->atime_ns;
	if (mask & COMMAND_SET_ATIME_NOW)
		inode->atime_ns = a->ts_ns;
	if (mask & COMMAND_SET_MTIME)
		inode->mtime_ns = command->mtime_ns;
	if (mask & COMMAND_SET_MTIME_NOW)
		inode->mtime_ns = a->ts_ns;
}

enum rfs_err content_setattr(struct apply *a)
{
	const struct command *command = a->command;
	struct inode inode;
	enum rfs_err err;

	err = inode_load(a->kv, command->ino, &inode);
	if (err)
		return err;
	if (command->set_mask & COMMAND_SET_SIZE) {
		err = check_regular(&inode);
		if (err)
			return err;
	}
	if (command->set_mask) {
		if (command->set_mask & COMMAND_SET_SIZE)
			resize(a, &inode, command->size_bytes);
		if (command->flags & COMMAND_KILLPRIV)
			inode_drop_privileges(&inode);
		set_owner_and_mode(command, &inode);
		set_times(a, &inode);
		apply_save(a, &inode);
	}
	apply_answer(a, &inode);
	return RFS_ERR_OK;
}

/* ---- write ----------------------------------------------------------- */

enum rfs_err content_write(struct apply *a)
{
	const struct command *command = a->command;
	uint64_t bytes = command_content_bytes(command);
	uint64_t offset = command->offset;
	struct inode inode;
	enum rfs_err err;

	err = load_regular(a, &inode);
	if (err)
		return err;
	if (command->base_version && command->base_version != inode.version)
		return RFS_ERR_BUSY;
	err = chunkmap_check(a);
	if (err)
		return err;
	if (command->flags & COMMAND_APPEND)
		offset = inode.size_bytes;
	if (offset + bytes > INODE_SIZE_MAX)
		return RFS_ERR_FBIG;

	if (bytes) {
		chunkmap_write(a, &inode, offset);
		if (offset + bytes > inode.size_bytes)
			inode.size_bytes = offset + bytes;
		inode.mtime_ns = a->ts_ns;
		if (command->flags & COMMAND_KILLPRIV)
			inode_drop_privileges(&inode);
		apply_save(a, &inode);
	}
	a->result->value = offset;
	apply_answer(a, &inode);
	return RFS_ERR_OK;
}

/* ---- fallocate ------------------------------------------------------- */

enum rfs_err content_fallocate(struct apply *a)
{
	const struct command *command = a->command;
	uint64_t end = command->offset + command->length;
	struct inode inode;
	enum rfs_err err;

	err = load_regular(a, &inode);
	if (err)
		return err;
	if (command->flags & (COMMAND_PUNCH | COMMAND_ZERO))
		chunkmap_punch(a, &inode, command->offset, end);
	if (!(command->flags & COMMAND_KEEP_SIZE) && end > inode.size_bytes)
		inode.size_bytes = end;
	inode.mtime_ns = a->ts_ns;
	apply_save(a, &inode);
	apply_answer(a, &inode);
	return RFS_ERR_OK;
}
