"""Formatting of sizes and rates for people."""

_STEP = 1000


def describe_bytes(count: float) -> str:
    """Return a size in bytes as ``12.3 MB`` (decimal units)."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < _STEP:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= _STEP
    return f"{size:.1f} TB"


def describe_rate(count: float, seconds: float) -> str:
    """Return bytes over seconds as ``12.3 MB/s``."""
    return f"{describe_bytes(count / seconds)}/s" if seconds > 0 else "-"
