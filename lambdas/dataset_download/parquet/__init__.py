"""The structure of Parquet files: footers, metadata, pages and ranges of column chunks.

`footer_cache` reads footers. `footer_library` and `page_library` parse with C (footer.c, page.c) before Arrow does.
"""

__all__ = ["decoded_sizes", "footer_cache", "footer_library", "key_value_metadata", "metadata", "segments"]
