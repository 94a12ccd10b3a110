"""The user at the terminal: the line editor, and typing without echo."""
