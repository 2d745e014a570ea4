/* Extended attributes of inodes. */
#include "storaged/core/xattr.h"

#include "storaged/core/keys.h"

enum rfs_err xattr_set(struct apply *a)
{
	const struct command *command = a->command;
	struct inode inode;
	struct key key;
	struct bytes at, old;
	size_t total;
	enum rfs_err err;

	err = inode_load(a->kv, command->ino, &inode);
	if (err)
		return err;
	at = key_named(&key, KEY_XATTR, command->ino, command->name);
	err = kv_get(a->kv, at, &old);
	if (err && err != RFS_ERR_NOENT)
		return err;
	if (err == RFS_ERR_OK && (command->flags & COMMAND_XCREATE))
		return RFS_ERR_EXIST;
	if (err == RFS_ERR_NOENT && (command->flags & COMMAND_XREPLACE))
		return RFS_ERR_NODATA;

	total = inode.xattr_bytes + command->data.bytes;
	if (err == RFS_ERR_OK)
		total -= old.bytes;
	else
		total += command->name.bytes;
	if (total > INODE_XATTRS_MAX_BYTES)
		return RFS_ERR_NOSPC;

	kv_put(a->kv, at, command->data);
	inode.xattr_bytes = (uint32_t)total;
	apply_save(a, &inode);
	apply_answer(a, &inode);
	return RFS_ERR_OK;
}

enum rfs_err xattr_remove(struct apply *a)
{
	const struct command *command = a->command;
	struct inode inode;
	struct key key;
	struct bytes at, old;
	enum rfs_err err;

	err = inode_load(a->kv, command->ino, &inode);
	if (err)
		return err;
	at = key_named(&key, KEY_XATTR, command->ino, command->name);
	err = kv_get(a->kv, at, &old);
	if (err)
		return err == RFS_ERR_NOENT ? RFS_ERR_NODATA : err;

	inode.xattr_bytes -= (uint32_t)(command->name.bytes + old.bytes);
	kv_del(a->kv, at);
	apply_save(a, &inode);
	apply_answer(a, &inode);
	return RFS_ERR_OK;
}

void xattr_erase_all(struct apply *a, const struct inode *inode)
{
	const struct bytes none = { 0 };
	struct key from, key;
	struct bytes found, value, name;

	if (inode->xattr_bytes == 0)
		return;
	while (kv_seek(a->kv, key_named(&from, KEY_XATTR, inode->ino, none),
		       &found, &value) == RFS_ERR_OK &&
	       key_is_named(found, KEY_XATTR, inode->ino, &name))
		kv_del(a->kv, key_named(&key, KEY_XATTR, inode->ino, name));
}
