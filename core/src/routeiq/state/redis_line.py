"""One connection to a Redis server that many callers share: commands go out in order, replies come back in order.

It is never mended: once lost it stays lost. Which server to connect to, and when again, is decided in `redis_link`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import AuthenticationError, RedisError, ResponseError

CONNECT_SECONDS = 1.0
CALL_SECONDS = 0.25
_LAG_SECONDS = 0.05
_PATIENCE = 4
Word = str | bytes | int


class LineLost(Exception):
    """The connection is of no use (any more). `sent` says whether a command may have reached the server, `late` that
    the server fell silent, `refused` that it does not let us in."""

    def __init__(self, reason: str, *, sent: bool = True, late: bool = False, refused: bool = False) -> None:
        self.reason = reason
        self.sent = sent
        self.late = late
        self.refused = refused
        super().__init__(reason)


class Line:
    """Commands of many callers over one connection. It is lost for all when the server is silent for as long as the
    oldest unanswered command may take, or takes four times as long for that one: what follows it could not come sooner.

    `identity` is set by whoever opened the line to what this server process is.
    """

    def __init__(self, connection: AbstractConnection) -> None:
        self.identity = ""
        self.on_lost: Callable[[Line, LineLost], None] | None = None
        self.lost: LineLost | None = None
        self._connection = connection
        self._waiting: deque[tuple[asyncio.Future[Any], float, float]] = deque()
        self._sending = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._heard = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._reader = self._loop.create_task(self._read(), name="redis replies")

    async def ask(self, *words: Word, seconds: float = CALL_SECONDS) -> Any:
        """The reply to one command. Raises `LineLost`, or redis's `ResponseError` when the server refuses it.

        A caller that goes away does not disturb the others: its reply is thrown away.
        """
        packed = self._connection.pack_command(*words)
        async with self._sending:
            if self.lost is not None:
                raise LineLost(self.lost.reason, sent=False, late=self.lost.late)
            answer: asyncio.Future[Any] = self._loop.create_future()
            now = self._loop.time()
            self._waiting.append((answer, now, seconds))
            if self._watch is None:
                self._look_at(now + seconds)
            try:
                await self._connection.send_packed_command(packed, check_health=False)
            except (RedisError, OSError) as error:
                self._lose(LineLost(_told(error)))
            except BaseException:
                answer.cancel()
                raise
        return await answer

    async def aclose(self) -> None:
        """Close it; whoever waits for a reply gets `LineLost`."""
        self._lose(LineLost("closed"))
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self) -> None:
        try:
            while True:
                try:
                    reply = await self._connection.read_response()
                except ResponseError as refusal:
                    reply = refusal
                self._heard = self._loop.time()
                answer, _, _ = self._waiting.popleft()
                if answer.done():
                    continue
                if isinstance(reply, ResponseError):
                    answer.set_exception(reply)
                else:
                    answer.set_result(reply)
        except AuthenticationError as error:
            self._lose(_refused(error))
        except (RedisError, OSError) as error:
            self._lose(LineLost(_told(error)))
        except IndexError:
            self._lose(LineLost("the server said something that nobody asked"))
        finally:
            await hang_up(self._connection)

    def _look_at(self, due: float) -> None:
        self._watch = self._loop.call_at(due, self._look, due)

    def _look(self, due: float) -> None:
        """Whether the oldest command has waited too long."""
        self._watch = None
        if not self._waiting:
            return
        _, sent, seconds = self._waiting[0]
        now, deadline = self._loop.time(), min(max(sent, self._heard) + seconds, sent + _PATIENCE * seconds)
        if now < deadline:
            self._look_at(deadline)
        elif now - due > _LAG_SECONDS:
            # This process was held up itself, and the reply may lie in the socket: let it be read first.
            self._look_at(now + _LAG_SECONDS)
        else:
            self._lose(LineLost("it does not answer in time", late=True))

    def _lose(self, lost: LineLost) -> None:
        if self.lost is not None:
            return
        self.lost = lost
        if self._watch is not None:
            self._watch.cancel()
        while self._waiting:
            answer, _, _ = self._waiting.popleft()
            if not answer.done():
                answer.set_exception(LineLost(lost.reason, late=lost.late, refused=lost.refused))
        if asyncio.current_task() is not self._reader:
            self._reader.cancel()
        if self.on_lost is not None:
            self.on_lost(self, lost)


async def open_line(options: Mapping[str, Any], *, tls: bool, seconds: float = CONNECT_SECONDS) -> Line:
    """Connect and log in. Raises `LineLost`."""
    return Line(await connect(options, tls=tls, seconds=seconds))


async def connect(options: Mapping[str, Any], *, tls: bool, seconds: float = CONNECT_SECONDS) -> AbstractConnection:
    """A connection that is logged in. `options` are redis's: `host`, `port` or `path`, `db`, a login. Raises
    `LineLost`."""
    kind = UnixDomainSocketConnection if "path" in options else SSLConnection if tls else Connection
    connection: AbstractConnection = kind(**options, socket_timeout=None, socket_connect_timeout=seconds, protocol=2)
    try:
        async with asyncio.timeout(seconds):
            await connection.connect()  # type: ignore[no-untyped-call]
    except AuthenticationError as error:
        await hang_up(connection)
        raise _refused(error) from None
    except (RedisError, OSError) as error:
        await hang_up(connection)
        raise LineLost(_told(error), sent=False, late=isinstance(error, TimeoutError)) from None
    except BaseException:
        await hang_up(connection)
        raise
    return connection


async def hang_up(connection: AbstractConnection) -> None:
    """Close a connection without waiting for the other side."""
    try:
        await connection.disconnect(nowait=True)
    except (RedisError, OSError):
        pass


def _refused(error: Exception) -> LineLost:
    return LineLost(f"it does not let us in ({_told(error)})", refused=True)


def _told(error: Exception) -> str:
    """What the error says; redis names host and port, never a password."""
    return str(error).strip(" .") or type(error).__name__
