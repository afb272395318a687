"""What boto3 does with a gateway, one function a check. `--list` names them; a name runs one."""
import hashlib
import io
import os
import sys
import urllib.request

import boto3
from botocore.client import Config
from botocore.exceptions import ClientError

MIB = 1024 * 1024
# boto3 presigns with SigV2 for custom endpoints unless it is told otherwise; Sealgate speaks SigV4, as AWS's newer regions do.
CONFIG = Config(s3={"addressing_style": "path"}, signature_version="s3v4")
s3 = boto3.client("s3", endpoint_url=os.environ["ENDPOINT"], config=CONFIG)
BUCKET = "boto3-checks"
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


def read(key, **more):
    return s3.get_object(Bucket=BUCKET, Key=key, **more)["Body"].read()


@check
def bucket_and_small_objects():
    for key, body in {"a": b"", "a/": b"x", "a/b": b"y" * 100, "ü +%&=?#": b"z", "a//b": b"1", "..": b"2"}.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        assert read(key) == body
        head = s3.head_object(Bucket=BUCKET, Key=key)
        assert head["ContentLength"] == len(body)
        assert head["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert keys == sorted(keys, key=lambda key: key.encode()), keys


@check
def transfers_in_parts_and_ranges():
    body = os.urandom(30 * MIB + 12345)
    s3.upload_fileobj(io.BytesIO(body), BUCKET, "transfer")
    out = io.BytesIO()
    s3.download_fileobj(BUCKET, "transfer", out)
    assert out.getvalue() == body
    for first, last in [(0, 0), (8 * MIB - 1, 8 * MIB), (20 * MIB, 30 * MIB), (len(body) - 5, len(body) - 1)]:
        assert read("transfer", Range=f"bytes={first}-{last}") == body[first : last + 1]
    part = s3.get_object(Bucket=BUCKET, Key="transfer", PartNumber=2)
    assert part["PartsCount"] == 4 and part["Body"].read() == body[8 * MIB : 16 * MIB]


@check
def conditions():
    s3.delete_object(Bucket=BUCKET, Key="condition")
    etag = s3.put_object(Bucket=BUCKET, Key="condition", Body=b"1", IfNoneMatch="*")["ETag"]
    refused("PreconditionFailed", s3.put_object, Bucket=BUCKET, Key="condition", Body=b"2", IfNoneMatch="*")
    s3.put_object(Bucket=BUCKET, Key="condition", Body=b"2", IfMatch=etag)
    refused("PreconditionFailed", s3.get_object, Bucket=BUCKET, Key="condition", IfMatch=etag)
    refused("304", s3.head_object, Bucket=BUCKET, Key="condition", IfNoneMatch=f'"{hashlib.md5(b"2").hexdigest()}"')


@check
def checksums():
    for algorithm in ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]:
        try:
            s3.put_object(Bucket=BUCKET, Key=algorithm, Body=b"sum", ChecksumAlgorithm=algorithm)
        except Exception as error:  # without awscrt boto3 cannot compute two of them itself
            if "awscrt" in str(error) or "Missing Dependency" in str(error):
                continue
            raise
        head = s3.head_object(Bucket=BUCKET, Key=algorithm, ChecksumMode="ENABLED")
        assert f"Checksum{algorithm}" in head, head
        assert read(algorithm, ChecksumMode="ENABLED") == b"sum"
    refused("BadDigest", s3.put_object, Bucket=BUCKET, Key="bad", Body=b"x", ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==")
    refused("404", s3.head_object, Bucket=BUCKET, Key="bad")


@check
def metadata_and_copies():
    s3.put_object(Bucket=BUCKET, Key="described", Body=b"x" * MIB, Metadata={"one": "1"}, ContentType="a/b", CacheControl="no-store")
    s3.copy_object(Bucket=BUCKET, Key="copied", CopySource={"Bucket": BUCKET, "Key": "described"})
    head = s3.head_object(Bucket=BUCKET, Key="copied")
    assert head["Metadata"] == {"one": "1"} and head["ContentType"] == "a/b" and head["CacheControl"] == "no-store"
    s3.copy_object(Bucket=BUCKET, Key="copied", CopySource={"Bucket": BUCKET, "Key": "copied"}, MetadataDirective="REPLACE", Metadata={"two": "2"})
    assert s3.head_object(Bucket=BUCKET, Key="copied")["Metadata"] == {"two": "2"}
    s3.copy({"Bucket": BUCKET, "Key": "transfer"}, BUCKET, "managed-copy")
    assert read("managed-copy") == read("transfer")


@check
def presigned():
    url = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "a/b"}, ExpiresIn=60)
    assert urllib.request.urlopen(url).read() == b"y" * 100
    put = s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": "presigned"}, ExpiresIn=60)
    urllib.request.urlopen(urllib.request.Request(put, data=b"by url", method="PUT"))
    assert read("presigned") == b"by url"


@check
def listing_and_deleting():
    for n in range(25):
        s3.put_object(Bucket=BUCKET, Key=f"many/{n % 5}/{n:03}", Body=b"")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="many/", PaginationConfig={"PageSize": 4})
    keys = [one["Key"] for page in pages for one in page["Contents"]]
    assert len(keys) == 25 and keys == sorted(keys)
    grouped = s3.list_objects_v2(Bucket=BUCKET, Prefix="many/", Delimiter="/")
    assert [one["Prefix"] for one in grouped["CommonPrefixes"]] == [f"many/{n}/" for n in range(5)]
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in keys]})
    assert s3.list_objects_v2(Bucket=BUCKET, Prefix="many/")["KeyCount"] == 0


@check
def refusals():
    refused("NoSuchKey", s3.get_object, Bucket=BUCKET, Key="none")
    refused("NoSuchBucket", s3.get_object, Bucket="no-such-bucket-here", Key="none")
    refused("NotImplemented", s3.put_bucket_versioning, Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    refused("NotImplemented", s3.put_object, Bucket=BUCKET, Key="x", Body=b"", Tagging="a=b")
    refused("BucketNotEmpty", s3.delete_bucket, Bucket=BUCKET)


if sys.argv[1] == "--list":
    print("\n".join(CHECKS))
else:
    s3.create_bucket(Bucket=BUCKET)
    CHECKS[sys.argv[1]]()
