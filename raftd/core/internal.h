/* The state of one raft, shared by the files of this core and nobody else.
 *
 *			 deadline, or leader lost
 *	  follower  ----------------------------------> precandidate
 *	   ^  ^  ^   election_start(), election.c	    |
 *	   |  |  |					    | quorum would
 *	   |  |  '--- a leader, or a higher term -----------'  vote: campaign
 *	   |  |	      become_follower()			    v
 *	   |  '------------- the same ----------------- candidate
 *	   |	       (silence: back to precandidate)	    |
 *	   '--- higher term, quorum silent, -- leader <-----' quorum votes:
 *		raw clock disrupted			      become_leader()
 *
 * raft.c takes an event apart and calls the file that owns it; that file changes
 * the log and the roles. Only then raft_step() lets replicate.c send entries and
 * gathers the effects, so that pointers handed out stay valid.
 */
#ifndef RAFTFS_RAFTD_CORE_INTERNAL_H
#define RAFTFS_RAFTD_CORE_INTERNAL_H

#include "common/prng.h"
#include "raftd/core/detector.h"
#include "raftd/core/fitness.h"
#include "raftd/core/lease.h"
#include "raftd/core/log.h"
#include "raftd/core/members.h"
#include "raftd/core/raft.h"
#include "raftd/core/repair.h"
#include "raftd/core/timestamp.h"
#include "raftd/core/window.h"

#define RAFT_READS_MAX 4096
#define RAFT_SEND_MAX  (RAFT_READS_MAX + 1024)
#define RAFT_NEVER     INT64_MAX
#define PEERS_MAX      (RAFT_PEERS_MAX + RAFT_NODES_MAX)

enum progress_state {
	PROGRESS_PROBE,	   /* where do the logs part? one message at a time */
	PROGRESS_STREAM,   /* known; entries flow ahead of the answers */
	PROGRESS_SNAPSHOT, /* what it needs is compacted away */
};

/* The leader's view of one follower (paper: nextIndex, matchIndex). */
struct progress {
	enum progress_state state;
	uint64_t next_index;
	uint64_t match_index;  /* durable there */
	uint64_t probe_last;   /* last entry the probe under way carries */
	bool probe_waits;      /* for its answer, or the next round */
	bool round_due;	       /* owes it a message: a heartbeat, a round */
	uint64_t sent_commit;  /* what it was last told */
	uint64_t acked_round;
	uint32_t rank; /* its place in line, as of the last heartbeat */
	uint64_t snapshot_index;
	int64_t snapshot_again_raw_ns;
};

/* Any duration that is measured again and again: round trips, disks. */
struct rtt {
	int64_t smoothed_ns; /* RFC 6298: SRTT and RTTVAR; 0: not measured */
	int64_t variation_ns;
};

/* How a learner comes closer (thesis 4.2.1): in rounds, each up to where the
 * log ended when it began. */
struct catchup {
	uint64_t to_index; /* 0: none under way */
	uint64_t round;	   /* answered in this one or later: it is alive */
	int64_t began_raw_ns;
};

struct peer {
	uint32_t id;
	struct progress progress; /* meaningful while leading */
	struct catchup catchup;	  /* a learner to be promoted */
	bool filling;		  /* its host lacks data: not yet */
	uint64_t left_index; /* the entry that left it out, which it is still
			      * to be told; 0: nothing to tell */
	int64_t left_until_raw_ns; /* told until then; 0: not committed yet */
	struct rtt rtt;	    /* of what it answered */
	int64_t tcp_rtt_ns; /* the least of its link; 0: not known */
	struct rtt disk;    /* from our append to its word that it is durable */
	uint32_t condition; /* RAFT_UNFIT_*, RAFT_CONTRADICTS: its own word */
	int64_t heard_raw_ns;
	bool lost; /* PEER_LOST since it was last heard */
	uint64_t led_term;  /* the last in which we heard it lead */
	uint64_t died_term; /* it died leading that one (I11) */
};

/* A read waiting for its answer. */
struct read {
	uint64_t id;
	uint32_t from;	     /* self, or the follower that asked */
	bool forwarded;	     /* we asked our leader; answered by its reply */
	uint64_t index;	     /* 0: parked until an own-term entry commits */
	uint64_t round;	     /* confirmed once a quorum answers this one */
	int64_t until_raw_ns; /* forwarded: give up then */
};

struct raft {
	struct raft_config config;
	struct raft_membership membership;	/* the newest in the log */
	struct raft_membership membership_base; /* at the snapshot */
	struct members members;			/* the newest, to count by */
	uint32_t self_position; /* or MEMBERS_NONE */
	bool voted_before; /* by the membership before the newest */
	struct raft_window window;	/* as of the end of the log */
	struct raft_window window_base; /* at the snapshot */
	uint64_t window_index; /* the last entry that said something of leases */
	struct raft_lease lease_before; /* the setting before the newest */
	int64_t lease_wanted_ns;
	struct prng prng;
	struct raft_now now;

	/* Figure 2, persistent. */
	uint64_t term;
	uint32_t voted_for;
	uint64_t supported_term; /* see struct raft_effects. That we led need
				  * not be durable: a leader that crashed
				  * answers no reads any more. */
	struct log log;
	struct raft_snapshot_meta snapshot;
	struct raft_floor floor; /* repair.h; index 0: none */

	/* Figure 2, volatile. */
	uint64_t commit_index;
	uint64_t durable_index; /* our disk holds the log up to here */
	bool filling;		/* our host lacks data, and says so */
	uint64_t disk_first_index; /* and from here on */
	enum raft_role role;
	uint32_t leader;
	/* The members by position, then others we heard of: who just left, or
	 * whom only a newer membership knows. */
	struct peer peers[PEERS_MAX];
	uint32_t peer_count;

	/* Elections. */
	int64_t election_deadline_raw_ns;
	int64_t leader_heard_raw_ns;
	struct detector detector;
	struct fitness fitness;
	struct rtt disk; /* our own, from append to durable */
	uint32_t campaigns; /* since a leader was met */
	uint32_t votes; /* bits by member position */
	bool transferred; /* this candidacy overrides "I hear a leader" */
	bool met_leader;  /* somebody carried the timeline since raft_new() */
	uint64_t support_before; /* supported_term before this term's vote */
	uint64_t votes_support;	 /* highest support_before of our voters */
	bool votes_cold;  /* none of our voters, nor we, met a leader */

	/* Following. */
	uint64_t verified_index; /* our log agrees with this leader's up to it */
	uint64_t leader_round;	 /* the newest round it began */
	uint64_t answered_match;

	/* Leading. */
	struct timeline timeline;
	uint64_t term_first_index;   /* our first entry, a NOOP */
	uint64_t limbo_last_command; /* R2: unsettled until commit passes it */
	bool c1_settled;	     /* every inherited lease is over */
	uint64_t relinquished_index; /* no lease from entries up to here; 0 */
	int64_t c1_deadline_raw_ns;  /* when it will be; RAFT_NEVER: not asked */
	int64_t heartbeat_deadline_raw_ns;
	uint32_t heartbeats; /* since the present round began */
	uint64_t round;
	int64_t round_raw_ns; /* when it began */
	uint32_t transfer_to;
	bool transfer_sent;
	int64_t transfer_deadline_raw_ns;

	struct lease_clock clock;

	struct read *reads; /* RAFT_READS_MAX, oldest first */
	uint32_t read_count;

	struct raft_counters counters;

	/* This step's effects, under way. */
	bool hard_state_changed;
	bool reset_log;
	bool reset_first; /* the first step resets what the disk held */
	bool membership_changed;
	bool more; /* a limit stopped us: come back at once */
	uint64_t truncate_from;
	struct raft_conflict conflict; /* at truncate_from */
	uint64_t append_from; /* 0: nothing */
	struct raft_message *send; /* RAFT_SEND_MAX */
	uint32_t send_count;
	struct raft_proposal_done *proposals_done; /* RAFT_PROPOSALS_MAX */
	uint32_t proposal_done_count;
	struct raft_read_done *reads_done; /* RAFT_READS_MAX + 1 */
	uint32_t read_done_count;
};

/* raft.c */
/* Arguments are looked at only when somebody listens. */
#define raft_story(raft, ...)                                                  \
	do {                                                                   \
		if ((raft)->config.story.line)                                 \
			story(&(raft)->config.story, __VA_ARGS__);             \
	} while (0)
/* A message to fill in; from, to and our term are set. Never NULL: when the
 * step sends too much, the last one is overwritten, as if the network lost it. */
struct raft_message *raft_send(struct raft *raft, enum raft_message_type type,
			       uint32_t to);
void raft_set_commit(struct raft *raft, uint64_t index);
/* Append to our own log and to the effects. */
RFS_MUST_USE enum rfs_err raft_append(struct raft *raft,
				      const struct raft_entry *entry);
/* The same for an entry this leader makes: index, term and stamp are set. */
RFS_MUST_USE enum rfs_err raft_append_own(struct raft *raft,
					  enum raft_entry_kind kind,
					  const void *data, uint32_t bytes);

/* peer.c */
struct peer *peer_find(struct raft *raft, uint32_t id); /* NULL: unknown */
struct peer *peer_meet(struct raft *raft, uint32_t id); /* make one if need be */
/* The present members first, in their order; everybody keeps what is known. */
void peers_arrange(struct raft *raft);
/* Does this leader send the peer at that place the log? */
bool peer_is_served(const struct raft *raft, uint32_t at);

/* configure.c */
void configure_load(struct raft *raft, const struct raft_membership *at_base);
void configure_request(struct raft *raft, const struct raft_configure *request);
/* A RAFT_ENTRY_CONFIG was appended; entries were cut off the end; the log now
 * begins at another snapshot (NULL: as raft_config has it). */
void configure_appended(struct raft *raft, const struct raft_entry *entry);
void configure_truncated(struct raft *raft);
void configure_rebased(struct raft *raft, const struct raft_membership *base);
void configure_compacted(struct raft *raft, uint64_t index); /* before it is */
/* What a leader has to do by itself: the second half of a joint change, a
 * learner to be promoted, its own removal. */
void configure_advance(struct raft *raft);
/* A new leader tells whom the newest membership leaves out. */
void configure_lead(struct raft *raft);
bool configure_makes_sense(const struct raft *raft,
			   const struct raft_entry *entry);
/* Knows of no membership, as a joiner, and not because its log lost some. */
bool configure_is_nobody(const struct raft *raft);
/* It has a joiner as a voter: then we were one, and forgot our promises. */
bool configure_was_forgotten(const struct raft *raft,
			     const struct raft_membership *membership);
bool configure_is_removed(const struct raft *raft, uint32_t id); /* for good */
enum raft_standing configure_standing(const struct raft *raft);

/* setting.c */
void setting_load(struct raft *raft, const struct raft_window *at_base);
/* An entry was appended; entries were cut off the end; the log now begins at
 * another snapshot. */
void setting_appended(struct raft *raft, const struct raft_entry *entry);
void setting_truncated(struct raft *raft);
void setting_rebased(struct raft *raft, const struct raft_window *base);
void setting_compacted(struct raft *raft, uint64_t index); /* before it is */
bool setting_makes_sense(const struct raft_entry *entry);
/* What rules the entry at an index, from the snapshot's on. */
struct raft_lease setting_at(const struct raft *raft, uint64_t index);
/* The first raw instant, not before now, at which every entry of the log up to
 * that one is surely older than its own D. */
int64_t setting_over_from(const struct raft *raft, uint64_t last);
void setting_want(struct raft *raft, int64_t lease_ns);
/* What a leader has to do by itself: set what it wants. */
void setting_advance(struct raft *raft);

/* election.c */
void become_follower(struct raft *raft, uint64_t term, uint32_t leader);
void election_start(struct raft *raft, bool transfer);
void election_timer_reset(struct raft *raft);
void election_timer_start(struct raft *raft); /* at once, when alone */
void election_measured(struct raft *raft); /* round trips are known now */
bool election_hears_leader(struct raft *raft);
bool election_may_stand(const struct raft *raft);
/* No leader is heard: stand, or, if that is not ours, wait for one. */
void election_begin(struct raft *raft);
void election_vote_counted(struct raft *raft);
void election_peer_lost(struct raft *raft, uint32_t peer);
void election_death(struct raft *raft, uint32_t node, uint64_t term_led);
void election_check_quorum(struct raft *raft);
int64_t election_quorum_deadline_ns(const struct raft *raft);

/* slots.c */
/* How much longer than the timeout this follower waits, so that followers
 * stand in turn; less than the timeout. False: draw it instead. */
bool slots_wait_ns(const struct raft *raft, int64_t timeout_ns,
		   int64_t *wait_ns);
/* Why not at present; "" when it does. */
const char *slots_why_not(const struct raft *raft, int64_t timeout_ns);

/* rtt.c */
/* One sample counts for twice the high side at most, or for slack_ns if that is
 * more. */
void rtt_note(struct rtt *rtt, int64_t sample_ns, int64_t slack_ns);
/* What nearly all samples stay below; 0: there is none. */
int64_t rtt_high_ns(const struct rtt *rtt);
/* RAFT_EV_RTT. */
void rtt_measured(struct raft *raft, struct peer *peer,
		  enum raft_rtt_from from, int64_t sample_ns);
enum raft_rtt_from rtt_from(const struct raft *raft, const struct peer *peer);
/* High side of the round trip to the slowest member we need; 0: unknown. */
int64_t rtt_over_quorum_ns(const struct raft *raft);
enum raft_rtt_from rtt_quorum_from(const struct raft *raft); /* its source */
int64_t rtt_election_timeout_ns(const struct raft *raft);
/* What it follows from at present. */
enum raft_timeout_from rtt_timeout_from(const struct raft *raft);
int64_t rtt_heartbeat_ns(const struct raft *raft);

/* request_vote.c */
void vote_send_requests(struct raft *raft);
void vote_receive(struct raft *raft, const struct raft_message *message);
void vote_reply_receive(struct raft *raft, const struct raft_message *message);

/* append_entries.c */
void append_receive(struct raft *raft, const struct raft_message *message);
void append_reply_receive(struct raft *raft,
			  const struct raft_message *message);
/* Tell the leader what became durable, if that is news to it. */
void append_answer_durable(struct raft *raft);

/* replicate.c */
void replicate_start(struct raft *raft);
void replicate_heartbeat(struct raft *raft);
int64_t replicate_round_every_ns(const struct raft *raft); /* when idle */
void replicate_round(struct raft *raft); /* begin a new one */
uint64_t replicate_round_confirmed(const struct raft *raft);
void replicate_advance_commit(struct raft *raft);
void replicate_flush(struct raft *raft);

/* install_snapshot.c */
void snapshot_receive(struct raft *raft, const struct raft_message *message);
void snapshot_taken(struct raft *raft, const struct raft_snapshot_meta *meta);
void snapshot_installed(struct raft *raft,
			const struct raft_snapshot_meta *meta,
			const struct raft_membership *membership,
			const struct raft_window *window);
void snapshot_failed(struct raft *raft, uint32_t peer);
void snapshot_send(struct raft *raft, uint32_t to, struct progress *progress);
/* Give back memory that only slow followers still wanted. */
void snapshot_compact_fully(struct raft *raft);
/* effects.compact_to of this step. */
uint64_t snapshot_disk_compaction(struct raft *raft);

/* timeout_now.c */
void transfer_start(struct raft *raft, uint32_t peer);
void transfer_to_best(struct raft *raft); /* the voter that is closest */
void transfer_advance(struct raft *raft);
void transfer_end(struct raft *raft);
/* Our time to lead is over now: whoever should be next stands at once. */
void transfer_at_once(struct raft *raft);
void timeout_now_receive(struct raft *raft, const struct raft_message *message);

/* reads.c */
void reads_ask(struct raft *raft, uint32_t from, uint64_t id);
void reads_index_receive(struct raft *raft, const struct raft_message *message);
void reads_index_reply_receive(struct raft *raft,
			       const struct raft_message *message);
void reads_advance(struct raft *raft);
void reads_fail(struct raft *raft); /* leadership or leader lost */
int64_t reads_deadline_ns(const struct raft *raft);
/* R1: may this leader read at its commit index, and how long? */
bool reads_lease_until(const struct raft *raft, int64_t *until_raw_ns);
/* When it may not: why. */
const char *reads_why_no_lease(const struct raft *raft);
/* R2: the last command inherited and not settled, whose effects such a read
 * must not depend on, nor on any before it; 0: none. */
uint64_t reads_limbo(const struct raft *raft);

#endif
