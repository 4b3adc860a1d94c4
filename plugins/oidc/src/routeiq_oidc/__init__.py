"""Sign-in by OpenID Connect, and SCIM. The class is loaded by its entry point; import it from here in your tests.

What a caller may do, and where people are kept, is another plugin's business.
"""

from __future__ import annotations

from routeiq_oidc.config import OidcConfig
from routeiq_oidc.plugin import Oidc

__all__ = ["Oidc", "OidcConfig"]
