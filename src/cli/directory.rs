//! Everybody's keys, held against the pins before anything is done with them, and kept for when there is no line.

use super::api::Api;
use super::error::CliError;
use super::profile::Profile;
use crate::wire::api::KeyDirectory;
use crate::wire::trust::Trust;

/// Fetches the key directory and [`hold`]s it.
///
/// # Errors
/// When the server cannot be reached, or as [`hold`].
pub async fn trust(profile: &Profile, api: &Api) -> Result<Trust, CliError> {
    hold(profile, &api.keys(&profile.me().ctx).await?)
}

/// Holds a directory against the pins and against the one seen before, and keeps it. Pins the own root when the
/// coordinator has vouched for it and this device did not know it yet.
///
/// # Errors
/// When it shows keys that do not stand under the pinned roots, or older ones than before.
pub fn hold(profile: &Profile, directory: &KeyDirectory) -> Result<Trust, CliError> {
    let trust = Trust::establish(directory, &profile.pins())?;
    if let Some(before) = profile.cached_keys()? {
        // A cache that no longer stands under the pins proves nothing against the new one.
        if let Ok(before) = Trust::establish(&before, &profile.pins()) {
            trust.not_older_than(&before)?;
        }
    }
    profile.keep_keys(directory)?;
    if profile.me().own_root.is_none()
        && let Ok(own) = trust.actor(&profile.me().actor)
    {
        profile.clone().pin_own_root(own.root)?;
    }
    Ok(trust)
}

/// The key directory as last seen, held against the pins again.
///
/// # Errors
/// When none was seen yet.
pub fn cached(profile: &Profile) -> Result<Trust, CliError> {
    let directory = profile.cached_keys()?.ok_or_else(|| {
        CliError::failed(
            "this device has not fetched anybody's keys yet",
            "Connect once: `herald devices` fetches and keeps them.",
        )
    })?;
    Ok(Trust::establish(&directory, &profile.pins())?)
}

/// The directory from the server, or as last seen when there is no line: what is signed then waits in the outbox.
///
/// # Errors
/// When the server's keys are not believed, or there is no line and none were seen before.
pub async fn at_hand(profile: &Profile, api: &Api) -> Result<Trust, CliError> {
    match trust(profile, api).await {
        Err(CliError::Api(error)) if error.is_temporary() => match cached(profile) {
            Ok(trust) => Ok(trust),
            Err(_) => Err(error.into()),
        },
        other => other,
    }
}
