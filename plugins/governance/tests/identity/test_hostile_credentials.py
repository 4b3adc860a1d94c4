"""Whatever stands where a key should: it is refused as a wrong key, never a fault, and never reaches SQL as SQL."""

from __future__ import annotations

import random

import pytest

from routeiq_testkit.gateway import openai_row

HEADERS = ("authorization", "x-litellm-api-key", "api-key", "x-api-key", "x-goog-api-key", "ocp-apim-subscription-key")
_SEEDS = (
    "sk-' OR '1'='1",
    "sk-'; DROP TABLE routeiq_keys; --",
    'sk-" UNION SELECT * FROM routeiq_keys --',
    "sk-%00%0a",
    "sk-\\x00",
    "null",
    "undefined",
    "Bearer Bearer sk-x",
    "sk-${jndi:ldap://x}",
    "{{7*7}}",
    "../../etc/passwd",
    "sk-" + "a" * 5000,
    "0" * 64,
    "é" * 20,
    "a.b.c",
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.",
    "*",
    "-1",
    "sk-\u202e",
)
_SIGNS = "abcXYZ019-_.~!#$&*'\"`;:,<>/\\|(){}[]%=+ \u00e9\u4e2d"


def values(count: int) -> list[str]:
    rng = random.Random(20)
    made = ["".join(rng.choices(_SIGNS, k=rng.randint(1, 120))) for _ in range(count - len(_SEEDS))]
    return [*_SEEDS, *made]


@pytest.mark.timeout(300)
async def test_two_thousand_hostile_values_on_every_header_are_wrong_keys(gateway, scripted_upstream) -> None:
    running = await gateway(
        {
            "model_list": [openai_row("fast", scripted_upstream.base_url)],
            "routeiq": {"plugins": {"governance": {}}},
        }
    )
    made = await _post(running, "/key/generate", {})
    body = {"model": "fast", "messages": [{"role": "user", "content": "x"}]}
    bad = []
    for number, value in enumerate(values(2000)):
        header = HEADERS[number % len(HEADERS)]
        sent = f"Bearer {value}" if header == "authorization" else value
        raw = sent.encode("utf-8", "surrogatepass").decode("latin-1")
        async with running.session.post(
            "/v1/chat/completions", json=body, headers={header: raw}, skip_auto_headers=(), allow_redirects=False
        ) as response:
            # The session's own master key stands in `authorization` for the other headers, and is asked only after
            # those that LiteLLM reads first.
            if header in ("authorization", "x-litellm-api-key") and response.status != 401:
                bad.append((header, value[:40], response.status))
            if response.status >= 500:
                bad.append((header, value[:40], response.status))
    assert bad == []
    assert not scripted_upstream.requests or all(
        r.json["model"] == "scripted-model" for r in scripted_upstream.requests
    )
    async with running.session.get("/key/info", headers={"authorization": f"Bearer {made['key']}"}) as response:
        assert response.status == 200, "the table of keys is still there"


async def _post(running, path: str, body: dict) -> dict:
    async with running.session.post(path, json=body) as response:
        assert response.status == 200
        return await response.json()
