"""The results of the bench as tables, as a picture and in dollars.

`tables` writes the Markdown; `plot` runs with the packages of the bench.
"""

__all__ = ["cost", "plot", "prices", "tables"]
