// An echo server in C with one thread over epoll: the limit on one core. Usage: epoll_echo PORT READ_BYTES
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024, EVENTS = 512 };

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: epoll_echo PORT READ_BYTES\n");
    return 2;
  }
  int read_bytes = atoi(argv[2]);
  int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, (void *)&address, sizeof address)) {
    perror("bind");
    return 1;
  }
  listen(listener, BACKLOG);
  int poller = epoll_create1(0);
  struct epoll_event wanted = {.events = EPOLLIN, .data.fd = listener}, ready[EVENTS];
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &wanted);
  char *buffer = malloc(read_bytes);
  for (;;) {
    int count = epoll_wait(poller, ready, EVENTS, -1);
    for (int i = 0; i < count; i++) {
      int fd = ready[i].data.fd;
      if (fd == listener) {
        int client = accept(listener, 0, 0);
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event added = {.events = EPOLLIN, .data.fd = client};
        epoll_ctl(poller, EPOLL_CTL_ADD, client, &added);
        continue;
      }
      ssize_t received = recv(fd, buffer, read_bytes, 0), done = 0;
      if (received <= 0) {
        close(fd);
        continue;
      }
      while (done < received) {
        ssize_t sent = send(fd, buffer + done, received - done, MSG_NOSIGNAL);
        if (sent >= 0)
          done += sent;
        else if (errno != EAGAIN)
          break;
      }
    }
  }
}
