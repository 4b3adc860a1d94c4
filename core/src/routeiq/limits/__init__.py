"""Bounds of the road itself: requests in flight, bytes and seconds of a body."""
