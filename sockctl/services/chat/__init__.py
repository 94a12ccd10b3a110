"""The chat (row 11): rooms in which many speak, in one order for all; its commands; what of it survives a restart.

- `commands`: what a line that begins with ``/`` means.
- `rulings`: topics, bans and mutes, as they hold now.
- `history_file`: the last messages of each room on disk.
- `keeper`: the thread that writes both, so that nobody who speaks waits for a disk.
"""
