// Echo over UDP as a plain C program does it: one recvfrom() and one sendto() for each datagram.
// Usage: udp_echo PORT.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

int main(int count, char **words) {
  if (count != 2) return 2;
  int sock = socket(AF_INET, SOCK_DGRAM, 0);
  int buffer = 4 << 20;
  setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(atoi(words[1]))};
  own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(sock, (struct sockaddr *)&own, sizeof own)) {
    perror("bind");
    return 1;
  }
  static char data[65536];
  for (;;) {
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    ssize_t got = recvfrom(sock, data, sizeof data, 0, (struct sockaddr *)&from, &size);
    if (got >= 0) sendto(sock, data, got, 0, (struct sockaddr *)&from, size);
  }
}
