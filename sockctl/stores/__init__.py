"""Safe files on disk, in JSON or SQLite: a lock between processes, atomic changes, permissions, a version."""
