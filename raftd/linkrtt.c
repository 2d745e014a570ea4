/* TCP_INFO, by the kernel's own header: glibc's ends before tcpi_min_rtt. */
#include "raftd/linkrtt.h"

#include <linux/tcp.h>
#include <stddef.h>
#include <sys/socket.h>

#include "common/units.h"

#define TCP_LEVEL 6 /* IPPROTO_TCP; netinet/in.h clashes with linux/tcp.h */

int64_t linkrtt_least_ns(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t bytes = sizeof(info);

	if (getsockopt(fd, TCP_LEVEL, TCP_INFO, &info, &bytes) != 0 ||
	    bytes < offsetof(struct tcp_info, tcpi_min_rtt) +
			    sizeof(info.tcpi_min_rtt) ||
	    info.tcpi_min_rtt == UINT32_MAX) /* as long as there is none */
		return 0;
	return (int64_t)info.tcpi_min_rtt * NS_PER_US;
}
