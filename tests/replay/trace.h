/* What `raftfs-sim --trace FILE` writes: all that can be observed of one run.
 *
 * Text, one event a line, in the order in which things happened:
 *
 *	TIME NODE WORD ARGUMENT...
 *
 * TIME is true time in ns, which no node sees; NODE an id, 0 for the world.
 * What a node decides and what it does may lie apart (its hard state is
 * written, it is paused): a line stands where it is done. All indexes and
 * terms as in the paper, 0 for none.
 *
 *  0 cluster NODES LEASE_NS RHO_PPB TRUSTED   first line; nodes 1 to NODES
 *			vote until an entry says otherwise; LEASE_NS is D before
 *			the first setting, 0 in a run; TRUSTED 0: a clock
 *			breaks the rate rule, lease rules are not judged
 *
 *  start TERM VOTE SNAPSHOT SNAPSHOT_TERM {LAST TERM}...   raftd runs, with
 *			what its disk held: the snapshot, and after it the
 *			entries up to each LAST, of that TERM
 *  damaged		since it last ran its disk lost entries it had promised
 *  mended		it holds again what it had promised then
 *  stop		raftd died; its page lets nobody read
 *  hard TERM VOTE	durable
 *  stand TERM LAST LAST_TERM	   asks for votes (not pre-votes)
 *  vote TERM CANDIDATE		   a granted vote leaves
 *  lead TERM			   it takes itself for the leader
 *  append INDEX TERM EPOCH TS MADE RAW KIND [...]   into its log; MADE: true
 *			time of the decision, RAW: its raw clock then
 *	KIND first OLD_EPOCH LOW HIGH TS	LOW > HIGH: old time unknown
 *	     command KEY IDENTITY SEQUENCE
 *	     extend, relinquish
 *	     config VOTERS BEFORE	who counts, by bits (1 << id); BEFORE
 *			not 0: joint, both must agree
 *	     setting D PAST		leases last D from here on; PAST: the
 *			longest D of entries before that may be younger still
 *	     other				anything else
 *  truncate FROM
 *  snapshot INDEX TERM		   its state covers the log up to there, durably
 *  reset INDEX TERM		   the log is that snapshot and nothing more
 *  durable INDEX		   its disk holds its log up to there
 *  ack INDEX			   tells a leader that its disk does
 *  commit INDEX		   its commit index
 *
 *  asked TOKEN			   a read point is asked of raftd
 *  point TOKEN INDEX WAY	   and given; WAY lease or quorum
 *  lease-read COMMIT KEY	   storaged answers a read by the page
 *
 *  0 applied INDEX KEY STATE	   first node to apply a command that is not a
 *			repetition; STATE names what it left of the key
 *  0 begin OP KEY WAY		   a client's operation; WAY get or put
 *  0 end OP STATE		   answered; STATE 0: never written
 */
#ifndef RAFTFS_TESTS_REPLAY_TRACE_H
#define RAFTFS_TESTS_REPLAY_TRACE_H

#define TRACE_LINE_MAX	(1 << 18)
#define TRACE_WORDS_MAX (1 << 14)

#endif
