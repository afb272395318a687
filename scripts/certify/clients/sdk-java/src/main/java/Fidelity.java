import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Configuration;
import software.amazon.awssdk.services.s3.model.BucketVersioningStatus;
import software.amazon.awssdk.services.s3.model.ChecksumAlgorithm;
import software.amazon.awssdk.services.s3.model.GetObjectRequest;
import software.amazon.awssdk.services.s3.model.ObjectAttributes;
import software.amazon.awssdk.services.s3.model.ObjectLockMode;
import software.amazon.awssdk.services.s3.model.ObjectLockRetentionMode;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.ServerSideEncryption;
import software.amazon.awssdk.services.s3.presigner.S3Presigner;

/** What S3 has beyond objects and listings. */
final class Fidelity {
  static final String BUCKET = Checks.BUCKET + "-fidelity";
  static final String LOCKED = Checks.BUCKET + "-locked";
  static final boolean NATIVE = "yes".equals(System.getenv("NATIVE"));
  static final boolean OWN = "yes".equals(System.getenv("OWN"));

  static void refused(String code, Checks.Check check) throws Exception {
    try {
      check.run();
    } catch (S3Exception error) {
      demand(code.equals(error.awsErrorDetails().errorCode()), error);
      return;
    }
    throw new IllegalStateException("expected " + code);
  }

  static void demand(boolean right, Object found) {
    if (!right) throw new IllegalStateException(String.valueOf(found));
  }

  static void attributes() throws Exception {
    Checks.S3.createBucket(b -> b.bucket(BUCKET));
    var put = Checks.S3.putObject(b -> b.bucket(BUCKET).key("sum").checksumAlgorithm(ChecksumAlgorithm.SHA256), RequestBody.fromString("sum"));
    var found = Checks.S3.getObjectAttributes(b -> b.bucket(BUCKET).key("sum").objectAttributes(ObjectAttributes.CHECKSUM, ObjectAttributes.OBJECT_SIZE));
    demand(found.objectSize() == 3 && found.checksum().checksumSHA256().equals(put.checksumSHA256()), found);
    String wrong = Base64.getEncoder().encodeToString(new byte[32]);
    refused("BadDigest", () -> Checks.S3.putObject(b -> b.bucket(BUCKET).key("bad").checksumSHA256(wrong), RequestBody.fromString("x")));
  }

  static void customerKeys() throws Exception {
    byte[] key = "k".repeat(32).getBytes();
    String text = Base64.getEncoder().encodeToString(key);
    String sum = Base64.getEncoder().encodeToString(MessageDigest.getInstance("MD5").digest(key));
    Checks.S3.putObject(b -> b.bucket(BUCKET).key("sse-c").sseCustomerAlgorithm("AES256").sseCustomerKey(text).sseCustomerKeyMD5(sum), RequestBody.fromString("hidden"));
    var got = Checks.S3.getObjectAsBytes(b -> b.bucket(BUCKET).key("sse-c").sseCustomerAlgorithm("AES256").sseCustomerKey(text).sseCustomerKeyMD5(sum));
    demand(got.asUtf8String().equals("hidden"), got);
    refused("InvalidRequest", () -> Checks.read(BUCKET, "sse-c", null));
    // Nobody without the key can read it, not even who looks for plaintext at the end.
    Checks.S3.deleteObject(b -> b.bucket(BUCKET).key("sse-c"));
  }

  static void overrides() throws Exception {
    try (S3Presigner presigner = S3Presigner.builder().endpointOverride(Checks.ENDPOINT).region(Region.US_EAST_1).credentialsProvider(Checks.KEYS)
        .serviceConfiguration(S3Configuration.builder().pathStyleAccessEnabled(true).build()).build()) {
      var get = GetObjectRequest.builder().bucket(BUCKET).key("sum").responseContentType("text/x-own").build();
      var url = presigner.presignGetObject(p -> p.signatureDuration(Duration.ofMinutes(1)).getObjectRequest(get)).url();
      var answer = HttpClient.newHttpClient().send(HttpRequest.newBuilder(url.toURI()).build(), HttpResponse.BodyHandlers.ofString());
      demand(answer.statusCode() == 200 && answer.headers().firstValue("content-type").orElse("").equals("text/x-own"), answer);
    }
    refused("KMS.NotFoundException", () -> Checks.S3.putObject(
        b -> b.bucket(BUCKET).key("kms").serverSideEncryption(ServerSideEncryption.AWS_KMS).ssekmsKeyId("alias/nobody"), RequestBody.fromString("x")));
  }

  static void versionsAndTags() {
    Checks.S3.putBucketVersioning(b -> b.bucket(BUCKET).versioningConfiguration(v -> v.status(BucketVersioningStatus.ENABLED)));
    String first = Checks.S3.putObject(b -> b.bucket(BUCKET).key("versioned").tagging("a=1"), RequestBody.fromString("1")).versionId();
    Checks.S3.putObject(b -> b.bucket(BUCKET).key("versioned"), RequestBody.fromString("22"));
    Checks.S3.deleteObject(b -> b.bucket(BUCKET).key("versioned"));
    var old = Checks.S3.getObjectAsBytes(b -> b.bucket(BUCKET).key("versioned").versionId(first));
    demand(old.asUtf8String().equals("1"), old);
    var listed = Checks.S3.listObjectVersions(b -> b.bucket(BUCKET).prefix("versioned"));
    demand(listed.versions().size() == 2 && listed.versions().get(0).size() == 2 && listed.deleteMarkers().size() == 1, listed);
    var tags = Checks.S3.getObjectTagging(b -> b.bucket(BUCKET).key("versioned").versionId(first)).tagSet();
    demand(tags.size() == 1 && tags.get(0).key().equals("a"), tags);
  }

  static void objectLock() throws Exception {
    Checks.S3.createBucket(b -> b.bucket(LOCKED).objectLockEnabledForBucket(true));
    Instant until = Instant.now().plus(Duration.ofDays(1));
    String version = Checks.S3.putObject(
        b -> b.bucket(LOCKED).key("kept").objectLockMode(ObjectLockMode.GOVERNANCE).objectLockRetainUntilDate(until), RequestBody.fromString("1")).versionId();
    // MinIO has a word of its own for it.
    refused(OWN ? "AccessDenied" : "InvalidRequest", () -> Checks.S3.deleteObject(b -> b.bucket(LOCKED).key("kept").versionId(version)));
    var found = Checks.S3.getObjectRetention(b -> b.bucket(LOCKED).key("kept")).retention();
    demand(found.mode() == ObjectLockRetentionMode.GOVERNANCE, found);
    Checks.S3.deleteObject(b -> b.bucket(LOCKED).key("kept").versionId(version).bypassGovernanceRetention(true));
  }

  private Fidelity() {}
}
