"""Programs that the cases time, each in its own process.

The services themselves run through `invoke` and the other modules here; `baselines` holds
the reference algorithms, `peers` other tools.
"""

__all__ = ["baselines", "compress_file", "convert_statements", "download_dataset", "invoke", "pack_documents", "peers"]
