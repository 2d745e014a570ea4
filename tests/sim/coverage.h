/* Which rules a run exercised: a set of seeds that never meets a rule proves
 * nothing about it.
 *
 * Rows are counted per seed and summed by main.c, which fails a large set of
 * seeds when an essential row stayed at nothing. What a core did is told from
 * its effects and views, never from its inside.
 */
#ifndef RAFTFS_TESTS_SIM_COVERAGE_H
#define RAFTFS_TESTS_SIM_COVERAGE_H

#include "raftd/core/raft.h"

struct world;
struct node;

/*        name              text                          essential */
#define SIM_COVERAGE_MAP(X)                                                    \
	X(EVENTS, "events", true)                                              \
	X(ELECTIONS, "elections won", true)                                    \
	X(LEADER_CHANGES, "leader changes", true)                              \
	X(COMMITS, "entries committed", true)                                  \
	X(WRITES, "client writes", true)                                       \
	X(RETRIES, "client retries of unknown outcomes", true)                 \
	X(DUPLICATES, "retries answered exactly-once", true)                   \
	X(READS_LEASE, "reads by local lease", true)                           \
	X(READS_INHERITED, "reads by inherited lease", true)                   \
	X(READS_EVENT_LEASE, "reads by lease inside raft", false)              \
	X(READS_QUORUM, "reads by quorum", true)                               \
	X(READS_FOLLOWER, "reads on followers", true)                          \
	X(C1_WAITS, "commits that waited for a lease (C1)", true)              \
	X(C1_BY_DURATION, "such waits counted without a clock (I6)", true)     \
	X(I10_SKIPS, "commits that need not wait: lease given up", true)       \
	X(I11_SKIPS, "commits that need not wait: lease died", true)           \
	X(GIFTS_REFUSED, "waits though the lease was given up (P)", true)      \
	X(C1_OUTLASTED, "such waits for a lease longer than the last (C1)",    \
	  true)                                                                \
	X(SETTINGS, "lease settings made by leaders (I8)", true)               \
	X(SETTINGS_OFF, "such that turn leases off", true)                     \
	X(SETTINGS_OUTLASTED, "such that a longer lease outlasts", true)       \
	X(SETTINGS_UNDONE, "lease settings that a truncation took back", true) \
	X(SETTINGS_INSTALLED, "snapshots that brought one (I9)", true)         \
	X(LIMBO_PARKS, "reads parked in limbo (R2)", true)                     \
	X(LIMBO_READS, "reads past a limbo that cannot change them (R2)", true) \
	X(TERM_PARKS, "reads parked until the term commits (F1)", true)        \
	X(EXTENSIONS, "leases renewed by an entry (E1)", true)                 \
	X(RELINQUISHED, "leases given up by an entry (I10)", true)             \
	X(I7_STEP_DOWNS, "leaders whose own clock broke (I7)", true)           \
	X(TIMEOUTS_TCP, "steps that went by round trips of TCP", true)          \
	X(TIMEOUTS_EXCHANGE, "steps that went by that of the exchange", true)   \
	X(QUORUM_LOST, "leaders that lost their quorum", true)                 \
	X(PREVOTES_REFUSED, "pre-votes refused", true)                         \
	X(VOTES_REFUSED, "votes refused", true)                                \
	X(LOGS_PARTED, "entries refused: logs part", true)                     \
	X(TOOK_OVER, "candidates told to stand", true)                         \
	X(BACK_PRESSURE, "commands refused: no room", false)                   \
	X(TRUNCATIONS, "log truncations", true)                                \
	X(COMPACTIONS, "log compactions", true)                                \
	X(SNAPSHOTS_SENT, "snapshots streamed", true)                          \
	X(SNAPSHOTS_INSTALLED, "snapshots installed", true)                    \
	X(SNAPSHOTS_FAILED, "snapshot streams broken", true)                   \
	X(TORN_TAILS, "torn log tails", true)                                  \
	X(HARD_STATE_LOST, "crashes before a hard state was durable", true)    \
	X(CRASHES, "process crashes", true)                                    \
	X(REBOOTS, "machine reboots", true)                                    \
	X(PAUSES, "process pauses", true)                                      \
	X(PAUSES_MID_STEP, "pauses between decision and sending", true)        \
	X(PARTITIONS, "partitions", true)                                      \
	X(PARTITIONS_ONE_WAY, "one-way partitions", true)                      \
	X(PARTITIONS_BRIDGE, "bridge partitions", true)                        \
	X(STREAM_RESETS, "stream resets", true)                                \
	X(STALE_DELIVERIES, "messages delivered after a heal", true)           \
	X(SLOW_DISKS, "slow disks", true)                                      \
	X(FSYNC_FAILED, "flushes that failed, which is final", true)           \
	X(DISK_FULL, "disks that were full for a while", true)                 \
	X(FULL_REFUSALS, "commands and entries refused by a full disk", true)  \
	X(ROT, "durable entries that went bad", true)                          \
	X(MISDIRECTED, "writes to the wrong place", true)                      \
	X(DAMAGE_FOUND, "damaged logs found at a start", true)                 \
	X(DAMAGE_MENDED, "damaged logs repaired from peers", true)             \
	X(CLOCKLESS, "nodes without a clock", true)                            \
	X(FROZEN_PAGES, "clock pages that nobody writes", true)                \
	X(WALL_STEPS, "wall clocks that stepped", true)                        \
	X(WILD_SPELLS, "spells of doubled, lost and overtaking messages", true) \
	X(DOUBLED, "messages delivered twice", true)                           \
	X(DELAY_STORMS, "delay storms", true)                                  \
	X(PAIRS_CUT, "pairs that do not hear each other", true)                \
	X(FIGURE_8, "times the paper's figure 8 was played", true)             \
	X(FORGOTTEN_VOTES, "voters that died with their vote given", true)     \
	X(DISRUPTIONS, "raw clock disruptions", true)                          \
	X(TRANSFERS, "leadership transfers", true)                             \
	X(PEER_LOST, "peer-lost hints", true)                                  \
	X(DEATHS, "death notices of leaders", true)                            \
	X(PACKETS_LOST, "clock packets lost", true)                            \
	X(CLOCK_SYNCED, "clocks that became synced", true)                     \
	X(CLOCK_HOLDOVER, "clocks that went into holdover", true)              \
	X(CLOCK_DISRUPTED, "clocks that became disrupted", true)               \
	X(BOUND_CHECKS, "clock bounds compared with the truth", true)          \
	X(HANDOVERS, "timelines handed over", true)                            \
	X(LEASES_SHOWN, "leases shown on a page", true)                        \
	X(OUTAGES, "outages of all machines", true)                            \
	X(COLD_STARTS, "timelines that went on from the wall clock", true)      \
	X(CHANGES, "changes of the membership begun", true)                    \
	X(CHANGES_BUSY, "such changes refused: one at a time", true)           \
	X(CHANGES_JOINT, "joint memberships", true)                            \
	X(CHANGES_DONE, "joint memberships that ended", true)                  \
	X(CHANGES_UNDONE, "changes that a truncation took back", true)         \
	X(ELECTIONS_JOINT, "elections by a joint membership", true)            \
	X(LEADERS_REMOVED, "leaders that removed themselves", true)            \
	X(MACHINES_LOST, "machines lost for good", true)                       \
	X(PROMOTIONS, "learners that became voters", true)

enum coverage {
#define X(name, text, essential) COVER_##name,
	SIM_COVERAGE_MAP(X)
#undef X
		COVER_COUNT
};

/* What this node was before a step. */
struct coverage_before {
	enum raft_role role;
	uint64_t term;
	uint64_t commit_index;
	uint32_t disruptions;
};

struct coverage_before coverage_before(const struct node *node);

/* After a step: the host's view and effects are what came out of it. */
void coverage_step(struct world *world, struct node *node,
		   const struct raft_event *event,
		   const struct coverage_before *before);

#endif
