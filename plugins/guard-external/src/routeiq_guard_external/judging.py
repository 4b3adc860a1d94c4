"""A service behind its deadline and its breaker.

What becomes of a text without a verdict is decided in `plugin`.
"""

from __future__ import annotations

import asyncio

from routeiq_guard_external.breaker import Breaker
from routeiq_guard_external.question import Question, Service, Unreachable, Unusable, Verdict


class Judge:
    """Asks one row's service."""

    def __init__(self, service: Service, seconds: float, breaker: Breaker) -> None:
        self._service = service
        self._seconds = seconds
        self._breaker = breaker

    async def ask(self, question: Question) -> Verdict:
        """The verdict. Raises `NoVerdict`.

        Only a service that is not there opens the breaker: who sends texts that it refuses to look at must not be able
        to keep others from being judged.
        """
        if not self._breaker.admits():
            raise Unreachable("it failed several times in a row and is left alone for a while")
        told = self._breaker.left
        try:
            async with asyncio.timeout(self._seconds):
                verdict = await self._service.ask(question)
            told = self._breaker.answered
            if len(verdict) != len(question.texts):
                raise Unusable("its answer is not about the texts that were asked")
            return verdict
        except TimeoutError:
            told = self._breaker.failed
            raise Unreachable(f"it did not answer within {self._seconds:g} s") from None
        except Unreachable:
            told = self._breaker.failed
            raise
        except Unusable:
            told = self._breaker.answered
            raise
        finally:
            told()
