"""The chat (row 11): rooms in which everybody hears the same in the same order, and nobody can hurt another.

- `chat`: the service: what is said, and who leaves.
- `entrance`, `arrivals`, `members`, `places`, `flood`: who comes in, how often, who is here, from where, and how fast
  they may speak.
- `rooms`, `registry`: what happens in a room, in one order; and which rooms there are.
- `commands`, `actions`, `moderation`: what a line that begins with ``/`` means, and what it does.
- `bans`, `rulings`, `rulings_form`: topics, bans and mutes: what they are, which hold now, and how a file has them.
- `room_tail`, `history_entry`, `history_file`: the last messages of a room, in memory, on a line, and in a file.
- `store`: the thread that writes both, so that nobody who speaks waits for a disk.
"""
