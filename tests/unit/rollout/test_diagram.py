from pathlib import Path

from docs.draw_rollout_states import draw


def test_the_documented_diagram_is_the_one_drawn_from_the_table() -> None:
    page = Path(__file__).parents[3] / "docs" / "rollout-states.md"
    assert page.read_text() == draw(), "run `make docs`"
