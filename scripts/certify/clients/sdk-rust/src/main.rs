//! What the AWS SDK for Rust does with a gateway, one line printed for each check.
use aws_sdk_s3::{
    config::{BehaviorVersion, Credentials, Region},
    error::DisplayErrorContext,
    presigning::PresigningConfig,
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart},
    Client,
};
use std::{env::var, error::Error, future::Future, time::{Duration, Instant}};

type Outcome = Result<(), Box<dyn Error>>;
const PART: usize = 5 << 20;

struct Checks {
    s3: Client,
    bucket: String,
    body: Vec<u8>,
}

fn need(holds: bool, what: String) -> Outcome {
    if holds { Ok(()) } else { Err(what.into()) }
}

/// Bytes that no compression and no accident makes: a small generator, seeded by the clock.
fn random(n: usize) -> Vec<u8> {
    let mut state = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64 | 1;
    (0..n)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

impl Checks {
    async fn read(&self, key: &str, range: Option<&str>) -> Result<Vec<u8>, Box<dyn Error>> {
        let out = self.s3.get_object().bucket(&self.bucket).key(key).set_range(range.map(String::from)).send().await?;
        Ok(out.body.collect().await?.to_vec())
    }

    async fn put_and_get(&self) -> Outcome {
        self.s3.create_bucket().bucket(&self.bucket).send().await?;
        let small = self.body[..100_000].to_vec();
        self.s3.put_object().bucket(&self.bucket).key("dir/ü +&").body(ByteStream::from(small.clone())).send().await?;
        need(self.read("dir/ü +&", None).await? == small, "get: the bytes differ".into())?;
        need(self.read("dir/ü +&", Some("bytes=65530-65540")).await? == self.body[65530..65541], "range: the bytes differ".into())
    }

    async fn multipart(&self) -> Outcome {
        let upload = self.s3.create_multipart_upload().bucket(&self.bucket).key("multipart").send().await?;
        let id = upload.upload_id().unwrap_or_default();
        let mut parts = Vec::new();
        for (i, piece) in self.body.chunks(PART).enumerate() {
            let number = i as i32 + 1;
            let sent = self.s3.upload_part().bucket(&self.bucket).key("multipart").upload_id(id).part_number(number);
            let out = sent.body(ByteStream::from(piece.to_vec())).send().await?;
            parts.push(CompletedPart::builder().part_number(number).set_e_tag(out.e_tag().map(String::from)).build());
        }
        let done = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        self.s3.complete_multipart_upload().bucket(&self.bucket).key("multipart").upload_id(id).multipart_upload(done).send().await?;
        need(self.read("multipart", None).await? == self.body, "get: the bytes differ".into())?;
        need(self.read("multipart", Some("bytes=5242870-5242890")).await? == self.body[5242870..5242891], "range: the bytes differ".into())
    }

    async fn metadata_and_copy(&self) -> Outcome {
        let put = self.s3.put_object().bucket(&self.bucket).key("noted").metadata("note", "plain").content_type("a/b");
        put.body(ByteStream::from_static(b"x")).send().await?;
        self.s3.copy_object().bucket(&self.bucket).key("copied").copy_source(format!("{}/noted", self.bucket)).send().await?;
        let head = self.s3.head_object().bucket(&self.bucket).key("copied").send().await?;
        let note = head.metadata().and_then(|all| all.get("note")).cloned();
        need(note.as_deref() == Some("plain") && head.content_type() == Some("a/b"), format!("{head:?}"))
    }

    async fn list_and_delete(&self) -> Outcome {
        let mut pages = self.s3.list_objects_v2().bucket(&self.bucket).max_keys(2).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            found.extend(page?.contents().iter().map(|one| (one.key().unwrap_or_default().to_string(), one.size().unwrap_or(0))));
        }
        need(found.len() == 4 && found.contains(&("multipart".into(), self.body.len() as i64)), format!("{found:?}"))?;
        self.s3.delete_object().bucket(&self.bucket).key("copied").send().await?;
        let gone = self.s3.get_object().bucket(&self.bucket).key("copied").send().await;
        need(gone.is_err_and(|error| error.into_service_error().is_no_such_key()), "it is still there".into())
    }

    async fn presigned(&self) -> Outcome {
        let how = PresigningConfig::expires_in(Duration::from_secs(60))?;
        let signed = self.s3.get_object().bucket(&self.bucket).key("dir/ü +&").presigned(how).await?;
        let out = std::process::Command::new("curl").args(["-sS", "--fail", signed.uri()]).output()?;
        need(out.stdout == self.body[..100_000], String::from_utf8_lossy(&out.stderr).into())
    }

    async fn put_once(&self) -> u16 {
        let put = self.s3.put_object().bucket(&self.bucket).key("once").if_none_match("*").body(ByteStream::from_static(b"1"));
        match put.send().await {
            Ok(_) => 200,
            Err(error) => error.raw_response().map_or(0, |answer| answer.status().as_u16()),
        }
    }

    async fn conditional_writes(&self) -> Outcome {
        let got = (self.put_once().await, self.put_once().await);
        let want = if var("CONDITIONAL")? == "412" { (200, 412) } else { (501, 501) };
        need(got == want, format!("{got:?}"))
    }
}

async fn run(name: &str, check: impl Future<Output = Outcome>) {
    let started = Instant::now();
    let (verdict, detail) = match check.await {
        Ok(()) => ("ok", String::new()),
        Err(error) => ("FAIL", DisplayErrorContext(&*error).to_string().replace(['\n', '\t'], " ")),
    };
    println!("{verdict}\t{:.3}\t{name}\t{detail}", started.elapsed().as_secs_f64());
}

#[tokio::main]
async fn main() -> Outcome {
    let keys = Credentials::new(var("AWS_ACCESS_KEY_ID")?, var("AWS_SECRET_ACCESS_KEY")?, None, None, "environment");
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(var("ENDPOINT")?)
        .region(Region::new("us-east-1"))
        .credentials_provider(keys)
        .force_path_style(true)
        .build();
    let checks = Checks { s3: Client::from_conf(config), bucket: var("BUCKET")?, body: random(2 * PART + 12345) };
    run("put, get, ranged get", checks.put_and_get()).await;
    run("multipart upload", checks.multipart()).await;
    run("metadata, copy", checks.metadata_and_copy()).await;
    run("list in pages, delete", checks.list_and_delete()).await;
    run("a presigned URL", checks.presigned()).await;
    run("conditional writes", checks.conditional_writes()).await;
    Ok(())
}
