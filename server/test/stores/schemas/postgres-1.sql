-- Schema 1 of Postgres as it was released, with its functions. Never edited: see upgrades.test.ts.

  CREATE TABLE countersign.verifications (
    id text PRIMARY KEY,
    service text NOT NULL,
    phone text NOT NULL,
    country text NOT NULL,
    channel text NOT NULL,
    purpose text NOT NULL,
    locale text,
    status text NOT NULL,
    key_id text NOT NULL,
    digest bytea NOT NULL,
    code_length int NOT NULL,
    guesses int NOT NULL,
    guesses_max int NOT NULL,
    sends int NOT NULL,
    sends_max int NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    resend_at bigint NOT NULL,
    decided_at bigint,
    nonce text,
    metadata text,
    decision text NOT NULL
  ) WITH (fillfactor = 85);
  CREATE UNIQUE INDEX verifications_pending ON countersign.verifications (phone, service, purpose)
    WHERE status = 'pending';
  CREATE INDEX verifications_phone ON countersign.verifications (phone, id);

  CREATE TABLE countersign.guess_budgets (
    phone text PRIMARY KEY,
    hits bigint[] NOT NULL,
    expires_at bigint NOT NULL
  ) WITH (fillfactor = 70);

  CREATE TABLE countersign.counters (
    key text PRIMARY KEY,
    hits bigint[] NOT NULL,
    expires_at bigint NOT NULL
  ) WITH (fillfactor = 70);

  -- Begins where rows that another store has numbered by hand have ended.
  CREATE SEQUENCE countersign.sends_seq START 1000;
  CREATE TABLE countersign.sends (
    owner text NOT NULL,
    seq bigint NOT NULL DEFAULT nextval('countersign.sends_seq'),
    id text NOT NULL,
    provider text NOT NULL,
    channel text NOT NULL,
    sender text,
    country text NOT NULL DEFAULT 'ZZ',
    cause text NOT NULL DEFAULT 'start',
    status text NOT NULL,
    error text,
    vendor_code text,
    ref text,
    at bigint NOT NULL,
    delivered_at bigint,
    price text,
    currency text,
    history text,
    lease_until bigint,
    fence int NOT NULL DEFAULT 1,
    PRIMARY KEY (owner, seq)
  ) WITH (fillfactor = 85);
  -- Holds the sends that something must be done about: those under way, and those that are watched.
  CREATE INDEX sends_due ON countersign.sends (lease_until) WHERE lease_until IS NOT NULL;
  -- Receipts find their send by the vendor's id, or by ours where the answer was lost.
  CREATE INDEX sends_ref ON countersign.sends (ref) WHERE ref IS NOT NULL;
  CREATE INDEX sends_lost ON countersign.sends (id) WHERE status IN ('unknown', 'refused');

  -- Those that wait for their send.
  CREATE TABLE countersign.receipts (
    provider text NOT NULL,
    ref text NOT NULL,
    progress text NOT NULL,
    send text,
    error text,
    vendor_code text,
    at bigint,
    price text,
    currency text,
    tried_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    PRIMARY KEY (ref, provider, progress)
  ) WITH (fillfactor = 70);
  CREATE INDEX receipts_tried ON countersign.receipts (tried_at);
  CREATE INDEX receipts_expiry ON countersign.receipts (expires_at);

  CREATE TABLE countersign.messages (
    id text PRIMARY KEY,
    service text NOT NULL,
    phone text NOT NULL,
    channel text NOT NULL,
    template text,
    segments int NOT NULL,
    created_at bigint NOT NULL
  );

  CREATE TABLE countersign.claims (
    key text PRIMARY KEY,
    fingerprint text NOT NULL,
    verification_id text,
    answer text,
    expires_at bigint NOT NULL,
    lease_until bigint NOT NULL
  ) WITH (fillfactor = 70);

  CREATE TABLE countersign.api_keys (
    id text PRIMARY KEY,
    service text NOT NULL,
    kind text NOT NULL,
    hash text NOT NULL UNIQUE,
    hint text NOT NULL,
    origins text NOT NULL,
    created_at bigint NOT NULL,
    revoked_at bigint
  );

  CREATE TABLE countersign.users (
    id text PRIMARY KEY,
    email text,
    name text,
    phone text,
    phone_verified_at bigint,
    status text NOT NULL,
    password_hash text,
    second_factors text,
    devices text NOT NULL DEFAULT '[]',
    version int NOT NULL DEFAULT 0,
    created_at bigint NOT NULL
  ) WITH (fillfactor = 85);
  -- Whoever has a number or an e-mail is the only one, which is what sign-ins of two processes at once rest on.
  CREATE UNIQUE INDEX users_phone ON countersign.users (phone) WHERE phone IS NOT NULL;
  CREATE UNIQUE INDEX users_email ON countersign.users (email) WHERE email IS NOT NULL;
  -- Few are shut, and whoever asks for them must not read all the others.
  CREATE INDEX users_status ON countersign.users (status, id);

  CREATE TABLE countersign.sessions (
    id text PRIMARY KEY,
    user_id text NOT NULL,
    amr text NOT NULL,
    auth_at bigint NOT NULL,
    factor_at bigint,
    created_at bigint NOT NULL,
    used_at bigint NOT NULL,
    address text NOT NULL,
    agent text NOT NULL,
    generation int NOT NULL,
    rotated_at bigint,
    expires_at bigint NOT NULL,
    idle_until bigint NOT NULL
  );
  CREATE INDEX sessions_user ON countersign.sessions (user_id, id);
  CREATE INDEX sessions_expiry ON countersign.sessions (idle_until);

  CREATE TABLE countersign.tickets (
    id text NOT NULL,
    kind text NOT NULL,
    user_id text,
    data text NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    PRIMARY KEY (id, kind)
  );
  CREATE INDEX tickets_user ON countersign.tickets (user_id) WHERE user_id IS NOT NULL;
  CREATE INDEX tickets_expiry ON countersign.tickets (expires_at);

  CREATE TABLE countersign.auth_events (
    id text PRIMARY KEY,
    type text NOT NULL,
    user_id text,
    session_id text,
    actor text NOT NULL,
    key_id text,
    address text,
    agent text,
    data text NOT NULL,
    at bigint NOT NULL
  );
  CREATE INDEX auth_events_user ON countersign.auth_events (user_id, id) WHERE user_id IS NOT NULL;
  CREATE INDEX auth_events_type ON countersign.auth_events (type, id);

  -- What the processes have judged, a row a second.
  CREATE TABLE countersign.tallies (
    slot bigint PRIMARY KEY,
    judged bigint NOT NULL,
    wrong bigint NOT NULL,
    expires_at bigint NOT NULL
  );

  -- Work that one process at a time does for all.
  CREATE TABLE countersign.leases (
    name text PRIMARY KEY,
    lease_until bigint NOT NULL
  );
  
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

-- Whether a hit on these counters is refused: the place of the rule, with the longest wait of the first counter that
-- has no room. A rule is one place in each of the four arrays after the keys; its counter is a place among the keys.
-- "is_ahead" tells of hits from the future, which "hold" puts right.
CREATE FUNCTION countersign.refusal(
  p_keys text[], p_counters int[], p_limits int[], p_windows bigint[], p_sinces bigint[], t bigint,
  OUT refused int, OUT opens_at bigint, OUT is_ahead boolean
) LANGUAGE plpgsql AS $$
DECLARE
  log bigint[];
  room bigint;
BEGIN
  is_ahead := false;
  FOR n IN 1..cardinality(p_keys) LOOP
    SELECT hits INTO log FROM countersign.counters WHERE key = p_keys[n];
    is_ahead := is_ahead OR coalesce(log[1] > t, false);
    FOR r IN 1..cardinality(p_limits) LOOP
      CONTINUE WHEN p_counters[r] <> n;
      room := countersign.room_at(log, p_limits[r], p_windows[r], p_sinces[r], t);
      IF room > t AND (opens_at IS NULL OR room > opens_at) THEN
        opens_at := room;
        refused := r;
      END IF;
    END LOOP;
    EXIT WHEN refused IS NOT NULL;
  END LOOP;
END $$;

-- Locks counters, making those that are missing, and returns the time. First all are made and then all are locked,
-- each in the order of the keys: whoever locked some before it made others could be waited for by who makes them.
CREATE FUNCTION countersign.hold(p_keys text[], p_now bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  t bigint;
  wanted int;
  held int;
BEGIN
  SELECT count(DISTINCT key) INTO wanted FROM unnest(p_keys) AS key;
  LOOP
    INSERT INTO countersign.counters (key, hits, expires_at)
      SELECT DISTINCT key, '{}'::bigint[], 0 FROM unnest(p_keys) AS key ORDER BY key ON CONFLICT DO NOTHING;
    PERFORM 1 FROM countersign.counters WHERE key = ANY (p_keys) ORDER BY key FOR UPDATE;
    GET DIAGNOSTICS held = ROW_COUNT;
    -- A sweep may take one away in between.
    EXIT WHEN held = wanted;
  END LOOP;
  t := coalesce(p_now, countersign.now_ms());
  -- The clock was set back: kept as now, so that no jump locks a counter for longer than its window.
  UPDATE countersign.counters
    SET hits = ARRAY(SELECT least(hit, t) FROM unnest(hits) WITH ORDINALITY AS h (hit, place) ORDER BY place)
    WHERE key = ANY (p_keys) AND hits[1] > t;
  RETURN t;
END $$;

-- Counts a hit on counters that are held.
CREATE FUNCTION countersign.hit(p_keys text[], p_sizes int[], p_lives bigint[], t bigint)
RETURNS void LANGUAGE sql AS $$
  UPDATE countersign.counters AS c SET hits = (t || c.hits)[1:size], expires_at = t + life
    FROM unnest(p_keys, p_sizes, p_lives) AS k (key, size, life) WHERE c.key = k.key
$$;

-- Takes hits, each on every counter of its own or on none.
CREATE FUNCTION countersign.take(p_takes json, p_now bigint, p_until bigint)
RETURNS TABLE (n int, refused int, opens_at bigint, at bigint)
LANGUAGE plpgsql SET enable_seqscan = off SET lock_timeout = '500ms' AS $$
DECLARE
  k record;
  hit record;
  keys text[] := '{}';
  rest int[] := '{}';
BEGIN
  -- What is refused as it stands needs no lock, so that a flood of hits at a spent counter writes nothing.
  at := coalesce(p_now, countersign.now_ms());
  FOR k IN SELECT * FROM json_to_recordset(p_takes) AS o (n int, keys text[], places int[], limits int[],
    windows bigint[], sinces bigint[]) ORDER BY o.n
  LOOP
    n := k.n;
    SELECT * INTO hit FROM countersign.refusal(k.keys, k.places, k.limits, k.windows, k.sinces, at);
    IF hit.refused IS NOT NULL AND NOT hit.is_ahead THEN
      refused := hit.refused;
      opens_at := hit.opens_at;
      RETURN NEXT;
    ELSE
      rest := rest || k.n;
      keys := keys || k.keys;
    END IF;
  END LOOP;
  IF cardinality(rest) = 0 THEN
    RETURN;
  END IF;
  at := countersign.hold(keys, p_now);
  FOR k IN SELECT * FROM json_to_recordset(p_takes) AS o (n int, keys text[], sizes int[], lives bigint[],
    places int[], limits int[], windows bigint[], sinces bigint[]) WHERE o.n = ANY (rest) ORDER BY o.n
  LOOP
    n := k.n;
    SELECT * INTO hit FROM countersign.refusal(k.keys, k.places, k.limits, k.windows, k.sinces, at);
    refused := hit.refused;
    opens_at := hit.opens_at;
    IF refused IS NULL THEN
      PERFORM countersign.hit(k.keys, k.sizes, k.lives, at);
    END IF;
    RETURN NEXT;
  END LOOP;
  PERFORM countersign.in_time(coalesce(p_now, countersign.now_ms()), p_until);
END $$;

-- Gives hits back, each of some counters and of a time. A row keeps its life: an empty log is swept with the rest.
CREATE FUNCTION countersign.give(p_gives json) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off SET lock_timeout = '500ms' AS $$
DECLARE
  g record;
BEGIN
  PERFORM 1 FROM countersign.counters AS c
    WHERE c.key IN (
      SELECT json_array_elements_text(o.keys) FROM json_to_recordset(p_gives) AS o (keys json)
    )
    ORDER BY c.key FOR UPDATE;
  FOR g IN SELECT * FROM json_to_recordset(p_gives) AS o (keys text[], at bigint)
  LOOP
    UPDATE countersign.counters AS c
      SET hits = c.hits[:array_position(c.hits, g.at) - 1] || c.hits[array_position(c.hits, g.at) + 1:]
      WHERE c.key = ANY (g.keys) AND g.at = ANY (c.hits);
  END LOOP;
END $$;

-- What an answer tells of a verification; the digest stays in the database.
CREATE FUNCTION countersign.told(v countersign.verifications) RETURNS json LANGUAGE sql STABLE AS $$
  SELECT json_build_object('id', v.id, 'service', v.service, 'phone', v.phone, 'country', v.country,
    'channel', v.channel, 'purpose', v.purpose, 'locale', v.locale, 'status', v.status, 'key_id', v.key_id,
    'code_length', v.code_length, 'guesses', v.guesses, 'guesses_max', v.guesses_max, 'sends', v.sends,
    'sends_max', v.sends_max, 'created_at', v.created_at, 'expires_at', v.expires_at, 'resend_at', v.resend_at,
    'decided_at', v.decided_at, 'nonce', v.nonce, 'metadata', v.metadata)
$$;

CREATE FUNCTION countersign.told_send(s countersign.sends) RETURNS json LANGUAGE sql STABLE AS $$
  SELECT json_build_object('id', s.id, 'owner', s.owner, 'provider', s.provider, 'channel', s.channel,
    'sender', s.sender, 'country', s.country, 'cause', s.cause, 'status', s.status, 'error', s.error,
    'vendor_code', s.vendor_code, 'ref', s.ref, 'at', s.at, 'delivered_at', s.delivered_at, 'price', s.price,
    'currency', s.currency, 'history', s.history)
$$;

-- What is pending, or else newest, of a number, service and purpose, and how the newest of the number ended.
CREATE FUNCTION countersign.situation(p_asked json, p_now bigint)
RETURNS TABLE (n int, t bigint, newest_status text, newest_decided_at bigint, current json)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  a record;
  v countersign.verifications;
BEGIN
  t := coalesce(p_now, countersign.now_ms());
  FOR a IN SELECT * FROM json_to_recordset(p_asked) AS o (n int, service text, phone text, purpose text)
  LOOP
    n := a.n;
    SELECT p.status, p.decided_at INTO newest_status, newest_decided_at FROM countersign.verifications AS p
      WHERE p.phone = a.phone ORDER BY p.id DESC LIMIT 1;
    SELECT * INTO v FROM countersign.verifications AS p WHERE p.phone = a.phone AND p.service = a.service
      AND p.purpose = a.purpose AND p.status = 'pending' AND p.expires_at > t;
    IF v.id IS NULL THEN
      SELECT * INTO v FROM countersign.verifications AS p WHERE p.phone = a.phone AND p.service = a.service
        AND p.purpose = a.purpose ORDER BY p.id DESC LIMIT 1;
    END IF;
    current := CASE WHEN v.id IS NOT NULL THEN countersign.told(v) END;
    RETURN NEXT;
  END LOOP;
END $$;

-- Opens verifications, each complete with its send and its claim, and takes a hit on every counter of each; or tells
-- which rule refuses, or what is pending already ("current"). The newest approval of a number ends what the rule at
-- "waits" counts.
CREATE FUNCTION countersign.open(p_drafts json, p_now bigint, p_until bigint)
RETURNS TABLE (n int, is_opened boolean, refused int, opens_at bigint, at bigint, current json)
LANGUAGE plpgsql SET enable_seqscan = off SET lock_timeout = '500ms' AS $$
DECLARE
  d record;
  v countersign.verifications;
  hit record;
  approvals bigint[] := '{}';
  sinces bigint[];
  keys text[] := '{}';
  rest int[] := '{}';
  stale text[] := '{}';
BEGIN
  at := coalesce(p_now, countersign.now_ms());
  -- What is refused or found as it stands needs no lock, so that a flood of starts writes nothing.
  FOR d IN SELECT * FROM json_to_recordset(p_drafts) AS o (n int, phone text, service text, purpose text,
    keys text[], places int[], limits int[], windows bigint[], waits int) ORDER BY o.n
  LOOP
    n := d.n;
    is_opened := false;
    SELECT * INTO v FROM countersign.verifications AS p
      WHERE p.phone = d.phone AND p.service = d.service AND p.purpose = d.purpose AND p.status = 'pending';
    IF FOUND AND v.expires_at > at THEN
      current := countersign.told(v);
      RETURN NEXT;
      current := NULL;
      CONTINUE;
    END IF;
    IF FOUND THEN
      stale := stale || v.id;
    END IF;
    approvals[d.n] := 0;
    IF d.waits > 0 THEN
      SELECT * INTO v FROM countersign.verifications AS p WHERE p.phone = d.phone ORDER BY p.id DESC LIMIT 1;
      -- An approval from the future means that the clock was set back; it ends no wait.
      IF FOUND AND v.status = 'approved' AND v.decided_at <= at THEN
        approvals[d.n] := v.decided_at;
      END IF;
    END IF;
    sinces := array_fill(0::bigint, ARRAY[cardinality(d.limits)]);
    sinces[d.waits] := approvals[d.n];
    SELECT * INTO hit FROM countersign.refusal(d.keys, d.places, d.limits, d.windows, sinces, at);
    IF hit.refused IS NOT NULL AND NOT hit.is_ahead THEN
      refused := hit.refused;
      opens_at := hit.opens_at;
      RETURN NEXT;
      refused := NULL;
      opens_at := NULL;
      CONTINUE;
    END IF;
    rest := rest || d.n;
    keys := keys || d.keys;
  END LOOP;
  IF cardinality(rest) = 0 THEN
    RETURN;
  END IF;
  IF cardinality(keys) > 0 THEN
    at := countersign.hold(keys, p_now);
  END IF;
  -- Before anything is opened: who opens a slot can be waited for by who has locked what expired.
  IF cardinality(stale) > 0 THEN
    PERFORM 1 FROM countersign.verifications AS p WHERE p.id = ANY (stale) ORDER BY p.id FOR UPDATE;
  END IF;
  -- In the order of what must be alone: two that open the same wait for each other in it.
  FOR d IN SELECT * FROM json_to_recordset(p_drafts) AS o (n int, id text, service text, phone text, country text,
    channel text, purpose text, locale text, status text, key_id text, digest bytea, code_length int, guesses_max int,
    sends_max int, ttl_ms bigint, cooldown_ms bigint, nonce text, metadata text, decision text, send_id text,
    send_provider text, send_channel text, send_sender text, send_country text, send_cause text, send_price text,
    send_currency text, lease_ms bigint, claim text, keys text[], sizes int[], lives bigint[], places int[],
    limits int[], windows bigint[], waits int)
    WHERE o.n = ANY (rest) ORDER BY o.phone, o.service, o.purpose, o.n
  LOOP
    n := d.n;
    is_opened := false;
    sinces := array_fill(0::bigint, ARRAY[cardinality(d.limits)]);
    sinces[d.waits] := approvals[d.n];
    SELECT * INTO hit FROM countersign.refusal(d.keys, d.places, d.limits, d.windows, sinces, at);
    IF hit.refused IS NOT NULL THEN
      refused := hit.refused;
      opens_at := hit.opens_at;
      RETURN NEXT;
      refused := NULL;
      opens_at := NULL;
      CONTINUE;
    END IF;
    LOOP
      INSERT INTO countersign.verifications (id, service, phone, country, channel, purpose, locale, status, key_id,
          digest, code_length, guesses, guesses_max, sends, sends_max, created_at, expires_at, resend_at, decided_at,
          nonce, metadata, decision)
        VALUES (d.id, d.service, d.phone, d.country, d.channel, d.purpose, d.locale, d.status, d.key_id,
          d.digest, d.code_length, 0, d.guesses_max, CASE WHEN d.status = 'blocked' THEN 0 ELSE 1 END, d.sends_max,
          at, at + d.ttl_ms, at + d.cooldown_ms, CASE WHEN d.status <> 'pending' THEN at END, d.nonce, d.metadata,
          d.decision)
        ON CONFLICT (phone, service, purpose) WHERE status = 'pending' DO NOTHING;
      is_opened := FOUND;
      EXIT WHEN is_opened;
      SELECT * INTO v FROM countersign.verifications AS p
        WHERE p.phone = d.phone AND p.service = d.service AND p.purpose = d.purpose AND p.status = 'pending';
      IF FOUND AND v.expires_at > at THEN
        current := countersign.told(v);
        EXIT;
      END IF;
      IF FOUND THEN
        UPDATE countersign.verifications AS p SET status = 'expired', decided_at = expires_at
          WHERE p.id = v.id AND p.status = 'pending';
      END IF;
    END LOOP;
    IF is_opened THEN
      IF cardinality(d.keys) > 0 THEN
        PERFORM countersign.hit(d.keys, d.sizes, d.lives, at);
      END IF;
      IF d.send_id IS NOT NULL THEN
        INSERT INTO countersign.sends (owner, id, provider, channel, sender, country, cause, price, currency, status,
            at, lease_until)
          VALUES (d.id, d.send_id, d.send_provider, d.send_channel, d.send_sender, d.send_country, d.send_cause,
            d.send_price, d.send_currency, 'sending', at, at + d.lease_ms);
      END IF;
      IF d.claim IS NOT NULL THEN
        UPDATE countersign.claims SET verification_id = d.id WHERE key = d.claim;
      END IF;
    END IF;
    RETURN NEXT;
    current := NULL;
  END LOOP;
  PERFORM countersign.in_time(coalesce(p_now, countersign.now_ms()), p_until);
END $$;

-- Locks what many guesses are judged by: the verifications, and then the budgets of their numbers. A wrong guess needs
-- a budget to lock, so there one is made.
CREATE FUNCTION countersign.hold_guesses(p_guesses json) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  ids text[];
BEGIN
  SELECT array_agg(g.id) INTO ids FROM json_to_recordset(p_guesses) AS g (id text);
  PERFORM 1 FROM countersign.verifications AS v WHERE v.id = ANY (ids) AND v.status = 'pending'
    ORDER BY v.id FOR UPDATE;
  INSERT INTO countersign.guess_budgets (phone, hits, expires_at)
    SELECT DISTINCT v.phone, '{}'::bigint[], 0
    FROM json_to_recordset(p_guesses) AS g (id text, service text, digests bytea[], unlimited text[])
    JOIN countersign.verifications AS v ON v.id = g.id
    WHERE v.service = g.service AND v.status = 'pending' AND v.digest <> ALL (g.digests)
      AND v.phone <> ALL (g.unlimited)
    ORDER BY v.phone ON CONFLICT DO NOTHING;
  PERFORM 1 FROM countersign.guess_budgets AS b
    WHERE b.phone IN (SELECT v.phone FROM countersign.verifications AS v WHERE v.id = ANY (ids))
    ORDER BY b.phone FOR UPDATE;
END $$;

-- Counts guesses, compares them and decides. No row: the service has no such verification.
CREATE FUNCTION countersign.judge(p_guesses json, p_now bigint, p_until bigint)
RETURNS TABLE (n int, verdict text, opens_at bigint, t bigint, verification json, sends json)
LANGUAGE plpgsql SET enable_seqscan = off SET lock_timeout = '500ms' AS $$
DECLARE
  g record;
  v countersign.verifications;
  spent bigint[];
  is_right boolean;
  is_limited boolean;
BEGIN
  IF json_array_length(p_guesses) > 1 THEN
    PERFORM countersign.hold_guesses(p_guesses);
  END IF;
  FOR g IN SELECT * FROM json_to_recordset(p_guesses) AS o (n int, id text, service text, digests bytea[], budget int,
    budget_ms bigint, unlimited text[])
  LOOP
    n := g.n;
    verdict := NULL;
    opens_at := NULL;
    -- What has ended stays so: a flood of guesses at it locks and writes nothing.
    SELECT * INTO v FROM countersign.verifications WHERE id = g.id AND service = g.service;
    IF v.status = 'pending' THEN
      SELECT * INTO v FROM countersign.verifications WHERE id = g.id FOR UPDATE;
    END IF;
    CONTINUE WHEN v.id IS NULL;
    t := coalesce(p_now, countersign.now_ms());
    IF v.status = 'pending' AND v.expires_at <= t THEN
      -- Written down, so that a clock set back does not bring it to life again.
      UPDATE countersign.verifications SET status = 'expired', decided_at = expires_at WHERE id = g.id
        RETURNING * INTO v;
    END IF;
    IF v.status <> 'pending' THEN
      verdict := 'ended';
    ELSE
      is_right := v.digest = ANY (g.digests);
      is_limited := NOT v.phone = ANY (g.unlimited);
      IF is_limited THEN
        SELECT hits INTO spent FROM countersign.guess_budgets WHERE phone = v.phone FOR UPDATE;
        IF NOT FOUND AND NOT is_right THEN
          -- Wrong guesses at other verifications of the number must wait for this one, so there must be a row to lock.
          INSERT INTO countersign.guess_budgets (phone, hits, expires_at) VALUES (v.phone, '{}', t + g.budget_ms)
            ON CONFLICT DO NOTHING;
          SELECT hits INTO spent FROM countersign.guess_budgets WHERE phone = v.phone FOR UPDATE;
        END IF;
        opens_at := countersign.room_at(spent, g.budget, g.budget_ms, 0, t);
        IF opens_at > t THEN
          verdict := 'budget_spent';
        END IF;
      END IF;
    END IF;
    IF verdict IS NULL THEN
      UPDATE countersign.verifications
        SET guesses = guesses + 1,
          status = CASE WHEN is_right THEN 'approved' WHEN guesses + 1 >= guesses_max THEN 'locked' ELSE status END,
          decided_at = CASE WHEN is_right OR guesses + 1 >= guesses_max THEN t ELSE decided_at END
        WHERE id = g.id
        RETURNING * INTO v;
      IF is_limited AND NOT is_right THEN
        UPDATE countersign.guess_budgets SET hits = (t || spent)[1:g.budget], expires_at = t + g.budget_ms
          WHERE phone = v.phone;
      END IF;
      verdict := CASE WHEN is_right THEN 'approved' ELSE 'wrong_code' END;
    END IF;
    verification := countersign.told(v);
    sends := (SELECT json_agg(countersign.told_send(s) ORDER BY s.seq) FROM countersign.sends AS s
      WHERE s.owner = g.id);
    RETURN NEXT;
  END LOOP;
  PERFORM countersign.in_time(coalesce(p_now, countersign.now_ms()), p_until);
END $$;

-- Keeps what became of sends, of whoever holds them still: its places are returned.
CREATE FUNCTION countersign.settle(p_sends json, p_now bigint) RETURNS SETOF int LANGUAGE sql SET enable_seqscan = off
AS $$
  UPDATE countersign.sends AS s
    SET status = o.status, error = o.error, vendor_code = o.vendor_code, ref = o.ref,
      price = coalesce(o.price, s.price), currency = coalesce(o.currency, s.currency),
      lease_until = coalesce(p_now, countersign.now_ms()) + o.watch_ms
    FROM json_to_recordset(p_sends) AS o (n int, owner text, id text, fence int, status text, error text,
      vendor_code text, ref text, price text, currency text, watch_ms bigint)
    WHERE s.owner = o.owner AND s.id = o.id AND s.fence = o.fence AND s.status IN ('sending', 'unknown')
    RETURNING o.n
$$;

-- Finds the send that a receipt is of, and locks it. A vendor that gives one id to several messages speaks of the last
-- one. A send whose answer was lost is found by our own id until a receipt has told the vendor's, so that whoever
-- waited for that one meanwhile looks again.
CREATE FUNCTION countersign.send_of(p_provider text, p_ref text, p_send text) RETURNS countersign.sends
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  s countersign.sends;
BEGIN
  FOR look IN 1..2 LOOP
    SELECT * INTO s FROM countersign.sends AS o WHERE o.ref = p_ref AND o.provider = p_provider
      ORDER BY o.id DESC LIMIT 1 FOR UPDATE;
    EXIT WHEN FOUND OR p_send IS NULL;
    SELECT * INTO s FROM countersign.sends AS o WHERE o.id = p_send AND o.provider = p_provider
      AND o.status IN ('unknown', 'refused') FOR UPDATE;
    EXIT WHEN FOUND;
  END LOOP;
  RETURN s;
END $$;

-- Locks what many receipts are told to, in one order.
CREATE FUNCTION countersign.hold_sends(p_receipts json) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
  PERFORM 1 FROM countersign.sends AS s
    WHERE (s.owner, s.seq) IN (
      SELECT o.owner, o.seq FROM json_to_recordset(p_receipts) AS r (provider text, ref text)
        JOIN countersign.sends AS o ON o.ref = r.ref AND o.provider = r.provider
      UNION
      SELECT o.owner, o.seq FROM json_to_recordset(p_receipts) AS r (provider text, send text)
        JOIN countersign.sends AS o ON o.id = r.send AND o.provider = r.provider AND o.status IN ('unknown', 'refused')
    )
    ORDER BY s.owner, s.seq FOR UPDATE;
END $$;

-- Tells sends of receipts. "before" are the statuses that one is news to. One whose send is not there, or not settled,
-- waits for "wait_ms"; "is_waiting" are those that have waited, and do not when their send is found.
CREATE FUNCTION countersign.tell(p_receipts json, p_now bigint) RETURNS TABLE (n int, state text, send json)
LANGUAGE plpgsql SET enable_seqscan = off SET lock_timeout = '500ms' AS $$
DECLARE
  r record;
  s countersign.sends;
  found countersign.sends;
  t bigint;
BEGIN
  IF json_array_length(p_receipts) > 1 THEN
    PERFORM countersign.hold_sends(p_receipts);
  END IF;
  FOR r IN SELECT * FROM json_to_recordset(p_receipts) AS o (n int, provider text, ref text, send text, progress text,
    status text, rank int, before text[], error text, vendor_code text, at bigint, price text, currency text,
    wait_ms bigint, is_waiting boolean)
    ORDER BY o.provider, o.ref, o.rank
  LOOP
    n := r.n;
    send := NULL;
    found := countersign.send_of(r.provider, r.ref, r.send);
    t := coalesce(p_now, countersign.now_ms());
    IF found.id IS NULL THEN
      state := 'waiting';
      IF NOT r.is_waiting THEN
        INSERT INTO countersign.receipts AS w (provider, ref, progress, send, error, vendor_code, at, price, currency,
            tried_at, expires_at)
          VALUES (r.provider, r.ref, r.progress, r.send, r.error, r.vendor_code, r.at, r.price, r.currency, t,
            t + r.wait_ms)
          ON CONFLICT ON CONSTRAINT receipts_pkey DO UPDATE
            SET price = coalesce(excluded.price, w.price), currency = coalesce(excluded.currency, w.currency);
      END IF;
      RETURN NEXT;
      CONTINUE;
    END IF;
    state := 'news';
    UPDATE countersign.sends AS o
      SET status = r.status, ref = coalesce(o.ref, r.ref),
        error = CASE WHEN r.status = 'undelivered' THEN r.error END,
        vendor_code = CASE WHEN r.status = 'undelivered' THEN r.vendor_code END,
        price = coalesce(r.price, o.price), currency = coalesce(r.currency, o.currency),
        history = concat_ws(',', o.history, r.status || ':' || least(greatest(coalesce(r.at, t), o.at), t)),
        delivered_at = CASE WHEN r.status IN ('delivered', 'read')
          THEN coalesce(o.delivered_at, least(greatest(coalesce(r.at, t), o.at), t)) END,
        lease_until = CASE WHEN r.status IN ('delivered', 'read') OR o.lease_until IS NULL THEN NULL
          WHEN r.status = 'undelivered' THEN t ELSE o.lease_until END
      WHERE o.owner = found.owner AND o.seq = found.seq AND o.status = ANY (r.before)
      RETURNING * INTO s;
    IF s.id IS NULL THEN
      state := 'old';
      s := found;
      IF (r.price, r.currency) <> (s.price, s.currency) OR (r.price IS NOT NULL AND s.price IS NULL) THEN
        UPDATE countersign.sends AS o SET price = r.price, currency = r.currency
          WHERE o.owner = s.owner AND o.seq = s.seq RETURNING * INTO s;
      END IF;
    END IF;
    IF r.is_waiting THEN
      DELETE FROM countersign.receipts AS w
        WHERE w.provider = r.provider AND w.ref = r.ref AND w.progress = r.progress;
    END IF;
    send := countersign.told_send(s);
    RETURN NEXT;
  END LOOP;
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

  
-- Records what happened.
CREATE FUNCTION countersign.record(p_event json, p_user text, p_session text, t bigint) RETURNS void LANGUAGE sql AS $$
  INSERT INTO countersign.auth_events (id, type, user_id, session_id, actor, key_id, address, agent, data, at)
  SELECT e.id, e.type, p_user, p_session, e.actor, e.key_id, e.address, e.agent, e.data, t
  FROM json_to_record(p_event)
    AS e (id text, type text, actor text, key_id text, address text, agent text, data text)
$$;

-- What an answer tells of a user; the hash of the password and the devices stay in the database.
CREATE FUNCTION countersign.told_user(u countersign.users) RETURNS json LANGUAGE sql STABLE AS $$
  SELECT json_build_object('id', u.id, 'email', u.email, 'name', u.name, 'phone', u.phone,
    'phone_verified_at', u.phone_verified_at, 'status', u.status, 'created_at', u.created_at,
    'second_factors', u.second_factors)
$$;

-- What it tells to who decides about an account.
CREATE FUNCTION countersign.told_account(u countersign.users) RETURNS json LANGUAGE sql STABLE AS $$
  SELECT json_build_object('id', u.id, 'email', u.email, 'name', u.name, 'phone', u.phone,
    'phone_verified_at', u.phone_verified_at, 'status', u.status, 'created_at', u.created_at,
    'second_factors', u.second_factors, 'password_hash', u.password_hash, 'devices', u.devices, 'version', u.version)
$$;

CREATE FUNCTION countersign.told_session(s countersign.sessions) RETURNS json LANGUAGE sql STABLE AS $$
  SELECT json_build_object('id', s.id, 'user_id', s.user_id, 'amr', s.amr, 'auth_at', s.auth_at,
    'factor_at', s.factor_at, 'created_at', s.created_at, 'used_at', s.used_at, 'address', s.address,
    'agent', s.agent, 'expires_at', s.expires_at, 'idle_until', s.idle_until)
$$;

CREATE FUNCTION countersign.begin_session(p_session json, p_user text, t bigint) RETURNS countersign.sessions
LANGUAGE sql AS $$
  INSERT INTO countersign.sessions (id, user_id, amr, auth_at, factor_at, created_at, used_at, address, agent,
      expires_at, idle_until, generation)
    SELECT s.id, p_user, s.amr, t, CASE WHEN s.with_factor THEN t END, t, t, s.address, s.agent, t + s.life_ms,
      t + least(s.idle_ms, s.life_ms), 0
    FROM json_to_record(p_session)
      AS s (id text, amr text, with_factor boolean, address text, agent text, life_ms bigint, idle_ms bigint)
    RETURNING *
$$;

-- Ends the sessions of a user who is locked, but one. How many of them were alive.
CREATE FUNCTION countersign.end_all(p_user text, p_except text, t bigint) RETURNS bigint LANGUAGE sql AS $$
  WITH gone AS (
    DELETE FROM countersign.sessions AS s WHERE s.user_id = p_user AND s.id IS DISTINCT FROM p_except
    RETURNING s.idle_until
  )
  SELECT count(*) FROM gone WHERE idle_until > t
$$;

-- Keeps a ticket, in the place of one of the same id.
CREATE FUNCTION countersign.keep_ticket(p_ticket json, t bigint) RETURNS void LANGUAGE sql AS $$
  INSERT INTO countersign.tickets (id, kind, user_id, data, created_at, expires_at)
    SELECT k.id, k.kind, k.user_id, k.data, t, t + k.ttl_ms
    FROM json_to_record(p_ticket) AS k (id text, kind text, user_id text, data text, ttl_ms bigint)
    ON CONFLICT (id, kind) DO UPDATE SET user_id = excluded.user_id, data = excluded.data,
      created_at = excluded.created_at, expires_at = excluded.expires_at
$$;

-- Lets in who have proven numbers: each enters the account that has the number, or one is made.
CREATE FUNCTION countersign.enter(p_entries json, p_now bigint, p_until bigint)
RETURNS TABLE (n int, outcome text, account json, session json, detached text, is_email_taken boolean)
LANGUAGE plpgsql SET enable_seqscan = off SET lock_timeout = '500ms' AS $$
DECLARE
  e record;
  u countersign.users;
  t bigint;
  number bigint;
BEGIN
  -- Numbers first, whoever has them: which account that is may change while others are waited for.
  FOR number IN SELECT DISTINCT hashtextextended(a.phone, 0) AS k
    FROM json_to_recordset(p_entries) AS a (phone text) ORDER BY k
  LOOP
    PERFORM pg_advisory_xact_lock(number);
  END LOOP;
  PERFORM 1 FROM countersign.users AS o
    WHERE o.phone IN (SELECT a.phone FROM json_to_recordset(p_entries) AS a (phone text))
    ORDER BY o.id FOR UPDATE;
  FOR e IN SELECT * FROM json_to_recordset(p_entries) AS o (n int, phone text, proof_ms bigint, starts_over boolean,
    id text, email text, name text, password_hash text, session json, created json, entered json, detached json,
    started json)
    ORDER BY o.n
  LOOP
    n := e.n;
    session := NULL;
    detached := NULL;
    is_email_taken := false;
    LOOP
      SELECT * INTO u FROM countersign.users AS o WHERE o.phone = e.phone FOR UPDATE;
      t := coalesce(p_now, countersign.now_ms());
      IF u.phone_verified_at >= t - e.proof_ms AND NOT e.starts_over THEN
        outcome := CASE WHEN u.status <> 'active' THEN 'disabled'
          WHEN u.second_factors IS NOT NULL THEN 'second_factor' ELSE 'entered' END;
        EXIT;
      END IF;
      IF u.id IS NOT NULL THEN
        detached := u.id;
        UPDATE countersign.users AS o
          SET phone = NULL, phone_verified_at = NULL, devices = '[]', version = o.version + 1
          WHERE o.id = u.id;
        PERFORM countersign.record(e.detached, u.id, NULL, t);
      END IF;
      outcome := 'created';
      is_email_taken := e.email IS NOT NULL AND EXISTS (SELECT FROM countersign.users AS o WHERE o.email = e.email);
      INSERT INTO countersign.users AS o (id, email, name, phone, phone_verified_at, status, created_at, password_hash)
        VALUES (e.id, CASE WHEN NOT is_email_taken THEN e.email END, e.name, e.phone, t, 'active', t, e.password_hash)
        ON CONFLICT DO NOTHING RETURNING * INTO u;
      -- Otherwise somebody was first to have the e-mail, or to change to the number, which is then entered.
      EXIT WHEN u.id IS NOT NULL;
    END LOOP;
    IF outcome = 'entered' THEN
      UPDATE countersign.users AS o SET phone_verified_at = t WHERE o.id = u.id RETURNING * INTO u;
    END IF;
    account := countersign.told_user(u);
    IF outcome IN ('created', 'entered') THEN
      PERFORM countersign.record(CASE outcome WHEN 'created' THEN e.created ELSE e.entered END, u.id, NULL, t);
      session := countersign.told_session(countersign.begin_session(e.session, u.id, t));
      PERFORM countersign.record(e.started, u.id, e.session ->> 'id', t);
    END IF;
    RETURN NEXT;
  END LOOP;
  PERFORM countersign.in_time(coalesce(p_now, countersign.now_ms()), p_until);
END $$;

-- Opens a session of who has shown the password that is still the password, and all there is to show. No account:
-- nothing was opened.
CREATE FUNCTION countersign.open_session(p_opening json, p_now bigint, OUT account json, OUT session json)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  u countersign.users;
  t bigint;
BEGIN
  SELECT * INTO u FROM countersign.users AS o WHERE o.id = p_opening ->> 'user_id' FOR UPDATE;
  IF u.status = 'active' AND u.password_hash = p_opening ->> 'password_hash' AND u.second_factors IS NULL THEN
    t := coalesce(p_now, countersign.now_ms());
    account := countersign.told_user(u);
    session := countersign.told_session(countersign.begin_session(p_opening -> 'session', u.id, t));
    PERFORM countersign.record(p_opening -> 'started', u.id, p_opening -> 'session' ->> 'id', t);
  END IF;
END $$;

-- Changes an account that still is what was read of it, and all that goes with that.
CREATE FUNCTION countersign.change_account(p_change json, p_now bigint, OUT outcome text, OUT account json,
  OUT session json
) LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  c record;
  u countersign.users;
  k countersign.tickets;
  s countersign.sessions;
  t bigint;
BEGIN
  SELECT * INTO c FROM json_to_record(p_change) AS o (id text, version int, password_hash text, has_factors boolean,
    second_factors text, devices text, proven_phone text, ticket json, ends text, ends_all boolean, keep text,
    session json, events json);
  SELECT * INTO u FROM countersign.users AS o WHERE o.id = c.id FOR UPDATE;
  IF u.id IS NULL OR u.status <> 'active' OR u.version <> c.version
    OR c.proven_phone IS NOT NULL AND u.phone IS DISTINCT FROM c.proven_phone
  THEN
    outcome := 'conflict';
    RETURN;
  END IF;
  IF c.ends IS NOT NULL THEN
    SELECT * INTO s FROM countersign.sessions AS o WHERE o.id = c.ends AND o.user_id = u.id FOR UPDATE;
    IF s.id IS NULL OR s.idle_until <= coalesce(p_now, countersign.now_ms()) THEN
      outcome := 'used';
      RETURN;
    END IF;
  END IF;
  IF c.ticket IS NOT NULL THEN
    DELETE FROM countersign.tickets AS o WHERE o.id = c.ticket ->> 'id' AND o.kind = c.ticket ->> 'kind'
      RETURNING * INTO k;
  END IF;
  t := coalesce(p_now, countersign.now_ms());
  IF c.ticket IS NOT NULL AND (k.id IS NULL OR k.expires_at <= t) THEN
    outcome := 'used';
    RETURN;
  END IF;
  outcome := 'changed';
  UPDATE countersign.users AS o
    SET password_hash = coalesce(c.password_hash, o.password_hash),
      second_factors = CASE WHEN c.has_factors THEN c.second_factors ELSE o.second_factors END,
      devices = coalesce(c.devices, o.devices),
      phone_verified_at = CASE WHEN c.proven_phone IS NULL THEN o.phone_verified_at ELSE t END,
      version = o.version + (c.password_hash IS NOT NULL OR c.has_factors OR c.devices IS NOT NULL)::int
    WHERE o.id = u.id RETURNING * INTO u;
  account := countersign.told_account(u);
  IF c.ends_all THEN
    PERFORM countersign.end_all(u.id, c.keep, t);
  END IF;
  DELETE FROM countersign.sessions AS o WHERE o.id = c.ends AND o.user_id = u.id;
  IF c.session IS NOT NULL THEN
    session := countersign.told_session(countersign.begin_session(c.session, u.id, t));
  END IF;
  PERFORM countersign.record(e, u.id, CASE WHEN e ->> 'type' = 'session.started' THEN c.session ->> 'id' END, t)
    FROM json_array_elements(c.events) AS e;
END $$;

-- Uses a refresh token.
CREATE FUNCTION countersign.rotate(p_rotation json, p_now bigint, OUT outcome text, OUT generation int,
  OUT session json, OUT account json
) LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  r record;
  s countersign.sessions;
  u countersign.users;
  t bigint;
BEGIN
  SELECT * INTO r FROM json_to_record(p_rotation) AS o (id text, generation int, grace_ms bigint, agent text,
    address text, idle_ms bigint, reused json);
  SELECT * INTO s FROM countersign.sessions AS o WHERE o.id = r.id FOR UPDATE;
  t := coalesce(p_now, countersign.now_ms());
  -- Who shuts an account ends its sessions too, and waits for this one in order to.
  SELECT * INTO u FROM countersign.users AS o WHERE o.id = s.user_id;
  outcome := 'ended';
  IF s.idle_until <= t THEN
    -- Met after its end, so that a clock set back does not bring it to life again.
    DELETE FROM countersign.sessions AS o WHERE o.id = s.id;
    RETURN;
  END IF;
  -- A generation that there has not been yet is of a database that was put back to what it was before.
  IF u.status = 'active' AND r.generation <= s.generation THEN
    IF r.generation = s.generation THEN
      outcome := 'rotated';
      UPDATE countersign.sessions AS o
        SET generation = o.generation + 1, rotated_at = t, used_at = t, address = r.address,
          idle_until = least(t + r.idle_ms, o.expires_at)
        WHERE o.id = s.id RETURNING * INTO s;
    ELSIF r.generation = s.generation - 1 AND abs(t - s.rotated_at) < r.grace_ms AND s.agent = r.agent THEN
      outcome := 'repeated';
    ELSE
      outcome := 'reused';
      DELETE FROM countersign.sessions AS o WHERE o.id = s.id;
      PERFORM countersign.record(r.reused, s.user_id, s.id, t);
      RETURN;
    END IF;
    generation := s.generation;
    session := countersign.told_session(s);
    account := countersign.told_user(u);
  END IF;
END $$;

-- A live session and its user. In two looks, because a plan for both tables in one that was made while they were empty
-- reads all of them.
CREATE FUNCTION countersign.session(p_session text, p_now bigint, OUT session json, OUT account json)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  s countersign.sessions;
  u countersign.users;
  t bigint := coalesce(p_now, countersign.now_ms());
BEGIN
  SELECT * INTO s FROM countersign.sessions AS o WHERE o.id = p_session;
  IF s.idle_until <= t THEN
    -- As in "rotate". One that is used at this moment goes on.
    DELETE FROM countersign.sessions AS o WHERE o.id = s.id AND o.idle_until <= t;
    RETURN;
  END IF;
  SELECT * INTO u FROM countersign.users AS o WHERE o.id = s.user_id;
  IF u.status = 'active' THEN
    session := countersign.told_session(s);
    account := countersign.told_user(u);
  END IF;
END $$;

-- Ends the sessions of a user but one, and tells how many.
CREATE FUNCTION countersign.end_sessions(p_ending json, p_now bigint) RETURNS bigint
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  who text := p_ending ->> 'user_id';
  t bigint;
  ended bigint;
BEGIN
  PERFORM 1 FROM countersign.users AS o WHERE o.id = who FOR UPDATE;
  t := coalesce(p_now, countersign.now_ms());
  ended := countersign.end_all(who, p_ending ->> 'except', t);
  IF ended > 0 THEN
    PERFORM countersign.record(p_ending -> 'event', who, NULL, t);
  END IF;
  RETURN ended;
END $$;

-- Changes a name, an e-mail, or both.
CREATE FUNCTION countersign.update_user(p_update json, p_now bigint, OUT outcome text, OUT account json)
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  c record;
  u countersign.users;
BEGIN
  SELECT * INTO c FROM json_to_record(p_update) AS o (id text, has_name boolean, name text, has_email boolean,
    email text, event json);
  SELECT * INTO u FROM countersign.users AS o WHERE o.id = c.id;
  IF u.id IS NULL THEN
    RETURN;
  END IF;
  -- Seen before anything is locked: two that want the e-mail of each other would wait for each other.
  IF EXISTS (SELECT FROM countersign.users AS o WHERE o.email = c.email AND o.id <> c.id) THEN
    outcome := 'email_taken';
    RETURN;
  END IF;
  BEGIN
    UPDATE countersign.users AS o
      SET name = CASE WHEN c.has_name THEN c.name ELSE o.name END,
        email = CASE WHEN c.has_email THEN c.email ELSE o.email END
      WHERE o.id = c.id RETURNING * INTO u;
  EXCEPTION WHEN unique_violation THEN
    outcome := 'email_taken';
    RETURN;
  END;
  IF u.id IS NOT NULL THEN
    outcome := 'updated';
    account := countersign.told_user(u);
    PERFORM countersign.record(c.event, u.id, NULL, coalesce(p_now, countersign.now_ms()));
  END IF;
END $$;

-- Sets a password in the place of the one it was.
CREATE FUNCTION countersign.set_password(p_change json, p_now bigint) RETURNS boolean
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  c record;
  t bigint;
BEGIN
  SELECT * INTO c FROM json_to_record(p_change) AS o (id text, was text, hash text, keeps_all boolean, keep text,
    event json);
  UPDATE countersign.users AS o
    SET password_hash = c.hash, devices = CASE WHEN c.keeps_all THEN o.devices ELSE '[]' END, version = o.version + 1
    WHERE o.id = c.id AND o.status = 'active' AND o.password_hash IS NOT DISTINCT FROM c.was;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  t := coalesce(p_now, countersign.now_ms());
  IF NOT c.keeps_all THEN
    PERFORM countersign.end_all(c.id, c.keep, t);
  END IF;
  IF c.event IS NOT NULL THEN
    PERFORM countersign.record(c.event, c.id, NULL, t);
  END IF;
  RETURN true;
END $$;

-- Gives a number to a user, and takes it from whoever had it. No account: the user is shut or gone.
CREATE FUNCTION countersign.change_phone(p_change json, p_now bigint, OUT account json, OUT was text,
  OUT detached text
) LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  c record;
  u countersign.users;
  t bigint;
BEGIN
  SELECT * INTO c FROM json_to_record(p_change) AS o (id text, phone text, keep text, undo json, changed json,
    detached json);
  LOOP
    -- What is locked in here is let go when it has to begin again.
    BEGIN
      PERFORM 1 FROM countersign.users AS o WHERE o.id = c.id OR o.phone = c.phone ORDER BY o.id FOR UPDATE;
      SELECT * INTO u FROM countersign.users AS o WHERE o.id = c.id;
      IF u.id IS NULL OR u.status <> 'active' THEN
        RETURN;
      END IF;
      t := coalesce(p_now, countersign.now_ms());
      was := u.phone;
      -- Somebody may have got it while those were waited for, and that one must not be waited for out of order.
      SELECT o.id INTO detached FROM countersign.users AS o WHERE o.phone = c.phone AND o.id <> c.id
        FOR UPDATE NOWAIT;
      UPDATE countersign.users AS o
        SET phone = NULL, phone_verified_at = NULL, devices = '[]', version = o.version + 1
        WHERE o.id = detached;
      UPDATE countersign.users AS o
        SET phone = c.phone, phone_verified_at = t, devices = '[]', version = o.version + 1
        WHERE o.id = c.id RETURNING * INTO u;
      EXIT;
    EXCEPTION WHEN lock_not_available OR unique_violation THEN
      CONTINUE;
    END;
  END LOOP;
  IF detached IS NOT NULL THEN
    PERFORM countersign.record(c.detached, detached, NULL, t);
  END IF;
  -- One that was made for an earlier number lies under that number's id, where it would take the place of the right one.
  IF was <> c.phone AND (c.undo ->> 'data')::json ->> 'from' = was THEN
    PERFORM countersign.keep_ticket(c.undo, t);
  END IF;
  PERFORM countersign.record(c.changed, u.id, NULL, t);
  PERFORM countersign.end_all(u.id, c.keep, t);
  account := countersign.told_user(u);
END $$;

-- Puts back the number that a user had before a change and has just proven again, if nobody else has it. No account: the ticket is not valid.
CREATE FUNCTION countersign.restore_phone(p_restoring json, p_now bigint) RETURNS json
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  ticket text := p_restoring ->> 'id';
  k countersign.tickets;
  u countersign.users;
  before text;
  t bigint;
BEGIN
  SELECT * INTO k FROM countersign.tickets AS o WHERE o.id = ticket AND o.kind = 'phone_undo';
  SELECT * INTO u FROM countersign.users AS o WHERE o.id = k.user_id FOR UPDATE;
  t := coalesce(p_now, countersign.now_ms());
  DELETE FROM countersign.tickets AS o WHERE o.id = ticket AND o.kind = 'phone_undo' RETURNING * INTO k;
  IF u.id IS NULL OR k.id IS NULL OR k.expires_at <= t THEN
    RETURN NULL;
  END IF;
  before := k.data::json ->> 'from';
  -- Seen before it is written: two that take back the number of each other would wait for each other.
  IF EXISTS (SELECT FROM countersign.users AS o WHERE o.phone = before AND o.id <> u.id) THEN
    RETURN NULL;
  END IF;
  BEGIN
    UPDATE countersign.users AS o
      SET phone = before, phone_verified_at = t, devices = '[]', version = o.version + 1
      WHERE o.id = u.id RETURNING * INTO u;
  EXCEPTION WHEN unique_violation THEN
    RETURN NULL;
  END;
  -- Whoever has stolen an account may have changed it twice, so as to have a way back of their own.
  DELETE FROM countersign.tickets AS o
    WHERE o.user_id = u.id AND o.kind = 'phone_undo' AND o.created_at >= k.created_at;
  PERFORM countersign.end_all(u.id, NULL, t);
  PERFORM countersign.record(p_restoring -> 'restored', u.id, NULL, t);
  RETURN countersign.told_user(u);
END $$;

-- Shuts or opens an account.
CREATE FUNCTION countersign.set_status(p_change json, p_now bigint) RETURNS json
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  u countersign.users;
  t bigint;
BEGIN
  SELECT * INTO u FROM countersign.users AS o WHERE o.id = p_change ->> 'id' FOR UPDATE;
  IF u.id IS NULL THEN
    RETURN NULL;
  END IF;
  IF u.status = p_change ->> 'status' THEN
    RETURN countersign.told_user(u);
  END IF;
  UPDATE countersign.users AS o SET status = p_change ->> 'status', devices = '[]', version = o.version + 1
    WHERE o.id = u.id RETURNING * INTO u;
  t := coalesce(p_now, countersign.now_ms());
  IF u.status <> 'active' THEN
    PERFORM countersign.end_all(u.id, NULL, t);
  END IF;
  PERFORM countersign.record(p_change -> 'event', u.id, NULL, t);
  RETURN countersign.told_user(u);
END $$;

-- Deletes a user with all that is theirs, and from the log what would tell of a person.
CREATE FUNCTION countersign.delete_user(p_deletion json, p_now bigint) RETURNS boolean
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  who text := p_deletion ->> 'id';
  t bigint;
BEGIN
  DELETE FROM countersign.users AS o WHERE o.id = who;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  t := coalesce(p_now, countersign.now_ms());
  PERFORM countersign.end_all(who, NULL, t);
  DELETE FROM countersign.tickets AS o WHERE o.user_id = who;
  UPDATE countersign.auth_events AS o SET address = NULL, agent = NULL, data = '{}' WHERE o.user_id = who;
  PERFORM countersign.record(p_deletion -> 'event', who, NULL, t);
  RETURN true;
END $$;

  