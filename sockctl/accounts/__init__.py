"""Authentication: passwords, users, sessions, and the rules of logging in; no sockets.

- `passwords`, `password_normalization`, `password_rules`: hash and normalize passwords, and refuse weak ones.
- `users`, `sessions`, `settings`: the files in the data directory.
- `accounts`: all of that together, for commands and servers.
- `throttle`, `local_throttle`, `hash_queue`: decide which sources must wait before the next try.
- `authenticator`, `active_logins`: log users in by password or token, and end their logins.
"""
