import com.fasterxml.jackson.databind.ObjectMapper;
import com.twilio.exception.ApiException;
import com.twilio.http.NetworkHttpClient;
import com.twilio.http.Request;
import com.twilio.http.Response;
import com.twilio.http.TwilioRestClient;
import com.twilio.rest.verify.v2.Service;
import com.twilio.rest.verify.v2.VerificationAttempt;
import com.twilio.rest.verify.v2.service.RateLimit;
import com.twilio.rest.verify.v2.service.Verification;
import com.twilio.rest.verify.v2.service.VerificationCheck;
import com.twilio.rest.verify.v2.service.entity.Challenge;
import com.twilio.rest.verify.v2.service.entity.Factor;
import com.twilio.rest.verify.v2.service.entity.NewFactor;
import com.twilio.rest.verify.v2.service.ratelimit.Bucket;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.apache.hc.client5.http.impl.classic.HttpClientBuilder;

/** What a backend does with Twilio Verify, by Twilio's own SDK. Prints what it met. */
public class Visit {
  /** Takes every request to this server. */
  static class MovedTo extends NetworkHttpClient {
    private final String server;

    MovedTo(String server) {
      // Else it waits by itself as long as a refusal (429) says, and asks again.
      super(HttpClientBuilder.create().disableAutomaticRetries());
      this.server = server;
    }

    @Override
    public Response makeRequest(Request asked) {
      Request moved = new Request(asked.getMethod(), server + asked.getUrl().replaceFirst("^https?://[^/]+", ""));
      asked.getQueryParams().forEach((name, values) -> values.forEach(value -> moved.addQueryParam(name, value)));
      asked.getPostParams().forEach((name, values) -> values.forEach(value -> moved.addPostParam(name, value)));
      asked.getHeaderParams().forEach((name, values) -> values.forEach(value -> moved.addHeaderParam(name, value)));
      moved.setContentType(asked.getContentType());
      moved.setUserAgentExtensions(asked.getUserAgentExtensions());
      moved.setAuth(asked.getUsername(), asked.getPassword());
      return super.makeRequest(moved);
    }
  }

  static final String SERVER = System.getenv("VERIFY_URL");
  static final TwilioRestClient CLIENT =
      new TwilioRestClient.Builder(System.getenv("ACCOUNT_SID"), System.getenv("AUTH_TOKEN"))
          .httpClient(new MovedTo(SERVER))
          .build();

  /** The code of the newest message to a number. */
  static String sent(String number) throws Exception {
    URI inbox = URI.create(SERVER + "/dev/inbox/messages?to=" + URLEncoder.encode(number, StandardCharsets.UTF_8));
    var body = new ObjectMapper().readTree(inbox.toURL()).get("data").get(0).get("body").asText();
    var code = Pattern.compile("\\b\\d{6}\\b").matcher(body);
    code.find();
    return code.group();
  }

  static List<Integer> refusal(Runnable ask) {
    try {
      ask.run();
      return List.of();
    } catch (ApiException error) {
      return List.of(error.getStatusCode(), error.getCode());
    }
  }

  public static void main(String[] args) throws Exception {
    String[] numbers = System.getenv("NUMBERS").split(",");
    String[] codes = System.getenv("APP_CODES").split(",");
    String identity = "ff483d1ff591898a9942916050d2ca3f";
    Map<String, Object> met = new TreeMap<>();

    String service = Service.creator("Acme").create(CLIENT).getSid();
    for (String name : List.of("session", "end_user_ip")) {
      RateLimit limit = RateLimit.creator(service, name).create(CLIENT);
      Bucket.creator(service, limit.getSid(), 1, 60).create(CLIENT);
    }
    List<String> names = new ArrayList<>();
    RateLimit.reader(service).pageSize(1).read(CLIENT).forEach(limit -> names.add(limit.getUniqueName()));
    met.put("names", names.stream().sorted().toList());

    Map<String, Object> values = Map.of("end_user_ip", "192.0.2.1");
    Verification verification =
        Verification.creator(service, numbers[0], "sms").setRateLimits(values).create(CLIENT);
    met.put("pending", verification.getStatus());
    met.put(
        "limited",
        refusal(() -> Verification.creator(service, numbers[1], "sms").setRateLimits(values).create(CLIENT)));

    String code = sent(numbers[0]);
    String wrongCode = code.equals("000000") ? "000001" : "000000";
    VerificationCheck wrong =
        VerificationCheck.creator(service).setTo(numbers[0]).setCode(wrongCode).create(CLIENT);
    VerificationCheck right = VerificationCheck.creator(service).setTo(numbers[0]).setCode(code).create(CLIENT);
    met.put("wrong", List.of(wrong.getStatus(), wrong.getValid()));
    met.put("right", List.of(right.getStatus(), right.getValid()));
    met.put("isSame", right.getSid().equals(verification.getSid()));
    met.put("ended", refusal(() -> VerificationCheck.creator(service).setTo(numbers[0]).setCode(code).create(CLIENT)));
    List<String> attempts = new ArrayList<>();
    VerificationAttempt.reader()
        .setVerificationSid(verification.getSid())
        .read(CLIENT)
        .forEach(attempt -> attempts.add(attempt.getConversionStatus().toString()));
    met.put("attempts", attempts);

    NewFactor factor =
        NewFactor.creator(service, identity, "Ann", NewFactor.FactorTypes.TOTP)
            .setBindingSecret(System.getenv("APP_SECRET"))
            .create(CLIENT);
    Factor verified = Factor.updater(service, identity, factor.getSid()).setAuthPayload(codes[0]).update(CLIENT);
    met.put("factor", List.of(factor.getStatus().toString(), verified.getStatus().toString()));
    Challenge challenge =
        Challenge.creator(service, identity, factor.getSid()).setAuthPayload(codes[1]).create(CLIENT);
    met.put("challenge", challenge.getStatus().toString());

    System.out.println(new ObjectMapper().writeValueAsString(met));
  }
}
