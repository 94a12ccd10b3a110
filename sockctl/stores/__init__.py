"""Safe JSON files on disk: a lock between processes, atomic replacement, permissions, a version."""
