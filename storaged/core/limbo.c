/* One rule per command: what it may touch; one per query: what it rests on.
 *
 * Both are exhaustive switches without a default, so that a new command or
 * query that has no rule does not compile.
 */
#include "storaged/core/limbo.h"

#include <stdlib.h>

#include "storaged/core/dirent.h"
#include "storaged/core/meta.h"

/* Of an inode. */
enum limbo_aspect {
	TOUCH_STAT = 1u << 0,	/* what getattr shows */
	TOUCH_ACCESS = 1u << 1, /* existence, type, owner, permissions */
	TOUCH_DATA = 1u << 2,	/* bytes from .. to, and where the end is */
	TOUCH_XATTR = 1u << 3,
	TOUCH_NAMES = 1u << 4, /* the listing of a directory */
	TOUCH_ALL = 0x1fu,
};

struct touch {
	uint64_t ino;
	uint32_t aspects;
	uint64_t from, to; /* TOUCH_DATA */
};

struct limbo {
	bool everything; /* nothing is known: all may change */
	bool makes;	 /* inodes from next_ino on may come to be */
	bool ends;	 /* sessions may end, and orphans with them */
	uint64_t next_ino;
	struct command command; /* the one being added */
	uint32_t touch_count;
	uint32_t name_count;
	struct touch touches[LIMBO_TOUCHES_MAX]; /* ended: by inode */
	uint64_t names[LIMBO_TOUCHES_MAX]; /* hashes; ended: ascending */
};

struct limbo *limbo_new(void)
{
	return calloc(1, sizeof(struct limbo));
}

void limbo_free(struct limbo *limbo)
{
	free(limbo);
}

void limbo_begin(struct limbo *limbo, struct kv *kv)
{
	struct meta meta;

	limbo->makes = limbo->ends = false;
	limbo->touch_count = limbo->name_count = 0;
	limbo->everything = meta_load(kv, &meta) != RFS_ERR_OK;
	if (!limbo->everything)
		limbo->next_ino = meta.next_ino;
}

/* FNV-1a. */
static uint64_t name_hash(uint64_t dir, struct bytes name)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ dir;
	const uint8_t *data = name.data;

	hash *= UINT64_C(0x100000001b3);
	for (size_t i = 0; i < name.bytes; i++)
		hash = (hash ^ data[i]) * UINT64_C(0x100000001b3);
	return hash;
}

/* ---- what commands touch ---------------------------------------------- */

static void touch_bytes(struct limbo *limbo, uint64_t ino, uint32_t aspects,
			uint64_t from, uint64_t to)
{
	if (limbo->touch_count == LIMBO_TOUCHES_MAX) {
		limbo->everything = true;
		return;
	}
	limbo->touches[limbo->touch_count++] = (struct touch){
		.ino = ino,
		.aspects = aspects,
		.from = from,
		.to = to,
	};
}

static void touch(struct limbo *limbo, uint64_t ino, uint32_t aspects)
{
	touch_bytes(limbo, ino, aspects, 0, UINT64_MAX);
}

/* What the name means in this state, as far as it means anything. */
static bool named(struct limbo *limbo, struct kv *kv, uint64_t dir,
		  struct bytes name, uint64_t *ino)
{
	struct dirent_place place;
	enum rfs_err err = dirent_find(kv, dir, name, &place);

	if (err != RFS_ERR_OK && err != RFS_ERR_NOENT)
		limbo->everything = true;
	if (err != RFS_ERR_OK)
		return false;
	*ino = place.ino;
	return true;
}

/* The name comes, goes, or means something else, and so does whatever bears it
 * now: it may lose its last name, or get another parent. */
static void touch_name(struct limbo *limbo, struct kv *kv, uint64_t dir,
		       struct bytes name)
{
	uint64_t ino;

	if (limbo->name_count == LIMBO_TOUCHES_MAX) {
		limbo->everything = true;
		return;
	}
	limbo->names[limbo->name_count++] = name_hash(dir, name);
	touch(limbo, dir, TOUCH_STAT | TOUCH_NAMES);
	if (named(limbo, kv, dir, name, &ino))
		touch(limbo, ino, TOUCH_ALL);
}

/* A file that is found is changed at most in what nobody is shown (its pins). */
static void touch_made(struct limbo *limbo, struct kv *kv)
{
	const struct command *command = &limbo->command;
	uint64_t ino;

	limbo->makes = true;
	if (!named(limbo, kv, command->ino, command->name, &ino))
		touch_name(limbo, kv, command->ino, command->name);
}

static void touch_put(struct limbo *limbo, struct kv *kv)
{
	const struct command *command = &limbo->command;
	uint32_t aspects = TOUCH_STAT | TOUCH_DATA;
	uint64_t ino;

	touch_made(limbo, kv);
	if (command->set_mask & COMMAND_SET_MODE)
		aspects |= TOUCH_ACCESS;
	if (named(limbo, kv, command->ino, command->name, &ino))
		touch(limbo, ino, aspects);
}

/* Bytes [from, to) change, and with them perhaps where the file ends: what lies
 * between its end and `to` reads as zeros afterwards. An end that another
 * command moved first was moved by one that touches from there on. */
static void touch_content(struct limbo *limbo, struct kv *kv, uint64_t from,
			  uint64_t to)
{
	uint64_t ino = limbo->command.ino;
	struct inode inode;
	enum rfs_err err = query_getattr(kv, ino, &inode);

	if (err == RFS_ERR_OK && inode.size_bytes < from)
		from = inode.size_bytes;
	else if (err != RFS_ERR_OK)
		from = 0; /* new: its number says enough */
	touch_bytes(limbo, ino, TOUCH_STAT | TOUCH_DATA, from, to);
}

static void touch_write(struct limbo *limbo, struct kv *kv)
{
	const struct command *command = &limbo->command;
	uint64_t bytes = command_content_bytes(command);

	if (command->flags & COMMAND_APPEND)
		touch_content(limbo, kv, UINT64_MAX, UINT64_MAX);
	else
		touch_content(limbo, kv, command->offset,
			      command->offset + bytes);
}

static void touch_attributes(struct limbo *limbo, struct kv *kv)
{
	const struct command *command = &limbo->command;
	uint32_t aspects = TOUCH_STAT;

	if (command->set_mask &
	    (COMMAND_SET_MODE | COMMAND_SET_UID | COMMAND_SET_GID))
		aspects |= TOUCH_ACCESS;
	touch(limbo, command->ino, aspects);
	if (command->set_mask & COMMAND_SET_SIZE)
		touch_content(limbo, kv, command->size_bytes, UINT64_MAX);
}

/* Only what has no name any more can go with whoever holds it open; if it loses
 * its name in limbo, that command touches all of it. */
static void touch_released(struct limbo *limbo, struct kv *kv)
{
	struct inode inode;

	if (query_getattr(kv, limbo->command.ino, &inode) == RFS_ERR_OK &&
	    inode.nlink == 0)
		touch(limbo, limbo->command.ino, TOUCH_ALL);
}

static void touch_all_of(struct limbo *limbo, struct kv *kv)
{
	const struct command *command = &limbo->command;

	switch (command->op) {
	case COMMAND_NOOP:
	case COMMAND_OPEN_SESSION:
	case COMMAND_RENEW_SESSION:
	case COMMAND_GRANT:
	case COMMAND_EXPIRE_GRANT:
	case COMMAND_OPEN:
		return; /* no query here shows sessions, grants or pins */
	case COMMAND_CLOSE_SESSION:
	case COMMAND_EXPIRE_SESSIONS:
		limbo->ends = true;
		return;
	case COMMAND_CREATE:
	case COMMAND_MKDIR:
	case COMMAND_MKNOD:
	case COMMAND_SYMLINK:
		touch_made(limbo, kv);
		return;
	case COMMAND_PUT:
		touch_put(limbo, kv);
		return;
	case COMMAND_LINK:
		touch_name(limbo, kv, command->ino, command->name);
		touch(limbo, command->target, TOUCH_STAT);
		return;
	case COMMAND_UNLINK:
	case COMMAND_RMDIR:
		touch_name(limbo, kv, command->ino, command->name);
		return;
	case COMMAND_RENAME:
		touch_name(limbo, kv, command->ino, command->name);
		touch_name(limbo, kv, command->target, command->target_name);
		return;
	case COMMAND_SETATTR:
		touch_attributes(limbo, kv);
		return;
	case COMMAND_WRITE:
		touch_write(limbo, kv);
		return;
	case COMMAND_FALLOCATE:
		touch_content(limbo, kv, command->offset,
			      command->offset + command->length);
		return;
	case COMMAND_SETXATTR:
	case COMMAND_REMOVEXATTR:
		touch(limbo, command->ino, TOUCH_STAT | TOUCH_XATTR);
		return;
	case COMMAND_RELEASE:
		touch_released(limbo, kv);
		return;
	}
	limbo->everything = true;
}

void limbo_add(struct limbo *limbo, struct kv *kv, struct bytes image)
{
	if (command_decode(image.data, image.bytes, &limbo->command) ==
	    RFS_ERR_OK)
		touch_all_of(limbo, kv);
	else
		limbo->everything = true;
}

static int touch_order(const void *a, const void *b)
{
	uint64_t left = ((const struct touch *)a)->ino;
	uint64_t right = ((const struct touch *)b)->ino;

	return (left > right) - (left < right);
}

static int hash_order(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

void limbo_end(struct limbo *limbo)
{
	qsort(limbo->touches, limbo->touch_count, sizeof(limbo->touches[0]),
	      touch_order);
	qsort(limbo->names, limbo->name_count, sizeof(limbo->names[0]),
	      hash_order);
}

/* ---- what answers rest on --------------------------------------------- */

static uint32_t first_touch(const struct limbo *limbo, uint64_t ino)
{
	uint32_t low = 0, high = limbo->touch_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (limbo->touches[middle].ino < ino)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_orphan(struct kv *kv, uint64_t ino)
{
	struct inode inode;

	return query_getattr(kv, ino, &inode) == RFS_ERR_OK &&
	       inode.nlink == 0;
}

/* The range counts only for data. */
static bool bytes_touched(const struct limbo *limbo, struct kv *kv,
			  uint64_t ino, uint32_t aspects, uint64_t from,
			  uint64_t to)
{
	if (limbo->makes && ino >= limbo->next_ino)
		return true;
	if (limbo->ends && is_orphan(kv, ino))
		return true;
	for (uint32_t i = first_touch(limbo, ino);
	     i < limbo->touch_count && limbo->touches[i].ino == ino; i++) {
		const struct touch *t = &limbo->touches[i];
		uint32_t common = t->aspects & aspects;

		if (common & ~TOUCH_DATA)
			return true;
		if (common && t->from < to && from < t->to)
			return true;
	}
	return false;
}

static bool touched(const struct limbo *limbo, struct kv *kv, uint64_t ino,
		    uint32_t aspects)
{
	return bytes_touched(limbo, kv, ino, aspects, 0, UINT64_MAX);
}

static bool name_touched(const struct limbo *limbo, uint64_t dir,
			 struct bytes name)
{
	uint64_t hash = name_hash(dir, name);

	return bsearch(&hash, limbo->names, limbo->name_count, sizeof(hash),
		       hash_order) != NULL;
}

/* ".." included: what may be moved is touched as a whole. */
static bool lookup_touched(const struct limbo *limbo, struct kv *kv,
			   const struct limbo_query *query)
{
	struct inode found;

	if (touched(limbo, kv, query->ino, TOUCH_ACCESS) ||
	    name_touched(limbo, query->ino, query->name))
		return true;
	enum rfs_err err = query_lookup(kv, query->ino, query->name, &found);

	return err == RFS_ERR_OK && touched(limbo, kv, found.ino, TOUCH_STAT);
}

struct listing {
	const struct limbo *limbo;
	struct kv *kv;
	uint32_t left;
	bool touched;
};

static bool look_at_listed(void *ctx, const struct query_name *name)
{
	struct listing *listing = ctx;

	listing->touched = touched(listing->limbo, listing->kv, name->ino,
				   TOUCH_STAT);
	return !listing->touched && --listing->left > 0;
}

static bool listing_touched(const struct limbo *limbo, struct kv *kv,
			    const struct limbo_query *query)
{
	struct listing listing = {
		.limbo = limbo,
		.kv = kv,
		.left = query->count,
	};
	bool end;

	if (touched(limbo, kv, query->ino, TOUCH_NAMES | TOUCH_ACCESS))
		return true;
	if (!query->with_attr || query->count == 0)
		return false;
	/* What cannot be listed is not shown either. */
	return query_readdir(kv, query->ino, query->cookie, look_at_listed,
			     &listing, &end) == RFS_ERR_OK &&
	       listing.touched;
}

bool limbo_may_change(const struct limbo *limbo, struct kv *kv,
		      const struct limbo_query *query)
{
	uint64_t end = query->offset + query->length;

	if (limbo->everything)
		return true;
	switch (query->look) {
	case LIMBO_LOOKUP:
		return lookup_touched(limbo, kv, query);
	case LIMBO_GETATTR:
		return touched(limbo, kv, query->ino,
			       TOUCH_STAT | TOUCH_ACCESS);
	case LIMBO_READLINK:
		return touched(limbo, kv, query->ino, TOUCH_ACCESS);
	case LIMBO_READDIR:
		return listing_touched(limbo, kv, query);
	case LIMBO_READ:
		return bytes_touched(limbo, kv, query->ino,
				     TOUCH_DATA | TOUCH_ACCESS, query->offset,
				     end < query->offset ? UINT64_MAX : end);
	case LIMBO_GETXATTR:
	case LIMBO_LISTXATTR:
		return touched(limbo, kv, query->ino,
			       TOUCH_XATTR | TOUCH_ACCESS);
	}
	return true;
}
