/* Writing the clock page and its file view. */
#include "timesyncd/publish.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "common/os/config.h"
#include "common/os/log.h"

_Static_assert((int)TIMESYNC_UNSYNCED == (int)CLOCK_UNSYNCED, "same values");
_Static_assert((int)TIMESYNC_HOLDOVER == (int)CLOCK_HOLDOVER, "same values");
_Static_assert((int)TIMESYNC_SYNCED == (int)CLOCK_SYNCED, "same values");
_Static_assert((int)TIMESYNC_DISRUPTED == (int)CLOCK_DISRUPTED, "same values");

static void make_view(struct publish *publish, uint64_t generation,
		      const char *run_dir)
{
	char path[CONFIG_PATH_MAX + sizeof(PUBLISH_FILE) + 1];
	void *map;

	snprintf(path, sizeof(path), "%s/%s", run_dir, PUBLISH_FILE);
	if (page_create_file(path, CLOCKPAGE_MAGIC, CLOCKPAGE_VERSION,
			     generation, &map) == RFS_ERR_OK)
		publish->view = map;
	else
		log_warn("no %s: other programs cannot read the clock", path);
}

enum rfs_err publish_init(struct publish *publish, int fd, uint64_t generation,
			  const char *run_dir)
{
	const struct timesync_clock unsynced = { .quality = TIMESYNC_UNSYNCED };
	void *map;
	enum rfs_err err = page_map_writer(fd, CLOCKPAGE_MAGIC,
					   CLOCKPAGE_VERSION, &map);

	*publish = (struct publish){ 0 };
	if (err != RFS_ERR_OK)
		return err;
	err = page_seal(fd);
	if (err != RFS_ERR_OK) {
		page_unmap(map);
		return err;
	}
	publish->page = map;
	publish->disruptions_base =
		(uint32_t)(generation << CLOCKPAGE_DISRUPTIONS_BITS);
	fastline_init(&publish->fast);
	make_view(publish, generation, run_dir);
	/* At once, so that hardly anybody sees a page that counts from 0. */
	publish_clock(publish, &unsynced);
	return RFS_ERR_OK;
}

static uint64_t generation_of(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const struct page_head *head;
	const void *map;
	uint64_t generation = 0;

	if (fd < 0)
		return 0;
	if (page_map_reader(fd, CLOCKPAGE_MAGIC, CLOCKPAGE_VERSION, &map) ==
	    RFS_ERR_OK) {
		head = map;
		generation = head->generation;
		page_unmap(map);
	}
	close(fd);
	return generation;
}

enum rfs_err publish_init_file(struct publish *publish, const char *run_dir)
{
	const struct timesync_clock unsynced = { .quality = TIMESYNC_UNSYNCED };
	char path[CONFIG_PATH_MAX + sizeof(PUBLISH_FILE) + 1];
	uint64_t generation;

	*publish = (struct publish){ 0 };
	snprintf(path, sizeof(path), "%s/%s", run_dir, PUBLISH_FILE);
	generation = generation_of(path) + 1;
	publish->disruptions_base =
		(uint32_t)(generation << CLOCKPAGE_DISRUPTIONS_BITS);
	make_view(publish, generation, run_dir);
	if (publish->view == NULL)
		return RFS_ERR_IO;
	publish_clock(publish, &unsynced);
	return RFS_ERR_OK;
}

/* The file outlives us: whoever reads it must see that nobody writes it. Its
 * last sample stays, and ages. */
void publish_fini(struct publish *publish)
{
	if (publish->page != NULL)
		fastline_fini(&publish->fast);
	page_unmap(publish->page);
	page_unmap(publish->view);
	*publish = (struct publish){ 0 };
}

uint32_t publish_disruptions(const struct publish *publish,
			     const struct timesync_clock *clock)
{
	return publish->disruptions_base + clock->disruptions;
}

void publish_clock(struct publish *publish, const struct timesync_clock *clock)
{
	int64_t raw_ns = clock_raw_ns();
	struct clock_sample sample = {
		.quality = (enum clock_quality)clock->quality,
		.disruptions = publish_disruptions(publish, clock),
		.epoch = clock->epoch,
		.asof_ns = clock->asof_ns,
		.offset_ns = clock->offset_ns,
		.bound_ns = clock->bound_ns,
		.drift_ppb = clock->drift_ppb,
		.growth_ppb = clock->growth_ppb,
		.void_after_ns = clock->void_after_ns,
		.wall_offset_ns = clock_wall_ns() - raw_ns,
		.part_delay_ns = clock->part_delay_ns,
		.part_dispersion_ns = clock->part_dispersion_ns,
		.part_drift_ns = clock->part_drift_ns,
		.part_unslewed_ns = clock->part_unslewed_ns,
	};

	if (publish->page != NULL)
		fastline_add(&publish->fast, &sample);
	if (publish->page != NULL)
		clockpage_write(publish->page, &sample);
	if (publish->view != NULL)
		clockpage_write(publish->view, &sample);
}
