//! Checks on a real database, through the real intake and the real candidate function: verdicts, doubts, what each tier
//! discloses, what is kept, and that every verdict is a slow reference's.

mod command;
mod plan;
mod property;
mod service;
mod world;
