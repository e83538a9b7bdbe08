"""Draws docs/rollout-states.md from the table of the state machine; `make docs` runs it."""

from pathlib import Path

from webhook.rollout.life import Phase
from webhook.rollout.states import ARROWS

PAGE = Path(__file__).with_name("rollout-states.md")

_INTRODUCTION = """# The states of a rollout

Drawn by `make docs` from the one table in `webhook/rollout/states.py`; what is not in it cannot happen.
"""


def draw() -> str:
    """Give the page: a Mermaid diagram and the table in words."""
    lines = [_INTRODUCTION, "```mermaid", "stateDiagram-v2"]
    for source, target in dict.fromkeys((arrow.source, arrow.target) for arrow in ARROWS):
        events = dict.fromkeys(
            arrow.event for arrow in ARROWS if (arrow.source, arrow.target) == (source, target)
        )
        lines.append(f"    {_node(source)} --> {target}: {', '.join(events)}")
    lines += ["```", "", "| from | what | to | when |", "|---|---|---|---|"]
    lines += [
        f"| {arrow.source or ''} | {arrow.event} | {arrow.target} | {arrow.meaning} |" for arrow in ARROWS
    ]
    return "\n".join(lines) + "\n"


def _node(phase: Phase | None) -> str:
    return "[*]" if phase is None else phase


if __name__ == "__main__":
    PAGE.write_text(draw())
    print(f"wrote {PAGE.name}")
