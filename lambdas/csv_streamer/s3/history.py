"""Objects that earlier runs have stored, newest first."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from csv_streamer.clients import S3

_DATE_FOLDERS = (re.compile(r"\d{4}"), re.compile(r"\d{2}"), re.compile(r"\d{2}"))
_MAX_DAYS = 400
"""Number of days with files that are searched before a file counts as new."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object of an earlier run."""

    key: str
    metadata: Mapping[str, str]
    size: int
    """Bytes."""


class History:
    """Finds the newest object of a name among the dated folders below a prefix; each folder is listed once."""

    def __init__(self, s3: S3, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._turn = asyncio.Lock()
        self._days: dict[str, list[str]] = {}
        self._older: dict[str, AsyncIterator[str]] = {}
        self._names: dict[str, frozenset[str]] = {}

    async def find(self, prefix: str, name: str) -> StoredObject | None:
        """Return the newest object ``{prefix}/{YYYY}/{MM}/{DD}/{name}``, None if there is none."""
        async with self._turn:  # all files of a run search the same folders
            async for day in self._newest_days(prefix):
                if name in await self._list_names(day):
                    key = f"{day}{name}"
                    head = await self._s3.run(self._s3.client.head_object, Bucket=self._bucket, Key=key)
                    return StoredObject(key, head["Metadata"], head["ContentLength"])
        return None

    async def _newest_days(self, prefix: str) -> AsyncIterator[str]:
        known = self._days.setdefault(prefix, [])
        older = self._older.setdefault(prefix, self._walk(f"{prefix}/", 0))
        for day in tuple(known):
            yield day
        while len(known) < _MAX_DAYS and (day := await anext(older, "")):
            known.append(day)
            yield day

    async def _walk(self, folder: str, level: int) -> AsyncIterator[str]:
        """Yield the folders of days, newest first."""
        if level == len(_DATE_FOLDERS):
            yield folder
            return
        pages = await self._list(folder)
        children = [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])]
        for child in sorted(children, reverse=True):
            if _DATE_FOLDERS[level].fullmatch(child.removeprefix(folder).rstrip("/")):
                async for day in self._walk(child, level + 1):
                    yield day

    async def _list_names(self, day: str) -> frozenset[str]:
        if day not in self._names:
            pages = await self._list(day)
            keys = (item["Key"] for page in pages for item in page.get("Contents", []))
            self._names[day] = frozenset(key.removeprefix(day) for key in keys)
        return self._names[day]

    async def _list(self, folder: str) -> list[Any]:
        paginator = self._s3.client.get_paginator("list_objects_v2")
        return await self._s3.run(lambda: list(paginator.paginate(Bucket=self._bucket, Prefix=folder, Delimiter="/")))
