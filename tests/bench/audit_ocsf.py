"""L7 of the audit bench: every event of a trail as OCSF, validated by another project's models. That project has models
of objects and of the base event; what a class requires beyond them stands here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_REQUIRED = {
    6003: ("actor", "api", "src_endpoint"),
    3002: ("user", "service"),
    3001: ("user", "actor"),
    3003: ("user",),
}
"""Beyond the base event, by class: https://schema.ocsf.io/1.5.0/classes"""
_NUMBERS = ("activity_id", "category_uid", "class_uid", "severity_id", "time", "type_uid")


def valid(folder: Path) -> dict[str, Any]:
    """How many events of a file sink's folder are valid, in per cent; and the first problems."""
    from routeiq_audit.ocsf import to_ocsf
    from routeiq_audit.selecting import Selection
    from routeiq_audit.sources import parts

    count, problems, classes = 0, list[str](), dict[int, int]()
    for line in Selection().lines(parts([folder])):
        count += 1
        told = to_ocsf(line)
        classes[told["class_uid"]] = classes.get(told["class_uid"], 0) + 1
        problem = _problem(told)
        if problem is not None:
            problems.append(f"{line['id']}: {problem}")
    return {
        "events": count,
        "valid": 100.0 * (count - len(problems)) / max(1, count),
        "classes": classes,
        "problems": problems[:5],
    }


def _problem(told: dict[str, Any]) -> str | None:
    from py_ocsf_models.events.base_event import BaseEvent
    from py_ocsf_models.objects.api import API
    from py_ocsf_models.objects.resource_details import ResourceDetails
    from py_ocsf_models.objects.service import Service
    from py_ocsf_models.objects.user import User
    from pydantic import ValidationError

    required = _REQUIRED.get(told["class_uid"])
    if required is None:
        return f"the class {told['class_uid']} is none of ours"
    missing = [name for name in required if not told.get(name)]
    missing += [name for name in _NUMBERS if not isinstance(told.get(name), int)]
    if missing:
        return f"without {', '.join(missing)}"
    if told["type_uid"] != told["class_uid"] * 100 + told["activity_id"]:
        return "type_uid is not that of class and activity"
    if told["category_uid"] != told["class_uid"] // 1000:
        return "category_uid is not that of the class"
    try:
        BaseEvent.model_validate(told)
        for name, model in (("api", API), ("service", Service), ("user", User)):
            if name in told:
                model.model_validate(told[name])
        if "actor" in told:
            User.model_validate(told["actor"]["user"])
        for resource in told.get("resources", ()):
            ResourceDetails.model_validate(resource)
    except ValidationError as error:
        return str(error.errors(include_url=False)[:1])
    return None
