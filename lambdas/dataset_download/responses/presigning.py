"""Redirects to presigned URLs of S3 objects."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from dataset_download.request.headers import attach
from dataset_download.request.resolve import ResolvedRequest
from dataset_download.service import Service

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from dataset_download.schemas import ExportStatus


def presign_dataset(service: Service, resolved: ResolvedRequest, *, head: bool) -> str:
    """Return a presigned URL of the dataset's only object."""
    headers = {
        "ResponseContentDisposition": attach(resolved.filename),
        "ResponseContentType": resolved.format.media_type,
    }
    location = {"Bucket": service.store.bucket, "Key": resolved.dataset.files[0].key}
    return _presign(service.store.client, {**location, **headers}, service.settings.presign_ttl_seconds, head=head)


def presign_export(service: Service, bucket: str, status: ExportStatus, *, head: bool) -> str:
    """Return a presigned URL of a finished export."""
    location = {"Bucket": bucket, "Key": status.key}
    return _presign(service.store.client, location, service.settings.presign_ttl_seconds, head=head)


def _presign(client: S3Client, parameters: Mapping[str, Any], seconds: int, *, head: bool) -> str:
    # A signature is valid for one method, and a client follows the redirect of a HEAD with a HEAD.
    return client.generate_presigned_url(
        "head_object" if head else "get_object", Params=dict(parameters), ExpiresIn=seconds
    )


def redirect(status: HTTPStatus, location: str, headers: Mapping[str, str]) -> Response:
    """Return a redirect that must not be cached, since its URL expires."""
    kept = {name: headers[name] for name in ("ETag", "X-Dataset", "X-Row-Count") if name in headers}
    return Response(status_code=status, headers={**kept, "Location": location, "Cache-Control": "no-store"})
