/* Links made, found, readdressed and taken away. */
#include "timesyncd/link.h"

#include <stdlib.h>
#include <string.h>

#include "common/os/clock.h"
#include "common/os/log.h"
#include "proto/address.h"

/* A burst is 8 exchanges and their HELLOs; nodes in a burst ask 100 times a
 * second at most. */
#define BUCKET_CAPACITY	  64
#define BUCKET_PER_SECOND 200

struct peer_link *link_by_id(struct peers *peers, uint32_t id)
{
	for (uint32_t i = 0; i < peers->count; i++)
		if (peers->links[i]->id == id)
			return peers->links[i];
	return NULL;
}

void link_free(struct peer_link *link)
{
	if (link == NULL)
		return;
	ev_timer_stop(link->peers->loop, &link->timeout);
	ev_timer_stop(link->peers->loop, &link->retry);
	auth_fini(&link->auth);
	free(link);
}

enum rfs_err link_new(struct peers *peers, const struct config *config,
		      const struct config_node *node,
		      const struct node_key *key, struct peer_link **out)
{
	struct peer_link *link = calloc(1, sizeof(*link));

	if (link == NULL) {
		log_error("peers: out of memory");
		return RFS_ERR_NOMEM;
	}
	link->peers = peers;
	link->id = node->id;
	ev_init(&link->timeout, NULL);
	link->timeout.data = link;
	ev_init(&link->retry, NULL);
	link->retry.data = link;
	bucket_init(&link->bucket, BUCKET_CAPACITY, BUCKET_PER_SECOND,
		    clock_raw_ns());
	if (!address_parse(node->address, node->time_port, &link->address,
			   &link->address_bytes)) {
		log_error("node %s: %s is not an address", node->name,
			  node->address);
		link_free(link);
		return RFS_ERR_INVALID;
	}
	if (auth_init(&link->auth, key, node->key, config->cluster_id) !=
	    RFS_ERR_OK) {
		log_error("node %s: its public key is not a key", node->name);
		link_free(link);
		return RFS_ERR_INVALID;
	}
	*out = link;
	return RFS_ERR_OK;
}

void link_forget_exchanges(struct peer_link *link)
{
	link->answered_nonce = 0;
	link->answered_departed_ns = 0;
	link->last_nonce = 0;
	link->told.nonce = 0;
	memset(link->served, 0, sizeof(link->served));
}

void link_readdress(struct peer_link *link, const struct peer_link *as)
{
	link->address = as->address;
	link->address_bytes = as->address_bytes;
	if (auth_same(&link->auth, &as->auth))
		return;
	link->auth = as->auth;
	link->boot_known = false;
	link_forget_exchanges(link);
	link->hello_nonce = 0;
	link->request_nonce = 0;
	link->hello_ns = 0;
	replay_reset(&link->replay);
}
