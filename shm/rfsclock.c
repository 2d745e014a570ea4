/* The public reader of the clock page: one seqlock pass, one clock reading. */
#include "shm/rfsclock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "common/os/tsc.h"
#include "common/units.h"
#include "shm/clockpage.h"
#include "shm/clockread.h"

_Static_assert((int)RFSCLOCK_UNSYNCED == (int)CLOCK_UNSYNCED, "same values");
_Static_assert((int)RFSCLOCK_HOLDOVER == (int)CLOCK_HOLDOVER, "same values");
_Static_assert((int)RFSCLOCK_SYNCED == (int)CLOCK_SYNCED, "same values");
_Static_assert((int)RFSCLOCK_DISRUPTED == (int)CLOCK_DISRUPTED, "same values");

#define REOPEN_GAP_NS (100 * NS_PER_MS)
/* A writer that was descheduled half-way gets the processor this often. */
#define BUSY_YIELDS 20
#define NAP_MAX_NS  (50 * NS_PER_MS)
/* Raw and TSC further apart than this: the page is of another raw clock (of
 * another machine or time namespace), and says nothing here. */
#define ALIEN_NS NS_PER_MS
#define CHECK_TRIES 3

/* Pages that were superseded: another thread may still be reading them. */
struct old_page {
	struct old_page *next;
	const struct clockpage *page;
};

/* No sample has this number: theirs have 32 bits. */
#define NO_SEQ UINT64_MAX

struct rfsclock {
	/* Until this process has examined the sample of that number: NO_SEQ.
	 * Both belong to `page`, and are withdrawn before it is replaced. */
	const struct clockpage *_Atomic page;
	_Atomic uint64_t line_seq; /* its TSC line agrees with raw here */
	_Atomic uint64_t raw_seq;  /* it has a bound, on our raw clock */

	_Atomic int64_t kept_asof_ns; /* of `kept` */
	atomic_bool use_tsc;
	atomic_bool alien;    /* raw is not the page's, says the TSC */
	pthread_mutex_t lock; /* of all below */
	struct clock_sample kept;     /* the last whole sample seen */
	bool has_kept;
	int64_t reopened_ns;
	struct old_page *old;
	char *path;
};

static int map_path(const char *path, const struct clockpage **page)
{
	const void *map;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum rfs_err err;

	if (fd < 0)
		return errno;
	err = page_map_reader(fd, CLOCKPAGE_MAGIC, CLOCKPAGE_VERSION, &map);
	close(fd);
	if (err != RFS_ERR_OK)
		return rfs_err_errno(err);
	*page = map;
	return 0;
}

int rfsclock_open(const char *path, struct rfsclock **clock)
{
	struct rfsclock *made = calloc(1, sizeof(*made));
	const struct clockpage *page = NULL;
	int err;

	if (made == NULL)
		return ENOMEM;
	made->path = strdup(path);
	err = made->path != NULL ? map_path(path, &page) : ENOMEM;
	if (err != 0) {
		free(made->path);
		free(made);
		return err;
	}
	atomic_init(&made->page, page);
	atomic_init(&made->line_seq, NO_SEQ);
	atomic_init(&made->raw_seq, NO_SEQ);
	atomic_init(&made->kept_asof_ns, INT64_MIN);
	atomic_init(&made->use_tsc, tsc_is_invariant());
	pthread_mutex_init(&made->lock, NULL);
	*clock = made;
	return 0;
}

void rfsclock_close(struct rfsclock *clock)
{
	if (clock == NULL)
		return;
	page_unmap(atomic_load(&clock->page));
	while (clock->old != NULL) {
		struct old_page *old = clock->old;

		clock->old = old->next;
		page_unmap(old->page);
		free(old);
	}
	pthread_mutex_destroy(&clock->lock);
	free(clock->path);
	free(clock);
}

/* Readings are examined again from here on. */
static void withdraw(struct rfsclock *clock)
{
	atomic_store(&clock->line_seq, NO_SEQ);
	atomic_store(&clock->raw_seq, NO_SEQ);
	atomic_store(&clock->kept_asof_ns, INT64_MIN);
}

static void replace_page(struct rfsclock *clock, const struct clockpage *page)
{
	struct old_page *old = malloc(sizeof(*old));

	if (old == NULL) {
		page_unmap(page);
		return;
	}
	old->page = atomic_load(&clock->page);
	old->next = clock->old;
	clock->old = old;
	withdraw(clock);
	atomic_store(&clock->page, page);
}

/* timesyncd was restarted. Until its new page is there the old one ages. */
static void reopen(struct rfsclock *clock)
{
	int64_t raw_ns = clock_raw_ns();
	const struct clockpage *page = NULL;

	if (pthread_mutex_trylock(&clock->lock) != 0)
		return; /* somebody is at it */
	if (raw_ns - clock->reopened_ns >= REOPEN_GAP_NS) {
		clock->reopened_ns = raw_ns;
		if (page_is_superseded(atomic_load(&clock->page)) &&
		    map_path(clock->path, &page) == 0)
			replace_page(clock, page);
	}
	pthread_mutex_unlock(&clock->lock);
}

static const struct clockpage *current_page(struct rfsclock *clock)
{
	const struct clockpage *page = atomic_load_explicit(
		&clock->page, memory_order_acquire);

	if (!page_is_superseded(page))
		return page;
	reopen(clock);
	return atomic_load_explicit(&clock->page, memory_order_acquire);
}

/* By how much the line misses raw now; 0: not at all, as far as can be told.
 * raw is read before and after: an interruption only widens what is allowed. */
static int64_t apart_ns(const struct clock_tsc *tsc)
{
	int64_t least_ns = INT64_MAX;

	for (int i = 0; i < CHECK_TRIES && least_ns > 0; i++) {
		int64_t low_ns = clock_raw_ns() - tsc->error_ns;
		uint64_t age = tsc_read() - tsc->base;
		int64_t high_ns = clock_raw_ns() + tsc->error_ns;
		int64_t at_ns = tsc->raw_ns +
				clockread_scale(age, tsc->raw_mult);
		int64_t miss_ns = at_ns < low_ns  ? low_ns - at_ns :
				  at_ns > high_ns ? at_ns - high_ns :
						    0;

		if (age >= tsc->life)
			return INT64_MAX;
		if (miss_ns < least_ns)
			least_ns = miss_ns;
	}
	return least_ns;
}

/* A line is believed by this process once its own two clocks agree on it. */
static bool line_agrees(struct rfsclock *clock, const struct clock_tsc *tsc)
{
	int64_t miss_ns;

	if (tsc->life == 0 || !atomic_load(&clock->use_tsc))
		return false;
	miss_ns = apart_ns(tsc);
	if (miss_ns == INT64_MAX)
		return false; /* too old to tell anything */
	atomic_store(&clock->alien, miss_ns > ALIEN_NS);
	return miss_ns == 0;
}

static void examine(struct rfsclock *clock, const struct clock_sample *sample,
		    uint32_t seq)
{
	bool agrees = line_agrees(clock, &sample->tsc);
	bool bound = (sample->quality == CLOCK_SYNCED ||
		      sample->quality == CLOCK_HOLDOVER) &&
		     sample->void_after_ns > sample->asof_ns;
	bool alien = atomic_load(&clock->alien);

	atomic_store(&clock->line_seq, agrees && bound ? seq : NO_SEQ);
	atomic_store(&clock->raw_seq, bound && !alien ? seq : NO_SEQ);
}

/* Once per change of the page, not once per reading. */
static void keep(struct rfsclock *clock, const struct clockpage *page)
{
	struct clock_sample sample;
	uint32_t seq = SEQLOCK_GET(page->seq);

	if (pthread_mutex_trylock(&clock->lock) != 0)
		return;
	if (page == atomic_load(&clock->page) &&
	    clockpage_read(page, &sample) == RFS_ERR_OK &&
	    seqlock_read_end(&page->seq, seq)) {
		clock->kept = sample;
		clock->has_kept = true;
		atomic_store(&clock->kept_asof_ns, sample.asof_ns);
		examine(clock, &sample, seq);
	}
	pthread_mutex_unlock(&clock->lock);
}

static bool is_kept(struct rfsclock *clock, int64_t asof_ns)
{
	return atomic_load_explicit(&clock->kept_asof_ns,
				    memory_order_relaxed) == asof_ns;
}

/* The page cannot be read: its writer stands, or died, inside an update. */
static int last_kept(struct rfsclock *clock, const struct clockpage *page,
		     struct clock_sample *sample)
{
	int err = EAGAIN;

	for (int i = 0; i < BUSY_YIELDS; i++) {
		sched_yield();
		if (clockpage_read(page, sample) == RFS_ERR_OK)
			return 0;
	}
	pthread_mutex_lock(&clock->lock);
	if (clock->has_kept) {
		*sample = clock->kept;
		err = 0;
	}
	pthread_mutex_unlock(&clock->lock);
	return err;
}

static int read_sample(struct rfsclock *clock, struct clock_sample *sample)
{
	const struct clockpage *page = current_page(clock);
	enum rfs_err err = clockpage_read(page, sample);

	if (err == RFS_ERR_OK) {
		if (!is_kept(clock, sample->asof_ns))
			keep(clock, page);
		return 0;
	}
	return err == RFS_ERR_BUSY ? last_kept(clock, page, sample) :
				     rfs_err_errno(err);
}

static void fill_interval(struct rfsclock *clock, struct rfsclock_interval *now,
			  const struct clock_sample *sample, int64_t raw_ns)
{
	struct interval at = clock_sample_at(sample, raw_ns);
	bool usable = !interval_is_empty(at) && !atomic_load(&clock->alien);

	now->earliest_ns = usable ? at.low_ns : INT64_MIN;
	now->latest_ns = usable ? at.high_ns : INT64_MAX;
	now->epoch = sample->epoch;
	now->disruptions = sample->disruptions;
	/* A sample past its void_after still says SYNCED. */
	now->quality = usable || sample->quality == CLOCK_DISRUPTED ?
			       (uint32_t)sample->quality :
			       RFSCLOCK_UNSYNCED;
}

/* Whatever the page is like. */
static __attribute__((noinline)) int now_slowly(struct rfsclock *clock,
						struct rfsclock_interval *now)
{
	struct clock_sample sample = { .quality = CLOCK_UNSYNCED };
	int err = read_sample(clock, &sample);

	/* The page first: raw read afterwards is never before its asof. */
	fill_interval(clock, now, &sample, clock_raw_ns());
	return err;
}

/* The mark was of this page: neither was exchanged in between. */
static inline bool still(const struct rfsclock *clock,
			 const struct clockpage *page)
{
	return CLOCKREAD_LIKELY(SEQLOCK_GET(clock->page) == page) &&
	       CLOCKREAD_LIKELY(!SEQLOCK_GET(page->head.superseded));
}

static int now_by_raw(struct rfsclock *clock, struct rfsclock_interval *now)
{
	struct timespec raw;

	clock_gettime(CLOCK_MONOTONIC_RAW, &raw);

	const struct clockpage *page = SEQLOCK_GET(clock->page);
	uint64_t seq = SEQLOCK_GET(clock->raw_seq);

	if (clockread_raw(page, seq, &raw, now) && still(clock, page))
		return 0;
	return now_slowly(clock, now);
}

static inline __attribute__((always_inline)) int
now_at_once(struct rfsclock *clock, struct rfsclock_interval *now)
{
	if (SEQLOCK_GET(clock->line_seq) == NO_SEQ)
		return now_by_raw(clock, now);

	uint64_t cycles = tsc_read();
	const struct clockpage *page = SEQLOCK_GET(clock->page);
	uint64_t seq = SEQLOCK_GET(clock->line_seq);

	if (clockread_tsc(page, seq, cycles, now) && still(clock, page))
		return 0;
	return now_by_raw(clock, now);
}

int rfsclock_now(struct rfsclock *clock, struct rfsclock_interval *now)
{
	return now_at_once(clock, now);
}

int rfsclock_use_tsc(struct rfsclock *clock, bool use)
{
	if (use && !tsc_is_invariant())
		return ENOTSUP;
	pthread_mutex_lock(&clock->lock);
	atomic_store(&clock->use_tsc, use);
	atomic_store(&clock->alien, false);
	withdraw(clock);
	pthread_mutex_unlock(&clock->lock);
	return 0;
}

bool rfsclock_after(struct rfsclock *clock, int64_t ts_ns)
{
	struct rfsclock_interval now;

	(void)now_at_once(clock, &now);
	return now.earliest_ns > ts_ns;
}

bool rfsclock_before(struct rfsclock *clock, int64_t ts_ns)
{
	struct rfsclock_interval now;

	(void)now_at_once(clock, &now);
	return now.latest_ns < ts_ns;
}

static void nap(int64_t for_ns)
{
	int64_t ns = for_ns < NAP_MAX_NS ? for_ns : NAP_MAX_NS;
	struct timespec pause = { .tv_nsec = ns > 1000 ? ns : 1000 };

	nanosleep(&pause, NULL);
}

int rfsclock_wait_until_past(struct rfsclock *clock, int64_t ts_ns,
			     int64_t timeout_ns)
{
	int64_t start_ns = clock_raw_ns();

	for (;;) {
		struct rfsclock_interval now;
		int64_t left_ns = NAP_MAX_NS;
		int64_t waited_ns = clock_raw_ns() - start_ns;

		(void)now_at_once(clock, &now);
		if (now.earliest_ns > ts_ns)
			return 0;
		if (timeout_ns >= 0 && waited_ns >= timeout_ns)
			return ETIMEDOUT;
		if (now.earliest_ns != INT64_MIN &&
		    __builtin_sub_overflow(ts_ns, now.earliest_ns, &left_ns))
			left_ns = NAP_MAX_NS;
		if (timeout_ns >= 0 && left_ns > timeout_ns - waited_ns)
			left_ns = timeout_ns - waited_ns;
		nap(left_ns);
	}
}

static bool reads_tsc(struct rfsclock *clock, const struct clock_tsc *tsc)
{
	return atomic_load(&clock->line_seq) != NO_SEQ &&
	       tsc_read() - tsc->base < tsc->life;
}

int rfsclock_status(struct rfsclock *clock, struct rfsclock_status *status)
{
	struct clock_sample sample = { .quality = CLOCK_UNSYNCED };
	int err = read_sample(clock, &sample);

	*status = (struct rfsclock_status){
		.raw_ns = clock_raw_ns(),
		.offset_ns = sample.offset_ns,
		.bound_ns = sample.bound_ns,
		.growth_ppb = sample.growth_ppb,
		.drift_ppb = sample.drift_ppb,
		.part_delay_ns = sample.part_delay_ns,
		.part_dispersion_ns = sample.part_dispersion_ns,
		.part_drift_ns = sample.part_drift_ns,
		.part_unslewed_ns = sample.part_unslewed_ns,
		.generation = atomic_load(&clock->page)->head.generation,
		.tsc_error_ns = reads_tsc(clock, &sample.tsc) ?
					sample.tsc.error_ns :
					-1,
	};
	status->age_ns = status->raw_ns - sample.asof_ns;
	fill_interval(clock, &status->now, &sample, status->raw_ns);
	return err;
}
