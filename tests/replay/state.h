/* What the model remembers of a run; shared by its files and nobody else. */
#ifndef RAFTFS_TESTS_REPLAY_STATE_H
#define RAFTFS_TESTS_REPLAY_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/replay/model.h"
#include "tests/replay/trace.h"

#define NODES_MAX      32 /* ids from 1; bits of a word */
#define IDENTITIES_MAX 1024
#define KEYS_MAX       64
#define OPERATIONS_MAX 256 /* under way at once */
#define POINTS_MAX     1024

enum kind {
	KIND_FIRST,
	KIND_COMMAND,
	KIND_EXTEND,
	KIND_RELINQUISH,
	KIND_CONFIG,
	KIND_SETTING,
	KIND_OTHER,
};

/* One entry, whoever holds it: (index, term) names it. */
struct entry {
	uint64_t index, term; /* term 0: free slot of the table */
	uint64_t previous_term;
	uint64_t epoch;
	int64_t ts_ns;
	int64_t made_ns; /* true time */
	enum kind kind;
	uint32_t key, identity, sequence;
	uint32_t voters, before; /* config; bits by id */
	int64_t past_ns; /* setting */
	int64_t lease_ns; /* D: what the log up to here says, itself included */
};

struct term {
	uint32_t leader;
	bool dead;	       /* that leader's raftd died since */
	bool settled;	       /* C1 is behind it */
	uint64_t skipped_from; /* it did not wait for the lease of that term,
				* so nobody leads in between; 0: none */
	uint64_t inherited;    /* last entry of the leader's log when elected */
	bool anchored;
	int64_t anchor_raw_ns, anchor_ts_ns;
	uint32_t votes[NODES_MAX]; /* bits of voters, by candidate */
	struct {
		bool stood;
		uint64_t last, last_term;
	} stood[NODES_MAX];
};

struct node {
	bool up;
	uint64_t hard_term;
	uint32_t hard_vote;
	uint64_t voted_term; /* the last it was heard to vote in, */
	uint32_t voted_for;  /* and for whom */
	uint64_t leads;	     /* term; 0: does not */
	uint64_t *log;	     /* terms by index */
	uint64_t last, capacity;
	uint64_t durable;  /* of its log */
	uint64_t snapshot; /* its state is durable up to here */
	uint64_t config;   /* newest such entry of its log; 0: none */
	uint64_t commit;
	uint64_t *promised;	/* terms, as its log was before the damage */
	uint64_t promised_last; /* 0: not damaged */
};

struct operation {
	bool open;
	bool put;
	uint64_t id;
	uint32_t key;
	uint64_t floor; /* greatest place of an operation that had ended */
};

struct place {
	uint64_t state; /* 0: free slot */
	uint64_t index;
	uint32_t key;
};

/* One parsed line. */
struct line {
	uint32_t node;
	char *words[TRACE_WORDS_MAX]; /* the arguments */
	uint32_t count;
	bool bad; /* an argument was no number */
};

struct model {
	struct model_counts counts;
	char verdict[512];
	struct line line;
	int64_t now_ns;

	uint32_t node_count;
	int64_t lease_ns; /* D before the first setting */
	int64_t longest_ns; /* the longest D of any entry */
	int64_t rho_ppb;
	bool clocks_trusted;

	bool configured; /* there is a configuration entry somewhere */
	struct node nodes[NODES_MAX];
	struct term *terms;
	uint64_t term_count;
	struct entry *entries; /* open addressing */
	uint64_t entry_count, entry_capacity;

	uint64_t *committed;	/* terms by index */
	uint64_t *committed_by; /* terms of the leaders that counted */
	uint64_t committed_last, committed_capacity;
	uint64_t command_last; /* newest committed command */
	uint64_t key_last[KEYS_MAX];

	struct {
		uint64_t token;
		uint64_t committed;
	} points[POINTS_MAX];
	uint64_t point_next;

	struct operation operations[OPERATIONS_MAX];
	uint64_t ended[KEYS_MAX]; /* greatest place of an ended operation */
	uint32_t sequences[IDENTITIES_MAX];
	struct place *places;
	uint64_t place_count, place_capacity;
};

uint64_t line_u64(struct line *line, uint32_t at);
int64_t line_i64(struct line *line, uint32_t at);

/* The verdict; only the first counts. */
void broken(struct model *model, const char *rule, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

struct term *term_of(struct model *model, uint64_t term);

/* log.c */
const struct entry *entry_find(const struct model *model, uint64_t index,
			       uint64_t term);
/* Term of that entry in a node's log; 0: it has none. */
uint64_t log_term(const struct node *node, uint64_t index);
void on_start(struct model *model, struct line *line);
void on_append(struct model *model, struct line *line);
void on_truncate(struct model *model, struct line *line);
void on_snapshot(struct model *model, struct line *line);
void on_reset(struct model *model, struct line *line);
void on_durable(struct model *model, struct line *line);
void on_damaged(struct model *model, struct line *line);
void on_mended(struct model *model, struct line *line);
void on_ack(struct model *model, struct line *line);
void on_commit(struct model *model, struct line *line);

/* configs.c */
struct config {
	uint64_t index; /* 0: the first, of the cluster's line */
	uint32_t voters, before;
};
struct config config_of(const struct model *model, const struct node *node);
void config_refresh(const struct model *model, struct node *node);
void config_new(struct model *model, const struct node *node,
		const struct entry *entry);
/* Do these nodes (bits by id) decide, by the configuration that this node's log
 * holds? */
bool is_quorum(const struct model *model, const struct node *node,
	       uint32_t nodes);

/* votes.c */
void on_stop(struct model *model, struct line *line);
void on_hard(struct model *model, struct line *line);
void on_stand(struct model *model, struct line *line);
void on_vote(struct model *model, struct line *line);
void on_lead(struct model *model, struct line *line);

/* leases.c */
void lease_commit(struct model *model, const struct node *node);
void lease_setting(struct model *model, const struct node *node,
		   const struct entry *entry);
void on_asked(struct model *model, struct line *line);
void on_point(struct model *model, struct line *line);
void on_lease_read(struct model *model, struct line *line);

/* stamps.c */
void stamp_entry(struct model *model, const struct entry *entry,
		 int64_t before_ts_ns, int64_t raw_ns, struct line *line);

/* operations.c */
void on_applied(struct model *model, struct line *line);
void on_begin(struct model *model, struct line *line);
void on_end(struct model *model, struct line *line);

#endif
