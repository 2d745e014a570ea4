/* clock wait: for scripts, until time can be relied on. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/cli/clock.h"
#include "common/os/clock.h"
#include "common/units.h"
#include "proto/sockets.h"

#define GAP_NS (100 * NS_PER_MS)

/* Ready, or what is missing. */
static bool is_ready(const struct ask_node *node,
		     const struct clock_options *options, bool *answers,
		     char *missing, size_t bytes)
{
	DistributedFs__ControlRequest request =
		DISTRIBUTED_FS__CONTROL_REQUEST__INIT;
	DistributedFs__ControlReply *reply = NULL;
	const DistributedFs__TimesyncStatus *clock = NULL;
	char is[24], wanted[24];
	bool ready = false;

	if (ask(node->run_dir, SOCKETS_TIMESYNCD, &request, &reply) ==
	    RFS_ERR_OK)
		clock = reply->timesync;
	*answers |= clock != NULL;
	if (clock == NULL)
		snprintf(missing, bytes, "timesyncd does not answer");
	else if (strcmp(clock->quality, "SYNCED") != 0)
		snprintf(missing, bytes, "%s%s%s", clock->quality,
			 clock->why[0] != '\0' ? ": " : "", clock->why);
	else if (options->bound_ns > 0 && clock->bound_ns > options->bound_ns)
		snprintf(missing, bytes, "the bound is %s, not %s",
			 units_format_duration(clock->bound_ns, is, sizeof(is)),
			 units_format_duration(options->bound_ns, wanted,
					       sizeof(wanted)));
	else
		ready = true;
	ask_free(reply);
	return ready;
}

static int wait_for_all(const struct ask_nodes *nodes,
			const struct clock_options *options)
{
	const struct timespec gap = {.tv_nsec = GAP_NS};
	int64_t start_ns = clock_raw_ns();
	char missing[256] = "";
	bool answers = false;
	size_t next = 0;

	while (next < nodes->count) {
		if (is_ready(&nodes->node[next], options, &answers, missing,
			     sizeof(missing))) {
			next++;
			continue;
		}
		if (options->timeout_ns >= 0 &&
		    clock_raw_ns() - start_ns >= options->timeout_ns) {
			fprintf(stderr, "raftfs: clock wait: %s: %s\n",
				ask_name(&nodes->node[next]), missing);
			return answers ? CLI_FAILED : CLI_UNREACHABLE;
		}
		next = 0; /* all at once, not one after the other */
		nanosleep(&gap, NULL);
	}
	return CLI_OK;
}

int clock_wait(const struct cli *cli, struct ask_nodes *nodes,
	       const struct clock_options *options)
{
	int status = wait_for_all(nodes, options);

	if (cli->json) {
		(void)ask_all(nodes);
		clock_print_json(nodes);
		ask_nodes_free(nodes);
	}
	return status;
}
