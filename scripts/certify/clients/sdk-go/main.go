// What the AWS SDK for Go v2 does with a gateway, one line printed for each check.
package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const partBytes = 5 << 20

var (
	ctx    = context.Background()
	bucket = aws.String(os.Getenv("BUCKET"))
	client = s3.New(s3.Options{
		BaseEndpoint: aws.String(os.Getenv("ENDPOINT")), Region: "us-east-1", UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), ""),
	})
	body = random(2*partBytes + 12345)
)

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func read(key, byteRange string) ([]byte, error) {
	in := &s3.GetObjectInput{Bucket: bucket, Key: &key}
	if byteRange != "" {
		in.Range = &byteRange
	}
	out, err := client.GetObject(ctx, in)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(out.Body)
}

func equal(key, byteRange string, want []byte) error {
	got, err := read(key, byteRange)
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("%s %s: the bytes differ", key, byteRange)
	}
	return err
}

func putAndGet() error {
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket}); err != nil {
		return err
	}
	out, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String("dir/ü +&"), Body: bytes.NewReader(body[:100_000])})
	if err != nil {
		return err
	}
	sum := md5.Sum(body[:100_000])
	if is := strings.Contains(*out.ETag, hex.EncodeToString(sum[:])); is != (os.Getenv("ETAGS") == "md5") {
		return fmt.Errorf("ETag %s", *out.ETag)
	}
	if err := equal("dir/ü +&", "", body[:100_000]); err != nil {
		return err
	}
	return equal("dir/ü +&", "bytes=65530-65540", body[65530:65541])
}

func multipart() error {
	key := aws.String("multipart")
	upload, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
	if err != nil {
		return err
	}
	var parts []types.CompletedPart
	for n := int32(1); n <= 3; n++ {
		from, to := int(n-1)*partBytes, min(int(n)*partBytes, len(body))
		out, err := client.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: upload.UploadId, PartNumber: &n, Body: bytes.NewReader(body[from:to])})
		if err != nil {
			return err
		}
		parts = append(parts, types.CompletedPart{PartNumber: aws.Int32(n), ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32})
	}
	done := &types.CompletedMultipartUpload{Parts: parts}
	if _, err := client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: bucket, Key: key, UploadId: upload.UploadId, MultipartUpload: done}); err != nil {
		return err
	}
	if err := equal("multipart", "", body); err != nil {
		return err
	}
	return equal("multipart", fmt.Sprintf("bytes=%d-%d", partBytes-10, partBytes+10), body[partBytes-10:partBytes+11])
}

func metadataAndCopy() error {
	meta := map[string]string{"note": "ünïcödé"}
	if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String("noted"), Body: strings.NewReader("x"), Metadata: meta}); err != nil {
		return err
	}
	if _, err := client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: bucket, Key: aws.String("copied"), CopySource: aws.String(*bucket + "/noted")}); err != nil {
		return err
	}
	head, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: aws.String("copied")})
	if err != nil {
		return err
	}
	// S3 answers non-ASCII metadata in RFC 2047 words.
	if got := head.Metadata["note"]; got != "ünïcödé" && !strings.HasPrefix(strings.ToUpper(got), "=?UTF-8?") {
		return fmt.Errorf("metadata %q", got)
	}
	return nil
}

func listAndDelete() error {
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: bucket, MaxKeys: aws.Int32(2)})
	sizes := map[string]int64{}
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, one := range page.Contents {
			sizes[*one.Key] = *one.Size
		}
	}
	if len(sizes) != 4 || sizes["multipart"] != int64(len(body)) {
		return fmt.Errorf("listed %v", sizes)
	}
	if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("copied")}); err != nil {
		return err
	}
	if _, err := read("copied", ""); err == nil || !strings.Contains(err.Error(), "NoSuchKey") {
		return fmt.Errorf("after the delete: %v", err)
	}
	return nil
}

func presigned() error {
	signed, err := s3.NewPresignClient(client).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("dir/ü +&")})
	if err != nil {
		return err
	}
	answer, err := http.Get(signed.URL)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(answer.Body)
	if err == nil && !bytes.Equal(got, body[:100_000]) {
		err = fmt.Errorf("status %d", answer.StatusCode)
	}
	return err
}

func conditionalWrites() error {
	put := func() string {
		_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String("once"), Body: strings.NewReader("1"), IfNoneMatch: aws.String("*")})
		return codeOf(err)
	}
	want := map[string]string{"412": "<nil> PreconditionFailed", "501": "NotImplemented NotImplemented"}[os.Getenv("CONDITIONAL")]
	if got := put() + " " + put(); got != want {
		return errors.New(got)
	}
	return nil
}

type check struct {
	name string
	run  func() error
}

func main() {
	checks := []check{
		{"put, get, ranged get", putAndGet}, {"multipart upload", multipart}, {"metadata with non-ASCII characters, copy", metadataAndCopy},
		{"list in pages, delete", listAndDelete}, {"a presigned URL", presigned}, {"conditional writes", conditionalWrites},
		{"checksums and attributes", attributes}, {"keys of customers", customerKeys}, {"presigned overrides, an unknown KMS key", overrides},
	}
	if native {
		checks = append(checks, check{"versions and tags", versionsAndTags}, check{"Object Lock", objectLock})
	}
	for _, check := range checks {
		started := time.Now()
		verdict, detail := "ok", ""
		if err := check.run(); err != nil {
			verdict, detail = "FAIL", strings.NewReplacer("\n", " ", "\t", " ").Replace(err.Error())
		}
		fmt.Printf("%s\t%.3f\t%s\t%s\n", verdict, time.Since(started).Seconds(), check.name, detail)
	}
}
