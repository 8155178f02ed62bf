/**
 * The verbs over users that take more than one look at the data, as those in functions.ts: each is one statement for the
 * server and one transaction, locks what it decides about, and reads the clock after it has the locks. Each takes what
 * its caller gave as one JSON, and `enter` what many gave.
 *
 * They lock numbers where people enter, then users, by id where they are several, and then sessions. `rotate` locks a session alone and waits for
 * no user, so it is nowhere in a circle. Who ends several sessions has locked their user before.
 */
export const AUTH_FUNCTIONS = `
-- Records what happened.
CREATE OR REPLACE FUNCTION countersign.record(p_event json, p_user text, p_session text, t bigint) RETURNS void LANGUAGE sql AS $$
  INSERT INTO countersign.auth_events (id, type, user_id, session_id, actor, key_id, address, agent, data, at)
  SELECT e.id, e.type, p_user, p_session, e.actor, e.key_id, e.address, e.agent, e.data, t
  FROM json_to_record(p_event)
    AS e (id text, type text, actor text, key_id text, address text, agent text, data text)
$$;

-- What an answer tells of a user; the hash of the password and the devices stay in the database.
CREATE OR REPLACE FUNCTION countersign.told_user(u countersign.users) RETURNS json LANGUAGE sql STABLE AS $$
  SELECT json_build_object('id', u.id, 'email', u.email, 'name', u.name, 'phone', u.phone,
    'phone_verified_at', u.phone_verified_at, 'status', u.status, 'created_at', u.created_at,
    'second_factors', u.second_factors)
$$;

-- What it tells to who decides about an account.
CREATE OR REPLACE FUNCTION countersign.told_account(u countersign.users) RETURNS json LANGUAGE sql STABLE AS $$
  SELECT json_build_object('id', u.id, 'email', u.email, 'name', u.name, 'phone', u.phone,
    'phone_verified_at', u.phone_verified_at, 'status', u.status, 'created_at', u.created_at,
    'second_factors', u.second_factors, 'password_hash', u.password_hash, 'devices', u.devices, 'version', u.version)
$$;

CREATE OR REPLACE FUNCTION countersign.told_session(s countersign.sessions) RETURNS json LANGUAGE sql STABLE AS $$
  SELECT json_build_object('id', s.id, 'user_id', s.user_id, 'amr', s.amr, 'auth_at', s.auth_at,
    'factor_at', s.factor_at, 'created_at', s.created_at, 'used_at', s.used_at, 'address', s.address,
    'agent', s.agent, 'expires_at', s.expires_at, 'idle_until', s.idle_until)
$$;

CREATE OR REPLACE FUNCTION countersign.begin_session(p_session json, p_user text, t bigint) RETURNS countersign.sessions
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
CREATE OR REPLACE FUNCTION countersign.end_all(p_user text, p_except text, t bigint) RETURNS bigint LANGUAGE sql AS $$
  WITH gone AS (
    DELETE FROM countersign.sessions AS s WHERE s.user_id = p_user AND s.id IS DISTINCT FROM p_except
    RETURNING s.idle_until
  )
  SELECT count(*) FROM gone WHERE idle_until > t
$$;

-- Keeps a ticket, in the place of one of the same id.
CREATE OR REPLACE FUNCTION countersign.keep_ticket(p_ticket json, t bigint) RETURNS void LANGUAGE sql AS $$
  INSERT INTO countersign.tickets (id, kind, user_id, data, created_at, expires_at)
    SELECT k.id, k.kind, k.user_id, k.data, t, t + k.ttl_ms
    FROM json_to_record(p_ticket) AS k (id text, kind text, user_id text, data text, ttl_ms bigint)
    ON CONFLICT (id, kind) DO UPDATE SET user_id = excluded.user_id, data = excluded.data,
      created_at = excluded.created_at, expires_at = excluded.expires_at
$$;

-- Lets in who have proven numbers: each enters the account that has the number, or one is made.
CREATE OR REPLACE FUNCTION countersign.enter(p_entries json, p_now bigint, p_until bigint)
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
CREATE OR REPLACE FUNCTION countersign.open_session(p_opening json, p_now bigint, OUT account json, OUT session json)
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
CREATE OR REPLACE FUNCTION countersign.change_account(p_change json, p_now bigint, OUT outcome text, OUT account json,
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
CREATE OR REPLACE FUNCTION countersign.rotate(p_rotation json, p_now bigint, OUT outcome text, OUT generation int,
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
CREATE OR REPLACE FUNCTION countersign.session(p_session text, p_now bigint, OUT session json, OUT account json)
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
CREATE OR REPLACE FUNCTION countersign.end_sessions(p_ending json, p_now bigint) RETURNS bigint
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
CREATE OR REPLACE FUNCTION countersign.update_user(p_update json, p_now bigint, OUT outcome text, OUT account json)
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
CREATE OR REPLACE FUNCTION countersign.set_password(p_change json, p_now bigint) RETURNS boolean
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
CREATE OR REPLACE FUNCTION countersign.change_phone(p_change json, p_now bigint, OUT account json, OUT was text,
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
CREATE OR REPLACE FUNCTION countersign.restore_phone(p_restoring json, p_now bigint) RETURNS json
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
CREATE OR REPLACE FUNCTION countersign.set_status(p_change json, p_now bigint) RETURNS json
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
CREATE OR REPLACE FUNCTION countersign.delete_user(p_deletion json, p_now bigint) RETURNS boolean
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
`
