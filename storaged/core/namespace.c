/* Making, linking and removing names. */
#include "storaged/core/namespace.h"

#include "storaged/core/chunkmap.h"
#include "storaged/core/keys.h"
#include "storaged/core/orphans.h"

#define ROOT_MODE    (INODE_TYPE_DIR | 0755u)
#define SYMLINK_MODE (INODE_TYPE_SYMLINK | 0777u)

void namespace_make_root(struct apply *a)
{
	struct inode root = {
		.ino = INODE_ROOT,
		.mode = ROOT_MODE,
		.nlink = 2,
		.atime_ns = a->ts_ns,
		.mtime_ns = a->ts_ns,
		.parent = INODE_ROOT,
	};

	a->meta.next_ino = INODE_ROOT + 1;
	a->meta.next_chunk = 1;
	a->meta.inode_count = 1;
	apply_save(a, &root);
}

enum rfs_err namespace_load_dir(struct kv *kv, uint64_t ino, struct inode *dir)
{
	enum rfs_err err = inode_load(kv, ino, dir);

	if (err)
		return err;
	if (!inode_is(dir, INODE_TYPE_DIR))
		return RFS_ERR_NOTDIR;
	return dir->nlink == 0 ? RFS_ERR_NOENT : RFS_ERR_OK;
}

void namespace_touch_dir(struct apply *a, struct inode *dir)
{
	dir->mtime_ns = a->ts_ns;
	apply_save(a, dir);
}

void namespace_lose_name(struct apply *a, struct inode *inode)
{
	inode->nlink = inode_is(inode, INODE_TYPE_DIR) ? 0 : inode->nlink - 1;
	inode->ctime_ns = a->ts_ns;
	inode->version = a->index;
	if (inode->nlink == 0)
		orphans_drop(a, inode);
	else
		apply_save(a, inode);
}

/* ---- making ---------------------------------------------------------- */

static uint32_t mode_of_new(const struct command *command)
{
	uint32_t perm = command->mode & INODE_PERM_MASK;

	switch (command->op) {
	case COMMAND_MKDIR:
		return INODE_TYPE_DIR | perm;
	case COMMAND_MKNOD:
		return command->mode;
	case COMMAND_SYMLINK:
		return SYMLINK_MODE;
	default:
		return INODE_TYPE_REGULAR | perm;
	}
}

/* A new inode as the command wants it; not saved. */
static void inode_make(struct apply *a, const struct inode *parent,
		       struct inode *inode)
{
	const struct command *command = a->command;

	*inode = (struct inode){
		.ino = a->meta.next_ino++,
		.mode = mode_of_new(command),
		.nlink = 1,
		.uid = command->uid,
		.gid = command->gid,
		.atime_ns = a->ts_ns,
		.mtime_ns = a->ts_ns,
	};
	if (command->set_mask & COMMAND_SET_ATIME)
		inode->atime_ns = command->atime_ns;
	if (command->set_mask & COMMAND_SET_MTIME)
		inode->mtime_ns = command->mtime_ns;
	if (inode_is(inode, INODE_TYPE_CHAR) ||
	    inode_is(inode, INODE_TYPE_BLOCK))
		inode->rdev = command->rdev;
	if (inode_is(inode, INODE_TYPE_REGULAR))
		inode->map = inode->ino;
	if (inode_is(inode, INODE_TYPE_DIR)) {
		inode->nlink = 2;
		inode->parent = parent->ino;
	}
	if (parent->mode & INODE_SETGID) {
		inode->gid = parent->gid;
		if (inode_is(inode, INODE_TYPE_DIR))
			inode->mode |= INODE_SETGID;
	}
	a->meta.inode_count++;
}

static void symlink_save(struct apply *a, struct inode *inode)
{
	struct key key;

	inode->size_bytes = a->command->data.bytes;
	kv_put(a->kv, key_number(&key, KEY_SYMLINK, inode->ino),
	       a->command->data);
}

/* The new inode gets its name, and the parent one more. Saves both. */
static void name_new(struct apply *a, struct inode *parent,
		     struct inode *inode)
{
	dirent_add(a, parent->ino, a->command->name, inode);
	parent->size_bytes++;
	if (inode_is(inode, INODE_TYPE_DIR))
		parent->nlink++;
	namespace_touch_dir(a, parent);
	apply_save(a, inode);
	apply_answer(a, inode);
}

/* CREATE of a name that is there: the file found is the answer. */
static enum rfs_err create_found(struct apply *a,
				 const struct dirent_place *place)
{
	struct inode inode;
	enum rfs_err err;

	if (a->command->op != COMMAND_CREATE ||
	    (a->command->flags & COMMAND_EXCL))
		return RFS_ERR_EXIST;
	err = apply_load(a, place->ino, &inode);
	if (err)
		return err;
	if (inode_is(&inode, INODE_TYPE_DIR))
		return RFS_ERR_ISDIR;
	if (a->command->flags & COMMAND_PIN) {
		orphans_pin(a, &inode);
		inode_save(a->kv, &inode);
	}
	a->result->existed = true;
	apply_answer(a, &inode);
	return RFS_ERR_OK;
}

/* The parent, and the name's place in it; place.ino is 0 where there is no such
 * name. */
static enum rfs_err find_place(struct apply *a, struct inode *parent,
			       struct dirent_place *place)
{
	enum rfs_err err = namespace_load_dir(a->kv, a->command->ino, parent);

	if (err)
		return err;
	err = dirent_find(a->kv, parent->ino, a->command->name, place);
	if (err == RFS_ERR_NOENT) {
		place->ino = 0;
		return RFS_ERR_OK;
	}
	return err;
}

enum rfs_err namespace_make(struct apply *a)
{
	const struct command *command = a->command;
	struct inode parent, inode;
	struct dirent_place place;
	enum rfs_err err = find_place(a, &parent, &place);

	if (err)
		return err;
	if (place.ino)
		return create_found(a, &place);

	inode_make(a, &parent, &inode);
	if (command->op == COMMAND_SYMLINK)
		symlink_save(a, &inode);
	if (command->op == COMMAND_CREATE && (command->flags & COMMAND_PIN))
		orphans_pin(a, &inode);
	name_new(a, &parent, &inode);
	return RFS_ERR_OK;
}

/* ---- put ------------------------------------------------------------- */

/* PUT on a name that is there: same inode, new content. */
static enum rfs_err put_found(struct apply *a, const struct dirent_place *place)
{
	const struct command *command = a->command;
	struct inode inode;
	enum rfs_err err;

	if (command->flags & COMMAND_EXCL)
		return RFS_ERR_EXIST;
	if (place->type == INODE_TYPE_DIR)
		return RFS_ERR_ISDIR;
	if (place->type != INODE_TYPE_REGULAR)
		return RFS_ERR_EXIST;
	err = apply_load(a, place->ino, &inode);
	if (err)
		return err;

	chunkmap_replace(a, &inode);
	inode.size_bytes = command_content_bytes(command);
	inode.mtime_ns = a->ts_ns;
	inode_drop_privileges(&inode);
	if (command->set_mask & COMMAND_SET_ATIME)
		inode.atime_ns = command->atime_ns;
	if (command->set_mask & COMMAND_SET_MTIME)
		inode.mtime_ns = command->mtime_ns;
	if (command->set_mask & COMMAND_SET_MODE)
		inode.mode = INODE_TYPE_REGULAR |
			     (command->mode & INODE_PERM_MASK);
	a->result->existed = true;
	apply_save(a, &inode);
	apply_answer(a, &inode);
	return RFS_ERR_OK;
}

enum rfs_err namespace_put(struct apply *a)
{
	const struct command *command = a->command;
	struct inode parent, inode;
	struct dirent_place place;
	enum rfs_err err = find_place(a, &parent, &place);

	if (err)
		return err;
	err = chunkmap_check(a);
	if (err)
		return err;
	if (place.ino)
		return put_found(a, &place);

	inode_make(a, &parent, &inode);
	chunkmap_write(a, &inode, 0);
	inode.size_bytes = command_content_bytes(command);
	name_new(a, &parent, &inode);
	return RFS_ERR_OK;
}

/* ---- linking and removing -------------------------------------------- */

enum rfs_err namespace_link(struct apply *a)
{
	const struct command *command = a->command;
	struct inode parent, inode;
	struct dirent_place place;
	enum rfs_err err;

	err = namespace_load_dir(a->kv, command->ino, &parent);
	if (err)
		return err;
	err = inode_load(a->kv, command->target, &inode);
	if (err)
		return err;
	if (inode_is(&inode, INODE_TYPE_DIR))
		return RFS_ERR_PERM;
	if (inode.nlink == 0)
		return RFS_ERR_NOENT;
	if (inode.nlink >= INODE_LINKS_MAX)
		return RFS_ERR_MLINK;
	err = dirent_find(a->kv, parent.ino, command->name, &place);
	if (err != RFS_ERR_NOENT)
		return err ? err : RFS_ERR_EXIST;

	inode.nlink++;
	name_new(a, &parent, &inode);
	return RFS_ERR_OK;
}

/* The parent, the name's place and the inode it means. */
static enum rfs_err find_named(struct apply *a, struct inode *parent,
			       struct dirent_place *place, struct inode *inode)
{
	enum rfs_err err = find_place(a, parent, place);

	if (err)
		return err;
	if (!place->ino)
		return RFS_ERR_NOENT;
	return apply_load(a, place->ino, inode);
}

static void name_gone(struct apply *a, struct inode *parent,
		      const struct dirent_place *place, struct inode *inode)
{
	dirent_remove(a, parent->ino, a->command->name, place);
	parent->size_bytes--;
	if (inode_is(inode, INODE_TYPE_DIR))
		parent->nlink--;
	namespace_touch_dir(a, parent);
	namespace_lose_name(a, inode);
	apply_answer(a, inode);
}

enum rfs_err namespace_unlink(struct apply *a)
{
	struct inode parent, inode;
	struct dirent_place place;
	enum rfs_err err = find_named(a, &parent, &place, &inode);

	if (err)
		return err;
	if (inode_is(&inode, INODE_TYPE_DIR))
		return RFS_ERR_ISDIR;
	name_gone(a, &parent, &place, &inode);
	return RFS_ERR_OK;
}

enum rfs_err namespace_rmdir(struct apply *a)
{
	struct inode parent, inode;
	struct dirent_place place;
	enum rfs_err err = find_named(a, &parent, &place, &inode);

	if (err)
		return err;
	if (!inode_is(&inode, INODE_TYPE_DIR))
		return RFS_ERR_NOTDIR;
	if (inode.size_bytes != 0)
		return RFS_ERR_NOTEMPTY;
	name_gone(a, &parent, &place, &inode);
	return RFS_ERR_OK;
}
