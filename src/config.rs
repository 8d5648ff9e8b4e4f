//! What a server is told at start. Everything that decides about people (policy, admission, parties) is not here: that is
//! signed by the coordinator.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::http::Limits;
use crate::shutdown::ShutdownLimits;
use crate::store::cluster::Durability;
use crate::store::pool::PoolBounds;

/// Where the API listens unless told otherwise.
pub const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8443);
/// Where health and metrics listen unless told otherwise: loopback only.
pub const DEFAULT_OPS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

/// A server's configuration.
#[derive(Clone)]
pub struct ServerConfig {
    /// The deployment's directory, made by `herald init`.
    pub dir: PathBuf,
    /// The private cluster's directory; unused with a database URL.
    pub data_dir: PathBuf,
    /// A PostgreSQL server of one's own, as a URL.
    pub database_url: Option<String>,
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Where health and metrics listen; loopback.
    pub ops: SocketAddr,
    /// Whether the private cluster waits for the disk. Only tests do without.
    pub durability: Durability,
    /// The bounds of connections, requests and rates.
    pub limits: Limits,
    /// The bounds of the pools.
    pub pools: PoolBounds,
    /// How long each step of the end may take.
    pub shutdown: ShutdownLimits,
}

impl ServerConfig {
    /// The defaults, for a deployment's directory.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        Self {
            data_dir: dir.join("data"),
            dir,
            database_url: None,
            listen: DEFAULT_LISTEN,
            ops: DEFAULT_OPS,
            durability: Durability::Durable,
            limits: Limits::default(),
            pools: PoolBounds::default(),
            shutdown: ShutdownLimits::default(),
        }
    }
}
