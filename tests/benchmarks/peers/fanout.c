// Chat load: of MEMBERS, the first SENDERS send MESSAGES each, and all count the marker "~MK" in what they receive.
// The protocol is given by templates, so the same program drives any chat server.
//
// Usage: fanout HOST PORT MEMBERS SENDERS MESSAGES WINDOW PREAMBLE SAY [WIRE [SETTLE_S [TIMEOUT_S [PAYLOAD_BYTES]]]]
//
//   PREAMBLE  what each member sends first: messages between "|", with \r, \n, and %I for the member's number
//   SAY       a message, in which %M becomes "~MK<sender>.<number>.<payload>"
//   WIRE      "frame": a 4-byte big-endian length goes before each message; "web:PATH": each message is one of
//             WebSocket, and a request for PATH comes first; else nothing does
//   WINDOW    messages sent at most that the last member has not received yet; with 0, each message is sent when all
//             others have received the one before
//
// The time of a message is that until the last member has it; with a WINDOW of 0, until all have it.
// Prints a JSON line when all have joined, and one with the figures; exit code 1 if fewer deliveries came than members
// other than the senders must get.
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

enum { READ_BYTES = 1 << 18, EVENTS = 1024, PER_ADDRESS = 20000, MARK_BYTES = 3, MOST_JOINING_S = 60 };

typedef struct {
  int fd;
  char tail[MARK_BYTES]; // the begin of a marker that the last read was cut in
  int tail_bytes;
  uint64_t received;
  char *outbox;
  size_t queued, flushed, capacity;
  int sent;
} member;

static member *members;
static int count, poller, dead, framed;
static const char *path; // of the WebSocket; none for another wire

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec * 1e-9;
}

static char *expand(const char *template, int number, const char *message) {
  char *text = malloc(strlen(template) * 12 + (message ? strlen(message) : 0) + 64), *at = text;
  for (const char *c = template; *c; c++) {
    if (*c == '\\' && c[1] == 'n')
      *at++ = '\n', c++;
    else if (*c == '\\' && c[1] == 'r')
      *at++ = '\r', c++;
    else if (*c == '%' && c[1] == 'I')
      at += sprintf(at, "%d", number), c++;
    else if (*c == '%' && c[1] == 'M')
      at += sprintf(at, "%s", message ? message : ""), c++;
    else
      *at++ = *c;
  }
  *at = 0;
  return text;
}

static void make_room(member *sender, size_t size) {
  size_t needed = sender->queued + size;
  if (needed > sender->capacity) {
    sender->capacity = needed * 2;
    sender->outbox = realloc(sender->outbox, sender->capacity);
  }
}

static void queue(member *sender, const char *template, int number, const char *message) {
  char *text = expand(template, number, message);
  size_t size = strlen(text);
  make_room(sender, size + WEB_HEADER);
  if (path) sender->queued += put_web_header((unsigned char *)sender->outbox + sender->queued, WEB_TEXT, size, 1);
  if (framed) {
    uint32_t length = htonl(size);
    memcpy(sender->outbox + sender->queued, &length, sizeof length);
    sender->queued += sizeof length;
  }
  memcpy(sender->outbox + sender->queued, text, size);
  sender->queued += size;
  free(text);
}

static void flush(member *sender) {
  while (sender->flushed < sender->queued) {
    char *rest = sender->outbox + sender->flushed;
    ssize_t sent = send(sender->fd, rest, sender->queued - sender->flushed, MSG_NOSIGNAL);
    if (sent < 0) return; // the end is noticed where the member receives
    sender->flushed += sent;
  }
  sender->flushed = sender->queued = 0;
}

static void drop(member *gone) {
  dead++;
  epoll_ctl(poller, EPOLL_CTL_DEL, gone->fd, 0);
  close(gone->fd);
  gone->fd = -1;
}

// Receive what is there, and return how many markers were in it.
static uint64_t drain(member *receiver) {
  static char buffer[READ_BYTES + MARK_BYTES];
  uint64_t found = 0;
  for (;;) {
    memcpy(buffer, receiver->tail, receiver->tail_bytes);
    ssize_t received = recv(receiver->fd, buffer + receiver->tail_bytes, READ_BYTES, 0);
    if (received <= 0) {
      if (received == 0 || errno != EAGAIN) drop(receiver);
      break;
    }
    size_t size = receiver->tail_bytes + received;
    char *at = buffer, *end = buffer + size;
    while ((at = memmem(at, end - at, "~MK", MARK_BYTES))) {
      found++;
      at += MARK_BYTES;
    }
    int kept = buffer[size - 1] == '~' ? 1 : size >= 2 && buffer[size - 2] == '~' && buffer[size - 1] == 'M' ? 2 : 0;
    memcpy(receiver->tail, end - kept, kept);
    receiver->tail_bytes = kept;
    if (received < READ_BYTES) break;
  }
  receiver->received += found;
  return found;
}

static void join(const struct sockaddr_in *server, int number, const char *preamble) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  struct sockaddr_in source = {.sin_family = AF_INET}; // one of our own in 127/8, for it has too few ports for all
  source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + ((getpid() & 0xffff) << 8) + number / PER_ADDRESS);
  bind(fd, (void *)&source, sizeof source);
  if (connect(fd, (const void *)server, sizeof *server)) {
    perror("connect");
    exit(1);
  }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (path) open_websocket(fd, path);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  members[number].fd = fd;
  char *templates = strdup(preamble), *rest = 0;
  for (char *one_of = strtok_r(templates, "|", &rest); one_of; one_of = strtok_r(0, "|", &rest))
    queue(&members[number], one_of, number, 0);
  free(templates);
  flush(&members[number]);
  struct epoll_event wanted = {.events = EPOLLIN, .data.u32 = number};
  epoll_ctl(poller, EPOLL_CTL_ADD, fd, &wanted);
}

static int compare(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return a < b ? -1 : a > b;
}

// Return whether each member but the senders has received so many messages.
static int all_have(uint64_t messages, int senders, uint64_t delivered) {
  if (delivered < messages * (count - 1)) return 0;
  for (int i = senders; i < count; i++)
    if (members[i].received < messages) return 0;
  return 1;
}

// Wait for events, and return how many markers came with them.
static uint64_t receive(int timeout_ms, int *any) {
  struct epoll_event ready[EVENTS];
  uint64_t found = 0;
  *any = epoll_wait(poller, ready, EVENTS, timeout_ms);
  for (int j = 0; j < *any; j++) {
    member *receiver = &members[ready[j].data.u32];
    if (receiver->fd >= 0) found += drain(receiver);
  }
  return found;
}

int main(int argc, char **argv) {
  if (argc < 9) {
    fprintf(stderr, "usage: fanout HOST PORT MEMBERS SENDERS MESSAGES WINDOW PREAMBLE SAY "
                    "[WIRE [SETTLE_S [TIMEOUT_S [PAYLOAD_BYTES]]]]\n");
    return 2;
  }
  int senders = atoi(argv[4]), messages = atoi(argv[5]), window = atoi(argv[6]), any;
  double settle_s = argc > 10 ? atof(argv[10]) : 1, timeout_s = argc > 11 ? atof(argv[11]) : 30;
  int payload_bytes = argc > 12 ? atoi(argv[12]) : 32;
  struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
  inet_pton(AF_INET, argv[1], &server.sin_addr);
  count = atoi(argv[3]);
  framed = argc > 9 && !strcmp(argv[9], "frame");
  path = argc > 9 && !strncmp(argv[9], "web:", 4) ? argv[9] + 4 : 0;
  members = calloc(count, sizeof *members);
  poller = epoll_create1(0);
  char *payload = malloc(payload_bytes + 1), *message = malloc(payload_bytes + 64);
  memset(payload, 'x', payload_bytes);
  payload[payload_bytes] = 0;

  double began = now();
  for (int i = 0; i < count; i++) join(&server, i, argv[7]);
  double joined = now();
  for (double last = now(); now() - last < settle_s && now() - joined < MOST_JOINING_S;) {
    receive(50, &any);
    if (any > 0) last = now();
    for (int i = 0; i < count; i++)
      if (members[i].queued && members[i].fd >= 0) flush(&members[i]);
  }
  printf("{\"joined\":%d}\n", count);
  fflush(stdout);

  for (int i = 0; i < count; i++) members[i].received = 0;
  uint64_t total = (uint64_t)senders * messages, expected = total * (count - 1), sent = 0, delivered = 0;
  member *observer = &members[count - 1];
  double *times = calloc(total + 1, sizeof *times), *sent_at = calloc(total + 1, sizeof *sent_at);
  uint64_t measured = 0;
  double start = now(), last = start;
  for (;;) {
    double time = now();
    for (int s = 0; s < senders; s++) {
      member *sender = &members[s];
      if (sender->fd < 0) continue;
      while (sender->sent < messages && (window ? sent < observer->received + (uint64_t)window : sent == measured)) {
        sprintf(message, "~MK%d.%d.%s", s, sender->sent, payload);
        queue(sender, argv[8], s, message);
        sender->sent++;
        sent_at[sent++] = now();
      }
      if (sender->queued) flush(sender);
    }
    uint64_t found = receive(5, &any);
    if (found) {
      delivered += found;
      last = now();
    }
    uint64_t complete = window ? observer->received : all_have(sent, senders, delivered) ? sent : measured;
    for (; measured < complete && measured < sent; measured++) times[measured] = now() - sent_at[measured];
    // A server that sends a member its own messages, too, delivers more than is expected: wait for those a moment.
    if (sent == total && delivered >= expected && (now() - last > 0.2 || delivered >= total * count)) break;
    if (time - start > timeout_s || (sent == total && time - last > 3)) break;
  }
  double elapsed = last - start;
  qsort(times, measured, sizeof *times, compare);
  printf("{\"members\":%d,\"senders\":%d,\"msgs\":%lu,\"join_s\":%.3f,\"deliveries\":%lu,\"expected_min\":%lu,"
         "\"self_echo\":%d,\"seconds\":%.3f,\"deliveries_per_s\":%.0f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"dead\":%d}\n",
         count, senders, sent, joined - began, delivered, expected, members[0].received > 0, elapsed,
         elapsed > 0 ? delivered / elapsed : 0, times[measured / 2] * 1e3, times[(size_t)(measured * .99)] * 1e3, dead);
  return delivered < expected;
}
