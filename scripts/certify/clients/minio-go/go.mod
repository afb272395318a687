module sealgate.invalid/minio-go

go 1.24

require github.com/minio/minio-go/v7 v7.0.91
