/* Fuzz target: any bytes as the hand-over a term's first entry carries. What
 * decodes must encode to the same bytes. libFuzzer's entry point. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "raftd/core/raft.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct raft_handover handover;
	uint8_t again[RAFT_HANDOVER_BYTES];

	if (raft_handover_decode(data, bytes, &handover) != RFS_ERR_OK)
		return 0;
	raft_handover_encode(&handover, again);
	if (bytes != sizeof(again) || memcmp(again, data, bytes) != 0)
		abort();
	return 0;
}
