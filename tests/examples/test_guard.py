"""The guard in 20 lines: it is that short, it refuses over HTTP, and the model never sees what it refused."""

from __future__ import annotations

from example_runs import EXAMPLES, Install, Serve

FOLDER = EXAMPLES / "guard-in-20-lines"


def test_it_has_20_lines() -> None:
    assert len((FOLDER / "no_cards.py").read_text(encoding="utf-8").splitlines()) <= 20


async def test_it_refuses_a_card_number_and_lets_the_rest_pass(install: Install, serve: Serve) -> None:
    site = await install(FOLDER)
    gateway = await serve(FOLDER / "routeiq.yaml", {"PYTHONPATH": str(site)})
    status, body = await gateway.chat("canned", "Charge 4111 1111 1111 1111, please.")
    assert status == 400
    assert "card number" in str(body["error"])
    for harmless in ("Charge my card, please.", "Call 4111 1111 1111 1112 for help."):
        status, body = await gateway.chat("canned", harmless)
        assert status == 200, body
        assert "Nothing to worry about." in str(body["choices"])
