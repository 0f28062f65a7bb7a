"""The machinery that all cases share: contenders and rounds, processes and their measurements, ratios.

`comparison` runs a case; `processes` runs servers and commands.
"""

__all__ = ["comparison", "processes", "ratios"]
