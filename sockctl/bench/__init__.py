"""The load tool: many clients at once, whose every answer is checked and timed."""
