"""Errors of reading and encoding a dataset, grouped by what the caller can do about them."""


class DatasetError(Exception):
    """Base of every error raised by the engine."""


class DatasetNotFoundError(DatasetError):
    """No dataset has this name."""


class QueryError(DatasetError):
    """The query does not fit the dataset; the message gives the reason and lists the columns."""


class SortTooLargeError(QueryError):
    """The sort would hold more than MAX_SORT_ROWS rows; a limit or a filter avoids the error."""


class SourceError(DatasetError):
    """The dataset cannot be read."""


class CorruptDatasetError(SourceError):
    """An object is not valid Parquet, or the files of a folder do not belong together."""


class ObjectChangedError(SourceError):
    """An object was overwritten or deleted after it was opened, so the rest would not match the bytes already read."""


class SourceUnreadableError(SourceError):
    """S3 failed with a transient error on every attempt."""


class MemoryLimitError(DatasetError):
    """A value, a row or the pages of the selected columns do not fit into the memory budget."""
