"""What paths on the command line load."""

from pathlib import Path

import pytest

from webhook.flows.policy_files import load_policy_files, parse_sources, read_document
from webhook.ports.source import SourceError
from webhook.rego.ast import Source
from webhook.rego.errors import CompileError


def write(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def test_a_folder_gives_its_modules_and_its_data_by_folder(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a.rego": "package a",
            "b/b.rego": "package b",
            "b/data.json": '{"x": 1}',
            "b/c/data.yaml": "list: [1, two]",
            "data.yml": "z: true",
            "b/other.json": "{}",
            "b/notes.txt": "",
            ".hidden/x.rego": "package x",
            ".y.rego": "package y",
        },
    )

    files = load_policy_files([str(tmp_path)])

    assert [source.path for source in files.sources] == [str(tmp_path / "a.rego"), str(tmp_path / "b/b.rego")]
    assert files.data == {"b": {"x": 1, "c": {"list": [1, "two"]}}, "z": True}


def test_a_file_named_by_itself_goes_to_the_root_or_below_its_prefix(tmp_path: Path) -> None:
    write(tmp_path, {"list.json": '{"x": 1}', "p.rego": "package p"})

    files = load_policy_files(
        [str(tmp_path / "p.rego"), str(tmp_path / "list.json"), f"a.b:{tmp_path / 'list.json'}"]
    )

    assert len(files.sources) == 1
    assert files.data == {"x": 1, "a": {"b": {"x": 1}}}
    assert load_policy_files([f"data.c:{tmp_path / 'list.json'}"]).data == {"c": {"x": 1}}


def test_a_module_named_twice_is_loaded_once(tmp_path: Path) -> None:
    write(tmp_path, {"p.rego": "package p"})

    assert len(load_policy_files([str(tmp_path), str(tmp_path / "p.rego")]).sources) == 1


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"data.json": "{"}, "data.json:1:2: not a JSON document"),
        ({"data.yaml": "a: b: c"}, "data.yaml: not a YAML document"),
        ({"data.json": "[1]"}, "the document at data must be an object"),
        ({"data.json": '{"a": 1}', "data.yaml": "a: 2"}, r"data\.a is already given by .*data\.json"),
        (
            {"data.json": '{"a": {"b": 1}}', "a/data.yaml": "b: 2"},
            r"data\.a\.b is already given by .*data\.json",
        ),
    ],
)
def test_data_that_cannot_be_used_is_named(tmp_path: Path, files: dict[str, str], message: str) -> None:
    write(tmp_path, files)

    with pytest.raises(SourceError, match=message):
        load_policy_files([str(tmp_path)])


def test_a_missing_path_and_an_unknown_kind_of_file_are_named(tmp_path: Path) -> None:
    write(tmp_path, {"notes.txt": ""})

    with pytest.raises(SourceError, match="nowhere: no such file or folder"):
        load_policy_files([str(tmp_path / "nowhere")])
    with pytest.raises(SourceError, match=r"notes\.txt: neither a module"):
        load_policy_files([str(tmp_path / "notes.txt")])


def test_a_module_that_is_no_utf_8_is_a_compile_error_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "p.rego").write_bytes(b"package p\nx := \xff")

    with pytest.raises(CompileError, match=r"p\.rego:2:6: rego_parse_error: illegal utf-8 character"):
        load_policy_files([str(tmp_path)])


def test_an_input_is_read_as_json_or_yaml(tmp_path: Path) -> None:
    write(tmp_path, {"i.json": '{"a": 12345678901234567890}', "i.yaml": "\ufeffa: 1"})

    assert read_document(tmp_path / "i.json") == {"a": 12345678901234567890}
    assert read_document(tmp_path / "i.yaml") == {"a": 1}


def test_syntax_errors_of_all_modules_are_reported_together() -> None:
    sources = [Source("a.rego", "package a\nx := ]"), Source("b.rego", "package b\nx := }")]

    with pytest.raises(CompileError) as caught:
        parse_sources(sources, "auto")

    assert [found.location.file for found in caught.value.diagnostics] == ["a.rego", "b.rego"]
