/* Inodes without a name: kept while a session holds them open, else gone.
 *
 * A pin is one (session, inode) pair, with how often it was opened.
 */
#ifndef RAFTFS_STORAGED_CORE_ORPHANS_H
#define RAFTFS_STORAGED_CORE_ORPHANS_H

#include "storaged/core/apply.h"

/* The inode lost its last name (nlink is 0): keep it for whoever has it open,
 * or take it apart. Saves it, or erases it. */
void orphans_drop(struct apply *a, struct inode *inode);

/* COMMAND_OPEN; and what CREATE with COMMAND_PIN adds to its own.
 * NOENT: no such inode. */
enum rfs_err orphans_open(struct apply *a);
void orphans_pin(struct apply *a, struct inode *inode);

/* COMMAND_RELEASE. NOENT: this session does not hold it. */
enum rfs_err orphans_release(struct apply *a);

/* The session ends: let go of everything it holds. */
void orphans_end_session(struct apply *a, uint64_t session);

#endif
