"""From a sink's configuration to the sink; the libraries of a kind are loaded when one of it is configured.

What a sink does is told in its module.
"""

from __future__ import annotations

from routeiq_audit.config import FileSink as FileConfig
from routeiq_audit.config import KafkaSink as KafkaConfig
from routeiq_audit.config import S3Sink as S3Config
from routeiq_audit.config import SinkConfig, WebhookSink
from routeiq_audit.sinks.base import Sink


def sink_of(config: SinkConfig) -> Sink:
    """The sink, not yet open. Raises `PluginError` where its library is not installed."""
    if isinstance(config, FileConfig):
        from routeiq_audit.sinks.file import FileSink

        return FileSink(config.path)
    if isinstance(config, S3Config):
        from routeiq_audit.sinks.s3 import S3Sink

        return S3Sink(config)
    if isinstance(config, KafkaConfig):
        from routeiq_audit.sinks.kafka import KafkaSink

        return KafkaSink(config)
    assert isinstance(config, WebhookSink)
    from routeiq_audit.sinks.webhook import WebhookSink as Webhook

    return Webhook(config)
