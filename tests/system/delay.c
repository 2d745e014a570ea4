/* A stretch of network that takes longer, for what is sent through it.
 *
 *	delay DEVICE MS
 *
 * Makes a TAP device of that name. Frames that somebody forwards to it (nft's
 * fwd) come back out of it MS milliseconds later, as if they had arrived there.
 * Runs until it is killed.
 */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "common/units.h"

#define FRAMES 1024u /* under way at a time; more are lost */
#define MAC_BYTES 6

static struct frame {
	int64_t due_ns;
	ssize_t bytes;
	unsigned char data[2048];
} frames[FRAMES];
static unsigned int first, count;
static unsigned char own_mac[MAC_BYTES];

static int open_device(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool good;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	good = fd >= 0 && any >= 0 && ioctl(fd, TUNSETIFF, &request) == 0 &&
	       ioctl(any, SIOCGIFHWADDR, &request) == 0;
	if (good) {
		memcpy(own_mac, request.ifr_hwaddr.sa_data, MAC_BYTES);
		request.ifr_flags = IFF_UP;
		good = ioctl(any, SIOCSIFFLAGS, &request) == 0;
	}
	if (!good)
		perror(name);
	if (any >= 0)
		close(any);
	return good ? fd : -1;
}

static void take_in(int fd, int64_t delay_ns)
{
	struct frame *frame = &frames[(first + count) % FRAMES];
	unsigned char lost[sizeof(frame->data)];

	if (count == FRAMES) {
		(void)!read(fd, lost, sizeof(lost));
		return;
	}
	frame->bytes = read(fd, frame->data, sizeof(frame->data));
	frame->due_ns = clock_raw_ns() + delay_ns;
	count += frame->bytes > MAC_BYTES;
}

static void let_out(int fd)
{
	while (count > 0 && frames[first].due_ns <= clock_raw_ns()) {
		struct frame *frame = &frames[first];

		memcpy(frame->data, own_mac, MAC_BYTES);
		(void)!write(fd, frame->data, (size_t)frame->bytes);
		first = (first + 1) % FRAMES;
		count--;
	}
}

int main(int argc, char **argv)
{
	int64_t delay_ns = argc == 3 ? atoll(argv[2]) * NS_PER_MS : 0;
	int fd = argc == 3 ? open_device(argv[1]) : -1;

	if (fd < 0)
		return 2;
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };

		/* A frame that is due goes out a millisecond late at most. */
		if (poll(&wait, 1, count > 0 ? 1 : -1) == 1)
			take_in(fd, delay_ns);
		let_out(fd);
	}
}
