/* The two shared pages as raftd uses them: it reads the clock's and writes the
 * consensus page. */
#ifndef RAFTFS_RAFTD_PAGES_H
#define RAFTFS_RAFTD_PAGES_H

#include "common/err.h"
#include "raftd/core/raft.h"

struct pages;

/* NULL: out of memory. */
struct pages *pages_new(uint32_t node, uint64_t incarnation);

/* Map what was handed out in place of what was mapped; fd is borrowed. Errors
 * were logged; the clock counts as absent then. */
void pages_set_clock(struct pages *pages, int fd);
RFS_MUST_USE enum rfs_err pages_set_consensus(struct pages *pages, int fd);

/* What time it is, for the raft. */
void pages_now(struct pages *pages, struct raft_now *now);

/* If the page claims a lease this view has not, take that back at once. */
void pages_withdraw(struct pages *pages, const struct raft_view *view);
/* Write the page when it says anything else than this view. */
void pages_publish(struct pages *pages, const struct raft_view *view);
/* This raftd stops: no lease, no leader. */
void pages_retire(struct pages *pages);

/* pages may be NULL. */
void pages_free(struct pages *pages);

#endif
