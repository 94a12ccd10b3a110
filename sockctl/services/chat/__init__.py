"""The chat: the members of a room receive the same messages in the same order, and no member can slow another down.

- `service`: the conversation by which clients come in, and the reactions to their messages; `settings`: its rules,
  limits and times.
- `member`, `members`, `clients`: a member and its clients, the registry of members, the two kinds of clients.
- `registration`: how clients come in under a name, and how often.
- `line_processor`, `blocks`, `text_limits`, `refusals`: say or refuse texts and blocks.
- `command_table`, `commands`, `command_handlers`, `moderation`, `presence`, `roll_call`: parse and run commands.
- `flood_control`, `costs`: hold back messages that come too fast.
- `membership`, `room_registry`: joining and leaving; the rooms.
- `room`, `room_event`, `audience`, `room_info`: the queue of a room's events, and how clients receive them.
- `bans`, `ban_table`, `state`, `state_file`: topics, bans and mutes, in memory and in the file.
- `history`, `history_entry`, `room_history`, `history_file`: the last messages of a room, in memory and in the file.
- `store`: the thread that writes both files.
"""
