//! The resources of the API, one file each: their operations with their documentation side by side.

pub mod blobs;
pub mod checks;
pub mod desk;
pub mod distress;
pub mod events;
pub mod identity;
pub mod notifications;
pub mod nudge;
pub mod statements;
pub mod threads;
