"""What happened, as data; and the sinks that show it.

An event is a frozen dataclass with a stable name and one sentence for a person. A `Journal` takes events from any
thread without making it wait, and one writer thread gives them to a sink, which decides how they look.
"""
