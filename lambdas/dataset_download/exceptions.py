"""What can go wrong in reading and encoding a dataset, by what the caller can do about it."""


class DatasetError(Exception):
    """Base of every error raised by the engine."""


class DatasetNotFoundError(DatasetError):
    """There is no dataset of this name."""


class QueryError(DatasetError):
    """The query asks for something that the dataset cannot answer; the message says what, and lists the columns."""


class SortTooLargeError(QueryError):
    """More rows than MAX_SORT_ROWS would have to be held to sort them; a limit or a filter makes it possible."""


class SourceError(DatasetError):
    """The dataset cannot be read."""


class CorruptDatasetError(SourceError):
    """An object is not valid Parquet, or the files of a folder do not belong together."""


class ObjectChangedError(SourceError):
    """An object was overwritten or deleted after it was opened: what was read does not fit what would follow."""


class SourceUnreadableError(SourceError):
    """S3 failed in a way that may pass; it was tried repeatedly."""


class MemoryLimitError(DatasetError):
    """A value, a row or the pages of the wanted columns do not fit into the service's memory."""
