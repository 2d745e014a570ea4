/* put: files and trees of this host into the cluster. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/place.h"
#include "client/cli/store.h"
#include "client/cli/transfer.h"
#include "common/units.h"

static struct raftfs_new as_local(const struct transfer *transfer,
				  const struct stat *st)
{
	return (struct raftfs_new){
		.who = transfer->cli->who,
		.mode = st->st_mode,
		.rdev = st->st_rdev,
		.dated = true,
		.atime_ns = units_from_timespec(st->st_atim),
		.mtime_ns = units_from_timespec(st->st_mtim),
	};
}

/* --- a file --- */

struct local_file {
	int fd;
	const char *path;
	bool failed; /* and said so */
	bool stream; /* cannot seek: offset is where it stands anyway */
};

static enum rfs_err read_local(void *ctx, uint64_t offset, void *data,
			       size_t bytes, size_t *got)
{
	struct local_file *file = ctx;
	size_t done = 0;

	while (done < bytes) {
		uint8_t *to = (uint8_t *)data + done;
		ssize_t part = file->stream ? read(file->fd, to, bytes - done)
					    : pread(file->fd, to, bytes - done,
						    (off_t)(offset + done));

		if (part == 0)
			break;
		if (part > 0) {
			done += (size_t)part;
		} else if (errno != EINTR) {
			cli_fail_errno(file->path);
			file->failed = true;
			return RFS_ERR_IO;
		}
	}
	*got = done;
	return RFS_ERR_OK;
}

static void put_stream(struct transfer *transfer,
		       const struct transfer_task *task,
		       struct local_file *file, const struct raftfs_new *as,
		       uint64_t size_hint)
{
	const struct store_source source = {
		.read = read_local,
		.ctx = file,
		.size_hint = size_hint,
		.done_bytes = &transfer->done_bytes,
	};
	enum rfs_err err = store_file(transfer->cli->fs, task->parent,
				      task->name, as, &source);

	if (file->failed)
		atomic_store(&transfer->status, CLI_FAILED);
	else if (err != RFS_ERR_OK)
		transfer_fail(transfer, task->remote, err);
	else
		transfer->done_files++;
}

static void put_file(struct transfer *transfer,
		     const struct transfer_task *task, const struct stat *st)
{
	struct raftfs_new as = as_local(transfer, st);
	struct local_file file = {.path = task->local};

	file.fd = open(task->local, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (file.fd < 0) {
		transfer_fail_errno(transfer, task->local);
		return;
	}
	as.mode &= 07777;
	put_stream(transfer, task, &file, &as, (uint64_t)st->st_size);
	close(file.fd);
}

/* --- the rest of the zoo --- */

/* One that is there already is replaced, as a file would be. */
static enum rfs_err make_link(struct raftfs *fs,
			      const struct transfer_task *task,
			      const char *target, const struct raftfs_new *as)
{
	struct raftfs_attr attr;
	enum rfs_err err =
		raftfs_symlink(fs, task->parent, task->name, target, as, &attr);

	if (err == RFS_ERR_EXIST) {
		err = raftfs_unlink(fs, as->who, task->parent, task->name);
		if (err == RFS_ERR_OK || err == RFS_ERR_NOENT)
			err = raftfs_symlink(fs, task->parent, task->name,
					     target, as, &attr);
	}
	return err == RFS_ERR_OK ? store_fix(fs, &attr, as) : err;
}

static void put_link(struct transfer *transfer,
		     const struct transfer_task *task, const struct stat *st)
{
	const struct raftfs_new as = as_local(transfer, st);
	char target[PATH_MAX];
	ssize_t bytes = readlink(task->local, target, sizeof(target) - 1);

	if (bytes < 0) {
		transfer_fail_errno(transfer, task->local);
		return;
	}
	target[bytes] = '\0';
	enum rfs_err err = make_link(transfer->cli->fs, task, target, &as);

	if (err != RFS_ERR_OK)
		transfer_fail(transfer, task->remote, err);
	else
		transfer->done_files++;
}

static void put_special(struct transfer *transfer,
			const struct transfer_task *task, const struct stat *st)
{
	const struct raftfs_new as = as_local(transfer, st);
	struct raftfs_attr attr;
	enum rfs_err err = raftfs_mknod(transfer->cli->fs, task->parent,
					task->name, &as, &attr);

	if (err != RFS_ERR_OK)
		transfer_fail(transfer, task->remote, err);
	else
		transfer->done_files++;
}

/* --- directories --- */

static void add_child(struct transfer *transfer,
		      const struct transfer_task *parent, uint64_t ino,
		      const char *name)
{
	struct transfer_task *task;
	struct stat st;

	if (strlen(name) > RAFTFS_NAME_MAX) {
		transfer_fail(transfer, name, RFS_ERR_NAMETOOLONG);
		return;
	}
	task = transfer_task_new(transfer, parent, name);
	if (task == NULL)
		return;
	task->parent = ino;
	if (lstat(task->local, &st) == 0 && !S_ISDIR(st.st_mode)) {
		transfer->found_files++;
		if (S_ISREG(st.st_mode))
			transfer->found_bytes += (uint64_t)st.st_size;
	}
	transfer_add(transfer, task);
}

static bool put_children(struct transfer *transfer,
			 const struct transfer_task *task, uint64_t ino)
{
	DIR *dir = opendir(task->local);
	struct dirent *entry;

	if (dir == NULL) {
		transfer_fail_errno(transfer, task->local);
		return false;
	}
	while ((entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			add_child(transfer, task, ino, entry->d_name);
	closedir(dir);
	return true;
}

/* Takes the task. While children are made the owner must be able to write. */
static void put_dir(struct transfer *transfer, struct transfer_task *task,
		    const struct stat *st)
{
	struct raftfs_new as = as_local(transfer, st);
	struct raftfs_attr attr;

	as.mode = (st->st_mode & 07777) | 0700;
	enum rfs_err err = place_make_dir(transfer->cli->fs, task->parent,
					  task->name, &as, &attr);

	if (err != RFS_ERR_OK) {
		transfer_fail(transfer, task->remote, err);
		transfer_task_free(task);
		return;
	}
	(void)put_children(transfer, task, attr.ino);
	transfer_later(transfer, task, attr.ino, st->st_mode & 07777,
		       units_from_timespec(st->st_atim),
		       units_from_timespec(st->st_mtim));
}

static void put_one(struct transfer *transfer, struct transfer_task *task)
{
	struct stat st;

	if (lstat(task->local, &st) != 0) {
		transfer_fail_errno(transfer, task->local);
	} else if (S_ISDIR(st.st_mode) && transfer->recursive) {
		put_dir(transfer, task, &st);
		return;
	} else if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		transfer_fail_errno(transfer, task->local);
	} else if (S_ISLNK(st.st_mode) && transfer->recursive) {
		put_link(transfer, task, &st);
	} else if (S_ISLNK(st.st_mode) && stat(task->local, &st) == 0 &&
		   S_ISREG(st.st_mode)) {
		/* Named by hand: what it points to is meant. */
		char *real = realpath(task->local, NULL);

		free(task->local);
		task->local = real;
		put_file(transfer, task, &st);
	} else if (S_ISREG(st.st_mode)) {
		put_file(transfer, task, &st);
	} else {
		put_special(transfer, task, &st);
	}
	transfer_task_free(task);
}

/* --- the command --- */

static void put_stdin(struct transfer *transfer,
		      const struct transfer_task *task)
{
	struct local_file file = {
		.fd = STDIN_FILENO, .path = "stdin", .stream = true};
	mode_t mask = umask(0);
	const struct raftfs_new as = {.who = transfer->cli->who,
				      .mode = 0666 & ~mask};

	umask(mask);
	transfer->quiet = true;
	put_stream(transfer, task, &file, &as, 0);
}

static void start_one(struct transfer *transfer, const char *local,
		      const char *to)
{
	struct transfer_task *task = transfer_task_new(transfer, NULL, "");

	if (task == NULL)
		return;
	task->local = strdup(local);
	task->remote = strdup(to);
	enum rfs_err err = place_find(transfer->cli->fs, local, to,
				      &task->parent, task->name);

	if (err != RFS_ERR_OK || task->local == NULL || task->remote == NULL) {
		transfer_fail(transfer, to, err);
		transfer_task_free(task);
		return;
	}
	if (strcmp(local, "-") == 0) {
		put_stdin(transfer, task);
		transfer_task_free(task);
		return;
	}
	struct stat st;

	if (lstat(local, &st) == 0 && !S_ISDIR(st.st_mode)) {
		transfer->found_files++;
		transfer->found_bytes += (uint64_t)st.st_size;
	}
	transfer_add(transfer, task);
}

int command_put(struct cli *cli, int argc, char **argv)
{
	static const struct place_verb put = {
		.name = "put",
		.missing = "put: what, and where to?",
		.start = start_one,
		.one = put_one,
	};

	return place_into(cli, &put, argc, argv);
}
