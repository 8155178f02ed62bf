/**
 * The verbs that take more than one look at the data. Each is one statement for the server and one transaction: it
 * locks what it decides about, and reads the clock after it has the lock.
 *
 * While a new version is rolled out, servers of two versions call them at once. So a function that has been released
 * keeps its meaning: a verb that changes gets a new function, and the old one goes with the version after.
 *
 * `p_now` stands for the clock in tests; a server passes null. `p_until` is when the caller gives up: a statement that
 * has waited longer, behind others on its connection or for a lock, changes nothing, because its caller has been refused.
 */
export const FUNCTIONS_1 = `
CREATE FUNCTION countersign.now_ms() RETURNS bigint LANGUAGE sql VOLATILE
AS $$ SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;

CREATE FUNCTION countersign.in_time(t bigint, p_until bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF t > p_until THEN
    RAISE EXCEPTION 'nobody waits for this any more' USING ERRCODE = 'query_canceled';
  END IF;
END $$;

-- When a rule over a log of hits (newest first) has room; now when it has. See limits/window.ts.
CREATE FUNCTION countersign.room_at(hits bigint[], hits_max int, window_ms bigint, since bigint, t bigint)
RETURNS bigint LANGUAGE sql IMMUTABLE
AS $$
  SELECT CASE WHEN hits[hits_max] IS NULL OR hits[hits_max] < since THEN t ELSE least(hits[hits_max], t) + window_ms END
$$;

-- Inserts a verification complete, or returns the pending one that was there first.
CREATE FUNCTION countersign.open(
  p_id text, p_service text, p_phone text, p_country text, p_channel text, p_purpose text, p_locale text,
  p_status text, p_key_id text, p_digest bytea, p_code_length int, p_guesses_max int, p_sends int, p_sends_max int,
  p_ttl_ms bigint, p_cooldown_ms bigint, p_nonce text, p_metadata text, p_decision text,
  p_send_id text, p_send_provider text, p_lease_ms bigint, p_claim text, p_now bigint, p_until bigint
) RETURNS SETOF countersign.verifications LANGUAGE plpgsql AS $$
DECLARE
  v countersign.verifications;
  t bigint;
BEGIN
  LOOP
    t := coalesce(p_now, countersign.now_ms());
    SELECT * INTO v FROM countersign.verifications
      WHERE phone = p_phone AND service = p_service AND purpose = p_purpose AND status = 'pending';
    IF FOUND AND v.expires_at > t THEN
      RETURN NEXT v;
      RETURN;
    END IF;
    IF FOUND THEN
      UPDATE countersign.verifications SET status = 'expired', decided_at = expires_at
        WHERE id = v.id AND status = 'pending';
    END IF;
    INSERT INTO countersign.verifications (id, service, phone, country, channel, purpose, locale, status, key_id,
        digest, code_length, guesses, guesses_max, sends, sends_max, created_at, expires_at, resend_at, decided_at,
        nonce, metadata, decision)
      VALUES (p_id, p_service, p_phone, p_country, p_channel, p_purpose, p_locale, p_status, p_key_id,
        p_digest, p_code_length, 0, p_guesses_max, p_sends, p_sends_max, t, t + p_ttl_ms, t + p_cooldown_ms,
        CASE WHEN p_status <> 'pending' THEN t END, p_nonce, p_metadata, p_decision)
      ON CONFLICT (phone, service, purpose) WHERE status = 'pending' DO NOTHING
      RETURNING * INTO v;
    EXIT WHEN FOUND;
  END LOOP;
  PERFORM countersign.in_time(coalesce(p_now, countersign.now_ms()), p_until);
  IF p_send_id IS NOT NULL THEN
    INSERT INTO countersign.sends (owner, id, provider, channel, status, at, lease_until)
      VALUES (p_id, p_send_id, p_send_provider, p_channel, 'sending', t, t + p_lease_ms);
  END IF;
  IF p_claim IS NOT NULL THEN
    UPDATE countersign.claims SET verification_id = p_id WHERE key = p_claim;
  END IF;
  RETURN NEXT v;
END $$;

CREATE TYPE countersign.judgement AS (
  verdict text, opens_at bigint, t bigint, verification countersign.verifications
);

-- Counts a guess, compares it and decides. No row: the service has no such verification.
CREATE FUNCTION countersign.judge(
  p_id text, p_service text, p_digests bytea[], p_budget int, p_budget_ms bigint, p_unlimited text[], p_now bigint,
  p_until bigint
) RETURNS SETOF countersign.judgement LANGUAGE plpgsql AS $$
DECLARE
  v countersign.verifications;
  t bigint;
  opens_at bigint;
  spent bigint[];
  is_right boolean;
  is_limited boolean;
BEGIN
  -- What has ended stays so: a flood of guesses at it locks and writes nothing.
  SELECT * INTO v FROM countersign.verifications WHERE id = p_id AND service = p_service;
  IF v.status = 'pending' THEN
    SELECT * INTO v FROM countersign.verifications WHERE id = p_id FOR UPDATE;
  END IF;
  IF v.id IS NULL THEN
    RETURN;
  END IF;
  t := coalesce(p_now, countersign.now_ms());
  IF v.status = 'pending' AND v.expires_at <= t THEN
    -- Written down, so that a clock set back does not bring it to life again.
    UPDATE countersign.verifications SET status = 'expired', decided_at = expires_at WHERE id = p_id
      RETURNING * INTO v;
  END IF;
  IF v.status <> 'pending' THEN
    RETURN NEXT ROW('ended', NULL, t, v)::countersign.judgement;
    RETURN;
  END IF;
  PERFORM countersign.in_time(t, p_until);
  is_right := v.digest = ANY (p_digests);
  is_limited := NOT v.phone = ANY (p_unlimited);
  IF is_limited THEN
    SELECT hits INTO spent FROM countersign.guess_budgets WHERE phone = v.phone FOR UPDATE;
    IF NOT FOUND AND NOT is_right THEN
      -- Wrong guesses at other verifications of the number must wait for this one, so there must be a row to lock.
      INSERT INTO countersign.guess_budgets (phone, hits, expires_at) VALUES (v.phone, '{}', t + p_budget_ms)
        ON CONFLICT DO NOTHING;
      SELECT hits INTO spent FROM countersign.guess_budgets WHERE phone = v.phone FOR UPDATE;
    END IF;
    opens_at := countersign.room_at(spent, p_budget, p_budget_ms, 0, t);
    IF opens_at > t THEN
      RETURN NEXT ROW('budget_spent', opens_at, t, v)::countersign.judgement;
      RETURN;
    END IF;
  END IF;
  UPDATE countersign.verifications
    SET guesses = guesses + 1,
      status = CASE WHEN is_right THEN 'approved' WHEN guesses + 1 >= guesses_max THEN 'locked' ELSE status END,
      decided_at = CASE WHEN is_right OR guesses + 1 >= guesses_max THEN t ELSE decided_at END
    WHERE id = p_id
    RETURNING * INTO v;
  IF is_limited AND NOT is_right THEN
    UPDATE countersign.guess_budgets SET hits = (t || spent)[1:p_budget], expires_at = t + p_budget_ms
      WHERE phone = v.phone;
  END IF;
  RETURN NEXT ROW(CASE WHEN is_right THEN 'approved' ELSE 'wrong_code' END, NULL, t, v)::countersign.judgement;
END $$;

-- Takes a hit on every counter or on none. A rule is one place in each of the four arrays after the keys; its counter
-- is a place among the keys. "refused" is the place of the rule that refuses, with the longest wait of the first
-- counter that has no room.
CREATE FUNCTION countersign.take(
  p_keys text[], p_counters int[], p_limits int[], p_windows bigint[], p_sinces bigint[], p_now bigint,
  OUT at bigint, OUT refused int, OUT opens_at bigint
) LANGUAGE plpgsql AS $$
DECLARE
  wanted int := cardinality(p_keys);
  held int;
  made text[];
  log bigint[];
  room bigint;
  lives bigint[];
  sizes int[];
BEGIN
  SELECT array_agg(life ORDER BY counter), array_agg(size ORDER BY counter) INTO lives, sizes
    FROM (SELECT counter, max(window_ms) AS life, max(hits_max) AS size
      FROM unnest(p_counters, p_windows, p_limits) AS rules (counter, window_ms, hits_max) GROUP BY counter) AS c;
  -- Looked at twice: what is refused as it stands needs no lock, so that a flood of hits at a spent counter writes
  -- nothing; what is not is decided with the counters locked.
  FOR look IN 1..2 LOOP
    -- Locked in the order of their keys, whoever asks, so that two never wait for each other. The clock is read after.
    WHILE look = 2 LOOP
      PERFORM 1 FROM countersign.counters WHERE key = ANY (p_keys) ORDER BY key FOR UPDATE;
      GET DIAGNOSTICS held = ROW_COUNT;
      EXIT WHEN held = wanted;
      IF held > 0 THEN
        INSERT INTO countersign.counters (key, hits, expires_at)
          SELECT key, '{}', 0 FROM unnest(p_keys) AS key ORDER BY key ON CONFLICT DO NOTHING;
        CONTINUE;
      END IF;
      -- Nothing is counted yet on any, so there is room on all; unless somebody has made one of them meanwhile.
      at := coalesce(p_now, countersign.now_ms());
      WITH fresh AS (
        INSERT INTO countersign.counters (key, hits, expires_at)
          SELECT key, ARRAY[at], at + life FROM unnest(p_keys, lives) AS k (key, life) ORDER BY key
          ON CONFLICT DO NOTHING RETURNING key
      )
      SELECT array_agg(key) INTO made FROM fresh;
      IF cardinality(made) = wanted THEN
        RETURN;
      END IF;
      DELETE FROM countersign.counters WHERE key = ANY (made);
    END LOOP;
    at := coalesce(p_now, countersign.now_ms());
    FOR n IN 1..wanted LOOP
      SELECT hits INTO log FROM countersign.counters WHERE key = p_keys[n];
      IF log[1] > at THEN
        EXIT WHEN look = 1;
        -- The clock was set back: kept as now, so that no jump locks a counter for longer than its window.
        log := ARRAY(SELECT least(hit, at) FROM unnest(log) WITH ORDINALITY AS h (hit, place) ORDER BY place);
        UPDATE countersign.counters SET hits = log WHERE key = p_keys[n];
      END IF;
      FOR r IN 1..cardinality(p_limits) LOOP
        CONTINUE WHEN p_counters[r] <> n;
        room := countersign.room_at(log, p_limits[r], p_windows[r], p_sinces[r], at);
        IF room > at AND (opens_at IS NULL OR room > opens_at) THEN
          opens_at := room;
          refused := r;
        END IF;
      END LOOP;
      IF refused IS NOT NULL THEN
        RETURN;
      END IF;
    END LOOP;
  END LOOP;
  UPDATE countersign.counters AS c SET hits = (at || c.hits)[1:size], expires_at = at + life
    FROM unnest(p_keys, sizes, lives) AS k (key, size, life) WHERE c.key = k.key;
END $$;

CREATE TYPE countersign.opening AS (
  refused int, opens_at bigint, taken_at bigint, verification countersign.verifications
);

-- Everything that a start decides: finds what is pending, or takes a hit on every counter and opens. The newest
-- approval of the number ends what the rule at p_waits counts.
CREATE FUNCTION countersign.open_charged(
  p_id text, p_service text, p_phone text, p_country text, p_channel text, p_purpose text, p_locale text,
  p_status text, p_key_id text, p_digest bytea, p_code_length int, p_guesses_max int, p_sends int, p_sends_max int,
  p_ttl_ms bigint, p_cooldown_ms bigint, p_nonce text, p_metadata text, p_decision text,
  p_send_id text, p_send_provider text, p_lease_ms bigint, p_claim text, p_now bigint, p_until bigint,
  p_keys text[], p_counters int[], p_limits int[], p_windows bigint[], p_waits int
) RETURNS SETOF countersign.opening LANGUAGE plpgsql AS $$
DECLARE
  v countersign.verifications;
  hit record;
  t bigint := coalesce(p_now, countersign.now_ms());
  sinces bigint[] := array_fill(0::bigint, ARRAY[cardinality(p_limits)]);
BEGIN
  SELECT * INTO v FROM countersign.verifications
    WHERE phone = p_phone AND service = p_service AND purpose = p_purpose AND status = 'pending';
  IF FOUND AND v.expires_at > t THEN
    RETURN NEXT ROW(NULL, NULL, NULL, v)::countersign.opening;
    RETURN;
  END IF;
  SELECT * INTO v FROM countersign.verifications WHERE phone = p_phone ORDER BY id DESC LIMIT 1;
  -- An approval from the future means that the clock was set back; it ends no wait.
  IF FOUND AND v.status = 'approved' AND v.decided_at <= t THEN
    sinces[p_waits] := v.decided_at;
  END IF;
  SELECT * INTO hit FROM countersign.take(p_keys, p_counters, p_limits, p_windows, sinces, p_now);
  IF hit.refused IS NOT NULL THEN
    RETURN NEXT ROW(hit.refused, hit.opens_at, hit.at, NULL)::countersign.opening;
    RETURN;
  END IF;
  SELECT * INTO v FROM countersign.open(p_id, p_service, p_phone, p_country, p_channel, p_purpose, p_locale,
    p_status, p_key_id, p_digest, p_code_length, p_guesses_max, p_sends, p_sends_max, p_ttl_ms, p_cooldown_ms,
    p_nonce, p_metadata, p_decision, p_send_id, p_send_provider, p_lease_ms, p_claim, p_now, p_until);
  IF v.id <> p_id THEN
    -- Another start was first. The hit just taken is the newest, and nobody else had the counters since.
    UPDATE countersign.counters SET hits = hits[2:] WHERE key = ANY (p_keys);
    hit.at := NULL;
  END IF;
  RETURN NEXT ROW(NULL, NULL, hit.at, v)::countersign.opening;
END $$;

-- Claims an idempotency key, or tells who has it.
CREATE FUNCTION countersign.claim(
  p_key text, p_fingerprint text, p_lease_ms bigint, p_keep_ms bigint, p_now bigint,
  OUT state text, OUT verification_id text, OUT answer text
) LANGUAGE plpgsql AS $$
DECLARE
  c countersign.claims;
  t bigint;
BEGIN
  LOOP
    t := coalesce(p_now, countersign.now_ms());
    INSERT INTO countersign.claims (key, fingerprint, expires_at, lease_until)
      VALUES (p_key, p_fingerprint, t + p_keep_ms, t + p_lease_ms) ON CONFLICT DO NOTHING;
    IF FOUND THEN
      state := 'mine';
      RETURN;
    END IF;
    SELECT * INTO c FROM countersign.claims AS held WHERE held.key = p_key FOR UPDATE;
    CONTINUE WHEN NOT FOUND;
    t := coalesce(p_now, countersign.now_ms());
    EXIT WHEN c.expires_at > t;
    DELETE FROM countersign.claims AS held WHERE held.key = p_key;
  END LOOP;
  IF c.fingerprint <> p_fingerprint THEN
    state := 'conflict';
  ELSIF c.answer IS NOT NULL THEN
    state := 'done';
    answer := c.answer;
  ELSIF c.lease_until > t THEN
    state := 'busy';
  ELSIF c.verification_id IS NOT NULL THEN
    state := 'opened';
    verification_id := c.verification_id;
  ELSE
    UPDATE countersign.claims AS held SET lease_until = t + p_lease_ms WHERE held.key = p_key;
    state := 'mine';
  END IF;
END $$;
`
