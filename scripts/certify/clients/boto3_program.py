"""What every program for boto3 here begins with: the client, and refusals that are expected of it."""
import os

import boto3
from botocore.client import Config
from botocore.exceptions import ClientError

MIB = 1024 * 1024
# boto3 presigns with SigV2 for custom endpoints unless it is told otherwise; Sealgate speaks SigV4, as AWS's newer regions do.
CONFIG = Config(s3={"addressing_style": "path"}, signature_version="s3v4")
s3 = boto3.client("s3", endpoint_url=os.environ["ENDPOINT"], config=CONFIG)


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error
    raise AssertionError(f"expected {code}")
