"""What the gateway says about itself: logs, and the fan-out of events to sinks."""
