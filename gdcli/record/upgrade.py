"""Results of ``gd.result/1`` as earlier versions wrote them, brought to the fields of today.

What the page of an answer says beside its numbers stood in an annex of the receipt, under names of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gdcli.record.schema import Json

_OF_ANSWER = {"method": "used", "why": "why", "advice": "advice", "best": "best_iteration"}
_OF_CERTIFICATE = ("evidence", "distance", "rounded", "errors")


def upgraded(record: Mapping[str, Any]) -> Json:
    """Return the record of a result with the fields of today. Raises TypeError for what is no record."""
    receipt = record.get("receipt")
    if not isinstance(receipt, Mapping) or "page" not in receipt:
        return dict(record)
    page, options = receipt["page"], receipt["options"]
    found = dict(record) | {"receipt": {k: v for k, v in receipt.items() if k != "page"}}
    found |= {new: page[old] for old, new in _OF_ANSWER.items() if old in page}
    if "certificate" in record:
        of_certificate = {key: page[key] for key in _OF_CERTIFICATE if key in page}
        found["certificate"] = dict(record["certificate"]) | of_certificate
    found["problem"] = dict(record["problem"]) | ({"drawn": True} if page.get("drawn") else {})
    if record.get("epochs") is not None:
        size = options.get("batch-size")
        found["batch_size"] = None if size is None else 0 if size == "all" else int(size)
        found["polish"] = bool(options.get("polish"))
    return found


def upgraded_gradient(record: Mapping[str, Any]) -> Json:
    """Return the record of a gradient with the fields of today: the least error seen came later."""
    found = dict(record)
    if record.get("best"):
        seen = {name: {"least_h": b["h"], "least_error": b["error"]} for name, b in record["best"].items()}
        found["best"] = {name: seen[name] | b for name, b in record["best"].items()}
    return found
