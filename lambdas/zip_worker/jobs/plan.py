"""The plan of a job: the objects to archive, their names, and the layout of the archive."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from zip_worker.archive.layout import Layout, choose_layout
from zip_worker.archive.names import name_members
from zip_worker.exceptions import ErrorCode, LimitExceededError, SourceMissingError
from zip_worker.job_record import SERVICE_PREFIX
from zip_worker.s3.key_faults import make_fault, raise_if_fatal
from zip_worker.s3.survey import Surveyor
from zip_worker.schemas import Job, KeyFault, Survey
from zip_worker.settings import Settings


@dataclass(frozen=True, slots=True)
class Plan:
    """The members, their names and the layout of an archive; made once for a job."""

    layout: Layout
    skipped: Sequence[KeyFault]
    """Requested keys that are left out."""

    @property
    def size(self) -> int:
        """Bytes of all members."""
        return sum(member.source.size for member in self.layout.members)


def plan_job(job: Job, keys: Sequence[str] | None, surveyor: Surveyor, settings: Settings) -> Plan:
    """Return the plan: survey the job's objects, choose their names and lay out the archive.

    Args:
        job: the job.
        keys: the keys of the request itself; ``None`` if it had none.
        surveyor: surveys the source bucket.
        settings: limits.

    Raises:
        PermanentError: the request cannot be fulfilled.
    """
    listed = _list_keys(job, keys, surveyor, settings.max_members)
    raise_if_fatal(job, [make_fault(key, ErrorCode.KEY_NOT_ALLOWED) for key in listed if not _is_allowed(job, key)])
    survey = surveyor.survey(listed) if listed else Survey([], [])
    if job.prefix is not None:
        known = set(listed)
        more = (
            source
            for source in surveyor.list_prefix(job.prefix)
            if source.key not in known and _is_allowed(job, source.key)
        )
        found = surveyor.inspect(_take(more, settings.max_members - len(survey.sources), settings.max_members))
        survey = Survey([*survey.sources, *found.sources], [*survey.faults, *found.faults])
    return _lay_out(job, survey, settings)


def plan_without(job: Job, plan: Plan, faults: Sequence[KeyFault], settings: Settings) -> Plan:
    """Return the plan without the objects that proved unreadable.

    Raises:
        PermanentError: the job's policies forbid to leave them out, or nothing is left.
    """
    left_out = {fault.key for fault in faults}
    sources = [member.source for member in plan.layout.members if member.source.key not in left_out]
    return _lay_out(job, Survey(sources, [*plan.skipped, *faults]), settings)


def _lay_out(job: Job, survey: Survey, settings: Settings) -> Plan:
    raise_if_fatal(job, survey.faults)
    members = name_members(survey.sources, job.paths, job.prefix, job.names)
    if not members:
        raise SourceMissingError(_describe_nothing(job, survey), ErrorCode.NOTHING_TO_ARCHIVE, survey.faults)
    layout = choose_layout(
        members,
        job.compression,
        part_size=settings.part_size,
        block_size=settings.block_size,
        copy_threshold=settings.copy_threshold,
        compute_crc=job.compute_crc,
    )
    return Plan(layout, survey.faults)


def _is_allowed(job: Job, key: str) -> bool:
    """Return whether the job's owner may archive a key; zip-enqueue has checked the request's own keys."""
    prefixes = job.allowed_prefixes
    return not key.startswith(SERVICE_PREFIX) and (prefixes is None or key.startswith(prefixes))


def _list_keys(job: Job, keys: Sequence[str] | None, surveyor: Surveyor, limit: int) -> list[str]:
    more = surveyor.read_manifest(job.manifest_key) if job.manifest_key is not None else iter(())
    return _take(chain(keys or (), more), limit, limit)


def _take[Item](items: Iterable[Item], room: int, limit: int) -> list[Item]:
    taken: list[Item] = []
    for item in items:
        if len(taken) == room:
            raise LimitExceededError(
                f"the job has more than {limit} objects, the limit of this deployment (MAX_MEMBERS)"
            )
        taken.append(item)
    return taken


def _describe_nothing(job: Job, survey: Survey) -> str:
    faults = survey.faults
    if faults and len(survey.missing) == len(faults):
        return f"nothing to archive: none of the {len(faults)} objects exists"
    if faults:
        return f"nothing to archive: none of the {len(faults)} objects can be read"
    if survey.sources:
        return "nothing to archive: the list holds no objects but folder markers"
    if job.prefix is not None:
        return f"nothing to archive: no objects under prefix {job.prefix!r} in bucket {job.source_bucket}"
    return f"nothing to archive: manifest {job.manifest_key!r} names no keys"
