"""One POST to a service through the gateway's egress, and the network's failures told as `NoVerdict`.

What is in the JSON is the contracts' business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from routeiq_guard_external.question import Unreachable, Unusable
from routeiq_sdk import RouteIQError
from routeiq_sdk.gateway import EgressService

_LEAST_ROOM = 1024 * 1024
_BUSY = frozenset({408, 425, 429})


async def post(egress: EgressService, url: str, headers: Mapping[str, str], document: Any, seconds: float) -> Any:
    """The JSON that the service answers. A connection that breaks is tried once more: a question may be asked twice."""
    body = json.dumps(document, ensure_ascii=False).encode(errors="replace")  # half a surrogate pair has no UTF-8
    room = max(_LEAST_ROOM, 2 * len(body))  # a service may give all texts back
    sent = {**headers, "content-type": "application/json", "accept": "application/json"}
    for last in (False, True):
        try:
            return await _posted(egress, url, sent, body, seconds, room)
        except (Unreachable, Unusable):
            raise
        except TimeoutError:
            raise Unreachable("it did not answer in time") from None
        except RouteIQError:  # the gateway's own rules: the address is forbidden, the answer is too long
            raise Unusable("the gateway refused the call or the length of the answer") from None
        except Exception as error:  # the engine's own errors of connections, which have no common base
            if last:
                raise Unreachable("it cannot be reached") from error
    raise AssertionError("the second try returns or raises")


async def _posted(
    egress: EgressService, url: str, headers: Mapping[str, str], body: bytes, seconds: float, room: int
) -> Any:
    async with egress.call(
        "POST", url, headers=headers, body=body, timeout_seconds=seconds, max_bytes=room
    ) as response:
        status = response.status
        if status >= 500 or status in _BUSY:
            raise Unreachable(f"it answered {status}")
        if not 200 <= status < 300:
            raise Unusable(f"it answered {status}")
        told = await response.read()
    try:
        return json.loads(told)
    except (ValueError, RecursionError):
        raise Unusable("its answer is no JSON") from None
