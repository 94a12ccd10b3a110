// Load for an echo server of UDP: DEPTH datagrams of SIZE bytes in flight. What is lost is replaced after 0.1 s.
// Usage: udp_load PORT SIZE DEPTH SECONDS. Prints {"answered", "lost"}.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { AT_ONCE = 64, LONGEST = 65536 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int count, char **words) {
  if (count != 5) return 2;
  int size = atoi(words[2]), depth = atoi(words[3]), sock = socket(AF_INET, SOCK_DGRAM, 0), buffer = 4 << 20;
  double seconds = atof(words[4]);
  setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(words[1]))};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(sock, (struct sockaddr *)&to, sizeof to)) return 1;
  static char data[AT_ONCE][LONGEST];
  struct iovec parts[AT_ONCE];
  struct mmsghdr messages[AT_ONCE];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < AT_ONCE; i++) {
    parts[i] = (struct iovec){data[i], LONGEST};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  long answered = 0, lost = 0, in_flight = 0;
  for (double began = now(); now() < began + seconds;) {
    for (; in_flight < depth; in_flight++) send(sock, data[0], size, 0);
    struct pollfd ready = {sock, POLLIN, 0};
    if (poll(&ready, 1, 100) <= 0) {
      lost += in_flight;
      in_flight = 0;
      continue;
    }
    int got = recvmmsg(sock, messages, AT_ONCE, MSG_DONTWAIT, NULL);
    if (got > 0) answered += got, in_flight -= got;
  }
  printf("{\"answered\": %ld, \"lost\": %ld}\n", answered, lost);
}
