"""Throw text at the Rego parser until the time is up: `python tests/fuzz/fuzz_rego_parser.py [SECONDS]`.

Texts are mutations of real modules and soups of Rego's own words. Anything but a module or a `CompileError` ends
the run with the text that did it, in `fuzz-rego-failure.txt`.
"""

import random
import sys
import time
from pathlib import Path

from webhook.rego.ast import Source
from webhook.rego.errors import CompileError
from webhook.rego.parser import parse_module, parse_query

SEEDS = [
    r"""package a
import rego.v1

default p := {1: [x | x]}
p contains msg if {
	some i, c in input.xs
	every y in c { y > i }
	msg := $"{c.name} is {i}" with input as {"a": 1}
}
""",
    r"""package a

p[x] = y { x := input.a[_]; not f(x) == {"k": `v`} } { x | y } else = 1 { true }
f(_) = 1.5e3
""",
    r"""# METADATA
# title: t
# custom:
#   a: [1, {b: c}]
package a.b["c"]
import data.x as y
p.q[r].s := 1 if y
""",
]
WORDS = [
    *("package", "import", "default", "else", "not", "some", "every", "if", "contains", "in", "with", "as"),
    *(
        "input",
        "data",
        "set()",
        "x",
        "_",
        "true",
        "null",
        "1",
        "-1",
        ".5",
        '"s"',
        "`r`",
        '$"',
        "$`",
        "{",
        "}",
    ),
    *("[", "]", "(", ")", ",", ":", ".", ";", ":=", "=", "==", "!=", "<", "|", "&", "+", "-", "*", "/", "%"),
    *("#", "\\", '"', "`", "\n", "\t", "\r", "\ufeff", "\0", "é", "\ud800", "METADATA"),
]
LIMIT_SECONDS = 2.0


def mutate(source: random.Random, text: str) -> str:
    for _ in range(source.randint(1, 8)):
        at = source.randint(0, len(text))
        to = min(len(text), at + source.randint(0, 20))
        match source.randrange(5):
            case 0:
                text = text[:at] + text[to:]
            case 1:
                text = text[:at] + source.choice(WORDS) + text[at:]
            case 2:
                text = text[:at] + text[at:to] * source.randint(2, 200) + text[to:]
            case 3:
                text = text[:at] + chr(source.randrange(0x11000)) + text[at:]
            case _:
                text += " ".join(source.choices(WORDS, k=source.randint(1, 40)))
    return text[:20_000]


def check(text: str) -> None:
    for parse in (lambda: parse_module(Source("fuzz.rego", text)), lambda: parse_query(text)):
        started = time.process_time()  # of the processor: a busy machine is no finding
        try:
            parse()
        except CompileError as error:
            str(error).encode()
        if time.process_time() - started > LIMIT_SECONDS:
            raise TimeoutError(f"took over {LIMIT_SECONDS} s of the processor")


def main(seconds: float) -> int:
    seed = time.time_ns()
    source = random.Random(seed)  # noqa: S311 - no secret depends on it
    pool = list(SEEDS)
    runs = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        text = mutate(source, source.choice(pool))
        try:
            check(text)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
            Path("fuzz-rego-failure.txt").write_text(text, errors="surrogatepass")
            print(f"seed {seed}, run {runs}: {error!r}; the text is in fuzz-rego-failure.txt")  # noqa: T201
            return 1
        if len(pool) < 200:
            pool.append(text)
        elif source.random() < 0.1:
            pool[source.randrange(len(SEEDS), 200)] = text
        runs += 1
    print(f"{runs} texts in {seconds:.0f} s, nothing uncaught")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 600))
