//! The operating system's randomness, in one place, so that nothing else needs ring for it and no test can swap it.

use ring::rand::{SecureRandom, SystemRandom};

/// `N` random bytes, fit for keys, salts, nonces and invites.
///
/// # Panics
/// If the operating system has no randomness to give. Nothing may go on without it: a key, salt or nonce would be guessable.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

/// Fills `out` with random bytes.
///
/// # Panics
/// As [`random_bytes`].
pub fn fill(out: &mut [u8]) {
    SystemRandom::new()
        .fill(out)
        .expect("a booted Linux always answers getrandom; no key may be made without it");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        assert_ne!(random_bytes::<32>(), random_bytes::<32>());
    }
}
