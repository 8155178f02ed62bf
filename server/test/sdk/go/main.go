// What a backend does with Twilio Verify, by Twilio's own SDK. Prints what it met.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/twilio/twilio-go/client"
	verify "github.com/twilio/twilio-go/rest/verify/v2"
)

// movedTo takes every request to this server.
type movedTo struct{ server *url.URL }

func (to movedTo) RoundTrip(asked *http.Request) (*http.Response, error) {
	moved := asked.Clone(asked.Context())
	moved.URL.Scheme, moved.URL.Host, moved.Host = to.server.Scheme, to.server.Host, to.server.Host
	return http.DefaultTransport.RoundTrip(moved)
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func refusal(err error) []int {
	var refused *client.TwilioRestError
	if !errors.As(err, &refused) {
		return []int{}
	}
	return []int{refused.Status, refused.Code}
}

// sent gives the code of the newest message to a number.
func sent(server string, number string) string {
	answer := must(http.Get(server + "/dev/inbox/messages?to=" + url.QueryEscape(number)))
	defer answer.Body.Close()
	var inbox struct{ Data []struct{ Body string } }
	if err := json.NewDecoder(answer.Body).Decode(&inbox); err != nil {
		panic(err)
	}
	return regexp.MustCompile(`\b\d{6}\b`).FindString(inbox.Data[0].Body)
}

func main() {
	server := must(url.Parse(os.Getenv("VERIFY_URL")))
	account := &client.Client{
		Credentials: client.NewCredentials(os.Getenv("ACCOUNT_SID"), os.Getenv("AUTH_TOKEN")),
		HTTPClient:  &http.Client{Transport: movedTo{server}},
	}
	account.SetAccountSid(os.Getenv("ACCOUNT_SID"))
	// The same as `VerifyV2` of `twilio.NewRestClientWithParams(twilio.ClientParams{Client: account})`, which would
	// build Twilio's other forty products too.
	api := verify.NewApiServiceWithClient(account)

	numbers := strings.Split(os.Getenv("NUMBERS"), ",")
	codes := strings.Split(os.Getenv("APP_CODES"), ",")
	identity := "ff483d1ff591898a9942916050d2ca3f"
	met := map[string]any{}

	service := *must(api.CreateService((&verify.CreateServiceParams{}).SetFriendlyName("Acme"))).Sid
	for _, name := range []string{"session", "end_user_ip"} {
		limit := must(api.CreateRateLimit(service, (&verify.CreateRateLimitParams{}).SetUniqueName(name)))
		must(api.CreateBucket(service, *limit.Sid, (&verify.CreateBucketParams{}).SetMax(1).SetInterval(60)))
	}
	names := []string{}
	for _, limit := range must(api.ListRateLimit(service, (&verify.ListRateLimitParams{}).SetPageSize(1))) {
		names = append(names, *limit.UniqueName)
	}
	slices.Sort(names)
	met["names"] = names

	start := func(number string) (*verify.VerifyV2Verification, error) {
		params := (&verify.CreateVerificationParams{}).SetTo(number).SetChannel("sms")
		return api.CreateVerification(service, params.SetRateLimits(map[string]string{"end_user_ip": "192.0.2.1"}))
	}
	check := func(code string) (*verify.VerifyV2VerificationCheck, error) {
		return api.CreateVerificationCheck(service, (&verify.CreateVerificationCheckParams{}).SetTo(numbers[0]).SetCode(code))
	}
	verification := must(start(numbers[0]))
	met["pending"] = *verification.Status
	_, err := start(numbers[1])
	met["limited"] = refusal(err)

	code := sent(server.String(), numbers[0])
	wrongCode := "000000"
	if code == wrongCode {
		wrongCode = "000001"
	}
	wrong, right := must(check(wrongCode)), must(check(code))
	met["wrong"] = []any{*wrong.Status, *wrong.Valid}
	met["right"] = []any{*right.Status, *right.Valid}
	met["isSame"] = *right.Sid == *verification.Sid
	_, err = check(code)
	met["ended"] = refusal(err)
	attempts := []string{}
	of := (&verify.ListVerificationAttemptParams{}).SetVerificationSid(*verification.Sid)
	for _, attempt := range must(api.ListVerificationAttempt(of)) {
		attempts = append(attempts, *attempt.ConversionStatus)
	}
	met["attempts"] = attempts

	asked := (&verify.CreateNewFactorParams{}).SetFriendlyName("Ann").SetFactorType("totp")
	factor := must(api.CreateNewFactor(service, identity, asked.SetBindingSecret(os.Getenv("APP_SECRET"))))
	verified := must(api.UpdateFactor(service, identity, *factor.Sid, (&verify.UpdateFactorParams{}).SetAuthPayload(codes[0])))
	met["factor"] = []string{*factor.Status, *verified.Status}
	answer := (&verify.CreateChallengeParams{}).SetFactorSid(*factor.Sid).SetAuthPayload(codes[1])
	met["challenge"] = *must(api.CreateChallenge(service, identity, answer)).Status

	fmt.Println(string(must(json.Marshal(met))))
}
