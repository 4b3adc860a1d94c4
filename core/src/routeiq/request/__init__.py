"""The life of a request: context, pipeline, attempts, stream, record. `pipeline` reads like the picture of the road."""
