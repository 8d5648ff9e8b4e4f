//! What `lint`, `notify` and `import` share: the arguments that say how to read a file and whom to notify, and what is
//! known of the context (policy, keys), fresh from the server or, without a line, as last seen.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::api::{Api, ApiError};
use super::draft::compose::Settings;
use super::draft::confirm::{self, Confirmed};
use super::draft::parties::Parties;
use super::draft::words::{self, Choice};
use super::error::CliError;
use super::files::{self, Pipes};
use super::profile::{self, Profile, file};
use super::tabular::columns::Field;
use super::tabular::{Options, TableError};
use super::{Context, directory, policy};
use crate::crypto::digest::Digest;
use crate::domain::actor::ActorKind;
use crate::domain::ids::ActorId;
use crate::domain::notification::Relation;
use crate::spatial::parse::Country;
use crate::wire::api::KeyDirectory;
use crate::wire::claims::OnBehalf;
use crate::wire::policy::Policy;
use crate::wire::trust::Trust;

/// How to read what is given, and whom to notify.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ComposeArgs {
    /// Whom to notify, and what they see: PARTY:exact (the place), PARTY:on_check (10 km squares now, the place when a
    /// check of theirs hits it) or PARTY:cell (the squares alone); add :onward if they may pass it on. May be repeated;
    /// without it the coordinator alone is told
    #[arg(long = "party", value_name = "PARTY:TIER", value_parser = words::choice)]
    pub parties: Vec<Choice>,
    /// The country that places are held against, where they do not say: three letters [default: the context's]
    #[arg(long, value_parser = country)]
    pub country: Option<Country>,
    /// The time zone of times that name none, like Asia/Kabul
    #[arg(long)]
    pub zone: Option<String>,
    /// Metres around the place that you ask to be kept in mind, for rows that give none (the requested buffer)
    #[arg(long, value_name = "METRES", value_parser = metres)]
    pub buffer: Option<f64>,
    /// You support the places rather than run them, for rows that do not say
    #[arg(long)]
    pub supported: bool,
    /// Refuse what has a warning too, not only what cannot be read
    #[arg(long)]
    pub strict: bool,
    /// Notify what is odd in this way all the same, because it is meant so: a remark's code, like too-few-digits, or all.
    /// May be repeated. Without it `notify` asks at a terminal, and refuses elsewhere
    #[arg(long, value_name = "CODE", value_parser = confirm::confirmed, conflicts_with = "strict")]
    pub confirm: Vec<Confirmed>,
    /// Say what a column means: --map "Type de site=category"
    #[arg(long, value_name = "COLUMN=FIELD", value_parser = map)]
    pub map: Vec<(String, Field)>,
    /// Which sheet of a spreadsheet
    #[arg(long)]
    pub sheet: Option<String>,
    /// Notify on behalf of an organisation that cannot sign for itself yet; it can take it over later with `herald cosign`
    /// (coordinator)
    #[arg(long, value_name = "ORGANISATION", requires = "letter")]
    pub on_behalf_of: Option<ActorId>,
    /// The e-mail, form or letter that it came from: its SHA-256 is signed, and you keep the file
    #[arg(long, value_name = "FILE", requires = "on_behalf_of")]
    pub letter: Option<PathBuf>,
}

/// On behalf of whom, and from which word of theirs.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct BehalfArgs {
    /// On behalf of an organisation that cannot sign for itself yet (coordinator)
    #[arg(long, value_name = "ORGANISATION", requires = "letter")]
    pub on_behalf_of: Option<ActorId>,
    /// The e-mail, form or letter that it came from: its SHA-256 is signed, and you keep the file
    #[arg(long, value_name = "FILE", requires = "on_behalf_of")]
    pub letter: Option<PathBuf>,
}

impl BehalfArgs {
    /// The word, as the coordinator signs it.
    ///
    /// # Errors
    /// As [`on_behalf`].
    pub fn word(&self) -> Result<Option<OnBehalf>, CliError> {
        on_behalf(self.on_behalf_of.as_ref(), self.letter.as_deref())
    }
}

/// The longest e-mail, form or letter, in bytes.
const LETTER_MOST: u64 = 32 << 20;

/// The word that an organisation gave, as the coordinator signs it.
///
/// # Errors
/// When the file cannot be read, or is empty.
pub fn on_behalf(
    org: Option<&ActorId>,
    letter: Option<&Path>,
) -> Result<Option<OnBehalf>, CliError> {
    let (Some(org), Some(letter)) = (org, letter) else {
        return Ok(None);
    };
    let bytes = files::read(letter, LETTER_MOST, Pipes::Refused).map_err(|error| {
        CliError::failed(
            format!("{} cannot be read: {error}", letter.display()),
            "Give the e-mail, form or letter as a file.",
        )
    })?;
    if bytes.is_empty() {
        return Err(CliError::refused(
            format!("{} is empty", letter.display()),
            "Give the e-mail, form or letter as it came.",
        ));
    }
    Ok(Some(OnBehalf {
        org: org.clone(),
        source: Digest::of(&bytes),
    }))
}

fn country(text: &str) -> Result<Country, String> {
    Country::from_code(text)
        .ok_or_else(|| "a country has three letters (ISO 3166), like YEM".to_owned())
}

fn metres(text: &str) -> Result<f64, String> {
    words::metres(text).ok_or_else(|| "a length is metres, like 500".to_owned())
}

fn map(text: &str) -> Result<(String, Field), String> {
    let (column, field) = text.rsplit_once('=').ok_or("write it as COLUMN=FIELD")?;
    let field = Field::of_name(field).ok_or_else(|| {
        let known: Vec<&str> = Field::ALL.iter().map(|field| field.name()).collect();
        format!(
            "\"{field}\" is no field; the fields are: {}",
            known.join(", ")
        )
    })?;
    Ok((column.to_owned(), field))
}

impl ComposeArgs {
    /// How to read a file.
    pub fn options(&self) -> Options {
        Options {
            map: self.map.clone(),
            sheet: self.sheet.clone(),
        }
    }

    /// Refuses a party that may not be chosen, before any row is read.
    ///
    /// # Errors
    /// Naming the party and the one that was likely meant.
    pub fn check_parties(&self, parties: &Parties) -> Result<(), CliError> {
        let refusal = |choice: &Choice| parties.refusal(&choice.party);
        self.parties.iter().find_map(refusal).map_or(Ok(()), |why| {
            Err(CliError::refused(
                format!("--party {why}"),
                "Name a party of this context. Nothing was signed.",
            ))
        })
    }

    /// What is known beside a draft.
    ///
    /// # Errors
    /// When the letter that it came from cannot be read.
    pub fn settings(
        &self,
        policy: Policy,
        parties: Option<Parties>,
        context: &Context,
    ) -> Result<Settings, CliError> {
        let country = self
            .country
            .or_else(|| Country::from_code(policy.country.as_deref()?));
        Ok(Settings {
            on_behalf: on_behalf(self.on_behalf_of.as_ref(), self.letter.as_deref())?,
            policy,
            country,
            zone: self.zone.clone(),
            audience: self.parties.clone(),
            relation: if self.supported {
                Relation::Supported
            } else {
                Relation::Run
            },
            buffer_m: self.buffer,
            parties,
            now: context.clock.now(),
        })
    }
}

impl From<TableError> for CliError {
    fn from(error: TableError) -> Self {
        Self::refused(error.to_string(), "Nothing was read, nothing was sent.")
    }
}

#[derive(Serialize, Deserialize)]
struct Seen {
    policy: Policy,
}

/// The policy as last seen; the built-in default before the first time.
///
/// # Errors
/// When the file is damaged.
pub fn seen_policy(profile: &Profile) -> Result<Policy, CliError> {
    let path = profile.path(file::POLICY);
    if !path.exists() {
        return Ok(Policy::default());
    }
    Ok(profile::read_json::<Seen>(&path)?.policy)
}

/// Keeps the policy for when there is no line, after its signature was checked.
///
/// # Errors
/// When it cannot be written.
pub fn keep_signed(profile: &Profile, policy: &Policy) -> Result<(), CliError> {
    let seen = Seen {
        policy: policy.clone(),
    };
    Ok(profile::write_json(&profile.path(file::POLICY), &seen)?)
}

/// The context as the client knows it.
pub struct Known {
    /// Whose keys are whose, held against the pins.
    pub trust: Trust,
    /// The policy.
    pub policy: Policy,
    /// Why the server could not be asked; then both are as last seen.
    pub offline: Option<ApiError>,
}

/// Asks the server for keys and policy, and keeps both for a day without a line; or takes them as last seen.
///
/// # Errors
/// When keys do not verify, the server refuses, or it cannot be reached and nothing was seen before.
pub async fn known(profile: &Profile, api: &Api) -> Result<Known, CliError> {
    match api.keys(&profile.me().ctx).await {
        Ok(directory) => {
            let trust = directory::hold(profile, &directory)?;
            let current = api.policy(&profile.me().ctx).await?;
            policy::signed(&current, &trust)?;
            let policy = current.policy;
            keep_policy(profile, &policy, &directory)?;
            Ok(Known {
                trust,
                policy,
                offline: None,
            })
        }
        Err(error @ ApiError::Unreachable { .. }) => {
            let Some(directory) = profile.cached_keys()? else {
                return Err(error.into());
            };
            let trust = Trust::establish(&directory, &profile.pins())?;
            Ok(Known {
                trust,
                policy: seen_policy(profile)?,
                offline: Some(error),
            })
        }
        Err(error) => Err(error.into()),
    }
}

/// Keeps what the coordinator signed, and the number to call when in doubt: the policy's, else the coordinator's own.
fn keep_policy(
    profile: &Profile,
    policy: &Policy,
    directory: &KeyDirectory,
) -> Result<(), CliError> {
    keep_signed(profile, policy)?;
    let duty = || {
        let coordinator = directory
            .actors
            .iter()
            .find(|actor| actor.kind == ActorKind::Coordinator);
        coordinator.and_then(|actor| actor.duty.clone())
    };
    if let Some(call) = policy.call.clone().or_else(duty) {
        profile::keep_call(profile.dir(), &call)?;
    }
    Ok(())
}
