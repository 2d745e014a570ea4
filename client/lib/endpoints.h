/* From what a person names (sockets, a configuration, a cluster directory) to
 * the sockets of the nodes that can be reached on this host. */
#ifndef RAFTFS_CLIENT_LIB_ENDPOINTS_H
#define RAFTFS_CLIENT_LIB_ENDPOINTS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/os/config.h"

#define ENDPOINTS_PATH_MAX 108 /* what a unix socket address holds */

struct endpoints {
	char path[CONFIG_NODES_MAX][ENDPOINTS_PATH_MAX];
	size_t count; /* at least 1 */
};

/* As raftfs_open() takes it. NOENT, INVALID (a fault of the text or of a
 * configuration), RANGE (a socket path longer than the system allows); reason
 * gets a sentence. */
RFS_MUST_USE enum rfs_err endpoints_find(const char *where,
					 struct endpoints *endpoints,
					 char *reason, size_t reason_bytes);

/* The node directories of a cluster directory: those of n1, n2, ... that hold
 * a raftfs.conf, loaded, in that order. Returns how many (0: not a cluster
 * directory); faults go to errors. configs has room for CONFIG_NODES_MAX. */
size_t endpoints_cluster_configs(const char *dir,
				 const struct config_errors *errors,
				 struct config *configs);

#endif
