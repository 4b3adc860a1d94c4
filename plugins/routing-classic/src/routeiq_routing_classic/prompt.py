"""How long a prompt is, in tokens, without a tokenizer: a low, a likely and a high estimate from its bytes.

The text is read once a request; what follows from its length is decided elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from routeiq_sdk import Context


@dataclass(frozen=True, slots=True)
class Prompt:
    """English prose takes about 4 bytes a token, code 3, JSON 2; no ordinary text takes more than 8."""

    bytes: int

    @property
    def least(self) -> int:
        """Tokens that it takes at the very least."""
        return self.bytes // 8

    @property
    def likely(self) -> int:
        """Tokens that it takes if it is prose."""
        return -(-self.bytes // 4)

    @property
    def most(self) -> int:
        """Tokens that it takes if it is dense."""
        return -(-self.bytes // 3)


def prompt_of(ctx: Context) -> Prompt:
    """The prompt of a request."""
    known = ctx.kept(Prompt, Prompt)
    if known is None:
        known = Prompt(len(ctx.request.text().encode("utf-8", "surrogatepass")))
        ctx.keep(Prompt, known)
    return known
