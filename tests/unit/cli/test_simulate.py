import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from webhook.cli.simulate import simulate_command
from webhook.rollout.errors import InvalidStrategy

FEW = ["--rollouts", "5"]


def test_the_distribution_of_outcomes_is_printed_as_a_table() -> None:
    result = CliRunner().invoke(simulate_command, FEW)
    assert result.exit_code == 0
    assert "5 rollouts in 200 namespaces with 5,000 new workloads a day" in result.stdout
    assert "promoted" in result.stdout
    assert "wrong denials enforced" in result.stdout


def test_the_result_can_be_read_by_a_program() -> None:
    result = CliRunner().invoke(
        simulate_command, [*FEW, "--false-positive-rate", "0.003", "--output", "json"]
    )
    document = json.loads(result.stdout)
    assert document["world"]["falsePositiveRate"] == 0.003
    assert document["world"]["reviewDelay"] == "4h"
    assert document["strategy"]["steps"][0] == {"mode": "enforce", "percent": 5, "duration": "72h"}
    assert document["shares"] == {"promoted": 0.0, "rolled-back": 1.0, "undecided": 0.0}
    assert document["hours"]["rolled-back"]["p50"] < 72
    assert document["promotionBound"] == 0.05


def test_what_the_guarantee_allows_is_said_for_a_hopeless_candidate() -> None:
    result = CliRunner().invoke(simulate_command, [*FEW, "--false-positive-rate", "0.003"])
    assert "at most 5% may be promoted, and 0.0% were" in result.stdout
    assert "Rolled back for: " in result.stdout


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_strategy_is_read_from_a_file(tmp_path: Path, wrapped: bool) -> None:
    file = tmp_path / "strategy.yaml"
    text = "{steps: [{mode: shadow, percent: 100, duration: 1h}, {mode: enforce, percent: 100}]}"
    file.write_text(f"strategy: {text}" if wrapped else text)
    result = CliRunner().invoke(simulate_command, [*FEW, "--strategy", str(file), "--output", "json"])
    assert json.loads(result.stdout)["strategy"]["steps"][0]["mode"] == "shadow"


def test_a_strategy_that_cannot_be_used_names_its_mistake(tmp_path: Path) -> None:
    file = tmp_path / "strategy.yaml"
    file.write_text("steps: [{mode: enforce, percent: 0}]")
    result = CliRunner().invoke(simulate_command, ["--strategy", str(file)])
    assert isinstance(result.exception, InvalidStrategy)
    file.write_text("steps: [")
    result = CliRunner().invoke(simulate_command, ["--strategy", str(file)])
    assert (result.exit_code, "strategy.yaml" in result.stderr) == (2, True)


def test_a_duration_that_is_none_is_refused() -> None:
    result = CliRunner().invoke(simulate_command, ["--review-delay", "soon"])
    assert result.exit_code == 2
    assert "is no duration" in result.stderr
