"""A download: the answer's bytes, piece by piece."""

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from .formats import Format
from .plan import Plan


class Download(Iterator[bytes]):
    """The pieces of an answer, none of them empty; closing it in the middle stops reading and frees all.

    Iterating is blocking work: an async server does it in a thread (never in two at the same time).
    """

    rows: int
    """Rows handed out so far."""
    bytes: int
    """Bytes handed out so far."""
    requests: int
    """Requests made to S3 so far."""

    def __next__(self) -> bytes:
        """Return the next piece.

        Raises:
            ObjectChangedError: a file was overwritten since the dataset was opened.
            CorruptDatasetError: a file cannot be decoded.
            SourceUnreadableError: S3 failed for good.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Stop; may be called from another thread once no `next` is running, and repeatedly."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def start_download(plan: Plan, format_: Format, *, formula_guard: bool = False) -> Download:
    """Return the answer to a plan. Nothing is read before the first piece is asked for.

    Args:
        plan: what to read.
        format_: how to write it.
        formula_guard: in CSV, put an apostrophe before text that a spreadsheet would run as a formula.
    """
    raise NotImplementedError
