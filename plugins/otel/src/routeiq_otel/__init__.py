"""OpenTelemetry for RouteIQ: traces, metrics and logs of finished requests, sent over OTLP."""
