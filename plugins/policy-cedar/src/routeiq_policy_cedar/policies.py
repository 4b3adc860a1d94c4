"""The policies in force: those of files and those of the API, checked and compiled into a book that is swapped whole.

What a book decides is its own business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from routeiq_policy_cedar.book import Book
from routeiq_policy_cedar.config import CedarConfig
from routeiq_policy_cedar.schema import parsed, schema_text
from routeiq_policy_cedar.shelf import CHANNEL, Added, Shelf
from routeiq_policy_cedar.validation import Checker, Policy, Problem, Words
from routeiq_sdk import Gateway, PluginError, StoreUnavailable

log = structlog.get_logger("routeiq.policy-cedar")

_LOOK_SECONDS = 2.0
_RETRY_SECONDS = 1.0


class Policies:
    """Holds the book in force and follows changes to it."""

    def __init__(self, config: CedarConfig, gateway: Gateway) -> None:
        self._config = config
        self._gateway = gateway
        self.schema_text = schema_text(config.schema_file, config.actions)
        self.schema = parsed(self.schema_text, config.schema_file)
        self.checker = Checker(self.schema, Words.of(self.schema_text))
        self.shelf = Shelf(gateway)
        self.of_files: tuple[Policy, ...] = tuple(self._read_files())
        self.added: Mapping[str, Added] = {}
        self.fault: str | None = None
        self._version: int | None = None
        self._number = 0
        self._loading = asyncio.Lock()
        self.book = self._compiled(())

    async def open(self) -> None:
        """Load what was added and begin to follow changes. Raises `PluginError`, `StoreUnavailable`."""
        version, added = await self.shelf.load()
        policies, wrong = self._checked(added)
        if wrong:
            id, problem = wrong[0]
            raise PluginError(
                "policy-cedar",
                f"the policy {id!r}, which was added by the API, does not pass the schema: {problem}",
                mend="take the old schema again and correct or delete the policy by the API",
            )
        self._take(version, added, policies)
        self._gateway.spawn("listen", self._listen)
        self._gateway.spawn("look", self._look)

    async def refresh(self) -> None:
        """Take what is on the shelf now. Policies that do not pass leave the old book in force, and a fault."""
        async with self._loading:
            version, added = await self.shelf.load()
            policies, wrong = self._checked(added)
            if wrong:
                self.fault = f"the policy {wrong[0][0]!r} does not pass: {wrong[0][1]}"
                log.error("the old policies stay in force", detail=self.fault)
                return
            self.fault = None
            self._take(version, added, policies)

    def problems_with(self, id: str, text: str) -> tuple[list[Policy], list[Problem]]:
        """What a text would add under this id, and what is wrong with it beside the policies in force."""
        found, problems = self.checker.check(text, id)
        others = {policy.id: policy for policy in self.book.policies if policy.source != id}
        for policy in found:
            if policy.id in others:
                message = f"the id {policy.id!r} is taken by {others[policy.id].source}"
                problems.append(Problem(policy.line, message, "give the policy another @id"))
        return found, problems

    def _read_files(self) -> list[Policy]:
        found: list[Policy] = []
        for name in self._config.policies:
            try:
                text = Path(name).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise PluginError(
                    "policy-cedar", f"{name} cannot be read: {type(error).__name__}", mend="correct the path"
                ) from None
            policies, problems = self.checker.check(text, name)
            taken = {policy.id: policy for policy in found}
            problems += [
                Problem(
                    policy.line, f"the id {policy.id!r} is taken by {taken[policy.id].source}", "choose another @id"
                )
                for policy in policies
                if policy.id in taken
            ]
            if problems:
                raise PluginError("policy-cedar", f"{name}: {'; '.join(str(problem) for problem in problems)}")
            found += policies
        return found

    def _checked(self, added: Mapping[str, Added]) -> tuple[list[Policy], list[tuple[str, Problem]]]:
        policies: list[Policy] = []
        wrong: list[tuple[str, Problem]] = []
        taken = {policy.id for policy in self.of_files}
        for id, row in added.items():
            if not row.enabled:
                continue
            found, problems = self.checker.check(row.policy, id)
            problems += [Problem(each.line, f"the id {each.id!r} is taken") for each in found if each.id in taken]
            taken |= {each.id for each in found}
            policies += found
            wrong += [(id, problem) for problem in problems]
        return policies, wrong

    def _take(self, version: int, added: Mapping[str, Added], policies: Sequence[Policy]) -> None:
        self._version = version
        self.added = added
        self.book = self._compiled(policies)

    def _compiled(self, added: Sequence[Policy]) -> Book:
        self._number += 1
        return Book(
            self._number,
            [*self.of_files, *added],
            self.schema,
            default_allow=self._config.default == "allow",
            seconds=self._config.decision_seconds,
        )

    async def _listen(self) -> None:
        while True:
            try:
                async with self._gateway.state.subscribe(CHANNEL) as messages:
                    async for _ in messages:
                        await self._follow()
            except StoreUnavailable:
                pass
            await asyncio.sleep(_RETRY_SECONDS)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self._follow()

    async def _follow(self) -> None:
        try:
            if await self.shelf.version() != self._version or self.fault is not None:
                await self.refresh()
        except StoreUnavailable:
            log.warning("changes of policies are not seen: the shared store is away")
