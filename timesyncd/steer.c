/* The one place that sets a clock. */
#include "timesyncd/steer.h"

#include <errno.h>
#include <time.h>

#include "common/os/log.h"
#include "timesyncd/stamps.h"

static int adjust_kernel(struct timex *kernel)
{
	return clock_adjtime(CLOCK_REALTIME, kernel);
}

static bool set(struct steer *steer, struct timex *kernel)
{
	if (steer->adjust(kernel) >= 0)
		return true;
	log_warn("this host's clock is not disciplined: %s",
		 errno == EPERM ? "CAP_SYS_TIME is missing" :
				  "the kernel refuses");
	steer->on = false;
	return false;
}

void steer_init(struct steer *steer, int64_t max_slew_ppb, struct story story,
		int (*adjust)(struct timex *kernel))
{
	struct timex kernel = { .modes = 0 };

	*steer = (struct steer){
		.on = true,
		.adjust = adjust != NULL ? adjust : adjust_kernel,
	};
	if (!set(steer, &kernel))
		return;
	/* Says nothing that was not so, but takes the privilege. */
	kernel.modes = ADJ_FREQUENCY;
	if (!set(steer, &kernel))
		return;
	sysclock_init(&steer->sysclock, max_slew_ppb,
		      sysclock_rate_ppb(kernel.tick, kernel.freq), story);
}

static void carry_out(struct steer *steer,
		      const struct sysclock_orders *orders)
{
	struct timex kernel = { .modes = ADJ_FREQUENCY | ADJ_TICK |
					 ADJ_STATUS };
	int64_t tick, freq;

	if (!orders->set)
		return;
	stamps_believe(!steer->sysclock.fast);
	sysclock_kernel_rate(orders->rate_ppb, &tick, &freq);
	kernel.tick = tick;
	kernel.freq = freq;
	kernel.status = orders->synchronised ? 0 : STA_UNSYNC;
	if (orders->synchronised) {
		kernel.modes |= ADJ_MAXERROR | ADJ_ESTERROR;
		kernel.maxerror = orders->maxerror_us;
		kernel.esterror = orders->esterror_us;
	}
	(void)set(steer, &kernel);
}

void steer_follow(struct steer *steer, const struct timesync_clock *clock)
{
	struct sysclock_orders orders;
	struct stamps now;
	int64_t half_ns;

	if (!steer->on)
		return;
	stamps_read(&now);
	half_ns = (now.raw_after_ns - now.raw_ns + 1) / 2;
	sysclock_follow(&steer->sysclock, clock, now.raw_ns + half_ns,
			now.wall_ns, half_ns, &orders);
	carry_out(steer, &orders);
}

void steer_was_set(struct steer *steer)
{
	sysclock_was_set(&steer->sysclock);
}

void steer_leave(struct steer *steer, const struct timesync_clock *clock)
{
	struct sysclock_orders orders;

	if (!steer->on)
		return;
	sysclock_leave(&steer->sysclock, clock, &orders);
	carry_out(steer, &orders);
}
