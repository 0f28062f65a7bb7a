"""Route handlers: each parses its request and returns a response made by another folder."""

import json
import re
from functools import cache
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from dataset_download.datasets.dataset import Dataset, open_dataset
from dataset_download.datasets.names import ID_PATTERN
from dataset_download.exceptions import QueryError
from dataset_download.pages.catalogue import list_page
from dataset_download.pages.catalogue_page import render_catalogue
from dataset_download.pages.dataset_page import View, render_dataset
from dataset_download.pages.docs_page import render_docs
from dataset_download.pages.form_fields import MARKER, read_form, write_query
from dataset_download.pages.overview import describe_columns
from dataset_download.pages.page_frame import make_tagged_response
from dataset_download.pages.samples import take_sample
from dataset_download.planning.plan import Plan, make_plan
from dataset_download.query.parameters import Query, parse_query
from dataset_download.request.caller import Caller
from dataset_download.request.problem import Problem
from dataset_download.request.resolve import choose_format, make_reading, read_pairs, split_path
from dataset_download.responses.export_status import respond_with_export_status
from dataset_download.responses.respond import DownloadRequest, respond_to_download
from dataset_download.service import Service

type Pair = tuple[str, str]


def serve_catalogue(service: Service, request: Request) -> Response:
    """``GET /``."""
    page = list_page(service.store, _read_after(request))
    return render_catalogue(request, page, service.settings.page_cache_seconds)


def serve_catalogue_data(service: Service, request: Request) -> Response:
    """``GET /datasets.json``."""
    page = list_page(service.store, _read_after(request))
    base_url = Caller.from_request(request, service.settings).base_url
    following = f"{base_url or '.'}/datasets.json?{urlencode({'after': page.following})}" if page.following else ""
    rest = f', "next": {json.dumps(following)}' if following else ""
    entries = ", ".join(entry.as_json(base_url) for entry in page.entries)
    body = f'{{"datasets": [{entries}]{rest}}}'.encode(errors="replace")
    headers = {"Cache-Control": f"public, max-age={service.settings.page_cache_seconds}"}
    return make_tagged_response(request, body, "application/json", headers)


def _read_after(request: Request) -> str:
    pairs = read_pairs(read_query_string(request))
    if unknown := [name for name, _ in pairs if name != "after"]:
        detail = f"There is no parameter {unknown[0][:100]!r} here; the only one is 'after'."
        raise Problem(HTTPStatus.BAD_REQUEST, detail)
    return pairs[-1][1] if pairs else ""


def serve_dataset(service: Service, request: Request) -> Response:
    """``GET /{dataset}.{format}`` and ``GET /{dataset}``."""
    name, extension = split_path(request.scope["path"])
    query_string = read_query_string(request)
    if extension is None:
        return _serve_page(service, request, name, read_pairs(query_string))
    download_request = DownloadRequest(
        name=name,
        format=choose_format(extension),
        pairs=read_pairs(query_string),
        query=query_string,
        headers=request.headers,
        head=request.method == "HEAD",
        caller=Caller.from_request(request, service.settings),
    )
    return respond_to_download(service, download_request)


def _serve_page(service: Service, request: Request, name: str, pairs: list[Pair]) -> Response:
    dataset = open_dataset(service.store, name)
    is_form = any(key == MARKER for key, _ in pairs)
    button, pairs = read_form(pairs) if is_form else ("", pairs)
    query, plan, fault = _try_query(service, dataset, pairs)
    if is_form and not fault:
        extension = f".{choose_format(button)}" if button else ""
        return RedirectResponse(f"./{name}{extension}{write_query(pairs)}", HTTPStatus.SEE_OTHER)
    view = View(
        dataset=dataset,
        columns=describe_columns(dataset),
        pairs=pairs,
        query=query,
        plan=plan,
        sample=take_sample(service.settings, dataset, query),
        fault=fault,
        base_url=Caller.from_request(request, service.settings).base_url,
    )
    return render_dataset(request, view, service.settings.page_cache_seconds)


def _try_query(service: Service, dataset: Dataset, pairs: list[Pair]) -> tuple[Query, Plan | None, str]:
    """Return the query with its plan, or an empty query and the error in the requested one."""
    settings = service.settings
    try:
        query = parse_query(pairs, dataset.comparison_schema, organisation_column=settings.organisation_column)
        return query, make_plan(dataset, query, make_reading(settings)), ""
    except QueryError as error:
        return Query(), None, str(error)


def serve_export(service: Service, request: Request) -> Response:
    """``GET /exports/{id}``."""
    export = request.path_params["export"]
    if not re.fullmatch(ID_PATTERN, export):
        raise Problem(HTTPStatus.NOT_FOUND, "No such export exists.")
    return respond_with_export_status(service, export, head=request.method == "HEAD")


def serve_docs(service: Service, request: Request) -> Response:
    """``GET /docs``."""
    return render_docs(request, json.loads(load_document()), service.settings.page_cache_seconds)


def serve_document(service: Service, request: Request) -> Response:
    """``GET /openapi.json``."""
    headers = {"Cache-Control": f"public, max-age={service.settings.page_cache_seconds}"}
    return make_tagged_response(request, load_document(), "application/json", headers)


@cache
def load_document() -> bytes:
    """Return the OpenAPI document as JSON."""
    return Path(__file__).with_name("openapi.json").read_bytes()


def serve_health(service: Service, request: Request) -> Response:  # noqa: ARG001  # the signature of an endpoint
    """``GET /healthz``, for the Web Adapter and load balancers; it makes no AWS calls."""
    return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


def read_query_string(request: Request) -> str:
    """Return the raw query string."""
    return bytes(request.scope["query_string"]).decode("latin-1")
