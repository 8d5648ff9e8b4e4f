//! The command line: one file a subcommand, each with its arguments (and examples in its help) and one `run`. What they
//! share stands in files of its own: the profile, the HTTPS client, the one writer, errors and exit codes.

// Shared.
pub mod api;
pub mod attach;
pub mod calls;
pub mod composing;
pub mod connect;
pub mod desk_api;
pub mod directory;
pub mod download;
pub mod draft;
pub mod drill;
pub mod error;
pub mod exchange;
pub mod exit;
pub mod files;
pub mod find;
pub mod html;
pub mod inbox;
pub mod journal;
pub mod markup;
pub mod mend;
#[cfg(test)]
mod notify_tests;
pub mod opened;
pub mod outbox;
pub mod output;
pub mod own;
pub mod passphrase;
pub mod profile;
pub mod reached;
pub mod rebuild;
pub mod received;
pub mod root_file;
pub mod rows;
pub mod source;
pub mod stream;
pub mod submit;
pub mod tabular;
#[cfg(test)]
mod testing;
pub mod transfer;
pub mod upload;
pub mod words;

// One file a subcommand.
pub mod ack;
pub mod admit;
pub mod alert;
pub mod attachments;
pub mod check;
pub mod close;
pub mod completions;
pub mod confirm;
pub mod context;
pub mod cosign;
pub mod daily;
pub mod demo;
pub mod devices;
pub mod distress;
pub mod duty;
pub mod enrol;
pub mod handover;
pub mod import;
pub mod init;
pub mod invite;
pub mod keyring;
pub mod lint;
pub mod listen;
pub mod notify;
pub mod nudge;
pub mod openapi;
pub mod policy;
pub mod progress;
pub mod queue;
pub mod relay;
pub mod reply;
pub mod resolve;
pub mod respond;
pub mod return_;
pub mod revoke;
pub mod screen;
pub mod screen_many;
pub mod send;
pub mod serve;
pub mod silence;
pub mod statistics;
pub mod status;
pub mod template;
pub mod threads;
pub mod verify;
pub mod warn;
pub mod withdraw;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::api::Api;
use self::error::CliError;
use self::exit::Exit;
use self::output::Output;
use self::profile::Profile;
use crate::crypto::digest::Digest;
use crate::domain::clock::Clock;
use crate::telemetry::{self, LogFormat};

/// A humanitarian notification and deconfliction server, and its client.
///
/// Organisations notify sites and movements, signed and sealed; parties to the conflict receive and acknowledge them;
/// planners ask whether an area holds notified places. A notification is word, never a request for permission; an
/// acknowledgement is not approval; absence of a notification is not absence of civilians.
#[derive(Debug, Parser)]
#[command(name = "herald", version, after_help = exit::TABLE, max_term_width = 110, arg_required_else_help = true)]
pub struct Cli {
    /// The directory of this device's keys, outbox and inbox [default: ~/.config/herald]
    #[arg(
        long,
        global = true,
        env = "HERALD_PROFILE",
        value_name = "DIR",
        display_order = 900
    )]
    pub profile: Option<PathBuf>,
    /// Print JSON, one document a line, for programs
    #[arg(long, global = true, display_order = 901)]
    pub json: bool,
    /// Say more of what happens, on standard error; twice for the network too
    #[arg(short, long, global = true, action = clap::ArgAction::Count, display_order = 902)]
    pub verbose: u8,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands, in the order in which people meet them.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a new deployment: its root, keys, certificates, and the coordinator's invite
    Init(init::Args),
    /// Add a context to a deployment, or list those that it serves
    Context(context::Args),
    /// Run the server
    Serve(serve::Args),
    /// Check that the database says what the stored statements add up to
    Rebuild(rebuild::Args),
    /// Show until when what is sealed is kept, and what holds it
    Keyring(keyring::Args),
    /// Enrol this device with an invite
    Enrol(enrol::Args),
    /// Show, sign or renew your devices
    Devices(devices::Args),
    /// Take a lost or former device's right to speak back
    Revoke(revoke::Args),
    /// Invite a person to enrol a device (coordinator)
    Invite(invite::Args),
    /// Admit an organisation or party whose fingerprint you have compared (coordinator)
    Admit(admit::Args),
    /// Show or set the context's policy
    Policy(policy::Args),
    /// Register your own 24/7 duty number
    Duty(duty::Args),
    /// Write a spreadsheet to fill in
    Template(template::Args),
    /// Look for mistakes in coordinates and times before anything is sent
    Lint(lint::Args),
    /// Notify sites or movements: one, or those of a file (organisation)
    Notify(Box<notify::Args>),
    /// Notify the many rows of a large file, as a stream (organisation)
    Import(import::Args),
    /// Send what was signed and waits in the outbox
    Send(send::Args),
    /// Take a notification back (organisation)
    Withdraw(withdraw::Args),
    /// Say that a movement arrived, or that a site's use ended (organisation)
    Close(close::Args),
    /// Say how far a movement is: departed, at a waypoint, delayed (organisation)
    Progress(progress::Args),
    /// Confirm that sites stand as they were notified (organisation)
    Confirm(confirm::Args),
    /// Sign a colleague's notification as the second person, or take over what was notified for you (organisation)
    Cosign(cosign::Args),
    /// Show where notifications stand: who has them, who is silent, who asks
    Status(status::Args),
    /// Call for help: prints the duty numbers first, then tells the coordinator and the parties
    Distress(distress::Args),
    /// Answer a call for help (coordinator, party)
    Respond(respond::Args),
    /// End your call for help, and say how it ended
    Resolve(resolve::Args),
    /// List the photos and letters of a notification, and fetch them
    Attachments(attachments::Args),
    /// Receive what is sent to your desk
    Listen(listen::Args),
    /// Be told outside Herald, by e-mail or SMS, that you are needed
    Nudge(nudge::Args),
    /// Show what waits for your desk, and what changed since this device last looked
    Queue(queue::Args),
    /// Show which parties have not answered, and for how long
    Silence(silence::Args),
    /// Write the day as a page to print
    Daily(daily::Args),
    /// Leave a note to the next officer of your own desk, or read the last ones
    Handover(handover::Args),
    /// Say that a notification's form, coordinates or sender were checked (coordinator)
    Screen(screen::Args),
    /// Send a notification back with reasons (coordinator)
    Return(return_::Args),
    /// Acknowledge a notification (party), or transcribe a party's letter (coordinator)
    Ack(ack::Line),
    /// Make a package of what is notified to a party that has no device, and record it as relayed (coordinator)
    Relay(relay::Args),
    /// Warn an organisation of what you allege of its notification (party)
    Warn(warn::Args),
    /// Reply to a party's query or warning
    Reply(reply::Args),
    /// List the queries and warnings that wait for a reply
    Threads(threads::Args),
    /// Ask whether an area holds notified places or movements (party)
    Check(check::Args),
    /// Check a receipt, acknowledgement or answer without the server
    Verify(verify::Args),
    /// Show counts, without places or names (coordinator, auditor, operator)
    Statistics(statistics::Args),
    /// Watch the whole story with a server of its own
    Demo(demo::Args),
    /// Print the description of the API (OpenAPI 3.1)
    Openapi(openapi::Args),
    /// Print completions for a shell
    Completions(completions::Args),
}

impl Command {
    /// Whether what it says is about the context of a profile, live or an exercise; of the others, those that make or run a
    /// deployment say themselves what it is.
    const fn is_about_a_profile(&self) -> bool {
        !matches!(
            self,
            Self::Init(_)
                | Self::Context(_)
                | Self::Serve(_)
                | Self::Template(_)
                | Self::Lint(_)
                | Self::Demo(_)
                | Self::Openapi(_)
                | Self::Completions(_)
        )
    }
}

/// What every subcommand gets.
#[derive(Clone)]
pub struct Context {
    /// The profile's directory; it need not exist.
    pub dir: PathBuf,
    /// The one way out.
    pub out: Output,
    /// The machine's clock, or a test's.
    pub clock: Clock,
}

impl Context {
    /// The profile.
    ///
    /// # Errors
    /// When no device is enrolled there.
    pub fn profile(&self) -> Result<Profile, CliError> {
        Ok(Profile::open(&self.dir)?)
    }

    /// The profile, and a client that shows its certificate.
    ///
    /// # Errors
    /// When no device is enrolled there, or its TLS files do not serve.
    pub fn connect(&self) -> Result<(Profile, Api), CliError> {
        let profile = self.profile()?;
        let api = Api::of_profile(&profile)?.watched_on(self.out.clone());
        Ok((profile, api))
    }
}

/// The program.
pub fn main() -> ExitCode {
    crate::tls::install_provider();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            let out = Output::standard(false);
            out.error(&CliError::failed(
                format!("the program cannot start its threads: {error}"),
                "Close other programs, or raise the limit on threads.",
            ));
            if asks(&std::env::args_os().collect::<Vec<_>>()) {
                out.note(check::NOT_ASKED);
                return Exit::Indeterminate.into();
            }
            return Exit::Failure.into();
        }
    };
    let exit = runtime.block_on(run(
        std::env::args_os().collect(),
        Output::standard(false),
        Clock::System,
    ));
    // A blocking task that is stuck in the kernel must not hold the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    exit.into()
}

/// Runs one command line: what `main`, the demo and the tests call. `args` begins with the program's name.
pub async fn run(args: Vec<OsString>, out: Output, clock: Clock) -> Exit {
    let asks = asks(&args);
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too; they are results.
            if error.use_stderr() {
                out.note(error.render().to_string());
                if asks {
                    out.note(check::NOT_ASKED);
                }
                return Exit::Usage;
            }
            out.raw(error.render().to_string());
            return Exit::Ok;
        }
    };
    let out = out.with_json(cli.json).for_one_command();
    match start(cli, out.clone(), clock).await {
        Ok(exit) => exit,
        Err(error) => {
            out.error(&error);
            if asks {
                out.note(check::NOT_ASKED);
            }
            error.exit()
        }
    }
}

/// Whether a command line, understood or not, means to ask: whoever gets no answer must be told what that means.
fn asks(args: &[OsString]) -> bool {
    let mut words = args.iter().skip(1);
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--profile") => {
                words.next();
            }
            Some(option) if option.starts_with('-') => {}
            other => return other == Some("check"),
        }
    }
    false
}

async fn start(cli: Cli, out: Output, clock: Clock) -> Result<Exit, CliError> {
    if cli.verbose > 0 && !matches!(cli.command, Command::Serve(_)) {
        let filter = if cli.verbose == 1 {
            "warn,herald=debug"
        } else {
            "debug"
        };
        // A second run in one process (the demo) finds it set up already, which is as good.
        telemetry::init(LogFormat::Text, Some(filter)).ok();
    }
    let context = Context {
        dir: directory(cli.profile)?,
        out,
        clock,
    };
    // A profile that cannot be opened is the command's to complain of.
    if cli.command.is_about_a_profile()
        && let Ok(profile) = Profile::open(&context.dir)
    {
        context.out.set_mode(profile.me().mode);
    }
    dispatch(cli.command, &context).await
}

fn directory(given: Option<PathBuf>) -> Result<PathBuf, CliError> {
    if let Some(dir) = given {
        return Ok(dir);
    }
    let home = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".config")));
    home.map(|config| config.join("herald")).ok_or_else(|| {
        CliError::Usage("this user has no home directory; name a profile with --profile".into())
    })
}

/// One line a subcommand. Boxed, so that the largest does not make all of them large.
async fn dispatch(command: Command, context: &Context) -> Result<Exit, CliError> {
    match command {
        Command::Init(args) => Box::pin(init::run(args, context)).await,
        Command::Context(args) => Box::pin(context::run(args, context)).await,
        Command::Serve(args) => Box::pin(serve::run(args, context)).await,
        Command::Rebuild(args) => Box::pin(rebuild::run(args, context)).await,
        Command::Keyring(args) => Box::pin(keyring::run(args, context)).await,
        Command::Enrol(args) => Box::pin(enrol::run(args, context)).await,
        Command::Devices(args) => Box::pin(devices::run(args, context)).await,
        Command::Revoke(args) => Box::pin(revoke::run(args, context)).await,
        Command::Invite(args) => Box::pin(invite::run(args, context)).await,
        Command::Admit(args) => Box::pin(admit::run(args, context)).await,
        Command::Policy(args) => Box::pin(policy::run(args, context)).await,
        Command::Duty(args) => Box::pin(duty::run(args, context)).await,
        Command::Template(args) => Box::pin(template::run(args, context)).await,
        Command::Lint(args) => Box::pin(lint::run(args, context)).await,
        Command::Notify(args) => Box::pin(notify::run(*args, context)).await,
        Command::Import(args) => Box::pin(import::run(args, context)).await,
        Command::Send(args) => Box::pin(send::run(args, context)).await,
        Command::Withdraw(args) => Box::pin(withdraw::run(args, context)).await,
        Command::Close(args) => Box::pin(close::run(args, context)).await,
        Command::Progress(args) => Box::pin(progress::run(args, context)).await,
        Command::Confirm(args) => Box::pin(confirm::run(args, context)).await,
        Command::Cosign(args) => Box::pin(cosign::run(args, context)).await,
        Command::Status(args) => Box::pin(status::run(args, context)).await,
        Command::Distress(args) => Box::pin(distress::run(args, context)).await,
        Command::Respond(args) => Box::pin(respond::run(args, context)).await,
        Command::Resolve(args) => Box::pin(resolve::run(args, context)).await,
        Command::Attachments(args) => Box::pin(attachments::run(args, context)).await,
        Command::Listen(args) => Box::pin(listen::run(args, context)).await,
        Command::Nudge(args) => Box::pin(nudge::run(args, context)).await,
        Command::Queue(args) => Box::pin(queue::run(args, context)).await,
        Command::Silence(args) => Box::pin(silence::run(args, context)).await,
        Command::Daily(args) => Box::pin(daily::run(args, context)).await,
        Command::Handover(args) => Box::pin(handover::run(args, context)).await,
        Command::Screen(args) => Box::pin(screen::run(args, context)).await,
        Command::Return(args) => Box::pin(return_::run(args, context)).await,
        Command::Ack(line) => Box::pin(ack::either(line, context)).await,
        Command::Relay(args) => Box::pin(relay::run(args, context)).await,
        Command::Warn(args) => Box::pin(warn::run(args, context)).await,
        Command::Reply(args) => Box::pin(reply::run(args, context)).await,
        Command::Threads(args) => Box::pin(threads::run(args, context)).await,
        Command::Check(args) => Box::pin(check::run(args, context)).await,
        Command::Verify(args) => Box::pin(verify::run(args, context)).await,
        Command::Statistics(args) => Box::pin(statistics::run(args, context)).await,
        Command::Demo(args) => Box::pin(demo::run(args, context)).await,
        Command::Openapi(args) => Box::pin(openapi::run(args, context)).await,
        Command::Completions(args) => Box::pin(completions::run(args, context)).await,
    }
}

/// A fingerprint as a person types or pastes it: hexadecimal in any grouping, or base64url.
///
/// # Errors
/// What it should look like.
pub fn parse_fingerprint(text: &str) -> Result<Digest, String> {
    let plain: String = text
        .chars()
        .filter(|c| !c.is_whitespace() && *c != ':')
        .collect();
    if let Ok(digest) = plain.parse() {
        return Ok(digest);
    }
    data_encoding::HEXLOWER_PERMISSIVE
        .decode(plain.as_bytes())
        .ok()
        .and_then(|bytes| Digest::from_slice(&bytes).ok())
        .ok_or_else(|| {
            "a fingerprint is 64 hexadecimal digits, spaces between are fine, or 43 characters of base64url"
                .to_owned()
        })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_examples_in_its_help() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            assert!(help.contains("Example"), "{}", command.get_name());
            assert!(
                help.contains(&format!("herald {}", command.get_name())),
                "{}",
                command.get_name()
            );
        }
    }

    #[test]
    fn no_help_reads_as_permission_or_protection() {
        for command in Cli::command().get_subcommands_mut() {
            let help = command.render_long_help().to_string().to_lowercase();
            for word in [
                "approved",
                "cleared",
                "guarantee",
                "verified",
                "permitted",
                "safe ",
            ] {
                assert!(!help.contains(word), "{}: {word}", command.get_name());
            }
        }
    }

    #[test]
    fn a_fingerprint_is_read_as_people_group_it() {
        let digest = Digest::of(b"root");
        for text in [
            digest.fingerprint(),
            digest.fingerprint().to_uppercase().replace(' ', ":"),
            digest.to_string(),
        ] {
            assert_eq!(parse_fingerprint(&text), Ok(digest), "{text}");
        }
        assert!(parse_fingerprint("ba78 16bf").is_err());
    }

    #[tokio::test]
    async fn a_wrong_command_line_ends_with_2_and_help_with_0() {
        let run = |args: &[&str]| {
            let (out, _, _) = Output::captured(false);
            run(
                args.iter().map(OsString::from).collect(),
                out,
                Clock::System,
            )
        };
        assert_eq!(run(&["herald", "frobnicate"]).await, Exit::Usage);
        assert_eq!(run(&["herald", "--help"]).await, Exit::Ok);
    }

    #[tokio::test]
    async fn no_missed_conflict_a_question_that_is_not_understood_says_what_that_means() {
        let beside = async |words: &[&str]| {
            let (out, _, beside) = Output::captured(false);
            let args = words.iter().map(OsString::from).collect();
            let exit = Box::pin(run(args, out, Clock::System)).await;
            assert_eq!(exit, Exit::Usage);
            beside.text()
        };
        for question in [
            &["herald", "check", "--radius", "ten"][..],
            &[
                "herald",
                "--profile",
                "x",
                "--json",
                "check",
                "1, 2",
                "--radius",
            ],
        ] {
            assert!(beside(question).await.contains("TREAT AS CONFLICT"));
        }
        let other = beside(&["herald", "--profile", "check", "queue", "--nonsense"]).await;
        assert!(!other.contains("TREAT AS CONFLICT"));
    }
}
