"""What pyarrow and polars do with a gateway, one line printed for each check."""
import os
import sys

import polars
import pyarrow
import pyarrow.parquet as parquet
from program import check, run
from pyarrow import fs

BUCKET = os.environ["BUCKET"]
ENDPOINT = os.environ["ENDPOINT"]
scheme, _, host = ENDPOINT.partition("://")
s3 = fs.S3FileSystem(
    access_key=os.environ["AWS_ACCESS_KEY_ID"], secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
    endpoint_override=host, scheme=scheme, region="us-east-1",
)
OPTIONS = {
    "aws_access_key_id": os.environ["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"],
    "aws_endpoint_url": ENDPOINT, "aws_region": "us-east-1", "aws_allow_http": "true", "aws_virtual_hosted_style_request": "false",
}
ROWS = 200_000
TABLE = pyarrow.table({"id": range(ROWS), "name": [f"the name of row number {i} ü" for i in range(ROWS)]})


@check
def pyarrow_write_parquet():
    parquet.write_table(TABLE, f"{BUCKET}/tables/one.parquet", filesystem=s3, row_group_size=20_000, compression="none")


@check
def pyarrow_read_one_column_by_ranges():
    read = parquet.read_table(f"{BUCKET}/tables/one.parquet", columns=["id"], filesystem=s3)
    assert read["id"].to_pylist() == list(range(ROWS))


@check
def pyarrow_stream_in_parts_and_read_at_offsets():
    body = os.urandom(21_000_000)
    with s3.open_output_stream(f"{BUCKET}/stream") as out:
        for at in range(0, len(body), 1_000_000):
            out.write(body[at : at + 1_000_000])
    with s3.open_input_file(f"{BUCKET}/stream") as file:
        assert file.size() == len(body)
        file.seek(10_000_000)
        assert file.read(70_000) == body[10_000_000:10_070_000]


@check
def pyarrow_list_copy_move_delete():
    s3.copy_file(f"{BUCKET}/stream", f"{BUCKET}/copied")
    s3.move(f"{BUCKET}/copied", f"{BUCKET}/moved")
    files = {one.path: one.size for one in s3.get_file_info(fs.FileSelector(BUCKET, recursive=True)) if one.is_file}
    assert files[f"{BUCKET}/moved"] == 21_000_000 and f"{BUCKET}/copied" not in files, files
    s3.delete_file(f"{BUCKET}/moved")
    assert s3.get_file_info(f"{BUCKET}/moved").type == fs.FileType.NotFound


@check
def polars_write_parquet():
    polars.from_arrow(TABLE).write_parquet(f"s3://{BUCKET}/tables/two.parquet", storage_options=OPTIONS, row_group_size=20_000, compression="uncompressed")


@check
def polars_scan_parquet_with_a_filter():
    frame = polars.scan_parquet(f"s3://{BUCKET}/tables/two.parquet", storage_options=OPTIONS)
    found = frame.filter(polars.col("id") == 123_456).collect()
    assert found["name"].to_list() == ["the name of row number 123456 ü"], found
    total = frame.select(polars.col("id").sum()).collect().item()
    assert total == sum(range(ROWS)), total


run()
sys.stdout.flush()
os._exit(0)  # Arrow's S3 threads may hang at the end of the interpreter.
