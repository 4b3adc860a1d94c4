"""Credentials in prompts and answers, for RouteIQ: found by shape, masked or refused."""
