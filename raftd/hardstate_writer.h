/* The hard state's writer thread: term and vote made durable beside the loop.
 *
 * A thread of its own, for a vote waits neither for the log nor for a chore.
 */
#ifndef RAFTFS_RAFTD_HARDSTATE_WRITER_H
#define RAFTFS_RAFTD_HARDSTATE_WRITER_H

#include <ev.h>

#include "raftd/hardstate.h"

struct hardstate_writer;

/* Called on the loop: what was begun is durable. */
typedef void hardstate_written(void *ctx);

/* file is borrowed for its life. NULL: no thread or memory (logged). */
struct hardstate_writer *hardstate_writer_new(struct ev_loop *ev,
					      struct hardstate_file *file,
					      hardstate_written *written,
					      void *ctx);

/* Copied. One at a time: not before written(). A write that fails ends the
 * process: what is on the disk is unknown then. */
void hardstate_writer_begin(struct hardstate_writer *writer,
			    const struct hardstate *state);

/* Finishes what was begun; written() is not called. writer may be NULL. */
void hardstate_writer_free(struct hardstate_writer *writer);

#endif
