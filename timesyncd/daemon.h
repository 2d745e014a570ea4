/* All that this process holds; one thread, one loop. Internal to timesyncd. */
#ifndef RAFTFS_TIMESYNCD_DAEMON_H
#define RAFTFS_TIMESYNCD_DAEMON_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/os/config.h"
#include "common/os/keys.h"
#include "proto/control_server.h"
#include "timesyncd/boundlog.h"
#include "timesyncd/complaints.h"
#include "timesyncd/core/carrier.h"
#include "timesyncd/core/timesync.h"
#include "timesyncd/history.h"
#include "timesyncd/ntpserve.h"
#include "timesyncd/paths.h"
#include "timesyncd/peers.h"
#include "timesyncd/publish.h"
#include "timesyncd/references.h"
#include "timesyncd/stamps.h"
#include "timesyncd/steer.h"
#include "timesyncd/watch.h"

struct daemon {
	struct ev_loop *loop;
	struct config config;
	const struct node_key *key; /* borrowed */
	struct timesync_config settings;
	struct timesync *timesync;
	struct peers *peers;
	struct references *references;
	struct ntpserve *ntpserve; /* NULL: off */
	struct publish publish;
	struct watch watch;
	struct paths paths; /* TCP's round trips, where the probes count */
	struct stamps last; /* cross-reading, by the second timer */
	struct control_server *control;
	struct history history; /* of what was published */
	char drift_path[CONFIG_PATH_MAX + 32];
	char epoch_path[CONFIG_PATH_MAX + 32];
	int64_t started_ns; /* raw */
	int64_t drift_saved_ns;
	enum timesync_quality quality; /* as last told the supervisor */
	bool ready;
	bool paths_told; /* that there are none */

	bool meshed; /* no raftd, no reference: carrier.h decides */
	struct carrier carrier;
	uint64_t epoch_saved; /* as in the epoch file */
	struct boundlog boundlog;
	struct complaints complaints;
	struct steer steer; /* of this host's clock */

	int channel_fd; /* -1: standalone */
	ev_io channel;
	ev_timer tick;	 /* the core's deadline */
	ev_timer look;	 /* at the consensus page */
	ev_timer second; /* disruptions, heartbeat, drift file */
	ev_check wake; /* has a signal asked to stop? */
};

/* settings of the core from a configuration; keeps precision_ns, seed, story
 * and remembered drifts as they are. */
void daemon_settings(struct timesync_config *settings,
		     const struct config *config);

/* Without a supervisor: read the configuration; publish as a file only, once it
 * is sure that no other timesyncd runs by this configuration (whose page it
 * would be): after the sockets are bound. Both log failures. */
RFS_MUST_USE enum rfs_err standalone_init(struct daemon *daemon,
					  const char *config_path);
RFS_MUST_USE enum rfs_err standalone_publish(struct daemon *daemon);

/* Run until SIGTERM or the channel ends; exit code of the process. The first
 * batch of handouts has been taken: config, publish, watch are set. */
int loop_run(struct daemon *daemon, const struct node_key *key);

/* Take one handout that came while running, or at start. CLOSED: the
 * supervisor is gone. *started: this was HANDOUT_START. */
RFS_MUST_USE enum rfs_err daemon_take_handout(struct daemon *daemon,
					      bool *started);

/* Answers CONTROL_STATUS and CONTROL_HISTORY; ctx is the daemon. */
enum rfs_err control_answer_status(void *ctx,
				   const DistributedFs__ControlRequest *request,
				   DistributedFs__ControlReply *reply);

#endif
