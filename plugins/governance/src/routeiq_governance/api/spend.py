"""Spend: logs, reports, sums by key, team, user, model, provider, tag, end user and day.

All figures are the ledger's; how they look is in `spend_rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, or_

from routeiq_governance.api.fields import checked, count, document, identifier, sequence
from routeiq_governance.api.shapes import answer, body_of, dollars, duration, iso_or_none, page_of, window, wrong
from routeiq_governance.api.spend_rows import date_of, day_row, log_row, metrics, span_of, tabular
from routeiq_governance.identity import credentials
from routeiq_governance.ledger import reports
from routeiq_governance.ledger.reports import COLUMNS, Within
from routeiq_governance.store.tables import entries
from routeiq_sdk import RequestError, Usage
from routeiq_sdk.values.http import Handler, HttpRequest, HttpResponse, Routes

if TYPE_CHECKING:
    from routeiq_governance.parts import Parts

_MOST_ROWS = 1000
_GROUPS = {"team": "team", "customer": "customer", "api_key": "key", "user": "user", "model": "model"}


class Spend:
    """The handlers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def logs(self, request: HttpRequest) -> HttpResponse:
        """Requests, the newest first; with both dates and without `summarize=false` the sums of each day."""
        query = request.query
        within = await self._within(request)
        if query.get("start_date") and query.get("end_date") and query.get("summarize", "true").lower() != "false":
            async with self._parts.database.read() as connection:
                found = await reports.sums(connection, within, ("day", "model"))
            days = [day_row(list(group)) for _, group in groupby(found, key=lambda row: row["day"])]
            return tabular(request, days) or answer(days)
        rows = [log_row(row) for row in await self._requests(within, _MOST_ROWS, query.get("after"))]
        return tabular(request, rows) or answer(rows)

    async def pages(self, request: HttpRequest) -> HttpResponse:
        """Requests by pages: `page_size`, and `after` with the last page's `next`."""
        _, size = page_of(request.query, 50)
        within = await self._within(request)
        found = await self._requests(within, size, request.query.get("after"))
        following = f"{found[-1]['at']}:{found[-1]['request_id']}" if len(found) == size else None
        return answer({"data": [log_row(row) for row in found], "page_size": size, "next": following})

    async def keys(self, request: HttpRequest) -> HttpResponse:
        """Sums by key."""
        return await self._by("key", request, lambda row: {"token": row["key"], "api_key": row["key"]})

    async def users(self, request: HttpRequest) -> HttpResponse:
        """Sums by user."""
        return await self._by("user", request, lambda row: {"user_id": row["user"]})

    async def teams(self, request: HttpRequest) -> HttpResponse:
        """Sums by team."""
        return await self._by("team", request, lambda row: {"team_id": row["team"]})

    async def models(self, request: HttpRequest) -> HttpResponse:
        """Sums by model."""
        return await self._by("model", request, lambda row: {"model": row["model"]})

    async def provider(self, request: HttpRequest) -> HttpResponse:
        """Sums by provider."""
        return await self._by("provider", request, lambda row: {"provider": row["provider"]})

    async def end_users(self, request: HttpRequest) -> HttpResponse:
        """Sums by end user."""
        return await self._by("customer", request, lambda row: {"end_user": row["customer"]})

    async def tags(self, request: HttpRequest) -> HttpResponse:
        """Sums by tag."""
        within = await self._within(request)
        async with self._parts.database.read() as connection:
            found = await reports.by_tag(connection, within)
        rows = [
            {"individual_request_tag": tag, "name": tag, "total_spend": dollars(cost), "spend": dollars(cost)}
            | {"log_count": number}
            for tag, (cost, number) in sorted(found.items(), key=lambda item: -item[1][0])
        ]
        return tabular(request, rows) or answer(rows)

    async def tag_names(self, request: HttpRequest) -> HttpResponse:
        """Tags that were ever used."""
        within = await self._within(request)
        async with self._parts.database.read() as connection:
            return answer({"tag_names": sorted(await reports.by_tag(connection, within))})

    async def total(self, request: HttpRequest) -> HttpResponse:
        """Everything that was spent."""
        within = await self._within(request)
        async with self._parts.database.read() as connection:
            found = await reports.sums(connection, within, ())
        most = self._parts.config.max_budget
        return answer({"spend": dollars(found[0]["cost"]), "max_budget": None if most is None else float(most)})

    async def report(self, request: HttpRequest) -> HttpResponse:
        """Sums by day and group (`group_by`: team, customer, api_key, user, model), each with its models."""
        group = request.query.get("group_by", "team")
        if group not in _GROUPS:
            raise wrong("group_by", f"expected one of {', '.join(_GROUPS)}")
        name = _GROUPS[group]
        by = ("day", name) if name == "model" else ("day", name, "model")
        within = await self._within(request)
        async with self._parts.database.read() as connection:
            found = await reports.sums(connection, within, by)
        if request.query.get("format") == "csv" or (request.headers.get("accept") or "").startswith("text/csv"):
            flat = [{"date": date_of(row["day"]), **{n: row[n] for n in by[1:]}, **metrics(row)} for row in found]
            return tabular(request, flat) or answer(flat)
        return answer([_report_day(list(rows), name) for _, rows in groupby(found, key=lambda row: row["day"])])

    async def activity(self, request: HttpRequest) -> HttpResponse:
        """Requests and tokens by day."""
        within = await self._within(request)
        async with self._parts.database.read() as connection:
            found = await reports.sums(connection, within, ("day",))
        days = [
            {
                "date": date_of(row["day"]),
                "api_requests": row["requests"],
                "total_tokens": row["input_tokens"] + row["output_tokens"],
            }
            for row in found
        ]
        requests, tokens = (sum(row[name] for row in days) for name in ("api_requests", "total_tokens"))
        return answer({"daily_data": days, "sum_api_requests": requests, "sum_total_tokens": tokens})

    async def model_activity(self, request: HttpRequest) -> HttpResponse:
        """Requests and tokens by model and day."""
        within = await self._within(request)
        async with self._parts.database.read() as connection:
            found = await reports.sums(connection, within, ("day", "model"))
        rows = []
        for model in dict.fromkeys(row["model"] for row in found):
            own = [row for row in found if row["model"] == model]
            days = [{"date": date_of(row["day"]), **metrics(row)} for row in own]
            requests, tokens = (sum(row[name] for row in days) for name in ("api_requests", "total_tokens"))
            rows.append({"model": model, "daily_data": days, "sum_api_requests": requests, "sum_total_tokens": tokens})
        return answer(rows)

    async def exceptions(self, request: HttpRequest) -> HttpResponse:
        """Failed calls by day."""
        within = await self._within(request)
        async with self._parts.database.read() as connection:
            found = await reports.sums(connection, within, ("day",))
        days = [{"date": date_of(row["day"]), "num_rate_limit_exceptions": row["failed"]} for row in found]
        return answer({"daily_data": days, "sum_num_rate_limit_exceptions": sum(row["failed"] for row in found)})

    async def cache_hits(self, request: HttpRequest) -> HttpResponse:
        """Answers from a cache: this gateway keeps none."""
        await self._within(request)
        return answer([])

    async def provider_budgets(self, request: HttpRequest) -> HttpResponse:
        """Budgets of providers (`router_settings.provider_budget_config`), with what was spent in their windows."""
        parts = self._parts
        await self._within(request)
        now, told = parts.now(), {}
        async with parts.database.read() as connection:
            for provider, written in parts.config.provider_budget_config.items():
                budget, length = written.get("budget_limit"), written.get("time_period")
                start, end = window(duration("time_period", length), 0, now) if length else (0, None)
                since = Within(start, where=(COLUMNS["provider"] == provider,))
                (found,) = await reports.sums(connection, since, ())
                told[provider] = {
                    "budget_limit": budget,
                    "time_period": length,
                    "spend": dollars(found["cost"]),
                    "budget_reset_at": iso_or_none(end),
                }
        return answer({"providers": told})

    async def daily(self, request: HttpRequest) -> HttpResponse:
        """Metrics of each day, and of its models and keys."""
        within = await self._within(request)
        async with self._parts.database.read() as connection:
            found = await reports.sums(connection, within, ("day",))
            parts = {name: await reports.sums(connection, within, ("day", name)) for name in ("model", "key")}
        results = []
        for row in found:
            breakdown = {
                f"{'api_keys' if name == 'key' else 'models'}": {
                    str(each[name]): {"metrics": metrics(each)} for each in rows if each["day"] == row["day"]
                }
                for name, rows in parts.items()
            }
            results.append({"date": date_of(row["day"]), "metrics": metrics(row), "breakdown": breakdown})
        spend = dollars(sum(row["cost"] for row in found))
        return answer({"results": results, "metadata": {"total_spend": spend, "page": 1, "total_pages": 1}})

    async def calculate(self, request: HttpRequest) -> HttpResponse:
        """What a call would cost, from a model and its tokens or an answer's usage."""
        checks = {
            "model": identifier,
            "messages": sequence,
            "completion_response": document,
            "prompt_tokens": count,
            "completion_tokens": count,
        }
        fields = checked(body_of(request), checks)
        told = fields.get("completion_response") or {}
        model = fields.get("model") or told.get("model")
        group = self._parts.quotas.group(model) if isinstance(model, str) else None
        if group is None or group.price is None:
            raise wrong("model", "names no model with a price")
        usage = told.get("usage") or {}
        asked, written = (
            int(usage[name]) if isinstance(usage.get(name), int) else int(fields.get(name) or 0)
            for name in ("prompt_tokens", "completion_tokens")
        )
        if fields.get("messages") and not asked:
            asked = -(-sum(len(str(each)) for each in fields["messages"]) // 4)
        return answer({"cost": dollars(group.price.cost(Usage(asked, written)))})

    async def _by(self, name: str, request: HttpRequest, told: Callable[[Any], dict[str, Any]]) -> HttpResponse:
        within = await self._within(request)
        async with self._parts.database.read() as connection:
            found = await reports.sums(connection, within, (name,))
        rows = [{**told(row), **metrics(row), "total_spend": dollars(row["cost"])} for row in found]
        return tabular(request, rows) or answer(rows)

    async def _requests(self, within: Within, most: int, after: str | None) -> list[dict[str, Any]]:
        since = None
        if after is not None:
            at, _, id = after.partition(":")
            if not at.isascii() or not at.isdecimal() or not id or len(at) > 19:
                raise wrong("after", "is not the `next` of a page")
            since = (int(at), id)
        async with self._parts.database.read() as connection:
            return await reports.requests(connection, within, most=most, after=since)

    async def _within(self, request: HttpRequest) -> Within:
        """The rows that the request asks for, of those that the caller may see, with all that was accepted so far."""
        parts, query = self._parts, request.query
        caller = await parts.identity.caller_of(request)
        reach = await parts.access.reach(caller, "spend:read")
        await parts.ledger.flush()
        within = span_of(query)
        where: list[ColumnElement[bool]] = []
        if not reach.everywhere:
            where.append(
                reports.seen_by(
                    list(reach.organizations), list(reach.teams), list(reach.users), [*reach.keys, caller.key_id or ""]
                )
            )
        for parameter, name in _PARAMETERS:
            if query.get(parameter):
                values = query[parameter].split(",") if parameter.endswith("_ids") else [query[parameter]]
                named = [credentials.id_of(value) if name == "key" else value for value in values]
                where.append(COLUMNS[name].in_(named))
        if query.get("tags"):
            where.append(or_(*(reports.tagged(tag) for tag in query["tags"].split(","))))
        if query.get("request_id"):
            told = query["request_id"]
            where.append(or_(entries.c.request_id == told, entries.c.response_id == told))
        return replace(within, where=tuple(where))


_PARAMETERS = (
    ("api_key", "key"),
    ("user_id", "user"),
    ("internal_user_id", "user"),
    ("team_id", "team"),
    ("team_ids", "team"),
    ("organization_id", "organization"),
    ("organization_ids", "organization"),
    ("end_user", "customer"),
    ("customer_id", "customer"),
    ("end_user_ids", "customer"),
    ("model", "model"),
    ("provider", "provider"),
)


def _report_day(rows: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    groups = []
    for value in dict.fromkeys(row[name] for row in rows):
        own = [row for row in rows if row[name] == value]
        models = [{"model": row["model"], **metrics(row), "total_spend": dollars(row["cost"])} for row in own]
        groups.append(
            {f"{name}_id": value, "total_spend": dollars(sum(row["cost"] for row in own)), "metadata": models}
        )
    return {"group_by_day": date_of(rows[0]["day"]), "teams" if name == "team" else f"{name}s": groups}


async def refuse_reset(request: HttpRequest) -> HttpResponse:
    """The ledger is append-only: nothing in it is set to zero."""
    raise RequestError(
        400,
        "The ledger keeps its rows. Reset what a key counts as having spent with /key/{key}/reset_spend, or a window "
        "with a budget_duration.",
        code="400",
    )


def register(routes: Routes, parts: Parts) -> None:
    """Add the routes of spend."""
    spend = Spend(parts)
    table: Sequence[tuple[str, Handler, str]] = (
        ("/spend/logs", spend.logs, "Requests with what they cost"),
        ("/spend/logs/v2", spend.pages, "Requests by pages"),
        ("/spend/logs/ui", spend.pages, "Requests by pages"),
        ("/spend/keys", spend.keys, "Spend by key"),
        ("/spend/users", spend.users, "Spend by user"),
        ("/spend/tags", spend.tags, "Spend by tag"),
        ("/global/spend", spend.total, "All that was spent"),
        ("/global/spend/logs", spend.logs, "Spend by day"),
        ("/global/spend/keys", spend.keys, "Spend by key"),
        ("/global/spend/teams", spend.teams, "Spend by team"),
        ("/global/spend/models", spend.models, "Spend by model"),
        ("/global/spend/provider", spend.provider, "Spend by provider"),
        ("/global/spend/tags", spend.tags, "Spend by tag"),
        ("/global/spend/all_tag_names", spend.tag_names, "Tags that were used"),
        ("/global/spend/report", spend.report, "Spend by day and team, key, user, model or end user"),
        ("/global/activity", spend.activity, "Requests and tokens by day"),
        ("/global/activity/model", spend.model_activity, "Requests and tokens by model and day"),
        ("/global/activity/exceptions", spend.exceptions, "Failed calls by day"),
        ("/global/activity/cache_hits", spend.cache_hits, "Answers from a cache"),
        ("/provider/budgets", spend.provider_budgets, "Budgets of providers"),
        ("/user/daily/activity", spend.daily, "Spend and use of each day"),
        ("/team/daily/activity", spend.daily, "Spend and use of each day"),
        ("/tag/daily/activity", spend.daily, "Spend and use of each day"),
        ("/customer/daily/activity", spend.daily, "Spend and use of each day"),
        ("/organization/daily/activity", spend.daily, "Spend and use of each day"),
    )
    for path, handler, summary in table:
        routes.add("GET", path, handler, access="key", summary=summary, action="spend:read")
    routes.add(
        "POST", "/global/spend/end_users", spend.end_users, access="key", summary="By end user", action="spend:read"
    )
    routes.add(
        "POST", "/spend/calculate", spend.calculate, access="key", summary="What a call costs", action="spend:read"
    )
    routes.add("POST", "/global/spend/reset", refuse_reset, access="admin", summary="Not done", action="spend:correct")
