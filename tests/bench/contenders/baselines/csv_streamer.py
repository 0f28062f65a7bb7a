"""The reference algorithm of the CSV streamer: one connection a file, each part's upload awaited before reading on."""

import asyncio
import json
import os
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import boto3
from botocore.config import Config

_CONFIG_KEY = "config/parameters.json"
_KIB = 1024
_MIB = 1024 * 1024


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Stream all files that the config names."""
    client = boto3.client("s3", config=Config(s3={"addressing_style": "path"}))
    bucket = os.environ["BUCKET_NAME"]
    urls = json.load(client.get_object(Bucket=bucket, Key=_CONFIG_KEY)["Body"])["file_urls"]
    return {"results": asyncio.run(_stream_all(client, bucket, urls))}


async def _stream_all(client: Any, bucket: str, urls: list[str]) -> list[dict[str, Any]]:
    limit = asyncio.Semaphore(int(os.environ.get("CONCURRENCY", "2")))
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:

        async def stream(url: str) -> dict[str, Any]:
            async with limit:
                return await _stream_one(client, session, bucket, url)

        return list(await asyncio.gather(*map(stream, urls)))


async def _stream_one(client: Any, session: aiohttp.ClientSession, bucket: str, url: str) -> dict[str, Any]:
    part_size = int(os.environ.get("S3_PART_MB", "50")) * _MIB
    chunk_size = int(os.environ.get("HTTP_CHUNK_KB", "1024")) * _KIB
    day = datetime.now(UTC).strftime("%Y/%m/%d")
    where = {"Bucket": bucket, "Key": f"raw/{day}/{urlsplit(url).path.rpartition('/')[2]}"}
    created = await asyncio.to_thread(client.create_multipart_upload, **where, ContentType="text/csv")
    where_parts = where | {"UploadId": created["UploadId"]}
    parts: list[dict[str, Any]] = []
    buffer = bytearray()

    async def upload() -> None:
        number = len(parts) + 1
        done = await asyncio.to_thread(client.upload_part, **where_parts, PartNumber=number, Body=bytes(buffer))
        parts.append({"PartNumber": number, "ETag": done["ETag"]})
        buffer.clear()

    async with session.get(url) as answer:
        answer.raise_for_status()
        async for chunk in answer.content.iter_chunked(chunk_size):
            buffer.extend(chunk)
            if len(buffer) >= part_size:
                await upload()
    if buffer:
        await upload()
    if not parts:
        await asyncio.to_thread(client.abort_multipart_upload, **where_parts)
        await asyncio.to_thread(client.put_object, **where, Body=b"")
    else:
        await asyncio.to_thread(client.complete_multipart_upload, **where_parts, MultipartUpload={"Parts": parts})
    return {"url": url, "s3_key": where["Key"], "parts": len(parts), "status": "success"}
