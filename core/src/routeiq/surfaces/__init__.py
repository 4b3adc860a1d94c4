"""Client protocols, one file each: decode a request, encode an answer, a stream, an error. Nothing about upstreams."""
