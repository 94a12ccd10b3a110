"""HTTP that passes: heads, bodies by length, in chunks and up to the end, and what gives access is hidden."""

from dataclasses import replace

import pytest

from sockctl.proxy.http_heads import HttpBody, HttpRequest, HttpResponse
from sockctl.proxy.seen import HIDDEN, Seen
from tests.support.inspecting import DIALOGUES, FROM, OPENING, TO, Step, count_kinds, inspect, inspect_cut, join
from tests.support.web import make_request

NOTHING = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def texts(steps: list[Step]) -> list[str]:
    return [one.text for one in inspect(steps)]


def request_of(*headers: str, **options: str) -> HttpRequest:
    (seen,) = inspect([(TO, make_request("/", *headers, **options))])
    assert isinstance(seen, HttpRequest)
    return seen


def response_to(answer: bytes, method: str = "GET") -> list[Seen]:
    return [one for one in inspect([(TO, make_request("/", method=method)), (FROM, answer)]) if not one.towards_target]


def test_several_requests_and_responses_on_one_connection() -> None:
    assert texts(DIALOGUES["http"]) == [
        "HTTP request GET / at localhost.",
        "HTTP response 200 OK, body of 5 bytes (text/plain).",
        "HTTP body complete: 5 bytes.",
        "HTTP request POST /a at localhost, body of 3 bytes.",
        "HTTP body complete: 3 bytes.",
        "HTTP request HEAD /b at localhost.",
        "HTTP response 100 Continue.",
        "HTTP response 200 OK, body in chunks.",
        "HTTP body complete: 13 bytes, in 1 chunk.",
        "HTTP response 200 OK.",
        "HTTP request PUT /c at localhost, body in chunks.",
        "HTTP body complete: 22 bytes, in 1 chunk.",
        "HTTP response 404 Not Found, body up to the end.",
        "HTTP body complete: 13 bytes.",
    ]


def test_all_bytes_belong_to_something() -> None:
    steps = DIALOGUES["http"]
    assert sum(one.size for one in inspect(steps)) == sum(len(data) for _, data in steps)


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        ("Authorization: Basic c2VjcmV0", "Basic (hidden)"),
        ("authorization: secret", "(hidden)"),
        ("Proxy-Authorization: Bearer secret", "Bearer (hidden)"),
        ("Cookie: id=secret", "(hidden)"),
        ("X-Api-Key: secret", "(hidden)"),
        ("apikey: secret", "(hidden)"),
        ("PRIVATE-TOKEN: secret", "(hidden)"),
        ("X-Amz-Security-Token: secret", "(hidden)"),
        ("X-Client-Secret: secret", "(hidden)"),
        ("X-Auth-Key: secret", "(hidden)"),
        ("X-Functions-Key: secret", "(hidden)"),
        ("Ocp-Apim-Subscription-Key: secret", "(hidden)"),
        ("X-Auth: secret", "(hidden)"),
        ("Mcp-Session-Id: secret", "(hidden)"),
        ("Sec-WebSocket-Key: shown", "shown"),
        ("Idempotency-Key: shown", "shown"),
        ("Author: shown", "shown"),
        ("Authorization: Basic\r\n secret", "Basic (hidden)"),
        ("Accept: text/html", "text/html"),
    ],
)
def test_what_gives_access_is_hidden(header: str, shown: str) -> None:
    seen = request_of(header)
    assert [value for _, value in seen.headers] == ["localhost", shown]
    assert seen.details[1].endswith(f": {shown}")
    assert "secret" not in f"{seen.text} {seen.fields} {seen.details}"


def test_a_method_with_a_hyphen_shows_no_secret() -> None:
    seen = request_of("Cookie: id=secret", line="VERSION-CONTROL /a HTTP/1.1")
    assert (seen.method, dict(seen.headers)["Cookie"]) == ("VERSION-CONTROL", "(hidden)")


def test_a_cookie_that_is_set_is_hidden() -> None:
    (seen,) = response_to(NOTHING.replace(b"\r\n\r\n", b"\r\nSet-Cookie: secret\r\n\r\n"))
    assert "secret" not in str(seen.fields)


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "access_token",
        "id_token",
        "api_key",
        "apikey",
        "api-key",
        "key",
        "sig",
        "signature",
        "password",
        "passwd",
        "pwd",
        "client_secret",
        "code",
        "jwt",
        "sid",
        "sessionid",
        "X-Amz-Signature",
        "X-Amz-Credential",
        "AWSAccessKeyId",
        "subscription-key",
        "%61ccess_%74oken",
        "passphrase",
        "user[pass]",
    ],
)
def test_a_field_of_a_target_that_gives_access_is_hidden(name: str) -> None:
    seen = request_of(line=f"GET /a?page=1&{name}=se%63ret;?<secret&monkey=b HTTP/1.1")
    assert seen.target == f"/a?page=1&{name}=(hidden)&monkey=b"
    assert request_of(line=f"GET /a?b=c?{name}=secret HTTP/1.1").target == f"/a?b=c?{name}=(hidden)"


@pytest.mark.parametrize(
    "target", ["/", "/?", "/?a", "/?a=", "/token=1", "/?keyboard=a&monkey=b&decode=c", "*", "/?=&=;=#="]
)
def test_what_gives_no_access_is_shown(target: str) -> None:
    assert request_of(line=f"GET {target} HTTP/1.1").target == target


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("https://a.example/?token=secret", "https://a.example/?token=(hidden)"),
        ("https://ann:secret@a.example/", "https://(hidden)@a.example/"),
        ("https://ann:sec@ret@a.example/ bob@b.example", "https://(hidden)@a.example/ bob@b.example"),
        ("/b#access_token=secret&state=1", "/b#access_token=(hidden)&state=1"),
        ('<https://a.example/?sig=secret>; rel="next"', '<https://a.example/?sig=(hidden)>; rel="next"'),
        ("no-cache;key= 1", "no-cache;key=(hidden) 1"),
    ],
)
def test_an_address_in_a_header_shows_no_access(value: str, shown: str) -> None:
    seen = request_of(f"Referer: {value}")
    assert dict(seen.headers)["Referer"] == shown


def test_a_user_in_the_address_is_hidden() -> None:
    seen = request_of(line="GET http://ann:secret@a.example/b@c HTTP/1.1")
    assert seen.target == "http://(hidden)@a.example/b@c"


@pytest.mark.parametrize(
    ("line", "target"),
    [
        ("CONNECT ann:secret@a.example:443 HTTP/1.1", "(hidden)@a.example:443"),
        (
            "GET /?next=%2Fa%3Fb%3D1%26token%3Dsecret%26secret&c=d HTTP/1.1",
            "/?next=%2Fa%3Fb%3D1%26token%3D(hidden)&c=d",
        ),
        ("GET /?password=a%26secret%3Dsecret&c=d HTTP/1.1", "/?password=(hidden)&c=d"),
    ],
)
def test_a_secret_in_a_host_or_an_encoded_address_is_hidden(line: str, target: str) -> None:
    assert request_of(line=line).target == target


def test_json_has_all_of_a_head() -> None:
    seen = request_of("Upgrade: h2c", "Content-Length: 0")
    assert seen.fields == {
        "kind": "http_request",
        "bytes": seen.size,
        "version": "1.1",
        "headers": [("Host", "localhost"), ("Upgrade", "h2c"), ("Content-Length", "0")],
        "body_bytes": 0,
        "chunked": False,
        "method": "GET",
        "target": "/",
        "host": "localhost",
        "upgrade": "h2c",
    }


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ],
)
def test_responses_without_a_body(method: str, answer: bytes) -> None:
    assert [type(one) for one in response_to(answer + NOTHING, method)] == [HttpResponse, HttpResponse]


def test_lines_may_end_in_a_line_feed_alone_and_names_be_wrong() -> None:
    (seen,) = inspect([(TO, b"GET / HTTP/1.0\nNa me : x\nempty:\n\n")])
    assert isinstance(seen, HttpRequest)
    assert seen.headers == [("Na me ", "x"), ("empty", "")]


@pytest.mark.parametrize("length", ["-1", "x", "1" * 20, "\N{SUPERSCRIPT TWO}"])
def test_a_length_that_is_none_says_nothing(length: str) -> None:
    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nabc".encode()
    assert response_to(answer)[-1] == HttpBody(towards_target=FROM, size=3)


@pytest.mark.parametrize("chunks", [b"x\r\n", b"3\r\nabcd\r\n", b"\r\n", b"1" * 2_000])
def test_wrong_chunks_end_the_reading(chunks: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    assert [one.kind for one in response_to(answer)] == ["http_response", "given_up"]


def test_too_large_a_head_ends_the_reading() -> None:
    head = b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 12_000
    assert [one.kind for one in response_to(head)] == ["given_up"]


def test_bytes_behind_an_upgrade_wait_for_the_response() -> None:
    assert count_kinds(inspect(DIALOGUES["ahead"])) == ["> http_request", "< http_response", "> websocket_frame"]
    assert count_kinds(inspect(DIALOGUES["no upgrade"])) == [
        "> http_request",
        "< http_response",
        "< http_response",
        "> http_request",
    ]
    assert count_kinds(inspect([OPENING[0], (TO, bytes(100_000))])) == ["> http_request", "> given_up"]


def test_a_tunnel_is_looked_into() -> None:
    assert count_kinds(inspect(DIALOGUES["connect"])) == [
        "> http_request",
        "< http_response",
        "> tls_record",
        "< tls_record",
    ]


def test_another_protocol_is_recognised_anew() -> None:
    steps = [(TO, make_request("/", "Upgrade: x")), (FROM, b"HTTP/1.1 101 Yes\r\nUpgrade: x\r\n\r\n")]
    assert count_kinds(inspect([*steps, (TO, b"hello\n"), (FROM, b"hi\n")]))[2:] == ["> text", "< text"]


def test_what_only_begins_like_http_is_text() -> None:
    for data in (
        b"HELO mail\r\n",
        b"GET\n",
        b"GET / HTTP/a\r\n",
        b"GET / \r\n",
        b"HTTP is fine\n",
        b"G",
        b"get\n",
        b"get: / HTTP/1.1\n",
    ):
        for towards in (TO, FROM):
            assert count_kinds(inspect([(towards, data)])) == [f"{'>' if towards else '<'} text"]
    assert count_kinds(inspect([(TO, b"GET lost")])) == ["> text"]
    for line in (b"GET /\0 HTTP/1.1\n", b"GET /" + b"a" * 2_000 + b"\0 HTTP/1.1\n"):
        assert count_kinds(inspect([(TO, line)])) == ["> text", "> bytes"]
        assert join(inspect_cut([(TO, line)], [1] * 3_000)) == join(inspect([(TO, line)]))
    assert count_kinds(inspect([(FROM, b"HTTP/1.1 fine\n\n")])) == ["< given_up"]


@pytest.mark.parametrize(
    "line",
    [
        "GET / HTTP/7",
        "GET /a b HTTP/1.1 ",
        "GET  / HTTP/1.1",
        f"GET /{'a' * 20_000} HTTP/1.1",
        "FROBNICATE * HTTP/1.1",
        "get / HTTP/1.1",
        "Get / http/1.1",
        "_do.it_2 / HTTP/1.1",
        "X / HTTP/1.1",
        "GET /\x7fü HTTP/1.1",
        "  GET / HTTP/1.1",
        "\t GET\t/ \tHTTP/1.1\t",
    ],
)
def test_a_wrong_first_line_shows_no_secret(line: str) -> None:
    seen = request_of("Cookie: id=secret", line=line)
    assert seen.headers[1] == ("Cookie", HIDDEN)
    assert seen.target == seen.target.strip()


@pytest.mark.parametrize("spaces", ["", "  ", "\t"])
@pytest.mark.parametrize("ahead", [b"\r\n", b"\n", b"\r\n\r\n\n", b"  \r\n\t\n"])
def test_a_request_behind_empty_lines_shows_no_secret(ahead: bytes, spaces: str) -> None:
    request = make_request("/", "Cookie: id=secret", line=f"{spaces}GET / HTTP/1.1")
    for cut in (inspect_cut([(TO, ahead + request)], [1] * 500), inspect([(TO, ahead + request + ahead + request)])):
        text, *requests = join(cut)
        assert (text.kind, text.size) == ("text", len(ahead))
        assert {one.kind for one in requests} == {"http_request"}
        assert "secret" not in f"{[one.fields for one in requests]}"


@pytest.mark.parametrize(
    ("protocols", "shown"),
    [
        ("bearer.secret", HIDDEN),
        ("base64url.bearer.authorization.k8s.io.secret, base64.binary.k8s.io", HIDDEN),
        ("access_token, secret", HIDDEN),
        ("realtime, openai-insecure-api-key.secret", HIDDEN),
        ("chat, eyJhbGciOiJub25lIn0.eyJzdWIiOiJzZWNyZXQifQ.", HIDDEN),
        (
            "graphql-transport-ws, wamp.2.msgpack.batched, v12.stomp",
            "graphql-transport-ws, wamp.2.msgpack.batched, v12.stomp",
        ),
    ],
)
def test_a_token_among_subprotocols_is_hidden(protocols: str, shown: str) -> None:
    for name in ("Sec-WebSocket-Protocol", "sec-websocket-protocol "):
        seen = request_of(f"{name}: {protocols}")
        assert seen.headers[1] == (name, shown)
    assert "secret" not in f"{seen.text} {seen.fields} {seen.details}"


def test_a_line_of_spaces_costs_little() -> None:
    for line in (b"GET" + b" " * 60_000, b"HTTP/1.1" + b" " * 60_000, b" " * 60_000):
        for end in (b"\r\n", b"\rx\n", b"x"):
            inspect([(TO, line + end), (FROM, line + end)])


def test_many_requests_without_a_response_end_the_reading() -> None:
    seen = inspect([(TO, make_request("/"))] * 1_001)
    assert [one.kind for one in seen[-2:]] == ["http_request", "given_up"]


def test_a_head_is_the_same_object_of_data() -> None:
    seen = request_of()
    assert replace(seen, size=1) != seen
