/* The state of nodes as one hash each.
 *
 *	digest RUN_DIR...
 *		Prints for each node its applied index and the SHA-256 of its
 *		whole state. Exit 0 only if all were told and are equal.
 *
 * Two nodes are compared at one index: with changes under way, ask again.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "client/lib/control.h"
#include "common/os/log.h"
#include "common/units.h"
#include "proto/sockets.h"

#define LIMIT_NS     (10 * NS_PER_SEC)
#define DIGEST_BYTES 32

struct told {
	uint64_t index;
	uint8_t digest[DIGEST_BYTES];
};

static bool ask(const char *run_dir, struct told *told)
{
	DistributedFs__ControlRequest request =
		DISTRIBUTED_FS__CONTROL_REQUEST__INIT;
	DistributedFs__ControlReply *reply = NULL;
	bool good;

	request.kind = DISTRIBUTED_FS__CONTROL_KIND__CONTROL_DIGEST;
	good = control_ask(run_dir, SOCKETS_STORAGED, &request, LIMIT_NS,
			   &reply) == RFS_ERR_OK &&
	       reply->storage && reply->storage->digest.len == DIGEST_BYTES;
	if (good) {
		told->index = reply->storage->applied_index;
		memcpy(told->digest, reply->storage->digest.data, DIGEST_BYTES);
	}
	if (reply)
		distributed_fs__control_reply__free_unpacked(reply, NULL);
	return good;
}

int main(int argc, char **argv)
{
	struct told first = { 0 };
	bool equal = argc > 1;

	log_init("digest", NULL);
	for (int i = 1; i < argc; i++) {
		struct told told = { 0 };

		if (!ask(argv[i], &told)) {
			printf("%s: no answer\n", argv[i]);
			equal = false;
			continue;
		}
		printf("%s: at %" PRIu64 " ", argv[i], told.index);
		for (size_t k = 0; k < DIGEST_BYTES; k++)
			printf("%02x", told.digest[k]);
		printf("\n");
		if (i == 1)
			first = told;
		equal = equal && told.index == first.index &&
			memcmp(told.digest, first.digest, DIGEST_BYTES) == 0;
	}
	return !equal;
}
