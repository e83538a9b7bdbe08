from webhook.rego.builtins.caches import MAX_CACHED_LENGTH, cached_by_text


def test_results_are_kept_by_all_arguments() -> None:
    calls: list[tuple[str, int]] = []

    @cached_by_text(8)
    def measure(text: str, factor: int) -> int:
        calls.append((text, factor))
        return len(text) * factor

    assert [measure("ab", 1), measure("ab", 1), measure("ab", 2)] == [2, 2, 4]
    assert calls == [("ab", 1), ("ab", 2)]


def test_results_for_long_text_are_not_kept() -> None:
    calls: list[int] = []

    @cached_by_text(8)
    def measure(text: str) -> int:
        calls.append(len(text))
        return len(text)

    for _ in range(2):
        measure("x" * (MAX_CACHED_LENGTH + 1))
    assert len(calls) == 2
