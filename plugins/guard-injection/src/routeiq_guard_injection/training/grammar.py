"""Writes synthetic examples: templates with slots, alone or among harmless sentences.

None of it was said by anybody; what a classifier that learnt from it is worth is for the bench `injection` to say.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from routeiq_guard_injection.model import WINDOW

_SLOT = re.compile(r"\{(\w+)\}")
_JOINTS = (". ", ".\n", "\n\n", "! ", " - ", "\n", "; ", " ")


class Example(NamedTuple):
    """A text, whether it is an attack, and the template it comes from."""

    text: str
    attack: bool
    template: str


@dataclass(frozen=True, slots=True)
class Grammar:
    """Templates of attacks and of harmless texts, prose to surround them with, and what may stand in slots."""

    attacks: Sequence[str]
    harmless: Sequence[str]
    prose: Sequence[str]
    slots: Mapping[str, Sequence[str]]

    def written(self, seed: int, times: int) -> list[Example]:
        """`times` examples of each template, a quarter of it of prose; the same for the same seed."""
        dice = random.Random(seed)  # noqa: S311
        examples = []
        for turn in range(times):
            examples += [Example(self._attack(template, dice), True, template) for template in self.attacks]
            examples += [Example(self._harmless(template, dice), False, template) for template in self.harmless]
            if turn % 4 == 0:
                examples += [Example(_cut(text, dice), False, text) for text in self.prose]
        return examples

    def _attack(self, template: str, dice: random.Random) -> str:
        core = self._filled(template, dice)
        if dice.random() < 0.4:
            return core
        room = max(0, WINDOW - len(core.split()))
        before = self._around(dice).split()[-dice.randint(0, room) :] if room else []
        after = self._around(dice).split()[: max(0, room - len(before))] if dice.random() < 0.5 else []
        parts = [" ".join(before), core, " ".join(after)]
        return dice.choice(_JOINTS).join(part for part in parts if part)

    def _harmless(self, template: str, dice: random.Random) -> str:
        text = self._filled(template, dice)
        for _ in range(dice.choice((0, 0, 1, 2))):
            text += dice.choice(_JOINTS) + self._around(dice)
        return " ".join(text.split(" ")[:WINDOW])

    def _around(self, dice: random.Random) -> str:
        """What may stand beside anything."""
        if self.prose and dice.random() < 0.5:
            return dice.choice(self.prose)
        return ". ".join(self._filled(dice.choice(self.harmless), dice) for _ in range(2))

    def _filled(self, template: str, dice: random.Random) -> str:
        text = template
        while _SLOT.search(text):
            text = _SLOT.sub(lambda found: dice.choice(self.slots[found[1]]), text)
        return text[:1].upper() + text[1:] if dice.random() < 0.5 else text


def read(folder: Path | None = None) -> Grammar:
    """The grammar of a folder; without one, of this package."""
    attacks, harmless, slots = (_lines(folder, name) for name in ("attacks.txt", "benign.txt", "slots.txt"))
    prose = _lines(folder, "prose.txt") if folder is None else ()
    named = (line.partition(":") for line in slots)
    return Grammar(
        attacks,
        harmless,
        prose,
        {name: tuple(value.strip() for value in values.split(" | ")) for name, _, values in named},
    )


def _cut(text: str, dice: random.Random) -> str:
    """A window of a text, from anywhere in it."""
    words = text.split(" ")
    start = dice.randrange(max(1, len(words) - WINDOW // 2))
    return " ".join(words[start : start + dice.randint(8, WINDOW)])


def _lines(folder: Path | None, name: str) -> tuple[str, ...]:
    source = files(__package__).joinpath(name) if folder is None else folder / name
    lines = source.read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("# "))
