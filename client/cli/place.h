/* Where something is to go in the cluster, and the directories on the way. */
#ifndef RAFTFS_CLIENT_CLI_PLACE_H
#define RAFTFS_CLIENT_CLI_PLACE_H

#include <stdint.h>

#include "client/cli/transfer.h"
#include "client/lib/raftfs.h"

/* As cp(1) decides: into `to` under from's own name if `to` is a directory,
 * else to `to` itself. "-" has no name of its own. */
RFS_MUST_USE enum rfs_err place_find(struct raftfs *fs, const char *from,
				     const char *to, uint64_t *parent,
				     char name[RAFTFS_NAME_MAX + 1]);

/* CLI_OK, or said. */
RFS_MUST_USE int place_must_be_dir(struct raftfs *fs, const char *path);

/* mkdir, or the directory that is there; NOTDIR if it is something else. */
RFS_MUST_USE enum rfs_err place_make_dir(struct raftfs *fs, uint64_t parent,
					 const char *name,
					 const struct raftfs_new *as,
					 struct raftfs_attr *attr);

/* transfer.finish_dir of put and cp: set mode and times. */
void place_finish_dir(struct transfer *transfer,
		      const struct transfer_dir *dir);

/* put and cp, their only option being -r: sources, and where in the cluster
 * they go. Returns the exit code. */
struct place_verb {
	const char *name;
	const char *missing; /* said where operands are */
	/* Add the task of one source; what fails is said and counted. */
	void (*start)(struct transfer *transfer, const char *from,
		      const char *to);
	void (*one)(struct transfer *transfer, struct transfer_task *task);
	bool quiet_alone; /* no summary without -r */
};
int place_into(struct cli *cli, const struct place_verb *verb, int argc,
	       char **argv);

/* The last name of a path, without slashes at its end; false when it has none
 * ("/", ".", ".."). name is RAFTFS_NAME_MAX + 1 bytes. */
bool place_base_name(const char *path, char *name);

#endif
