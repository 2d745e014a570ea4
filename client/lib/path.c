/* Paths to inodes: one lookup a name, symbolic links followed, no cache.
 *
 * ".." is resolved by remembering the way down, not by asking: a walk keeps
 * the inodes from the root to where it is.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/lib/raftfs.h"
#include "client/lib/session.h"

#define LINKS_MAX      40
#define DEPTH_MAX      256
#define PATH_BYTES_MAX 4096

struct walk {
	struct raftfs *fs;
	uint64_t way[DEPTH_MAX]; /* way[0] is the root */
	size_t depth;		 /* of the last valid one */
	struct raftfs_attr attr; /* of way[depth]; ino 0: not asked yet */
	unsigned int links;
	char rest[PATH_BYTES_MAX]; /* still to walk */
};

static enum rfs_err put_rest(struct walk *walk, const char *first,
			     const char *then)
{
	char joined[PATH_BYTES_MAX];
	size_t a = strlen(first);
	size_t b = strlen(then);

	if (a + b + 2 > sizeof(joined))
		return RFS_ERR_NAMETOOLONG;
	memcpy(joined, first, a);
	/* A slash at the end would ask for a directory. */
	if (b > 0)
		joined[a++] = '/';
	memcpy(joined + a, then, b + 1);
	memcpy(walk->rest, joined, a + b + 1);
	return RFS_ERR_OK;
}

static enum rfs_err walk_start(struct walk *walk, struct raftfs *fs,
			       const char *path)
{
	size_t bytes = strlen(path);

	if (bytes >= sizeof(walk->rest))
		return RFS_ERR_NAMETOOLONG;
	walk->fs = fs;
	walk->way[0] = RAFTFS_ROOT_INO;
	walk->depth = 0;
	walk->attr = (struct raftfs_attr){.ino = 0};
	walk->links = 0;
	memcpy(walk->rest, path, bytes + 1);
	return RFS_ERR_OK;
}

/* Take the next name off the rest; false at the end. *slash: something, if
 * only '/', follows it. */
static enum rfs_err next_name(struct walk *walk, char name[RAFTFS_NAME_MAX + 1],
			      bool *found, bool *slash)
{
	const char *at = walk->rest + strspn(walk->rest, "/");
	size_t bytes = strcspn(at, "/");

	*found = bytes > 0;
	if (bytes > RAFTFS_NAME_MAX)
		return RFS_ERR_NAMETOOLONG;
	memcpy(name, at, bytes);
	name[bytes] = '\0';
	*slash = at[bytes] == '/';
	memmove(walk->rest, at + bytes, strlen(at + bytes) + 1);
	return RFS_ERR_OK;
}

static bool is_last(const struct walk *walk)
{
	return walk->rest[strspn(walk->rest, "/")] == '\0';
}

static enum rfs_err go_through_link(struct walk *walk, uint64_t ino)
{
	char *target;

	if (++walk->links > LINKS_MAX)
		return RFS_ERR_LOOP;
	enum rfs_err err = raftfs_readlink(walk->fs, ino, &target);

	if (err != RFS_ERR_OK)
		return err;
	if (target[0] == '/') {
		walk->depth = 0;
		walk->attr.ino = 0;
	}
	err = put_rest(walk, target, walk->rest);
	free(target);
	return err;
}

static enum rfs_err step_into(struct walk *walk, const char *name, bool follow)
{
	struct raftfs_attr attr;

	if (strcmp(name, ".") == 0)
		return RFS_ERR_OK;
	if (strcmp(name, "..") == 0) {
		if (walk->depth > 0)
			walk->depth--;
		walk->attr.ino = 0;
		return RFS_ERR_OK;
	}
	enum rfs_err err =
		raftfs_lookup(walk->fs, walk->way[walk->depth], name, &attr);

	if (err != RFS_ERR_OK)
		return err;
	if (S_ISLNK(attr.mode) && follow)
		return go_through_link(walk, attr.ino);
	if (walk->depth + 1 == DEPTH_MAX)
		return RFS_ERR_NAMETOOLONG;
	walk->way[++walk->depth] = attr.ino;
	walk->attr = attr;
	return RFS_ERR_OK;
}

static enum rfs_err walk_attr(struct walk *walk, struct raftfs_attr *attr)
{
	if (walk->attr.ino != 0) {
		*attr = walk->attr;
		return RFS_ERR_OK;
	}
	return raftfs_getattr(walk->fs, walk->way[walk->depth], attr);
}

static enum rfs_err walk_all(struct walk *walk, bool follow)
{
	char name[RAFTFS_NAME_MAX + 1];
	bool found, slash;

	for (;;) {
		enum rfs_err err = next_name(walk, name, &found, &slash);

		if (err != RFS_ERR_OK || !found)
			return err;
		/* A name before '/' must be a directory: follow it there. */
		err = step_into(walk, name, follow || slash);
		if (err != RFS_ERR_OK)
			return err;
		if (slash && walk->attr.ino != 0 && !S_ISDIR(walk->attr.mode))
			return RFS_ERR_NOTDIR;
	}
}

enum rfs_err raftfs_walk(struct raftfs *fs, const char *path, bool follow,
			 struct raftfs_attr *attr)
{
	struct walk *walk = malloc(sizeof(*walk));

	if (walk == NULL)
		return RFS_ERR_NOMEM;
	session_set_reason("");
	enum rfs_err err = walk_start(walk, fs, path);

	if (err == RFS_ERR_OK)
		err = walk_all(walk, follow);
	if (err == RFS_ERR_OK)
		err = walk_attr(walk, attr);
	free(walk);
	return err;
}

static enum rfs_err walk_to_parent(struct walk *walk,
				   char name[RAFTFS_NAME_MAX + 1])
{
	bool found, slash;

	for (;;) {
		enum rfs_err err = next_name(walk, name, &found, &slash);

		if (err != RFS_ERR_OK)
			return err;
		if (!found)
			return RFS_ERR_INVALID;
		if (is_last(walk))
			break;
		err = step_into(walk, name, true);
		if (err != RFS_ERR_OK)
			return err;
		if (walk->attr.ino != 0 && !S_ISDIR(walk->attr.mode))
			return RFS_ERR_NOTDIR;
	}
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return RFS_ERR_INVALID;
	return RFS_ERR_OK;
}

enum rfs_err raftfs_walk_parent(struct raftfs *fs, const char *path,
				struct raftfs_attr *parent,
				char name[RAFTFS_NAME_MAX + 1])
{
	struct walk *walk = malloc(sizeof(*walk));

	if (walk == NULL)
		return RFS_ERR_NOMEM;
	session_set_reason("");
	enum rfs_err err = walk_start(walk, fs, path);

	if (err == RFS_ERR_OK)
		err = walk_to_parent(walk, name);
	if (err == RFS_ERR_OK)
		err = walk_attr(walk, parent);
	free(walk);
	return err;
}
