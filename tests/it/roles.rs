//! Who may read what in the database: each role its own and no more, and a row is worth something only where it stands.
//!
//! Row-level security takes the tenant from settings of the transaction, and SQL that runs as the application's role
//! could change them. What stands against that: the server sets them itself, first thing in each transaction, from the
//! certificate; every SQL text is fixed at compile time and takes values as parameters only (held below); and whoever
//! got that far would still read nothing but sealed records and statements, since parts, seals and covers are closed to
//! the role altogether, and the keyring is not in the database.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use herald::domain::ack::AckState;
use herald::domain::check::Verdict;
use herald::domain::ids::Nid;
use herald::domain::notification::Tier;
use herald::service::records::Record;
use herald::store::error::StoreError;
use herald::store::role::Role;
use herald::wire::build::{Part, build};
use herald::wire::check::read_answer;
use herald::wire::claims::{CheckClaims, Claims};
use herald::wire::envelope::{self, ENVELOPE_TYPE, Envelope, Event};
use herald::wire::parts::{AnswerPart, name};
use herald::wire::read;
use reqwest::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::server::{Attached, Cry, Notified, Site, Unit, World, ack_item};

/// What a table is to requests.
enum Guard {
    /// Each row belongs to somebody: the condition under which `$1` may read it, written apart from the policies.
    Tenant(&'static str),
    /// Every actor of its context may know it, because of this; nobody of another does.
    Context(&'static str),
    /// Every actor of the deployment may know it, because of this.
    Public(&'static str),
    /// No request reads it at all.
    Closed,
}

/// Every table of ours. One that is missing here fails the test: say what it is before it holds anything.
const TABLES: &[(&str, Guard)] = &[
    ("_sqlx_migrations", Guard::Closed),
    ("ack", Guard::Tenant("$1 IN (x.org, x.party, 'ocha')")),
    (
        "actor",
        Guard::Context("the key directory is open and shows who takes part, and who is on duty"),
    ),
    ("audience", Guard::Tenant("$1 IN (x.org, x.party, 'ocha')")),
    (
        "blob",
        Guard::Tenant(
            "x.actor = $1 OR x.id IN (
                SELECT u.blob FROM hn.blob_use u JOIN hn.mailbox m ON (m.pos, m.actor) = (u.pos, $1)
                 WHERE $1 IN (u.org, 'ocha') OR $1 IN (
                    SELECT party FROM hn.audience a WHERE (a.nid, a.rev, a.tier) = (u.nid, u.rev, 'exact')))",
        ),
    ),
    (
        "blob_chunk",
        Guard::Tenant(
            "x.blob IN (SELECT id FROM hn.blob b WHERE b.actor = $1 OR b.id IN (
                SELECT u.blob FROM hn.blob_use u JOIN hn.mailbox m ON (m.pos, m.actor) = (u.pos, $1)
                 WHERE $1 IN (u.org, 'ocha') OR $1 IN (
                    SELECT party FROM hn.audience a WHERE (a.nid, a.rev, a.tier) = (u.nid, u.rev, 'exact'))))",
        ),
    ),
    (
        "blob_use",
        Guard::Tenant(
            "x.pos IN (SELECT pos FROM hn.mailbox m WHERE m.actor = $1) AND ($1 IN (x.org, 'ocha') OR $1 IN (
                SELECT party FROM hn.audience a WHERE (a.nid, a.rev, a.tier) = (x.nid, x.rev, 'exact')))",
        ),
    ),
    ("called", Guard::Tenant("$1 IN (x.org, x.actor, 'ocha')")),
    ("check_log", Guard::Tenant("x.actor = $1")),
    (
        "context",
        Guard::Context("the policy in force is for all to read"),
    ),
    ("cover", Guard::Closed),
    ("device", Guard::Tenant("x.actor = $1")),
    (
        "device_key",
        Guard::Context("public keys, with which anyone checks signatures; the directory shows them"),
    ),
    (
        "distress",
        Guard::Tenant(
            "$1 IN (x.org, 'ocha') OR $1 IN (SELECT actor FROM hn.called c WHERE c.nid = x.nid)",
        ),
    ),
    ("due", Guard::Closed),
    (
        "head",
        Guard::Public("the last position, which every receipt tells anyway"),
    ),
    ("invite", Guard::Closed),
    ("look", Guard::Tenant("x.actor = $1")),
    ("mailbox", Guard::Tenant("x.actor = $1")),
    ("month", Guard::Closed),
    (
        "notification",
        Guard::Tenant(
            "$1 IN (x.org, 'ocha') OR $1 IN (SELECT party FROM hn.audience a WHERE a.nid = x.nid)",
        ),
    ),
    ("nudge", Guard::Tenant("x.actor = $1")),
    ("nudge_head", Guard::Closed),
    ("nudge_out", Guard::Tenant("x.actor = $1")),
    ("nudge_trouble", Guard::Tenant("$1 IN (x.actor, 'ocha')")),
    ("nudge_wait", Guard::Closed),
    ("part", Guard::Closed),
    ("progress", Guard::Closed),
    ("relay", Guard::Tenant("$1 IN (x.org, 'ocha')")),
    (
        "revision",
        Guard::Tenant(
            "$1 IN (x.org, 'ocha') OR $1 IN (SELECT party FROM hn.audience a WHERE (a.nid, a.rev) = (x.nid, x.rev))",
        ),
    ),
    ("seal", Guard::Closed),
    (
        "statement",
        Guard::Tenant(
            "x.actor = $1 OR x.pos IN (SELECT pos FROM hn.mailbox m WHERE m.actor = $1)
             OR x.kind IN ('keys', 'renew', 'revoke', 'policy', 'admit', 'duty')",
        ),
    ),
    ("thread", Guard::Tenant("$1 IN (x.org, x.party, 'ocha')")),
];

/// What each role may do: `S`elect, `s`elect some columns, `I`nsert, `U`pdate, `u`pdate some columns, `D`elete. Nothing else, to anyone.
const RIGHTS: &[(&str, &str, &str, &str)] = &[
    // table, hn_app, hn_intake, hn_worker
    ("_sqlx_migrations", "", "", ""),
    ("ack", "S", "SI", ""),
    ("actor", "s", "SIU", "S"),
    ("audience", "S", "SIU", "Su"),
    ("blob", "SIuD", "Su", "SD"),
    ("blob_chunk", "SI", "", ""),
    ("blob_use", "S", "SI", ""),
    ("called", "S", "SIU", "S"),
    ("check_log", "SI", "", ""),
    ("context", "S", "SIU", "S"),
    ("cover", "", "SI", ""),
    ("device", "S", "SIU", "Su"),
    ("device_key", "S", "SIu", "S"),
    ("distress", "S", "SIU", "S"),
    ("due", "", "SIuD", ""),
    ("head", "S", "Su", "S"),
    ("invite", "", "SIU", ""),
    ("look", "SIU", "", ""),
    ("mailbox", "S", "SI", "S"),
    ("month", "", "SIu", ""),
    ("notification", "S", "SIU", "S"),
    ("nudge", "SIUD", "", "Su"),
    ("nudge_head", "", "", "Su"),
    ("nudge_out", "SI", "", "SIUD"),
    ("nudge_trouble", "SD", "", "SIUD"),
    ("nudge_wait", "", "", "SIUD"),
    ("part", "", "SI", "S"),
    ("progress", "", "SIU", ""),
    ("relay", "S", "SI", ""),
    ("revision", "S", "SIU", "S"),
    ("seal", "", "SI", "S"),
    ("statement", "S", "SI", "S"),
    ("thread", "S", "SIu", ""),
];

/// Two organisations, two parties, and something of each.
struct Busy {
    world: Box<World>,
    /// Notified by `msf` to `east`.
    ours: Notified,
    /// Notified by `relief` to `west`.
    theirs: Notified,
}

impl Busy {
    async fn new() -> Self {
        let world = World::start().await;
        let (msf, relief) = (world.msf.first(), world.relief.first());
        let site = |lon, lat, party, tier| {
            Site::at(lon, lat)
                .to(party, tier)
                .contact(&[&world.coordinator, party])
        };
        let (our_photo, their_photo) = (Attached::photo(99), Attached::photo(99));
        world.upload(msf, &our_photo).await;
        world.upload(relief, &their_photo).await;
        let ours = site(44.206_6, 15.347_3, &world.east, Tier::Exact).attach(
            &[&our_photo],
            &[&world.coordinator, &world.msf, &world.east],
        );
        let ours = world.notify(msf, &ours).await;
        let theirs = site(43.187_3, 16.013_4, &world.west, Tier::Exact).attach(
            &[&their_photo],
            &[&world.coordinator, &world.relief, &world.west],
        );
        let theirs = world.notify(relief, &theirs).await;
        for (party, org, what) in [
            (&world.east, &world.msf, &ours),
            (&world.west, &world.relief, &theirs),
        ] {
            let items = vec![ack_item(what, AckState::Received)];
            let (claims, parts) = world.acknowledgement(party.first(), &org.id, items, &[]);
            world.said(party.first(), claims, &parts).await;
            world.asks(party, org, what, json!({})).await;
            let relayed = world.relay(&party.id, org, &[(what, Tier::Exact)]).await;
            assert_eq!(relayed.status.as_u16(), 201, "{relayed:?}");
        }
        for member in [&world.msf, &world.relief, &world.east, &world.west] {
            let body = Some(("application/json", b"{\"pos\":1}".to_vec()));
            let http = &member.first().http;
            let looked = world.call(http, Method::PUT, "/v1/look", body).await;
            assert_eq!(looked.refused(), None);
        }
        for (party, org) in [(&world.east, &world.msf), (&world.west, &world.relief)] {
            let cry = Cry::here().to(party, Tier::Exact);
            world.distress(org.first(), &cry).await;
        }
        world.nudge_everybody().await;
        let busy = Self {
            world,
            ours,
            theirs,
        };
        busy.ask(busy.world.east.first(), 44.206_6, 15.347_3).await;
        busy.ask(busy.world.west.first(), 43.187_3, 16.013_4).await;
        busy
    }

    async fn ask(&self, unit: &Unit, lon: f64, lat: f64) -> AnswerPart {
        let area = json!({
            "area": {"kind": "circle", "center": [lon, lat], "radius_m": 1000.0},
            "effect_radius_m": 0.0, "window": {},
        });
        let area = Part::new(name::AREA, &area).unwrap().in_the_clear();
        let built = build(
            CheckClaims::new(self.world.common(unit)),
            &[area],
            &unit.signing,
        )
        .unwrap();
        let body = Some((ENVELOPE_TYPE, built.envelope.encode()));
        let answer = self
            .world
            .call(&unit.http, Method::POST, "/v1/checks", body)
            .await;
        assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
        let answer = Envelope::decode(&answer.body).unwrap();
        let (_, claims) = read::read(&answer.statement).unwrap();
        let Claims::Answer(claims) = claims else {
            panic!("an answer is an answer");
        };
        read_answer(&claims, &answer).unwrap()
    }

    async fn admin(&self) -> PgConnection {
        self.world.db.connect(Role::Admin).await
    }
}

/// Says who asks, as the server does.
async fn become_tenant(app: &mut PgConnection, ctx: &str, actor: &str, kind: &str) {
    for (name, value) in [
        ("hn.ctx", ctx),
        ("hn.actor", actor),
        ("hn.kind", kind),
        ("hn.spki", ""),
    ] {
        sqlx::query("SELECT set_config($1, $2, true)")
            .bind(name)
            .bind(value)
            .execute(&mut *app)
            .await
            .unwrap();
    }
}

async fn rows(connection: &mut PgConnection, table: &str) -> BTreeSet<String> {
    // Of actors a request reads some columns only.
    let sql = match table {
        "actor" => "SELECT x.actor FROM hn.actor x".to_owned(),
        table => format!("SELECT x::text FROM hn.{table} x"),
    };
    let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_all(connection)
        .await
        .unwrap();
    rows.into_iter().collect()
}

async fn allowed(
    admin: &mut PgConnection,
    table: &str,
    condition: &str,
    actor: &str,
) -> BTreeSet<String> {
    let sql = format!("SELECT x::text FROM hn.{table} x WHERE {condition}");
    let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(actor)
        .fetch_all(admin)
        .await
        .unwrap();
    rows.into_iter().collect()
}

async fn tables(admin: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'hn' ORDER BY 1",
    )
    .fetch_all(admin)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_reads_its_own_rows_of_every_table_and_nobody_elses() {
    let busy = Busy::new().await;
    let mut admin = busy.admin().await;
    let listed: Vec<&str> = TABLES.iter().map(|(table, _)| *table).collect();
    assert_eq!(tables(&mut admin).await, listed, "every table is listed");
    let tenants = [
        ("msf", "organisation"),
        ("relief", "organisation"),
        ("east", "party"),
        ("west", "party"),
        ("ocha", "coordinator"),
        ("auditor", "auditor"),
    ];
    let mut app = busy.world.db.connect(Role::App).await;
    for (table, guard) in TABLES {
        let condition = match guard {
            Guard::Tenant(condition) => condition,
            Guard::Context(why) | Guard::Public(why) => {
                assert!(!why.is_empty(), "{table}");
                continue;
            }
            Guard::Closed => {
                let sql = format!("SELECT count(*) FROM hn.{table}");
                let error = app.execute(AssertSqlSafe(sql)).await.unwrap_err();
                assert_eq!(StoreError::from(error), StoreError::Forbidden, "{table}");
                continue;
            }
        };
        let all = rows(&mut admin, table).await;
        let mut seen = BTreeMap::new();
        for (actor, kind) in tenants {
            let expected = allowed(&mut admin, table, condition, actor).await;
            let mut tx = app.begin().await.unwrap();
            become_tenant(&mut tx, "yem", actor, kind).await;
            let own = rows(&mut tx, table).await;
            tx.rollback().await.unwrap();
            assert_eq!(own, expected, "{table} as {actor}");
            seen.insert(actor, own);
        }
        for (one, other) in [("msf", "relief"), ("east", "west")] {
            assert!(
                seen[one].len() < all.len() && seen[other].len() < all.len(),
                "{table} has foreign rows"
            );
        }
        assert!(
            seen.values().any(|own| !own.is_empty()),
            "{table} has rows at all"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_tenant_and_in_another_context_every_guarded_table_is_empty() {
    let busy = Busy::new().await;
    let mut app = busy.world.db.connect(Role::App).await;
    for (table, _) in TABLES
        .iter()
        .filter(|(_, guard)| matches!(guard, Guard::Tenant(_) | Guard::Context(_)))
    {
        assert_eq!(
            rows(&mut app, table).await,
            BTreeSet::new(),
            "{table} without settings"
        );
        let mut tx = app.begin().await.unwrap();
        become_tenant(&mut tx, "sdn", "msf", "coordinator").await;
        assert_eq!(
            rows(&mut tx, table).await,
            BTreeSet::new(),
            "{table} in another context"
        );
        tx.rollback().await.unwrap();
        // What a transaction set does not outlast it.
        assert_eq!(
            rows(&mut app, table).await,
            BTreeSet::new(),
            "{table} afterwards"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_learns_how_full_its_own_mailbox_is_and_nobody_elses() {
    let busy = Busy::new().await;
    let mut admin = busy.admin().await;
    let mut app = busy.world.db.connect(Role::App).await;
    for (actor, kind) in [("msf", "organisation"), ("east", "party")] {
        let mut tx = app.begin().await.unwrap();
        become_tenant(&mut tx, "yem", actor, kind).await;
        let own: i64 = sqlx::query_scalar("SELECT hn.my_mailbox_seq()")
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        let stored: i64 =
            sqlx::query_scalar("SELECT mailbox_seq FROM hn.actor WHERE ctx = 'yem' AND actor = $1")
                .bind(actor)
                .fetch_one(&mut admin)
                .await
                .unwrap();
        assert!(stored > 0);
        assert_eq!(own, stored, "{actor}");
        let every = tx.execute("SELECT mailbox_seq FROM hn.actor").await;
        assert_eq!(
            StoreError::from(every.unwrap_err()),
            StoreError::Forbidden,
            "{actor}"
        );
        tx.rollback().await.unwrap();
    }
    let nobody: Option<i64> = sqlx::query_scalar("SELECT hn.my_mailbox_seq()")
        .fetch_one(&mut app)
        .await
        .unwrap();
    assert_eq!(nobody, None, "without a tenant there is no mailbox");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_role_has_just_the_rights_that_stand_here() {
    let busy = Busy::new().await;
    let mut admin = busy.admin().await;
    let mut found = Vec::new();
    for table in tables(&mut admin).await {
        let mut rights = Vec::new();
        for role in [Role::App, Role::Intake, Role::Worker] {
            let letters: String = sqlx::query_scalar(
                "SELECT concat(
                     CASE WHEN has_table_privilege($1, t, 'SELECT') THEN 'S' WHEN has_any_column_privilege($1, t, 'SELECT') THEN 's' END,
                     CASE WHEN has_table_privilege($1, t, 'INSERT') THEN 'I' END,
                     CASE WHEN has_table_privilege($1, t, 'UPDATE') THEN 'U' WHEN has_any_column_privilege($1, t, 'UPDATE') THEN 'u' END,
                     CASE WHEN has_table_privilege($1, t, 'DELETE') THEN 'D' END,
                     CASE WHEN has_table_privilege($1, t, 'TRUNCATE') THEN 'T' END,
                     CASE WHEN has_table_privilege($1, t, 'REFERENCES') THEN 'R' END,
                     CASE WHEN has_table_privilege($1, t, 'TRIGGER') THEN 'G' END)
                   FROM (SELECT 'hn.' || quote_ident($2) AS t) AS named",
            )
            .bind(role.name())
            .bind(&table)
            .fetch_one(&mut admin)
            .await
            .unwrap();
            rights.push(letters);
        }
        found.push((table, rights));
    }
    let expected: Vec<(String, Vec<String>)> = RIGHTS
        .iter()
        .map(|&(table, app, intake, worker)| {
            (
                table.to_owned(),
                [app, intake, worker].map(str::to_owned).to_vec(),
            )
        })
        .collect();
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_role_becomes_another_changes_the_schema_or_reaches_the_machine() {
    let busy = Busy::new().await;
    for role in [Role::App, Role::Intake, Role::Worker] {
        let mut connection = busy.world.db.connect(role).await;
        let others = [
            "hn_owner",
            "hn_matcher",
            "hn_app",
            "hn_intake",
            "hn_worker",
            "herald_admin",
        ];
        let become_other = others
            .iter()
            .filter(|other| **other != role.name())
            .flat_map(|other| {
                [
                    format!("SET ROLE {other}"),
                    format!("SET SESSION AUTHORIZATION {other}"),
                ]
            });
        let rest = [
            "CREATE TABLE hn.mine ()",
            "CREATE SCHEMA mine",
            "CREATE TABLE public.mine ()",
            "CREATE FUNCTION hn.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "ALTER TABLE hn.statement DISABLE ROW LEVEL SECURITY",
            "DROP POLICY tenant ON hn.statement",
            "ALTER FUNCTION hn.candidates SECURITY INVOKER",
            "ALTER SYSTEM SET log_statement = 'all'",
            "CREATE EXTENSION dblink",
            "COPY (SELECT 1) TO PROGRAM 'true'",
            "COPY (SELECT 1) TO '/tmp/mine'",
            "SELECT pg_read_file('PG_VERSION')",
            "SELECT pg_ls_dir('.')",
            "TRUNCATE hn.statement",
            "DELETE FROM hn.statement",
            "DELETE FROM hn.mailbox",
            "DELETE FROM hn.ack",
            "DELETE FROM hn.part",
            "UPDATE hn.statement SET jws = ''",
            "UPDATE hn.part SET content = ''",
        ];
        for sql in become_other.chain(rest.map(str::to_owned)) {
            let error = connection
                .execute(AssertSqlSafe(sql.clone()))
                .await
                .unwrap_err();
            assert_eq!(
                StoreError::from(error),
                StoreError::Forbidden,
                "{role}: {sql}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_candidate_function_gives_each_party_its_own_and_nobody_else_anything() {
    let busy = Busy::new().await;
    let mut app = busy.world.db.connect(Role::App).await;
    let everything = "SELECT nid FROM hn.candidates(
        public.ST_Collect(public.ST_MakeEnvelope(-180, -90, 0, 90, 4326), public.ST_MakeEnvelope(0, -90, 180, 90, 4326)), NULL, NULL)";
    let of = |nid: &Nid| vec![nid.uuid()];
    for (ctx, actor, kind, expected) in [
        ("yem", "east", "party", of(&busy.ours.nid)),
        ("yem", "west", "party", of(&busy.theirs.nid)),
        ("yem", "msf", "organisation", Vec::new()),
        ("yem", "ocha", "coordinator", Vec::new()),
        ("sdn", "east", "party", Vec::new()),
        ("", "", "", Vec::new()),
    ] {
        let mut tx = app.begin().await.unwrap();
        become_tenant(&mut tx, ctx, actor, kind).await;
        let found: Vec<uuid::Uuid> = sqlx::query_scalar(everything)
            .fetch_all(&mut *tx)
            .await
            .unwrap();
        tx.rollback().await.unwrap();
        assert_eq!(found, expected, "{actor} in {ctx:?}");
    }
    for role in [Role::Intake, Role::Worker] {
        let mut connection = busy.world.db.connect(role).await;
        let error = connection.execute(everything).await.unwrap_err();
        assert_eq!(StoreError::from(error), StoreError::Forbidden, "{role}");
    }
}

/// SQL whose text is not a literal of the source: role names and table-column lists of ours, never a value.
#[test]
fn no_sql_is_made_from_what_somebody_sent() {
    let mut made = BTreeMap::new();
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    for entry in std::fs::read_dir(&store).unwrap() {
        let path = entry.unwrap().path();
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        // The operator's alone, from the command line: databases and tables that it names itself, quoted by PostgreSQL.
        if file == "rebuild.rs" {
            continue;
        }
        for (number, after) in text.split("AssertSqlSafe(").skip(1).enumerate() {
            let sql = after.split_once(')').map_or(after, |(sql, _)| sql);
            let mut holes = sql
                .split('{')
                .skip(1)
                .filter_map(|hole| hole.split_once('}'));
            let constant = |name: &str| {
                name == "role" || name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
            };
            // The one text with names in it: it lets nothing else in, as a test beside it holds.
            if file == "tx.rs" && sql == "opening(names" {
                *made.entry(file.clone()).or_insert(0) += 1;
                continue;
            }
            assert!(
                sql.starts_with("format!(") && holes.all(|(name, _)| constant(name)),
                "{file} {number}: {sql}"
            );
            *made.entry(file.clone()).or_insert(0) += 1;
        }
    }
    assert_eq!(
        made.get("tx.rs"),
        Some(&1),
        "the search finds what is there"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_was_moved_to_another_row_opens_for_nobody_and_never_becomes_another_place() {
    let busy = Busy::new().await;
    let (world, mut admin) = (&busy.world, busy.admin().await);
    let content = |hash: Vec<u8>| {
        sqlx::query_as::<_, (i64, Vec<u8>)>(
            "SELECT pos, content FROM hn.part JOIN hn.statement USING (pos) WHERE hash = $1 AND part = 'place'",
        )
        .bind(hash)
    };
    let (pos, place) = content(busy.ours.hash.as_bytes().to_vec())
        .fetch_one(&mut admin)
        .await
        .unwrap();
    let (_, foreign) = content(busy.theirs.hash.as_bytes().to_vec())
        .fetch_one(&mut admin)
        .await
        .unwrap();

    let keyring = &world.core().keyring;
    let (msf, relief) = (&world.msf.id, &world.relief.id);
    let (ours, theirs) = (busy.ours.nid.to_string(), busy.theirs.nid.to_string());
    let open = |org, nid: &str, rev, part| {
        keyring.open_record(&Record::part(org, nid, rev, part).at(), &place)
    };
    assert!(open(msf, &ours, 1, "place").is_ok(), "where it stands");
    for (org, nid, rev, part, what) in [
        (msf, &theirs, 1, "place", "another notification"),
        (msf, &ours, 2, "place", "another revision"),
        (relief, &ours, 1, "place", "another organisation"),
        (msf, &ours, 1, "audience.east", "another part"),
    ] {
        assert!(open(org, nid, rev, part).is_err(), "{what}");
    }

    // The hand that holds the database puts another place into our row.
    assert_eq!(
        busy.ask(world.east.first(), 44.206_6, 15.347_3)
            .await
            .verdict,
        Verdict::Conflict
    );
    sqlx::query("UPDATE hn.part SET content = $2 WHERE pos = $1 AND part = 'place'")
        .bind(pos)
        .bind(foreign)
        .execute(&mut admin)
        .await
        .unwrap();
    for (lon, lat) in [(44.206_6, 15.347_3), (43.187_3, 16.013_4)] {
        let answer = busy.ask(world.east.first(), lon, lat).await;
        assert!(
            answer.hits.iter().all(|hit| hit.place.is_none()),
            "no place is shown"
        );
        if lon > 44.0 {
            assert_eq!(
                answer.verdict,
                Verdict::Indeterminate,
                "and what cannot be read is a doubt"
            );
        }
    }
    let events = world
        .get(world.east.first(), "/v1/events?after=0&limit=100")
        .await;
    if events.status.is_success() {
        for bytes in envelope::split(&events.body, 1_000).unwrap() {
            let event = Event::decode(bytes).unwrap();
            let is_ours =
                herald::crypto::statement::hash(&event.envelope.statement) == busy.ours.hash;
            assert!(!is_ours, "not delivered rather than delivered wrong");
        }
    } else {
        assert!(events.problem.is_some());
    }
}
