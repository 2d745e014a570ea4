/* libraftfs: the file tree of a raftfs cluster, from any program.
 *
 * An object of struct raftfs is one conversation with the cluster: one
 * connection at a time, to whichever of the known nodes answers, and one
 * session. Every call is safe from any thread and blocks until it is answered;
 * calls of several threads travel together.
 *
 * What an answer means:
 *	RFS_ERR_OK	it happened, is on a majority of disks, and every later
 *			look through any node sees it
 *	RFS_ERR_UNKNOWN	it may or may not have happened: the cluster did not
 *			say before the time limit
 *	anything else	it did not happen
 *
 * A lost connection, an election or a busy node is not an error: the request is
 * sent again under the same (session, seq), so it happens once, until the time
 * limit (RAFTFS_TIMEOUT_NS unless set otherwise). Nothing is cached.
 *
 * Pointers passed in are borrowed for the call. Results are written only on
 * RFS_ERR_OK. Inode 1 is the root. Names are bytes without '/' and NUL.
 */
#ifndef RAFTFS_CLIENT_LIB_RAFTFS_H
#define RAFTFS_CLIENT_LIB_RAFTFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/err.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RAFTFS_ROOT_INO	    UINT64_C(1)
#define RAFTFS_NAME_MAX	    255
#define RAFTFS_WINDOW_BYTES (1024u * 1024u) /* most that one request carries   \
					     */
#define RAFTFS_TIMEOUT_NS INT64_C(30000000000)
#define RAFTFS_CONF	  "/etc/raftfs/raftfs.conf"

struct raftfs;

/* Prepare a conversation. With several nodes known they are asked which of them
 * leads, to be used first; else nothing is sent yet.
 *
 *   where  "SOCKET[,SOCKET...]", a configuration file, a directory made by
 *	    `raftfs cluster up`, or NULL: $RAFTFS_SOCKET if set, else
 *	    RAFTFS_CONF. With several sockets any of them may be used.
 *
 * NOENT: nothing there; INVALID: not a configuration (faults go to the log);
 * NOMEM. raftfs_reason() says more. */
RFS_MUST_USE enum rfs_err raftfs_open(const char *where, struct raftfs **fs);

/* Close the session and free. No other call may be running. NULL is allowed. */
void raftfs_close(struct raftfs *fs);

/* Time limit of every later call; at least 1 ms. */
void raftfs_set_timeout(struct raftfs *fs, int64_t timeout_ns);

/* How old later reads may be at most; 0, as it is at first: linearizable. With
 * an allowance (60 s count at most) the node in use answers alone as long as it
 * knows that its state is no older; what one call shows, a later one need not. */
void raftfs_set_staleness(struct raftfs *fs, int64_t stale_ns);

/* Connect now, trying each node once; CLOSED when none answers. Optional: any
 * call connects by itself, and keeps trying until its time limit. */
RFS_MUST_USE enum rfs_err raftfs_connect(struct raftfs *fs);

/* The socket in use or tried last. Valid until the next call of any thread. */
const char *raftfs_endpoint(const struct raftfs *fs);

/* How many sockets are known, and each of them; owned by fs. */
size_t raftfs_endpoint_count(const struct raftfs *fs);
const char *raftfs_endpoint_at(const struct raftfs *fs, size_t index);

/* What the node said, or what went wrong here, about this thread's last call
 * that failed; "" if there is no more to say than the error. Never NULL. */
const char *raftfs_reason(void);

/* --- what things look like --- */

struct raftfs_attr {
	uint64_t ino;
	uint32_t mode; /* type and permissions, as st_mode */
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint64_t rdev;
	uint64_t size;	  /* bytes */
	uint64_t blocks;  /* of 512 bytes */
	int64_t atime_ns; /* since the epoch */
	int64_t mtime_ns;
	int64_t ctime_ns; /* cluster time: its order is commit order */
	uint64_t version; /* Raft index of the last change */
};

void raftfs_attr_stat(const struct raftfs_attr *attr, struct stat *st);

struct raftfs_entry {
	uint64_t ino;
	uint32_t mode;	 /* type bits at least */
	uint64_t cookie; /* where to go on after this entry */
	const char *name;
	struct raftfs_attr attr; /* zero unless asked for */
};

/* One page of a directory; owned by the caller, freed by
 * raftfs_page_free(). */
struct raftfs_page {
	struct raftfs_entry *entries;
	size_t count;
	bool end;    /* nothing follows */
	void *reply; /* what the names point into */
};

struct raftfs_space {
	uint64_t total_bytes;
	uint64_t free_bytes;
	uint64_t files;
};

/* For whom: honoured only from root or for the caller's own uid. */
struct raftfs_who {
	uint32_t uid;
	uint32_t gid;
};

/* What a new file is to be. */
struct raftfs_new {
	struct raftfs_who who;
	uint32_t mode;	/* permissions; the type too for mknod */
	uint64_t rdev;	/* mknod of a device */
	bool exclusive; /* create, put: EXIST if the name is there */
	bool dated;	/* take the times below, not the time of commit */
	int64_t atime_ns;
	int64_t mtime_ns;
};

/* Bits of a setattr mask; the values of FUSE_SET_ATTR_*. */
enum raftfs_set {
	RAFTFS_SET_MODE = 1 << 0,
	RAFTFS_SET_UID = 1 << 1,
	RAFTFS_SET_GID = 1 << 2,
	RAFTFS_SET_SIZE = 1 << 3,
	RAFTFS_SET_ATIME = 1 << 4,
	RAFTFS_SET_MTIME = 1 << 5,
	RAFTFS_SET_ATIME_NOW = 1 << 7,
	RAFTFS_SET_MTIME_NOW = 1 << 8,
};

/* --- by inode --- */

RFS_MUST_USE enum rfs_err raftfs_lookup(struct raftfs *fs, uint64_t parent,
					const char *name,
					struct raftfs_attr *attr);
RFS_MUST_USE enum rfs_err raftfs_getattr(struct raftfs *fs, uint64_t ino,
					 struct raftfs_attr *attr);
RFS_MUST_USE enum rfs_err raftfs_setattr(struct raftfs *fs,
					 struct raftfs_who who, uint64_t ino,
					 const struct raftfs_attr *want,
					 uint32_t set,
					 struct raftfs_attr *attr);

/* *target is owned by the caller (free()), NUL-terminated. */
RFS_MUST_USE enum rfs_err raftfs_readlink(struct raftfs *fs, uint64_t ino,
					  char **target);

/* cookie 0: from the start. plus: entries carry attr. */
RFS_MUST_USE enum rfs_err raftfs_readdir(struct raftfs *fs, uint64_t ino,
					 uint64_t cookie, bool plus,
					 struct raftfs_page *page);
void raftfs_page_free(struct raftfs_page *page);

/* Fewer bytes than asked for only at the end of the file. Larger than one
 * window: several requests at once, each linearizable by itself. */
RFS_MUST_USE enum rfs_err raftfs_read(struct raftfs *fs, uint64_t ino,
				      uint64_t offset, void *data, size_t bytes,
				      size_t *got);

/* All of it or an error. Larger than one window: several entries, in flight
 * together; on error any of them may have happened. */
RFS_MUST_USE enum rfs_err raftfs_write(struct raftfs *fs, struct raftfs_who who,
				       uint64_t ino, uint64_t offset,
				       const void *data, size_t bytes);

/* At the end, wherever that is when it commits; bytes <= one window. */
RFS_MUST_USE enum rfs_err raftfs_append(struct raftfs *fs,
					struct raftfs_who who, uint64_t ino,
					const void *data, size_t bytes);

/* A write without waiting: data (<= one window) must stay until
 * raftfs_write_end(), which must follow and says how it went. append: offset
 * does not count. NULL: out of memory. */
struct raftfs_pending *raftfs_write_begin(struct raftfs *fs,
					  struct raftfs_who who, uint64_t ino,
					  uint64_t offset, bool append,
					  const void *data, size_t bytes);
RFS_MUST_USE enum rfs_err raftfs_write_end(struct raftfs_pending *pending);

RFS_MUST_USE enum rfs_err raftfs_create(struct raftfs *fs, uint64_t parent,
					const char *name,
					const struct raftfs_new *as,
					struct raftfs_attr *attr);
RFS_MUST_USE enum rfs_err raftfs_mkdir(struct raftfs *fs, uint64_t parent,
				       const char *name,
				       const struct raftfs_new *as,
				       struct raftfs_attr *attr);
RFS_MUST_USE enum rfs_err raftfs_mknod(struct raftfs *fs, uint64_t parent,
				       const char *name,
				       const struct raftfs_new *as,
				       struct raftfs_attr *attr);
RFS_MUST_USE enum rfs_err raftfs_symlink(struct raftfs *fs, uint64_t parent,
					 const char *name, const char *target,
					 const struct raftfs_new *as,
					 struct raftfs_attr *attr);
RFS_MUST_USE enum rfs_err raftfs_link(struct raftfs *fs, struct raftfs_who who,
				      uint64_t ino, uint64_t parent,
				      const char *name,
				      struct raftfs_attr *attr);
RFS_MUST_USE enum rfs_err raftfs_unlink(struct raftfs *fs,
					struct raftfs_who who, uint64_t parent,
					const char *name);
RFS_MUST_USE enum rfs_err raftfs_rmdir(struct raftfs *fs, struct raftfs_who who,
				       uint64_t parent, const char *name);
/* flags: RENAME_NOREPLACE or RENAME_EXCHANGE of renameat2(2), or 0. */
RFS_MUST_USE enum rfs_err raftfs_rename(struct raftfs *fs,
					struct raftfs_who who, uint64_t parent,
					const char *name, uint64_t new_parent,
					const char *new_name, uint32_t flags);

/* Create or replace a whole file (<= one window) in one step: a reader sees
 * the old content or the new, never half. */
RFS_MUST_USE enum rfs_err raftfs_put(struct raftfs *fs, uint64_t parent,
				     const char *name, const void *data,
				     size_t bytes, const struct raftfs_new *as,
				     struct raftfs_attr *attr);

/* Values are bytes. getxattr: RANGE when it does not fit; bytes 0 asks for the
 * size. listxattr: names each ended by NUL, same rules. */
RFS_MUST_USE enum rfs_err raftfs_getxattr(struct raftfs *fs, uint64_t ino,
					  const char *name, void *value,
					  size_t bytes, size_t *got);
RFS_MUST_USE enum rfs_err raftfs_listxattr(struct raftfs *fs, uint64_t ino,
					   char *names, size_t bytes,
					   size_t *got);
/* flags: XATTR_CREATE, XATTR_REPLACE or 0. */
RFS_MUST_USE enum rfs_err raftfs_setxattr(struct raftfs *fs,
					  struct raftfs_who who, uint64_t ino,
					  const char *name, const void *value,
					  size_t bytes, uint32_t flags);
RFS_MUST_USE enum rfs_err raftfs_removexattr(struct raftfs *fs,
					     struct raftfs_who who,
					     uint64_t ino, const char *name);

/* Keep an inode alive in this session though its last name goes; each pin is
 * undone by one unpin, or by the end of the session. */
RFS_MUST_USE enum rfs_err raftfs_pin(struct raftfs *fs, uint64_t ino);
RFS_MUST_USE enum rfs_err raftfs_unpin(struct raftfs *fs, uint64_t ino);

/* flags: FALLOC_FL_KEEP_SIZE, _PUNCH_HOLE, _ZERO_RANGE of fallocate(2). */
RFS_MUST_USE enum rfs_err raftfs_fallocate(struct raftfs *fs,
					   struct raftfs_who who, uint64_t ino,
					   uint64_t offset, uint64_t bytes,
					   uint32_t flags);

RFS_MUST_USE enum rfs_err raftfs_statfs(struct raftfs *fs,
					struct raftfs_space *space);

/* Wait until the node in use shows everything acknowledged before the call. */
RFS_MUST_USE enum rfs_err raftfs_sync_point(struct raftfs *fs);

/* --- by path --- */

/* Walk from the root; symbolic links inside the tree are followed, absolute
 * ones from the tree's root, the last one only if follow. */
RFS_MUST_USE enum rfs_err raftfs_walk(struct raftfs *fs, const char *path,
				      bool follow, struct raftfs_attr *attr);

/* The directory that holds (or would hold) the last name of path. INVALID for
 * the root itself and for names "." and "..". */
RFS_MUST_USE enum rfs_err raftfs_walk_parent(struct raftfs *fs,
					     const char *path,
					     struct raftfs_attr *parent,
					     char name[RAFTFS_NAME_MAX + 1]);

#ifdef __cplusplus
}
#endif

#endif
