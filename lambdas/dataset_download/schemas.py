"""Models of the export event and the export status. Only exports import them (pydantic slows cold starts)."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from .datasets.names import ID_PATTERN, NAME_PATTERN
from .formats.format import Format

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
ExportId = Annotated[str, Field(pattern=ID_PATTERN)]


class ExportEvent(BaseModel):
    """The event that invokes the export function."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    export: ExportId
    dataset: Name
    format: Format
    query: str
    """The raw query string of the request."""
    owner: str
    """The owner of the claim; the function works on this claim only."""


class ExportStatus(BaseModel):
    """The status object of an export."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    export: ExportId
    state: Literal["running", "ready", "failed"]
    dataset: Name
    format: Format
    owner: str
    key: str
    """Key of the finished object."""
    started: datetime
    expires: datetime
    """Time after which a running export counts as dead."""
    rows: int = 0
    bytes: int = 0
    status: int = 0
    """HTTP status of a failed export."""
    detail: str = ""
