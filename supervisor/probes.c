/* The probe loader: a program of its own, so that no daemon keeps the right
 * to load BPF. */
#include "supervisor/probes.h"

#include <linux/bpf.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bpf/path_rtt.h"
#include "bpf/pins.h"
#include "common/os/log.h"
#include "supervisor/handouts.h"
#include "supervisor/spawn.h"

#define LOADER "raftfs-bpf"

static void off(struct supervisor *supervisor, const char *why)
{
	snprintf(supervisor->probes_warning, sizeof(supervisor->probes_warning),
		 "probes are off: %s", why);
	log_warn("%s", supervisor->probes_warning);
}

/* The loader has exited, or no longer matters. */
static void forget(struct supervisor *supervisor)
{
	ev_io_stop(supervisor->loop, &supervisor->probes_exited);
	close(supervisor->probes_pidfd);
	supervisor->probes_pid = 0;
}

/* A reader of what the probes count needs no right but the descriptor, and the
 * loader has frozen the map: nobody writes it but the probe. Without the map it
 * does without: the loader's own line says why. */
static void take_paths(struct supervisor *supervisor)
{
	char path[512];
	union bpf_attr attr = { .pathname = (uintptr_t)path };

	pins_path(pins_node(supervisor->cgroups.path), PATH_RTT_MAP, path,
		  sizeof(path));
	supervisor->paths_fd =
		(int)syscall(SYS_bpf, BPF_OBJ_GET, &attr, sizeof(attr));
	handouts_paths(supervisor);
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
	forget(supervisor);
	take_paths(supervisor);
	if (info.si_code != CLD_EXITED || info.si_status != 0)
		off(supervisor, LOADER " refused; its own line says why");
}

/* Both jobs of the loader; the process is in supervisor->probes_*. */
static enum rfs_err run_loader(struct supervisor *supervisor,
			       const char *const argv[])
{
	char path[600];
	const struct spawn spawn = {
		.path = path,
		.argv = argv,
		.user = "",
		.channel_fd = -1,
		.cgroup_fd = -1,
	};

	if (spawn_find(LOADER, path, sizeof(path)) != RFS_ERR_OK) {
		off(supervisor, LOADER " is not installed");
		return RFS_ERR_NOENT;
	}
	if (spawn_child(&spawn, &supervisor->probes_pid,
			&supervisor->probes_pidfd) != RFS_ERR_OK) {
		supervisor->probes_pid = 0;
		off(supervisor, LOADER " cannot be started");
		return RFS_ERR_IO;
	}
	return RFS_ERR_OK;
}

void probes_start(struct supervisor *supervisor)
{
	const char *const argv[] = { LOADER,
				     "-c",
				     supervisor->config.path,
				     "-g",
				     supervisor->cgroups.path,
				     NULL };

	if (!supervisor->config.supervisor.bpf)
		return;
	if (supervisor->cgroups.path[0] == '\0') {
		off(supervisor, "no cgroups to attach to");
		return;
	}
	if (run_loader(supervisor, argv) != RFS_ERR_OK)
		return;
	supervisor->probes_asked = true;
	ev_io_init(&supervisor->probes_exited, on_exit_of_loader,
		   supervisor->probes_pidfd, EV_READ);
	supervisor->probes_exited.data = supervisor;
	ev_io_start(supervisor->loop, &supervisor->probes_exited);
}

/* Wait for the loader; kill it when it takes too long. */
static void finish(struct supervisor *supervisor)
{
	struct pollfd done = { .fd = supervisor->probes_pidfd,
			       .events = POLLIN };

	if (poll(&done, 1, PROBES_UNLOAD_MS) != 1)
		pidfd_send_signal(supervisor->probes_pidfd, SIGKILL, NULL, 0);
	waitpid(supervisor->probes_pid, NULL, 0);
	forget(supervisor);
}

void probes_stop(struct supervisor *supervisor)
{
	const char *const argv[] = { LOADER, "-g", supervisor->cgroups.path,
				     "-u", NULL };

	if (supervisor->probes_pid != 0)
		finish(supervisor); /* still loading: let it, then unload */
	if (supervisor->probes_asked &&
	    run_loader(supervisor, argv) == RFS_ERR_OK)
		finish(supervisor);
	supervisor->probes_asked = false;
}
