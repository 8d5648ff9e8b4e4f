//! The migrations are compiled in; a new file among them must rebuild what holds them.
#[allow(
    clippy::print_stdout,
    reason = "this is how a build script speaks to cargo"
)]
fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
