"""Harmless disturbances of a text: other case, other white space, a few typing errors. A router should not mind.
After RouterArena (arXiv 2510.00202); how many decisions change is measured elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from random import Random

TYPING_ERROR_SHARE = 0.02


def swap_case(text: str, random: Random) -> str:
    """All upper or all lower, whichever the text is not."""
    return text.upper() if text != text.upper() and random.random() < 0.5 else text.lower()


def stretch_space(text: str, random: Random) -> str:
    """Runs of white space become longer, the kind stays; spaces appear at both ends."""
    return "  " + re.sub(r"\s", lambda found: found[0] * random.randint(1, 3), text) + " \n"


def mistype(text: str, random: Random) -> str:
    """One letter in fifty, at least one, is dropped, doubled or swapped with its neighbour."""
    letters = list(text)
    places = [place for place, letter in enumerate(letters[:-1]) if letter.isalpha() and letters[place + 1].isalpha()]
    count = min(len(places), max(1, round(TYPING_ERROR_SHARE * len(letters))))
    for place in sorted(random.sample(places, count), reverse=True):
        error = random.randrange(3)
        if error == 0:
            del letters[place]
        elif error == 1:
            letters.insert(place, letters[place])
        else:
            letters[place : place + 2] = reversed(letters[place : place + 2])
    return "".join(letters)


NOISES: Mapping[str, Callable[[str, Random], str]] = {
    "case": swap_case,
    "white space": stretch_space,
    "typing errors": mistype,
}
