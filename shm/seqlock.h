/* The one read and the one write protocol of the shared pages.
 *
 * A sequence number is odd while the writer is at work. Every field is its own
 * atomic: stored with release, loaded with acquire, which costs nothing on
 * x86, needs no fences (ThreadSanitizer follows it), and orders each field
 * behind the odd number and before the even one.
 *
 *	writer: odd -> fields (release) -> even (release)
 *	reader: even? (acquire) -> fields (acquire) -> the same number still?
 */
#ifndef RAFTFS_SHM_SEQLOCK_H
#define RAFTFS_SHM_SEQLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SEQLOCK_PUT(field, value)                                              \
	atomic_store_explicit(&(field), (value), memory_order_release)
#define SEQLOCK_GET(field) atomic_load_explicit(&(field), memory_order_acquire)

/* Returns the number to hand to seqlock_write_end(). */
static inline uint32_t seqlock_write_begin(_Atomic uint32_t *seq)
{
	uint32_t odd = atomic_load_explicit(seq, memory_order_relaxed) | 1;

	atomic_store_explicit(seq, odd, memory_order_relaxed);
	return odd;
}

static inline void seqlock_write_end(_Atomic uint32_t *seq, uint32_t odd)
{
	atomic_store_explicit(seq, odd + 1, memory_order_release);
}

/* False: a write is under way. */
static inline bool seqlock_read_begin(const _Atomic uint32_t *seq,
				      uint32_t *before)
{
	*before = atomic_load_explicit(seq, memory_order_acquire);
	return (*before & 1) == 0;
}

/* False: the fields read since seqlock_read_begin() may be torn. */
static inline bool seqlock_read_end(const _Atomic uint32_t *seq,
				    uint32_t before)
{
	return atomic_load_explicit(seq, memory_order_relaxed) == before;
}

#endif
