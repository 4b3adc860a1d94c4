"""The policies of the example hold for keys of the team that they name, and for nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import yaml
from example_runs import EXAMPLES, Serve

FOLDER = EXAMPLES / "cedar-policies"


async def test_trainees_use_the_small_model_and_ask_for_little(serve: Serve, tmp_path: Path) -> None:
    config = yaml.safe_load((FOLDER / "routeiq.yaml").read_text(encoding="utf-8"))
    config["routeiq"]["plugins"]["policy-cedar"]["policies"] = [str(FOLDER / "access.cedar")]
    config["routeiq"]["data_dir"] = str(tmp_path / "data")
    (tmp_path / "routeiq.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    gateway = await serve(tmp_path / "routeiq.yaml")
    async with aiohttp.ClientSession(gateway.url) as session:

        async def post(path: str, body: dict[str, Any], key: str = gateway.key) -> tuple[int, Any]:
            async with session.post(path, json=body, headers={"authorization": f"Bearer {key}"}) as response:
                return response.status, await response.json()

        assert (await post("/team/new", {"team_id": "trainees"}))[0] == 200
        _, made = await post("/key/generate", {"team_id": "trainees"})
        chat: dict[str, Any] = {"model": "small", "messages": [{"role": "user", "content": "Hello!"}]}
        assert (await post("/v1/chat/completions", chat, made["key"]))[0] == 200
        for refused, policy in (
            ({**chat, "model": "large"}, "trainees-use-small-models"),
            ({**chat, "max_tokens": 501}, "trainees-ask-for-little"),
        ):
            status, body = await post("/v1/chat/completions", refused, made["key"])
            assert status == 403
            assert policy in body["error"]["message"]
            assert (await post("/v1/chat/completions", refused))[0] == 200
        trial = {"principal": {"team": "trainees"}, "resource": {"model": "large"}}
        status, verdict = await post("/routeiq/v1/cedar/test", trial)
        assert (status, verdict["decision"]) == (200, "deny")
        assert [policy["id"] for policy in verdict["policies"]] == ["trainees-use-small-models"]
