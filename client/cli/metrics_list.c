/* The series, in the order in which they are printed. */
#include "client/cli/metrics_list.h"

#define SUPERVISOR(field, name, help)                                          \
	{                                                                      \
		METRICS_SUPERVISOR, field, name, NULL, help                    \
	}
#define CHILD(field, name, help)                                               \
	{                                                                      \
		METRICS_CHILD, field, name, NULL, help                         \
	}
#define CLOCK(field, name, help)                                               \
	{                                                                      \
		METRICS_CLOCK, field, name, NULL, help                         \
	}
#define CLOCK_BY(field, name, label, help)                                     \
	{                                                                      \
		METRICS_CLOCK, field, name, label, help                        \
	}
#define CLOCK_PEER(field, name, help)                                          \
	{                                                                      \
		METRICS_CLOCK_PEER, field, name, NULL, help                    \
	}
#define RAFT(field, name, help)                                                \
	{                                                                      \
		METRICS_RAFT, field, name, NULL, help                          \
	}
#define RAFT_BY(field, name, label, help)                                      \
	{                                                                      \
		METRICS_RAFT, field, name, label, help                         \
	}
#define RAFT_PEER(field, name, help)                                           \
	{                                                                      \
		METRICS_RAFT_PEER, field, name, NULL, help                     \
	}
#define STORAGE(field, name, help)                                             \
	{                                                                      \
		METRICS_STORAGE, field, name, NULL, help                       \
	}
#define STORAGE_BY(field, name, label, help)                                   \
	{                                                                      \
		METRICS_STORAGE, field, name, label, help                      \
	}

const struct metrics_row metrics_rows[] = {
	SUPERVISOR("uptime_ns", "supervisor_uptime_seconds",
		   "Since the supervisor started."),
	CHILD("uptime_ns", "daemon_uptime_seconds",
	      "Since the daemon was started last."),
	CHILD("restarts", "daemon_restarts_total",
	      "Times the supervisor started it again."),

	/* --- time: how good, by which parts --- */
	CLOCK("bound_ns", "clock_bound_seconds",
	      "Half width of the interval that contains cluster time."),
	CLOCK_BY("part_delay_ns", "clock_bound_part_seconds", "part=\"delay\"",
		 "What the bound is made of."),
	CLOCK_BY("part_dispersion_ns", "clock_bound_part_seconds",
		 "part=\"dispersion\"", ""),
	CLOCK_BY("part_drift_ns", "clock_bound_part_seconds", "part=\"drift\"",
		 ""),
	CLOCK_BY("part_unslewed_ns", "clock_bound_part_seconds",
		 "part=\"unslewed\"", ""),
	CLOCK("drift_ppb", "clock_drift_ratio",
	      "Rate of cluster time against this node's raw clock, less 1."),
	CLOCK("age_ns", "clock_age_seconds", "Since the clock was published."),
	CLOCK("epoch", "clock_epoch", "Raft term whose leader carries it."),
	CLOCK("stratum", "clock_stratum",
	      "Steps from the node that carries it; 0: no bound."),
	CLOCK("poll_ns", "clock_poll_seconds", "Between two rounds now."),
	CLOCK("corrected_ns", "clock_corrected_seconds",
	      "Slewed within the last hour."),
	CLOCK("corrections_held", "clock_corrections_held_total",
	      "Slews cut short by max_correction."),
	/* --- and what it costs --- */
	CLOCK_BY("packets_in", "clock_packets_total", "direction=\"in\"",
		 "Time packets."),
	CLOCK_BY("packets_out", "clock_packets_total", "direction=\"out\"", ""),
	CLOCK_BY("refused_mac", "clock_packets_refused_total", "reason=\"mac\"",
		 "Packets dropped unanswered."),
	CLOCK_BY("refused_replay", "clock_packets_refused_total",
		 "reason=\"replay\"", ""),
	CLOCK_BY("refused_rate", "clock_packets_refused_total",
		 "reason=\"rate\"", ""),
	CLOCK_BY("refused_other", "clock_packets_refused_total",
		 "reason=\"other\"", ""),
	CLOCK("cpu_ns", "clock_cpu_seconds_total",
	      "Processor time of timesyncd."),
	/* --- each peer's clock --- */
	CLOCK_PEER("offset_ns", "clock_peer_offset_seconds",
		   "The peer's clock minus ours."),
	CLOCK_PEER("delay_ns", "clock_peer_delay_seconds",
		   "Round trip of the exchange in use."),
	CLOCK_PEER("floor_ns", "clock_peer_delay_floor_seconds",
		   "Least round trip of late; 0: none yet."),
	CLOCK_PEER("jitter_ns", "clock_peer_jitter_seconds",
		   "How much the offset varies."),
	CLOCK_PEER("drift_ppb", "clock_peer_drift_ratio",
		   "Rate of its clock against ours, less 1."),
	CLOCK_PEER("age_ns", "clock_peer_age_seconds",
		   "Since it was heard last; below 0: never."),
	CLOCK_PEER("reach", "clock_peer_reach",
		   "The last eight exchanges, one bit each."),
	CLOCK_PEER("truechimer", "clock_peer_truechimer",
		   "1: its interval agrees with the majority's."),
	CLOCK_PEER("asked", "clock_peer_requests_total", "Requests sent."),
	CLOCK_PEER("answered", "clock_peer_answers_total",
		   "Requests that were answered."),
	CLOCK_PEER("timeouts", "clock_peer_timeouts_total",
		   "Requests without an answer in time."),
	CLOCK_PEER("rejected", "clock_peer_rejected_total",
		   "Answers that were not believed."),
	CLOCK_PEER("withheld", "clock_peer_withheld_total",
		   "Answers too slow to steer by."),
	CLOCK_PEER("served", "clock_peer_served_total",
		   "Its own exchanges with us that it told of."),
	CLOCK_PEER("doubted", "clock_peer_doubted_total",
		   "Answers far slower than TCP."),
	CLOCK_PEER("doubtful", "clock_peer_doubtful",
		   "1: its time packets alone are slow, time and again."),
	CLOCK_PEER("tcp_rtt_ns", "clock_peer_tcp_rtt_seconds",
		   "Least round trip of TCP to it; 0: not known."),

	/* --- consensus --- */
	RAFT("term", "raft_term", "Current term."),
	RAFT("commit_index", "raft_commit_index", "Last entry committed."),
	RAFT("last_index", "raft_last_index", "Last entry in the log."),
	RAFT("first_index", "raft_first_index",
	     "First entry that is not compacted."),
	RAFT("lease_valid", "raft_lease_valid",
	     "1: reads need no message now."),
	RAFT("election_timeout_ns", "raft_election_timeout_seconds",
	     "Silence of the leader that starts an election."),
	RAFT("heartbeat_ns", "raft_heartbeat_seconds", "Between heartbeats."),
	RAFT("rtt_quorum_ns", "raft_quorum_rtt_seconds",
	     "Round trip to a quorum, high side; 0: not measured."),
	RAFT("leader_silence_ns", "raft_leader_silence_seconds",
	     "Usual longest silence of the leader; 0: not known."),
	RAFT("elections_started", "raft_elections_started_total",
	     "Times it stood for election."),
	RAFT("elections_won", "raft_elections_won_total",
	     "Times it became leader."),
	RAFT("handed_over", "raft_hand_overs_total",
	     "Times it gave leadership away by itself."),
	RAFT_BY("reads_by_lease", "raft_reads_total", "by=\"lease\"",
		"Reads that raftd allowed."),
	RAFT_BY("reads_by_quorum", "raft_reads_total", "by=\"quorum\"", ""),
	RAFT("commits_waited_lease", "raft_commits_waited_lease_total",
	     "Commits that waited for an old leader's lease to end."),
	RAFT("stamps_disagreed", "raft_stamps_disagreed_total",
	     "Entries whose stamp was outside this node's interval."),
	RAFT("messages_sent", "raft_messages_sent_total", "Messages to peers."),
	RAFT("messages_dropped", "raft_messages_dropped_total",
	     "Messages that made no sense."),
	RAFT("fsyncs", "raft_fsyncs_total", "Syncs of the log."),
	RAFT("fsync_p50_ns", "raft_fsync_median_seconds",
	     "Half of the syncs take less."),
	RAFT("fsync_p99_ns", "raft_fsync_p99_seconds",
	     "99 of 100 syncs take less."),
	RAFT("wal_bytes", "raft_wal_bytes", "Size of the log on disk."),
	RAFT("disk_full", "raft_disk_full", "1: no room for the log."),
	RAFT("repairs", "raft_repairs_total",
	     "Times a damaged log was filled again from peers."),
	RAFT("scrubs", "raft_scrubs_total",
	     "Times the whole log was read back."),
	RAFT("scrub_bad", "raft_scrub_bad_total",
	     "Places where it had gone bad."),
	RAFT("scrub_mended", "raft_scrub_mended_total",
	     "Of those, put right in place."),
	RAFT("loop_stalls_long", "raft_loop_stalls_total",
	     "Times the main loop was away for over 50 ms."),
	RAFT("loop_stall_max_ns", "raft_loop_stall_max_seconds",
	     "The longest of them."),
	RAFT_PEER("connected", "raft_peer_connected",
		  "1: it can be talked to."),
	RAFT_PEER("rtt_ns", "raft_peer_rtt_seconds", "Round trip of messages."),
	RAFT_PEER("match_index", "raft_peer_match_index",
		  "Leader: how far its log is known to agree."),
	RAFT_PEER("disk_ns", "raft_peer_disk_seconds",
		  "Leader: until an entry is durable there."),

	/* --- files --- */
	STORAGE("applied_index", "storage_applied_index",
		"Last entry applied to the tree."),
	STORAGE("files", "storage_files", "Inodes in the tree."),
	STORAGE("bytes", "storage_bytes", "What files hold, logically."),
	STORAGE("chunks", "storage_chunks", "Pieces of data in use."),
	STORAGE("chunk_bytes", "storage_chunk_bytes",
		"What they take on this disk."),
	STORAGE("chunks_missing", "storage_chunks_missing",
		"Pieces this node has not got yet."),
	STORAGE("chunks_fetched", "storage_chunks_fetched_total",
		"Pieces taken from a peer: missing or bad here."),
	STORAGE("chunks_bad", "storage_chunks_bad_total",
		"Pieces that failed their check here."),
	STORAGE("free_bytes", "storage_free_bytes", "Room on this disk."),
	STORAGE("disk_full", "storage_disk_full",
		"1: no bulk data is taken here."),
	STORAGE("attached", "storage_attached", "1: raftd is there."),
	STORAGE("sessions", "storage_sessions", "Sessions of clients."),
	STORAGE("clients", "storage_clients", "Connections to this node."),
	STORAGE_BY("reads_by_lease", "storage_reads_total", "by=\"lease\"",
		   "Reads answered; by lease: without a message."),
	STORAGE_BY("reads_by_raftd", "storage_reads_total", "by=\"raftd\"", ""),
	STORAGE("writes", "storage_writes_total", "Changes answered."),
	STORAGE("snapshot_index", "storage_snapshot_index",
		"Last entry in the newest snapshot."),
	STORAGE("loop_stalls_long", "storage_loop_stalls_total",
		"Times the main loop was away for over 50 ms."),
	STORAGE("loop_stall_max_ns", "storage_loop_stall_max_seconds",
		"The longest of them."),
};

const size_t metrics_row_count = sizeof(metrics_rows) / sizeof(metrics_rows[0]);
