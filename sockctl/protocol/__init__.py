"""The wire, pure: bytes in, messages out. No socket, thread, clock, file or random.

- `frames`: a 4-byte length, then UTF-8 text.
- `lines`: the same for people: one message a line.
- `messages`: what a frame holds, one JSON object with a kind.
- `greeting`: the line with which a message service begins.
- `server_wire`, `client_wire`: the choice between frames and lines, from either side.
- `names`: the rule for names of people and rooms; `line_splitter`: lines out of raw bytes.
"""
