/**
 * The verbs that take more than one look at the data. Each is one statement for the server and one transaction: it
 * locks what it decides about, and reads the clock after it has the locks.
 *
 * `open`, `judge` and `tell` decide for many callers at once (see batches.ts), as JSON in and JSON out. They take all their
 * locks before they decide anything, tables and rows in one order, so that two of them never wait for each other:
 * counters by key, then verifications by id, then budgets by number; and sends by owner, then receipts by what they say.
 *
 * While a new version is rolled out, servers of two versions call them at once. So a function that has been released
 * keeps its meaning: it may learn of members that it was not told of before, a verb that changes otherwise gets a new
 * function, and the old one goes with the version after. Each new schema makes all of them anew, as they are here.
 *
 * `enable_seqscan = off`: a plan made while a table was empty is kept for as long as its statistics, and would read the
 * whole table when it has grown. `lock_timeout`: a row that somebody outside has locked must hold up its own callers, and
 * not everybody who is in a batch with them; so a batch that has to wait is given up, and each is asked alone.
 *
 * `p_now` stands for the clock in tests; a server passes null. `p_until` is when the first of the callers gives up: a
 * statement that has waited longer for a lock changes nothing, because its callers have been refused.
 */
export const FUNCTIONS = `
CREATE OR REPLACE FUNCTION countersign.now_ms() RETURNS bigint LANGUAGE sql VOLATILE
AS $$ SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;

CREATE OR REPLACE FUNCTION countersign.in_time(t bigint, p_until bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF t > p_until THEN
    RAISE EXCEPTION 'nobody waits for this any more' USING ERRCODE = 'query_canceled';
  END IF;
END $$;

-- When a rule over a log of hits (newest first) has room; now when it has. See limits/window.ts.
CREATE OR REPLACE FUNCTION countersign.room_at(hits bigint[], hits_max int, window_ms bigint, since bigint, t bigint)
RETURNS bigint LANGUAGE sql IMMUTABLE
AS $$
  SELECT CASE WHEN hits[hits_max] IS NULL OR hits[hits_max] < since THEN t ELSE least(hits[hits_max], t) + window_ms END
$$;

-- Whether a hit on these counters is refused: the place of the rule, with the longest wait of the first counter that
-- has no room. A rule is one place in each of the four arrays after the keys; its counter is a place among the keys.
-- "is_ahead" tells of hits from the future, which "hold" puts right.
CREATE OR REPLACE FUNCTION countersign.refusal(
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
CREATE OR REPLACE FUNCTION countersign.hold(p_keys text[], p_now bigint) RETURNS bigint LANGUAGE plpgsql AS $$
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
CREATE OR REPLACE FUNCTION countersign.hit(p_keys text[], p_sizes int[], p_lives bigint[], t bigint)
RETURNS void LANGUAGE sql AS $$
  UPDATE countersign.counters AS c SET hits = (t || c.hits)[1:size], expires_at = t + life
    FROM unnest(p_keys, p_sizes, p_lives) AS k (key, size, life) WHERE c.key = k.key
$$;

-- Takes hits, each on every counter of its own or on none.
CREATE OR REPLACE FUNCTION countersign.take(p_takes json, p_now bigint, p_until bigint)
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
CREATE OR REPLACE FUNCTION countersign.give(p_gives json) RETURNS void
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
CREATE OR REPLACE FUNCTION countersign.told(v countersign.verifications) RETURNS json LANGUAGE sql STABLE AS $$
  SELECT json_build_object('id', v.id, 'service', v.service, 'phone', v.phone, 'country', v.country,
    'channel', v.channel, 'purpose', v.purpose, 'locale', v.locale, 'status', v.status, 'key_id', v.key_id,
    'code_length', v.code_length, 'guesses', v.guesses, 'guesses_max', v.guesses_max, 'sends', v.sends,
    'sends_max', v.sends_max, 'created_at', v.created_at, 'expires_at', v.expires_at, 'resend_at', v.resend_at,
    'decided_at', v.decided_at, 'nonce', v.nonce, 'metadata', v.metadata,
    'terms', v.terms)
$$;

CREATE OR REPLACE FUNCTION countersign.told_send(s countersign.sends) RETURNS json LANGUAGE sql STABLE AS $$
  SELECT json_build_object('id', s.id, 'owner', s.owner, 'provider', s.provider, 'channel', s.channel,
    'sender', s.sender, 'country', s.country, 'cause', s.cause, 'status', s.status, 'error', s.error,
    'vendor_code', s.vendor_code, 'ref', s.ref, 'at', s.at, 'delivered_at', s.delivered_at, 'price', s.price,
    'currency', s.currency, 'history', s.history)
$$;

-- What is pending, or else newest, of a number, service and purpose, and how the newest of the number ended.
CREATE OR REPLACE FUNCTION countersign.situation(p_asked json, p_now bigint)
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
CREATE OR REPLACE FUNCTION countersign.open(p_drafts json, p_now bigint, p_until bigint)
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
    sends_max int, ttl_ms bigint, cooldown_ms bigint, nonce text, metadata text, terms text, decision text, send_id text,
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
          nonce, metadata, terms, decision)
        VALUES (d.id, d.service, d.phone, d.country, d.channel, d.purpose, d.locale, d.status, d.key_id,
          d.digest, d.code_length, 0, d.guesses_max, CASE WHEN d.status = 'blocked' THEN 0 ELSE 1 END, d.sends_max,
          at, at + d.ttl_ms, at + d.cooldown_ms, CASE WHEN d.status <> 'pending' THEN at END, d.nonce, d.metadata,
          d.terms, d.decision)
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
CREATE OR REPLACE FUNCTION countersign.hold_guesses(p_guesses json) RETURNS void LANGUAGE plpgsql AS $$
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
CREATE OR REPLACE FUNCTION countersign.judge(p_guesses json, p_now bigint, p_until bigint)
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
CREATE OR REPLACE FUNCTION countersign.settle(p_sends json, p_now bigint) RETURNS SETOF int LANGUAGE sql SET enable_seqscan = off
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
CREATE OR REPLACE FUNCTION countersign.send_of(p_provider text, p_ref text, p_send text) RETURNS countersign.sends
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
CREATE OR REPLACE FUNCTION countersign.hold_sends(p_receipts json) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $$
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
CREATE OR REPLACE FUNCTION countersign.tell(p_receipts json, p_now bigint) RETURNS TABLE (n int, state text, send json)
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
CREATE OR REPLACE FUNCTION countersign.claim(
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
