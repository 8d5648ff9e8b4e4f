//! Every bound of the HTTP face, named once. Nothing that a client can send, hold open or repeat is without one; tests
//! use the same struct with shorter times.

use std::num::NonZeroU32;
use std::time::Duration;

/// The largest body of an ordinary request, in bytes.
pub const BODY_MAX_BYTES: usize = 1 << 20;

/// The largest body of a bulk request (imports), in bytes.
pub const BULK_BODY_MAX_BYTES: usize = 16 << 20;

/// The deepest nesting of JSON. A GeoJSON multipolygon within a part within an envelope needs 12.
pub const JSON_DEPTH_MAX: usize = 32;

/// The longest request target (path and query), in bytes.
pub const TARGET_MAX_BYTES: usize = 2_048;

/// How often: `per_second` steadily, `burst` at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The steady rate.
    pub per_second: NonZeroU32,
    /// What may come at once after a pause.
    pub burst: NonZeroU32,
}

impl Rate {
    /// A rate.
    pub const fn new(per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        Self { per_second, burst }
    }
}

/// A constant that is not zero, by the compiler.
const fn nz(n: u32) -> NonZeroU32 {
    match NonZeroU32::new(n) {
        Some(n) => n,
        None => NonZeroU32::MIN,
    }
}

/// Bounds on connections.
#[derive(Debug, Clone)]
pub struct ConnectionLimits {
    /// From accept to the end of the TLS handshake.
    pub handshake: Duration,
    /// From the first moment that a request may come to the end of its header; so also how long a kept-alive connection
    /// may idle.
    pub header: Duration,
    /// How long a peer may take no byte of what we write.
    pub write_stall: Duration,
    /// The largest header (request line and fields), in bytes.
    pub header_max_bytes: usize,
    /// The most header fields.
    pub header_max_fields: usize,
    /// The largest read buffer of a connection, in bytes (at least 8 KiB).
    pub buffer_max_bytes: usize,
    /// The most connections, sockets included.
    pub connections_max: usize,
    /// The most connections from one address (IPv6: one /64). Field offices share one behind a NAT.
    pub connections_per_address_max: usize,
    /// New connections from one address; a handshake costs us more than it costs them.
    pub new_per_address: Rate,
    /// The most addresses whose rate is remembered, see [`RateConfig::keys_max`].
    pub addresses_max: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            header: Duration::from_secs(20),
            write_stall: Duration::from_secs(30),
            header_max_bytes: 16 << 10,
            header_max_fields: 64,
            buffer_max_bytes: 64 << 10,
            connections_max: 20_000,
            connections_per_address_max: 256,
            new_per_address: Rate::new(nz(200), nz(1_000)),
            addresses_max: 50_000,
        }
    }
}

/// Bounds on requests.
#[derive(Debug, Clone)]
pub struct RequestLimits {
    /// From the header to the response's header; longer than the body may take.
    pub request: Duration,
    /// From the first read to the body's end.
    pub body: Duration,
    /// Before the least rate of a body counts.
    pub body_grace: Duration,
    /// The least rate of a body after the grace, in bytes per second. Low, for people write over weak links.
    pub body_min_bytes_per_s: u32,
    /// The most requests at once; one more is answered `overloaded`.
    pub in_flight_max: usize,
    /// The most requests at once at the operations for calls for help, beside the others.
    pub calls_in_flight_max: usize,
    /// What `Retry-After` says to those, in seconds.
    pub overloaded_retry_after_s: u64,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(90),
            body: Duration::from_mins(1),
            body_grace: Duration::from_secs(10),
            body_min_bytes_per_s: 256,
            in_flight_max: 1_024,
            calls_in_flight_max: 128,
            overloaded_retry_after_s: 2,
        }
    }
}

/// Which allowance a request draws on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateClass {
    /// Questions of planners.
    Checks,
    /// Statements that come in. A request may carry many.
    Statements,
    /// Everything that only reads.
    Reads,
    /// Enrolment, whose invites must not be guessed.
    Enrolment,
    /// Calls for help, which nothing else uses up.
    Distress,
}

impl RateClass {
    /// Every class.
    pub const ALL: [Self; 5] = [
        Self::Checks,
        Self::Statements,
        Self::Reads,
        Self::Enrolment,
        Self::Distress,
    ];

    /// The label in metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Checks => "checks",
            Self::Statements => "statements",
            Self::Reads => "reads",
            Self::Enrolment => "enrolment",
            Self::Distress => "distress",
        }
    }
}

/// Bounds on how often.
#[derive(Debug, Clone)]
pub struct RateConfig {
    /// Checks, each device.
    pub checks: Rate,
    /// Statement requests, each device.
    pub statements: Rate,
    /// Reads, each device.
    pub reads: Rate,
    /// Enrolments, each address.
    pub enrolment: Rate,
    /// Calls for help and what belongs to them, each device. One event is read on it too when the reads are spent.
    pub distress: Rate,
    /// Everything, each address (IPv6: one /64), before anything else is looked at.
    pub address: Rate,
    /// The most keys that one store remembers. Those whose allowance is full again are forgotten; if that does not help,
    /// keys share a few allowances until it does.
    pub keys_max: usize,
}

impl Default for RateConfig {
    fn default() -> Self {
        Self {
            checks: Rate::new(nz(100), nz(400)),
            statements: Rate::new(nz(500), nz(1_000)),
            reads: Rate::new(nz(100), nz(400)),
            enrolment: Rate::new(nz(1), nz(30)),
            distress: Rate::new(nz(2), nz(30)),
            address: Rate::new(nz(1_000), nz(4_000)),
            keys_max: 50_000,
        }
    }
}

impl RateConfig {
    /// The rate of a class.
    pub const fn of(&self, class: RateClass) -> Rate {
        match class {
            RateClass::Checks => self.checks,
            RateClass::Statements => self.statements,
            RateClass::Reads => self.reads,
            RateClass::Enrolment => self.enrolment,
            RateClass::Distress => self.distress,
        }
    }
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// On connections.
    pub connection: ConnectionLimits,
    /// On requests.
    pub request: RequestLimits,
    /// On how often.
    pub rate: RateConfig,
}
