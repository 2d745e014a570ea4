/* Death notices by UDP. */
#include "supervisor/deaths.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "common/os/log.h"
#include "proto/address.h"
#include "proto/death.h"

static void tell(const struct config_node *peer,
		 const uint8_t image[DEATH_BYTES])
{
	struct sockaddr_storage where;
	socklen_t bytes;
	int fd;

	if (!address_parse(peer->address, peer->raft_port, &where, &bytes))
		return;
	fd = socket(where.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    0);
	if (fd < 0 || sendto(fd, image, DEATH_BYTES, MSG_NOSIGNAL,
			     (struct sockaddr *)&where, bytes) != DEATH_BYTES)
		log_info("death notice to %s: %s", peer->name, strerror(errno));
	if (fd >= 0)
		close(fd);
}

void deaths_tell(const struct config *config, const struct node_key *key,
		 uint64_t incarnation, uint64_t term_led)
{
	const struct config_node *self = config_self(config);
	struct death death = {
		.node = self->id,
		.incarnation = incarnation,
		.term_led = term_led,
		.wall_ns = clock_wall_ns(),
	};
	uint8_t image[DEATH_BYTES];

	memcpy(death.digest, config->digest, DEATH_DIGEST_BYTES);
	death_encode(&death, key, image);
	for (uint32_t i = 0; i < config->node_count; i++) {
		if (&config->nodes[i] != self)
			tell(&config->nodes[i], image);
	}
}
