"""The HTML pages, rendered on the server without scripts, and the data that they show.

Modules named `*_page` render. `catalogue`, `overview` and `samples` collect the data.
"""

__all__ = [
    "catalogue",
    "catalogue_page",
    "dataset_page",
    "docs_page",
    "form_fields",
    "overview",
    "page_frame",
    "samples",
]
