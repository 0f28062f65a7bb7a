"""One SQS batch: which objects its messages name, and what becomes of the messages."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from .aggregator import Aggregator, Tally
from .bundles import BundleStore
from .claiming import Claimer
from .claims import ClaimTable
from .exceptions import MessageRejectedError, SourceError, SourceGoneError
from .messages import parse_body
from .returns import Return, hide
from .schemas import FINISHED, RESULTS, Named, ObjectName, Outcome, Result, Source
from .settings import Settings
from .sources import SourceReader

if TYPE_CHECKING:
    from .clients import Clients

_LOG_LEVELS = {"failed": "error", "refused": "error", "source_gone": "warning", "superseded": "warning"}
_FAILED_PAUSE_SECONDS = 5
_LONGEST_PAUSE_SECONDS = 900

type Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """What has become of a batch."""

    messages: Mapping[str, Outcome]
    """By message id, the outcome that decides: the first of its sources that is not done with."""
    results: Counter[Result]
    """Sources, and messages without any, by result."""
    tally: Tally

    def describe(self) -> dict[str, int]:
        """Return the batch in numbers, the same ones for every batch."""
        returned = sum(outcome.result not in FINISHED for outcome in self.messages.values())
        counts: dict[str, int] = {result: self.results[result] for result in RESULTS if result != "nothing_to_do"}
        return {"messages": len(self.messages), "returned": returned, "bundles": self.tally.bundles, **counts}


class Batch:
    """Works on the messages of one invocation."""

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
        self._aggregator = Aggregator(settings, self._reader, bundles, claimer, logger, request_id, remaining_ms)

    def process(self, records: Sequence[Record]) -> Report:
        """Bundle what the messages name."""
        named, rejected = self._parse(records)
        self._logger.info("batch_start", extra={"messages": len(records), "sources": sum(map(len, named.values()))})
        known = self._look_up(dict.fromkeys(name for names in named.values() for name in names))
        in_order = [known[name] for names in named.values() for name in names]
        self._aggregator.run(source for source in in_order if isinstance(source, Source))
        outcomes = {name: self._outcome(found) for name, found in known.items()}
        self._log(outcomes)
        messages = {message: _decide(outcomes[name] for name in names) for message, names in named.items()} | rejected
        self._return(records, messages)
        results = Counter[Result](outcome.result for outcome in [*outcomes.values(), *rejected.values()])
        return Report(messages, results, self._aggregator.tally)

    def _parse(self, records: Sequence[Record]) -> tuple[dict[str, list[Named]], dict[str, Outcome]]:
        named: dict[str, list[Named]] = {}
        rejected: dict[str, Outcome] = {}
        for record in records:
            try:
                named[record["messageId"]] = parse_body(record["body"])
            except MessageRejectedError as error:
                rejected[record["messageId"]] = Outcome("rejected", str(error))
                fields = {"message_id": record["messageId"], "error": str(error)}
                self._logger.error("message_rejected", extra=fields)  # noqa: TRY400  # the error says it all
        return named, rejected

    def _look_up(self, named: Collection[Named]) -> dict[Named, Source | SourceError]:
        """Return the source that each name stands for, or why there is none."""
        unknown = [name for name in named if isinstance(name, ObjectName)]
        found = dict(zip(unknown, self._reader.look_up(unknown) if unknown else [], strict=True))
        return {name: name if isinstance(name, Source) else found[name] for name in named}

    def _outcome(self, found: Source | SourceError) -> Outcome:
        if isinstance(found, Source):
            return self._aggregator.outcomes[found.id]
        return Outcome("source_gone" if isinstance(found, SourceGoneError) else "failed", str(found))

    def _log(self, outcomes: Mapping[Named, Outcome]) -> None:
        for name, outcome in outcomes.items():
            fields = {"bucket": name.bucket, "key": name.key, "version_id": name.version_id, "reason": outcome.reason}
            event = outcome.result if outcome.result.startswith("source_") else f"source_{outcome.result}"
            log = getattr(self._logger, _LOG_LEVELS.get(outcome.result, "debug"))
            log(event, extra=fields)

    def _return(self, records: Sequence[Record], messages: Mapping[str, Outcome]) -> None:
        returns = [
            Return(record["receiptHandle"], _pause(messages[record["messageId"]], record))
            for record in records
            if messages[record["messageId"]].result not in FINISHED
        ]
        if not self._settings.queue_url or not returns:
            return
        try:
            hide(self._clients.sqs, self._settings.queue_url, returns)
        except (ClientError, BotoCoreError) as error:
            # They come back all the same, after the queue's own visibility timeout.
            self._logger.warning("messages_not_hidden", extra={"messages": len(returns), "error": str(error)})


def _decide(outcomes: Iterable[Outcome]) -> Outcome:
    """Return what is to become of a message, given its sources'."""
    last = Outcome("nothing_to_do")
    for outcome in outcomes:
        if outcome.result not in FINISHED:
            return outcome
        last = outcome
    return last


def _pause(outcome: Outcome, record: Record) -> int:
    """Return after how many seconds a message is to come back."""
    match outcome.result:
        case "busy":
            return min(outcome.retry_after_seconds or 1, _LONGEST_PAUSE_SECONDS)
        case "failed":
            receives = int(record["attributes"]["ApproximateReceiveCount"])
            return min(_FAILED_PAUSE_SECONDS << min(receives - 1, 10), _LONGEST_PAUSE_SECONDS)
        case _:
            # Not started: another worker may have time. Refused: the remaining receives are a formality.
            return 1
