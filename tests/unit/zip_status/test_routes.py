from typing import Any

import pytest

from tests.unit.api_document import Event, load_event
from tests.unit.zip_status.conftest import JOB_ID, Context, Service
from zip_status import app


def send_unrouted(service: Service, path: str, stage: str = "$default") -> tuple[int, str | None]:
    event: Event = load_event("no_route") | {"rawPath": path}
    event["requestContext"]["stage"] = stage
    answer = service.send(event)
    return answer.status, answer.headers.get("allow")


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/zip-jobs", "GET, HEAD, POST"),
        (f"/zip-jobs/{JOB_ID}", "DELETE, GET, HEAD"),
        ("/zip-jobs/x", "DELETE, GET, HEAD"),
    ],
)
def test_a_known_path_by_another_method_tells_the_methods(service: Service, path: str, allow: str) -> None:
    assert send_unrouted(service, path) == (405, allow)


def test_a_stage_in_the_path_is_looked_past(service: Service) -> None:
    assert send_unrouted(service, "/dev/zip-jobs", stage="dev") == (405, "GET, HEAD, POST")


@pytest.mark.parametrize("path", ["/", "", "/zip-job", "/zip-jobs/", "/zip-jobs/a/b", "/ZIP-JOBS", "/é", "/zip-jobs\n"])
def test_an_unknown_path_is_not_found(service: Service, path: str) -> None:
    assert send_unrouted(service, path) == (404, None)


@pytest.mark.parametrize("event", [{}, {"routeKey": "$default"}, {"routeKey": "GET /elsewhere", "rawPath": "/x"}])
def test_an_event_of_no_route_is_not_found(service: Service, event: Event) -> None:
    assert service.send({"routeKey": "$default"} | event | {"routeKey": "$default"}).status == 404


@pytest.mark.parametrize("stage", ["$default", "dev"])
def test_a_head_is_answered_as_a_get_without_a_body(service: Service, stage: str) -> None:
    service.put_job()
    base = "" if stage == "$default" else f"/{stage}"
    answers = [send_head(f"{base}{path}", stage) for path in ("/zip-jobs", f"/zip-jobs/{JOB_ID}", "/zip-jobs/x")]
    assert [answer["statusCode"] for answer in answers] == [200, 200, 404]
    assert [answer["body"] for answer in answers] == [""] * 3
    assert answers[1]["headers"]["retry-after"] == "2"


def send_head(path: str, stage: str) -> dict[str, Any]:
    event: Event = load_event("no_route") | {"rawPath": path}
    event["requestContext"]["stage"] = stage
    event["requestContext"]["http"]["method"] = "HEAD"
    return app.lambda_handler(event, Context())
