/* Attributes as text and JSON. */
#include "client/cli/show.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

const char *show_type(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "regular file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "symbolic link";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	case S_IFCHR:
		return "character device";
	case S_IFBLK:
		return "block device";
	default:
		return "unknown type";
	}
}

const char *show_time(int64_t ns, char text[SHOW_TIME_BYTES])
{
	struct raftfs_attr attr = {.mtime_ns = ns};
	struct stat st;
	struct tm tm;
	char day[24], zone[8];

	raftfs_attr_stat(&attr, &st);
	if (localtime_r(&st.st_mtim.tv_sec, &tm) == NULL) {
		snprintf(text, SHOW_TIME_BYTES, "?");
		return text;
	}
	strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", &tm);
	strftime(zone, sizeof(zone), "%z", &tm);
	snprintf(text, SHOW_TIME_BYTES, "%s.%09ld %s", day, st.st_mtim.tv_nsec,
		 zone);
	return text;
}

const char *show_mode(uint32_t mode, char text[SHOW_MODE_BYTES])
{
	static const char types[16] = "?pc?d?b?-?l?s???";
	static const char bits[] = "rwxrwxrwx";

	text[0] = types[(mode & S_IFMT) >> 12];
	for (int i = 0; i < 9; i++)
		text[1 + i] = mode & (0400u >> i) ? bits[i] : '-';
	if (mode & S_ISUID)
		text[3] = mode & 0100 ? 's' : 'S';
	if (mode & S_ISGID)
		text[6] = mode & 0010 ? 's' : 'S';
	if (mode & S_ISVTX)
		text[9] = mode & 0001 ? 't' : 'T';
	text[10] = '\0';
	return text;
}

void show_attr_json(struct json *json, const char *key, const char *name,
		    const struct raftfs_attr *attr)
{
	json_open(json, NULL, '{');
	json_text(json, key, name);
	json_uint(json, "ino", attr->ino);
	json_text(json, "type", show_type(attr->mode));
	json_uint(json, "mode", attr->mode & 07777);
	json_uint(json, "nlink", attr->nlink);
	json_uint(json, "uid", attr->uid);
	json_uint(json, "gid", attr->gid);
	json_uint(json, "size", attr->size);
	json_int(json, "mtime_ns", attr->mtime_ns);
	json_int(json, "ctime_ns", attr->ctime_ns);
	json_int(json, "atime_ns", attr->atime_ns);
	json_uint(json, "version", attr->version);
	json_close(json, '}');
}
