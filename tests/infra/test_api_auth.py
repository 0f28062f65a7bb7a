"""Who may call: the HTTP API's three ways of authorization and a Function URL's, on an emulator that enforces them.

The Terraform modules make the APIs. A token that is right is accepted in AWS only: without the package cryptography the
emulator verifies no signature, and refuses every token.
"""

import json
import shutil
import subprocess
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from tests.infra.support.run_terraform import prepare_terraform
from tests.infra.test_deployment import AT_ONCE, write_zip
from tests.support.emulator import ROOT, run_emulator

HANDLER = """
def lambda_handler(event, context):
    return {"statusCode": 200, "body": event["rawPath"]}
"""
CONFIGURATION = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "endpoint" { type = string }
variable "package" { type = string }

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  endpoints {
    apigatewayv2 = var.endpoint
    cloudwatch   = var.endpoint
    iam          = var.endpoint
    lambda       = var.endpoint
    logs         = var.endpoint
    sts          = var.endpoint
  }
}

module "function" {
  for_each         = toset(["NONE", "AWS_IAM", "JWT"])
  source           = "../modules/lambda"
  name             = "guarded-${lower(each.key)}"
  description      = "Answers whoever gets through"
  handler          = "app.lambda_handler"
  package_path     = var.package
  policy_documents = []
  common           = { alarms_enabled = false }
}

module "api" {
  for_each       = toset(["NONE", "AWS_IAM", "JWT"])
  source         = "../modules/http_api"
  name           = "guarded-${lower(each.key)}"
  description    = "Guarded by ${each.key}"
  functions      = { one = module.function[each.key] }
  routes         = { "$default" = "one" }
  auth           = each.key
  jwt            = each.key == "JWT" ? { issuer = "https://issuer.invalid", audience = ["things"] } : null
  common         = { alarms_enabled = false }
}

resource "aws_lambda_function_url" "guarded" {
  function_name      = module.function["NONE"].name
  authorization_type = "AWS_IAM"
}

output "addresses" {
  value = merge(
    { for auth, api in module.api : auth => api.endpoint },
    { URL = aws_lambda_function_url.guarded.function_url },
  )
}
"""


@dataclass(frozen=True)
class Guarded:
    """The addresses by authorization; ``URL`` is the Function URL."""

    endpoint: str
    addresses: dict[str, str]

    def call(self, auth: str, *options: str) -> int:
        """Return the status that curl gets."""
        # The emulator's Function URLs are AWS's, but for the end.
        place = urlsplit(self.addresses[auth].replace(".on.aws", ".localhost"))
        port = urlsplit(self.endpoint).port
        command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--connect-to", f"::127.0.0.1:{port}"]
        url = f"http://{place.hostname}:{port}/things"
        done = subprocess.run([*command, *options, url], capture_output=True, text=True, check=True, timeout=60)
        return int(done.stdout)


def make_client(endpoint: str, service: str) -> Any:
    credentials = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    return boto3.client(service, endpoint_url=endpoint, **credentials)  # type: ignore[call-overload]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    shutil.copytree(ROOT / "infra/modules", folder / "modules")
    (folder / "root").mkdir()
    (folder / "root/main.tf").write_text(CONFIGURATION)
    shutil.copy(ROOT / "infra/.terraform.lock.hcl", folder / "root")
    write_zip(folder / "app.zip", {"app.py": HANDLER})
    with run_emulator(tmp_path_factory.mktemp("ministack"), enforce_iam=True) as endpoint:
        values = {"endpoint": endpoint, "package": str(folder / "app.zip")}
        run = prepare_terraform(folder / "root")
        options = [f"-var={name}={value}" for name, value in values.items()]
        applied = run("apply", "-auto-approve", AT_ONCE, "-input=false", "-no-color", *options)
        assert applied.returncode == 0, applied.stderr
        addresses = json.loads(run("output", "-json").stdout)["addresses"]["value"]
        yield Guarded(endpoint, addresses)


def sign(user: str, service: str) -> list[str]:
    return ["--aws-sigv4", f"aws:amz:us-east-1:{service}", "--user", user]


def make_user(endpoint: str, name: str, *statements: dict[str, str]) -> str:
    """Return a new user's key and secret as curl takes them."""
    iam = make_client(endpoint, "iam")
    iam.create_user(UserName=name)
    if statements:
        document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        iam.put_user_policy(UserName=name, PolicyName="calls", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return f"{key['AccessKeyId']}:{key['SecretAccessKey']}"


def test_open_api_answers_anybody(guarded: Guarded) -> None:
    assert guarded.call("NONE") == 200


@pytest.mark.parametrize(
    ("auth", "service", "action"),
    [("AWS_IAM", "execute-api", "execute-api:Invoke"), ("URL", "lambda", "lambda:InvokeFunctionUrl")],
)
def test_signed_requests_of_those_who_may_are_answered(guarded: Guarded, auth: str, service: str, action: str) -> None:
    permissions = [{"Effect": "Allow", "Action": one, "Resource": "*"} for one in (action, "lambda:InvokeFunction")]
    allowed = make_user(guarded.endpoint, f"allowed-{service}", *permissions)
    stranger = make_user(guarded.endpoint, f"stranger-{service}")
    assert guarded.call(auth) == 403
    assert guarded.call(auth, *sign(stranger, service)) == 403
    assert guarded.call(auth, *sign(f"{allowed.partition(':')[0]}:wrong", service)) == 403
    assert guarded.call(auth, *sign(allowed, service)) == 200


def encode(part: dict[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("signature", ["", "none", "c2lnbmVk"])
def test_requests_without_a_valid_token_are_refused(guarded: Guarded, signature: str) -> None:
    head, body = {"alg": "RS256", "kid": "one"}, {"iss": "https://issuer.invalid", "aud": "things", "exp": 2**31}
    token = f"{encode(head)}.{encode(body)}.{signature}"
    assert guarded.call("JWT") == 401
    assert guarded.call("JWT", "-H", f"Authorization: Bearer {token}") == 401
