/* Permission bits, sticky directories, ownership. */
#include "storaged/access.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "storaged/core/query.h"

#define MAY_READ  4u
#define MAY_WRITE 2u
#define MAY_ENTER 1u
#define STICKY	  01000u

enum rfs_err access_identify(int fd, struct access_who *who)
{
	struct ucred credentials;
	socklen_t bytes = sizeof(credentials);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) != 0)
		return RFS_ERR_DENIED;
	/* Whoever runs the daemon has its files anyway: a cluster that was
	 * started without root belongs to that person. */
	who->uid = credentials.uid == geteuid() ? 0 : credentials.uid;
	who->gid = credentials.gid;
	who->group_count = 0;
	bytes = sizeof(who->groups);
	/* More groups than fit: the primary one has to do. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, who->groups, &bytes) == 0)
		who->group_count = bytes / sizeof(who->groups[0]);
	return RFS_ERR_OK;
}

static bool is_member(const struct access_who *who, uint32_t gid)
{
	if (who->gid == gid)
		return true;
	for (uint32_t i = 0; i < who->group_count; i++)
		if (who->groups[i] == gid)
			return true;
	return false;
}

static bool allows(const struct access_who *who, const struct inode *inode,
		   uint32_t wanted)
{
	uint32_t bits = inode->mode;

	if (inode->uid == who->uid)
		bits >>= 6;
	else if (is_member(who, inode->gid))
		bits >>= 3;
	return (bits & wanted) == wanted;
}

static enum rfs_err need(struct kv *kv, const struct access_who *who,
			 uint64_t ino, uint32_t wanted)
{
	struct inode inode;
	enum rfs_err err = query_getattr(kv, ino, &inode);

	if (err == RFS_ERR_NOENT)
		return RFS_ERR_OK;
	if (err != RFS_ERR_OK)
		return err;
	return allows(who, &inode, wanted) ? RFS_ERR_OK : RFS_ERR_ACCESS;
}

enum rfs_err access_read(struct kv *kv, const struct access_who *who,
			 const DistributedFs__FileRequest *request)
{
	if (who->uid == 0)
		return RFS_ERR_OK;
	switch (request->op) {
	case DISTRIBUTED_FS__FILE_OP__OP_LOOKUP:
		return need(kv, who, request->ino, MAY_ENTER);
	case DISTRIBUTED_FS__FILE_OP__OP_READDIR:
	case DISTRIBUTED_FS__FILE_OP__OP_READ:
	case DISTRIBUTED_FS__FILE_OP__OP_GETXATTR:
		return need(kv, who, request->ino, MAY_READ);
	default:
		return RFS_ERR_OK;
	}
}

/* In a sticky directory only the owner of the name, or of the directory, may
 * take the name away. */
static enum rfs_err may_remove(struct kv *kv, const struct access_who *who,
			       uint64_t parent, struct bytes name)
{
	struct inode dir;
	struct inode victim;

	if (query_getattr(kv, parent, &dir) != RFS_ERR_OK)
		return RFS_ERR_OK;
	if (!allows(who, &dir, MAY_WRITE | MAY_ENTER))
		return RFS_ERR_ACCESS;
	if (!(dir.mode & STICKY) || dir.uid == who->uid ||
	    query_lookup(kv, parent, name, &victim) != RFS_ERR_OK ||
	    victim.uid == who->uid)
		return RFS_ERR_OK;
	return RFS_ERR_PERM;
}

static enum rfs_err may_make(struct kv *kv, const struct access_who *who,
			     const struct command *command)
{
	uint32_t type = command->mode & INODE_TYPE_MASK;

	if (command->uid != who->uid || !is_member(who, command->gid))
		return RFS_ERR_DENIED;
	if (command->op == COMMAND_MKNOD &&
	    (type == INODE_TYPE_BLOCK || type == INODE_TYPE_CHAR))
		return RFS_ERR_PERM;
	return need(kv, who, command->ino, MAY_WRITE | MAY_ENTER);
}

/* Content is replaced where the file is there, else a name is made. */
static enum rfs_err may_put(struct kv *kv, const struct access_who *who,
			    const struct command *command)
{
	struct inode found;
	enum rfs_err err =
		query_lookup(kv, command->ino, command->name, &found);

	if (err != RFS_ERR_OK)
		return may_make(kv, who, command);
	err = need(kv, who, command->ino, MAY_ENTER);
	if (err == RFS_ERR_OK && !allows(who, &found, MAY_WRITE))
		err = RFS_ERR_ACCESS;
	if (err == RFS_ERR_OK && command->set_mask && found.uid != who->uid)
		err = RFS_ERR_PERM;
	return err;
}

static enum rfs_err may_rename(struct kv *kv, const struct access_who *who,
			       const struct command *command)
{
	struct inode moved;
	enum rfs_err err = may_remove(kv, who, command->ino, command->name);

	if (err == RFS_ERR_OK)
		err = may_remove(kv, who, command->target,
				 command->target_name);
	if (err != RFS_ERR_OK || command->ino == command->target)
		return err;
	/* A directory that moves has its ".." rewritten. */
	if (query_lookup(kv, command->ino, command->name, &moved) ==
		    RFS_ERR_OK &&
	    inode_is(&moved, INODE_TYPE_DIR) &&
	    !allows(who, &moved, MAY_WRITE))
		return RFS_ERR_ACCESS;
	return RFS_ERR_OK;
}

static enum rfs_err may_setattr(struct kv *kv, const struct access_who *who,
				const struct command *command)
{
	const uint32_t owners = COMMAND_SET_MODE | COMMAND_SET_GID |
				COMMAND_SET_ATIME | COMMAND_SET_MTIME;
	struct inode inode;

	if (query_getattr(kv, command->ino, &inode) != RFS_ERR_OK)
		return RFS_ERR_OK;
	bool owner = inode.uid == who->uid;
	uint32_t mask = command->set_mask;

	if ((mask & owners) && !owner)
		return RFS_ERR_PERM;
	if ((mask & COMMAND_SET_UID) && command->uid != inode.uid)
		return RFS_ERR_PERM;
	if ((mask & COMMAND_SET_GID) && command->gid != inode.gid &&
	    !is_member(who, command->gid))
		return RFS_ERR_PERM;
	if ((mask & COMMAND_SET_MODE) && (command->mode & INODE_SETGID) &&
	    !is_member(who, inode.gid))
		return RFS_ERR_PERM;
	if ((mask & COMMAND_SET_SIZE) && !allows(who, &inode, MAY_WRITE))
		return RFS_ERR_ACCESS;
	if ((mask & (COMMAND_SET_ATIME_NOW | COMMAND_SET_MTIME_NOW)) &&
	    !owner && !allows(who, &inode, MAY_WRITE))
		return RFS_ERR_ACCESS;
	return RFS_ERR_OK;
}

static bool starts_with(struct bytes name, const char *prefix)
{
	size_t bytes = strlen(prefix);

	return name.bytes >= bytes && memcmp(name.data, prefix, bytes) == 0;
}

static enum rfs_err may_set_xattr(struct kv *kv, const struct access_who *who,
				  const struct command *command)
{
	struct inode inode;

	if (query_getattr(kv, command->ino, &inode) != RFS_ERR_OK)
		return RFS_ERR_OK;
	if (starts_with(command->name, "trusted.") ||
	    starts_with(command->name, "security."))
		return RFS_ERR_PERM;
	if (starts_with(command->name, "system."))
		return inode.uid == who->uid ? RFS_ERR_OK : RFS_ERR_PERM;
	return allows(who, &inode, MAY_WRITE) ? RFS_ERR_OK : RFS_ERR_ACCESS;
}

static enum rfs_err may_open(struct kv *kv, const struct access_who *who,
			     uint64_t ino)
{
	enum rfs_err err = need(kv, who, ino, MAY_READ);

	return err == RFS_ERR_ACCESS ? need(kv, who, ino, MAY_WRITE) : err;
}

static enum rfs_err by_op(struct kv *kv, const struct access_who *who,
			  const struct command *command)
{
	switch (command->op) {
	case COMMAND_CREATE:
	case COMMAND_MKDIR:
	case COMMAND_MKNOD:
	case COMMAND_SYMLINK:
		return may_make(kv, who, command);
	case COMMAND_LINK:
		return need(kv, who, command->ino, MAY_WRITE | MAY_ENTER);
	case COMMAND_PUT:
		return may_put(kv, who, command);
	case COMMAND_UNLINK:
	case COMMAND_RMDIR:
		return may_remove(kv, who, command->ino, command->name);
	case COMMAND_RENAME:
		return may_rename(kv, who, command);
	case COMMAND_SETATTR:
		return may_setattr(kv, who, command);
	case COMMAND_WRITE:
	case COMMAND_FALLOCATE:
		return need(kv, who, command->ino, MAY_WRITE);
	case COMMAND_SETXATTR:
	case COMMAND_REMOVEXATTR:
		return may_set_xattr(kv, who, command);
	case COMMAND_OPEN:
		return may_open(kv, who, command->ino);
	default:
		return RFS_ERR_OK;
	}
}

void access_label(const struct access_who *who, char label[ACCESS_LABEL_BYTES])
{
	snprintf(label, ACCESS_LABEL_BYTES, "uid %" PRIu32, who->uid);
}

static enum rfs_err owns_session(struct kv *kv, const struct access_who *who,
				 uint64_t session)
{
	struct query_session found;
	char label[ACCESS_LABEL_BYTES];
	enum rfs_err err = query_session(kv, session, &found);

	if (err != RFS_ERR_OK)
		return err;
	access_label(who, label);
	if (found.label.bytes != strlen(label) ||
	    memcmp(found.label.data, label, found.label.bytes) != 0)
		return RFS_ERR_DENIED;
	return RFS_ERR_OK;
}

enum rfs_err access_change(struct kv *kv, const struct access_who *who,
			   const struct command *command)
{
	enum rfs_err err = RFS_ERR_OK;

	if (who->uid == 0)
		return RFS_ERR_OK;
	if (command->op != COMMAND_OPEN_SESSION)
		err = owns_session(kv, who, command->session);
	return err == RFS_ERR_OK ? by_op(kv, who, command) : err;
}
