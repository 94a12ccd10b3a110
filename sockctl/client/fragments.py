"""Text for the terminal, in pieces of one style each."""

Fragments = list[tuple[str, str]]
"""Each piece has prompt_toolkit's name of a style, and the text."""
