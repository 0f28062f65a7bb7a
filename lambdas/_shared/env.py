"""Typed reading of environment variables that reports every problem at once.

One source file, linked into each Lambda package that uses it, so that every zip carries its own copy.
"""

import json
from collections.abc import Mapping
from typing import Any

_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class SettingsError(ValueError):
    """One or more environment variables are missing or wrong; the message names each of them."""


class Environment:
    """Reads typed values out of ``variables`` and collects what is wrong until :meth:`check`."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._problems: list[str] = []

    def text(self, name: str, default: str | None = None) -> str:
        """Return the variable's value; an empty one counts as missing."""
        value = self._variables.get(name, "").strip() or default
        if value is None:
            self._problems.append(f"{name} is not set")
            return ""
        return value

    def names(self, name: str) -> tuple[str, ...]:
        """Return a comma-separated list with at least one entry."""
        entries = tuple(part.strip() for part in self.text(name).split(",") if part.strip())
        if not entries and self._variables.get(name, "").strip():
            self._problems.append(f"{name} holds no name")
        return entries

    def integer(self, name: str, default: int, minimum: int, maximum: int) -> int:
        """Return a whole number between ``minimum`` and ``maximum``, both included."""
        value = self.text(name, str(default))
        try:
            number = int(value)
        except ValueError:
            self._problems.append(f"{name} is {value!r}, not a whole number")
            return default
        if not minimum <= number <= maximum:
            self._problems.append(f"{name} is {number}, not between {minimum} and {maximum}")
        return number

    def flag(self, name: str) -> bool:
        """Return a switch, off unless the variable says ``true``."""
        value = self.text(name, "false").lower()
        if value not in {"true", "false"}:
            self._problems.append(f"{name} is {value!r}, not true or false")
        return value == "true"

    def log_level(self, default: str | None = None) -> str:
        """Return ``LOG_LEVEL`` in capitals; a level that Python's logging does not have is reported, as INFO."""
        level = self.text("LOG_LEVEL", default).upper()
        if level and level not in _LOG_LEVELS:
            self._problems.append(f"LOG_LEVEL is {level!r}, not one of {', '.join(_LOG_LEVELS)}")
            return "INFO"
        return level

    def document(self, name: str) -> dict[str, Any]:
        """Return a JSON object, an empty one if the variable is not set."""
        try:
            found = json.loads(self.text(name, "{}"))
        except (ValueError, RecursionError) as error:
            self._problems.append(f"{name} is not JSON: {error}")
            return {}
        if not isinstance(found, dict):
            self._problems.append(f"{name} is not a JSON object")
            return {}
        return found

    def reject(self, name: str, problem: str) -> None:
        """Note what is wrong with a variable that the caller reads in a way of its own."""
        self._problems.append(f"{name} {problem}")

    def check(self) -> None:
        """Raise :class:`SettingsError` naming every variable that was missing or wrong."""
        if self._problems:
            raise SettingsError("; ".join(self._problems))
