/* Who goes first, and when: see guard.h. */
#include "raftd/guard.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "common/os/log.h"
#include "common/os/process.h"

#define NAP_MAX_NS NS_PER_SEC
#define WINDOW_NS  (100 * NS_PER_MS)
#define BUSY_TURNS 30 /* a window */
#define CALM_TURNS 15
#define BUSY_SHARE 5 /* of a core: a fifth of it and more */
#define CALM_SHARE 20

struct guard {
	struct ev_loop *ev;
	ev_check awake;
	pid_t thread_id; /* the loop's */
	pthread_t thread;
	sem_t wake; /* no longer quiet, or stop */
	_Atomic bool stop;
	_Atomic bool quiet;
	_Atomic bool lent;
	_Atomic int64_t due_raw_ns;
	_Atomic uint64_t count;
	/* The loop's own. */
	unsigned int turns_lent;
	unsigned int turns; /* of the window */
	int64_t window_raw_ns;
	int64_t window_cpu_ns; /* the loop's thread had used when it began */
};

static void nap(struct guard *guard, int64_t ns)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += ns % NS_PER_SEC;
	until.tv_sec += ns / NS_PER_SEC + until.tv_nsec / NS_PER_SEC;
	until.tv_nsec %= NS_PER_SEC;
	sem_clockwait(&guard->wake, CLOCK_MONOTONIC, &until);
}

static void lend(struct guard *guard)
{
	if (atomic_exchange(&guard->lent, true))
		return; /* it still has it */
	if (!process_go_first(guard->thread_id))
		log_info("the loop's thread cannot go first");
	atomic_fetch_add(&guard->count, 1);
}

static void *watch(void *ctx)
{
	struct guard *guard = ctx;

	while (!atomic_load(&guard->stop)) {
		int64_t left_ns = atomic_load(&guard->due_raw_ns) -
				  clock_raw_ns();

		if (atomic_load(&guard->quiet)) {
			sem_wait(&guard->wake);
		} else if (left_ns + GUARD_LATE_NS <= 0) {
			lend(guard);
			nap(guard, GUARD_LATE_NS);
		} else {
			nap(guard, left_ns < NAP_MAX_NS ?
					   left_ns + GUARD_LATE_NS :
					   NAP_MAX_NS);
		}
	}
	return NULL;
}

static int64_t thread_cpu_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return used.tv_sec * NS_PER_SEC + used.tv_nsec;
}

static void become_busy(struct guard *guard)
{
	atomic_store(&guard->quiet, false);
	atomic_store(&guard->lent, false);
	process_wake_soon();
	sem_post(&guard->wake);
}

static void become_quiet(struct guard *guard)
{
	if (process_go_first(guard->thread_id))
		atomic_store(&guard->quiet, true);
}

/* The turn after it was lent keeps it to its end, where what it has to say is
 * sent; the one after that gives it back. */
static void give_back(struct guard *guard)
{
	if (++guard->turns_lent < 2)
		return;
	guard->turns_lent = 0;
	if (!atomic_load(&guard->quiet))
		process_wake_soon();
	atomic_store(&guard->lent, false);
}

/* Few turns may be long ones. */
static void end_window(struct guard *guard, int64_t now_ns)
{
	int64_t took_ns = now_ns - guard->window_raw_ns;
	int64_t cpu_ns = thread_cpu_ns();
	int64_t used_ns = cpu_ns - guard->window_cpu_ns;
	bool quiet = atomic_load(&guard->quiet);

	if (quiet && used_ns >= took_ns / BUSY_SHARE)
		become_busy(guard);
	else if (!quiet && guard->turns < CALM_TURNS &&
		 used_ns < took_ns / CALM_SHARE)
		become_quiet(guard);
	guard->turns = 0;
	guard->window_raw_ns = now_ns;
	guard->window_cpu_ns = cpu_ns;
}

static void on_awake(struct ev_loop *ev, ev_check *watcher, int revents)
{
	struct guard *guard = watcher->data;
	int64_t now_ns = clock_raw_ns();

	(void)ev;
	(void)revents;
	if (atomic_load(&guard->lent))
		give_back(guard);
	if (now_ns - guard->window_raw_ns >= WINDOW_NS)
		end_window(guard, now_ns);
	else if (++guard->turns >= BUSY_TURNS && atomic_load(&guard->quiet))
		become_busy(guard);
}

/* The thread inherits the priority. */
static bool start_thread(struct guard *guard)
{
	if (process_go_first(guard->thread_id) &&
	    pthread_create(&guard->thread, NULL, watch, guard) == 0)
		return true;
	log_info("no guard of the loop's turns: no right to real-time "
		 "priority");
	return false;
}

struct guard *guard_new(struct ev_loop *ev)
{
	struct guard *guard = calloc(1, sizeof(*guard));

	if (guard == NULL)
		return NULL;
	guard->ev = ev;
	guard->thread_id = gettid();
	guard->window_raw_ns = clock_raw_ns();
	guard->window_cpu_ns = thread_cpu_ns();
	atomic_init(&guard->quiet, true);
	atomic_init(&guard->due_raw_ns, INT64_MAX);
	sem_init(&guard->wake, 0, 0);
	if (!start_thread(guard)) {
		process_wake_soon();
		sem_destroy(&guard->wake);
		free(guard);
		return NULL;
	}
	ev_check_init(&guard->awake, on_awake);
	guard->awake.data = guard;
	ev_check_start(ev, &guard->awake);
	return guard;
}

void guard_expect(struct guard *guard, int64_t raw_ns)
{
	if (guard != NULL)
		atomic_store(&guard->due_raw_ns, raw_ns);
}

uint64_t guard_count(const struct guard *guard)
{
	return guard != NULL ? atomic_load(&guard->count) : 0;
}

void guard_free(struct guard *guard)
{
	if (guard == NULL)
		return;
	atomic_store(&guard->stop, true);
	sem_post(&guard->wake);
	pthread_join(guard->thread, NULL);
	process_wake_soon();
	ev_check_stop(guard->ev, &guard->awake);
	sem_destroy(&guard->wake);
	free(guard);
}
