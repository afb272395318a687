#!/bin/bash
# What aws-cli is asked to send, for the record. The first argument is the program.
aws=("$1" --endpoint-url "$ENDPOINT")
file=$(mktemp)
printf 'hello' > "$file"
"${aws[@]}" s3 cp "$file" 's3://fuzz-bucket/cli file'
"${aws[@]}" s3 cp 's3://fuzz-bucket/cli file' "$file"
"${aws[@]}" s3 ls s3://fuzz-bucket/a/
"${aws[@]}" s3 cp 's3://fuzz-bucket/cli file' s3://fuzz-bucket/moved
"${aws[@]}" s3 rm s3://fuzz-bucket/moved
"${aws[@]}" s3api list-objects-v2 --bucket fuzz-bucket --max-items 1 > /dev/null
rm -f "$file"
exit 0
