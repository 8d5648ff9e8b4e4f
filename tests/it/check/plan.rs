//! The index: candidates are found by `cover_in_space`, whoever else's rows there are.

use herald::spatial::{Area, Cover, Position, Window};
use herald::store::role::Role;
use herald::store::{checks, tx};
use sqlx::{AssertSqlSafe, Executor as _};

use super::world::{Asking, TO_EAST};

/// Rows of other people's and this party's notifications, all over the world.
async fn fill(asking: &Asking, rows: u32) {
    let mut admin = asking.world.db.connect(Role::Admin).await;
    let numbered = format!("generate_series(1, {rows}) AS n");
    let nid = "md5('n' || n)::uuid";
    for sql in [
        format!("INSERT INTO hn.statement (pos, hash, ctx, actor, device, kid, jti, kind, jws, receipt, submitted_by, at)
                 SELECT 1000000 + n, sha256(('s' || n)::bytea), 'yem', 'msf', 'x', sha256('k'), {nid}, 'site', '', '', 'msf', now() FROM {numbered}"),
        format!("INSERT INTO hn.notification (nid, ctx, org, subject, state, reference, rev, first_pos)
                 SELECT {nid}, 'yem', 'msf', 'site', 'current', 'HN-' || n, 1, 1000000 + n FROM {numbered}"),
        format!("INSERT INTO hn.revision (nid, rev, ctx, org, pos, hash, kind, device, emergency, screening, cosign, at)
                 SELECT {nid}, 1, 'yem', 'msf', 1000000 + n, sha256(('s' || n)::bytea), 'site', 'x', false, 'screened', 'not_required', now() FROM {numbered}"),
        format!("INSERT INTO hn.audience (ctx, party, nid, rev, org, tier, seq, counts)
                 SELECT 'yem', CASE n % 2 WHEN 0 THEN 'east' ELSE 'west' END, {nid}, 1, 'msf', 'exact', n, true FROM {numbered}"),
        format!("INSERT INTO hn.cover (nid, rev, ctx, org, cover, validity)
                 SELECT {nid}, 1, 'yem', 'msf',
                        ST_Multi(ST_MakeEnvelope(x, y, x + 0.1, y + 0.1, 4326)), tstzrange(NULL, NULL, '[]')
                   FROM (SELECT n, (n % 3600) / 10.0 - 180 AS x, ((n / 3600) * 17 % 1700) / 10.0 - 85 AS y FROM {numbered}) g"),
        "ANALYZE".to_owned(),
    ] {
        admin.execute(AssertSqlSafe(sql)).await.unwrap();
    }
}

fn question() -> Cover {
    let area = Area::circle(Position::new(44.0, 13.6).unwrap(), 5_000.0).unwrap();
    Cover::search(&area, 1_000.0)
}

#[tokio::test]
async fn candidates_come_from_the_index_on_space() {
    let asking = Asking::new().await;
    fill(&asking, 25_000).await;
    let mut admin = asking.world.db.connect(Role::Admin).await;
    let body: String =
        sqlx::query_scalar("SELECT prosrc FROM pg_proc WHERE oid = 'hn.candidates'::regproc")
            .fetch_one(&mut admin)
            .await
            .unwrap();
    let body = body
        .replace("ST_Dump(boxes)", "ST_Dump($1)")
        .replace("from_at", "$2")
        .replace("until_at", "$3");
    let settings: Vec<String> = sqlx::query_scalar(
        "SELECT unnest(proconfig) FROM pg_proc WHERE oid = 'hn.candidates'::regproc",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    // As the function plans it: its owner, its settings, and without knowing the arguments.
    for setting in &settings {
        let (name, value) = setting.split_once('=').unwrap();
        admin
            .execute(AssertSqlSafe(format!("SET {name} = {value}")))
            .await
            .unwrap();
    }
    for sql in [
        "SET ROLE hn_matcher".to_owned(),
        "SET plan_cache_mode = force_generic_plan".to_owned(),
        "SELECT set_config('hn.ctx', 'yem', false), set_config('hn.actor', 'east', false)"
            .to_owned(),
        format!("PREPARE found (geometry, timestamptz, timestamptz) AS {body}"),
    ] {
        admin.execute(AssertSqlSafe(sql)).await.unwrap();
    }
    let sql = format!(
        "EXPLAIN EXECUTE found ('{}', NULL, NULL)",
        question().to_ewkt()
    );
    let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_all(&mut admin)
        .await
        .unwrap();
    let plan = plan.join("\n");
    assert!(plan.contains("cover_in_space"), "{plan}");
    assert!(!plan.contains("Seq Scan"), "{plan}");
}

#[tokio::test]
async fn the_function_itself_reads_the_index_and_not_the_table() {
    let asking = Asking::new().await;
    fill(&asking, 25_000).await;
    asking.notify(44.0, 13.6, TO_EAST).await;
    let scans = "SELECT coalesce((SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'cover_in_space'), 0),
                        (SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'cover')";
    let mut admin = asking.world.db.connect(Role::Admin).await;
    let (_, seq_before): (i64, i64) = sqlx::query_as(scans).fetch_one(&mut admin).await.unwrap();
    let tenant = asking.principal(asking.desk("east")).tenant();
    let mut conn = tx::begin(&asking.core.pools.app, &tenant).await.unwrap();
    let found = checks::candidates(&mut conn, &question(), &Window::ALWAYS)
        .await
        .unwrap();
    sqlx::query("SELECT pg_stat_force_next_flush()")
        .execute(&mut *conn)
        .await
        .unwrap();
    conn.commit().await.unwrap();
    assert!(!found.is_empty() && found.len() < 20, "{}", found.len());
    // Statistics are written when the session is idle.
    let mut seen: (i64, i64) = (0, 0);
    for _ in 0..100 {
        seen = sqlx::query_as(scans).fetch_one(&mut admin).await.unwrap();
        if seen.0 > 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(seen.0 > 0, "the index was not read");
    assert_eq!(seen.1, seq_before, "the whole table was read");
}
