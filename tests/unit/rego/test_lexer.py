"""Tokens: their kinds, places and what is illegal."""

import pytest

from webhook.rego.ast import Source
from webhook.rego.errors import CompileError
from webhook.rego.lexer import MAX_ILLEGAL_TOKENS, MAX_SOURCE_CHARACTERS, Token, tokenize


def tokens(text: str) -> list[Token]:
    return tokenize(Source("test.rego", text)).tokens


def kinds(text: str) -> list[str]:
    return [token.kind for token in tokens(text)]


def illegal(text: str) -> list[str]:
    return [token.text for token in tokens(text) if token.kind == "illegal"]


def test_keywords_are_their_own_kind_and_other_words_are_identifiers() -> None:
    assert kinds("default allow if contains_x") == ["default", "identifier", "if", "identifier", "eof"]


def test_the_longest_operator_wins() -> None:
    assert kinds(":= == = != <= < >= > :")[:-1] == [":=", "==", "=", "!=", "<=", "<", ">=", ">", ":"]


@pytest.mark.parametrize("text", ["0", "12", "1.5", "1e5", "1E-3", "2.5e+10"])
def test_a_number_is_one_token(text: str) -> None:
    assert kinds(text) == ["number", "eof"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1.", "expected fraction"),
        ("1.foo", "expected fraction"),
        ("1e", "expected exponent"),
        ("1.5E+", "expected exponent"),
        ("0x1f", "illegal number format"),
        ("12ab", "illegal number format"),
    ],
)
def test_a_malformed_number_is_one_illegal_token(text: str, message: str) -> None:
    assert illegal(text) == [message]


def test_rows_and_columns_count_characters_from_one() -> None:
    last = tokens('x := "é😀"\n  y')[-2]

    assert (last.text, last.row, last.col) == ("y", 2, 3)


def test_a_raw_string_over_several_lines_moves_the_row_on() -> None:
    last = tokens("`a\nb\nc` x")[-2]

    assert (last.row, last.col) == (3, 4)


def test_crlf_ends_a_line_like_lf() -> None:
    found = tokenize(Source("test.rego", "a # one\r\nb\r\n"))

    assert [(token.row, token.after_newline) for token in found.tokens[:2]] == [(1, True), (2, True)]
    assert [comment.text for comment in found.comments] == [" one"]


def test_a_byte_order_mark_is_skipped_only_at_the_start() -> None:
    assert kinds("\ufeffx") == ["identifier", "eof"]
    with pytest.raises(CompileError, match="illegal byte-order mark"):
        tokens("x\ufeff")


def test_comments_are_kept_with_their_place() -> None:
    (comment,) = tokenize(Source("test.rego", "x\n  # note")).comments

    assert (comment.text, comment.location.row, comment.location.col) == (" note", 2, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('"abc', "non-terminated string"),
        ("`abc", "non-terminated string"),
        ('$"abc', "non-terminated string"),
        ("$`abc", "non-terminated string"),
        (r'"a\q"', "illegal escape sequence"),
        (r'"\u12"', "illegal escape sequence"),
        (r'$"a\q"', "illegal escape sequence"),
        ("!", "illegal ! character"),
        ("$", "illegal $ character"),
        ("§", "illegal token"),
        ("x\x0cy", "illegal token"),
    ],
)
def test_what_is_no_token_says_why(text: str, message: str) -> None:
    assert illegal(text) == [message]


def test_an_unterminated_string_costs_only_its_line() -> None:
    assert kinds('x := "abc\ny')[-2:] == ["identifier", "eof"]


def test_a_template_string_alternates_text_and_expressions() -> None:
    assert kinds('$"a {x} b {y}"') == [
        "template-string-part",
        "identifier",
        "}",
        "template-string-part",
        "identifier",
        "}",
        "template-string-end",
        "eof",
    ]


def test_braces_inside_a_template_expression_do_not_end_it() -> None:
    assert kinds('$"{ {1: {2}} }"')[-3:] == ["}", "template-string-end", "eof"]


def test_template_strings_nest() -> None:
    assert illegal('$"a {$`b {c}`} d"') == []


@pytest.mark.parametrize(
    ("text", "message"),
    [("x\0", "illegal null character"), ('x := "\ud800"', "illegal utf-8 character")],
)
def test_characters_that_no_source_may_hold_are_refused(text: str, message: str) -> None:
    with pytest.raises(CompileError, match=message):
        tokens(text)


def test_a_file_beyond_the_size_limit_is_refused_at_its_first_character() -> None:
    with pytest.raises(CompileError, match=r"test\.rego:1:1: rego_parse_error: file too large"):
        tokens("#" * (MAX_SOURCE_CHARACTERS + 1))


def test_garbage_is_not_lexed_to_its_end() -> None:
    assert len(tokens("§" * 1_000_000)) == MAX_ILLEGAL_TOKENS + 1
