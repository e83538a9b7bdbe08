"""Prompts that Ctrl-C ends at once, also where a loop runs around them."""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click


def ask_choice(question: str, answers: Sequence[str]) -> str:
    """Ask until one of the answers is typed."""
    with _interruptible():
        answer: str = click.prompt(question, type=click.Choice(answers), show_choices=False)
    return answer


def ask_text(question: str) -> str:
    """Ask until something is typed."""
    with _interruptible():
        text: str = click.prompt(question)
    return text


def agrees(question: str) -> bool:
    """Ask for a yes; anything else is none."""
    with _interruptible():
        return click.confirm(question, err=True)


@contextmanager
def _interruptible() -> Iterator[None]:
    # asyncio notes the first Ctrl-C for its next turn, which only comes once something is typed.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
