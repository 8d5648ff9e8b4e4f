//! Nudges, from what happens to the mail server and the gateway that stand at their end: who is told, how often, what the
//! message holds, and what it never holds.

mod gateway;
pub mod post;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use herald::domain::notification::Tier;
use herald::store::role::Role as Database;
use herald::wire::nudge::{NudgeSettings, WebhookBody};
use herald::wire::problem::ProblemKind as P;
use reqwest::Method;
use serde_json::{Value, json};

use self::gateway::Gateway;
use self::post::PostOffice;
use super::time::convoy;
use super::{Answer, Cry, Member, Notified, Site, Unit, World};

const HOUR: i64 = 3_600;

impl World {
    /// Starts the server again with this said of nudges.
    async fn nudging(&mut self, said: &Value) {
        self.stop().await;
        let private = |name: &str, text: &[u8]| {
            let path = self.config.dir.join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        };
        let secret = format!("whsec_{}\n", data_encoding::BASE64.encode(gateway::SECRET));
        private("nudge.json", &serde_json::to_vec(said).unwrap());
        private("smtp-password", b"correct horse\n");
        private("webhook-secret", secret.as_bytes());
        self.restart().await;
        // The first look begins at the end of the log.
        for _ in 0..100 {
            let mut admin = self.db.connect(Database::Admin).await;
            let at: Option<i64> = sqlx::query_scalar("SELECT position FROM hn.nudge_head")
                .fetch_one(&mut admin)
                .await
                .unwrap();
            if at.is_some() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nobody looks");
    }

    async fn set_nudge(&self, unit: &Unit, choice: &Value) -> Answer {
        let body = Some(("application/json", serde_json::to_vec(choice).unwrap()));
        self.call(&unit.http, Method::PUT, "/v1/nudge", body).await
    }

    async fn nudge_me(&self, unit: &Unit, email: &str, severities: &[&str]) {
        let choice = json!({"email": email, "severities": severities});
        let settings: NudgeSettings = self.set_nudge(unit, &choice).await.json();
        assert!(settings.choice.is_some());
    }

    /// Lets two organisations and two parties have all that a person may read of nudges.
    pub async fn nudge_everybody(&self) {
        for member in [&self.msf, &self.relief, &self.east, &self.west] {
            self.nudge_me(member.first(), "somebody@desk.example", &["urgent"])
                .await;
        }
        let mut admin = self.db.connect(Database::Admin).await;
        for sql in [
            "INSERT INTO hn.nudge_trouble SELECT ctx, actor, device, 'mail', hn.now() FROM hn.nudge",
            "INSERT INTO hn.nudge_out (bundle, way, ctx, actor, device, sort, call, count, upto, at, next_at)
             SELECT gen_random_uuid(), 'mail', ctx, actor, device, 'urgent', '00000000-0000-0000-0000-000000000000', 1, 0, hn.now(), hn.now()
               FROM hn.nudge",
        ] {
            sqlx::query(sql).execute(&mut admin).await.unwrap();
        }
    }

    async fn nudges(&self, unit: &Unit) -> NudgeSettings {
        self.get(unit, "/v1/nudge").await.json()
    }

    /// A query of east's officer on what msf notified.
    async fn queried(&self, what: &Notified) {
        let more = json!({"question": "Which gate of the warehouse is it?"});
        let asked = self.ask(&self.east, &self.msf, what, more).await;
        assert_eq!(asked.status.as_u16(), 201, "{asked:?}");
    }

    /// Says that a device has kept its whole mailbox.
    async fn has_read(&self, desk: &Member) {
        let unit = desk.first();
        let last = self.reads(desk).await.pop().unwrap().0;
        let body = serde_json::to_vec(&json!({"seq": last})).unwrap();
        let answer = self
            .call(
                &unit.http,
                Method::PUT,
                "/v1/cursor",
                Some(("application/json", body)),
            )
            .await;
        assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    }

    /// Everything that the tables of nudges hold, as text.
    async fn nudge_tables(&self) -> String {
        let mut admin = self.db.connect(Database::Admin).await;
        let rows: Vec<String> = sqlx::query_scalar(
            "SELECT x::text FROM hn.nudge x UNION ALL SELECT x::text FROM hn.nudge_wait x
             UNION ALL SELECT x::text FROM hn.nudge_out x UNION ALL SELECT x::text FROM hn.nudge_trouble x",
        )
        .fetch_all(&mut admin)
        .await
        .unwrap();
        rows.join("\n")
    }
}

/// Waits as long as two looks and a delivery surely take.
async fn a_while() {
    tokio::time::sleep(Duration::from_millis(3_500)).await;
}

fn mail_only(post: &PostOffice) -> Value {
    json!({"mail": post.config()})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_says_a_reference_and_nothing_of_what_or_where_or_who() {
    let post = PostOffice::open();
    let mut world = World::start().await;
    world.nudging(&mail_only(&post)).await;
    let ada = world.msf.first();
    world.nudge_me(ada, "ada@msf.example", &["urgent"]).await;
    let site = Site::at(44.206_6, 15.347_3).to(&world.east, Tier::Exact);
    let site = world.notify(ada, &site).await;
    world.queried(&site).await;

    let mails = post.took(1).await;
    let mail = &mails[0];
    assert!(mail.tls);
    assert_eq!(mail.login.as_deref(), Some("hn"));
    assert_eq!(
        (mail.from.as_str(), mail.to.as_slice()),
        ("herald@relay.example", &["ada@msf.example".to_owned()][..])
    );
    let line = format!("EXERCISE: {} needs you", site.nid.reference());
    let text = mail.text();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert_eq!(body.trim_end(), line);
    let mut names: Vec<_> = head.lines().map(|l| l.split_once(':').unwrap().0).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "Auto-Submitted",
            "Content-Type",
            "Date",
            "From",
            "MIME-Version",
            "Message-ID",
            "Subject",
            "To"
        ]
    );
    assert_eq!(mail.header("Subject"), line);
    let without_address = text.replace("ada@msf.example", "");
    for secret in [
        "hospital",
        "A hospital",
        "44.2",
        "15.3",
        "gate",
        "msf",
        "east",
        "Ada",
        "query",
        "yem",
    ] {
        assert!(!without_address.contains(secret), "{secret}: {text}");
    }
    // Nor does the machine keep the address anywhere but sealed.
    assert!(!world.nudge_tables().await.contains("ada"));
    let settings = world.nudges(ada).await;
    assert_eq!(settings.recent.len(), 1);
    assert_eq!(settings.recent[0].state.as_str(), "taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_starttls_or_with_another_certificate_is_told_nothing() {
    let mut post = PostOffice::closed();
    post.start("clear");
    let mut world = World::start().await;
    world.nudging(&mail_only(&post)).await;
    let ada = world.msf.first();
    world.nudge_me(ada, "ada@msf.example", &["urgent"]).await;
    let site = world
        .notify(ada, &Site::at(44.2, 15.4).to(&world.east, Tier::Exact))
        .await;
    world.queried(&site).await;
    a_while().await;
    assert_eq!(post.mails().len(), 0);
    assert_eq!(world.nudges(ada).await.recent[0].state.as_str(), "waiting");

    // STARTTLS now, under an authority that is not the one named.
    post.stop();
    post.start("starttls");
    let other = post::Trusted::new();
    let mut said = mail_only(&post);
    said["mail"]["ca_file"] = json!(other.path("ca.pem"));
    world.nudging(&said).await;
    world.move_time(60).await;
    a_while().await;
    assert_eq!(post.mails().len(), 0);

    // And the right one: the same message, at last.
    world.nudging(&mail_only(&post)).await;
    world.move_time(HOUR).await;
    assert_eq!(post.took(1).await[0].to, ["ada@msf.example"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_mail_server_that_was_down_missed_comes_once_over_a_restart() {
    let mut post = PostOffice::closed();
    let mut world = World::start().await;
    world.nudging(&mail_only(&post)).await;
    world
        .nudge_me(world.msf.first(), "ada@msf.example", &["urgent"])
        .await;
    let site = Site::at(44.2, 15.4).to(&world.east, Tier::Exact);
    let site = world.notify(world.msf.first(), &site).await;
    world.queried(&site).await;
    a_while().await;
    assert!(world.nudges(world.msf.first()).await.recent[0].tries >= 1);
    world.restart().await;
    post.start("starttls");
    post.refuse(true);
    world.move_time(60).await;
    a_while().await;
    assert_eq!(post.mails().len(), 0, "refused for now");
    post.refuse(false);
    world.move_time(10 * 60).await;
    post.took(1).await;
    world.restart().await;
    a_while().await;
    assert_eq!(post.mails().len(), 1, "nothing twice");

    // Killed between handing it over and writing that down: once more, and mail programs fold the two.
    let mut admin = world.db.connect(Database::Admin).await;
    sqlx::query("UPDATE hn.nudge_out SET state = 'waiting', lease = clock_timestamp()")
        .execute(&mut admin)
        .await
        .unwrap();
    let mails = post.took(2).await;
    assert_eq!(mails[0].header("Message-ID"), mails[1].header("Message-ID"));
}

#[tokio::test(flavor = "multi_thread")]
async fn routine_waits_is_dropped_once_somebody_has_read_and_is_bundled_within_the_hour() {
    let post = PostOffice::open();
    let mut world = World::start().await;
    world.nudging(&mail_only(&post)).await;
    let desk = world.east.first();
    world
        .nudge_me(desk, "night@east.example", &["routine"])
        .await;
    let site = |lon: f64| Site::at(lon, 15.4).to(&world.east, Tier::Exact);
    let ada = world.msf.first();

    world.notify(ada, &site(44.1)).await;
    a_while().await;
    world.has_read(&world.east).await;
    world.move_time(11 * 60).await;
    a_while().await;
    assert_eq!(post.mails().len(), 0, "somebody has read it");

    let second = world.notify(ada, &site(44.2)).await;
    a_while().await;
    world.move_time(22 * 60).await;
    let mails = post.took(1).await;
    assert_eq!(
        mails[0].header("Subject"),
        format!("EXERCISE: {} needs you", second.nid.reference())
    );

    for lon in [44.3, 44.4, 44.5] {
        world.notify(ada, &site(lon)).await;
    }
    a_while().await;
    world.move_time(40 * 60).await;
    a_while().await;
    assert_eq!(post.mails().len(), 1, "at most one an hour");
    world.move_time(90 * 60).await;
    let mails = post.took(2).await;
    assert_eq!(
        mails[1].header("Subject"),
        "EXERCISE: 3 notifications need you"
    );
    assert_ne!(mails[0].header("Message-ID"), mails[1].header("Message-ID"));
}

#[tokio::test(flavor = "multi_thread")]
async fn urgent_goes_at_once_at_most_six_times_an_hour_and_the_rest_as_one() {
    let post = PostOffice::open();
    let mut world = World::start().await;
    world.nudging(&mail_only(&post)).await;
    let ada = world.msf.first();
    world.nudge_me(ada, "ada@msf.example", &["urgent"]).await;
    for n in 0..9_u8 {
        let site = Site::at(44.0 + f64::from(n) / 10.0, 15.4).to(&world.east, Tier::Exact);
        let site = world.notify(ada, &site).await;
        world.queried(&site).await;
        if n < 6 {
            post.took(usize::from(n) + 1).await;
        }
    }
    a_while().await;
    assert_eq!(post.mails().len(), 6);
    world.move_time(HOUR + 60).await;
    let last = post.took(7).await.pop().unwrap();
    assert_eq!(last.header("Subject"), "EXERCISE: 3 notifications need you");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_for_help_says_that_it_is_urgent_at_most_once_a_minute_for_each_call() {
    let post = PostOffice::open();
    let mut world = World::start().await;
    world.nudging(&mail_only(&post)).await;
    world
        .nudge_me(world.east.first(), "night@east.example", &["distress"])
        .await;
    world
        .nudge_me(
            world.coordinator.first(),
            "duty@ocha.example",
            &["distress"],
        )
        .await;
    let cry = || Cry::here().to(&world.east, Tier::Exact);
    let one = world.distress(world.msf.first(), &cry()).await;
    let other = world.distress(world.msf.first(), &cry()).await;
    let mails = post.took(4).await;
    for call in [&one, &other] {
        let line = format!("EXERCISE: {} is urgent", call.nid.reference());
        let told: Vec<_> = mails
            .iter()
            .filter(|m| m.header("Subject") == line)
            .collect();
        let mut to: Vec<_> = told.iter().flat_map(|m| m.to.clone()).collect();
        to.sort_unstable();
        assert_eq!(to, ["duty@ocha.example", "night@east.example"]);
    }
    // Two minutes without an answer: two alerts, and one nudge each.
    world.move_time(65).await;
    post.took(8).await;
    a_while().await;
    assert_eq!(post.mails().len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_somebody_is_away_the_cover_is_told_and_afterwards_they_are_again() {
    let post = PostOffice::open();
    let mut world = World::start().await;
    world.nudging(&mail_only(&post)).await;
    let (ada, bo) = (&world.msf.devices[0], &world.msf.devices[1]);
    world.nudge_me(bo, "bo@msf.example", &["distress"]).await;
    let until = super::devices::now() + time::Duration::hours(2);
    let until = until
        .format(&time::format_description::well_known::Rfc3339)
        .unwrap();
    let away = json!({"email": "ada@msf.example", "severities": ["urgent"], "leave": {"until": until, "cover": bo.id}});
    let settings: NudgeSettings = world.set_nudge(ada, &away).await.json();
    assert!(settings.choice.unwrap().leave.is_some());
    assert_eq!(world.nudges(bo).await.covering[0].device, ada.id);

    let site = world
        .notify(ada, &Site::at(44.2, 15.4).to(&world.east, Tier::Exact))
        .await;
    world.queried(&site).await;
    assert_eq!(post.took(1).await[0].to, ["bo@msf.example"]);

    // A cover who takes the address back is none: better to disturb the leave.
    let gone = world
        .call(&bo.http, Method::DELETE, "/v1/nudge", None)
        .await;
    assert_eq!(gone.status.as_u16(), 204);
    world.queried(&site).await;
    assert_eq!(post.took(2).await[1].to, ["ada@msf.example"]);
    world.nudge_me(bo, "bo@msf.example", &["distress"]).await;

    world.move_time(3 * HOUR).await;
    world.queried(&site).await;
    assert_eq!(post.took(3).await[2].to, ["ada@msf.example"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cover_who_could_not_stand_in_and_an_address_that_serves_nobody_are_refused() {
    let world = World::start().await;
    let [ada, bo, cy] = &world.msf.devices[..] else {
        panic!("three devices")
    };
    let at = |hours| {
        let at = super::devices::now() + time::Duration::hours(hours);
        at.format(&time::format_description::well_known::Rfc3339)
            .unwrap()
    };
    let choice =
        |leave: Value| json!({"email": "a@msf.example", "severities": ["urgent"], "leave": leave});
    let leave = |hours, cover: &Unit| choice(json!({"until": at(hours), "cover": cover.id}));
    for (body, problem) in [
        (
            json!({"email": "a@b.example\r\nBcc: c@d.example", "severities": ["urgent"]}),
            P::NudgeAddress,
        ),
        (
            json!({"phone": "077000111", "severities": ["urgent"]}),
            P::NudgeAddress,
        ),
        (json!({"severities": ["urgent"]}), P::NudgeNowhere),
        (
            json!({"email": "a@b.example", "severities": []}),
            P::NudgeNowhere,
        ),
        (
            json!({"email": "a@b.example", "severities": ["test"]}),
            P::InvalidMember,
        ),
        (
            json!({"email": "a@b.example", "severities": ["urgent"], "token": "x"}),
            P::UnknownMember,
        ),
        (leave(-1, bo), P::NudgeLeave),
        (leave(400 * 24, bo), P::NudgeLeave),
        (leave(5, ada), P::NudgeCover),
        (leave(5, bo), P::NudgeCover),
        (leave(5, world.relief.first()), P::NudgeCover),
    ] {
        assert_eq!(
            world.set_nudge(ada, &body).await.refused(),
            Some(problem),
            "{body}"
        );
    }
    world
        .nudge_me(world.relief.first(), "a@relief.example", &["urgent"])
        .await;
    let foreign = leave(5, world.relief.first());
    assert_eq!(
        world.set_nudge(ada, &foreign).await.refused(),
        Some(P::NudgeCover)
    );

    // A chain is followed; a circle, closed by whoever comes last, is refused.
    for unit in [ada, bo, cy] {
        world.nudge_me(unit, "a@msf.example", &["urgent"]).await;
    }
    assert_eq!(
        world.set_nudge(ada, &leave(5, bo)).await.status.as_u16(),
        200
    );
    assert_eq!(
        world.set_nudge(bo, &leave(5, cy)).await.status.as_u16(),
        200
    );
    assert_eq!(
        world.set_nudge(cy, &leave(5, ada)).await.refused(),
        Some(P::NudgeCover)
    );

    // This server sends nothing, and says so.
    let settings = world.nudges(ada).await;
    assert!(!settings.mail && !settings.webhook);
    let test = world
        .call(&ada.http, Method::POST, "/v1/nudge/test", None)
        .await;
    assert_eq!(test.refused(), Some(P::NudgesOff));
    let pilot = world.get(world.operator.first(), "/v1/nudge").await;
    assert_eq!(pilot.refused(), Some(P::NotAllowed));
    let erased = world
        .call(&ada.http, Method::DELETE, "/v1/nudge", None)
        .await;
    assert_eq!(erased.status.as_u16(), 204);
    let test = world
        .call(&ada.http, Method::POST, "/v1/nudge/test", None)
        .await;
    assert_eq!(test.refused(), Some(P::NudgeNowhere));
    assert!(world.nudges(ada).await.choice.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_verifies_the_signature_is_tried_again_and_leads_nowhere_else() {
    let gateway = Gateway::open(&["500 Internal Server Error", "302 Found", "200 OK"]).await;
    let mut world = World::start().await;
    world.nudging(&json!({"webhook": gateway.config()})).await;
    let ada = world.msf.first();
    let choice = json!({"phone": "+967 77 000 111", "severities": ["urgent"]});
    assert_eq!(world.set_nudge(ada, &choice).await.status.as_u16(), 200);
    let site = world
        .notify(ada, &Site::at(44.2, 15.4).to(&world.east, Tier::Exact))
        .await;
    world.queried(&site).await;
    gateway.got(1).await;
    a_while().await;
    world.move_time(15).await;
    gateway.got(2).await;
    a_while().await;
    assert_eq!(gateway.requests().len(), 2, "no redirect is followed");
    world.move_time(60).await;
    let requests = gateway.got(3).await;
    for request in &requests {
        assert!(request.is_signed());
        assert_eq!(request.line, "POST /sms HTTP/1.1");
        assert_eq!(
            request.headers["webhook-id"],
            requests[0].headers["webhook-id"]
        );
        let body: WebhookBody = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body.data.to, "+96777000111");
        assert_eq!(
            body.data.text,
            format!("EXERCISE: {} needs you", site.nid.reference())
        );
        let mut members: Vec<_> = request
            .json()
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        members.sort_unstable();
        assert_eq!(members, ["data", "timestamp", "type"]);
    }
    let mut forged = requests[0].clone();
    forged.body[20] ^= 1;
    assert!(!forged.is_signed());
    a_while().await;
    assert_eq!(gateway.requests().len(), 3);
    assert_eq!(world.nudges(ada).await.recent[0].tries, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_get_through_ends_and_the_coordinator_is_told_who_is_not_reached() {
    let mut post = PostOffice::closed();
    let mut world = World::start().await;
    world.nudging(&mail_only(&post)).await;
    let ada = world.msf.first();
    world.nudge_me(ada, "ada@msf.example", &["urgent"]).await;
    let site = world
        .notify(ada, &Site::at(44.2, 15.4).to(&world.east, Tier::Exact))
        .await;
    world.queried(&site).await;
    a_while().await;
    world.move_time(25 * HOUR).await;
    for _ in 0..100 {
        if !world.nudges(ada).await.failing.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let settings = world.nudges(ada).await;
    assert_eq!(settings.failing.len(), 1);
    assert_eq!(settings.recent[0].state.as_str(), "given_up");
    let queue = world.get(world.coordinator.first(), "/v1/queue").await;
    let told = queue.json::<Value>();
    assert_eq!(told["unreached"][0]["actor"], "msf");
    assert_eq!(told["unreached"][0]["device"], ada.id.as_str());
    assert!(!String::from_utf8_lossy(&queue.body).contains("ada@"));
    let elsewhere = world
        .get(world.east.first(), "/v1/queue")
        .await
        .json::<Value>();
    assert!(elsewhere.get("unreached").is_none());

    // A test that gets through ends it.
    post.start("starttls");
    let test = world
        .call(&ada.http, Method::POST, "/v1/nudge/test", None)
        .await;
    assert_eq!(test.status.as_u16(), 200);
    assert_eq!(
        post.took(1).await[0].header("Subject"),
        "EXERCISE: Test: nudges reach you"
    );
    a_while().await;
    assert!(world.nudges(ada).await.failing.is_empty());
    for _ in 0..2 {
        let test = world
            .call(&ada.http, Method::POST, "/v1/nudge/test", None)
            .await;
        assert_eq!(test.status.as_u16(), 200);
    }
    let test = world
        .call(&ada.http, Method::POST, "/v1/nudge/test", None)
        .await;
    assert_eq!(test.refused(), Some(P::RateLimited));
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_nudges_organisation_party_and_coordinator_as_the_table_says() {
    let post = PostOffice::open();
    let mut world = World::start().await;
    world.nudging(&mail_only(&post)).await;
    for (unit, email) in [
        (world.msf.first(), "ada@msf.example"),
        (world.east.first(), "night@east.example"),
        (world.west.first(), "west@west.example"),
        (world.coordinator.first(), "duty@ocha.example"),
    ] {
        world.nudge_me(unit, email, &["urgent"]).await;
    }
    let convoy = world
        .notify(
            world.msf.first(),
            &convoy(10 * HOUR).to(&world.east, Tier::Exact),
        )
        .await;
    let to = |mails: Vec<post::Mail>| {
        let mut to: Vec<_> = mails.into_iter().flat_map(|m| m.to).collect();
        to.sort_unstable();
        to
    };
    a_while().await;
    assert_eq!(post.mails().len(), 0, "a notification is routine");
    world.move_time(3 * HOUR).await;
    let overdue = post.took(2).await;
    assert!(overdue.iter().all(|m| {
        m.header("Subject")
            .contains(&convoy.nid.reference().to_string())
    }));
    assert_eq!(to(overdue), ["duty@ocha.example", "night@east.example"]);

    // Erased: nothing more goes there, whatever waits.
    let gone = world
        .call(&world.east.first().http, Method::DELETE, "/v1/nudge", None)
        .await;
    assert_eq!(gone.status.as_u16(), 204);
    world.move_time(6 * HOUR).await;
    let more = post.took(3).await;
    assert_eq!(
        to(more),
        [
            "duty@ocha.example",
            "duty@ocha.example",
            "night@east.example"
        ]
    );
}
