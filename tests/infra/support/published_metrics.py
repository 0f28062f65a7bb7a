"""What AWS and the functions publish, for comparison with what the Terraform looks at.

AWS's metrics are as its documentation has them: the sets of dimensions under which each is published. The functions'
are in their READMEs.
"""

import re

from tests.support.emulator import ROOT

_FUNCTION = [{"FunctionName"}]
_URL = [{"FunctionName"}, {"FunctionName", "Resource"}]
_QUEUE = [{"QueueName"}]
_API = [{"ApiId"}, {"ApiId", "Stage"}]
_TABLE = [{"TableName"}]
_CDN = [{"DistributionId", "Region"}]
_COPIES = [{"SourceBucket", "DestinationBucket", "RuleId"}]

AWS_METRICS: dict[tuple[str, str], list[set[str]]] = {
    **{("AWS/Lambda", name): _FUNCTION for name in ("Invocations", "Errors", "Throttles", "Duration")},
    ("AWS/Lambda", "ConcurrentExecutions"): _FUNCTION,
    **{("AWS/Lambda", f"Url{name}"): _URL for name in ("RequestCount", "RequestLatency", "4xxCount", "5xxCount")},
    **{("AWS/SQS", f"ApproximateNumberOfMessages{name}"): _QUEUE for name in ("Visible", "NotVisible")},
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): _QUEUE,
    **{("AWS/ApiGateway", name): _API for name in ("Count", "4xx", "5xx", "Latency", "IntegrationLatency")},
    **{("AWS/DynamoDB", f"Consumed{name}CapacityUnits"): _TABLE for name in ("Read", "Write")},
    **{("AWS/DynamoDB", f"{name}ThrottleEvents"): _TABLE for name in ("Read", "Write")},
    **{("AWS/CloudFront", name): _CDN for name in ("Requests", "4xxErrorRate", "5xxErrorRate")},
    **{
        ("AWS/S3", name): _COPIES
        for name in ("ReplicationLatency", "OperationsPendingReplication", "OperationsFailedReplication")
    },
    ("AWS/S3", "NumberOfObjects"): [{"BucketName", "StorageType"}],
}

SERVICES = {
    "csv_streamer": "csv_streamer",
    "data-aggregator": "data_aggregator",
    "dataset_download": "dataset_download",
    "xapi_etl": "xapi_etl",
}
"""Packages by what the metrics' dimension `service` says."""


def read_metrics(package: str) -> set[str]:
    """Names of the metrics that a README lists, and of the dimensions that it gives them."""
    text = (ROOT / "lambdas" / package / "README.md").read_text()
    (paragraph,) = re.findall(r"^Metrics \(.*?\n\n", text, re.MULTILINE | re.DOTALL)
    return set(re.findall(r"`(\w+)`", paragraph))
