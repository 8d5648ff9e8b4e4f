//! A whole server as its users meet it: started as in production, over real TLS, with devices that enrolled through the
//! API. [`World`] is the cast that every test here plays with.

mod acks;
mod attachments;
mod behalf;
mod bytes;
mod calls;
mod contexts;
mod desk;
mod devices;
mod distress;
mod enrolling;
mod groups;
mod identity;
mod intake;
mod kinds;
pub mod nudges;
mod operations;
mod problems;
mod progress;
mod rebuild;
mod relay;
mod renewal;
mod retention;
mod say;
mod threads;
mod time;
mod windows;
mod world;

pub use attachments::Attached;
pub use calls::Answer;
pub use devices::{Fresh, Member, Unit};
pub use distress::Cry;
pub use say::{Notified, Site, ack_item};
pub use world::World;
