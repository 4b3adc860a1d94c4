"""Guards elsewhere, for RouteIQ: moderation models, HTTP guards, and models that judge."""
