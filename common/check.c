/* Where a failed CHECK ends. */
#include "common/check.h"

#include <stddef.h>
#include <stdlib.h>

void (*check_report)(const char *file, int line, const char *fact) = NULL;

void check_failed(const char *file, int line, const char *fact)
{
	if (check_report)
		check_report(file, line, fact);
	abort();
}
