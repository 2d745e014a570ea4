/* Large content on its way to a majority of disks, before the log hears of it.
 *
 * Cut at the windows of the file, under ids of this node's grant, stored here
 * and by every peer in parallel. Each node answers with the hash it computed;
 * done when every piece is durable with one hash on a majority (SAFETY.md F1).
 */
#ifndef RAFTFS_STORAGED_UPLOAD_H
#define RAFTFS_STORAGED_UPLOAD_H

#include <stddef.h>
#include <stdint.h>

#include "storaged/core/command.h"
#include "storaged/storaged.h"

#define UPLOAD_PIECES_MAX	17u /* COMMAND_CHUNK_MAX_BYTES, unaligned */
#define UPLOAD_WINDOW_MIN_BYTES (64u * 1024u)

/* OK: pieces are what the command may name. NOSPC, NO_QUORUM: nothing was or
 * will be proposed. */
typedef void upload_done(void *ctx, enum rfs_err err,
			 const struct command_piece *pieces, uint32_t count);

/* offset is where in the file the data goes; data is copied. bytes from 1 to
 * COMMAND_CHUNK_MAX_BYTES. done is never called from inside. */
void upload_start(struct storaged *s, uint64_t offset, const void *data,
		  size_t bytes, upload_done *done, void *ctx);

#endif
