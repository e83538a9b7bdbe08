"""`gradate simulate`: play a rollout strategy against made-up traffic before trusting it with real traffic."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
import yaml

from webhook.cli.options import output_option
from webhook.cli.printing import print_document, print_table
from webhook.flows.simulate import Ending, Plan, Simulation, Spread, World, simulate
from webhook.rollout.duration import MILLISECOND_NS, format_duration, parse_duration
from webhook.rollout.errors import InvalidDuration
from webhook.rollout.strategy import Strategy
from webhook.rollout.strategy_document import parse_strategy, strategy_document

_FRACTION = click.FloatRange(0, 1)
_DEFAULT = World()


def _duration(_: click.Context, __: click.Parameter, value: str) -> int:
    """Read a duration as everywhere in Gradate."""
    try:
        return parse_duration(value)
    except InvalidDuration as error:
        raise click.BadParameter(str(error)) from error


@click.command(name="simulate")
@click.option(
    "--strategy",
    "strategy_path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Strategy as YAML or JSON. [default: the built-in one]",
)
@click.option(
    "--rollouts", type=click.IntRange(1), default=1_000, show_default=True, help="How many to play."
)
@click.option(
    "--namespaces",
    type=click.IntRange(1),
    default=_DEFAULT.namespaces,
    show_default=True,
    help="In the cluster.",
)
@click.option(
    "--workloads-per-day",
    type=click.FloatRange(0),
    default=_DEFAULT.workloads_per_day,
    show_default=True,
    help="New distinct workloads in the whole cluster.",
)
@click.option(
    "--tail",
    type=click.FloatRange(0),
    default=_DEFAULT.tail,
    show_default=True,
    help="How unevenly they spread over namespaces (a Zipf exponent); 0 is evenly.",
)
@click.option(
    "--false-positive-rate",
    type=_FRACTION,
    default=_DEFAULT.false_positive_rate,
    show_default=True,
    help="The candidate's true rate of wrongly denied workloads.",
)
@click.option(
    "--true-positive-rate",
    type=_FRACTION,
    default=_DEFAULT.true_positive_rate,
    show_default=True,
    help="Workloads that the candidate rightly denies and stable does not.",
)
@click.option(
    "--review-delay",
    callback=_duration,
    metavar="DURATION",
    default="4h",
    show_default=True,
    help="Mean time until a finding is judged.",
)
@click.option(
    "--reviewed-share",
    type=_FRACTION,
    default=_DEFAULT.reviewed_share,
    show_default=True,
    help="Findings that are judged at all.",
)
@click.option(
    "--latency-overhead-ms",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="How much longer the candidate's slowest hundredth takes.",
)
@click.option("--error-rate", type=_FRACTION, default=0.0, show_default=True, help="Evaluations that fail.")
@click.option(
    "--horizon",
    callback=_duration,
    default="30d",
    metavar="DURATION",
    show_default=True,
    help="When to stop waiting.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed plays the same game.")
@output_option
def simulate_command(
    *,
    strategy_path: Path | None,
    rollouts: int,
    review_delay: int,
    latency_overhead_ms: float,
    horizon: int,
    seed: int,
    output: str,
    **world: Any,
) -> None:
    """Play a strategy against made-up traffic in accelerated time, with the real engine.

    Tells how often a candidate of the given quality is promoted or rolled back, how long that takes, how many
    reviews it asks for, and how many workloads it wrongly denies on the way.
    """
    plan = Plan(
        strategy=_read_strategy(strategy_path),
        world=World(
            **world,
            review_delay_ns=review_delay,
            latency_overhead_ns=round(latency_overhead_ms * MILLISECOND_NS),
        ),
        rollouts=rollouts,
        horizon_ns=horizon,
        seed=seed,
    )
    hidden = output != "text" or not sys.stderr.isatty()
    with click.progressbar(length=rollouts, label="Playing", file=sys.stderr, hidden=hidden) as bar:
        simulation = simulate(plan, lambda: bar.update(1))
    if output == "text":
        _print(simulation)
    else:
        print_document(_document(simulation), output)


def _read_strategy(path: Path | None) -> Strategy:
    if path is None:
        return Strategy()
    try:
        document = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{path}: {error}", param_hint="--strategy") from error
    # A strategy often stands inside a larger document, under its own name.
    inner = document.get("strategy", document) if isinstance(document, dict) else document
    return parse_strategy(inner)


def _print(simulation: Simulation) -> None:
    plan = simulation.plan
    click.echo(
        f"{plan.rollouts:,} rollouts in {plan.world.namespaces:,} namespaces with"
        f" {plan.world.workloads_per_day:,.0f} new workloads a day, at most"
        f" {format_duration(plan.horizon_ns)} each\n"
    )
    print_table(("ENDING", "SHARE", "HOURS p5", "p50", "p95"), _ending_rows(simulation))
    click.echo()
    print_table(("PER ROLLOUT", "MEAN", "p5", "p50", "p95"), _count_rows(simulation))
    if simulation.rollback_reasons:
        reasons = ", ".join(f"{name} ({count:,})" for name, count in simulation.rollback_reasons.items())
        click.echo(f"\nRolled back for: {reasons}")
    bound = simulation.expected_promotion_bound
    if bound is not None:
        click.echo(
            f"\nThe true false-positive rate is at or above the maximum: at most {bound:.0%} may be promoted,"
            f" and {simulation.shares[Ending.PROMOTED]:.1%} were."
        )


def _ending_rows(simulation: Simulation) -> Iterator[tuple[str, ...]]:
    for ending, share in simulation.shares.items():
        hours = simulation.hours.get(ending)
        cells = (
            ("", "", "") if hours is None else tuple(f"{v:,.1f}" for v in (hours.p5, hours.p50, hours.p95))
        )
        yield (ending.value, f"{share:.1%}", *cells)


def _count_rows(simulation: Simulation) -> Iterator[tuple[str, ...]]:
    rows: dict[str, Spread] = {
        "workloads seen": simulation.workloads,
        "reviews done": simulation.reviews,
        "wrong denials enforced": simulation.false_denials,
        "right denials enforced": simulation.interceptions,
    }
    for name, spread in rows.items():
        yield (
            name,
            f"{spread.mean:,.2f}",
            *(f"{value:,.0f}" for value in (spread.p5, spread.p50, spread.p95)),
        )


def _document(simulation: Simulation) -> dict[str, Any]:
    plan = simulation.plan
    return {
        "strategy": strategy_document(plan.strategy),
        "world": _world_document(plan.world),
        "rollouts": plan.rollouts,
        "horizon": format_duration(plan.horizon_ns),
        "seed": plan.seed,
        "shares": {ending.value: share for ending, share in simulation.shares.items()},
        "hours": {ending.value: spread for ending, spread in simulation.hours.items()},
        "workloads": simulation.workloads,
        "reviews": simulation.reviews,
        "falseDenials": simulation.false_denials,
        "interceptions": simulation.interceptions,
        "rollbackReasons": simulation.rollback_reasons,
        "promotionBound": simulation.expected_promotion_bound,
    }


def _world_document(world: World) -> dict[str, Any]:
    plain = msgspec.to_builtins(world)
    durations = {"review_delay_ns": "reviewDelay", "latency_overhead_ns": "latencyOverhead"}
    document: dict[str, Any] = {}
    for name, value in plain.items():
        if name in durations:
            document[durations[name]] = format_duration(value)
        else:
            first, *rest = name.split("_")
            document[first + "".join(map(str.capitalize, rest))] = value
    return document
