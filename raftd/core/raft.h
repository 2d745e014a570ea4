/* Raft, sans I/O: facts go in as events, duties come out as effects.
 *
 * The same object code runs in raftfs-raftd (driven by raftd/loop.c) and in
 * the simulator (driven by tests/sim). It reads no clock, draws no randomness
 * but from its seed, and allocates only in raft_new().
 *
 * Terms follow the Raft paper, figure 2, and Ongaro's thesis (pre-vote 9.6,
 * check-quorum 6.2, ReadIndex 6.4, membership changes 4); leases follow
 * LeaseGuard (arXiv 2512.15659); time follows shm/clockpage.h.
 *
 * Durability contract.  Effects are carried out in field order.  Hard state
 * is durable before anything later in the same effects happens.  Entries are
 * written in the order given, but asynchronously: the host reports how far the
 * disk got with RAFT_EV_PERSISTED, and only then does the core count this node
 * towards a quorum or acknowledge to a leader.  So messages never wait for an
 * entry write, and no message ever promises what the disk does not hold.
 */
#ifndef RAFTFS_RAFTD_CORE_RAFT_H
#define RAFTFS_RAFTD_CORE_RAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/interval.h"
#include "common/story.h"

#define RAFT_NODES_MAX   9 /* members, learners and those leaving included */
#define RAFT_PEERS_MAX   (2 * RAFT_NODES_MAX)
#define RAFT_NOBODY      0u /* node ids start at 1 */
#define RAFT_ENTRIES_MAX 256 /* per AppendEntries */
#define RAFT_PROPOSALS_MAX 4096 /* per event */

struct raft;

/* A point on the cluster timeline: epochs are terms (SAFETY.md I1). */
struct raft_stamp {
	uint64_t epoch; /* term of the leader whose raw clock it is on */
	int64_t ts_ns;	/* strictly rises along the log (I4) */
};

enum raft_entry_kind {
	RAFT_ENTRY_NOOP = 0,	/* first entry of a term; data: hand-over record */
	RAFT_ENTRY_COMMAND = 1, /* a client's command, opaque */
	RAFT_ENTRY_EXTEND = 2,	/* no data: renews the lease (rule E1) */
	RAFT_ENTRY_RELINQUISH = 3, /* no data: gives the lease up (I10) */
	RAFT_ENTRY_CONFIG = 4, /* data: a whole membership, by its image */
	RAFT_ENTRY_LEASE = 5, /* data: how long leases last from here on */
};
#define RAFT_ENTRY_LAST RAFT_ENTRY_LEASE

struct raft_entry {
	uint64_t index; /* from 1 */
	uint64_t term;
	struct raft_stamp stamp;
	enum raft_entry_kind kind;
	const void *data; /* may be NULL when bytes is 0 */
	uint32_t bytes;
};

/* Data of the first entry of a term (I3): converts older stamps, errors add.
 * Fixed little-endian image by raft_handover_encode()/decode(). */
struct raft_handover {
	uint64_t old_epoch;	 /* 0: none known */
	struct interval old;	 /* old epoch's time at the hand-over instant;
				  * empty: unknown */
	int64_t new_ts_ns;	 /* the new epoch's time at the same instant */
	uint32_t max_rate_ppb;	 /* rho in force */
};
#define RAFT_HANDOVER_BYTES 40
void raft_handover_encode(const struct raft_handover *handover,
			  uint8_t image[RAFT_HANDOVER_BYTES]);
RFS_MUST_USE enum rfs_err raft_handover_decode(const void *image, size_t bytes,
					       struct raft_handover *handover);

/* How long leases last (I8): replicated state, as a membership is. D of an
 * entry is duration_ns of the newest RAFT_ENTRY_LEASE up to it, itself included;
 * 0, no lease, before the first. Data of such an entry: a fixed little-endian
 * image of the last two, by raft_lease_encode()/decode(). */
struct raft_lease {
	uint64_t index; /* of the entry that brought it; 0: none has */
	struct raft_stamp stamp; /* its */
	int64_t duration_ns;	 /* D; 0: leases are off */
	int64_t past_ns; /* no entry before it is younger than its own D once
			  * this one is older than this */
};
#define RAFT_LEASE_BYTES 24
void raft_lease_encode(const struct raft_lease *lease,
		       uint8_t image[RAFT_LEASE_BYTES]);
/* index and stamp are the entry's to say, and 0. VERSION, CORRUPT. */
RFS_MUST_USE enum rfs_err raft_lease_decode(const void *image, size_t bytes,
					    struct raft_lease *lease);

/* What a log says of leases up to an index (I9); goes with a snapshot there: the
 * setting, and the last hand-over records that convert older stamps. */
#define RAFT_HANDOVERS_MAX 4
struct raft_window {
	struct raft_lease lease;
	uint32_t handover_count;
	struct {
		uint64_t epoch; /* that began with it; ascending */
		struct raft_handover record;
	} handovers[RAFT_HANDOVERS_MAX];
};

/* Little-endian image, versioned; its length is returned. */
#define RAFT_WINDOW_BYTES_MAX                                                  \
	(48u + RAFT_HANDOVERS_MAX * (8u + RAFT_HANDOVER_BYTES))
uint32_t raft_window_encode(const struct raft_window *window,
			    uint8_t image[RAFT_WINDOW_BYTES_MAX]);
/* VERSION: of a later version. CORRUPT: no correct node made this. */
RFS_MUST_USE enum rfs_err raft_window_decode(const void *image, size_t bytes,
					     struct raft_window *window);

/* Who takes part (thesis, chapter 4).
 *
 * The list is replicated state: a node goes by the newest one its log holds,
 * committed or not, and by the one before when a truncation takes it away; else
 * by its snapshot's, else by raft_config's. A change of voters is two entries:
 * a joint membership, in which both the voters and the voters before must
 * agree to everything, and, as soon as that is committed, the voters alone.
 * Learners get the log and count nowhere.
 */
#define RAFT_ABOUT_MAX 192
struct raft_member {
	uint32_t id;
	bool voter;	   /* in the set that is, or is to be, in force */
	bool voter_before; /* joint: in the set that is being replaced */
	bool promote;	   /* learner: a voter as soon as it has caught up */
	uint32_t replaces; /* promote: this voter leaves in the same step */
	uint16_t about_bytes;
	uint8_t about[RAFT_ABOUT_MAX]; /* the host's: how it is reached */
};
struct raft_membership {
	uint64_t index; /* of the entry that brought it; 0: raft_config's own */
	bool joint;
	uint32_t last_id; /* the highest id ever used; ids never come back */
	uint32_t count;	  /* 0: a joiner, who knows none yet */
	struct raft_member members[RAFT_NODES_MAX]; /* by id, ascending */
};

/* Little-endian image, versioned, index included; its length is returned. */
#define RAFT_MEMBERSHIP_BYTES_MAX                                              \
	(20u + RAFT_NODES_MAX * (11u + RAFT_ABOUT_MAX))
uint32_t
raft_membership_encode(const struct raft_membership *membership,
		       uint8_t image[RAFT_MEMBERSHIP_BYTES_MAX]);
/* VERSION: of a later version. CORRUPT: no correct leader made this; count is
 * at least 1, and there is a voter. */
RFS_MUST_USE enum rfs_err
raft_membership_decode(const void *image, size_t bytes,
		       struct raft_membership *membership);
/* NULL: not a member. */
const struct raft_member *
raft_membership_find(const struct raft_membership *membership, uint32_t id);

/* "Now". Every event carries it; within one raft, raw_ns never goes back.
 * The cluster clock part is what the clock page says at raw_ns: cluster time
 * of that epoch is certainly inside the interval. usable = false: the page is
 * UNSYNCED, DISRUPTED or unreadable; nothing but raw_ns counts then. */
struct raft_now {
	int64_t raw_ns;	 /* CLOCK_MONOTONIC_RAW of this node */
	int64_t wall_ns; /* CLOCK_REALTIME; seeds a timeline that nobody carried
			  * here: the very first, and at a cold start, when no
			  * voter of the quorum has met a leader since
			  * raft_new() and no old interval is known. A living
			  * timeline never sees it */
	bool usable;
	uint64_t epoch;
	struct interval cluster;
	int64_t exchange_ns; /* round trip of the time exchange that the
			      * interval rests on; 0: unknown */
	uint32_t disruptions; /* page's counter; a change voids leases (I7).
			       * Holds while not usable too: the last value
			       * read, never reset to 0 meanwhile. */
};

enum raft_message_type {
	RAFT_MSG_VOTE = 1,	   /* RequestVote, or its pre-vote form */
	RAFT_MSG_VOTE_REPLY = 2,
	RAFT_MSG_APPEND = 3,	   /* AppendEntries; heartbeat when empty */
	RAFT_MSG_APPEND_REPLY = 4,
	RAFT_MSG_SNAPSHOT = 5,	   /* header only; the host streams the body.
				    * Repeated now and then until it arrived:
				    * a stream under way just goes on */
	RAFT_MSG_READ_INDEX = 6,   /* follower asks its leader */
	RAFT_MSG_READ_INDEX_REPLY = 7,
	RAFT_MSG_TIMEOUT_NOW = 8,  /* leadership transfer */
};

/* What a snapshot stands for; also the header of the snapshot file. With it
 * go the membership and what the log said of leases at its index, by
 * raft_membership_at() and raft_window_at(). */
struct raft_snapshot_meta {
	uint64_t index;
	uint64_t term;
	struct raft_stamp stamp; /* of the entry at index (I9) */
};

/* The last entry a node ever made durable, remembered when its disk lost it or
 * an earlier one (repair.h). index 0: nothing was lost. */
struct raft_floor {
	uint64_t index;
	uint64_t term;
};

/* What keeps a node from being of use as a leader, as bits (fitness.h). The
 * host knows the first three; the core sees the others. */
#define RAFT_UNFIT_DISK_FULL	1u  /* its log cannot grow */
#define RAFT_UNFIT_UNSERVED	2u  /* its storaged is gone, or restores */
#define RAFT_UNFIT_HUNG		4u  /* its storaged does not answer, or apply */
#define RAFT_UNFIT_CLOCK	8u  /* its clock page has shown nothing usable */
#define RAFT_UNFIT_CONTRADICTED 16u /* leader: by most of the others' clocks */
#define RAFT_UNFIT_SLOW_DISK	32u /* leader: much slower than another one's */
#define RAFT_CONTRADICTS	64u /* follower: its clock, the leader's stamps */
#define RAFT_UNFIT_HOST                                                        \
	(RAFT_UNFIT_DISK_FULL | RAFT_UNFIT_UNSERVED | RAFT_UNFIT_HUNG)

/* For people, the gravest only: "its disk is full"; "" for none. */
const char *raft_unfit_text(uint32_t unfit);

/* A leader's last own decision to hand over. to RAFT_NOBODY: none yet. */
struct raft_handed_over {
	uint32_t to;
	uint32_t why; /* RAFT_UNFIT_* */
	int64_t raw_ns;
};

/* May leadership go to a peer? raft_transfer_answer(). */
enum raft_transfer {
	RAFT_TRANSFER_OK = 0,
	RAFT_TRANSFER_NOT_LEADER,
	RAFT_TRANSFER_SELF,
	RAFT_TRANSFER_NO_VOTER,
	RAFT_TRANSFER_SILENT, /* it was not heard lately */
	RAFT_TRANSFER_BEHIND, /* it needs a snapshot first */
	RAFT_TRANSFER_UNFIT,  /* view.peers[].condition says why */
	RAFT_TRANSFER_SLOW,   /* leadership would not stay: its disk */
};

struct raft_message {
	enum raft_message_type type;
	uint32_t from;
	uint32_t to;
	uint64_t term;
	union {
		struct {
			bool pre; /* pre-vote: term is the one it would use */
			bool transfer; /* may override "I hear a leader" */
			uint64_t last_index;
			uint64_t last_term;
		} vote;
		struct {
			bool pre;
			bool granted;
			uint64_t supported_term; /* granted: the voter's own,
						  * as it was before */
			bool cold; /* granted, and has met no leader, nor led,
				    * since raft_new() */
		} vote_reply;
		struct {
			uint64_t previous_index;
			uint64_t previous_term;
			uint64_t commit_index;
			uint64_t round; /* echoed: confirms leadership */
			const struct raft_entry *entries;
			uint32_t count;
			uint32_t rank; /* the receiver's place in line if the
					* leader is lost, from 1; 0: none */
		} append;
		struct {
			bool accepted;
			uint64_t match_index; /* durable here, when accepted;
					       * else the previous_index that
					       * was refused */
			uint64_t hint_index;  /* where to probe, when not */
			uint64_t hint_term;
			uint64_t round;
			bool lost; /* the sender's disk lost entries after */
			uint64_t lost_after; /* this one: match goes back */
			uint32_t condition; /* RAFT_UNFIT_*, RAFT_CONTRADICTS */
			bool filling; /* see RAFT_EV_FILLING */
		} append_reply;
		struct raft_snapshot_meta snapshot;
		struct {
			uint64_t id; /* the asker's */
		} read_index;
		struct {
			uint64_t id;
			enum rfs_err err; /* OK, NOT_LEADER */
			uint64_t index;
		} read_index_reply;
	};
};

enum raft_event_type {
	RAFT_EV_TICK,		/* effects.deadline_raw_ns has passed, and all
				 * that came in before was handed over */
	RAFT_EV_RECEIVE,	/* a peer's message arrived, authenticated */
	RAFT_EV_PERSISTED,	/* log durable up to and including an entry */
	RAFT_EV_PROPOSE,	/* clients want commands appended */
	RAFT_EV_READ,		/* a client wants a linearizable read point */
	RAFT_EV_RTT,		/* a fresh round-trip measurement of a peer */
	RAFT_EV_PEER_LOST,	/* hint: peer's raftd died or its link was reset */
	RAFT_EV_DEATH,		/* a peer's supervisor reaped its raftd */
	RAFT_EV_SNAPSHOT_TAKEN, /* storaged holds a durable snapshot */
	RAFT_EV_SNAPSHOT_INSTALLED, /* one from the leader is in place */
	RAFT_EV_SNAPSHOT_FAILED,    /* sending to a peer broke off */
	RAFT_EV_TRANSFER,	/* hand leadership to a peer, or the best */
	RAFT_EV_HOST,		/* what the host has to say for itself */
	RAFT_EV_CONFIGURE,	/* operator: change the membership */
	RAFT_EV_LEASE,		/* how long leases are to last when we lead */
	RAFT_EV_FILLING,	/* this host still fetches data that committed
				 * commands only name, or has it now: until it
				 * has, a learner is not promoted. Nothing was
				 * said yet: it has. Voters are not affected */
};

/* Where a round trip is known from, the best first. */
enum raft_rtt_from {
	RAFT_RTT_ANSWERS = 0, /* of messages that the peer's raftd answered */
	RAFT_RTT_TCP,	      /* the least that the kernel saw on the link */
	RAFT_RTT_EXCHANGE,    /* of the time exchange, whoever that was with */
	RAFT_RTT_UNKNOWN,
};

enum raft_change {
	RAFT_CHANGE_ADD = 1,	 /* node: as a learner, then a voter */
	RAFT_CHANGE_ADD_LEARNER, /* node: as a learner, for good */
	RAFT_CHANGE_PROMOTE,	 /* node, a learner: a voter once caught up */
	RAFT_CHANGE_REMOVE,	 /* node: learner or voter, the leader too */
	RAFT_CHANGE_REPLACE,	 /* node, new, takes the place of `replaces` */
	RAFT_CHANGE_ABOUT,	 /* node: it is reached in another way now */
};

/* Answered in effects.proposals. OK: appended at index and term; the change is
 * made for good if that very entry is committed, and over once raft_membership()
 * is committed, not joint, and no learner waits to be promoted. Else nothing
 * happened:
 *   NOT_LEADER
 *   BUSY     the change before is not committed, or this leader has committed
 *	      nothing in its term yet: ask again
 *   EXIST    the id is, or once was, a member's; a promoted one is a voter
 *   NOENT    node, or `replaces`, is no member
 *   INVALID  no such change; no voter would be left; `replaces` is no voter,
 *	      or is being replaced; `about` is too long
 *   FULL     RAFT_NODES_MAX members; or the log has no room
 *   NO_QUORUM too few of the voters that would be left are heard: the change
 *	      could never end
 * A learner that never catches up holds up nothing: REMOVE takes it back. */
struct raft_configure {
	uint64_t id; /* the host's; comes back in effects.proposals */
	enum raft_change change;
	uint32_t node;	   /* ADD, ADD_LEARNER, REPLACE: above last_id */
	uint32_t replaces; /* REPLACE only */
	const void *about; /* ADD, ADD_LEARNER, REPLACE, ABOUT */
	uint32_t about_bytes;
};

struct raft_proposal {
	uint64_t id; /* the host's; comes back in effects.proposals */
	const void *data;
	uint32_t bytes;
};

/* Pointers are borrowed for the call: raft_step() copies what it keeps. */
struct raft_event {
	enum raft_event_type type;
	struct raft_now now;
	union {
		const struct raft_message *message; /* RECEIVE */
		struct {
			uint64_t index; /* PERSISTED: that very entry, so that */
			uint64_t term;	/* a truncated one never counts. Once
					 * told to truncate or reset, the host
					 * reports only what it wrote after. */
		} persisted;
		struct {
			const struct raft_proposal *proposals;
			uint32_t count;
		} propose;
		struct {
			uint64_t id; /* READ: comes back in effects.reads */
		} read;
		struct {
			uint32_t peer;
			int64_t rtt_ns;
			enum raft_rtt_from from; /* ANSWERS, TCP */
		} rtt;
		/* DEATH: signed by that node's supervisor, which before saw to
		 * it that its raftd can act no more and its consensus page
		 * lets nobody read (I11). term_led also names the incarnation:
		 * who restarts never leads again in a term it knew, so a
		 * notice stays true for ever, and a replay is harmless. */
		struct {
			uint32_t node;
			uint64_t term_led; /* it led when it died; 0: did not */
		} death;
		/* PEER_LOST, SNAPSHOT_FAILED; TRANSFER: RAFT_NOBODY is who
		 * should lead next, if there is one */
		uint32_t peer;
		uint32_t unfit; /* HOST: bits of RAFT_UNFIT_HOST, from now on */
		/* SNAPSHOT_TAKEN, _INSTALLED. The host puts one in place only
		 * while its index is above effects.commit_index. */
		struct {
			struct raft_snapshot_meta snapshot;
			/* INSTALLED: at its index; NULL: raft_config's. */
			const struct raft_membership *membership;
			/* INSTALLED: the same; NULL: no setting was made. */
			const struct raft_window *window;
		};
		struct raft_configure configure; /* CONFIGURE */
		bool filling;			 /* FILLING */
		int64_t lease_ns;		 /* LEASE: as in raft_config */
	};
};

/* Answer to one proposal: OK = appended at index and term; it took effect if
 * and only if that very (index, term) is later committed. Otherwise nothing
 * was appended: NOT_LEADER, or FULL (back-pressure: log memory, disk). */
struct raft_proposal_done {
	uint64_t id;
	enum rfs_err err;
	uint64_t index;
	uint64_t term;
};

/* Answer to one READ: state that has applied `index` may answer it.
 * NOT_LEADER: no leader known or leadership lost meanwhile; ask again.
 * FULL: too many reads wait already. */
struct raft_read_done {
	uint64_t id;
	enum rfs_err err;
	uint64_t index;
	bool by_lease; /* no message was sent for it */
};

/* Carry out in field order. Arrays belong to the raft and are valid until the
 * next step. Fields not named by this step are zero. */
struct raft_effects {
	bool hard_state_changed; /* make these four durable first */
	uint64_t term;
	uint32_t voted_for;
	uint64_t supported_term; /* the last in which this node voted for
				  * another one, or led (I10: P) */
	struct raft_floor floor; /* index 0: what was lost is back */

	bool reset_log; /* a snapshot replaced it: restart the log file after */
	struct raft_snapshot_meta reset_to;
	uint64_t truncate_from; /* 0: nothing; else drop entries >= this */
	/* Two histories, each with its stamps: how many entries go, the first of
	 * them, and what takes its place. Which is right was decided by the
	 * leader's election, never by stamps. */
	struct raft_conflict {
		uint64_t count;
		uint64_t dropped_term, kept_term;
		struct raft_stamp dropped, kept;
	} conflict;
	const struct raft_entry *append;
	uint32_t append_count;

	const struct raft_message *send;
	uint32_t send_count;

	uint64_t commit_index; /* always: entries up to here may be applied */
	bool membership_changed; /* raft_membership() is another one now */

	const struct raft_proposal_done *proposals;
	uint32_t proposal_count;
	const struct raft_read_done *reads;
	uint32_t read_count;

	uint64_t compact_to; /* 0: nothing; else entries <= this may leave the
			      * disk: a snapshot covers them, and they had
			      * reached it (so maybe later than the event) */

	int64_t deadline_raw_ns; /* always: when the next TICK is due */
};

/* Fixed for the life of a raft, but for the members: those are who began the
 * cluster, all voters, self among them, and count only while neither log nor
 * snapshot brings a membership. None: a joiner. It takes entries from any leader
 * the host lets through, gives no vote and never stands, until a membership
 * comes; it refuses one that has it as a voter already, for then it has been
 * one, and has forgotten what it promised. */
struct raft_config {
	uint32_t self;
	struct raft_member members[RAFT_NODES_MAX]; /* id, about; ascending */
	uint32_t member_count;
	int64_t election_timeout_min_ns; /* floor; actual follows measured RTT */
	int64_t election_timeout_max_ns; /* ceiling */
	int64_t heartbeat_min_ns;
	int64_t lease_ns; /* what this node sets D to when it leads, until a
			   * RAFT_EV_LEASE; 0: off, every read asks a quorum.
			   * In force is what the log says */
	uint32_t max_rate_ppb; /* rho: any two raw clocks, |rate - 1| apart */
	uint32_t inflight_entries_max; /* per follower, pipelining */
	uint64_t inflight_bytes_max;
	uint64_t log_entries_max; /* kept in memory between snapshots */
	uint64_t log_bytes_max;
	uint64_t seed;
	struct story story;
};

/* What the disk held at start: hard state, snapshot, entries in order and
 * without gap, the first at most snapshot.index + 1. Entries are copied; those
 * the snapshot covers are skipped, and when the one at snapshot.index has
 * another term all are. A disk log that does not lead up to what is left is
 * reset by the first step's effects. All zero: a fresh node. */
struct raft_restart {
	uint64_t term;
	uint32_t voted_for;
	uint64_t supported_term;
	struct raft_snapshot_meta snapshot;
	const struct raft_membership *membership; /* at the snapshot; copied.
						   * NULL: raft_config's */
	const struct raft_window *window; /* at the snapshot; copied. NULL: no
					   * setting was made by then */
	const struct raft_entry *entries;
	uint64_t entry_count;
	struct raft_floor floor; /* durable before the log was cut */
};

/* A raft on the heap, or NULL when memory is out. Owned by the caller.
 * It starts as a follower; first deadline by raft_deadline_ns(). */
struct raft *raft_new(const struct raft_config *config,
		      const struct raft_restart *restart,
		      const struct raft_now *now);
void raft_free(struct raft *raft);

/* Cannot fail: capacity was fixed by raft_new(), and a message that makes no
 * sense is counted and dropped, as if the network had lost it. */
void raft_step(struct raft *raft, const struct raft_event *event,
	       struct raft_effects *effects);

int64_t raft_deadline_ns(const struct raft *raft);

/* One entry of the in-memory log; NULL when compacted away or not there yet.
 * Valid until the next step. The host applies commit_index through this. */
const struct raft_entry *raft_log_at(const struct raft *raft, uint64_t index);
uint64_t raft_log_first(const struct raft *raft); /* <= snapshot index + 1 */
uint64_t raft_log_last(const struct raft *raft);

/* Who takes part now. Valid until the next step; never NULL. */
const struct raft_membership *raft_membership(const struct raft *raft);
/* The same as of a log index; false: below the snapshot's, or not there yet.
 * The host keeps it beside a snapshot it takes there. */
RFS_MUST_USE bool raft_membership_at(const struct raft *raft, uint64_t index,
				     struct raft_membership *membership);

/* What the log says of leases up to an index, under the same conditions. */
RFS_MUST_USE bool raft_window_at(const struct raft *raft, uint64_t index,
				 struct raft_window *window);

enum raft_role {
	RAFT_FOLLOWER = 0,
	RAFT_PRECANDIDATE = 1,
	RAFT_CANDIDATE = 2,
	RAFT_LEADER = 3,
};

/* How this node stands to the cluster. */
enum raft_standing {
	RAFT_JOINER = 0, /* in no membership yet */
	RAFT_LEARNER = 1,
	RAFT_VOTER = 2,
	RAFT_LEAVING = 3, /* left out by one that is not known committed */
	RAFT_REMOVED = 4, /* for good: never stands, disturbs nobody */
};

/* What the election timeout follows from. */
enum raft_timeout_from {
	RAFT_TIMEOUT_FLOOR = 0,	     /* all that was measured is quicker */
	RAFT_TIMEOUT_UNMEASURED = 1, /* no quorum's round trips: the ceiling */
	RAFT_TIMEOUT_ROUND_TRIP = 2, /* ten times that over a quorum */
	RAFT_TIMEOUT_SILENCES = 3,   /* twice the leader's usual silence */
	RAFT_TIMEOUT_CEILING = 4,    /* either, and it is cut short */
	RAFT_TIMEOUT_LEARNING = 5,   /* three times the floor, until silences
				      * are known */
};

/* What the consensus page and `raftfs status` show. lease_until_raw_ns is the
 * last instant on this node's raw clock at which a local read is allowed by
 * R1, and by R2 if no command in (commit_index, limbo_index] can change its
 * answer. Who reads by it without asking sends a RAFT_EV_READ once less than
 * half of D is left, so that the lease is renewed while reads flow (E1). */
struct raft_view {
	enum raft_role role;
	uint64_t term;
	uint32_t voted_for;
	uint32_t leader; /* RAFT_NOBODY: unknown */
	uint64_t commit_index;
	uint64_t last_index;
	uint64_t first_index;
	struct raft_stamp base_stamp; /* of the entry before that one */
	uint64_t limbo_index; /* leader: the last command it inherited and does
			       * not know committed; 0: none. Fixed for a
			       * term until an entry of it commits */
	struct raft_floor floor; /* index 0: nothing is being repaired */
	uint64_t durable_index;
	const char *lease_why; /* it is not valid because; "" when it is */
	bool lease_valid;
	int64_t lease_until_raw_ns;
	uint32_t lease_disruptions; /* clock page counter it was computed under */
	struct raft_lease lease; /* the setting in force at commit_index */
	int64_t lease_wanted_ns; /* what this node would set when leading */
	uint64_t epoch;		    /* timeline in force; 0: none yet. `leader`
				     * carries it once it equals `term` */
	int64_t epoch_raw_ns;	    /* leader only: its raw clock and the */
	int64_t epoch_ts_ns;	    /* cluster time, at the epoch's first instant */
	int64_t election_timeout_ns;
	enum raft_timeout_from election_timeout_from;
	int64_t rtt_quorum_ns;	  /* high side, of the fastest quorum; 0: unknown */
	enum raft_rtt_from rtt_quorum_from; /* its slowest member's */
	int64_t leader_silence_ns; /* usual longest; 0: not known yet */
	int64_t leader_silence_max_ns; /* of this leader, ever; 0: none yet */
	const char *slots_why; /* elections are randomised because; "" when
				* this node waits for its slot */
	int64_t heartbeat_ns;
	int64_t disk_ns;    /* until an entry is durable here; 0: not known */
	uint32_t condition; /* RAFT_UNFIT_* of this node */
	uint32_t rank;	    /* its place in line, from 1; 0: not told */
	uint32_t transfer_to; /* whom it is handing leadership to; 0 */
	struct raft_handed_over handed_over;
	enum raft_standing standing;
	uint64_t membership_index;
	/* The members in their order, then who just left and is still told
	 * so: the host keeps its link to that one while it is listed here. */
	struct raft_peer_view {
		uint32_t id;
		bool member;
		bool voter; /* in either set, when joint */
		uint64_t match_index;
		uint64_t next_index;
		int64_t rtt_ns;		/* smoothed, of answers; else TCP's */
		enum raft_rtt_from rtt_from;
		int64_t tcp_rtt_ns;	/* TCP's least; 0: not known */
		int64_t last_heard_raw_ns;
		int64_t disk_ns;    /* until an entry is durable there; 0 */
		uint32_t condition; /* RAFT_UNFIT_*, as it said last */
		bool snapshotting;
		bool filling;		/* it said so when last heard */
	} peers[RAFT_PEERS_MAX]; /* leader: meaningful in full */
	uint32_t peer_count;
	struct raft_counters {
		uint64_t elections_started;
		uint64_t elections_won;
		uint64_t messages_dropped;
		uint64_t reads_by_lease;
		uint64_t reads_by_quorum;
		uint64_t stamps_disagreed; /* leader's stamp outside our interval */
		uint64_t commits_waited_lease; /* C1 held a commit back */
		uint64_t leases_given_up; /* C1 did not wait: I10 or I11 */
		uint64_t handed_over; /* by own decision, as handed_over says */
		uint64_t repairs; /* floors reached again */
	} counters;
};
void raft_view(const struct raft *raft, struct raft_view *view);

/* What a RAFT_EV_TRANSFER to this peer would meet now. OK: it is under way
 * after that event, and over when the leader is another or the host's patience
 * is at an end. */
enum raft_transfer raft_transfer_answer(const struct raft *raft, uint32_t peer);

#endif
