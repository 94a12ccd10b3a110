"""What the client knows of a chat, and how it shows that."""
