/* The files of a cluster on one machine: DIR/n1 .. DIR/nN, each with
 * raftfs.conf, node.key, data/, run/ and log. */
#ifndef RAFTFS_CLIENT_CLI_CLUSTER_FILES_H
#define RAFTFS_CLIENT_CLI_CLUSTER_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "common/os/config.h"

/* Ports a node takes: base + PER_NODE * index + 1, 2, 3. */
#define CLUSTER_FILES_PORTS_PER_NODE 10u

/* Make what is missing; keep what is there (a cluster found again keeps its
 * number of nodes). dir is absolute. Returns an exit code, faults said. */
RFS_MUST_USE int cluster_files_make(const char *dir, uint32_t nodes,
				    uint16_t base_port);

/* Load the configurations, in order n1, n2, ...; CLI_OK, or said. configs has
 * room for CONFIG_NODES_MAX. */
RFS_MUST_USE int cluster_files_load(const char *dir, struct config *configs,
				    size_t *count);

#endif
