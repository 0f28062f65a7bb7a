"""The HTML page of the API documentation, rendered from the OpenAPI document."""

from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from .markup import Markup, tag
from .page_frame import make_page_response, show_table

type Json = dict[str, Any]


def render_docs(request: Request, document: Json, seconds: int) -> Response:
    """Return the response with the documentation page."""
    title = str(document["info"]["title"])
    children = [
        tag("h1", title),
        _show_text(document["info"].get("description", "")),
        tag("p", "The same for programs: ", tag("a", "openapi.json", href="./openapi.json"), "."),
        *_show_operations(document),
    ]
    return make_page_response(request, title, children, seconds)


def _show_operations(document: Json) -> Iterator[Markup]:
    for path, item in document["paths"].items():
        shared = item.get("parameters", [])
        for method in ("get", "head"):
            if method in item and (method == "get" or "get" not in item):
                operation = item[method]
                yield tag("h2", tag("code", f"{'GET, HEAD' if 'head' in item else method.upper()} {path}"))
                yield _show_text(f"{operation['summary']}. {operation.get('description', '')}")
                parameters = [
                    _resolve(document, parameter) for parameter in [*shared, *operation.get("parameters", [])]
                ]
                if parameters:
                    heads = ("Parameter", "In", "Meaning")
                    yield show_table("Parameters", heads, map(_show_parameter, parameters))
                responses = operation["responses"].items()
                rows = [(code, _resolve(document, response)) for code, response in responses]
                yield show_table("Answers", ("Status", "When", "Type"), (_show_response(*row) for row in rows))


def _show_parameter(parameter: Json) -> list[Markup]:
    required = ", required" if parameter.get("required") else ""
    return [
        tag("th", tag("code", parameter["name"]), scope="row"),
        tag("td", f"{parameter['in']}{required}"),
        tag("td", _strip(parameter.get("description", "")), class_="text"),
    ]


def _show_response(code: str, response: Json) -> list[Markup]:
    types = ", ".join(response.get("content", {}))
    return [tag("th", code, scope="row"), tag("td", _strip(response["description"]), class_="text"), tag("td", types)]


def _show_text(text: str) -> Markup:
    paragraphs = [_strip(part) for part in text.split("\n\n")]
    return tag("div", [tag("p", part) for part in paragraphs if part])


def _strip(text: str) -> str:
    return text.strip().replace("`", "")


def _resolve(document: Json, node: Json) -> Json:
    if "$ref" not in node:
        return node
    found: Any = document
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)
