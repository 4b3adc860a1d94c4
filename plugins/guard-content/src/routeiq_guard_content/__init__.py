"""Content rules for RouteIQ: words, patterns in linear time, topics, JSON schemas, sizes."""
