"""The form of what is said on a control socket: one word a line to the server, JSON lines back.

The client says `ASK`. The server answers with a line of the kind `server`, one of the kind `connection` for each
connection, and one of the kind `end`. The client may ask again on the same connection. Beside an answer stand lines of
two more kinds: `error`, behind which the server closes, and `stopped`, with which a stopping server says goodbye. A
program passes over kinds and fields that it doesn't know.
"""

ASK = b"status\n"
"""What a client says."""
SUFFIX = ".sock"
"""The end of the name of a control socket in the folder of the user's servers."""
