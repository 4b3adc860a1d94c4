"""The target of each configuration. Its module is imported here, so that nobody pays for targets he does not use.

Queues are `telling`'s business.
"""

from __future__ import annotations

from routeiq_callbacks.config import AnyTarget, DatadogTarget, GcsTarget, LangfuseTarget, S3Target, WebhookTarget
from routeiq_callbacks.targets.base import Target


def target_of(config: AnyTarget) -> Target:
    """The target of a configuration."""
    if isinstance(config, LangfuseTarget):
        from routeiq_callbacks.targets.langfuse import Langfuse

        return Langfuse(config)
    if isinstance(config, WebhookTarget):
        from routeiq_callbacks.targets.webhook import Webhook

        return Webhook(config)
    if isinstance(config, DatadogTarget):
        from routeiq_callbacks.targets.datadog import Datadog

        return Datadog(config)
    if isinstance(config, S3Target):
        from routeiq_callbacks.targets.s3 import S3Bucket

        return S3Bucket(config)
    assert isinstance(config, GcsTarget)
    from routeiq_callbacks.targets.gcs import GcsBucket

    return GcsBucket(config)
