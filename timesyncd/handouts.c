/* What the supervisor hands us: configuration, our page, raftd's page. */
#include <string.h>
#include <unistd.h>

#include "common/os/log.h"
#include "proto/handout.h"
#include "timesyncd/daemon.h"

static void log_finding(void *ctx, const char *text)
{
	(void)ctx;
	log_error("%s", text);
}

void daemon_settings(struct timesync_config *settings,
		     const struct config *config)
{
	const struct config_node *self = config_self(config);

	settings->self = self->id;
	settings->peer_count = 0;
	memset(settings->peer_gap_ns, 0, sizeof(settings->peer_gap_ns));
	for (uint32_t i = 0; i < config->node_count; i++)
		if (config->nodes[i].id != self->id)
			settings->peers[settings->peer_count++] =
				config->nodes[i].id;
	references_settings(settings, config);
	settings->sync_interval_ns = config->time_sync.sync_interval_ns;
	settings->min_peers = config->time_sync.min_peers;
	settings->max_peers = config->time_sync.max_peers;
	settings->timeout_ns = config->time_sync.timeout_ns;
	settings->drift_threshold = config->time_sync.drift_threshold;
	settings->adjustment_rate = config->time_sync.adjustment_rate;
	settings->history_size = config->time_sync.history_size;
	settings->burst = config->time_sync.burst;
	settings->max_rate_ppb =
		(uint32_t)(config->time_sync.max_rate_ppm * 1000);
	settings->max_slew_ppb =
		(uint32_t)(config->time_sync.max_slew_ppm * 1000);
	settings->max_correction_ns = config->time_sync.max_correction_ns;
	settings->target_bound_ns = config->time_sync.target_bound_ns;
	settings->void_after_ns = config->time_sync.void_after_ns;
	settings->max_rtt_ns = config->time_sync.max_rtt_ns;
}

/* Between two steps. Nodes that stay keep their history, new ones are asked,
 * and the clock goes on. */
static enum rfs_err reconfigure(struct daemon *daemon,
				const struct config *config)
{
	const char *blocker = config_reload_blocker(&daemon->config, config);
	const struct config_node *was = config_self(&daemon->config);
	const struct config_node *is = config_self(config);
	enum rfs_err err;

	if (blocker != NULL || was->id != is->id) {
		log_warn("%s changed: takes effect at the next start",
			 blocker != NULL ? blocker : "self");
		return RFS_ERR_OK;
	}
	if (strcmp(was->address, is->address) != 0 ||
	    was->time_port != is->time_port)
		log_warn("this node's address changed: still listening on %s "
			 "port %u until the next start",
			 was->address, was->time_port);
	err = peers_configure(daemon->peers, config, daemon->key);
	if (err != RFS_ERR_OK)
		return err;
	daemon->config = *config;
	daemon_settings(&daemon->settings, &daemon->config);
	memset(daemon->settings.peer_drift_ppb, 0,
	       sizeof(daemon->settings.peer_drift_ppb));
	timesync_configure(daemon->timesync, &daemon->settings);
	log_notice("configuration reloaded, %u other nodes",
		   daemon->config.node_count - 1);
	return RFS_ERR_OK;
}

static enum rfs_err take_config(struct daemon *daemon, int fd)
{
	const struct config_errors errors = { .line = log_finding };
	static struct config config;
	enum rfs_err err = config_load_fd(fd, "raftfs.conf", &errors, &config);

	if (err == RFS_ERR_OK && daemon->ready)
		err = reconfigure(daemon, &config);
	else if (err == RFS_ERR_OK)
		daemon->config = config;
	if (err != RFS_ERR_OK)
		return err;
	log_set_node(daemon->config.self);
	log_set_level(daemon->config.log_level);
	return RFS_ERR_OK;
}

static enum rfs_err take(struct daemon *daemon, const struct handout *handout,
			 int fd)
{
	switch ((enum handout_kind)handout->kind) {
	case HANDOUT_CONFIG:
		return take_config(daemon, fd);
	case HANDOUT_CLOCK_WRITER:
		return publish_init(&daemon->publish, fd, handout->generation,
				    daemon->config.run_dir);
	case HANDOUT_CONS_READER:
		return watch_page(&daemon->watch, fd);
	case HANDOUT_PATHS:
		paths_take(&daemon->paths, fd);
		break;
	case HANDOUT_CLOCK_READER:
	case HANDOUT_CONS_WRITER:
	case HANDOUT_LINK:
	case HANDOUT_START:
		break;
	}
	return RFS_ERR_OK;
}

enum rfs_err daemon_take_handout(struct daemon *daemon, bool *started)
{
	struct handout handout;
	int fd;
	enum rfs_err err = handout_receive(daemon->channel_fd, &handout, &fd);

	if (err != RFS_ERR_OK)
		return err;
	err = take(daemon, &handout, fd);
	if (err != RFS_ERR_OK)
		log_error("handout %u: %s", handout.kind, rfs_err_text(err));
	*started = handout.kind == HANDOUT_START;
	if (fd >= 0)
		close(fd);
	/* A page or configuration we cannot use is not the channel's end. */
	return err == RFS_ERR_CLOSED || err == RFS_ERR_BUSY ? RFS_ERR_IO : err;
}
