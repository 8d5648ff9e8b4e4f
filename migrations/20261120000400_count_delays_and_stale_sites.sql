-- How far a movement is, by its organisation's latest word of each sort; the words themselves are sealed parts. Checks
-- count a delay, and flag a site that was not confirmed in time.
SET ROLE hn_owner;

CREATE TABLE hn.progress (
    nid         uuid        NOT NULL,
    rev         integer     NOT NULL,
    sort        text        NOT NULL,               -- passed: a waypoint was passed; delayed: what remains is later
    ctx         text        NOT NULL,
    org         text        NOT NULL,
    pos         bigint      NOT NULL,
    CONSTRAINT progress_pk PRIMARY KEY (nid, rev, sort),
    CONSTRAINT progress_revision_exists FOREIGN KEY (nid, rev) REFERENCES hn.revision,
    CONSTRAINT progress_statement_exists FOREIGN KEY (pos) REFERENCES hn.statement,
    CONSTRAINT progress_sort_known CHECK (sort IN ('passed', 'delayed'))
);
ALTER TABLE hn.progress ENABLE ROW LEVEL SECURITY; ALTER TABLE hn.progress FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE ON hn.progress TO hn_intake;
CREATE POLICY intake_all ON hn.progress TO hn_intake USING (true) WITH CHECK (true);
GRANT SELECT ON hn.progress TO hn_matcher;

RESET ROLE;

GRANT CREATE ON SCHEMA hn TO hn_matcher;
SET ROLE hn_matcher;

DROP FUNCTION hn.candidates(public.geometry, timestamptz, timestamptz);
CREATE FUNCTION hn.candidates(boxes public.geometry, from_at timestamptz, until_at timestamptz)
RETURNS TABLE (
    nid uuid, rev integer, pos bigint, hash bytea, org text, subject text, tier text, latest boolean,
    emergency boolean, screening text, cosign text, duty text, said_at timestamptz, on_behalf boolean,
    place bytea, place_month text, audience bytea, audience_month text, contact bytea, contact_month text,
    signer text, device text, contact_sd bytea, delayed bytea)
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
           r.emergency, r.screening, r.cosign, o.duty, greatest(r.at, n.confirmed_at), r.on_behalf,
           p.content, p.month, q.content, q.month, s.content, s.month,
           w.actor, w.device, s.sd, d.content
      FROM near
      JOIN hn.audience a ON a.nid = near.nid AND a.rev = near.rev AND a.party = hn.me() AND a.counts
      JOIN hn.revision r ON r.nid = near.nid AND r.rev = near.rev
      JOIN hn.notification n ON n.nid = near.nid
      JOIN hn.statement w ON w.pos = r.pos
      JOIN hn.actor o ON o.ctx = r.ctx AND o.actor = r.org
      JOIN hn.actor me ON me.ctx = a.ctx AND me.actor = a.party
      LEFT JOIN hn.part p ON p.pos = r.pos AND p.part = 'place' AND a.tier IN ('exact', 'on_check')
      LEFT JOIN hn.part q ON q.pos = r.pos AND q.part = 'audience.' || a.party
      LEFT JOIN hn.seal s ON s.pos = r.pos AND s.part = 'contact' AND s.kid = me.desk_kid AND a.tier IN ('exact', 'on_check')
      LEFT JOIN hn.progress g ON g.nid = r.nid AND g.rev = r.rev AND g.sort = 'delayed'
      LEFT JOIN hn.part d ON d.pos = g.pos AND d.part = 'progress' AND a.tier IN ('exact', 'on_check')
$$;
REVOKE ALL ON FUNCTION hn.candidates(public.geometry, timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hn.candidates(public.geometry, timestamptz, timestamptz) TO hn_app;

RESET ROLE;
REVOKE CREATE ON SCHEMA hn FROM hn_matcher;
