//! The operations of the API, one file a resource.

pub mod events;
