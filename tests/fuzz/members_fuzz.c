/* Fuzz target: any bytes as the membership that a peer shows, which makes
 * known whom to talk to. What is let in must be a node's description that
 * members.conf could hold. libFuzzer's entry point. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/os/keys.h"
#include "raftd/roster.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	keys_init();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct config config = {
		.node_count = 1,
		.nodes = {{.name = "n1", .id = 1}},
	};
	static struct roster roster;
	const struct raft_membership none = {0};
	const struct raft_view view = {0};

	roster_init(&roster, &config);
	if (!roster_show(&roster, 2, data, bytes))
		return 0;
	roster_update(&roster, &none, &view);
	for (uint32_t i = 0; i < roster.count; i++) {
		const struct config_node *node = &roster.nodes[i];

		if (node->id != 1 && config_node_fault(node) != NULL)
			abort();
		if (roster_find(&roster, node->id) != node)
			abort(); /* an id twice */
	}
	return 0;
}
