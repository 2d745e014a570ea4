/* One formatted line to whoever listens; free when nobody does. */
#include "common/story.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

void story(const struct story *to, const char *format, ...)
{
	char text[256];
	va_list args;

	if (!to || !to->line)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	to->line(to->ctx, text);
}
