/* mount, mkdir, unlink. */
#include "bpf/pins.h"

#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/os/log.h"

const char *pins_node(const char *cgroup)
{
	const char *slash = strrchr(cgroup, '/');

	return slash ? slash + 1 : cgroup;
}

void pins_path(const char *node, const char *name, char *path, size_t size)
{
	snprintf(path, size, PINS_ROOT "/%s%s%s", node, *name ? "/" : "", name);
}

static enum rfs_err mount_bpffs(void)
{
	struct statfs fs;

	if (statfs(PINS_BPFFS, &fs) == 0 && fs.f_type == BPF_FS_MAGIC)
		return RFS_ERR_OK;
	if (mount("bpf", PINS_BPFFS, "bpf", 0, "mode=0700") == 0)
		return RFS_ERR_OK;
	log_warn("probes: no BPF file system at " PINS_BPFFS
		 ", and it cannot be mounted");
	return RFS_ERR_NOTSUP;
}

enum rfs_err pins_create(const char *node)
{
	char path[256];
	enum rfs_err err = mount_bpffs();

	if (err != RFS_ERR_OK)
		return err;
	pins_remove(node);
	pins_path(node, "", path, sizeof(path));
	if ((mkdir(PINS_ROOT, 0700) != 0 && errno != EEXIST) ||
	    mkdir(path, 0700) != 0) {
		err = rfs_err_from_errno(errno);
		log_errno("probes: make %s", path);
		return err;
	}
	return RFS_ERR_OK;
}

static bool is_left_behind(const char *node, const char *cgroup)
{
	const char *dash = strrchr(node, '-');
	int beside = (int)(pins_node(cgroup) - cgroup);
	char path[512];
	long pid = dash ? strtol(dash + 1, NULL, 10) : 0;

	if (pid <= 0 || kill((pid_t)pid, 0) == 0 || errno != ESRCH)
		return false;
	snprintf(path, sizeof(path), "%.*s%s", beside, cgroup, node);
	return access(path, F_OK) != 0;
}

void pins_sweep(const char *cgroup)
{
	struct dirent *entry;
	DIR *dir = opendir(PINS_ROOT);

	if (!dir)
		return;
	while ((entry = readdir(dir)) != NULL)
		if (is_left_behind(entry->d_name, cgroup))
			pins_remove(entry->d_name);
	closedir(dir);
}

void pins_remove(const char *node)
{
	char path[512], file[1024];
	struct dirent *entry;
	DIR *dir;

	pins_path(node, "", path, sizeof(path));
	dir = opendir(path);
	if (!dir)
		return;
	while ((entry = readdir(dir)) != NULL) {
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(file);
	}
	closedir(dir);
	rmdir(path);
}
