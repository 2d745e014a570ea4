/* The probe loader: a program of its own, so that no daemon keeps the right
 * to load BPF. */
#include "supervisor/probes.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/os/log.h"
#include "supervisor/spawn.h"

#define LOADER "raftfs-bpf"

static void off(struct supervisor *supervisor, const char *why)
{
	snprintf(supervisor->probes_warning, sizeof(supervisor->probes_warning),
		 "probes are off: %s", why);
	log_warn("%s", supervisor->probes_warning);
}

static void on_exit_of_loader(struct ev_loop *loop, ev_io *watcher, int events)
{
	struct supervisor *supervisor = watcher->data;
	siginfo_t info = { 0 };

	(void)loop;
	(void)events;
	if (waitid(P_PIDFD, (id_t)supervisor->probes_pidfd, &info,
		   WEXITED | WNOHANG) != 0 ||
	    info.si_pid == 0)
		return;
	probes_fini(supervisor);
	if (info.si_code != CLD_EXITED || info.si_status != 0)
		off(supervisor, LOADER " refused; its own line says why");
}

void probes_fini(struct supervisor *supervisor)
{
	if (supervisor->probes_pid == 0)
		return;
	ev_io_stop(supervisor->loop, &supervisor->probes_exited);
	close(supervisor->probes_pidfd);
	supervisor->probes_pid = 0;
}

void probes_start(struct supervisor *supervisor)
{
	char path[600];
	const char *const argv[] = { LOADER,
				     "-c",
				     supervisor->config.path,
				     "-g",
				     supervisor->cgroups.path,
				     NULL };
	const struct spawn spawn = {
		.path = path,
		.argv = argv,
		.user = "",
		.channel_fd = -1,
		.cgroup_fd = -1,
	};

	if (!supervisor->config.supervisor.bpf)
		return;
	if (supervisor->cgroups.path[0] == '\0') {
		off(supervisor, "no cgroups to attach to");
		return;
	}
	if (spawn_find(LOADER, path, sizeof(path)) != RFS_ERR_OK) {
		off(supervisor, LOADER " is not installed");
		return;
	}
	if (spawn_child(&spawn, &supervisor->probes_pid,
			&supervisor->probes_pidfd) != RFS_ERR_OK) {
		supervisor->probes_pid = 0;
		off(supervisor, LOADER " cannot be started");
		return;
	}
	ev_io_init(&supervisor->probes_exited, on_exit_of_loader,
		   supervisor->probes_pidfd, EV_READ);
	supervisor->probes_exited.data = supervisor;
	ev_io_start(supervisor->loop, &supervisor->probes_exited);
}
