"""Steps of the ZIP job scripts: sample PDFs, uploads, the request, the job's responses, the check of the archive.

The shell scripts run these modules with `run_python`. No other folder imports them.
"""

__all__ = [
    "assign_owners",
    "bulk_upload",
    "check_archive",
    "delete_object",
    "generate_pdfs",
    "job_response",
    "pdf_documents",
    "request_body",
    "roundtrip_report",
]
