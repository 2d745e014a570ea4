/* As whom this node serves NTP: stratum, reference id, precision. */
#ifndef RAFTFS_TIMESYNCD_IDENTITY_H
#define RAFTFS_TIMESYNCD_IDENTITY_H

#include "timesyncd/core/ntp.h"
#include "timesyncd/daemon.h"

void identity_fill(const struct daemon *daemon, struct ntp_identity *identity);

#endif
