"""The import of litellm: its environment and switches, and its HTTP clients put behind the gateway's egress.

The only module that imports it. What is said to it and what comes back is in its neighbours.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from routeiq.upstream.litellm_release import check_release, installed_version
from routeiq_sdk import ConfigError

# Set before the import: without them it reads .env files and fetches price maps, header tables and news.
ENVIRONMENT = {
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_DISABLE_BUG_REPORT_LINK": "true",
}
# The one place where all its async clients get their connections. The public name is the younger one, and each
# release calls the one it documents.
TRANSPORT_FACTORIES = ("create_async_transport", "_create_async_transport")

_importing = threading.Lock()


@dataclass(frozen=True, slots=True)
class Library:
    """The two calls that are used, and the end of its background work."""

    chat: Callable[..., Awaitable[Any]]
    embed: Callable[..., Awaitable[Any]]
    stop: Callable[[], Awaitable[None]]


def load() -> Library:
    """Import litellm. It takes seconds, so call it in a thread. Raises `ConfigError` when it cannot be used."""
    check_release(installed_version())
    os.environ.update(ENVIRONMENT)
    with _importing:
        try:
            import litellm
            from litellm.litellm_core_utils.logging_worker import GLOBAL_LOGGING_WORKER
            from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler
        except ImportError as error:
            raise ConfigError(f"litellm cannot be imported: {error}", mend="install it again") from error
        _configure(litellm)
        _connect(litellm, AsyncHTTPHandler)
    return Library(litellm.acompletion, litellm.aembedding, GLOBAL_LOGGING_WORKER.stop)


def _configure(litellm: Any) -> None:
    litellm.suppress_debug_info = True
    litellm.disable_hf_tokenizer_download = True
    litellm.num_retries = 0
    litellm.drop_params = False
    litellm.modify_params = False
    # Its own check of addresses resolves names by itself and rewrites URLs; behind the egress both would do harm.
    litellm.user_url_validation = False
    litellm.disable_streaming_logging = True


def _connect(litellm: Any, handler: Any) -> None:
    from routeiq.upstream.litellm_line import BlockingDoor, Door

    door = Door()
    found = [name for name in TRANSPORT_FACTORIES if hasattr(handler, name)]
    if not found:
        raise ConfigError(
            f"litellm {installed_version()} cannot be put behind the gateway's egress",
            mend="use a release that RouteIQ's litellm extra names",
        )
    for name in found:
        setattr(handler, name, staticmethod(lambda *args, **kwargs: door))
    litellm.sync_transport = BlockingDoor()
    litellm.force_ipv4 = False  # this switch would take precedence over `sync_transport`
    # Clients that somebody made before us have connections of their own.
    litellm.in_memory_llm_clients_cache.flush_cache()
    for name in ("module_level_client", "module_level_aclient"):
        vars(litellm).pop(name, None)
