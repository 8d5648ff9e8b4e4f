//! What was relayed and what was transcribed, in plain words: whoever reads is never left to take either for a party's own
//! signed word, or for a party that was reached.

use crate::cli::received::Received;
use crate::cli::words::{add, plain, put};
use crate::domain::exchange::{Means, RELAY_SENTENCE};
use crate::domain::ids::ActorId;
use crate::domain::notification::Tier;
use crate::domain::plural::count;
use crate::wire::claims::{Claims, OnBehalf, RelayClaims};
use crate::wire::parts::name;
use crate::wire::relay::{RelayDetail, RelayedFile};

/// Items of a package that are named; more are counted.
const SHOWN: usize = 12;

/// By what means a package went.
pub const fn means_words(means: Means) -> &'static str {
    match means {
        Means::Email => "by e-mail",
        Means::Hand => "by hand",
        Means::Courier => "by courier",
        Means::Other => "by other means",
    }
}

/// How much of a notification stood in a package.
pub const fn disclosed_words(tier: Tier) -> &'static str {
    match tier {
        Tier::Exact => "the exact place",
        Tier::OnCheck => "that there is something, and nothing of where",
        Tier::Cell => "a 10 km square",
        Tier::Withdrawn => "that it is no longer notified; civilian status unchanged",
    }
}

/// The first line of a relay.
pub fn headline(claims: &RelayClaims, who: &ActorId) -> String {
    format!(
        "{} of {}: relayed to {} by {who}",
        count(claims.items.len(), "notification"),
        claims.to,
        claims.party
    )
}

/// What a relay says: to whom, how, what of each, and what it is not.
pub fn details(text: &mut String, received: &Received, claims: &RelayClaims) {
    let detail: Option<RelayDetail> = received.part(name::DETAIL);
    for (index, item) in claims.items.iter().take(SHOWN).enumerate() {
        let disclosed = detail.as_ref().and_then(|d| d.items.get(index));
        let disclosed = disclosed.map_or("", |d| disclosed_words(d.tier));
        let line = format!("revision {}: {disclosed}", item.rev);
        put(text, item.nid.reference().as_str(), &line);
    }
    if claims.items.len() > SHOWN {
        put(
            text,
            "",
            &format!("and {} more", claims.items.len() - SHOWN),
        );
    }
    if let Some(detail) = &detail {
        put(text, "how", &how(detail));
        for file in &detail.files {
            put(
                text,
                "file",
                &format!("{}, SHA-256 {}", file.name, file.sha256),
            );
        }
    }
    put(text, "", RELAY_SENTENCE);
}

/// A file of a package, in a line.
pub fn line(text: &mut String, file: &RelayedFile) {
    add(
        text,
        format_args!("  {}  SHA-256 {}\n", file.name, file.sha256),
    );
}

/// By what means, to whom, by which officer.
pub fn how(detail: &RelayDetail) -> String {
    let post = detail.officer.post.as_deref();
    let post = post.map_or_else(String::new, |post| format!(", {post}"));
    plain(&format!(
        "{}, to {}, by {}{post}",
        means_words(detail.means),
        detail.recipient,
        detail.officer.name
    ))
}

/// Whose word it is not, of a statement that the coordinator signed for somebody else.
pub fn not_signed_by(claims: &Claims) -> Option<String> {
    let OnBehalf { org, source } = claims.on_behalf()?;
    let by = claims.common().iss.actor;
    Some(match claims {
        Claims::Ack(_) => format!(
            "transcribed by {by} from a letter of {org}, kept as SHA-256 {source}: not signed by {org}, and not counted as reached"
        ),
        _ => format!(
            "signed by {by} on behalf of {org}, from a word kept as SHA-256 {source}: not signed by {org}"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_of_a_relay_reads_as_a_signature_or_as_permission() {
        let means = Means::ALL.iter().map(|m| means_words(*m));
        let tiers = Tier::ALL.iter().map(|t| disclosed_words(*t));
        for text in means.chain(tiers) {
            for word in [
                "approv", "clear", "verified", "safe", "protect", "permi", "signed",
            ] {
                assert!(!text.contains(word), "{text}");
            }
        }
        assert!(RELAY_SENTENCE.contains("not signed") && RELAY_SENTENCE.contains("not counted"));
    }
}
