"""Authentication: passwords, users, sessions, and the rules of logging in; no sockets.

- `passwords`, `password_normalization`, `password_rules`: how passwords are hashed and written, and which will do.
- `users`, `sessions`, `settings`: the files in the data directory.
- `accounts`: all of that together, for commands and servers.
- `throttle`, `hash_queue`: which sources must wait before the next try.
- `authenticator`, `active_logins`: logging in by password or token, and the end of a login.
"""
