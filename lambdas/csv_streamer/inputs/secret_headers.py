"""Headers from Secrets Manager, read in every invocation, never stored and never logged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from csv_streamer.exceptions import EntryError, FileError
from csv_streamer.schemas import Entry

from .parameters import check_headers

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


class SecretHeaders:
    """Reads each secret once."""

    def __init__(self, make_client: Callable[[], SecretsManagerClient]) -> None:
        self._make_client = make_client
        self._known: dict[str, Mapping[str, str]] = {}
        self._turn = asyncio.Lock()

    async def merge(self, entry: Entry) -> Mapping[str, str]:
        """Return the entry's headers with those of its secret, which take precedence.

        Raises:
            FileError: the secret cannot be read; the message has AWS's code for it and nothing of the secret.
        """
        if entry.secret is None:
            return entry.headers
        async with self._turn:
            if entry.secret not in self._known:
                self._known[entry.secret] = await asyncio.to_thread(self._read, entry.secret)
        secret = self._known[entry.secret]
        names = {name.lower() for name in secret}
        return {name: value for name, value in entry.headers.items() if name.lower() not in names} | dict(secret)

    def _read(self, name: str) -> Mapping[str, str]:
        try:
            text = self._make_client().get_secret_value(SecretId=name).get("SecretString", "")
            return check_headers(json.loads(text), f"the secret {name}")
        except ClientError as error:
            raise FileError(
                f"the secret {name} cannot be read: {error.response['Error']['Code']}", code="secret_unreadable"
            ) from error
        except BotoCoreError as error:
            raise FileError(
                f"the secret {name} cannot be read: {type(error).__name__}", code="secret_unreadable"
            ) from error
        except (ValueError, RecursionError):  # the error itself would quote the secret
            raise FileError(f"the secret {name} is not a JSON object of headers", code="secret_unreadable") from None
        except EntryError as error:
            raise FileError(str(error), code="secret_unreadable") from None
