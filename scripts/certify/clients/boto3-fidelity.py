"""What S3 has beyond objects and listings, through boto3: one function a check, one line printed for each."""
import base64
import hashlib
import json
import os
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

from boto3_program import MIB, refused, s3
from program import check, run

# What a store keeps beside objects; those that have none of it refuse, and that is not checked here.
NATIVE = os.environ["NATIVE"] == "yes"
OWN = os.environ["OWN"] == "yes"
BUCKET = os.environ["BUCKET"] + "-fidelity"
LOCKED = BUCKET + "-locked"
# MinIO's own word for a version under retention, and its own idea of what a tag is made of.
KEPT = "AccessDenied" if OWN else "InvalidRequest"
LETTER = "ü" if OWN else "u"
PART = 5 * MIB


def http(url, method="GET", headers=None, data=None):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=data, method=method, headers=headers or {})) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def put(key, body=b"x", **more):
    return s3.put_object(Bucket=BUCKET, Key=key, Body=body, **more)


def read(key, **more):
    return s3.get_object(Bucket=BUCKET, Key=key, **more)["Body"].read()


def native(function):
    return check(function) if NATIVE else function


def own(function):
    return check(function) if OWN else function


@check
def bucket():
    s3.create_bucket(Bucket=BUCKET)


def upload(key, algorithm, kind):
    created = s3.create_multipart_upload(Bucket=BUCKET, Key=key, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    parts = []
    for number, size in ((1, PART), (2, 1000)):
        part = s3.upload_part(Bucket=BUCKET, Key=key, UploadId=created["UploadId"], PartNumber=number, Body=b"p" * size, ChecksumAlgorithm=algorithm)
        field = f"Checksum{algorithm}"
        parts.append({"PartNumber": number, "ETag": part["ETag"], field: part[field]})
    return s3.complete_multipart_upload(Bucket=BUCKET, Key=key, UploadId=created["UploadId"], MultipartUpload={"Parts": parts}, ChecksumType=kind)


@check
def checksums_of_multipart_uploads_and_attributes():
    for algorithm, kind in (("CRC32", "FULL_OBJECT"), ("CRC32", "COMPOSITE"), ("SHA256", "COMPOSITE")):
        key = f"sum-{algorithm}-{kind}"
        done = upload(key, algorithm, kind)
        field = f"Checksum{algorithm}"
        assert done["ChecksumType"] == kind and done[field].endswith("-2") == (kind == "COMPOSITE"), done
        wanted = ["ETag", "Checksum", "ObjectParts", "ObjectSize", "StorageClass"]
        found = s3.get_object_attributes(Bucket=BUCKET, Key=key, ObjectAttributes=wanted)
        assert found["ObjectSize"] == PART + 1000 and found["Checksum"]["ChecksumType"] == kind, found
        assert found["ObjectParts"]["TotalPartsCount"] == 2, found
        second = s3.get_object(Bucket=BUCKET, Key=key, PartNumber=2)
        assert second["ContentLength"] == 1000 and second["PartsCount"] == 2, second
    refused("BadDigest", put, key="bad", body=b"x", ChecksumSHA256=base64.b64encode(bytes(32)).decode())


@check
def encryption_as_clients_ask_for_it():
    assert put("sse-s3", ServerSideEncryption="AES256")["ServerSideEncryption"] == "AES256"
    assert s3.head_object(Bucket=BUCKET, Key="sse-s3")["ServerSideEncryption"] == "AES256"
    error = refused("KMS.NotFoundException", put, key="sse-kms", ServerSideEncryption="aws:kms", SSEKMSKeyId="alias/nobody")
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    s3.put_bucket_encryption(
        Bucket=BUCKET,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]},
    )
    rules = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256", rules
    assert put("by-default")["ServerSideEncryption"] == "AES256"
    s3.delete_bucket_encryption(Bucket=BUCKET)


@check
def keys_of_customers():
    key, other = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"k" * 32}, {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"o" * 32}
    body = os.urandom(200_000)
    put("sse-c", body, **key)
    assert read("sse-c", **key) == body and read("sse-c", Range="bytes=70000-70009", **key) == body[70000:70010]
    refused("InvalidRequest", s3.get_object, Bucket=BUCKET, Key="sse-c")
    refused("403", s3.head_object, Bucket=BUCKET, Key="sse-c", **other)
    source = {f"CopySource{name}": value for name, value in key.items()}
    s3.copy_object(Bucket=BUCKET, Key="sse-c-copy", CopySource={"Bucket": BUCKET, "Key": "sse-c"}, **source, **other)
    assert read("sse-c-copy", **other) == body
    created = s3.create_multipart_upload(Bucket=BUCKET, Key="sse-c-parts", **key)
    part = s3.upload_part(Bucket=BUCKET, Key="sse-c-parts", UploadId=created["UploadId"], PartNumber=1, Body=body, **key)
    s3.complete_multipart_upload(
        Bucket=BUCKET, Key="sse-c-parts", UploadId=created["UploadId"], MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}, **key
    )
    assert read("sse-c-parts", **key) == body
    # Nobody without the keys can read them, not even who looks for plaintext at the end.
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": one} for one in ("sse-c", "sse-c-copy", "sse-c-parts")]})


@check
def presigned_with_overrides_and_forms():
    put("folder/über uns.txt", b"presigned")
    parameters = {"Bucket": BUCKET, "Key": "folder/über uns.txt", "ResponseContentDisposition": 'attachment; filename="a b"', "ResponseContentType": "text/x-own"}
    status, headers, body = http(s3.generate_presigned_url("get_object", Params=parameters, ExpiresIn=60))
    assert (status, body) == (200, b"presigned") and headers["Content-Type"] == "text/x-own", (status, body)
    assert headers["Content-Disposition"] == 'attachment; filename="a b"'
    status, _, body = http(s3.generate_presigned_url("delete_object", Params={"Bucket": BUCKET, "Key": "folder/über uns.txt"}), "DELETE")
    assert status == 204, body
    for length, want in ((10, 204), (101, 400)):
        form = s3.generate_presigned_post(BUCKET, "form/${filename}", Conditions=[["starts-with", "$key", "form/"], ["content-length-range", 1, 100]])
        boundary = "sealgate-form"
        lines = [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in form["fields"].items()]
        lines.append(f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="n{length}"\r\n\r\n{"f" * length}\r\n--{boundary}--\r\n')
        status, _, body = http(form["url"], "POST", {"content-type": f"multipart/form-data; boundary={boundary}"}, "".join(lines).encode())
        assert status == want and (want == 204 or b"EntityTooLarge" in body), (status, body)
    assert read("form/n10") == b"f" * 10


@check
def cross_origin_requests():
    rule = {"AllowedOrigins": ["https://app.example"], "AllowedMethods": ["GET", "PUT"], "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 60}
    s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [rule]})
    assert s3.get_bucket_cors(Bucket=BUCKET)["CORSRules"] == [rule]
    url = f"{os.environ['ENDPOINT']}/{BUCKET}/any"
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"}
    status, headers, _ = http(url, "OPTIONS", asked)
    assert status == 200 and headers["Access-Control-Allow-Origin"] == "https://app.example", headers
    assert http(url, "OPTIONS", {**asked, "Origin": "https://other.example"})[0] == 403
    s3.delete_bucket_cors(Bucket=BUCKET)


@check
def strangers_and_refusals():
    status, headers, body = http(f"{os.environ['ENDPOINT']}/{BUCKET}/sse-s3")
    assert status == 403 and b"<Code>AccessDenied</Code>" in body, body
    assert headers["x-amz-request-id"].encode() in body and b"HostId" in body
    assert http(f"{os.environ['ENDPOINT']}/{BUCKET}/sse-s3", "HEAD")[2] == b""
    refused("NotImplemented", s3.select_object_content, Bucket=BUCKET, Key="sse-s3", Expression="select 1", ExpressionType="SQL", InputSerialization={"CSV": {}}, OutputSerialization={"CSV": {}})
    # Tokens are the store's: Garage has another word for one that it never gave out.
    if NATIVE:
        refused("InvalidArgument", s3.list_objects_v2, Bucket=BUCKET, ContinuationToken="never given out")


@check
def odd_keys_in_listings():
    keys = ["list/a b+c", "list/ü/1", "list/\u0001", "list/z&<>\"'", "list/%41"]
    # XML has no way to write it, and MinIO's own listings are broken by it.
    if not OWN:
        keys.remove("list/\u0001")
    for key in keys:
        put(key)
    found = [one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET, Prefix="list/")["Contents"]]
    assert found == sorted(keys, key=lambda key: key.encode()), found
    page = s3.list_objects(Bucket=BUCKET, Prefix="list/", Delimiter="/", Marker="list/a b+c", MaxKeys=1)
    assert page["IsTruncated"] and len(page.get("Contents", [])) + len(page.get("CommonPrefixes", [])) == 1, page
    after = s3.list_objects_v2(Bucket=BUCKET, Prefix="list/", StartAfter="list/z")["Contents"]
    assert [one["Key"] for one in after] == ["list/z&<>\"'", "list/ü/1"], after


@native
def versions():
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    first, second = put("versioned", b"1")["VersionId"], put("versioned", b"22")["VersionId"]
    marker = s3.delete_object(Bucket=BUCKET, Key="versioned")
    assert marker["DeleteMarker"] is True
    refused("NoSuchKey", s3.get_object, Bucket=BUCKET, Key="versioned")
    assert read("versioned", VersionId=first) == b"1"
    listed = s3.list_object_versions(Bucket=BUCKET, Prefix="versioned")
    assert [(one["VersionId"], one["Size"], one["IsLatest"]) for one in listed["Versions"]] == [(second, 2, False), (first, 1, False)], listed
    assert [one["VersionId"] for one in listed["DeleteMarkers"]] == [marker["VersionId"]], listed
    s3.delete_object(Bucket=BUCKET, Key="versioned", VersionId=marker["VersionId"])
    assert read("versioned") == b"22"
    copied = s3.copy_object(Bucket=BUCKET, Key="restored", CopySource={"Bucket": BUCKET, "Key": "versioned", "VersionId": first})
    assert copied["CopySourceVersionId"] == first and read("restored") == b"1"
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    put("versioned", b"333")
    latest = s3.list_object_versions(Bucket=BUCKET, Prefix="versioned")["Versions"][0]
    assert latest["VersionId"] == "null" and latest["IsLatest"], latest


@native
def tags():
    put("tagged", Tagging=f"a=1&b={quote(LETTER)}")
    assert s3.head_object(Bucket=BUCKET, Key="tagged").get("TagCount", 2) == 2
    assert s3.get_object_tagging(Bucket=BUCKET, Key="tagged")["TagSet"] == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": LETTER}]
    s3.put_object_tagging(Bucket=BUCKET, Key="tagged", Tagging={"TagSet": [{"Key": "c", "Value": "3"}]})
    s3.copy_object(Bucket=BUCKET, Key="tagged-copy", CopySource={"Bucket": BUCKET, "Key": "tagged"})
    assert s3.get_object_tagging(Bucket=BUCKET, Key="tagged-copy")["TagSet"] == [{"Key": "c", "Value": "3"}]
    s3.delete_object_tagging(Bucket=BUCKET, Key="tagged")
    assert s3.get_object_tagging(Bucket=BUCKET, Key="tagged")["TagSet"] == []
    refused("InvalidTag", s3.put_object_tagging, Bucket=BUCKET, Key="tagged", Tagging={"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]})
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": [{"Key": "team", "Value": "backup"}]})
    assert s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"] == [{"Key": "team", "Value": "backup"}]


@native
def object_lock():
    s3.create_bucket(Bucket=LOCKED, ObjectLockEnabledForBucket=True)
    assert s3.get_object_lock_configuration(Bucket=LOCKED)["ObjectLockConfiguration"]["ObjectLockEnabled"] == "Enabled"
    until = datetime.now(timezone.utc) + timedelta(days=1)
    version = s3.put_object(Bucket=LOCKED, Key="kept", Body=b"1", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until)["VersionId"]
    refused(KEPT, s3.delete_object, Bucket=LOCKED, Key="kept", VersionId=version)
    found = s3.get_object_retention(Bucket=LOCKED, Key="kept", VersionId=version)["Retention"]
    assert found["Mode"] == "GOVERNANCE" and abs((found["RetainUntilDate"] - until).total_seconds()) < 2, found
    s3.put_object_legal_hold(Bucket=LOCKED, Key="kept", VersionId=version, LegalHold={"Status": "ON"})
    assert s3.get_object_legal_hold(Bucket=LOCKED, Key="kept")["LegalHold"]["Status"] == "ON"
    refused(KEPT, s3.delete_object, Bucket=LOCKED, Key="kept", VersionId=version, BypassGovernanceRetention=True)
    s3.put_object_legal_hold(Bucket=LOCKED, Key="kept", VersionId=version, LegalHold={"Status": "OFF"})
    s3.delete_object(Bucket=LOCKED, Key="kept", VersionId=version, BypassGovernanceRetention=True)
    assert "Versions" not in s3.list_object_versions(Bucket=LOCKED)


@own
def access_lists_and_configurations():
    s3.put_bucket_ownership_controls(Bucket=BUCKET, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    # New buckets block public access.
    s3.delete_public_access_block(Bucket=BUCKET)
    put("listed", ACL="public-read")
    grants = s3.get_object_acl(Bucket=BUCKET, Key="listed")["Grants"]
    assert any(one["Grantee"].get("URI", "").endswith("AllUsers") and one["Permission"] == "READ" for one in grants), grants
    block = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}
    s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=block)
    assert s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"] == block
    refused("AccessDenied", put, key="listed", ACL="public-read")
    rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 7}}
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [rule]})
    assert s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"] == [rule]
    refused("MalformedXML", s3.put_bucket_lifecycle_configuration, Bucket=BUCKET, LifecycleConfiguration={"Rules": [{**rule, "Status": "Perhaps"}]})
    s3.put_bucket_request_payment(Bucket=BUCKET, RequestPaymentConfiguration={"Payer": "BucketOwner"})
    s3.put_bucket_accelerate_configuration(Bucket=BUCKET, AccelerateConfiguration={"Status": "Suspended"})
    assert s3.get_bucket_accelerate_configuration(Bucket=BUCKET)["Status"] == "Suspended"
    refused("NotImplemented", s3.put_bucket_policy, Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": []}))


@check
def conditions():
    etag = put("condition", b"1")["ETag"]
    refused("PreconditionFailed", s3.get_object, Bucket=BUCKET, Key="condition", IfMatch='"other"')
    source = {"Bucket": BUCKET, "Key": "condition"}
    refused("PreconditionFailed", s3.copy_object, Bucket=BUCKET, Key="copy", CopySource=source, CopySourceIfNoneMatch=etag)
    s3.copy_object(Bucket=BUCKET, Key="copy", CopySource=source, CopySourceIfMatch=etag)
    if OWN:
        refused("PreconditionFailed", s3.delete_object, Bucket=BUCKET, Key="condition", IfMatch='"other"')
        s3.delete_object(Bucket=BUCKET, Key="condition", IfMatch=etag)


run()
