/* A preloaded shim that gives a process a kernel whose clock is said to be kept
 * by somebody: adjtimex(2), asked without modes, answers what the file
 * KERNELTIME_FILE says at that moment, "MAXERROR_US", or that nothing keeps it
 * where the file is missing or says less than 0. Setting anything is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <unistd.h>

static long maxerror_us(void)
{
	const char *path = getenv("KERNELTIME_FILE");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	char text[32] = "";

	if (fd < 0)
		return -1;
	if (read(fd, text, sizeof(text) - 1) <= 0)
		strcpy(text, "-1");
	close(fd);
	return atol(text);
}

int adjtimex(struct timex *kernel)
{
	long error_us = maxerror_us();

	if (kernel->modes != 0) {
		errno = EPERM;
		return -1;
	}
	memset(kernel, 0, sizeof(*kernel));
	kernel->tick = 10000;
	kernel->status = error_us < 0 ? STA_UNSYNC : STA_PLL;
	kernel->maxerror = error_us < 0 ? 16000000 : error_us;
	kernel->esterror = kernel->maxerror / 10;
	return error_us < 0 ? TIME_ERROR : TIME_OK;
}
