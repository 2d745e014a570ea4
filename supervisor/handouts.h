/* Who is handed what, when: the pages, the link and the configuration. */
#ifndef RAFTFS_SUPERVISOR_HANDOUTS_H
#define RAFTFS_SUPERVISOR_HANDOUTS_H

#include "supervisor/supervisor.h"

/* To a child just started: make new what its start makes new, hand it its
 * first batch, ending in HANDOUT_START, then the siblings their share of what
 * is new. IO (logged): a page could not be made; the child should not go on. */
RFS_MUST_USE enum rfs_err handouts_start(struct supervisor *supervisor,
					 enum order_child which);

/* TCP's round trips, to timesyncd, once the probes count. */
void handouts_paths(struct supervisor *supervisor);

/* The configuration again, to all who run. */
void handouts_config(struct supervisor *supervisor);

/* Put the effective configuration into a new sealed memfd. -1: logged. */
int handouts_make_config(const struct config *config);

#endif
