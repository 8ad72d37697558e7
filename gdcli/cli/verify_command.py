"""`gd verify`: a stored proof, checked anew from the expression and the numbers of the record alone."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from gdcli.cli import record_file
from gdcli.cli.output_file import Destination
from gdcli.cli.record_file import Stored
from gdcli.cli.rerun_command import changed_data
from gdcli.cli.stored_pages import problem_of
from gdcli.kernel.errors import UsageError, harmless
from gdcli.record.runs import RunRecord, evidence_of
from gdcli.render.page import LABEL
from gdcli.render.proof_text import proof_of
from gdcli.tasks.verified_record import ToldProof, bounds_as_given, faults_of

if TYPE_CHECKING:
    from gdcli.cli.commands import FileOptions
    from gdcli.cli.environment import Environment
    from gdcli.tasks.verified_cover import ToldMinimum

DOES_NOT_HOLD = 9


def run(options: FileOptions, env: Environment) -> int:
    """Run ``gd verify``: 0 if the proof holds, 9 if it does not or if there is none."""
    stored = record_file.read(options.file, env, roots=True)
    told = _verified(stored)
    with Destination(options.output, env.stdout) as stream:
        for label, text in told:
            stream.write(f"{label:<{LABEL}}{harmless(text)}\n")
    return 0 if told[0][0] == "verified" else DOES_NOT_HOLD


def _verified(stored: Stored) -> list[tuple[str, str]]:
    name, result = stored.name, stored.result
    try:
        if result.get("type") == "roots":
            faults, told = _of_roots(name, result)
        elif result.get("global") is not None:
            of_kind = _of_global_fit if "standard_errors" in result else _of_global
            faults, told = of_kind(stored)
        else:
            faults, told = _of_run(name, result)
    except UsageError as error:
        faults = [f"the problem cannot be read: {error}"]
    if faults:
        return [("not verified", faults[0]), *(("", fault) for fault in faults[1:])]
    return [("verified", told[0]), *(("", line) for line in told[1:])]


_Found = tuple[list[str], list[str]]  # what does not follow; what was verified


def _of_run(name: str, result: dict[str, Any]) -> _Found:
    certificate = result.get("certificate")
    if not isinstance(certificate, dict) or certificate.get("proof") is None:
        why = certificate.get("not_proved") if isinstance(certificate, dict) else ""
        return [f"the answer has no proof{f': {why}' if why else ''}"], []
    with record_file.whole(name):
        found = RunRecord.from_json(result)
        problem = problem_of(found.problem, found.seed)
        told = told_proof(found)
    faults = faults_of(problem, told)
    return faults, [] if faults else [proof_of(found)[1]]


def _of_global(stored: Stored) -> _Found:
    from gdcli.render.boxes_page import statements
    from gdcli.tasks.verified_cover import faults_of_minimum

    with record_file.whole(stored.name):
        found = RunRecord.from_json(stored.result)
        problem, told = problem_of(found.problem, found.seed), told_minimum(found)
        local = None if found.certificate.proof is None else told_proof(found)
    faults = faults_of_minimum(problem, told)
    faults += [] if local is None else faults_of(problem, local)
    if faults:
        return faults, []
    lines = statements(found)
    if local is not None:
        lines.append(f"the point: {proof_of(found)[1]}")
    return faults, lines


def _of_global_fit(stored: Stored) -> _Found:
    from gdcli.record.fits import FitRecord, request_of
    from gdcli.render.boxes_page import statements
    from gdcli.tasks.fit.global_fit import bounded_fit
    from gdcli.tasks.fit.prepare import prepared
    from gdcli.tasks.verified_cover import faults_within

    with record_file.whole(stored.name):
        found = FitRecord.from_json(stored.result)
        told, places = told_minimum(found), {name: place for name, (place, _) in stored.data.items()}
        request = request_of(found.problem, [places.get(name, name) for name in found.problem.files])
    changed = [text for _, text in changed_data(stored)]
    if changed:
        return changed, []
    with prepared(request) as ready:
        if ready.count.learned != found.rows.learned:
            return [f"there are {ready.count.learned} rows, and not {found.rows.learned}"], []
        faults = faults_within(bounded_fit(ready), told, 1)
    return faults, statements(found)


def _of_roots(name: str, result: dict[str, Any]) -> _Found:
    from gdcli.record.roots import RootsRecord, roots_of
    from gdcli.tasks.verified_cover import faults_of_roots

    with record_file.whole(name):
        found = RootsRecord.from_json(result)
        told = roots_of(found)
        points = [list(found.space.flatten(root.point)) for root in found.roots]
    centers = [box.center for box in told.boxes]
    faults = [] if points == centers else ["the point of a root is not in the middle of its box"]
    return faults + faults_of_roots(told), [found.message]


def told_minimum(found: RunRecord) -> ToldMinimum:
    """Return what a record tells of a global minimum. Raises ValueError, KeyError or TypeError where it is none."""
    from gdcli.tasks.verified_cover import ToldMinimum

    flat = found.problem.space.flatten
    bounds = bounds_as_given(found.problem.bounds)
    whole = {name: bounds.get(name, (-inf, inf)) for name in found.problem.start}
    low, high = (list(flat({name: ends[k] for name, ends in whole.items()})) for k in (0, 1))
    return ToldMinimum(found.status, found.message, found.x, found.value, evidence_of(found), low, high)


def told_proof(found: RunRecord) -> ToldProof:
    """Return the proof that a record tells. Raises ValueError, KeyError or TypeError where it is none."""
    proof = found.certificate.proof
    assert proof is not None
    flat = found.problem.space.flatten
    sides = [list(flat({name: ends[k] for name, ends in proof.box.items()})) for k in (0, 1)]
    box = tuple(zip(*sides, strict=True))
    told = (proof.kind, found.status, found.value, found.x, proof.radius, proof.value, box)
    return ToldProof(*told, tuple(proof.places(found.problem.space)), proof.axes, proof.sides)
