/* A failure detector that learns what is normal. */
#include "raftd/core/detector.h"

#include "common/units.h"

#define DETECTOR_BLOCK_NS (100 * NS_PER_MS)
#define DETECTOR_WINDOW	  300 /* blocks */
#define DETECTOR_BEFORE	  10  /* blocks, before it says anything */
#define DETECTOR_FACTOR	  2

static void end_block(struct detector *detector, int64_t raw_ns)
{
	struct latency *longest = &detector->longest;

	longest->window = DETECTOR_WINDOW;
	latency_add(longest, detector->block_longest_ns);
	detector->block_from_raw_ns = raw_ns;
	detector->block_longest_ns = 0;
	if (longest->count >= DETECTOR_BEFORE)
		detector->high_ns = latency_high_ns(longest, 990);
}

void detector_heard(struct detector *detector, uint64_t term, int64_t raw_ns)
{
	int64_t silence_ns = raw_ns - detector->heard_raw_ns;

	detector->heard_raw_ns = raw_ns;
	if (term != detector->term) {
		detector->term = term;
		detector->block_from_raw_ns = raw_ns;
		detector->block_longest_ns = 0;
		detector->most_ns = 0;
		return;
	}
	if (silence_ns > detector->most_ns)
		detector->most_ns = silence_ns;
	if (silence_ns > detector->block_longest_ns)
		detector->block_longest_ns = silence_ns;
	if (raw_ns - detector->block_from_raw_ns >= DETECTOR_BLOCK_NS)
		end_block(detector, raw_ns);
}

int64_t detector_limit_ns(const struct detector *detector)
{
	return DETECTOR_FACTOR * detector->high_ns;
}
