/* The pages and the link: what children share, made new at a writer's start.
 *
 * A page's generations follow one another: pages_renew() makes the next, the
 * shell hands it out, pages_retire() then marks the one before as superseded,
 * so that whoever sees the mark already has the new one on its way.
 */
#ifndef RAFTFS_SUPERVISOR_PAGES_H
#define RAFTFS_SUPERVISOR_PAGES_H

#include <stdint.h>

#include "common/err.h"

struct page_slot {
	const char *name;
	uint32_t magic;
	uint32_t version;
	uint64_t generation; /* 0: none made yet */
	int fd;		     /* for its writer; -1 */
	int reader_fd;	     /* for readers: opened read-only; -1 */
	void *map;	     /* ours; NULL */
	void *previous;	     /* the superseded-to-be; NULL */
};

void pages_init_clock(struct page_slot *slot);
void pages_init_cons(struct page_slot *slot);
void pages_fini(struct page_slot *slot);

/* The next generation. IO (logged): the old one stays. */
RFS_MUST_USE enum rfs_err pages_renew(struct page_slot *slot);

/* Mark the generation before as superseded and forget it. */
void pages_retire(struct page_slot *slot);

/* The writer says it is ready: it should have sealed its page. Done for it,
 * with a warning, when it has not. */
void pages_check_sealed(const struct page_slot *slot);

/* raftd has been reaped: nothing in the consensus page may be relied on. */
void pages_revoke(struct page_slot *cons);

/* What a revoked page was left saying: the incarnation of its raftd, and the
 * term it led when it died (0: none, or it died while writing). */
void pages_last_words(const struct page_slot *cons, uint64_t *incarnation,
		      uint64_t *term_led);

#endif
