//! Who is nudged for somebody who is on leave: the colleague whom they named, or, when that one is away too, the one whom
//! that one named, and so on for a few steps.

use time::OffsetDateTime;

use crate::domain::ids::DeviceId;

/// How many colleagues may stand in for one another.
pub const MAX_HOPS: usize = 3;

/// Somebody is away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Away {
    /// Until when.
    pub until: OffsetDateTime,
    /// Who is nudged meanwhile: a device of the same actor.
    pub cover: DeviceId,
}

/// Why nobody can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CoverError {
    /// They name one another in a circle.
    #[error("those who are away name one another as cover, in a circle")]
    Circle,
    /// Too many are away.
    #[error("more than {MAX_HOPS} colleagues in a row are away")]
    TooFar,
}

/// Who is nudged for `person` now: the person and then each cover, in order; the last one is not away. `away` says whom
/// somebody named; a leave that is over counts for nothing.
///
/// # Errors
/// [`CoverError`].
pub fn reached(
    person: &DeviceId,
    away: impl Fn(&DeviceId) -> Option<Away>,
    now: OffsetDateTime,
) -> Result<Vec<DeviceId>, CoverError> {
    let mut way = vec![person.clone()];
    let mut last = person.clone();
    while let Some(next) = away(&last).filter(|away| away.until > now) {
        if way.contains(&next.cover) {
            return Err(CoverError::Circle);
        }
        if way.len() > MAX_HOPS {
            return Err(CoverError::TooFar);
        }
        way.push(next.cover.clone());
        last = next.cover;
    }
    Ok(way)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn device(n: u8) -> DeviceId {
        DeviceId::from_random([n; 5])
    }

    fn walk(pairs: &[(u8, u8)], now_s: i64) -> Result<Vec<DeviceId>, CoverError> {
        let until = OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(100);
        let away: HashMap<_, _> = pairs
            .iter()
            .map(|(who, cover)| {
                (
                    device(*who),
                    Away {
                        until,
                        cover: device(*cover),
                    },
                )
            })
            .collect();
        let now = OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(now_s);
        reached(&device(0), |who| away.get(who).cloned(), now)
    }

    #[test]
    fn a_cover_stands_in_until_the_leave_is_over() {
        assert_eq!(walk(&[], 0), Ok(vec![device(0)]));
        assert_eq!(walk(&[(0, 1)], 99), Ok(vec![device(0), device(1)]));
        assert_eq!(walk(&[(0, 1)], 100), Ok(vec![device(0)]));
        let chain = [(0, 1), (1, 2), (2, 3)];
        assert_eq!(walk(&chain, 0).map(|way| way.len()), Ok(4));
    }

    #[test]
    fn circles_and_long_chains_of_cover_are_refused() {
        assert_eq!(walk(&[(0, 0)], 0), Err(CoverError::Circle));
        assert_eq!(walk(&[(0, 1), (1, 0)], 0), Err(CoverError::Circle));
        assert_eq!(walk(&[(0, 1), (1, 2), (2, 1)], 0), Err(CoverError::Circle));
        let long = [(0, 1), (1, 2), (2, 3), (3, 4)];
        assert_eq!(walk(&long, 0), Err(CoverError::TooFar));
    }
}
