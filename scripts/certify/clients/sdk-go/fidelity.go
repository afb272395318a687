package main

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// What S3 has beyond objects and listings.
var (
	beside = aws.String(os.Getenv("BUCKET") + "-fidelity")
	locked = aws.String(os.Getenv("BUCKET") + "-locked")
	native = os.Getenv("NATIVE") == "yes"
	own    = os.Getenv("OWN") == "yes"
)

func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return fmt.Sprint(err)
}

func expect(want string, err error) error {
	if got := codeOf(err); got != want {
		return fmt.Errorf("expected %s, got %s", want, got)
	}
	return nil
}

func attributes() error {
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: beside}); err != nil {
		return err
	}
	in := &s3.PutObjectInput{Bucket: beside, Key: aws.String("sum"), Body: strings.NewReader("sum"), ChecksumAlgorithm: types.ChecksumAlgorithmSha256}
	put, err := client.PutObject(ctx, in)
	if err != nil {
		return err
	}
	found, err := client.GetObjectAttributes(ctx, &s3.GetObjectAttributesInput{Bucket: beside, Key: in.Key, ObjectAttributes: []types.ObjectAttributes{
		types.ObjectAttributesChecksum, types.ObjectAttributesObjectSize, types.ObjectAttributesEtag}})
	if err != nil {
		return err
	}
	if *found.ObjectSize != 3 || *found.Checksum.ChecksumSHA256 != *put.ChecksumSHA256 || `"`+*found.ETag+`"` != *put.ETag {
		return fmt.Errorf("%+v", found)
	}
	in = &s3.PutObjectInput{Bucket: beside, Key: aws.String("bad"), Body: strings.NewReader("x"), ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(make([]byte, 32)))}
	_, err = client.PutObject(ctx, in)
	return expect("BadDigest", err)
}

func customerKeys() error {
	key := bytes.Repeat([]byte("k"), 32)
	sum := md5.Sum(key)
	algorithm, text, digest := aws.String("AES256"), aws.String(base64.StdEncoding.EncodeToString(key)), aws.String(base64.StdEncoding.EncodeToString(sum[:]))
	name := aws.String("sse-c")
	if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: beside, Key: name, Body: strings.NewReader("hidden"), SSECustomerAlgorithm: algorithm, SSECustomerKey: text, SSECustomerKeyMD5: digest}); err != nil {
		return err
	}
	out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: beside, Key: name, SSECustomerAlgorithm: algorithm, SSECustomerKey: text, SSECustomerKeyMD5: digest})
	if err != nil {
		return err
	}
	if got, err := io.ReadAll(out.Body); err != nil || string(got) != "hidden" {
		return fmt.Errorf("%q %w", got, err)
	}
	_, err = client.GetObject(ctx, &s3.GetObjectInput{Bucket: beside, Key: name})
	if err := expect("InvalidRequest", err); err != nil {
		return err
	}
	// Nobody without the key can read it, not even who looks for plaintext at the end.
	_, err = client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: beside, Key: name})
	return err
}

func overrides() error {
	in := &s3.GetObjectInput{Bucket: beside, Key: aws.String("sum"), ResponseContentType: aws.String("text/x-own")}
	signed, err := s3.NewPresignClient(client).PresignGetObject(ctx, in)
	if err != nil {
		return err
	}
	answer, err := http.Get(signed.URL)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if got := answer.Header.Get("Content-Type"); got != "text/x-own" || answer.StatusCode != 200 {
		return fmt.Errorf("status %d, %s", answer.StatusCode, got)
	}
	_, err = client.PutObject(ctx, &s3.PutObjectInput{Bucket: beside, Key: aws.String("kms"), Body: strings.NewReader("x"), ServerSideEncryption: types.ServerSideEncryptionAwsKms, SSEKMSKeyId: aws.String("alias/nobody")})
	return expect("KMS.NotFoundException", err)
}

func versionsAndTags() error {
	on := &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}
	if _, err := client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: beside, VersioningConfiguration: on}); err != nil {
		return err
	}
	key := aws.String("versioned")
	first, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: beside, Key: key, Body: strings.NewReader("1"), Tagging: aws.String("a=1")})
	if err != nil {
		return err
	}
	if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: beside, Key: key, Body: strings.NewReader("22")}); err != nil {
		return err
	}
	if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: beside, Key: key}); err != nil {
		return err
	}
	out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: beside, Key: key, VersionId: first.VersionId})
	if err != nil {
		return err
	}
	if got, err := io.ReadAll(out.Body); err != nil || string(got) != "1" {
		return fmt.Errorf("%q %w", got, err)
	}
	listed, err := client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: beside, Prefix: key})
	if err != nil {
		return err
	}
	if len(listed.Versions) != 2 || *listed.Versions[0].Size != 2 || len(listed.DeleteMarkers) != 1 {
		return fmt.Errorf("%+v", listed)
	}
	tags, err := client.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: beside, Key: key, VersionId: first.VersionId})
	if err != nil {
		return err
	}
	if len(tags.TagSet) != 1 || *tags.TagSet[0].Key != "a" {
		return fmt.Errorf("%+v", tags)
	}
	return nil
}

func objectLock() error {
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: locked, ObjectLockEnabledForBucket: aws.Bool(true)}); err != nil {
		return err
	}
	key, until := aws.String("kept"), aws.Time(time.Now().Add(24*time.Hour))
	// S3 wants a checksum of what it locks.
	put, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: locked, Key: key, Body: strings.NewReader("1"), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
		ObjectLockMode: types.ObjectLockModeGovernance, ObjectLockRetainUntilDate: until})
	if err != nil {
		return err
	}
	_, err = client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: locked, Key: key, VersionId: put.VersionId})
	// MinIO has a word of its own for it.
	if err := expect(map[bool]string{true: "AccessDenied", false: "InvalidRequest"}[own], err); err != nil {
		return err
	}
	found, err := client.GetObjectRetention(ctx, &s3.GetObjectRetentionInput{Bucket: locked, Key: key})
	if err != nil {
		return err
	}
	if found.Retention.Mode != types.ObjectLockRetentionModeGovernance {
		return fmt.Errorf("%+v", found.Retention)
	}
	_, err = client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: locked, Key: key, VersionId: put.VersionId, BypassGovernanceRetention: aws.Bool(true)})
	return err
}
