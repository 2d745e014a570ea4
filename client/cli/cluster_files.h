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

/* Make key and configuration of one more node, nK, that joins: its name, key
 * and ports are filled in, `node` has its id. K: the first that is free, or the
 * one that `name` says. members: whom it may ask. Faults said. */
RFS_MUST_USE int cluster_files_add(const char *dir, const char *name,
				   const struct config *any,
				   const struct config_node *members,
				   uint32_t member_count,
				   struct config_node *node);

/* Take a node's directory out of the way; its data is kept, as
 * NAME.removed-ID. */
RFS_MUST_USE int cluster_files_remove(const char *dir,
				      const struct config_node *node);

/* Load the configurations, in order n1, n2, ...; CLI_OK, or said. configs has
 * room for CONFIG_NODES_MAX. */
RFS_MUST_USE int cluster_files_load(const char *dir, struct config *configs,
				    size_t *count);

#endif
