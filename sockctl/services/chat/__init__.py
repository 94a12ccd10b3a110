"""The chat: rooms in which all members hear the same in the same order, and no member can hurt another.

- `service`: the conversation by which clients come in, and the reactions to their messages; `settings`: its rules,
  limits and times.
- `member`, `members`, `clients`: a member and its clients, the registry of members, the two kinds of clients.
- `registration`: how clients come in under a name, and how often.
- `line_processor`, `blocks`, `text_limits`, `refusals`: texts and blocks are said or refused.
- `command_table`, `commands`, `command_handlers`, `moderation`, `presence`, `roll_call`: commands are parsed and run.
- `flood_control`, `costs`: messages that come too fast are held back.
- `membership`, `room_registry`: joining and leaving; the rooms.
- `room`, `room_event`, `audience`, `room_info`: the queue of a room's events, and how its clients hear them.
- `bans`, `ban_table`, `state`, `state_file`: topics, bans and mutes, as they hold now and as the file has them.
- `history`, `history_entry`, `room_history`, `history_file`: the last messages of a room, in memory and in the file.
- `store`: the thread that writes both files.
"""
