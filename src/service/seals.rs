//! Seals that were made just now, for the other devices and sockets of the same desk: a seal is to the desk's key, whoever
//! of it reads. Of several that want one at once, one makes it. Bounded; a seal that fell out is made again.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::crypto::digest::Kid;
use crate::domain::ids::LogPosition;

/// The most that is kept, in bytes.
const BYTES: u64 = 8 << 20;
/// About how many that are.
const COUNT: usize = 2_048;

/// A part of the statement at a position, for a desk's key.
pub(super) type SealOf = (LogPosition, String, Kid);

/// See the module. What is kept in it anyone may see: it is sealed.
pub(super) struct Seals(Cache<SealOf, Arc<[u8]>, Length>);

/// A seal's length.
#[derive(Clone)]
struct Length;

impl Weighter<SealOf, Arc<[u8]>> for Length {
    fn weight(&self, _: &SealOf, sealed: &Arc<[u8]>) -> u64 {
        u64::try_from(sealed.len()).unwrap_or(u64::MAX)
    }
}

impl Default for Seals {
    fn default() -> Self {
        Self(Cache::with_weighter(COUNT, BYTES, Length))
    }
}

impl Seals {
    /// The seal that was made, or the one that is made now.
    ///
    /// # Errors
    /// What making it ended with; nothing is kept of that.
    pub(super) fn make<E>(
        &self,
        of: &SealOf,
        seal: impl FnOnce() -> Result<Vec<u8>, E>,
    ) -> Result<Arc<[u8]>, E> {
        self.0.get_or_insert_with(of, || seal().map(Arc::from))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn of(pos: u64, desk: &[u8]) -> SealOf {
        let kid = Kid::from_digest(crate::crypto::digest::Digest::of(desk));
        (LogPosition(pos), "place".to_owned(), kid)
    }

    #[test]
    fn a_seal_is_made_once_for_all_sockets_of_a_desk_and_anew_for_another_desk() {
        let (seals, made) = (Seals::default(), AtomicU32::new(0));
        let seal = |of: &SealOf| {
            let made = || {
                let n = made.fetch_add(1, Ordering::Relaxed);
                Ok::<_, ()>(n.to_be_bytes().to_vec())
            };
            seals.make(of, made).expect("made")
        };
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| seal(&of(1, b"east")));
            }
        });
        assert_eq!(made.load(Ordering::Relaxed), 1);
        assert_ne!(seal(&of(1, b"west")), seal(&of(1, b"east")));
        seal(&of(2, b"east"));
        assert_eq!(made.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn a_failure_is_not_kept_and_the_whole_stays_bounded() {
        let seals = Seals::default();
        assert_eq!(
            seals.make(&of(1, b"east"), || Err::<Vec<u8>, _>("no")),
            Err("no")
        );
        assert!(seals.make(&of(1, b"east"), || Ok::<_, ()>(vec![1])).is_ok());
        for pos in 0..1_000 {
            let large = || Ok::<_, ()>(vec![0; 64 << 10]);
            assert!(seals.make(&of(pos, b"west"), large).is_ok());
        }
        assert!(seals.0.weight() <= BYTES, "{}", seals.0.weight());
    }
}
