"""The client's view of a chat: members, seen and unconfirmed messages, their look, completion."""
