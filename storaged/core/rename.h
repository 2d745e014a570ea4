/* Rename: move a name, replace another, or exchange two. */
#ifndef RAFTFS_STORAGED_CORE_RENAME_H
#define RAFTFS_STORAGED_CORE_RENAME_H

#include "storaged/core/apply.h"

/* COMMAND_RENAME. NOENT; NOTDIR; EXIST: NOREPLACE; INVALID: a directory into
 * itself or below; ISDIR, NOTDIR: one is a directory and the other is not;
 * NOTEMPTY: would replace a directory that has names. Two names of one inode:
 * OK, nothing done. */
enum rfs_err rename_apply(struct apply *a);

#endif
