/* The life of the daemon: open everything, run, close everything. */
#ifndef RAFTFS_STORAGED_LOOP_H
#define RAFTFS_STORAGED_LOOP_H

#include "storaged/handouts.h"
#include "storaged/storaged.h"

/* Configuration, pages and channel were handed out; s->key is loaded. Returns
 * the exit code: 0 after an orderly stop. */
int loop_run(struct storaged *s, struct handouts *handouts);

/* The parts that need no supervisor, for loop_run() and for tests: everything
 * of s but configuration, key and pages. Errors are logged. */
RFS_MUST_USE enum rfs_err loop_open(struct storaged *s);
void loop_close(struct storaged *s, bool clean);

#endif
