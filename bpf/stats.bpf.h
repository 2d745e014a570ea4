/* Adding one sample to a row of struct rtt_stats, from inside the kernel. */
#ifndef RAFTFS_BPF_STATS_BPF_H
#define RAFTFS_BPF_STATS_BPF_H

static __always_inline void stats_add(struct rtt_stats *stats, __u64 us)
{
	__u32 bucket = 0;

	for (__u64 rest = us >> 1; rest && bucket < PROBE_BUCKETS - 1;
	     rest >>= 1)
		bucket++;
	__sync_fetch_and_add(&stats->count, 1);
	__sync_fetch_and_add(&stats->sum_us, us);
	__sync_fetch_and_add(&stats->log2_us[bucket], 1);
	stats->last_us = us;
	if (us > stats->max_us)
		stats->max_us = us;
	if (stats->min_us == 0 || us < stats->min_us)
		stats->min_us = us;
}

#endif
