/* inet_pton, for both families. */
#include "proto/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

bool address_parse(const char *text, uint16_t port,
		   struct sockaddr_storage *where, socklen_t *bytes)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)where;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)where;

	memset(where, 0, sizeof(*where));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		*bytes = sizeof(*v4);
		return true;
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		*bytes = sizeof(*v6);
		return true;
	}
	return false;
}
