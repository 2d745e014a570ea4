/* Rename, in three steps: find what is there, decide whether it may be, do it.
 *
 * The parents may be one directory; then both sides use the one record in
 * `parents`, so that counts and stamps meet in it. */
#include "storaged/core/rename.h"

#include "storaged/core/dirent.h"
#include "storaged/core/namespace.h"

struct side {
	struct inode *parent;
	struct bytes name;
	bool exists;
	struct dirent_place place;
	struct inode inode; /* when it exists */
};

struct rename {
	struct inode parents[2];
	struct side from;
	struct side to;
};

static enum rfs_err side_find(struct apply *a, struct side *side)
{
	enum rfs_err err = dirent_find(a->kv, side->parent->ino, side->name,
				       &side->place);

	side->exists = err == RFS_ERR_OK;
	if (err)
		return err == RFS_ERR_NOENT ? RFS_ERR_OK : err;
	return apply_load(a, side->place.ino, &side->inode);
}

static enum rfs_err rename_find(struct apply *a, struct rename *r)
{
	const struct command *command = a->command;
	enum rfs_err err;

	err = namespace_load_dir(a->kv, command->ino, &r->parents[0]);
	if (err)
		return err;
	r->from.parent = r->to.parent = &r->parents[0];
	if (command->target != command->ino) {
		r->to.parent = &r->parents[1];
		err = namespace_load_dir(a->kv, command->target,
					 &r->parents[1]);
		if (err)
			return err;
	}
	r->from.name = command->name;
	r->to.name = command->target_name;
	err = side_find(a, &r->from);
	return err ? err : side_find(a, &r->to);
}

static bool is_dir(const struct side *side)
{
	return inode_is(&side->inode, INODE_TYPE_DIR);
}

/* Would putting directory `dir` below `parent` make a loop? Climbs to the
 * root, which is nearer than there are inodes. INVALID: it would. */
static enum rfs_err check_loop(struct apply *a, uint64_t dir,
			       const struct inode *parent)
{
	struct inode at = *parent;

	for (uint64_t n = a->meta.inode_count; n > 0; n--) {
		enum rfs_err err;

		if (at.ino == dir)
			return RFS_ERR_INVALID;
		if (at.ino == INODE_ROOT)
			return RFS_ERR_OK;
		err = apply_load(a, at.parent, &at);
		if (err)
			return err;
	}
	return kv_corrupt(a->kv);
}

static enum rfs_err check_moves(struct apply *a, const struct rename *r)
{
	enum rfs_err err;

	if (r->from.parent == r->to.parent)
		return RFS_ERR_OK;
	if (is_dir(&r->from)) {
		err = check_loop(a, r->from.inode.ino, r->to.parent);
		if (err)
			return err;
	}
	if ((a->command->flags & COMMAND_EXCHANGE) && is_dir(&r->to))
		return check_loop(a, r->to.inode.ino, r->from.parent);
	return RFS_ERR_OK;
}

static enum rfs_err check_replace(const struct rename *r)
{
	if (!is_dir(&r->from))
		return is_dir(&r->to) ? RFS_ERR_ISDIR : RFS_ERR_OK;
	if (!is_dir(&r->to))
		return RFS_ERR_NOTDIR;
	return r->to.inode.size_bytes ? RFS_ERR_NOTEMPTY : RFS_ERR_OK;
}

static enum rfs_err rename_check(struct apply *a, const struct rename *r)
{
	uint32_t flags = a->command->flags;
	enum rfs_err err;

	if (!r->from.exists)
		return RFS_ERR_NOENT;
	if (r->to.exists && (flags & COMMAND_NOREPLACE))
		return RFS_ERR_EXIST;
	if (!r->to.exists && (flags & COMMAND_EXCHANGE))
		return RFS_ERR_NOENT;
	err = check_moves(a, r);
	if (err || !r->to.exists || (flags & COMMAND_EXCHANGE) ||
	    r->from.inode.ino == r->to.inode.ino)
		return err;
	return check_replace(r);
}

/* A directory that changes parents takes its ".." along. */
static void dir_moved(struct side *side, struct inode *old_parent,
		      struct inode *new_parent)
{
	if (!is_dir(side))
		return;
	old_parent->nlink--;
	new_parent->nlink++;
	side->inode.parent = new_parent->ino;
}

static void save_parents(struct apply *a, struct rename *r)
{
	namespace_touch_dir(a, r->from.parent);
	if (r->to.parent != r->from.parent)
		namespace_touch_dir(a, r->to.parent);
}

static void rename_exchange(struct apply *a, struct rename *r)
{
	dirent_point(a, r->from.parent->ino, r->from.name, &r->from.place,
		     &r->to.inode);
	dirent_point(a, r->to.parent->ino, r->to.name, &r->to.place,
		     &r->from.inode);
	dir_moved(&r->from, r->from.parent, r->to.parent);
	dir_moved(&r->to, r->to.parent, r->from.parent);
	save_parents(a, r);
	apply_save(a, &r->from.inode);
	apply_save(a, &r->to.inode);
}

static void rename_move(struct apply *a, struct rename *r)
{
	dirent_remove(a, r->from.parent->ino, r->from.name, &r->from.place);
	r->from.parent->size_bytes--;
	if (r->to.exists) {
		dirent_point(a, r->to.parent->ino, r->to.name, &r->to.place,
			     &r->from.inode);
		if (is_dir(&r->to))
			r->to.parent->nlink--;
	} else {
		dirent_add(a, r->to.parent->ino, r->to.name, &r->from.inode);
		r->to.parent->size_bytes++;
	}
	dir_moved(&r->from, r->from.parent, r->to.parent);
	save_parents(a, r);
	apply_save(a, &r->from.inode);
	if (r->to.exists)
		namespace_lose_name(a, &r->to.inode);
}

enum rfs_err rename_apply(struct apply *a)
{
	struct rename r;
	enum rfs_err err = rename_find(a, &r);

	if (err)
		return err;
	err = rename_check(a, &r);
	if (err)
		return err;
	if (!r.to.exists || r.to.inode.ino != r.from.inode.ino) {
		if (a->command->flags & COMMAND_EXCHANGE)
			rename_exchange(a, &r);
		else
			rename_move(a, &r);
	}
	apply_answer(a, &r.from.inode);
	return RFS_ERR_OK;
}
