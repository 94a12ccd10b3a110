"""Who may come in: passwords, users, sessions, and the rules of logging in; no sockets.

- `passwords`, `password_rules`: how passwords are hashed, and which ones will do.
- `users`, `sessions`, `settings`: what is kept in the data directory.
- `accounts`: all of that together, as commands and servers use it.
- `throttle`, `hash_queue`: who must wait before the next guess.
- `authenticator`: logging in, by password or token, and what ends it.
"""
