from pathlib import Path

from docs.list_settings import list_settings
from webhook.settings.loader import environment_name, setting_paths

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_the_page_of_the_settings_is_up_to_date() -> None:
    """If not: `make docs`."""
    assert PAGE.read_text(encoding="utf-8") == list_settings()


def test_every_setting_is_on_the_page_with_its_variable_and_a_meaning() -> None:
    rows = [line for line in list_settings().splitlines() if line.startswith("| `")]
    assert len(rows) == len(setting_paths())
    for path, row in zip(setting_paths(), rows, strict=True):
        assert row.startswith(f"| `{'.'.join(path)}`<br>`{environment_name(path)}` | ")
        assert row.split(" | ")[-1].endswith(". |")
