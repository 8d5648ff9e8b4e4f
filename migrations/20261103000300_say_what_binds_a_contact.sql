-- A seal opens only with what it is bound to: who signed, and the digest of the part. A planner has no mailbox with the
-- statement, so the answer to a check says both beside a sealed contact, and the search gives them.
GRANT CREATE ON SCHEMA hn TO hn_matcher;
SET ROLE hn_matcher;

DROP FUNCTION hn.candidates(public.geometry, timestamptz, timestamptz);

CREATE FUNCTION hn.candidates(boxes public.geometry, from_at timestamptz, until_at timestamptz)
RETURNS TABLE (
    nid uuid, rev integer, pos bigint, hash bytea, org text, subject text, tier text, latest boolean,
    emergency boolean, screening text, cosign text, duty text,
    place bytea, place_month text, audience bytea, audience_month text, contact bytea, contact_month text,
    device text, contact_sd bytea)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = hn, public, pg_temp
SET enable_seqscan = off
AS $$
    WITH near AS MATERIALIZED (
        SELECT DISTINCT c.nid, c.rev
          FROM public.ST_Dump(boxes) AS box
          JOIN hn.cover c ON c.cover && box.geom
         WHERE c.ctx = hn.ctx()
           AND c.validity && tstzrange(from_at, until_at, '[]')
           AND EXISTS (SELECT FROM public.ST_Dump(c.cover) AS part WHERE part.geom && box.geom)
    )
    SELECT r.nid, r.rev, r.pos, r.hash, r.org, n.subject, a.tier, n.rev = r.rev,
           r.emergency, r.screening, r.cosign, o.duty,
           p.content, p.month, q.content, q.month, s.content, s.month,
           r.device, s.sd
      FROM near
      JOIN hn.audience a ON a.nid = near.nid AND a.rev = near.rev AND a.party = hn.me() AND a.counts
      JOIN hn.revision r ON r.nid = near.nid AND r.rev = near.rev
      JOIN hn.notification n ON n.nid = near.nid
      JOIN hn.actor o ON o.ctx = r.ctx AND o.actor = r.org
      JOIN hn.actor me ON me.ctx = a.ctx AND me.actor = a.party
      LEFT JOIN hn.part p ON p.pos = r.pos AND p.part = 'place' AND a.tier IN ('exact', 'on_check')
      LEFT JOIN hn.part q ON q.pos = r.pos AND q.part = 'audience.' || a.party
      LEFT JOIN hn.seal s ON s.pos = r.pos AND s.part = 'contact' AND s.kid = me.desk_kid AND a.tier IN ('exact', 'on_check')
$$;
REVOKE ALL ON FUNCTION hn.candidates(public.geometry, timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hn.candidates(public.geometry, timestamptz, timestamptz) TO hn_app;

RESET ROLE;
REVOKE CREATE ON SCHEMA hn FROM hn_matcher;
