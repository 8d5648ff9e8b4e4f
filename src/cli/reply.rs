//! An organisation's reply to a query or a warning, to the party that sent it. The coordinator reads along. A reply moves
//! nothing: what was amended is a revision of its own.

use super::composing::BehalfArgs;
use super::error::CliError;
use super::exchange::{self, to_reply};
use super::exit::Exit;
use super::find::{self, Named};
use super::inbox::Inbox;
use super::opened::Opened;
use super::outbox::Meta;
use super::screen::parse_revision;
use super::submit::submit;
use super::{Context, directory};
use crate::domain::exchange::Answer;
use crate::domain::ids::{ActorId, Revision};
use crate::domain::kind::Kind;
use crate::wire::build::{Part, build};
use crate::wire::claims::ReplyClaims;
use crate::wire::parts::{ReplyDetail, name};

const EXAMPLES: &str = "\
Examples:
  herald reply HN-WD2P-F2DD --explained --text \"the eastern of the two buildings\"
  herald reply HN-WD2P-F2DD --amended 2 --text \"it leaves two hours later\"
  herald reply HN-WD2P-F2DD --to east --accepted --text \"we wait\"
  herald reply HN-WD2P-F2DD --declined --text \"patients cannot wait\"

`herald threads` lists what waits. To amend, notify the next revision first, then reply with its number. Another reply \
may follow; the latest counts. The party that asked and the coordinator are told; no other party is.";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, group = clap::ArgGroup::new("answer").required(true))]
pub struct Args {
    /// The notification, HN-… or its id
    pub notification: Named,
    /// The party, when several have asked or warned
    #[arg(long, value_name = "PARTY")]
    pub to: Option<ActorId>,
    /// Which query or warning, by its hash or the beginning of it, when several wait
    #[arg(long, value_name = "HASH")]
    pub re: Option<String>,
    /// You explain
    #[arg(long, group = "answer")]
    pub explained: bool,
    /// You have amended the notification, in this revision
    #[arg(long, group = "answer", value_name = "REVISION", value_parser = parse_revision)]
    pub amended: Option<Revision>,
    /// You do as you were asked
    #[arg(long, group = "answer")]
    pub accepted: bool,
    /// You do not
    #[arg(long, group = "answer")]
    pub declined: bool,
    /// In words
    #[arg(long)]
    pub text: String,
    /// On behalf of whom, where it is not one's own word.
    #[command(flatten)]
    pub behalf: BehalfArgs,
}

impl Args {
    const fn answer(&self) -> Answer {
        if self.explained {
            Answer::Explained
        } else if self.amended.is_some() {
            Answer::Amended
        } else if self.accepted {
            Answer::Accepted
        } else {
            Answer::Declined
        }
    }
}

/// Signs the reply.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args, context: &Context) -> Result<Exit, CliError> {
    let on_behalf = args.behalf.word()?;
    let (profile, api) = context.connect()?;
    let inbox = Inbox::open(profile.dir())?;
    let (nid, ..) = find::own_latest(&profile, &inbox, &args.notification)?;
    let trust = directory::at_hand(&profile, &api).await?;
    let heard = exchange::about(&Opened::of(&profile)?, nid);
    let asked = to_reply(
        &args.notification,
        heard,
        args.to.as_ref(),
        args.re.as_deref(),
    )?;
    if args.amended.is_some_and(|amended| amended <= asked.rev) {
        return Err(CliError::refused(
            format!(
                "{} asks about revision {}: the amendment is a later one",
                asked.party, asked.rev
            ),
            "Notify the amendment first, then name its revision.",
        ));
    }
    let detail = ReplyDetail {
        answer: args.answer(),
        amended: args.amended,
        text: args.text,
    };
    let part = Part::new(name::DETAIL, &detail)?.sealed_to(trust.server_seal());
    let common = profile.common(&context.clock);
    let claims = ReplyClaims::new(
        common,
        asked.party.clone(),
        nid,
        asked.rev,
        asked.of,
        on_behalf,
    );
    let built = build(claims, &[part], &profile.signing_key()?)?;
    let meta =
        Meta::of(Kind::Reply, &built.envelope.statement, context.clock.now()).about(nid, asked.rev);
    let submitted = submit(&profile, &api, &trust, &built, &meta).await?;
    context.out.emit(&submitted, || {
        format!(
            "{}: {} and the coordinator are being told your reply.",
            nid.reference(),
            asked.party
        )
    });
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::cli::{Cli, Command};

    fn parse(line: &[&str]) -> Result<super::Args, clap::Error> {
        let words = ["herald", "reply", "HN-WD2P-F2DD", "--text", "so"];
        let cli = Cli::try_parse_from(words.iter().chain(line))?;
        match cli.command {
            Command::Reply(args) => Ok(args),
            _ => panic!("reply"),
        }
    }

    #[test]
    fn exactly_one_answer_is_given_and_an_amendment_names_its_revision() {
        for (good, answer) in [
            (&["--explained"][..], "explained"),
            (&["--amended", "2"], "amended"),
            (&["--accepted"], "accepted"),
            (&["--declined"], "declined"),
        ] {
            assert_eq!(parse(good).expect("complete").answer().as_str(), answer);
        }
        for bad in [
            &[][..],
            &["--amended"],
            &["--amended", "0"],
            &["--accepted", "--declined"],
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
