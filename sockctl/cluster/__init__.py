"""What several machines share, on an engine that others run: Redis 7.0 or newer, or Valkey."""
