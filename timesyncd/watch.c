/* The consensus page, turned into epoch events. */
#include "timesyncd/watch.h"

enum rfs_err watch_page(struct watch *watch, int fd)
{
	const void *map;
	enum rfs_err err =
		page_map_reader(fd, CONSPAGE_MAGIC, CONSPAGE_VERSION, &map);

	if (err != RFS_ERR_OK)
		return err;
	page_unmap(watch->page);
	watch->page = map;
	return RFS_ERR_OK;
}

void watch_fini(struct watch *watch)
{
	page_unmap(watch->page);
	*watch = (struct watch){ 0 };
}

static bool is_reference(const struct cons_sample *sample, uint32_t disruptions)
{
	return sample->role == CONSPAGE_LEADER && sample->epoch != 0 &&
	       sample->epoch == sample->term &&
	       sample->lease_disruptions == disruptions;
}

bool watch_poll(struct watch *watch, uint32_t disruptions,
		struct timesync_event *event)
{
	struct cons_sample sample = { 0 };
	enum rfs_err err;
	bool self;

	if (watch->page == NULL)
		return false;
	err = conspage_read(watch->page, &sample);
	if (err == RFS_ERR_STALE)
		sample = (struct cons_sample){ .epoch = watch->epoch };
	else if (err != RFS_ERR_OK)
		return false; /* busy: the next look will do */

	self = is_reference(&sample, disruptions);
	if (watch->told && watch->leader == sample.leader &&
	    watch->epoch == sample.epoch && watch->self == self)
		return false;
	watch->told = true;
	watch->leader = sample.leader;
	watch->epoch = sample.epoch;
	watch->self = self;
	*event = (struct timesync_event){
		.type = TIMESYNC_EV_EPOCH,
		.epoch = { .leader = sample.leader,
			   .epoch = sample.epoch,
			   .self = self,
			   .anchor_raw_ns = sample.epoch_raw_ns,
			   .anchor_ts_ns = sample.epoch_ts_ns },
	};
	return true;
}
