//! Attachments as the server meets them: contents that arrive in pieces, statements that name them, and who may read what.

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use herald::crypto::blob::{BlobKey, CHUNK_BYTES};
use herald::crypto::digest::Digest;
use herald::crypto::disclosure::Disclosure;
use herald::domain::notification::Tier;
use herald::http::chunks::CHUNKS_TYPE;
use herald::service::blobs;
use herald::store::role::Role;
use herald::wire::api::BlobState;
use herald::wire::build;
use herald::wire::envelope::{Event, split};
use herald::wire::parts::{AttachmentPart, MediaType, NamedBlob, name};
use herald::wire::policy::Policy;
use herald::wire::problem::ProblemKind as P;
use herald::wire::read;
use reqwest::{Body, Method, header};
use sqlx::Executor as _;

use super::{Answer, Member, Notified, Site, Unit, World};

/// A file, and its content as it is sent.
pub struct Attached {
    key: BlobKey,
    text: Vec<u8>,
    /// The content.
    pub blob: Vec<u8>,
    /// Its digest.
    pub digest: Digest,
}

impl Attached {
    /// A file of some bytes.
    pub fn of(text: Vec<u8>) -> Self {
        let key = BlobKey::generate();
        let blob = key.seal(&text).unwrap();
        Self {
            digest: Digest::of(&blob),
            key,
            text,
            blob,
        }
    }

    /// A photo of so many bytes.
    pub fn photo(length: usize) -> Self {
        let mut text = MediaType::Jpeg.magic().to_vec();
        text.extend((text.len()..length).map(|i| u8::try_from(i % 251).unwrap()));
        Self::of(text)
    }

    /// What its part says.
    pub fn part(&self) -> AttachmentPart {
        AttachmentPart {
            name: "plate.jpg".to_owned(),
            media_type: MediaType::Jpeg,
            size: self.text.len() as u64,
            sha256: Digest::of(&self.text),
            blob: self.digest,
            key: self.key.to_b64url(),
            chunk: u32::try_from(CHUNK_BYTES).unwrap(),
        }
    }

    /// As the statement names it to the server.
    pub fn named(&self) -> NamedBlob {
        NamedBlob {
            blob: self.digest,
            size: self.blob.len() as u64,
        }
    }
}

impl World {
    /// Sends some bytes of a content.
    pub async fn put(
        &self,
        unit: &Unit,
        (digest, size): (Digest, usize),
        offset: usize,
        bytes: &[u8],
    ) -> Answer {
        let path = format!("/v1/blobs/{digest}?offset={offset}&size={size}");
        let body = Some((CHUNKS_TYPE, bytes.to_vec()));
        self.call(&unit.http, Method::PUT, &path, body).await
    }

    /// Sends a content whole; it must be taken.
    pub async fn upload(&self, unit: &Unit, file: &Attached) {
        let sent = self
            .put(unit, (file.digest, file.blob.len()), 0, &file.blob)
            .await;
        let state: BlobState = sent.json();
        assert!(state.complete, "{state:?}");
    }

    async fn range(&self, unit: &Unit, digest: Digest, range: &str) -> (u16, Bytes) {
        let request = unit
            .http
            .get(format!("{}/v1/blobs/{digest}", self.url))
            .header(header::RANGE, range);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.bytes().await.unwrap())
    }

    /// Status and how much is there, by HEAD.
    async fn have(&self, unit: &Unit, digest: Digest) -> (u16, Option<u64>) {
        let request = unit.http.head(format!("{}/v1/blobs/{digest}", self.url));
        let answer = request.send().await.unwrap();
        let have = answer.headers().get("hn-have");
        (
            answer.status().as_u16(),
            have.map(|have| have.to_str().unwrap().parse().unwrap()),
        )
    }

    async fn read(&self, unit: &Unit, digest: Digest) -> Answer {
        self.get(unit, &format!("/v1/blobs/{digest}")).await
    }

    /// Everything of a statement's parts that a desk was handed, by part.
    async fn handed(&self, desk: &Member, what: &Notified) -> Option<Vec<Disclosure>> {
        let answer = self.get(desk.first(), "/v1/events?after=0&limit=256").await;
        for item in split(&answer.body, 256).unwrap() {
            let event = Event::decode(item).unwrap();
            if herald::crypto::statement::hash(&event.envelope.statement) == what.hash {
                let (_, claims) = read::read(&event.envelope.statement).unwrap();
                let open = |part| build::open(&claims, part, &desk.desk).unwrap();
                return Some(event.envelope.attachments.iter().map(open).collect());
            }
        }
        None
    }

    async fn refused_site(&self, site: &Site) -> Option<P> {
        let built = site.build(self, self.msf.first());
        self.submit(self.msf.first(), built.envelope.encode())
            .await
            .refused()
    }

    fn clinic(&self) -> Site {
        Site::at(44.2, 15.4)
            .to(&self.east, Tier::Exact)
            .to(&self.west, Tier::Cell)
    }

    /// Those whom the attachments of [`Self::clinic`] are sealed to.
    fn entitled(&self) -> [&Member; 3] {
        [&self.coordinator, &self.msf, &self.east]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_reaches_those_who_see_the_exact_place_and_nobody_else() {
    let world = World::start().await;
    let ada = world.msf.first();
    let photos = [Attached::photo(3 * CHUNK_BYTES + 77), Attached::photo(900)];
    for photo in &photos {
        world.upload(ada, photo).await;
        // Until a statement names it, it is its sender's alone; a colleague's device is the same sender.
        let colleague = &world.msf.devices[1];
        assert_eq!(world.read(colleague, photo.digest).await.body, photo.blob);
        for other in [&world.coordinator, &world.east, &world.relief] {
            let answer = world.read(other.first(), photo.digest).await;
            assert_eq!(answer.refused(), Some(P::NotFound), "{}", other.id);
        }
    }
    let site = world
        .clinic()
        .attach(&[&photos[0], &photos[1]], &world.entitled());
    let notified = world.notify(ada, &site).await;

    for desk in world.entitled() {
        let handed = world.handed(desk, &notified).await.unwrap();
        for (photo, n) in photos.iter().zip(1..) {
            let part = handed.iter().find(|p| p.name() == name::attachment(n));
            let part: AttachmentPart =
                serde_json::from_value(part.unwrap().value().clone()).unwrap();
            let blob = world.read(desk.first(), part.blob).await;
            assert_eq!(blob.status.as_u16(), 200, "{}", desk.id);
            assert_eq!(Digest::of(&blob.body), part.blob);
            let key = BlobKey::from_b64url(&part.key).unwrap();
            let text = key.open(&blob.body).unwrap();
            assert_eq!(*text, photo.text, "{}", desk.id);
            assert_eq!(Digest::of(&text), part.sha256);
        }
        // Which contents there are is for the server; its maker may read its own word.
        let told = handed.iter().any(|p| p.name() == name::BLOBS);
        assert_eq!(told, desk.id == world.msf.id, "{}", desk.id);
    }
    // At the tier of cells: the statement, and no word of a photo.
    let handed = world.handed(&world.west, &notified).await.unwrap();
    let names: Vec<&str> = handed.iter().map(Disclosure::name).collect();
    assert_eq!(names, ["audience.west"]);
    for desk in [&world.west, &world.relief] {
        for photo in &photos {
            let answer = world.read(desk.first(), photo.digest).await;
            assert_eq!(answer.refused(), Some(P::NotFound), "{}", desk.id);
            assert_eq!(world.have(desk.first(), photo.digest).await, (404, None));
        }
    }
    // A planner of an entitled party has no mailbox.
    let planner = &world.east.devices[1];
    let answer = world.read(planner, photos[0].digest).await;
    assert_eq!(answer.refused(), Some(P::NotAllowed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_goes_on_where_it_stopped() {
    let world = World::start().await;
    let ada = world.msf.first();
    let photo = Attached::photo(2 * CHUNK_BYTES + 5);
    world.upload(ada, &photo).await;
    let size = photo.blob.len();
    for (range, expected) in [
        ("bytes=0-", &photo.blob[..]),
        ("bytes=65530-", &photo.blob[65_530..]),
        ("bytes=65530-65545", &photo.blob[65_530..65_546]),
        ("bytes=-9", &photo.blob[size - 9..]),
    ] {
        let (status, body) = world.range(ada, photo.digest, range).await;
        assert_eq!((status, &body[..]), (206, expected), "{range}");
    }
    let behind = format!("bytes={size}-");
    assert_eq!(world.range(ada, photo.digest, &behind).await.0, 416);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_broke_off_goes_on_after_a_restart_of_the_server() {
    let mut world = World::start().await;
    let photo = Attached::photo(4 * CHUNK_BYTES);
    let whole = (photo.digest, photo.blob.len());
    {
        // The line breaks in the middle of the third piece, when the server has the first two.
        let sent = photo.blob[..2 * CHUNK_BYTES + 1_000].to_vec();
        let (broke, breaks) = tokio::sync::oneshot::channel::<()>();
        let breaks = async move {
            drop(breaks.await);
            Err(std::io::Error::other("the line broke"))
        };
        let body = stream::iter([Ok(sent)]).chain(stream::once(breaks));
        let body = Body::wrap_stream(body);
        let unit = world.msf.first();
        let request = unit
            .http
            .put(format!(
                "{}/v1/blobs/{}?offset=0&size={}",
                world.url, photo.digest, whole.1
            ))
            .header(header::CONTENT_TYPE, CHUNKS_TYPE)
            .body(body);
        let sending = tokio::spawn(request.send());
        while world.have(unit, photo.digest).await.1 != Some(2 * CHUNK_BYTES as u64) {
            assert!(!sending.is_finished());
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        broke.send(()).unwrap();
        assert!(sending.await.unwrap().is_err());
    }
    world.restart().await;
    let ada = world.msf.first();
    let (status, have) = world.have(ada, photo.digest).await;
    assert_eq!((status, have), (200, Some(2 * CHUNK_BYTES as u64)));
    let answer = world.read(ada, photo.digest).await;
    assert_eq!(answer.refused(), Some(P::AttachmentIncomplete));
    // Elsewhere it does not go on.
    for offset in [0, CHUNK_BYTES, 2 * CHUNK_BYTES + 1, 3 * CHUNK_BYTES] {
        let rest = &photo.blob[offset..];
        let answer = world.put(ada, whole, offset, rest).await;
        assert_eq!(answer.refused(), Some(P::AttachmentOffset), "{offset}");
    }
    let from = 2 * CHUNK_BYTES;
    let answer = world.put(ada, whole, from, &photo.blob[from..]).await;
    assert!(answer.json::<BlobState>().complete);
    // A lost answer: the same again says that it is there.
    let answer = world.put(ada, whole, from, &photo.blob[from..]).await;
    assert!(answer.json::<BlobState>().complete);
    assert_eq!(world.read(ada, photo.digest).await.body, photo.blob);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_altered_swapped_cut_off_or_too_long_is_not_kept() {
    let world = World::start().await;
    let ada = world.msf.first();
    let photo = Attached::photo(2 * CHUNK_BYTES);
    let whole = (photo.digest, photo.blob.len());
    let mut altered = photo.blob.clone();
    altered[70_000] ^= 1;
    let piece = CHUNK_BYTES + 16;
    let swapped = [
        &photo.blob[..7],
        &photo.blob[7 + piece..],
        &photo.blob[7..7 + piece],
    ]
    .concat();
    for wrong in [altered, swapped] {
        let answer = world.put(ada, whole, 0, &wrong).await;
        assert_eq!(answer.refused(), Some(P::AttachmentAltered));
        assert_eq!(world.have(ada, photo.digest).await, (404, None));
    }
    // One that ends early and says so is another content.
    let cut = photo.blob.len() - 9;
    let answer = world
        .put(ada, (photo.digest, cut), 0, &photo.blob[..cut])
        .await;
    assert_eq!(answer.refused(), Some(P::AttachmentAltered));
    let longer = [&photo.blob[..], b"x"].concat();
    let answer = world.put(ada, whole, 0, &longer).await;
    assert_eq!(answer.refused(), Some(P::TooLarge));
    let answer = world
        .put(ada, (photo.digest, whole.1 + 1), 0, &longer)
        .await;
    assert_eq!(answer.refused(), Some(P::AttachmentMismatch));
    for size in [0, herald::crypto::blob::MAX_BLOB_BYTES + 1] {
        let other = Digest::of(b"other");
        let answer = world.put(ada, (other, size), 0, b"").await;
        assert_eq!(answer.refused(), Some(P::TooLarge), "{size}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_taken_only_with_what_it_names_whole_and_its_own() {
    let world = World::start().await;
    let (ada, rae) = (world.msf.first(), world.relief.first());
    let photo = Attached::photo(CHUNK_BYTES + 100);
    let whole = (photo.digest, photo.blob.len());
    let site = || world.clinic().attach(&[&photo], &world.entitled());
    assert_eq!(
        world.refused_site(&site()).await,
        Some(P::AttachmentIncomplete)
    );
    // Another organisation's content is as unknown as one that nobody sent.
    world.upload(rae, &photo).await;
    assert_eq!(
        world.refused_site(&site()).await,
        Some(P::AttachmentIncomplete)
    );
    assert_eq!(world.have(ada, photo.digest).await, (404, None));
    world.put(ada, whole, 0, &photo.blob[..CHUNK_BYTES]).await;
    assert_eq!(
        world.refused_site(&site()).await,
        Some(P::AttachmentIncomplete)
    );
    world
        .put(ada, whole, CHUNK_BYTES, &photo.blob[CHUNK_BYTES..])
        .await;
    let mut another_size = site();
    another_size.blobs[0].size -= 1;
    assert_eq!(
        world.refused_site(&another_size).await,
        Some(P::AttachmentMismatch)
    );
    let mut none_named = site();
    none_named.blobs.clear();
    assert_eq!(world.refused_site(&none_named).await, Some(P::MissingPart));
    let mut none_sealed = site();
    none_sealed.attached.clear();
    assert_eq!(
        world.refused_site(&none_sealed).await,
        Some(P::AttachmentMismatch)
    );
    let mut twice = site();
    twice.attached.push(photo.part());
    twice.blobs.push(photo.named());
    assert_eq!(
        world.refused_site(&twice).await,
        Some(P::AttachmentMismatch)
    );
    let many: Vec<Attached> = (0..11).map(|_| Attached::photo(50)).collect();
    let many: Vec<&Attached> = many.iter().collect();
    let too_many = world.clinic().attach(&many, &world.entitled());
    assert_eq!(
        world.refused_site(&too_many).await,
        Some(P::TooManyAttachments)
    );
    let withheld = [&world.coordinator, &world.msf];
    let too_far = [&world.coordinator, &world.msf, &world.east, &world.west];
    for (readers, refused) in [
        (&withheld[..], P::MissingSeal),
        (&too_far[..], P::UnknownReader),
    ] {
        let site = world.clinic().attach(&[&photo], readers);
        assert_eq!(world.refused_site(&site).await, Some(refused));
    }
    // Nothing of all that was kept; the good one goes in, and the next revision may name the same content.
    let first = world.notify(ada, &site()).await;
    world.notify(ada, &site().after(&first)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_sends_no_more_than_the_policy_gives_and_is_told_how_much_it_has() {
    let world = World::start().await;
    let ada = world.msf.first();
    let policy = Policy {
        attachments_mib: 1,
        ..Policy::default()
    };
    world.set_policy(1, policy).await;
    let photo = Attached::photo(700 << 10);
    world.upload(ada, &photo).await;
    let more = Attached::photo(400 << 10);
    let answer = world
        .put(ada, (more.digest, more.blob.len()), 0, &more.blob)
        .await;
    assert_eq!(answer.refused(), Some(P::AttachmentQuota));
    let detail = answer.problem.unwrap().detail.unwrap();
    assert!(detail.contains("0.7 of 1 MiB"), "{detail}");
    // It is each organisation's own.
    world.upload(world.relief.first(), &more).await;
    let small = Attached::photo(100 << 10);
    world.upload(ada, &small).await;
    // Nobody who may not notify takes room.
    for (unit, refused) in [
        (world.stranger.first(), P::NotAdmitted),
        (world.suspended.first(), P::Suspended),
    ] {
        let answer = world
            .put(unit, (small.digest, small.blob.len()), 0, b"")
            .await;
        assert_eq!(answer.refused(), Some(refused));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_statement_names_is_gone_after_a_day_and_what_one_names_stays() {
    let world = World::start().await;
    let ada = world.msf.first();
    let [named, orphan, begun] = [(); 3].map(|()| Attached::photo(CHUNK_BYTES + 9));
    for photo in [&named, &orphan] {
        world.upload(ada, photo).await;
    }
    let size = begun.blob.len();
    world
        .put(ada, (begun.digest, size), 0, &begun.blob[..CHUNK_BYTES])
        .await;
    let site = world.clinic().attach(&[&named], &world.entitled());
    let notified = world.notify(ada, &site).await;
    let mut admin = world.db.connect(Role::Admin).await;
    for (hours, cleared) in [(23, 0), (25, 2), (48, 0)] {
        let ahead = sqlx::query("UPDATE hn.head SET ahead = make_interval(hours => $1)");
        admin.execute(ahead.bind(hours)).await.unwrap();
        assert_eq!(
            blobs::clear_away(world.core()).await,
            Ok(cleared),
            "{hours}"
        );
    }
    for gone in [&orphan, &begun] {
        assert_eq!(world.have(ada, gone.digest).await, (404, None));
    }
    let pieces: i64 = sqlx::query_scalar("SELECT count(*) FROM hn.blob_chunk")
        .fetch_one(&mut admin)
        .await
        .unwrap();
    assert_eq!(pieces, 2, "those of the one that is named");
    let east = world.east.first();
    assert_eq!(world.read(east, named.digest).await.body, named.blob);
    assert!(world.handed(&world.east, &notified).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piece_that_was_moved_in_the_database_is_not_handed_on() {
    let world = World::start().await;
    let ada = world.msf.first();
    let photo = Attached::photo(3 * CHUNK_BYTES);
    world.upload(ada, &photo).await;
    let mut admin = world.db.connect(Role::Admin).await;
    admin
        .execute("UPDATE hn.blob_chunk c SET content = (SELECT content FROM hn.blob_chunk d WHERE d.blob = c.blob AND d.n = 1) WHERE n = 0")
        .await
        .unwrap();
    let (status, _) = world.range(ada, photo.digest, "bytes=65536-").await;
    assert_eq!(status, 206, "the others still open");
    let request = ada
        .http
        .get(format!("{}/v1/blobs/{}", world.url, photo.digest));
    let cut_off = match request.send().await {
        Ok(answer) => answer.bytes().await.is_err(),
        Err(_) => true,
    };
    assert!(cut_off, "an answer that breaks off rather than a wrong one");
}
