"""The command lines of the how-to page do what it says: each runs, in their order, against a gateway."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from .world import Client

PAGE = Path(__file__).resolve().parents[4] / "docs" / "how-to" / "keys-and-teams.md"
ADDRESS = "http://127.0.0.1:4000"


def _commands() -> list[list[str]]:
    found = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [shlex.split(text.replace("\\\n", " ")) for text in found]


async def test_the_commands_of_the_page_work(master: Client) -> None:
    commands = _commands()
    assert len(commands) > 10
    for words in commands:
        assert words[0] == "curl"
        (address,) = [word for word in words if word.startswith(ADDRESS)]
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        body = json.loads(words[words.index("-d") + 1]) if "-d" in words else None
        assert "Authorization: Bearer $ROUTEIQ_MASTER_KEY" in words
        answer = await master.ask(method, address.removeprefix(ADDRESS), body)
        assert answer.status == 200, (words, answer)
