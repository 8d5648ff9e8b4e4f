//! Receiving what is sent to the own desk: each event is checked, put on disk, shown in words, and only then
//! acknowledged to the server, so that a broken line or a power cut repeats events and loses none.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::api::{Api, ApiError};
use super::composing::{keep_signed, seen_policy};
use super::error::CliError;
use super::exit::Exit;
use super::inbox::Inbox;
use super::profile::Profile;
use super::received::{Readers, Received, handed_on, receive};
use super::stream::{Said, Stream};
use super::{Context, calls, directory, mend, reached, words};
use crate::crypto::random::random_bytes;
use crate::domain::ids::Seq;
use crate::domain::plural::count;
use crate::wire::claims::Claims;
use crate::wire::envelope::Event;
use crate::wire::parts::name;
use crate::wire::trust::Trust;

const EXAMPLES: &str = "\
Examples:
  herald listen                     follow, and reconnect when the line breaks
  herald listen --once              fetch what has come, then end
  herald listen --json | jq .       for programs: one event a line

A party's desk says by itself that what came reached its liaison device: that, and no more. An officer says more with \
`herald ack`.";

/// Events fetched in one page.
const PAGE: u32 = 256;
/// Events held before they are put on disk together.
const BATCH: usize = 128;
/// How long a batch waits for more.
const GATHER: Duration = Duration::from_millis(40);
/// The first and the longest pause before connecting again.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MOST: Duration = Duration::from_mins(1);

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Fetch what has come, then end
    #[arg(long, conflicts_with = "follow")]
    pub once: bool,
    /// Go on listening (the default)
    #[arg(long)]
    pub follow: bool,
}

/// Listens.
///
/// # Errors
/// [`CliError`]. While following, a broken line is none.
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let mut listener = Listener::begin(context).await?;
    if args.once {
        listener.catch_up().await?;
        return Ok(Exit::Ok);
    }
    tokio::select! {
        ended = listener.follow() => ended,
        _ = tokio::signal::ctrl_c() => Ok(Exit::Ok),
    }
}

struct Listener<'a> {
    context: &'a Context,
    profile: Profile,
    api: Api,
    trust: Trust,
    readers: Readers,
    inbox: Inbox,
    waiting: Vec<(Event, Received)>,
    /// Held as long as this process writes the inbox.
    _lock: super::profile::ProfileLock,
}

impl<'a> Listener<'a> {
    async fn begin(context: &'a Context) -> Result<Self, CliError> {
        let (profile, api) = context.connect()?;
        let lock = profile.lock("inbox")?;
        // Following begins without a line too, with the keys as last seen.
        let trust = directory::at_hand(&profile, &api).await?;
        Ok(Self {
            context,
            readers: Readers::of(&profile)?,
            inbox: Inbox::open_to_append(profile.dir(), &lock)?,
            profile,
            api,
            trust,
            waiting: Vec::new(),
            _lock: lock,
        })
    }

    /// Fetches everything up to the end of the mailbox.
    async fn catch_up(&mut self) -> Result<(), CliError> {
        // What could not be said the last time.
        self.say_reached().await?;
        loop {
            let after = self.inbox.cursor();
            let page = self.api.events(after, PAGE).await?;
            let fetched = page.events.len();
            for (event, bytes) in page.events {
                self.take(event, &bytes).await?;
            }
            self.keep()?;
            if self.inbox.cursor() > after {
                self.api.set_cursor(self.inbox.cursor()).await?;
                self.say_reached().await?;
            }
            if self.inbox.cursor() >= page.head || fetched == 0 {
                break;
            }
        }
        let head = self.inbox.cursor();
        self.context.out.note(format!(
            "All that was sent to your desk is here: {}.",
            count(head, "event")
        ));
        Ok(())
    }

    /// Follows until the reader of our output has gone, or this device may not listen any more.
    async fn follow(&mut self) -> Result<Exit, CliError> {
        let mut pause = PAUSE;
        loop {
            let before = self.inbox.cursor();
            let error = match self.listen().await {
                Ok(()) => return Ok(Exit::Ok),
                Err(error) => error,
            };
            match &error {
                CliError::Api(api) if api.is_temporary() => {}
                _ => return Err(error),
            }
            if self.inbox.cursor() > before {
                pause = PAUSE;
            }
            self.context.out.note(format!(
                "{}. Trying again in {} s; nothing is lost.",
                error,
                pause.as_secs()
            ));
            // A whole office that lost its line must not come back in one instant.
            let [spread] = random_bytes::<1>();
            tokio::time::sleep(pause + pause.mul_f64(f64::from(spread) / 512.0)).await;
            pause = (pause * 2).min(PAUSE_MOST);
        }
    }

    /// One connection, until it breaks. `Ok` when our own reader has gone.
    async fn listen(&mut self) -> Result<(), CliError> {
        let mut stream = Stream::open(&self.profile, self.inbox.cursor()).await?;
        // The line may have broken after we kept it and before we could say so.
        stream.acknowledge(self.inbox.cursor()).await?;
        self.say_reached().await?;
        loop {
            let patience = (!self.waiting.is_empty()).then_some(GATHER);
            match stream.next(patience).await {
                Ok(Said::Event(bytes)) => {
                    let event = decode(&bytes)?;
                    self.take(event, &bytes).await?;
                }
                Ok(Said::Fetch(seq)) => {
                    let (event, bytes) = self.api.event(seq).await?;
                    self.take(event, &bytes).await?;
                }
                Ok(Said::Distress(seq)) => self.show_early(seq).await?,
                Ok(Said::Head(seq)) => {
                    self.settle(&mut stream).await?;
                    self.context
                        .out
                        .note(format!("Up to date ({}). Listening.", count(seq, "event")));
                }
                Ok(Said::Quiet) => self.settle(&mut stream).await?,
                Ok(Said::Ended(why)) => {
                    self.keep()?;
                    return Err(ApiError::Unreachable {
                        server: self.api.server().to_owned(),
                        why,
                    }
                    .into());
                }
                Err(error) => {
                    // What came before the line broke was checked and is kept.
                    self.keep()?;
                    return Err(error.into());
                }
            }
            if self.waiting.len() >= BATCH {
                self.settle(&mut stream).await?;
            }
            if self.context.out.is_closed() {
                stream.close().await;
                return Ok(());
            }
        }
    }

    /// Shows a call for help ahead of its turn. It is kept, and shown again, in its turn.
    async fn show_early(&mut self, seq: Seq) -> Result<(), CliError> {
        if seq <= self.inbox.cursor() {
            return Ok(());
        }
        let (event, _) = match self.api.event(seq).await {
            Ok(event) => event,
            Err(error) if error.is_temporary() => {
                self.context.out.ring();
                self.context.out.note(format!(
                    "DISTRESS: somebody calls for help; the call cannot be fetched yet ({error}) and comes in its turn."
                ));
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let mut received = self.check(&event)?;
        if received.doubt.is_some() {
            self.trust = directory::trust(&self.profile, &self.api).await?;
            received = self.check(&event)?;
        }
        self.context.out.ring();
        let mut value = as_json(&event, &received);
        if let Some(object) = value.as_object_mut() {
            object.insert("early".to_owned(), Value::Bool(true));
        }
        self.context
            .out
            .emit(&value, || words::describe(&event, &received));
        Ok(())
    }

    /// Checks an event and appends it; it is on disk with the next [`Self::keep`].
    async fn take(&mut self, event: Event, bytes: &[u8]) -> Result<(), CliError> {
        if event.seq <= self.inbox.cursor() {
            return Ok(());
        }
        let mut received = self.check(&event)?;
        if received.doubt.is_some() {
            // Perhaps a key that is newer than the directory at hand.
            self.trust = directory::trust(&self.profile, &self.api).await?;
            received = self.check(&event)?;
        }
        self.inbox
            .append(&event, &received.claims, received.doubt_text(), bytes)?;
        // The numbers in it must be at hand when there is no line.
        if let (Claims::Policy(claims), None) = (&received.claims, &received.doubt) {
            keep_signed(&self.profile, &claims.policy)?;
        }
        if !self.readers.has_desk()
            && let Some(key) = handed_on(&received, &self.profile)
        {
            self.profile.keep_desk_seal_key(&key)?;
            self.readers = Readers::of(&self.profile)?;
        }
        self.waiting.push((event, received));
        Ok(())
    }

    fn check(&self, event: &Event) -> Result<Received, CliError> {
        receive(event, &self.trust, &self.readers).map_err(|error| {
            CliError::failed(
                format!("event {} cannot be read: {error}", event.seq),
                "Update the client; if it is current, tell the server's operator. Nothing is lost.",
            )
        })
    }

    /// Puts what waits on disk, then shows it.
    fn keep(&mut self) -> Result<(), CliError> {
        self.inbox.sync()?;
        for (event, received) in self.waiting.drain(..) {
            if calls::is_alarm(&received) {
                self.context.out.ring();
            }
            let cells = mend::cells(&self.profile, &received);
            let mut value = as_json(&event, &received);
            if let (false, Some(object)) = (cells.is_empty(), value.as_object_mut()) {
                object.insert("cells".to_owned(), json!(cells));
            }
            self.context.out.emit(&value, || {
                let mut text = words::describe(&event, &received);
                for cell in &cells {
                    words::put(&mut text, "in your file", cell);
                }
                text
            });
            let policy = || seen_policy(&self.profile).unwrap_or_default();
            if calls::is_alarm(&received)
                && let Some(call) = calls::escalation(&received, &policy())
            {
                self.context.out.line(call);
            }
        }
        Ok(())
    }

    /// Keeps what waits, tells the server, and says for a party's desk that it reached the desk.
    async fn settle(&mut self, stream: &mut Stream) -> Result<(), CliError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        self.keep()?;
        stream.acknowledge(self.inbox.cursor()).await?;
        self.say_reached().await
    }

    async fn say_reached(&mut self) -> Result<(), CliError> {
        reached::say(
            self.context,
            &self.profile,
            &self.api,
            &self.trust,
            &self.inbox,
        )
        .await
        .map(|_| ())
    }
}

fn decode(bytes: &[u8]) -> Result<Event, CliError> {
    Ok(Event::decode(bytes).map_err(|e| ApiError::Answer {
        operation: "the stream".to_owned(),
        why: e.to_string(),
    })?)
}

/// An event for programs: what the statement says, and what could be opened.
pub fn as_json(event: &Event, received: &Received) -> Value {
    let common = received.claims.common();
    let mut parts = Map::new();
    for part in &received.parts {
        let mut value = part.value().clone();
        // The key stays where it is sealed: `herald attachments` opens with it.
        if part.name().starts_with(name::ATTACHMENT_PREFIX)
            && let Some(members) = value.as_object_mut()
        {
            members.remove("key");
        }
        parts.insert(part.name().to_owned(), value);
    }
    let claims = received
        .claims
        .to_json()
        .ok()
        .and_then(|json| serde_json::from_slice::<Value>(&json).ok());
    let subject = received.claims.revision();
    json!({
        "seq": event.seq, "pos": event.pos, "at_us": event.at_us, "kind": received.claims.kind(), "iss": common.iss,
        "reference": subject.map(|(nid, _)| nid.reference()), "nid": subject.map(|(nid, _)| nid),
        "rev": subject.map(|(_, rev)| rev), "of": crate::crypto::statement::hash(&event.envelope.statement),
        "believed": received.doubt_text().is_none(), "doubt": received.doubt_text(),
        "claims": claims, "parts": parts,
    })
}

/// Looks through the mailbox for the `keys` statement that hands the desk's key to this device, and keeps the key.
///
/// # Errors
/// When the mailbox cannot be read.
pub async fn fetch_desk_key(profile: &Profile, api: &Api, trust: &Trust) -> Result<(), CliError> {
    let readers = Readers::of(profile)?;
    let mut after = Seq(0);
    loop {
        let page = api.events(after, PAGE).await?;
        for (event, _) in &page.events {
            let Ok(received) = receive(event, trust, &readers) else {
                continue;
            };
            if let Some(key) = handed_on(&received, profile) {
                return Ok(profile.keep_desk_seal_key(&key)?);
            }
        }
        if page.next >= page.head || page.next <= after {
            return Ok(());
        }
        after = page.next;
    }
}
