"""The chat (row 11): rooms in which many speak, in one order for all; its commands; what of it survives a restart.

- `commands`: what a line that begins with ``/`` means.
- `bans`, `rulings`, `rulings_form`: topics, bans and mutes: what they are, which hold now, and how a file has them.
- `room_tail`, `history_entry`, `history_file`: the last messages of a room, in memory, on a line, and in a file.
- `keeper`: the thread that writes both, so that nobody who speaks waits for a disk.
"""
