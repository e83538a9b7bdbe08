"""The EvaluatorFactory: chooses the engine that a policy asks for."""

import asyncio
from typing import assert_never

from webhook.engines.compiled import compile_policy
from webhook.engines.regopy import build_regopy_evaluator
from webhook.policy.metadata import Engine
from webhook.policy.version import PolicyVersion
from webhook.ports.clock import Clock
from webhook.ports.evaluator import Evaluator


class EngineFactory:
    """Builds evaluators on the compiler, or on regopy for policies that say so."""

    def __init__(self, clock: Clock, step_budget: int) -> None:
        self._clock = clock
        self._step_budget = step_budget

    async def build(self, version: PolicyVersion) -> Evaluator:
        """Build the evaluator of a policy version.

        Raises:
            PolicySyntaxError: its engine does not accept it.

        """
        compiled = await asyncio.to_thread(compile_policy, version, self._step_budget)
        match version.metadata.engine:
            case Engine.GRADATE:
                return compiled
            case Engine.REGOPY:
                # It was compiled all the same: regopy loads what is no Rego, and fails once a request comes.
                return await build_regopy_evaluator(version, self._clock)
        assert_never(version.metadata.engine)
