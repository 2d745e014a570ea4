/* The bytes of a file: what the state maps, from this disk, or from a peer
 * where this disk lacks them. Everything is verified as it is read. */
#ifndef RAFTFS_STORAGED_READFILE_H
#define RAFTFS_STORAGED_READFILE_H

#include <stdint.h>

#include "common/err.h"
#include "storaged/storaged.h"

#define READFILE_MAX_BYTES (1024u * 1024u)

/* OK: data is borrowed for the call; bytes is less than asked only at the end
 * of the file. IO: no sound copy of a part could be had. */
typedef void readfile_done(void *ctx, enum rfs_err err, const uint8_t *data,
			   uint32_t bytes);

/* From the state as it is now; the gate was passed before. length is cut to
 * READFILE_MAX_BYTES. done may be called from inside. */
void readfile_start(struct storaged *s, uint64_t ino, uint64_t offset,
		    uint64_t length, readfile_done *done, void *ctx);

#endif
