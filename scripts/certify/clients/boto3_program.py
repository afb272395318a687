"""What every program for boto3 here begins and ends with: the client, checks that print a line each, and expected refusals."""
import os
import time

import boto3
from botocore.client import Config
from botocore.exceptions import ClientError

MIB = 1024 * 1024
# boto3 presigns with SigV2 for custom endpoints unless it is told otherwise; Sealgate speaks SigV4, as AWS's newer regions do.
CONFIG = Config(s3={"addressing_style": "path"}, signature_version="s3v4")
s3 = boto3.client("s3", endpoint_url=os.environ["ENDPOINT"], config=CONFIG)
CHECKS = {}


def check(function):
    CHECKS[function.__name__] = function
    return function


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error
    raise AssertionError(f"expected {code}")


def run():
    for name, function in CHECKS.items():
        started = time.monotonic()
        try:
            function()
            verdict, detail = "ok", ""
        except Exception as error:
            verdict, detail = "FAIL", f"{type(error).__name__}: {error}".replace("\n", " ").replace("\t", " ")[:1500]
        print(verdict, f"{time.monotonic() - started:.3f}", name.replace("_", " "), detail, sep="\t", flush=True)
