import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.admission import main as bench
from docs.demo.reviews import load_scenes

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(
    260
)  # its traffic is paced; a machine that is busy with other tests takes three times as long
def test_the_demonstration_decides_every_scene_as_expected_and_its_rollouts_end_as_told() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "docs.demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert shown.returncode == 0, shown.stdout
    scenes = load_scenes()
    assert len(scenes) >= 12
    assert f"{len(scenes)} of {len(scenes)} decisions as expected" in shown.stdout
    told = " ".join(shown.stdout.split())
    for part in (
        "pinned-images 1.1.0 was given up and stable decides everywhere.",
        "Rolled back by itself",
        "version 1.1.1 is stable: every step served, every bar cleared",
        "genuine by every check",
    ):
        assert part in told, shown.stdout


def test_the_benchmark_measures_gradate_beside_a_bare_handler(tmp_path: Path) -> None:
    brief = ["--duration", "0.3", "--warm-up", "0.1", "--connections", "2", "--workers", "1"]
    result = CliRunner().invoke(bench, [*brief, "--results", str(tmp_path)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    (path,) = tmp_path.glob("admission-*.json")
    document = json.loads(path.read_text(encoding="utf-8"))
    assert [(row["server"], row["connections"], row["errors"]) for row in document["rows"]] == [
        ("bare handler", 2, 0),
        ("gradate, 1 worker", 2, 0),
    ]
    assert all(row["requests"] > 10 and row["p50_us"] <= row["p99_us"] for row in document["rows"])
