import os
import select
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from webhook.telemetry.lines import LineWriter


@dataclass
class Pipe:
    """A pipe whose reader the test controls."""

    reader: int
    writer: int

    def read_all(self) -> bytes:
        os.close(self.writer)
        with os.fdopen(os.dup(self.reader), "rb") as file:
            return file.read()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe(*os.pipe())
    yield made
    for descriptor in (made.reader, made.writer):
        try:
            os.close(descriptor)
        except OSError:
            continue


def test_lines_are_written_whole_and_in_order(pipe: Pipe) -> None:
    writer = LineWriter(pipe.writer)
    expected = [b'{"n":%d,"pad":"%b"}\n' % (n, b"x" * 300) for n in range(100)]
    for start in range(0, 100, 7):
        writer.write(expected[start : start + 7])
    writer.close()
    assert pipe.read_all().splitlines(keepends=True) == expected
    assert writer.dropped == 0


def test_writers_of_several_processes_do_not_tear_each_others_lines(pipe: Pipe) -> None:
    writers = [LineWriter(pipe.writer, waiting_batches=10_000) for _ in range(4)]
    result: list[bytes] = []
    reader = threading.Thread(
        target=lambda: result.append(b"".join(iter(lambda: os.read(pipe.reader, 65536), b"")))
    )
    reader.start()
    for _ in range(200):
        for number, writer in enumerate(writers):
            writer.write([b"%d" % number * 700 + b"\n"] * 9)
    for writer in writers:
        writer.close()
    os.close(pipe.writer)
    reader.join()
    lines = result[0].splitlines()
    assert len(lines) == 200 * 4 * 9
    assert {len(line) for line in lines} == {700}
    assert all(len(set(line)) == 1 for line in lines)


def test_a_line_larger_than_a_pipe_takes_at_once_is_written_whole(pipe: Pipe) -> None:
    writer = LineWriter(pipe.writer)
    big = b"x" * (select.PIPE_BUF * 3) + b"\n"
    writer.write([b"small\n", big, b"small\n"])
    writer.close()
    assert pipe.read_all() == b"small\n" + big + b"small\n"


def test_a_reader_that_stands_still_costs_lines_not_time(pipe: Pipe) -> None:
    writer = LineWriter(pipe.writer, waiting_batches=2)
    for _ in range(100):
        writer.write([b"x" * 60_000 + b"\n"])
    assert writer.dropped >= 90
    writer.close(timeout_seconds=0.05)


def test_a_reader_that_is_gone_is_no_error(pipe: Pipe) -> None:
    os.close(pipe.reader)
    writer = LineWriter(pipe.writer)
    writer.write([b"one\n", b"two\n"])
    writer.close()
    assert writer.dropped == 2


def test_a_descriptor_that_does_not_block_is_waited_for(pipe: Pipe) -> None:
    os.set_blocking(pipe.writer, False)
    writer = LineWriter(pipe.writer)
    lines = [b"y" * 4000 + b"\n"] * 40
    writer.write(lines)
    received = b""
    while len(received) < 40 * 4001:
        received += os.read(pipe.reader, 65536)
    writer.close()
    assert received == b"".join(lines)
