// An echo server in C with a thread for each connection. Usage: thread_echo PORT READ_BYTES
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024, STACK_BYTES = 65536 };

static int read_bytes;

static void *echo(void *argument) {
  int fd = (int)(long)argument;
  char *buffer = malloc(read_bytes);
  ssize_t received;
  while ((received = recv(fd, buffer, read_bytes, 0)) > 0) {
    ssize_t done = 0;
    while (done < received) {
      ssize_t sent = send(fd, buffer + done, received - done, MSG_NOSIGNAL);
      if (sent <= 0) goto end;
      done += sent;
    }
  }
end:
  close(fd);
  free(buffer);
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: thread_echo PORT READ_BYTES\n");
    return 2;
  }
  read_bytes = atoi(argv[2]);
  int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, (void *)&address, sizeof address)) {
    perror("bind");
    return 1;
  }
  listen(listener, BACKLOG);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  for (;;) {
    int client = accept(listener, 0, 0);
    if (client < 0) continue;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    pthread_t thread;
    if (pthread_create(&thread, &attributes, echo, (void *)(long)client)) close(client);
  }
}
