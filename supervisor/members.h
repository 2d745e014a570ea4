/* The members as raftd has written them, laid over the node sections of
 * raftfs.conf. */
#ifndef RAFTFS_SUPERVISOR_MEMBERS_H
#define RAFTFS_SUPERVISOR_MEMBERS_H

#include <stdint.h>

#include "supervisor/supervisor.h"

/* Lay members.conf over config and note what it says of this node. A file that
 * cannot be used is told and left alone: raftd goes by its log, and writes a
 * new one. */
void members_overlay(struct supervisor *supervisor, struct config *config);

/* raftd wrote members.conf as of this log entry. Children are handed what
 * follows from it, unless it is no news. */
void members_changed(struct supervisor *supervisor, uint64_t index);

/* A reload may not change whom a cluster starts with, once it was started:
 * false, told. Who joins may be told of others to ask. */
bool members_may_reload(const struct supervisor *supervisor,
			const struct config *fresh);

#endif
