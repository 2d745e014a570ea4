/* Open directories.
 *
 * A handle holds the pages read so far; the kernel's offsets are places in that
 * list, so seeking back inside one handle is exact. Reading from offset 0
 * (opendir, rewinddir) starts a new look at the cluster.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/mount/mount.h"

#define DOTS 2u /* "." and ".." come first */

struct dir_entry {
	char *name;
	struct raftfs_attr attr; /* ino and type at least */
};

struct dir {
	pthread_mutex_t lock;
	struct dir_entry *entries;
	size_t count;
	uint64_t cookie;
	bool end;
};

static struct dir *dir_of(const struct fuse_file_info *fi)
{
	return (struct dir *)(uintptr_t)fi->fh;
}

static void forget(struct dir *dir)
{
	for (size_t i = 0; i < dir->count; i++)
		free(dir->entries[i].name);
	free(dir->entries);
	dir->entries = NULL;
	dir->count = 0;
	dir->cookie = 0;
	dir->end = false;
}

void dir_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct dir *dir = calloc(1, sizeof(*dir));

	(void)ino;
	if (dir == NULL) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	pthread_mutex_init(&dir->lock, NULL);
	fi->fh = (uintptr_t)dir;
	if (fuse_reply_open(req, fi) == -ENOENT) {
		pthread_mutex_destroy(&dir->lock);
		free(dir);
	}
}

void dir_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct dir *dir = dir_of(fi);

	(void)ino;
	forget(dir);
	pthread_mutex_destroy(&dir->lock);
	free(dir);
	fuse_reply_err(req, 0);
}

void dir_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
	       struct fuse_file_info *fi)
{
	/* Names are committed when the call that made them returns. */
	(void)ino;
	(void)datasync;
	(void)fi;
	fuse_reply_err(req, 0);
}

static enum rfs_err keep_page(struct dir *dir, const struct raftfs_page *page)
{
	struct dir_entry *more = realloc(
		dir->entries, (dir->count + page->count + 1) * sizeof(*more));

	if (more == NULL)
		return RFS_ERR_NOMEM;
	dir->entries = more;
	for (size_t i = 0; i < page->count; i++) {
		struct dir_entry *to = &dir->entries[dir->count];

		to->attr = page->entries[i].attr;
		to->attr.ino = page->entries[i].ino;
		if (to->attr.mode == 0)
			to->attr.mode = page->entries[i].mode;
		to->name = strdup(page->entries[i].name);
		if (to->name == NULL)
			return RFS_ERR_NOMEM;
		dir->count++;
	}
	if (page->count > 0)
		dir->cookie = page->entries[page->count - 1].cookie;
	dir->end = page->end;
	return RFS_ERR_OK;
}

/* Until entry `index` is here or the directory ends. */
static enum rfs_err read_up_to(struct mount *mount, uint64_t ino,
			       struct dir *dir, size_t index, bool plus)
{
	while (index >= dir->count && !dir->end) {
		struct raftfs_page page;
		enum rfs_err err = raftfs_readdir(mount->fs, ino, dir->cookie,
						  plus, &page);

		if (err != RFS_ERR_OK)
			return err;
		err = keep_page(dir, &page);
		raftfs_page_free(&page);
		if (err != RFS_ERR_OK)
			return err;
	}
	return RFS_ERR_OK;
}

/* The kernel's buffer, being filled. */
struct fill {
	fuse_req_t req;
	struct mount *mount;
	char *buffer;
	size_t bytes;
	size_t used;
	bool plus;
};

/* False: it does not fit any more. An entry of readdirplus counts as looked
 * up, but "." and ".." do not: they go without attributes (ino 0). */
static bool put(struct fill *fill, const char *name,
		const struct raftfs_attr *attr, bool dot, size_t next)
{
	size_t left = fill->bytes - fill->used;
	struct fuse_entry_param entry;
	size_t need;

	if (!fill->plus) {
		const struct stat st = {.st_ino = attr->ino,
					.st_mode = attr->mode};

		need = fuse_add_direntry(fill->req, fill->buffer + fill->used,
					 left, name, &st, (off_t)next);
	} else {
		mount_entry(fill->mount, attr, &entry);
		if (dot || attr->version == 0)
			entry.ino = 0;
		need = fuse_add_direntry_plus(fill->req,
					      fill->buffer + fill->used, left,
					      name, &entry, (off_t)next);
	}
	if (need > left)
		return false;
	fill->used += need;
	return true;
}

static enum rfs_err fill_from(struct fill *fill, uint64_t ino, struct dir *dir,
			      size_t at)
{
	const struct raftfs_attr self = {.ino = ino, .mode = S_IFDIR};

	for (;; at++) {
		if (at < DOTS) {
			if (!put(fill, at == 0 ? "." : "..", &self, true,
				 at + 1))
				return RFS_ERR_OK;
			continue;
		}
		enum rfs_err err = read_up_to(fill->mount, ino, dir, at - DOTS,
					      fill->plus);

		/* What is there already is an answer. */
		if (err != RFS_ERR_OK)
			return fill->used > 0 ? RFS_ERR_OK : err;
		if (at - DOTS >= dir->count)
			return RFS_ERR_OK;
		const struct dir_entry *entry = &dir->entries[at - DOTS];

		if (!put(fill, entry->name, &entry->attr, false, at + 1))
			return RFS_ERR_OK;
	}
}

static void read_any(fuse_req_t req, fuse_ino_t ino, size_t bytes, off_t offset,
		     struct fuse_file_info *fi, bool plus)
{
	struct dir *dir = dir_of(fi);
	struct fill fill = {.req = req,
			    .mount = mount_of(req),
			    .buffer = malloc(bytes),
			    .bytes = bytes,
			    .plus = plus};

	if (fill.buffer == NULL) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	pthread_mutex_lock(&dir->lock);
	if (offset == 0)
		forget(dir);
	enum rfs_err err = fill_from(&fill, ino, dir, (size_t)offset);

	pthread_mutex_unlock(&dir->lock);
	if (err == RFS_ERR_OK)
		fuse_reply_buf(req, fill.buffer, fill.used);
	else
		mount_reply(req, "readdir", ino, err);
	free(fill.buffer);
}

void dir_read(fuse_req_t req, fuse_ino_t ino, size_t bytes, off_t offset,
	      struct fuse_file_info *fi)
{
	read_any(req, ino, bytes, offset, fi, false);
}

void dir_readplus(fuse_req_t req, fuse_ino_t ino, size_t bytes, off_t offset,
		  struct fuse_file_info *fi)
{
	read_any(req, ino, bytes, offset, fi, true);
}
