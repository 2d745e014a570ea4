/* The files of a run. */
#include "client/bench/place.h"

#include <stdio.h>
#include <unistd.h>

#include "common/os/clock.h"

bool place_failed(const char *doing, enum rfs_err err)
{
	const char *reason = raftfs_reason();

	fprintf(stderr, "raftfs-bench: %s: %s%s%s\n", doing, rfs_err_text(err),
		*reason ? ": " : "", reason);
	return false;
}

bool place_make(struct place *place, struct raftfs *fs)
{
	const struct raftfs_new as = {.mode = 0755,
				      .who = {geteuid(), getegid()}};
	struct raftfs_attr attr;

	snprintf(place->name, sizeof(place->name), "raftfs-bench.%d.%llx",
		 (int)getpid(), (unsigned long long)clock_wall_ns());
	enum rfs_err err =
		raftfs_mkdir(fs, RAFTFS_ROOT_INO, place->name, &as, &attr);

	if (err != RFS_ERR_OK)
		return place_failed("mkdir", err);
	place->dir = attr.ino;
	place->count = 0;
	return true;
}

void place_name(uint32_t index, char name[PLACE_NAME_BYTES])
{
	snprintf(name, PLACE_NAME_BYTES, "%u", index);
}

bool place_add(struct place *place, struct raftfs *fs, const void *data,
	       size_t bytes, uint64_t *ino)
{
	const struct raftfs_new as = {.mode = 0644,
				      .who = {geteuid(), getegid()}};
	struct raftfs_attr attr;
	char name[PLACE_NAME_BYTES];

	place_name(place->count, name);
	enum rfs_err err =
		raftfs_put(fs, place->dir, name, data, bytes, &as, &attr);

	if (err != RFS_ERR_OK)
		return place_failed("put", err);
	place->count++;
	*ino = attr.ino;
	return true;
}

static enum rfs_err remove_all(const struct place *place, struct raftfs *fs)
{
	const struct raftfs_who who = {geteuid(), getegid()};
	char name[PLACE_NAME_BYTES];
	enum rfs_err err = RFS_ERR_OK;

	for (uint32_t i = 0; i < place->count; i++) {
		place_name(i, name);
		enum rfs_err one = raftfs_unlink(fs, who, place->dir, name);

		if (one != RFS_ERR_OK)
			err = one;
	}
	return err == RFS_ERR_OK
		       ? raftfs_rmdir(fs, who, RAFTFS_ROOT_INO, place->name)
		       : err;
}

void place_remove(const struct place *place, const char *endpoints)
{
	struct raftfs *fs;
	enum rfs_err err = raftfs_open(endpoints, &fs);

	if (err != RFS_ERR_OK) {
		place_failed(place->name, err);
		return;
	}
	err = remove_all(place, fs);
	if (err != RFS_ERR_OK)
		place_failed(place->name, err);
	raftfs_close(fs);
}
