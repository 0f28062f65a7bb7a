"""The ASGI application."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dataset_download.pages.page_frame import make_problem_page
from dataset_download.request.headers import SECURITY
from dataset_download.request.problem import Problem, explain, make_problem_response
from dataset_download.service import Service

from . import routes
from .admission import Admission


class _Anything(PathConvertor):
    """The rest of a path, line breaks included; the route reports an invalid name."""

    regex = r"[\s\S]*"


register_url_convertor("anything", _Anything())

type Endpoint = Callable[[Service, Request], Response]
type Handler = Callable[[Request], Response | Awaitable[Response]]

# The order matters: the last route matches every remaining path.
_ROUTES: tuple[tuple[str, Endpoint], ...] = (
    ("/", routes.serve_catalogue),
    ("/datasets.json", routes.serve_catalogue_data),
    ("/openapi.json", routes.serve_document),
    ("/docs", routes.serve_docs),
    ("/healthz", routes.serve_health),
    ("/exports/{export}", routes.serve_export),
    ("/{rest:anything}", routes.serve_dataset),
)


class SecurityHeaders:
    """Adds the security headers that a response does not set itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward the request."""

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, add)


def create_app(service: Service, *, limited: bool = False) -> Starlette:
    """Return the application of a service; `limited` bounds the number of concurrent requests."""
    admission = [Middleware(Admission, slots=service.settings.answers_at_once, logger=service.logger)]
    app = Starlette(
        routes=[Route(path, _guard(service, endpoint), methods=["GET", "HEAD"]) for path, endpoint in _ROUTES],
        middleware=[Middleware(SecurityHeaders), *(admission if limited else [])],
        exception_handlers={HTTPException: _answer_http_exception},
    )
    app.router.redirect_slashes = False
    return app


def _guard(service: Service, endpoint: Endpoint) -> Handler:
    """Return a handler that turns every exception into a problem document; Starlette runs it in a thread.

    The health check runs in the event loop, so that it responds even if all threads are busy.
    """
    if endpoint is routes.serve_health:

        async def respond(request: Request) -> Response:
            return routes.serve_health(service, request)

        return respond

    def handle(request: Request) -> Response:
        try:
            _check_length(service, request)
            return endpoint(service, request)
        except Exception as error:  # noqa: BLE001  # every error gets a response and is logged
            problem = explain(error)
            _log(service, request, problem, error)
            return _answer(request, problem)

    return handle


def _check_length(service: Service, request: Request) -> None:
    if len(request.scope["query_string"]) > service.settings.max_query_bytes:
        detail = f"The query string is longer than {service.settings.max_query_bytes} bytes (MAX_QUERY_BYTES)."
        raise Problem(HTTPStatus.REQUEST_URI_TOO_LONG, detail)


def _log(service: Service, request: Request, problem: Problem, error: Exception) -> None:
    fields = {"status": problem.status.value, "path": request.scope["path"][:200], "reason": problem.detail}
    if problem.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        service.logger.info("request_rejected", extra=fields)
    elif not problem.is_logged:
        service.logger.error("request_failed", extra=fields, exc_info=error)


def _answer(request: Request, problem: Problem) -> Response:
    """Return an HTML page for a browser that requested a page, else the problem document."""
    is_page = "." not in request.scope["path"] and not request.scope["path"].startswith("/exports/")
    if is_page and "text/html" in request.headers.get("accept", ""):
        return make_problem_page(request, problem)
    return make_problem_response(problem)


async def _answer_http_exception(request: Request, error: Exception) -> Response:  # noqa: ARG001  # Starlette's signature
    """Return the response to a request that the router rejects: a method other than GET and HEAD."""
    status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
    headers = error.headers if isinstance(error, HTTPException) else None
    detail = (
        "Only GET and HEAD are allowed here." if status == HTTPStatus.METHOD_NOT_ALLOWED else "There is nothing here."
    )
    return make_problem_response(Problem(HTTPStatus(status), detail, headers))
