"""The ASGI application: lifespan, the edge every request passes, reload by swap.

The road itself is `routeiq.request.pipeline`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import structlog

from routeiq.config import load, load_default
from routeiq.config.model import Config
from routeiq.config.store_choice import choose_store
from routeiq.egress import Egress, EgressPolicy
from routeiq.known_secrets import hide
from routeiq.limits.in_flight import InFlight, Place
from routeiq.limits.reading import ClientGone, Receive
from routeiq.request import gates
from routeiq.request.auth import secret_credential
from routeiq.request.context import RequestContext
from routeiq.request.delivery import Send
from routeiq.request.ids import new_request_id
from routeiq.request.log_line import log_line
from routeiq.routes import changes
from routeiq.routes.exchange import Exchange
from routeiq.routes.table import Route
from routeiq.rules import cooldown_rules
from routeiq.runtime import Runtime, assemble_all, build
from routeiq.server.drain import Drain
from routeiq.server.settings import WorkerSpec
from routeiq.shared import Shared, closed_shared
from routeiq.state.clock import SystemClock
from routeiq.state.open import open_stores
from routeiq.telemetry import logs
from routeiq_sdk import ConfigError, PluginError, Principal, RequestError
from routeiq_sdk.values.http import Headers, HttpResponse

log = structlog.get_logger("routeiq.app")

_RETRY_SECONDS = 1.0
_ANYBODY = Principal("loopback", kind="service", alias="anybody on this machine", models=frozenset())


class App:
    """One worker's application. The runtime is built when the lifespan starts and swapped at a reload."""

    def __init__(
        self,
        config: Config,
        *,
        worker: int = 0,
        workers: int = 1,
        config_path: Path | None = None,
        lock: Path | None = None,
    ) -> None:
        self._config = config
        self._path = config_path
        self._lock = lock
        self._worker = worker
        self._workers = workers
        self._shared: Shared | None = None
        self._reloading = asyncio.Lock()
        self._closing: asyncio.Task[None] | None = None
        self._answering: asyncio.Task[None] | None = None
        self.drain = Drain()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1003})

    @property
    def shared(self) -> Shared | None:
        """What outlives a reload; `None` unless started."""
        return self._shared

    async def start(self) -> None:
        """Open everything. Raises `ConfigError`, `PluginError`, or `StoreUnavailable` for a store that is away."""
        hide(self._config.secrets())
        nobody = EgressPolicy.compile((), ())  # closed until the first runtime serves
        async with AsyncExitStack() as opened:
            egress = Egress(nobody, ssl_context=_ssl_context(self._config))
            await egress.open()
            opened.push_async_callback(egress.close)
            clock = SystemClock()
            stores = await open_stores(choose_store(self._config, self._workers), clock)
            opened.push_async_callback(stores.aclose)
            shared = Shared(
                self._worker,
                egress,
                InFlight(self._config.routeiq.limits.in_flight),
                stores,
                clock,
                drain=self.drain,
                workers=self._workers,
            )
            shared.reload = self.reload if self._workers == 1 else self._reload_all
            runtime = await build(self._config, shared, lock=self._lock)
            opened.pop_all()
        self._shared = shared
        if shared.peers is not None:
            self._answering = asyncio.create_task(shared.peers.listen(), name="answer other workers")
        log.info("state store", store=stores.name, why=stores.why)
        self._serve_from(runtime, shared)
        for line in runtime.notices:
            log.info("notice", detail=line)

    async def stop(self) -> None:
        """Tear everything down, in reverse order."""
        shared, self._shared = self._shared, None
        if shared is None or shared.current is None:
            return
        if self._closing is not None:
            await asyncio.wait((self._closing,))
        if self._answering is not None:
            self._answering.cancel()
            await asyncio.wait((self._answering,))
        await shared.current.close(None)
        await shared.background.close()
        await shared.stores.aclose()
        await shared.egress.close()

    async def reload(self) -> str:
        """Read the configuration again and swap to it; the new revision. On any error the old one serves on."""
        shared = self._shared
        if shared is None or shared.current is None:
            raise ConfigError("the gateway is not running")
        async with self._reloading:
            old = shared.current
            try:
                config = await asyncio.to_thread(read_config, self._path)
                hide(config.secrets())
                store = choose_store(config, self._workers)
                runtime = await build(config, shared, previous=old, lock=self._lock)
            except (ConfigError, PluginError) as error:
                log.error("reload refused, the old configuration stays", reason=str(error))
                raise
            if store.url != choose_store(self._config, self._workers).url:
                log.warning("the state store is changed by a restart alone", store=shared.stores.name)
            self._config = config
            shared.in_flight.most = config.routeiq.limits.in_flight
            self._serve_from(runtime, shared)
            self._closing = asyncio.get_running_loop().create_task(
                self._close(old, runtime, self._closing), name="close the old runtime"
            )
            log.info("reloaded", config=config.revision[:16])
            return config.revision

    async def _reload_all(self) -> str:
        """Look at the configuration here, so that whoever asked hears what is wrong; then the supervisor tells all
        workers, this one included."""
        config = await asyncio.to_thread(read_config, self._path)
        choose_store(config, self._workers)
        assemble_all(config, closed_shared(), lock=self._lock)
        os.kill(os.getppid(), signal.SIGHUP)
        return config.revision

    async def _close(self, old: Runtime, successor: Runtime, earlier: asyncio.Task[None] | None) -> None:
        if earlier is not None:
            await asyncio.wait((earlier,))  # requests of a runtime older still may use plugins that it kept
        try:
            await old.close(successor)
        except Exception as error:
            log.error("the old runtime was not closed cleanly", error=type(error).__name__, detail=str(error))

    def _serve_from(self, runtime: Runtime, shared: Shared) -> None:
        shared.egress.use_policy(runtime.policy)
        shared.cooldowns.rules = cooldown_rules(runtime.config)
        shared.cooldowns.keep([d.id for d in runtime.catalog.deployments])
        shared.current = runtime
        shared.background.spawn("load adapters", runtime.adapters.load)
        runtime.fan_out.start()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self.start()  # of its errors the worker reports the text; nothing was served
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _http(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        shared = self._shared
        runtime = shared.current if shared is not None else None
        if shared is None or runtime is None:
            raise RuntimeError("a request came before the application was started")
        runtime.users.enter()
        try:
            await self._edge(runtime, scope, receive, send)
        finally:
            runtime.users.leave()

    async def _edge(self, runtime: Runtime, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        found = runtime.table.match(path)
        route = None
        params: Mapping[str, str] = {}
        if found is not None:
            methods, params = found
            route = methods.get(method) or (methods.get("GET") if method == "HEAD" else None)
        client = scope.get("client")
        headers = Headers(scope["headers"])
        ctx = RequestContext(
            request_id=new_request_id(),
            surface=route.surface.name if route is not None else "none",
            route=route.path if route is not None else path,
            method=method,
            path=path,
            headers=headers,
            client=client[0] if client else None,
            config=runtime.config.revision,
            action=route.action if route is not None else "",
            credential=secret_credential(headers, runtime.services.key_header),
        )
        place = Place(runtime.shared.in_flight)
        exchange = Exchange(runtime, ctx, params, scope.get("query_string", b""), receive, send, place.leave)
        try:
            if route is None:
                await _not_found(exchange, known_path=found is not None)
            elif route.access == "public":
                await _answer(exchange, route)
            elif not place.enter():
                refusal = runtime.services.errors.overloaded(_RETRY_SECONDS)
                if route.access == "road":
                    await runtime.road.refuse(ctx, route.surface, send, refusal)
                else:
                    await _refuse(exchange, route, refusal)
            elif route.access == "road":
                await route.endpoint(exchange)
            else:
                await _answer(exchange, route)
        finally:
            place.leave()
            exchange.close()


async def _answer(exchange: Exchange, route: Route) -> None:
    """Serve a route that is not the road: check who calls, run it, shape its errors."""
    services, ctx = exchange.runtime.services, exchange.ctx
    try:
        if route.access == "loopback":
            ctx.identify(_ANYBODY)
        elif route.access != "public":
            ctx.identify(await exchange.runtime.road.identify(ctx))
            allowed = await exchange.runtime.road.permit(ctx)
            if route.access == "admin" and not (allowed or ctx.principal.is_admin):
                raise services.errors.admin_only(route.path)
        ctx.stage = "serve"
        if changes.audited(route, services.pipeline):
            await changes.announce(exchange, route)
        await route.endpoint(exchange)
    except RequestError as error:
        await _refuse(exchange, route, await exchange.runtime.road.tell_refused(ctx, error))
        return
    except ClientGone:
        exchange.status = 499
    except Exception:
        log.exception("unexpected failure", request_id=ctx.request_id, route=route.path)
        await _refuse(exchange, route, services.errors.unexpected(ctx.request_id))
        return
    _log(exchange, None, quiet=route.quiet)


async def _refuse(exchange: Exchange, route: Route, error: RequestError) -> None:
    if not exchange.started:
        services = exchange.runtime.services
        profile = services.errors.profile
        error.headers.update(gates.challenges(services.pipeline.challenge, exchange.ctx, error))
        try:
            await exchange.respond(HttpResponse(error.status, route.surface.error(error, profile), error.headers))
        except RequestError as lost:  # the outcome could not be written down: that is what the caller must know
            error = lost
            await exchange.respond(HttpResponse(lost.status, route.surface.error(lost, profile), lost.headers))
    exchange.status = error.status
    _log(exchange, error)


async def _not_found(exchange: Exchange, *, known_path: bool) -> None:
    status, text = (405, "Method Not Allowed") if known_path else (404, "Not Found")
    await exchange.json({"detail": text}, status)
    _log(exchange, None)


def _log(exchange: Exchange, error: RequestError | None, *, quiet: bool = False) -> None:
    told = error.type if error is not None else None
    log_line(exchange.ctx, exchange.status, quiet=quiet, error_type=told)


def _ssl_context(config: Config) -> ssl.SSLContext | None:
    """What `litellm_settings.ssl_verify` asks for. It is read at the start; a reload does not change it."""
    verify = config.litellm.ssl_verify
    if verify is True:
        return None
    if verify is False:
        log.warning("certificates of providers are not checked: litellm_settings.ssl_verify is false")
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        return ssl.create_default_context(cafile=verify)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"litellm_settings.ssl_verify names {verify!r}, which is no file of certificates: {error}",
            mend="name a PEM file, or true",
        ) from None


def read_config(path: Path | None) -> Config:
    """The configuration of a file, or the default one. Raises `ConfigError`."""
    return load(path) if path is not None else load_default()


def factory(spec: WorkerSpec) -> App:
    """The application of one worker; `routeiq serve` names it to the supervisor."""
    path = Path(spec.config_path) if spec.config_path is not None else None
    config = read_config(path)
    log_config = config.routeiq.logs
    style = "json" if config.litellm.json_logs and log_config.format == "auto" else log_config.format
    logs.set_up(style, "debug" if config.litellm.set_verbose or config.router.set_verbose else log_config.level)
    lock = Path(spec.lock_path) if spec.lock_path is not None else None
    return App(config, worker=spec.index, workers=spec.settings.workers, config_path=path, lock=lock)
