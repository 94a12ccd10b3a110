"""The client's view of a chat: its members, its seen and unconfirmed messages, their form on the screen, completion."""
