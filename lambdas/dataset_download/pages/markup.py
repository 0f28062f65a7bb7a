"""HTML builder that escapes every text except its own markup."""

from collections.abc import Iterable
from html import escape

_VOID = frozenset({"input", "link", "meta"})


class Markup(str):
    """HTML text, created only by :func:`tag`."""

    __slots__ = ()


type Child = str | int | Iterable["Child"] | None
type Attribute = str | int | bool | None


def tag(name: str, /, *children: Child, **attributes: Attribute) -> Markup:
    """Return an element. ``class_`` becomes class, ``aria_label`` aria-label; None and False are omitted."""
    opening = "".join([name, *(_write(key, value) for key, value in attributes.items())])
    if name in _VOID:
        return Markup(f"<{opening}>")
    return Markup(f"<{opening}>{join(children)}</{name}>")


def join(children: Iterable[Child]) -> Markup:
    """Return the concatenated children; text that is not markup is escaped."""
    return Markup("".join(_render(child) for child in children))


def raw_style(css: str) -> Markup:
    """Return a style element; ``css`` is trusted and contains no end tag."""
    return Markup(f"<style>{css}</style>")


def _render(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str | int):
        return escape(str(child), quote=True)
    return join(child)


def _write(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value), quote=True)}"'
