"""The configuration of the gateway: LiteLLM's dialect and one `routeiq:` block, as one typed, immutable value.

Which plugins exist is not known here; protective keys are reported and judged later.
"""

from __future__ import annotations

from routeiq.config.errors import ConfigErrors
from routeiq.config.load import load, load_default, loads
from routeiq.config.model import Config
from routeiq.config.notices import Notice, ProtectiveKey
from routeiq.config.rows import LitellmParams, ModelInfo, ModelRow

__all__ = [
    "Config",
    "ConfigErrors",
    "LitellmParams",
    "ModelInfo",
    "ModelRow",
    "Notice",
    "ProtectiveKey",
    "load",
    "load_default",
    "loads",
]
