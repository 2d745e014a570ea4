/* Who may do what: the permission bits, for local users who are not root.
 *
 * Root (the mount, which has the kernel check each caller) acts as anybody, and
 * so does the user that storaged runs as, who has its files anyway: without
 * root, a cluster is the property of who started it. Others act as themselves,
 * and the owner, group and other bits decide as on any POSIX file system. Files
 * are addressed by inode: search permission is checked on the directory named
 * in a request, not on those above it.
 */
#ifndef RAFTFS_STORAGED_ACCESS_H
#define RAFTFS_STORAGED_ACCESS_H

#include <stdint.h>

#include "common/err.h"
#include "proto/files.pb-c.h"
#include "storaged/core/command.h"
#include "storaged/core/kv.h"

#define ACCESS_GROUPS_MAX 64

struct access_who {
	uint32_t uid;
	uint32_t gid;
	uint32_t groups[ACCESS_GROUPS_MAX];
	uint32_t group_count;
};

/* The peer of a connected unix socket; uid 0 also for the user this process
 * runs as. DENIED: the kernel does not say. */
RFS_MUST_USE enum rfs_err access_identify(int fd, struct access_who *who);

/* May who do this, in this state? OK, ACCESS, PERM, DENIED (another's name or
 * session); what is not there is OK: the operation itself will say so. */
RFS_MUST_USE enum rfs_err
access_read(struct kv *kv, const struct access_who *who,
	    const DistributedFs__FileRequest *request);
RFS_MUST_USE enum rfs_err access_change(struct kv *kv,
					const struct access_who *who,
					const struct command *command);

/* The label of a session that who opens; access_change() reads it back. */
#define ACCESS_LABEL_BYTES 32
void access_label(const struct access_who *who, char label[ACCESS_LABEL_BYTES]);

#endif
