// What minio-go does with a gateway, one line printed for each check.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

var (
	ctx    = context.Background()
	bucket = os.Getenv("BUCKET")
	body   = random(12_345_678)
	client = connect()
)

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func connect() *minio.Client {
	keys := credentials.NewStaticV4(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), "")
	made, err := minio.New(strings.TrimPrefix(os.Getenv("ENDPOINT"), "http://"), &minio.Options{Creds: keys, MaxRetries: 2})
	if err != nil {
		panic(err)
	}
	return made
}

func equal(key string, options minio.GetObjectOptions, want []byte) error {
	object, err := client.GetObject(ctx, bucket, key, options)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(object)
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("%s: the bytes differ", key)
	}
	return err
}

func putAndGet() error {
	if err := client.MakeBucket(ctx, bucket, minio.MakeBucketOptions{}); err != nil {
		return err
	}
	if _, err := client.PutObject(ctx, bucket, "dir/ü +&", bytes.NewReader(body[:100_000]), 100_000, minio.PutObjectOptions{}); err != nil {
		return err
	}
	if err := equal("dir/ü +&", minio.GetObjectOptions{}, body[:100_000]); err != nil {
		return err
	}
	some := minio.GetObjectOptions{}
	some.SetRange(65530, 65540)
	return equal("dir/ü +&", some, body[65530:65541])
}

func multipart() error {
	parts := minio.PutObjectOptions{PartSize: 5 << 20}
	if _, err := client.PutObject(ctx, bucket, "multipart", bytes.NewReader(body), int64(len(body)), parts); err != nil {
		return err
	}
	if err := equal("multipart", minio.GetObjectOptions{}, body); err != nil {
		return err
	}
	// A stream of unknown length.
	if _, err := client.PutObject(ctx, bucket, "stream", io.MultiReader(bytes.NewReader(body)), -1, parts); err != nil {
		return err
	}
	object, err := client.GetObject(ctx, bucket, "stream", minio.GetObjectOptions{})
	if err != nil {
		return err
	}
	got := make([]byte, 1000)
	if _, err := object.ReadAt(got, 7_000_000); err != nil || !bytes.Equal(got, body[7_000_000:7_001_000]) {
		return fmt.Errorf("read at an offset: %v", err)
	}
	return nil
}

func metadataAndCopy() error {
	meta := map[string]string{"note": "ünïcödé"}
	if _, err := client.PutObject(ctx, bucket, "noted", strings.NewReader("x"), 1, minio.PutObjectOptions{UserMetadata: meta}); err != nil {
		return err
	}
	if _, err := client.CopyObject(ctx, minio.CopyDestOptions{Bucket: bucket, Object: "copied"}, minio.CopySrcOptions{Bucket: bucket, Object: "noted"}); err != nil {
		return err
	}
	info, err := client.StatObject(ctx, bucket, "copied", minio.StatObjectOptions{})
	if err != nil {
		return err
	}
	// S3 tells metadata beyond ASCII in encoded words of RFC 2047.
	note, err := new(mime.WordDecoder).DecodeHeader(info.UserMetadata["Note"])
	if err == nil && note != "ünïcödé" {
		err = fmt.Errorf("metadata %v", info.UserMetadata)
	}
	return err
}

func compose() error {
	whole := minio.CopySrcOptions{Bucket: bucket, Object: "multipart"}
	if _, err := client.ComposeObject(ctx, minio.CopyDestOptions{Bucket: bucket, Object: "composed"}, whole, whole); err != nil {
		return err
	}
	return equal("composed", minio.GetObjectOptions{}, append(bytes.Clone(body), body...))
}

func listAndDelete() error {
	sizes := map[string]int64{}
	for one := range client.ListObjects(ctx, bucket, minio.ListObjectsOptions{Recursive: true}) {
		if one.Err != nil {
			return one.Err
		}
		sizes[one.Key] = one.Size
	}
	if len(sizes) != 6 || sizes["composed"] != int64(2*len(body)) || sizes["copied"] != 1 {
		return fmt.Errorf("listed %v", sizes)
	}
	if err := client.RemoveObject(ctx, bucket, "copied", minio.RemoveObjectOptions{}); err != nil {
		return err
	}
	_, err := client.StatObject(ctx, bucket, "copied", minio.StatObjectOptions{})
	if minio.ToErrorResponse(err).Code != "NoSuchKey" {
		return fmt.Errorf("after the delete: %v", err)
	}
	return nil
}

func presigned() error {
	signed, err := client.PresignedGetObject(ctx, bucket, "dir/ü +&", time.Minute, nil)
	if err != nil {
		return err
	}
	answer, err := http.Get(signed.String())
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
		options := minio.PutObjectOptions{}
		options.SetMatchETagExcept("*")
		_, err := client.PutObject(ctx, bucket, "once", strings.NewReader("1"), 1, options)
		return minio.ToErrorResponse(err).Code
	}
	want := map[string]string{"412": " PreconditionFailed", "501": "NotImplemented NotImplemented"}[os.Getenv("CONDITIONAL")]
	if got := put() + " " + put(); got != want {
		return fmt.Errorf("%q", got)
	}
	return nil
}

func main() {
	for _, check := range []struct {
		name string
		run  func() error
	}{
		{"put, get, ranged get", putAndGet}, {"multipart uploads, of unknown length too", multipart}, {"metadata with non-ASCII characters, copy", metadataAndCopy},
		{"compose (parts copied)", compose}, {"list, delete", listAndDelete}, {"a presigned URL", presigned}, {"conditional writes", conditionalWrites},
	} {
		started := time.Now()
		verdict, detail := "ok", ""
		if err := check.run(); err != nil {
			verdict, detail = "FAIL", strings.NewReplacer("\n", " ", "\t", " ").Replace(err.Error())
		}
		fmt.Printf("%s\t%.3f\t%s\t%s\n", verdict, time.Since(started).Seconds(), check.name, detail)
	}
}
