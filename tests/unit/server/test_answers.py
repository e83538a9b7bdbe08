from http import HTTPStatus

import msgspec

from webhook.server.answers import Answer, AnswerWriter, ErrorCode, refuse


def test_an_answer_is_a_whole_http_response() -> None:
    written = AnswerWriter().write(Answer(HTTPStatus.OK, b'{"a":1}'), close=False)
    head, body = written.split(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 200 OK"
    assert b"Content-Type: application/json" in lines
    assert b"Content-Length: 7" in lines
    assert any(line.startswith(b"Date: ") and line.endswith(b" GMT") for line in lines)
    assert body == b'{"a":1}'


def test_a_last_answer_says_so_and_an_answer_to_head_has_no_body_but_its_length() -> None:
    written = AnswerWriter().write(Answer(HTTPStatus.OK, b"1234"), close=True, bodiless=True)
    assert b"\r\nConnection: close\r\n" in written
    assert b"\r\nContent-Length: 4\r\n" in written
    assert written.endswith(b"\r\n\r\n")


def test_a_refusal_carries_code_message_field_and_headers() -> None:
    answer = refuse(
        HTTPStatus.TOO_MANY_REQUESTS,
        ErrorCode.OVERLOADED,
        "slow down",
        field="x",
        headers=(("Retry-After", "1"),),
    )
    assert msgspec.json.decode(answer.body) == {
        "error": {"code": "overloaded", "message": "slow down", "field": "x"}
    }
    assert b"\r\nRetry-After: 1\r\n" in AnswerWriter().write(answer, close=False)
