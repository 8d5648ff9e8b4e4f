//! The passphrase of an offline root: from a file that only its owner may read, or typed without being shown. Never
//! from an argument or the environment, where others on the machine could see it.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::error::CliError;
use crate::crypto::passphrase::MIN_PASSPHRASE_CHARS;
use crate::crypto::secret_file;

/// Where a passphrase comes from.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct PassphraseArgs {
    /// Read the passphrase of the root from this file (mode 0600) instead of asking for it
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

impl PassphraseArgs {
    /// A passphrase for a file that exists.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn existing(&self) -> Result<Zeroizing<String>, CliError> {
        match &self.passphrase_file {
            Some(path) => from_file(path),
            None => ask("Passphrase of the root: "),
        }
    }

    /// A passphrase for a file to be made; typed twice.
    ///
    /// # Errors
    /// When it cannot be read, is too short, or the two differ.
    pub fn new_one(&self) -> Result<Zeroizing<String>, CliError> {
        let passphrase = if let Some(path) = &self.passphrase_file {
            from_file(path)?
        } else {
            let first = ask("New passphrase for the root, 12 characters or more: ")?;
            if first != ask("The same once more: ")? {
                return Err(CliError::refused(
                    "the two passphrases differ",
                    "Run the command again and type the same twice.",
                ));
            }
            first
        };
        if passphrase.chars().count() < MIN_PASSPHRASE_CHARS {
            return Err(CliError::refused(
                format!("the passphrase has fewer than {MIN_PASSPHRASE_CHARS} characters"),
                "Take five or six words that nobody would guess together.",
            ));
        }
        Ok(passphrase)
    }
}

fn from_file(path: &Path) -> Result<Zeroizing<String>, CliError> {
    let bytes = secret_file::read(path)
        .map_err(|e| CliError::failed(e.to_string(), "Give a passphrase file of mode 0600."))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        CliError::refused(
            format!("{} is not text", path.display()),
            "Write the passphrase as text, UTF-8.",
        )
    })?;
    Ok(Zeroizing::new(
        text.trim_end_matches(['\n', '\r']).to_owned(),
    ))
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, CliError> {
    rpassword::prompt_password(prompt)
        .map(Zeroizing::new)
        .map_err(|_| {
            CliError::failed(
                "there is no terminal to ask for the passphrase",
                "Run it in a terminal, or give --passphrase-file.",
            )
        })
}
