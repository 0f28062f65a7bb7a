"""Claim and commit, the first and the last of the three steps, and the takeover of expired claims."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from data_aggregator.bundle.publisher import BundleStore, Upload
from data_aggregator.exceptions import AggregatorError
from data_aggregator.schemas import Outcome, Source

from .table import Change, Claim, ClaimTable

_FAILURES = (ClientError, BotoCoreError, AggregatorError)


@dataclass(frozen=True, slots=True)
class Claimer:
    """Claims sources on behalf of one invocation."""

    table: ClaimTable
    bundles: BundleStore
    logger: Logger
    ttl_seconds: int
    expires_at_ms: int
    """When this invocation has certainly ended, milliseconds since the epoch."""

    def claim(self, sources: Sequence[Source], upload: Upload) -> tuple[list[Source], dict[str, Outcome]]:
        """Claim sources for an upload.

        Returns:
            The sources that are now claimed, in their order, and the outcomes of the others, by id.
        """
        record = self._record("INPROGRESS", upload)
        found = self.table.swap([Change(source.id, None, record) for source in sources])
        outcomes: dict[str, Outcome] = {}
        for source in sources:
            if source.id in found:
                outcome = self._examine(source, found[source.id], record)
                if outcome:
                    outcomes[source.id] = outcome
        return [source for source in sources if source.id not in outcomes], outcomes

    def release(self, sources: Sequence[Source], upload: Upload) -> None:
        """Release claims; those that another worker has taken over stay."""
        record = self._record("INPROGRESS", upload)
        self.table.swap([Change(source.id, record, None) for source in sources])

    def commit(self, sources: Sequence[Source], upload: Upload) -> None:
        """Record that the sources are in the published bundle."""
        before, after = self._record("INPROGRESS", upload), self._record("COMPLETED", upload)
        lost = self.table.swap([Change(source.id, before, after) for source in sources])
        # A worker that examined our expired claim may have committed it for us.
        strange = {
            source_id: claim
            for source_id, claim in lost.items()
            if claim is None or claim.status != "COMPLETED" or claim.data != after.data
        }
        if strange:
            self.logger.error("claims_lost", extra={"bundle": upload.bundle, "ids": _show(strange)})

    def _record(self, status: Literal["INPROGRESS", "COMPLETED"], upload: Upload) -> Claim:
        return Claim(
            status=status,
            expiration=int(time.time()) + self.ttl_seconds,
            in_progress_expiration=self.expires_at_ms,
            bucket=upload.bucket,
            bundle=upload.bundle,
            upload_id=upload.upload_id,
        )

    def _examine(self, source: Source, found: Claim | None, record: Claim) -> Outcome | None:
        """Return the outcome of a source that cannot be claimed; ``None`` if the claim succeeds after all."""
        if found is None:
            return Outcome("busy", "another worker has just released it", 1)
        if found.status == "COMPLETED":
            return Outcome("duplicate", found.bundle)
        left_ms = found.in_progress_expiration - time.time() * 1000
        if left_ms >= 0:
            return Outcome("busy", f"claimed for {found.bundle}", ceil(left_ms / 1000) + 1)
        try:
            return self._take_over(source, found, record)
        except _FAILURES as error:
            return Outcome("failed", f"its expired claim could not be resolved: {error}")

    def _take_over(self, source: Source, expired: Claim, record: Claim) -> Outcome | None:
        """Commit for a dead worker, or claim again; only if the record has not changed."""
        upload_outcome = self.bundles.resolve_outcome(Upload(expired.bucket, expired.bundle, expired.upload_id))
        is_bundled = upload_outcome.holds(source.id)
        after = _complete(expired, record.expiration) if is_bundled else record
        if self.table.swap([Change(source.id, expired, after)]):
            return Outcome("busy", "another worker took it over first", 1)
        fields = {"bucket": source.bucket, "key": source.key, "bundle": expired.bundle, "bundled": is_bundled}
        self.logger.warning("claim_recovered", extra=fields)
        return Outcome("duplicate", expired.bundle) if is_bundled else None


def _complete(claim: Claim, expiration: int) -> Claim:
    return Claim("COMPLETED", expiration, claim.in_progress_expiration, claim.bucket, claim.bundle, claim.upload_id)


def _show(claims: Mapping[str, Claim | None]) -> list[str]:
    return sorted(claims)[:20]
