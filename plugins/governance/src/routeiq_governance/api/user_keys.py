"""The key that a new user gets, as the answer of `/user/new` tells it.

How keys are made is the business of `key_making`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from routeiq_governance.api.changing import Change
from routeiq_governance.api.key_making import key_for_user
from routeiq_governance.api.shapes import iso_or_none
from routeiq_governance.identity.caller import Caller
from routeiq_governance.store.entities import User

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts


async def key_of_new_user(
    parts: Parts, change: Change, caller: Caller, user: User, fields: Mapping[str, Any]
) -> dict[str, Any]:
    """The fields of the answer that tell the key."""
    key, secret = await key_for_user(parts, change, caller, user, fields)
    return {
        "key": secret,
        "key_name": key.name,
        "key_alias": key.alias,
        "token": key.id,
        "token_id": key.id,
        "expires": iso_or_none(key.expires_at),
    }
