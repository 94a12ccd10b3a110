// WebSocket for the load generators: how a client opens one, and the header of its frames.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { WEB_HEADER = 14, WEB_TEXT = 0x81, WEB_BINARY = 0x82, WEB_MASKED = 0x80 };

static void open_websocket(int fd, const char *path) {
  char head[4096];
  int size = snprintf(head, sizeof head,
                      "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                      path);
  send(fd, head, size, MSG_NOSIGNAL);
  size_t had = 0;
  ssize_t received = 1;
  while (received > 0 && (had < 4 || memcmp(head + had - 4, "\r\n\r\n", 4)) && had < sizeof head) {
    received = recv(fd, head + had, 1, 0); // byte by byte: the server may go on in frames
    had += received > 0;
  }
  if (had < 12 || memcmp(head + 9, "101", 3)) {
    printf("{\"error\":\"no WebSocket\"}\n");
    exit(1);
  }
}

// Put the header of a message of SIZE bytes; return its bytes. The mask leaves the message as it is, and costs the
// server the same as any other.
static size_t put_web_header(unsigned char *to, int opcode, size_t size, int masked) {
  size_t count = 0;
  to[count++] = opcode;
  to[count++] = (masked ? WEB_MASKED : 0) | (size < 126 ? size : size < 65536 ? 126 : 127);
  for (int shift = size < 126 ? -8 : size < 65536 ? 8 : 56; shift >= 0; shift -= 8) to[count++] = size >> shift;
  if (masked) {
    memset(to + count, 0, 4);
    count += 4;
  }
  return count;
}
