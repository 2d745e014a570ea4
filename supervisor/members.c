/* members.conf: read at start and whenever raftd says that it is new. */
#include "supervisor/members.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/os/log.h"

static void log_fault(void *ctx, const char *text)
{
	(void)ctx;
	log_error("%s", text);
}

static void warn_if_removed(struct supervisor *supervisor)
{
	char *warning = supervisor->members_warning;

	warning[0] = '\0';
	if (supervisor->standing != CONFIG_STANDING_REMOVED)
		return;
	snprintf(warning, sizeof(supervisor->members_warning),
		 "this node was removed from the cluster; its data is kept in "
		 "%.64s",
		 supervisor->config.data_dir);
	log_warn("%s", warning);
}

void members_overlay(struct supervisor *supervisor, struct config *config)
{
	const struct config_errors errors = { log_fault, NULL };
	enum config_standing standing = CONFIG_STANDING_NONE;

	if (config_overlay(config, &errors, &standing) != RFS_ERR_OK)
		log_warn("%s/" CONFIG_MEMBERS_FILE " is not used",
			 config->data_dir);
	if (standing == supervisor->standing)
		return;
	supervisor->standing = standing;
	warn_if_removed(supervisor);
}

void members_changed(struct supervisor *supervisor, uint64_t index)
{
	static struct config fresh;

	if (supervisor->members_index == index)
		return;
	fresh = supervisor->config;
	members_overlay(supervisor, &fresh);
	if (memcmp(fresh.nodes_digest, supervisor->config.nodes_digest,
		   sizeof(fresh.nodes_digest)) == 0) {
		supervisor->members_index = index;
		return;
	}
	if (supervisor_install(supervisor, &fresh) != RFS_ERR_OK)
		return; /* told; raftd says it again */
	supervisor->members_index = index;
	log_notice("members as of log entry %" PRIu64 ": %u nodes", index,
		   fresh.node_count);
}

bool members_may_reload(const struct supervisor *supervisor,
			const struct config *fresh)
{
	const struct config *config = &supervisor->config;

	if (supervisor->standing != CONFIG_STANDING_NONE || fresh->join ||
	    memcmp(config->nodes_digest, fresh->nodes_digest,
		   sizeof(fresh->nodes_digest)) == 0)
		return true;
	log_error("%s: node: members of a cluster that was started come and "
		  "go by \"raftfs members\" alone",
		  fresh->path);
	return false;
}
