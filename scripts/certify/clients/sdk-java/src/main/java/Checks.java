import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.async.AsyncRequestBody;
import software.amazon.awssdk.core.async.AsyncResponseTransformer;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3AsyncClient;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3Configuration;
import software.amazon.awssdk.services.s3.model.NoSuchKeyException;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.S3Object;
import software.amazon.awssdk.services.s3.presigner.S3Presigner;

/** What the AWS SDK for Java v2 does with a gateway, one line printed for each check. */
public class Checks {
  interface Check { void run() throws Exception; }

  static final String BUCKET = System.getenv("BUCKET");
  static final URI ENDPOINT = URI.create(System.getenv("ENDPOINT"));
  static final StaticCredentialsProvider KEYS = StaticCredentialsProvider.create(
      AwsBasicCredentials.create(System.getenv("AWS_ACCESS_KEY_ID"), System.getenv("AWS_SECRET_ACCESS_KEY")));
  static final S3Client S3 = S3Client.builder().endpointOverride(ENDPOINT).region(Region.US_EAST_1).forcePathStyle(true).credentialsProvider(KEYS).build();
  static final byte[] BODY = random(12_345_678);

  static byte[] random(int bytes) {
    byte[] all = new byte[bytes];
    new Random().nextBytes(all);
    return all;
  }

  static void same(byte[] got, byte[] want, String what) {
    if (!Arrays.equals(got, want)) throw new IllegalStateException(what + ": the bytes differ");
  }

  static byte[] read(String bucket, String key, String range) {
    return S3.getObjectAsBytes(b -> b.bucket(bucket).key(key).range(range)).asByteArray();
  }

  static byte[] read(String key, String range) {
    return read(BUCKET, key, range);
  }

  static void putAndGet() {
    S3.createBucket(b -> b.bucket(BUCKET));
    byte[] small = Arrays.copyOf(BODY, 100_000);
    S3.putObject(b -> b.bucket(BUCKET).key("dir/ü +&"), RequestBody.fromBytes(small));
    same(read("dir/ü +&", null), small, "get");
    same(read("dir/ü +&", "bytes=65530-65540"), Arrays.copyOfRange(BODY, 65530, 65541), "range");
  }

  /** The asynchronous client cuts a body into parts by itself, and reads it back in parts. */
  static void multipart() {
    try (S3AsyncClient async = S3AsyncClient.builder().endpointOverride(ENDPOINT).region(Region.US_EAST_1).forcePathStyle(true).credentialsProvider(KEYS)
        .multipartEnabled(true).multipartConfiguration(m -> m.minimumPartSizeInBytes(5L << 20).thresholdInBytes(5L << 20)).build()) {
      async.putObject(b -> b.bucket(BUCKET).key("multipart"), AsyncRequestBody.fromByteBuffer(ByteBuffer.wrap(BODY))).join();
      same(async.getObject(b -> b.bucket(BUCKET).key("multipart"), AsyncResponseTransformer.toBytes()).join().asByteArray(), BODY, "get in parts");
    }
    same(read("multipart", "bytes=5242870-5242890"), Arrays.copyOfRange(BODY, 5242870, 5242891), "range");
  }

  static void metadataAndCopy() {
    S3.putObject(b -> b.bucket(BUCKET).key("noted").metadata(Map.of("note", "plain")).contentType("a/b"), RequestBody.fromString("x"));
    S3.copyObject(b -> b.sourceBucket(BUCKET).sourceKey("noted").destinationBucket(BUCKET).destinationKey("copied"));
    var head = S3.headObject(b -> b.bucket(BUCKET).key("copied"));
    if (!"plain".equals(head.metadata().get("note")) || !"a/b".equals(head.contentType())) throw new IllegalStateException(head.toString());
  }

  static void listAndDelete() {
    List<String> keys = new ArrayList<>();
    for (S3Object one : S3.listObjectsV2Paginator(b -> b.bucket(BUCKET).maxKeys(2)).contents()) keys.add(one.key() + ":" + one.size());
    if (keys.size() != 4 || !keys.contains("multipart:" + BODY.length)) throw new IllegalStateException(keys.toString());
    S3.deleteObject(b -> b.bucket(BUCKET).key("copied"));
    try {
      read("copied", null);
    } catch (NoSuchKeyException gone) {
      return;
    }
    throw new IllegalStateException("it is still there");
  }

  static void presigned() throws Exception {
    try (S3Presigner presigner = S3Presigner.builder().endpointOverride(ENDPOINT).region(Region.US_EAST_1).credentialsProvider(KEYS)
        .serviceConfiguration(S3Configuration.builder().pathStyleAccessEnabled(true).build()).build()) {
      var url = presigner.presignGetObject(p -> p.signatureDuration(Duration.ofMinutes(1)).getObjectRequest(b -> b.bucket(BUCKET).key("dir/ü +&"))).url();
      var answer = HttpClient.newHttpClient().send(HttpRequest.newBuilder(url.toURI()).build(), HttpResponse.BodyHandlers.ofByteArray());
      same(answer.body(), Arrays.copyOf(BODY, 100_000), "status " + answer.statusCode());
    }
  }

  static int putOnce() {
    try {
      S3.putObject(b -> b.bucket(BUCKET).key("once").ifNoneMatch("*"), RequestBody.fromString("1"));
      return 200;
    } catch (S3Exception error) {
      return error.statusCode();
    }
  }

  static void conditionalWrites() {
    String got = putOnce() + " " + putOnce();
    if (!got.equals("412".equals(System.getenv("CONDITIONAL")) ? "200 412" : "501 501")) throw new IllegalStateException(got);
  }

  static void run(String name, Check check) {
    long started = System.nanoTime();
    String verdict = "ok";
    String detail = "";
    try {
      check.run();
    } catch (Exception error) {
      verdict = "FAIL";
      detail = String.valueOf(error).replaceAll("[\\n\\t]", " ");
    }
    System.out.printf("%s\t%.3f\t%s\t%s%n", verdict, (System.nanoTime() - started) / 1e9, name, detail);
  }

  public static void main(String[] arguments) {
    java.util.Locale.setDefault(java.util.Locale.ROOT);
    run("put, get, ranged get", Checks::putAndGet);
    run("multipart upload and download", Checks::multipart);
    run("metadata, copy", Checks::metadataAndCopy);
    run("list in pages, delete", Checks::listAndDelete);
    run("a presigned URL", Checks::presigned);
    run("conditional writes", Checks::conditionalWrites);
    run("checksums and attributes", Fidelity::attributes);
    run("keys of customers", Fidelity::customerKeys);
    run("presigned overrides, an unknown KMS key", Fidelity::overrides);
    if (Fidelity.NATIVE) {
      run("versions and tags", Fidelity::versionsAndTags);
      run("Object Lock", Fidelity::objectLock);
    }
    System.exit(0);
  }
}
