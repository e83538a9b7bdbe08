"""Which known word was probably meant."""

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """Give the known word most like `word`, None where none is alike."""
    return next(iter(difflib.get_close_matches(word, [str(name) for name in known], 1, likeness)), None)
