/* The inodes that are open through this mount: how often, what waits to be
 * written, and whether their last name has gone. */
#ifndef RAFTFS_CLIENT_MOUNT_FILES_H
#define RAFTFS_CLIENT_MOUNT_FILES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/mount/behind.h"

#define FILES_BUCKETS 1024u
#define FILES_NONE    UINT64_MAX /* no inode at all */

/* One open inode; all its handles share it. */
struct file {
	uint64_t ino;
	unsigned int opens; /* under files.lock, as is next */
	unsigned int users; /* looking at it without an open handle */
	struct file *next;
	pthread_mutex_t lock; /* the rest */
	struct behind behind;
	bool pinned; /* unlinked here while open */
};

/* A removal of a name on its way; the caller's, from begin to end. */
struct files_removal {
	uint64_t ino; /* 0: not known yet, so it may be any */
	struct files_removal *next;
};

struct files {
	pthread_mutex_t lock;
	struct file *bucket[FILES_BUCKETS];
	struct files_removal *removals; /* under lock */
	_Atomic int64_t removed_raw_ns; /* when one ended last; 0: never */
	_Atomic unsigned int count;
};

void files_init(struct files *files);

/* One more handle on ino. NULL: out of memory. */
struct file *files_open(struct files *files, uint64_t ino);

/* One handle less. After the last: what waits is written (its failure was
 * flush's to report), the pin is given back, the file is gone. */
void files_close(struct files *files, struct raftfs *fs, struct file *file);

/* If ino is open here, write what waits in it. *wrote: there was something.
 * An error is kept for the program's flush, and returned. */
enum rfs_err files_drain(struct files *files, struct raftfs *fs, uint64_t ino,
			 bool *wrote);

/* Before the last name of ino goes: if it is open here, keep it alive. */
RFS_MUST_USE enum rfs_err files_pin(struct files *files, struct raftfs *fs,
				    uint64_t ino);

/* A removal and an open that meet: whoever comes second keeps the inode alive.
 * The removal begins, then looks what is open and pins that; the open is in the
 * table, then asks whether its inode is being removed and pins it if so. */
void files_removal_begin(struct files *files, struct files_removal *removal);
void files_removal_of(struct files *files, struct files_removal *removal,
		      uint64_t ino);
void files_removal_end(struct files *files, struct files_removal *removal);
bool files_is_removed(struct files *files, uint64_t ino);

/* Has one ended so lately that the kernel may have looked a name up before it
 * and open the inode only now? */
bool files_removed_lately(const struct files *files);

/* Write everything that waits anywhere (the mount ends). */
void files_drain_all(struct files *files, struct raftfs *fs);

#endif
