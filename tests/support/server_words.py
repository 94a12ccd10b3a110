"""What servers say in sessions that are played, as frames."""

from tests.support.frames import framed

LATER = "2099-01-31T12:00:00Z"
ASK = framed(kind="ask", text="Your name?", field="name")
SECRET = framed(kind="ask", text="Your password?", field="password", secret=True)
TOKEN = framed(kind="token", text="", token="tok", expires=LATER)
WELCOME = framed(kind="welcome", text="Welcome, ann!", name="ann", room="#lobby")
JOINED = framed(kind="joined", text="You are in #lobby.", room="#lobby", name="ann")
LET_IN = TOKEN + WELCOME + JOINED
"""What a chat says when it lets the guest ann in."""
USER_LET_IN = TOKEN + framed(kind="welcome", text="Welcome!", name="ann", user="ann", room="#lobby") + JOINED
"""What a chat says when it lets the user ann in."""


def say(text: str, number: int, kind: str = "say", sender: str = "ann") -> bytes:
    """Return what a member of the lobby has said, under this id."""
    return framed(kind=kind, text=text, room="#lobby", sender=sender, at=LATER, id=number)
