"""What boto3 is asked to send, for the record: the dialects in which it differs from the SDK for JavaScript."""

import io
import os

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

BUCKET = "fuzz-bucket"


def client(**more):
    config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, **more)
    return boto3.client("s3", endpoint_url=os.environ["ENDPOINT"], config=config)


def attempt(call, **arguments):
    try:
        return call(**arguments)
    except ClientError:
        return {}


s3 = client()
attempt(s3.put_object, Bucket=BUCKET, Key="python", Body=b"hello", Metadata={"a": "b"})
attempt(s3.put_object, Bucket=BUCKET, Key="stream", Body=io.BytesIO(b"x" * 9000), ChecksumAlgorithm="SHA256")
attempt(s3.get_object, Bucket=BUCKET, Key="python", Range="bytes=1-")
attempt(s3.head_object, Bucket=BUCKET, Key="python")
attempt(s3.list_objects, Bucket=BUCKET, Delimiter="/", MaxKeys=2)
attempt(s3.list_objects_v2, Bucket=BUCKET, Prefix="ü", StartAfter="a b")
attempt(s3.list_object_versions, Bucket=BUCKET)
attempt(s3.copy_object, Bucket=BUCKET, Key="copy ü", CopySource={"Bucket": BUCKET, "Key": "python +%"})
attempt(s3.delete_objects, Bucket=BUCKET, Delete={"Objects": [{"Key": "a\x01b"}, {"Key": "<&>"}]})
attempt(s3.get_bucket_cors, Bucket=BUCKET)
attempt(s3.put_bucket_tagging, Bucket=BUCKET, Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
signed = client(request_checksum_calculation="when_required", signature_version="s3v4")
attempt(signed.put_object, Bucket=BUCKET, Key="signed", Body=b"hello")
signed.upload_fileobj(io.BytesIO(b"y" * 100), BUCKET, "managed", ExtraArgs={"ContentType": "text/plain"})
