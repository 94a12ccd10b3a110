"""A server of datagrams (RFC 768): it knows no connections, only the addresses that it has heard lately."""
