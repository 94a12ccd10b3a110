"""The sentences of the events about HTTP and WebSocket."""

from sockctl.events.web import PageServed, RequestAnswered, RequestRefused, WebSocketOpened


def test_events_read_as_they_are_meant() -> None:
    assert PageServed(url="http://127.0.0.1:9091/").text == "For a browser: http://127.0.0.1:9091/"
    answered = RequestAnswered(connection=1, peer="[::1]:1", method="GET", target="/", status=200)
    assert answered.text == "Answered GET / with status 200."
    refused = RequestRefused(connection=1, peer="[::1]:1", status=404, error="There is no such page.")
    assert refused.text == "Refused an HTTP request with status 404: There is no such page."
    opened = WebSocketOpened(connection=1, peer="[::1]:1", origin="http://localhost:9091")
    assert opened.happened == "The page http://localhost:9091 opened a WebSocket."
    assert WebSocketOpened(connection=1, peer="[::1]:1").text == (
        "A program opened a WebSocket. The server agreed with status 101. From here on both sides send frames instead "
        "of HTTP."
    )
