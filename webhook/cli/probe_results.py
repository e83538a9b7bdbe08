"""Must-deny probes for `gradate test`: asked as before a rollout, told as tests are."""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from webhook.engines.factory import EngineFactory
from webhook.flows.judging import DecisionRules
from webhook.flows.policy_files import PolicyFiles
from webhook.flows.policy_tests import Outcome, RuleTestResult, RunOptions
from webhook.flows.probes import PROBE_SUFFIX, Probes
from webhook.policy.catalog import Catalog, read_catalog
from webhook.ports.clock import Clock
from webhook.rego.budget import DEFAULT_STEPS
from webhook.rego.errors import Location
from webhook.sources.folder import FolderSource

_PACKAGE = "must-deny"


async def ask_probes(
    folders: Iterable[Path], files: PolicyFiles, options: RunOptions, clock: Clock
) -> tuple[RuleTestResult, ...]:
    """Ask the policies among some files what some folders hold for them.

    Raises:
        SourceError, InvalidProbe, PolicyError: files cannot be read.

    """
    places = [FolderSource(folder, suffix=PROBE_SUFFIX) for folder in folders]
    found = [(place, sources) for place in places if (sources := await place.read())]
    if not found:
        return ()
    catalog = read_catalog(files.sources)
    results: list[RuleTestResult] = []
    for place, sources in found:
        probes = Probes(place, EngineFactory(clock, DEFAULT_STEPS), DecisionRules(), clock)
        held = {Path(source.path).name.removesuffix(PROBE_SUFFIX): source.path for source in sources}
        for policy, path in held.items():
            results += [one async for one in _ask(probes, catalog, policy, path)]
    wanted = options.select
    return tuple(one for one in results if wanted is None or wanted.search(f"{one.package}.{one.name}"))


async def _ask(probes: Probes, catalog: Catalog, policy: str, path: str) -> AsyncIterator[RuleTestResult]:
    version = catalog.get(policy)
    if version is None:
        error = f"there is no policy {policy} among these files"
        yield RuleTestResult(_PACKAGE, policy, Location(path, 1, 1), Outcome.ERROR, error=error)
        return
    for answer in (await probes.ask(version)).answers:
        yield RuleTestResult(
            f"{_PACKAGE}.{policy}",
            answer.probe.subject,
            Location(answer.probe.path, 1, 1),
            Outcome.FAIL if answer.instead else Outcome.PASS,
            error=answer.instead or None,
        )
