/* Each probe is one function that loads, fills, attaches and pins it; the list
 * of them is at the end. */
#include "bpf/loader.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bpf/path_rtt.h"
#include "bpf/pins.h"
#include "bpf/rtt_sync.h"
#include "bpf/rtt_sync.skel.h"
#include "bpf/rtt_tcp.h"
#include "bpf/rtt_tcp.skel.h"
#include "common/os/log.h"

_Static_assert(2 * CONFIG_NODES_MAX <= PATH_RTT_ROWS, "rows for all");
_Static_assert(PROBE_NAME_BYTES == CONFIG_NAME_MAX, "names fit");

/* libbpf explains at length; its last line before a failure says why. */
static char libbpf_said[256];

static int keep_last(enum libbpf_print_level level, const char *format,
		     va_list args)
{
	if (level == LIBBPF_WARN) {
		vsnprintf(libbpf_said, sizeof(libbpf_said), format, args);
		libbpf_said[strcspn(libbpf_said, "\n")] = '\0';
	}
	return 0;
}

static enum rfs_err off(const char *probe, const char *doing)
{
	int saved = errno;

	log_warn("probe %s is off: cannot %s: %s%s%s", probe, doing,
		 strerror(saved), *libbpf_said ? "; " : "", libbpf_said);
	libbpf_said[0] = '\0';
	return rfs_err_from_errno(saved);
}

static struct peer_key peer_key(enum probe_daemon daemon, const char *name)
{
	struct peer_key key = { .daemon = daemon };

	memcpy(key.peer, name, strnlen(name, sizeof(key.peer) - 1));
	return key;
}

static bool endpoint_key(const char *address, uint16_t port,
			 struct endpoint_key *key)
{
	memset(key, 0, sizeof(*key));
	key->port = port;
	if (inet_pton(AF_INET, address, key->address + 12) == 1) {
		key->address[10] = key->address[11] = 0xff;
		return true;
	}
	return inet_pton(AF_INET6, address, key->address) == 1;
}

/* The rows a reader will see exist from the start, all zero. */
static int add_tcp_peer(struct rtt_tcp_bpf *skel, enum probe_daemon daemon,
			const struct config_node *node, uint16_t port,
			uint32_t row)
{
	const struct rtt_stats zero = { 0 };
	const struct path_rtt path = { .node = node->id };
	const struct endpoint whose = { .peer = peer_key(daemon, node->name),
					.path_row = row };
	struct endpoint_key where;
	int error;

	if (!endpoint_key(node->address, port, &where))
		return -EINVAL;
	error = bpf_map__update_elem(skel->maps.rtt_tcp, &whose.peer,
				     sizeof(whose.peer), &zero, sizeof(zero),
				     BPF_ANY);
	if (error == 0)
		error = bpf_map__update_elem(skel->maps.path_rtt, &row,
					     sizeof(row), &path, sizeof(path),
					     BPF_ANY);
	if (error == 0)
		error = bpf_map__update_elem(skel->maps.endpoints, &where,
					     sizeof(where), &whose,
					     sizeof(whose), BPF_ANY);
	return error;
}

static int fill_tcp_peers(struct rtt_tcp_bpf *skel, const struct config *config)
{
	uint32_t row = 0;
	int error = 0;

	for (uint32_t i = 0; i < config->node_count && error == 0; i++) {
		const struct config_node *node = &config->nodes[i];

		if (i == config->self_index)
			continue;
		error = add_tcp_peer(skel, DAEMON_RAFTD, node, node->raft_port,
				     row++);
		if (error == 0)
			error = add_tcp_peer(skel, DAEMON_STORAGED, node,
					     node->storage_port, row++);
	}
	return error;
}

/* Attach to one child's cgroup and pin the link under `pin`. */
static int attach(struct bpf_program *program, const char *cgroup,
		  const char *child, const char *node, const char *pin)
{
	char path[512];
	struct bpf_link *link;
	int fd, error;

	snprintf(path, sizeof(path), "%s/%s", cgroup, child);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	link = bpf_program__attach_cgroup(program, fd);
	error = link ? 0 : -errno;
	close(fd);
	if (error)
		return error;
	pins_path(node, pin, path, sizeof(path));
	error = bpf_link__pin(link, path);
	bpf_link__destroy(link); /* the pin keeps it */
	return error;
}

/* From now on only the program writes it, whoever holds a descriptor. */
static int freeze(struct bpf_map *map)
{
	return bpf_map_freeze(bpf_map__fd(map));
}

static int pin_map(struct bpf_map *map, const char *node)
{
	char path[512];

	pins_path(node, bpf_map__name(map), path, sizeof(path));
	return bpf_map__pin(map, path);
}

static enum rfs_err rtt_tcp_up(const struct config *config, const char *cgroup)
{
	const char *self = pins_node(cgroup);
	struct rtt_tcp_bpf *skel = rtt_tcp_bpf__open_and_load();
	enum rfs_err err = RFS_ERR_OK;

	if (!skel)
		return off("rtt_tcp", "load it");
	if (fill_tcp_peers(skel, config) != 0 ||
	    freeze(skel->maps.path_rtt) != 0)
		err = off("rtt_tcp", "tell it the peers");
	else if (attach(skel->progs.watch_rtt, cgroup, "raftd", self,
			"rtt_tcp_raftd") != 0 ||
		 attach(skel->progs.watch_rtt, cgroup, "storaged", self,
			"rtt_tcp_storaged") != 0)
		err = off("rtt_tcp", "attach it to the cgroups");
	else if (pin_map(skel->maps.rtt_tcp, self) != 0 ||
		 pin_map(skel->maps.path_rtt, self) != 0)
		err = off("rtt_tcp", "pin its maps");
	rtt_tcp_bpf__destroy(skel);
	return err;
}

static int fill_sync_peers(struct rtt_sync_bpf *skel,
			   const struct config *config)
{
	const struct sync_stats zero = { 0 };
	int error = 0;

	for (uint32_t i = 0; i < config->node_count && error == 0; i++) {
		const struct config_node *node = &config->nodes[i];
		struct peer_key row = peer_key(DAEMON_TIMESYNCD, node->name);

		if (i == config->self_index)
			continue;
		error = bpf_map__update_elem(skel->maps.rtt_sync, &row,
					     sizeof(row), &zero, sizeof(zero),
					     BPF_ANY);
		if (error == 0)
			error = bpf_map__update_elem(
				skel->maps.nodes, &node->id, sizeof(node->id),
				&row, sizeof(row), BPF_ANY);
	}
	return error;
}

static enum rfs_err rtt_sync_up(const struct config *config, const char *cgroup)
{
	const char *self = pins_node(cgroup);
	struct rtt_sync_bpf *skel = rtt_sync_bpf__open();
	enum rfs_err err = RFS_ERR_OK;

	if (!skel)
		return off("rtt_sync", "open it");
	skel->rodata->self_id = config_self(config)->id;
	if (rtt_sync_bpf__load(skel) != 0)
		err = off("rtt_sync", "load it");
	else if (fill_sync_peers(skel, config) != 0)
		err = off("rtt_sync", "tell it the peers");
	else if (attach(skel->progs.watch_out, cgroup, "timesyncd", self,
			"rtt_sync_out") != 0 ||
		 attach(skel->progs.watch_in, cgroup, "timesyncd", self,
			"rtt_sync_in") != 0)
		err = off("rtt_sync", "attach it to the cgroup");
	else if (pin_map(skel->maps.rtt_sync, self) != 0)
		err = off("rtt_sync", "pin its map");
	rtt_sync_bpf__destroy(skel);
	return err;
}

enum rfs_err loader_up(const struct config *config, const char *cgroup)
{
	static enum rfs_err (*const probes[])(const struct config *,
					      const char *) = {
		rtt_tcp_up,
		rtt_sync_up,
	};
	enum rfs_err result = pins_create(pins_node(cgroup));

	if (result != RFS_ERR_OK)
		return result;
	pins_sweep(cgroup);
	libbpf_set_print(keep_last);
	for (size_t i = 0; i < sizeof(probes) / sizeof(*probes); i++) {
		enum rfs_err err = probes[i](config, cgroup);

		if (err != RFS_ERR_OK)
			result = err;
	}
	return result;
}

void loader_down(const char *cgroup)
{
	pins_remove(pins_node(cgroup));
}
