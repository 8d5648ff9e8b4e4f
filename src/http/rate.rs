//! How often a device or an address may ask (GCRA, by the governor crate), by class of request, with a bounded memory of
//! keys. What goes beyond is answered 429 with `Retry-After`.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::future::{Either, Ready, ready};
use governor::clock::Clock;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tower::{Layer, Service};

use super::accept::{PeerIdentity, address_key};
use super::limits::{Rate, RateClass, RateConfig};
use crate::wire::problem::{Problem, ProblemKind};

/// How often keys that are full again are looked for, when there are many.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// How many allowances keys share while the store is full.
const SHARED_ALLOWANCES: u64 = 256;

/// Whose allowance.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Device([u8; 32]),
    Address(IpAddr),
    Shared(u64),
}

/// The allowances of every class.
pub struct RateLimits {
    checks: Store,
    statements: Store,
    reads: Store,
    enrolment: Store,
    distress: Store,
    address: Store,
}

impl RateLimits {
    /// Full allowances.
    pub fn new(config: &RateConfig) -> Self {
        let store = |rate| Store::new(rate, config.keys_max);
        Self {
            checks: store(config.checks),
            statements: store(config.statements),
            reads: store(config.reads),
            enrolment: store(config.enrolment),
            distress: store(config.distress),
            address: store(config.address),
        }
    }

    /// Draws on the allowance of the peer's device (or address, when it showed no certificate) in `class`.
    ///
    /// # Errors
    /// `rate-limited`, with the seconds to wait.
    pub fn check(&self, class: RateClass, peer: &PeerIdentity) -> Result<(), Problem> {
        let key = match peer.spki_sha256 {
            Some(spki) => Key::Device(spki),
            None => Key::Address(address_key(peer.addr.ip())),
        };
        self.store(class)
            .check(key)
            .map_err(|wait_s| refusal(class.label(), wait_s))
    }

    /// Draws on the allowance of an address for everything.
    ///
    /// # Errors
    /// `rate-limited`, with the seconds to wait.
    pub fn check_address(&self, ip: IpAddr) -> Result<(), Problem> {
        self.address
            .check(Key::Address(address_key(ip)))
            .map_err(|wait_s| refusal("address", wait_s))
    }

    /// A layer for routes of one class.
    pub fn layer(self: &Arc<Self>, class: RateClass) -> RateLayer {
        RateLayer {
            limits: Arc::clone(self),
            class,
        }
    }

    fn store(&self, class: RateClass) -> &Store {
        match class {
            RateClass::Checks => &self.checks,
            RateClass::Statements => &self.statements,
            RateClass::Reads => &self.reads,
            RateClass::Enrolment => &self.enrolment,
            RateClass::Distress => &self.distress,
        }
    }
}

fn refusal(class: &'static str, wait_s: u64) -> Problem {
    metrics::counter!("herald_rate_limited_total", "class" => class).increment(1);
    Problem::new(ProblemKind::RateLimited).retry_after_s(wait_s)
}

/// A bounded keyed limiter.
pub(super) struct Store {
    limiter: DefaultKeyedRateLimiter<Key>,
    keys_max: usize,
    hasher: RandomState,
    born: Instant,
    swept_s: AtomicU64,
}

impl Store {
    pub(super) fn new(rate: Rate, keys_max: usize) -> Self {
        Self {
            limiter: RateLimiter::keyed(Quota::per_second(rate.per_second).allow_burst(rate.burst)),
            keys_max,
            hasher: RandomState::new(),
            born: Instant::now(),
            swept_s: AtomicU64::new(0),
        }
    }

    /// `Err` holds the seconds to wait, at least 1.
    pub(super) fn check(&self, key: Key) -> Result<(), u64> {
        let key = self.bounded(key);
        self.limiter.check_key(&key).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.limiter.clock().now());
            wait.as_secs() + u64::from(wait.subsec_nanos() > 0).max(u64::from(wait.is_zero()))
        })
    }

    /// Keeps the memory bounded: sweeps when it is half full, shares allowances when it is full.
    fn bounded(&self, key: Key) -> Key {
        if self.limiter.len() < self.keys_max / 2 {
            return key;
        }
        let now_s = self.born.elapsed().as_secs();
        let swept_s = self.swept_s.load(Ordering::Relaxed);
        let due = now_s >= swept_s + SWEEP_EVERY.as_secs();
        if due
            && self
                .swept_s
                .compare_exchange(swept_s, now_s, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            self.limiter.retain_recent();
        }
        if self.limiter.len() < self.keys_max {
            return key;
        }
        Key::Shared(self.hasher.hash_one(&key) % SHARED_ALLOWANCES)
    }
}

/// Applies one class of [`RateLimits`] to routes.
#[derive(Clone)]
pub struct RateLayer {
    limits: Arc<RateLimits>,
    class: RateClass,
}

impl<S> Layer<S> for RateLayer {
    type Service = RateService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RateService {
            inner,
            limits: Arc::clone(&self.limits),
            class: self.class,
        }
    }
}

/// See [`RateLayer`].
#[derive(Clone)]
pub struct RateService<S> {
    inner: S,
    limits: Arc<RateLimits>,
    class: RateClass,
}

impl<S> Service<Request> for RateService<S>
where
    S: Service<Request, Response = Response>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Either<Ready<Result<Response, S::Error>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // Without an identity the request did not come through our listener: refuse rather than let it pass uncounted.
        let allowed = match request.extensions().get::<PeerIdentity>() {
            Some(peer) => self.limits.check(self.class, peer),
            None => Err(Problem::new(ProblemKind::Internal)),
        };
        match allowed {
            Ok(()) => Either::Right(self.inner.call(request)),
            Err(problem) => Either::Left(ready(Ok(problem.into_response()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn store(burst: u32, keys_max: usize) -> Store {
        let one = NonZeroU32::MIN;
        Store::new(
            Rate::new(one, NonZeroU32::new(burst).expect("not zero")),
            keys_max,
        )
    }

    #[test]
    fn a_device_that_spent_its_burst_is_told_how_long_to_wait() {
        let store = store(3, 100);
        for _ in 0..3 {
            assert_eq!(store.check(Key::Device([1; 32])), Ok(()));
        }
        assert_eq!(store.check(Key::Device([1; 32])), Err(1));
        assert_eq!(
            store.check(Key::Device([2; 32])),
            Ok(()),
            "another device is not held back"
        );
    }

    #[test]
    fn the_memory_of_keys_is_bounded_whoever_comes() {
        let store = store(2, 100);
        let mut refused = 0;
        for n in 0..5_000_u32 {
            refused += usize::from(
                store
                    .check(Key::Address(IpAddr::from(n.to_be_bytes())))
                    .is_err(),
            );
        }
        let bound = 100 + usize::try_from(SHARED_ALLOWANCES).expect("small");
        assert!(store.limiter.len() <= bound, "{}", store.limiter.len());
        assert!(refused > 0, "beyond the bound, strangers share allowances");
    }
}
