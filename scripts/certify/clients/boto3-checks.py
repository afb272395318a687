"""What boto3 does with a gateway, one function a check, one line printed for each."""
import hashlib
import io
import os
import urllib.request

from botocore.exceptions import ClientError

from boto3_program import MIB, refused, s3
from program import check, run

BUCKET = os.environ["BUCKET"]
MD5_ETAGS = os.environ["ETAGS"] == "md5"
# What a store without conditional writes makes of them: the gateway refuses rather than pretends.
CONDITIONAL = os.environ["CONDITIONAL"] == "412"
# Stores that keep objects as files refuse some names that S3 allows: `//`, `..`, an object below another one.
ANY_KEYS = os.environ["KEYS"] == "any"
MARKERS = os.environ["MARKERS"] == "yes"


def etag_fits(etag, body):
    if MD5_ETAGS:
        assert etag == f'"{hashlib.md5(body).hexdigest()}"', etag
    else:
        assert etag.startswith('"') and hashlib.md5(body).hexdigest() not in etag, etag


def read(key, **more):
    return s3.get_object(Bucket=BUCKET, Key=key, **more)["Body"].read()


@check
def bucket_and_small_objects():
    listed = {}
    bodies = {"a": b"", "b/c": b"y" * 100, "ü +%&=?#": b"z", "dir/ü ~/x": b"0"}
    if ANY_KEYS:
        bodies |= {"a/": b"x", "a/b": b"y" * 100, "a//b": b"1", "..": b"2"}
    for key, body in bodies.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        assert read(key) == body
        head = s3.head_object(Bucket=BUCKET, Key=key)
        assert head["ContentLength"] == len(body)
        etag_fits(head["ETag"], body)
        listed[key] = (len(body), head["ETag"])
    found = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    for one in found:
        assert (one["Size"], one["ETag"]) == listed[one["Key"]], one
    keys = [one["Key"] for one in found]
    assert keys == sorted(keys, key=lambda key: key.encode()), keys


@check
def directory_marker():
    if not MARKERS:
        try:
            s3.put_object(Bucket=BUCKET, Key="marker/", Body=b"")
        except ClientError:
            return
        raise AssertionError("it was accepted: is it kept now?")
    s3.put_object(Bucket=BUCKET, Key="marker/", Body=b"")
    s3.put_object(Bucket=BUCKET, Key="marker/below", Body=b"1")
    assert read("marker/") == b"" and read("marker/below") == b"1"
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix="marker/")["Contents"]
    assert [(one["Key"], one["Size"]) for one in found] == [("marker/", 0), ("marker/below", 1)], found


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
def conditional_writes():
    s3.delete_object(Bucket=BUCKET, Key="condition")
    if not CONDITIONAL:
        refused("NotImplemented", s3.put_object, Bucket=BUCKET, Key="condition", Body=b"1", IfNoneMatch="*")
        refused("404", s3.head_object, Bucket=BUCKET, Key="condition")
        return
    etag = s3.put_object(Bucket=BUCKET, Key="condition", Body=b"1", IfNoneMatch="*")["ETag"]
    refused("PreconditionFailed", s3.put_object, Bucket=BUCKET, Key="condition", Body=b"2", IfNoneMatch="*")
    assert read("condition") == b"1"
    s3.put_object(Bucket=BUCKET, Key="condition", Body=b"2", IfMatch=etag)
    refused("PreconditionFailed", s3.put_object, Bucket=BUCKET, Key="condition", Body=b"3", IfMatch=etag)
    assert read("condition") == b"2"


@check
def conditional_reads():
    old = s3.put_object(Bucket=BUCKET, Key="read-if", Body=b"1")["ETag"]
    new = s3.put_object(Bucket=BUCKET, Key="read-if", Body=b"2")["ETag"]
    etag_fits(new, b"2")
    refused("PreconditionFailed", s3.get_object, Bucket=BUCKET, Key="read-if", IfMatch=old)
    assert read("read-if", IfMatch=new) == b"2"
    refused("304", s3.head_object, Bucket=BUCKET, Key="read-if", IfNoneMatch=new)


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
    # boto3 sends ASCII metadata only; RFC 2047 words are what S3 itself answers with for anything else.
    word = "=?UTF-8?B?w7xu0Y4=?="
    s3.put_object(Bucket=BUCKET, Key="word", Body=b"", Metadata={"name": word})
    assert s3.head_object(Bucket=BUCKET, Key="word")["Metadata"]["name"] in (word, "ünю")
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
    url = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "b/c"}, ExpiresIn=60)
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
    refused("NotImplemented", s3.get_object_torrent, Bucket=BUCKET, Key="a")
    refused("InvalidRange", s3.get_object, Bucket=BUCKET, Key="b/c", Range="bytes=100-")
    refused("BucketNotEmpty", s3.delete_bucket, Bucket=BUCKET)


s3.create_bucket(Bucket=BUCKET)
run()
