"""`gd verify`: a stored proof, checked anew from the expression and the numbers of the record alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gdcli.cli import record_file
from gdcli.kernel.error_text import harmless
from gdcli.kernel.errors import UsageError
from gdcli.record.runs import RunRecord
from gdcli.render.page import LABEL
from gdcli.render.proof_text import proof_of
from gdcli.tasks.problem import Problem
from gdcli.tasks.verified_record import ToldProof, bounds_as_given, faults_of

if TYPE_CHECKING:
    from gdcli.cli.commands import FileOptions
    from gdcli.cli.environment import Environment

DOES_NOT_HOLD = 9


def run(options: FileOptions, env: Environment) -> int:
    """Run ``gd verify``: 0 if the proof holds, 9 if it does not or if there is none."""
    from gdcli.cli.output_file import Destination

    stored = record_file.read(options.file, env)
    told = _verified(stored.name, stored.result)
    with Destination(options.output, env.stdout) as stream:
        for label, text in told:
            stream.write(f"{label:<{LABEL}}{harmless(text)}\n")
    return 0 if told[0][0] == "verified" else DOES_NOT_HOLD


def _verified(name: str, result: dict[str, Any]) -> list[tuple[str, str]]:
    certificate = result.get("certificate")
    if not isinstance(certificate, dict) or certificate.get("proof") is None:
        why = certificate.get("not_proved") if isinstance(certificate, dict) else ""
        return [("not verified", f"the answer has no proof{f': {why}' if why else ''}")]
    with record_file.whole(name):
        found = RunRecord.from_json(result)
        problem = problem_of(found)
        told = told_proof(found)
    try:
        faults = faults_of(problem, told)
    except UsageError as error:
        faults = [f"the problem cannot be read: {error}"]
    if faults:
        return [("not verified", faults[0]), *(("", fault) for fault in faults[1:])]
    return [("verified", proof_of(found)[1])]


def problem_of(found: RunRecord) -> Problem:
    asked = found.problem
    return Problem(
        asked.expression,
        asked.sense,
        asked.start,
        asked.constants,
        bounds=bounds_as_given(asked.bounds),
        let=asked.let,
    )


def told_proof(found: RunRecord) -> ToldProof:
    """Return the proof that a record tells. Raises ValueError, KeyError or TypeError where it is none."""
    proof = found.certificate.proof
    assert proof is not None
    flat = found.problem.space.flatten
    sides = [list(flat({name: ends[k] for name, ends in proof.box.items()})) for k in (0, 1)]
    box = list(zip(*sides, strict=True))
    told = (proof.kind, found.status, found.value, found.x, proof.radius, proof.value, box)
    return ToldProof(*told)
