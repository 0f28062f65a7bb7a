"""A run's own files come with its event; the parameters object is read where they do not, and never written."""

import json

import pytest

from sample_files import expected_sha256
from tests.unit.csv_streamer.conftest import BUCKET, Context, Streamer

MINE, PRODUCTION = "/files/units.csv?bytes=1000", "/files/projects.csv?bytes=2000"


def test_files_of_the_event_are_fetched_and_those_of_the_parameters_are_left_alone(streamer: Streamer) -> None:
    streamer.put_parameters(PRODUCTION)
    before = streamer.s3.get_object(Bucket=BUCKET, Key="config/parameters.json")
    status, body = streamer.invoke({"file_urls": [streamer.server + MINE]})
    assert (status, [result["url"].partition("?")[0] for result in body["results"]]) == (
        200,
        [streamer.server + "/files/units.csv"],
    )
    assert streamer.sha256(body["results"][0]["s3_key"]) == expected_sha256(MINE)
    after = streamer.s3.get_object(Bucket=BUCKET, Key="config/parameters.json")
    assert (after["VersionId"], after["Body"].read()) == (before["VersionId"], before["Body"].read())
    assert body["s3_request_counts"]["get_object"] == 0


def test_event_needs_no_parameters_and_takes_all_their_settings(streamer: Streamer) -> None:
    entry = {"url": streamer.server + MINE, "name": "a.csv", "prefix": "raw/mine", "content_type": "text/x-mine"}
    _, body = streamer.invoke({"file_urls": [{**entry, "headers": {"X-A": "b"}, "expect": {"min_size": 10}}]})
    (result,) = body["results"]
    assert result["s3_key"].startswith("raw/mine/")
    assert streamer.s3.head_object(Bucket=BUCKET, Key=result["s3_key"])["ContentType"] == "text/x-mine"


@pytest.mark.parametrize("event", [{"file_urls": []}, {"file_urls": None}])
def test_event_without_files_is_not_a_run_of_the_parameters(streamer: Streamer, event: object) -> None:
    streamer.put_parameters(PRODUCTION)
    status, body = streamer.invoke(event)
    assert (status, body["code"]) == (400, "no_file_urls")
    assert streamer.named("lambda_complete")[0]["status"] == 400
    assert streamer.metrics["RunsFailed"] == 1


@pytest.mark.parametrize("event", [{"file_urls": "x"}, {"fileUrls": ["x"]}, ["x"]])
def test_wrong_event_is_refused(streamer: Streamer, event: object) -> None:
    streamer.put_parameters(PRODUCTION)
    status, body = streamer.invoke(event)
    assert (status, body["code"]) == (400, "event_invalid")
    assert streamer.named("lambda_complete")[0]["status"] == 400
    assert streamer.keys() == set()


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("LOG_LEVEL", "bogus", "LOG_LEVEL is 'BOGUS'"),
        ("PATH_PREFIX", "/", "PATH_PREFIX cannot be used"),
        ("PATH_PREFIX", "a/../b", "PATH_PREFIX cannot be used"),
        ("PATH_PREFIX", ".csv-streamer/x", "PATH_PREFIX cannot be used"),
        ("HTTP_PROXY", "socks5://u:hidden@h:1", "HTTP_PROXY is not the URL of an HTTP proxy"),
        ("CA_BUNDLE", "/no/such/file", "CA_BUNDLE is neither PEM certificates nor the path"),
        ("CA_BUNDLE", "-----BEGIN CERTIFICATE-----\nhidden\n-----END CERTIFICATE-----", "CA_BUNDLE is neither"),
        ("SUFFIX_MATCH", "anything", "SUFFIX_MATCH is 'anything'"),
        ("CONNECTIONS_PER_HOST", "0", "CONNECTIONS_PER_HOST is 0"),
    ],
)
def test_wrong_setting_is_named_once(streamer: Streamer, variable: str, value: str, reason: str) -> None:
    streamer.set(variable, value)
    streamer.put_parameters(MINE, PRODUCTION)
    status, body = streamer.invoke()
    assert (status, body["code"]) == (500, "settings_invalid")
    assert reason in body["message"]
    assert "hidden" not in json.dumps(streamer.events)
    assert streamer.named("lambda_complete")[0]["status"] == 500
    assert not streamer.named("file_error")


def test_two_runs_with_files_of_their_own_do_not_meet(streamer: Streamer) -> None:
    streamer.put_parameters(PRODUCTION)
    answers = [
        streamer.invoke({"file_urls": [streamer.server + MINE]}, Context("one")),
        streamer.invoke({}, Context("two")),
    ]
    names = [result["s3_key"].rpartition("/")[2] for _, body in answers for result in body["results"]]
    assert names == ["units.csv", "projects.csv"]
