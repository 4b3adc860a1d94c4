"""The example of telemetry: requests, and all that is told of them: traces, metrics, webhooks, a screen."""
