// Echo load: each of N connections keeps DEPTH messages of SIZE bytes in flight, and every byte that comes is checked.
// Usage: loadgen HOST PORT CONNECTIONS SIZE DEPTH SECONDS [web]. Prints a JSON line when all have
// joined, and one with the figures; exit code 1 if a byte was wrong.
// With "web", each message is one of WebSocket, and HTTP comes first.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "web.h"

enum { READ_BYTES = 1 << 20, LATENCIES = 4000000, EVENTS = 1024, PER_ADDRESS = 20000 };

typedef struct {
  int fd;
  size_t to_send, to_receive; // bytes of the round
  double sent_at;
  uint64_t rounds;
} connection;

typedef struct {
  double *latencies;
  size_t measured;
  uint64_t bytes, rounds, corrupt, dead;
} totals;

static unsigned char *sent_bytes, *expected_bytes, *received_bytes;
static size_t round_bytes, answer_bytes; // what a client sends and receives in a round
static int web;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec * 1e-9;
}

static int compare(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return a < b ? -1 : a > b;
}

static int connect_from(const struct sockaddr_in *server, int number) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  struct sockaddr_in source = {.sin_family = AF_INET}; // one of our own in 127/8, for it has too few ports for all
  source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + ((getpid() & 0xffff) << 8) + number / PER_ADDRESS);
  bind(fd, (void *)&source, sizeof source);
  if (connect(fd, (const void *)server, sizeof *server)) {
    perror("connect");
    printf("{\"error\":\"connect %d\"}\n", number);
    exit(1);
  }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (web) open_websocket(fd, "/");
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

static void drop(connection *client, totals *sums) {
  close(client->fd);
  client->fd = -1;
  sums->dead++;
}

static void send_round(connection *client, totals *sums) {
  while (client->to_send) {
    ssize_t sent = send(client->fd, sent_bytes + (round_bytes - client->to_send), client->to_send, MSG_NOSIGNAL);
    if (sent <= 0) {
      if (sent < 0 && errno != EAGAIN) drop(client, sums);
      return;
    }
    client->to_send -= sent;
  }
}

// Send and receive until the kernel has no more: the events are edge-triggered.
static void serve(connection *client, totals *sums) {
  send_round(client, sums);
  while (client->fd >= 0) {
    size_t wanted = client->to_receive < READ_BYTES ? client->to_receive : READ_BYTES;
    ssize_t received = recv(client->fd, received_bytes, wanted, 0);
    if (received < 0 && errno == EAGAIN) return;
    if (received <= 0) {
      drop(client, sums);
      return;
    }
    if (memcmp(received_bytes, expected_bytes + (answer_bytes - client->to_receive), received)) sums->corrupt++;
    sums->bytes += received;
    client->to_receive -= received;
    if (!client->to_receive) {
      double time = now();
      if (sums->measured < LATENCIES) sums->latencies[sums->measured++] = time - client->sent_at;
      sums->rounds++;
      client->rounds++;
      client->sent_at = time;
      client->to_send = round_bytes;
      client->to_receive = answer_bytes;
      send_round(client, sums);
    }
  }
}

static double percentile_us(const totals *sums, double share) {
  if (!sums->measured) return 0;
  size_t index = share < 1 ? (size_t)(sums->measured * share) : sums->measured - 1;
  return sums->latencies[index] * 1e6;
}

int main(int argc, char **argv) {
  web = argc == 8 && !strcmp(argv[7], "web");
  if (argc != 7 && !web) {
    fprintf(stderr, "usage: loadgen HOST PORT CONNECTIONS SIZE DEPTH SECONDS [web]\n");
    return 2;
  }
  int count = atoi(argv[3]), depth = atoi(argv[5]);
  size_t size = atol(argv[4]);
  double seconds = atof(argv[6]);
  struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
  inet_pton(AF_INET, argv[1], &server.sin_addr);
  sent_bytes = malloc((size + WEB_HEADER) * depth + 1);
  expected_bytes = malloc((size + WEB_HEADER) * depth + 1);
  for (int message = 0; message < depth; message++) {
    if (web) round_bytes += put_web_header(sent_bytes + round_bytes, WEB_BINARY, size, 1);
    if (web) answer_bytes += put_web_header(expected_bytes + answer_bytes, WEB_BINARY, size, 0);
    for (size_t i = 0; i < size; i++)
      sent_bytes[round_bytes++] = expected_bytes[answer_bytes++] = (unsigned char)((message * size + i) * 31 + 7);
  }
  received_bytes = malloc(READ_BYTES);
  totals sums = {.latencies = malloc(LATENCIES * sizeof(double))};
  connection *clients = calloc(count, sizeof *clients);
  int poller = epoll_create1(0);

  double began = now();
  for (int i = 0; i < count; i++) {
    clients[i] = (connection){.fd = connect_from(&server, i), .to_send = round_bytes, .to_receive = answer_bytes};
    struct epoll_event wanted = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u32 = i};
    epoll_ctl(poller, EPOLL_CTL_ADD, clients[i].fd, &wanted);
  }
  printf("{\"joined\":%d}\n", count);
  fflush(stdout);
  double connected = now();
  for (int i = 0; i < count; i++) clients[i].sent_at = connected;

  struct epoll_event ready[EVENTS];
  while (now() < connected + seconds) {
    int events = epoll_wait(poller, ready, EVENTS, 100);
    for (int j = 0; j < events; j++) {
      connection *client = &clients[ready[j].data.u32];
      if (client->fd >= 0) serve(client, &sums);
    }
  }

  double elapsed = now() - connected;
  qsort(sums.latencies, sums.measured, sizeof(double), compare);
  int silent = 0; // connections that have never got a whole answer
  for (int i = 0; i < count; i++) silent += !clients[i].rounds;
  printf("{\"conns\":%d,\"size\":%zu,\"depth\":%d,\"connect_s\":%.4f,\"rounds_per_s\":%.0f,\"msgs_per_s\":%.0f,"
         "\"mb_per_s\":%.1f,\"p50_us\":%.0f,\"p99_us\":%.0f,\"max_us\":%.0f,"
         "\"corrupt\":%lu,\"dead\":%lu,\"silent\":%d}\n",
         count, size, depth, connected - began, sums.rounds / elapsed, sums.rounds * depth / elapsed,
         sums.bytes / elapsed / 1e6, percentile_us(&sums, 0.5), percentile_us(&sums, 0.99), percentile_us(&sums, 1),
         sums.corrupt, sums.dead, silent);
  return sums.corrupt != 0;
}
