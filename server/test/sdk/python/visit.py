"""What a backend does with Twilio Verify, by Twilio's own SDK. Prints what it met."""

import json
import os
import re
import urllib.parse
import urllib.request

from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

server = os.environ["VERIFY_URL"]

client = Client(os.environ["ACCOUNT_SID"], os.environ["AUTH_TOKEN"])
client.verify.base_url = server

to, other = os.environ["NUMBERS"].split(",")
first, second = os.environ["APP_CODES"].split(",")
identity = "ff483d1ff591898a9942916050d2ca3f"


def sent(number):
    """The code of the newest message to a number."""
    with urllib.request.urlopen(f"{server}/dev/inbox/messages?to={urllib.parse.quote(number)}") as answer:
        return re.search(r"\b\d{6}\b", json.load(answer)["data"][0]["body"]).group()


def refusal(ask):
    try:
        ask()
    except TwilioRestException as error:
        return [error.status, error.code]


service = client.verify.v2.services.create(friendly_name="Acme")
verify = client.verify.v2.services(service.sid)

for name in ["session", "end_user_ip"]:
    limit = verify.rate_limits.create(unique_name=name)
    verify.rate_limits(limit.sid).buckets.create(max=1, interval=60)
names = [limit.unique_name for limit in verify.rate_limits.list(page_size=1)]

values = json.dumps({"end_user_ip": "192.0.2.1"})
verification = verify.verifications.create(to=to, channel="sms", rate_limits=values)
limited = refusal(lambda: verify.verifications.create(to=other, channel="sms", rate_limits=values))

code = sent(to)
wrong = verify.verification_checks.create(to=to, code="000000" if code != "000000" else "000001")
right = verify.verification_checks.create(to=to, code=code)
ended = refusal(lambda: verify.verification_checks.create(to=to, code=code))
attempts = client.verify.v2.verification_attempts.list(verification_sid=verification.sid)

factors = verify.entities(identity)
factor = factors.new_factors.create(
    friendly_name="Ann", factor_type="totp", binding_secret=os.environ["APP_SECRET"]
)
verified = factors.factors(factor.sid).update(auth_payload=first)
challenge = factors.challenges.create(factor_sid=factor.sid, auth_payload=second)

print(
    json.dumps(
        {
            "names": sorted(names),
            "pending": verification.status,
            "limited": limited,
            "wrong": [wrong.status, wrong.valid],
            "right": [right.status, right.valid],
            "isSame": right.sid == verification.sid,
            "ended": ended,
            "attempts": [attempt.conversion_status for attempt in attempts],
            "factor": [factor.status, verified.status],
            "challenge": challenge.status,
        }
    )
)
