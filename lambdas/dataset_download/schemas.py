"""What comes in and what is kept, as checked models. Imported only where there are exports."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from .datasets.names import ID_PATTERN, NAME_PATTERN
from .formats.format import Format

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
ExportId = Annotated[str, Field(pattern=ID_PATTERN)]


class ExportEvent(BaseModel):
    """What the export function is invoked with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    export: ExportId
    dataset: Name
    format: Format
    query: str
    """The request's query string as it came."""
    owner: str
    """Who has claimed the export: only that claim is worked on."""


class ExportStatus(BaseModel):
    """The status object of an export."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    export: ExportId
    state: Literal["running", "ready", "failed"]
    dataset: Name
    format: Format
    owner: str
    key: str
    """Of the finished object."""
    started: datetime
    expires: datetime
    """When a running export is taken for dead."""
    rows: int = 0
    bytes: int = 0
    status: int = 0
    """What a failure is answered with."""
    detail: str = ""
