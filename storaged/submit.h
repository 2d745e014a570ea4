/* Commands on their way into the log, until this node has applied them.
 *
 * A command goes to this node's raftd while it leads, else to the leader's
 * storaged, and again whenever it may have been lost: the exactly-once table
 * of the state makes repeats harmless. The answer is what applying it here
 * came to, so whoever gets it reads its own write on this node.
 */
#ifndef RAFTFS_STORAGED_SUBMIT_H
#define RAFTFS_STORAGED_SUBMIT_H

#include <stddef.h>
#include <stdint.h>

#include "storaged/core/store.h"
#include "storaged/storaged.h"

struct submit;

struct submit *submit_new(struct storaged *s);
void submit_free(struct submit *submit); /* every answer is UNKNOWN */

/* OK: *result is the answer, errors of the command included. NO_QUORUM: it was
 * never handed to anybody, it did not and will not happen. UNKNOWN: it may. */
typedef void submit_done(void *ctx, enum rfs_err err,
			 const struct store_result *result);

/* command is encoded here, so it and what it views are only borrowed. Not
 * valid by command_check(): a bug of the caller. done is never called from
 * inside. */
void submit_command(struct submit *submit, const struct command *command,
		    submit_done *done, void *ctx);

/* As state_events.result and .applied. */
void submit_result(struct submit *submit, const struct store_result *result,
		   uint64_t index, uint64_t term);
void submit_applied(struct submit *submit, uint64_t index);

/* The state skipped entries: ask again for everything that waits. */
void submit_restart(struct submit *submit);

uint64_t submit_waiting(const struct submit *submit);

#endif
