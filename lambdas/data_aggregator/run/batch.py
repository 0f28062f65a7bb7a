"""One SQS batch: from messages to the objects that they name, and from outcomes back to messages."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from data_aggregator.bundle.publisher import BundleStore
from data_aggregator.claims.claimer import Claimer
from data_aggregator.claims.table import ClaimTable
from data_aggregator.exceptions import AggregatorError, MessageRejectedError, SourceError, SourceGoneError
from data_aggregator.intake.messages import ParsedMessage, parse_body
from data_aggregator.intake.reasons import record_reasons
from data_aggregator.intake.visibility import VisibilityChange, change_visibility
from data_aggregator.reading.source_reader import SourceReader
from data_aggregator.schemas import FINISHED, RESULTS, Named, ObjectName, Outcome, Result, Source
from data_aggregator.settings import Settings

from .aggregator import Aggregator, BatchStats
from .draft import DraftWriter
from .limits import Limits
from .outcomes import Outcomes

if TYPE_CHECKING:
    from data_aggregator.clients import Clients

_LOG_LEVELS = {"failed": "error", "refused": "error", "source_gone": "warning", "superseded": "warning"}
_FAILED_PAUSE_SECONDS = 5
_MAX_PAUSE_SECONDS = 900
_MAX_OBJECTS = 20_000
"""Objects per invocation. Bounds its memory: an object takes 2 KB."""
_MIN_RECORD_MS = 10_000
"""Remaining time below which no reasons are written, milliseconds."""
_MAX_KINDS = 20
"""Log lines about the ignored records of one message; the most frequent come first."""
_DEFINITE: frozenset[Result] = frozenset({"failed", "refused", "rejected"})
"""Results whose reason is recorded at the first receive; other results may be temporary."""

type Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """The outcomes of a batch."""

    messages: Mapping[str, Outcome]
    """The deciding outcome by message id: that of the first source that is not finished."""
    results: Counter[Result]
    """Number of sources, and of messages without sources, by result."""
    tally: BatchStats
    ignored: int
    """Number of records that do not announce an object."""

    def describe(self) -> dict[str, int]:
        """Return the batch's counts, with the same keys for every batch."""
        returned = sum(outcome.result not in FINISHED for outcome in self.messages.values())
        counts: dict[str, int] = {result: self.results[result] for result in RESULTS if result != "nothing_to_do"}
        return {
            "messages": len(self.messages),
            "returned": returned,
            "bundles": self.tally.bundles,
            **counts,
            "ignored": self.ignored,
        }


class Batch:
    """Processes the messages of one invocation."""

    def __init__(
        self,
        settings: Settings,
        clients: Clients,
        logger: Logger,
        request_id: str,
        remaining_ms: Callable[[], int],
    ) -> None:
        self._clients = clients
        self._settings = settings
        self._logger = logger
        self._remaining_ms = remaining_ms
        self._ignored = 0
        self._reader = SourceReader(
            clients.s3,
            clients.quick.get,
            concurrency=settings.read_concurrency,
            budget=settings.read_ahead_bytes,
        )
        bundles = BundleStore(clients.s3, settings.distribution_bucket)
        claimer = Claimer(
            ClaimTable(clients.dynamodb, settings.table_name),
            bundles,
            logger,
            settings.ttl_seconds,
            int(time.time() * 1000) + remaining_ms() + settings.claim_grace_seconds * 1000,
        )
        limits = Limits(settings, remaining_ms)
        self._outcomes = Outcomes()
        drafts = DraftWriter(settings, self._reader, claimer, limits, self._outcomes, logger)
        self._aggregator = Aggregator(settings, drafts, bundles, claimer, limits, self._outcomes, logger, request_id)

    def process(self, records: Sequence[Record]) -> Report:
        """Bundle what the messages name."""
        # Written first: a killed attempt leaves no other trace.
        self._record(
            {record["messageId"]: _describe_attempt(record) for record in records if _count_receives(record) > 1}
        )
        named, undone = self._parse(records)
        self._logger.info("batch_start", extra={"messages": len(records), "sources": sum(map(len, named.values()))})
        known = self._look_up(dict.fromkeys(name for names in named.values() for name in names))
        in_order = [known[name] for names in named.values() for name in names]
        self._aggregator.run(source for source in in_order if isinstance(source, Source))
        outcomes = {name: self._outcome(found) for name, found in known.items()}
        self._log(outcomes)
        messages = {message: _decide(outcomes[name] for name in names) for message, names in named.items()} | undone
        self._return(records, messages)
        results = Counter[Result](outcome.result for outcome in [*outcomes.values(), *undone.values()])
        return Report(messages, results, self._aggregator.tally, self._ignored)

    def _parse(self, records: Sequence[Record]) -> tuple[dict[str, list[Named]], dict[str, Outcome]]:
        """Return the objects that each message names, and the outcomes that do not depend on any object."""
        named: dict[str, list[Named]] = {}
        undone: dict[str, Outcome] = {}
        left = _MAX_OBJECTS
        for record in records:
            message = record["messageId"]
            try:
                announced = parse_body(record["body"])
            except MessageRejectedError as error:
                undone[message] = self._reject(message, str(error))
                continue
            if len(announced.objects) > left:
                undone[message] = Outcome("not_started", f"the batch names more than {_MAX_OBJECTS} objects")
                continue
            left -= len(announced.objects)
            named[message] = list(announced.objects)
            self._log_ignored(message, announced)
            if announced.foreign:
                # Its S3 objects are bundled. The message goes to the dead-letter queue, where an operator sees it.
                reason = f"it has a record of another service: {announced.foreign[0].event}"
                undone[message] = self._reject(message, reason)
        return named, undone

    def _reject(self, message_id: str, reason: str) -> Outcome:
        self._logger.error("message_rejected", extra={"message_id": message_id, "error": reason})
        return Outcome("rejected", reason)

    def _log_ignored(self, message_id: str, announced: ParsedMessage) -> None:
        self._ignored += len(announced.ignored)
        kinds = Counter((record.reason, record.event) for record in announced.ignored)
        firsts = {(record.reason, record.event): record for record in reversed(announced.ignored)}
        for (reason, name), count in kinds.most_common(_MAX_KINDS):
            first = firsts[reason, name]
            fields = {"message_id": message_id, "reason": reason, "record": name, "records": count}
            self._logger.info("record_ignored", extra={**fields, "bucket": first.bucket, "key": first.key})

    def _look_up(self, named: Collection[Named]) -> dict[Named, Source | SourceError]:
        """Return the source that each name refers to, or the error that explains why there is none."""
        unknown = [name for name in named if isinstance(name, ObjectName)]
        found = dict(zip(unknown, self._reader.look_up(unknown) if unknown else [], strict=True))
        return {name: name if isinstance(name, Source) else found[name] for name in named}

    def _outcome(self, found: Source | SourceError) -> Outcome:
        if isinstance(found, Source):
            return self._outcomes.by_id[found.id]
        return Outcome("source_gone" if isinstance(found, SourceGoneError) else "failed", str(found))

    def _log(self, outcomes: Mapping[Named, Outcome]) -> None:
        for name, outcome in outcomes.items():
            fields = {"bucket": name.bucket, "key": name.key, "version_id": name.version_id, "reason": outcome.reason}
            event = outcome.result if outcome.result.startswith("source_") else f"source_{outcome.result}"
            log = getattr(self._logger, _LOG_LEVELS.get(outcome.result, "debug"))
            log(event, extra=fields)

    def _return(self, records: Sequence[Record], messages: Mapping[str, Outcome]) -> None:
        returned = [record for record in records if messages[record["messageId"]].result not in FINISHED]
        self._record(
            {
                record["messageId"]: f"{outcome.result}: {outcome.reason}"
                for record in returned
                if (outcome := messages[record["messageId"]]).result in _DEFINITE or _count_receives(record) > 1
            }
        )
        if not self._settings.queue_url or not returned:
            return
        returns = [
            VisibilityChange(record["receiptHandle"], _pause(messages[record["messageId"]], record))
            for record in returned
        ]
        try:
            change_visibility(self._clients.sqs, self._settings.queue_url, returns)
        except (ClientError, BotoCoreError) as error:
            # SQS redelivers them anyway, after the queue's visibility timeout.
            self._logger.warning("messages_not_hidden", extra={"messages": len(returns), "error": str(error)})

    def _record(self, reasons: Mapping[str, str]) -> None:
        """Record why messages are returned, for an operator who finds them in the dead-letter queue."""
        if not reasons:
            return
        if self._remaining_ms() < _MIN_RECORD_MS:
            self._logger.warning("reasons_not_recorded", extra={"messages": len(reasons), "error": "no time is left"})
            return
        expiration = int(time.time()) + self._settings.ttl_seconds
        try:
            record_reasons(self._clients.dynamodb, self._settings.table_name, reasons, expiration)
        except (ClientError, BotoCoreError, AggregatorError) as error:
            self._logger.warning("reasons_not_recorded", extra={"messages": len(reasons), "error": str(error)})


def _decide(outcomes: Iterable[Outcome]) -> Outcome:
    """Return a message's outcome, given the outcomes of its sources."""
    last = Outcome("nothing_to_do")
    for outcome in outcomes:
        if outcome.result not in FINISHED:
            return outcome
        last = outcome
    return last


def _pause(outcome: Outcome, record: Record) -> int:
    """Return the visibility timeout of a returned message, seconds."""
    match outcome.result:
        case "busy":
            return min(outcome.retry_after_seconds or 1, _MAX_PAUSE_SECONDS)
        case "failed":
            return min(_FAILED_PAUSE_SECONDS << min(_count_receives(record) - 1, 10), _MAX_PAUSE_SECONDS)
        case _:
            # Not started: another worker may have time. Refused: the remaining receives are a formality.
            return 1


def _count_receives(record: Record) -> int:
    return int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))


def _describe_attempt(record: Record) -> str:
    return f"receive {_count_receives(record)} did not end: the function was killed, timed out or ran out of memory"
